// One connection's side of the protocol, bytes in and bytes out: handshake, signatures, cluster
// version, connectionID and sequence. It knows no socket.
//
// This is the dialect kbench; docs/protocol.md has the others beside it (Dialect).
//
//   input problem                          answer                                   and then
//   bad magic, length above the limits,    UNSOLICITEDSTATUS INVALID_REQUEST        closes
//     no Kinetic message, no authType
//   unknown identity                       UNSOLICITEDSTATUS HMAC_FAILURE           closes
//   wrong HMAC of a known identity         HMAC_FAILURE, signed for the identity    goes on
//   no command, or one without header      HEADER_REQUIRED                          goes on
//   another cluster version                VERSION_FAILURE, with the server's       goes on
//   another connectionID                   INVALID_REQUEST                          goes on
//   no request's message type              INVALID_REQUEST                          goes on
//   a sequence not above the last          INVALID_REQUEST                          goes on
//   locked, hibernating or shut down       DEVICE_LOCKED, HIBERNATE, SHUTDOWN       goes on
//   priority above the identity's          NOT_AUTHORIZED                           goes on
//   its timeout has passed                 EXPIRED                                  goes on
//   more unanswered than the limits        SERVICE_BUSY                             goes on
//   value above the limit                  INVALID_REQUEST                          goes on
//   change of a batch that is not open     UNSOLICITEDSTATUS INVALID_BATCH          closes
//
// The rows are checked from top to bottom. Every answer acknowledges the request's sequence if the
// request has one. A status that ends the connection has an empty header: kinetic-c takes one with
// a connectionID for a new handshake. docs/protocol.md says where known servers differ.
//
// A PIN operation is authenticated by its PIN alone: neither signature nor cluster version are
// looked at, and its answer is not signed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "kinetic/codec.h"
#include "server/batch_book.h"
#include "server/device.h"
#include "server/dialect.h"
#include "server/limits.h"
#include "server/log_request.h"
#include "server/outbox.h"
#include "server/request_handler.h"
#include "server/request_reader.h"
#include "server/service_time.h"
#include "server/task.h"

namespace kbench::server {

// What all conversations of a server share; borrowed, used by one thread.
struct Desk {
  const Limits* limits = nullptr;
  const Dialect* dialect = &KbenchDialect();
  Device* device = nullptr;
  RequestHandler* handler = nullptr;
  LogRequests* logs = nullptr;
  ServiceTime* service = nullptr;
  OpCounters* counters = nullptr;  // null: latencies and whole messages are not counted
  kinetic::Encoder encoder;
  kinetic::Decoder decoder;
  kinetic::Command response;  // kept for its capacity
};

class Conversation {
 public:
  // The unsolicited status that opens every connection is in the outbox at once.
  Conversation(int64_t connection_id, bool tls, Desk* desk);

  struct Step {
    enum class Kind {
      kMore,        // *in was used up; no request was complete
      kAnswered,    // one answer is in the outbox
      kUnanswered,  // a request was taken that is not answered
      kPending,     // the answer takes a Task: see task()
      kClosing,     // the last answer is in the outbox: send it and close
    };
    Kind kind = Kind::kMore;
    Nanos service;  // what this request is to take beyond its own cost
  };
  // Takes bytes from the front of *in up to the end of one request at most. `came`: when these
  // bytes were received. Must not be called while a task is pending.
  Step Consume(Bytes* in, RealTime came);

  // Null when nothing is pending.
  Task* task() const { return task_.get(); }
  // The pending task has finished: its answer goes into the outbox.
  Step EndTask();

  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }
  RequestReader& reader() { return reader_; }
  bool closing() const { return closing_; }

 private:
  Step Answer(RealTime came);
  Step AnswerPin(const kinetic::Message& message);
  Step RefuseStranger(const kinetic::Message& message);
  bool Vouched(const kinetic::Message& message) const;
  // Checks a request whose signature is good; nothing when the handler may have it. *service is cut
  // down to what the request's timeout leaves.
  Objection Check(const kinetic::Command& request, const Identity& identity, RealTime came,
                  Nanos* service) const;
  Objection CheckHeader(const kinetic::Command& request) const;
  Objection CheckSequence(const kinetic::Header& header) const;
  Objection CheckState(kinetic::MessageType type) const;
  // Does a request whose sender and header are as they must be.
  Step Do(const kinetic::Message& message, std::shared_ptr<const Identity> identity,
          const kinetic::Signature& signature, Nanos service);
  // Whether an answer with this status is the connection's last word instead.
  bool Ends(kinetic::StatusCode code, std::optional<kinetic::MessageType> request) const;
  // `of_request`: the last word names the sequence and type of the answer in desk_->response, where
  // the dialect's last words do.
  Step Close(kinetic::StatusCode code, absl::string_view why, bool of_request = false);
  Step CloseSilently();
  Step RefuseFrame(absl::string_view why);
  Step Refuse(const kinetic::Signature& signature, const Refusal& refusal, Nanos service = {});
  kinetic::Command* NewResponse(const kinetic::Command* request);

  // What the answer to a request needs to know of it.
  struct Asked {
    kinetic::Header header;  // of the answer
    kinetic::Signature signature;
    std::shared_ptr<const Identity> identity;
    kinetic::MessageType type = kinetic::MessageType::kInvalid;
    uint64_t sequence = 0;
    uint64_t message_size = 0;
    bool durable_later = false;  // its SUCCESS may be held back (Dialect::write_hold)
    bool flushes = false;        // and lets what is held back go
    Nanos service;
  };
  // The answer is in desk_->response: sends it, or ends the connection with it.
  Step Post(const Asked& asked, Payload payload, Ending ending);
  void Append(const kinetic::Signature& signature, Payload payload, Outbox::Kind kind,
              std::optional<uint64_t> recorded_sequence);

  int64_t connection_id_;
  bool tls_;
  Desk* desk_;
  RequestReader reader_;
  Outbox outbox_;
  BatchBook batches_;
  std::unique_ptr<Task> task_;
  Asked pending_;
  std::optional<uint64_t> last_sequence_;
  bool closing_ = false;
};

}  // namespace kbench::server
