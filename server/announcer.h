// Discovery: tells the network every five seconds that this server is there, as Kinetic devices do:
// a JSON text by UDP multicast to 239.1.2.3:8123. Off unless it is asked for.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "kinetic/types.h"

namespace kbench::server {

class Announcer {
 public:
  static constexpr Nanos kInterval = Seconds(5);

  // Sends from the interface that `from` belongs to, one hop far.
  static absl::StatusOr<std::unique_ptr<Announcer>> Open(const HostPort& group,
                                                         const SocketAddress& from);

  MonoTime next() const { return next_; }
  // Sends, whatever next() says; what cannot be sent is lost, and comes again in five seconds.
  void Announce(const kinetic::GetLog::Configuration& configuration);

 private:
  Announcer(Fd fd, SocketAddress group) : fd_(std::move(fd)), group_(group) {}

  Fd fd_;
  SocketAddress group_;
  MonoTime next_ = MonoNow();
};

// What is sent.
std::string AnnouncementOf(const kinetic::GetLog::Configuration& configuration);

}  // namespace kbench::server
