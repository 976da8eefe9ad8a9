// A plain, blocking Kinetic client for the few requests that are not load: one connection, one
// request at a time, every wait bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench {

class KineticCall {
 public:
  struct Answer {
    kinetic::StatusCode status = kinetic::StatusCode::kInvalid;
    std::string text;  // the server's own words
    std::string value;
  };

  // Connects and takes the handshake, all within `timeout`, which bounds each Call(), too.
  static absl::StatusOr<std::unique_ptr<KineticCall>> Connect(const SocketAddress& server,
                                                              int64_t identity,
                                                              absl::string_view hmac_key,
                                                              Nanos timeout);

  // Sends one request and waits for its answer. The command's connectionID, clusterVersion and
  // sequence are filled in. An answer that is not SUCCESS is an Answer; an error means that there
  // is none: the time-out passed, the connection ended, or the HMAC is wrong.
  absl::StatusOr<Answer> Call(kinetic::Command command);

 private:
  KineticCall(int64_t identity, absl::string_view hmac_key, Nanos timeout);

  absl::Status WaitFor(short events, MonoTime deadline);
  absl::Status ReadPdu(MonoTime deadline);
  absl::Status Write(absl::string_view bytes, MonoTime deadline);

  Fd fd_;
  int64_t identity_;
  kinetic::HmacKey key_;
  Nanos timeout_;
  kinetic::Encoder encoder_;
  kinetic::Decoder decoder_;
  kinetic::FrameReader frames_;
  std::string received_;  // what the last read gave
  Bytes unread_;          // of it
  int64_t connection_id_ = 0;
  int64_t cluster_version_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace kbench
