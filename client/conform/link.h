// One connection of a conformance test: bytes out, as wrong as a test wants them, and whole PDUs
// in. Every wait ends at a deadline.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/tls.h"
#include "client/stream.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench::conform {

struct Heard {
  enum class Kind {
    kPdu,
    kClosed,     // the connection has ended
    kSilent,     // nothing whole came until the deadline
    kNoKinetic,  // what came is no Kinetic; nothing after it can be read
  };
  Kind kind = Kind::kSilent;
  std::string why;                        // kClosed, kNoKinetic
  std::shared_ptr<kinetic::Decoder> pdu;  // kPdu
  std::string value;                      // kPdu
};

class Link {
 public:
  // `tls` may be null, and is needed during the call only.
  static absl::StatusOr<std::unique_ptr<Link>> Open(const SocketAddress& server,
                                                    const std::string& server_name,
                                                    const TlsContext* tls, MonoTime deadline);

  // `piece` bytes at a time; 0: all at once. False: the connection has ended, or takes nothing.
  bool Send(absl::string_view bytes, size_t piece, MonoTime deadline);
  Heard Receive(MonoTime deadline);

 private:
  explicit Link(std::unique_ptr<client::Stream> stream);

  std::unique_ptr<client::Stream> stream_;
  kinetic::FrameReader frames_;
  std::vector<uint8_t> buffer_;
  Bytes unread_;
};

}  // namespace kbench::conform
