// One connection's side of the protocol, bytes in and bytes out: handshake, signatures, cluster
// version, connectionID and sequence. It knows no socket and no clock.
//
//   input problem                          answer                                   and then
//   bad magic, length above the limits,    UNSOLICITEDSTATUS INVALID_REQUEST        closes
//     no Kinetic message, no authType
//   authentication by PIN                  UNSOLICITEDSTATUS INVALID_REQUEST        goes on
//   unknown identity                       UNSOLICITEDSTATUS HMAC_FAILURE           goes on
//   wrong HMAC of a known identity         HMAC_FAILURE, signed for the identity    goes on
//   no command, or one without header      HEADER_REQUIRED                          goes on
//   another cluster version                VERSION_FAILURE, with the server's       goes on
//   another connectionID                   INVALID_REQUEST                          goes on
//   no request's message type              INVALID_REQUEST                          goes on
//   a sequence not above the last          INVALID_REQUEST                          goes on
//   value above the limit                  INVALID_REQUEST                          goes on
//
// Every answer acknowledges the request's sequence if the request has one. The rows are checked
// from top to bottom. The specification leaves most of them open; the simulator and kineticd
// disagree on several (docs: see the table of tests/server/vector_replay_test.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "kinetic/codec.h"
#include "server/key_ring.h"
#include "server/limits.h"
#include "server/log_request.h"
#include "server/outbox.h"
#include "server/request_handler.h"
#include "server/request_reader.h"
#include "server/service_time.h"

namespace kbench::server {

// What all conversations of a server share; borrowed, used by one thread.
struct Desk {
  const Limits* limits = nullptr;
  const KeyRing* keys = nullptr;
  RequestHandler* handler = nullptr;
  LogRequests* logs = nullptr;
  ServiceTime* service = nullptr;
  int64_t cluster_version = 0;
  kinetic::Encoder encoder;
  kinetic::Decoder decoder;
  kinetic::Command response;  // kept for its capacity
};

class Conversation {
 public:
  // The unsolicited status that opens every connection is in the outbox at once.
  Conversation(int64_t connection_id, Desk* desk);

  struct Step {
    enum class Kind {
      kMore,      // *in was used up; no request was complete
      kAnswered,  // one answer is in the outbox
      kClosing,   // the last answer is in the outbox: send it and close
    };
    Kind kind = Kind::kMore;
    Nanos service;  // what this request is to take beyond its own cost
  };
  // Takes bytes from the front of *in up to the end of one request at most, and answers it.
  Step Consume(Bytes* in);

  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }
  RequestReader& reader() { return reader_; }
  bool closing() const { return closing_; }

 private:
  Step Answer();
  // Checks a request whose signature is good; empty when the handler may have it.
  std::string Objection(const kinetic::Command& request, kinetic::StatusCode* code) const;
  void Unsolicited(kinetic::StatusCode code, absl::string_view why,
                   const kinetic::Command* request);
  Step Close(absl::string_view why);
  kinetic::Command* NewResponse(const kinetic::Command* request);
  void Post(const kinetic::Signature& signature, Payload payload,
            std::optional<uint64_t> recorded_sequence);

  int64_t connection_id_;
  Desk* desk_;
  RequestReader reader_;
  Outbox outbox_;
  std::optional<uint64_t> last_sequence_;
  bool closing_ = false;
};

}  // namespace kbench::server
