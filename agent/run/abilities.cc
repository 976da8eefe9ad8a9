#include "agent/run/abilities.h"

#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/fd.h"
#include "transport/transport.h"

namespace kbench {
namespace {

std::string PacketsProblem() {
  const Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return fd.valid() ? "" : absl::StrCat("a packet socket: ", strerror(errno));
}

std::string StampsProblem() {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int flags =
      SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  if (!fd.valid()) return absl::StrCat("a socket: ", strerror(errno));
  if (setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0) return "";
  return absl::StrCat("SO_TIMESTAMPING: ", strerror(errno));
}

std::string ClockProblem() {
  timex state = {};
  const int result = adjtimex(&state);
  if (result < 0) return strerror(errno);
  return result == TIME_ERROR || (state.status & STA_UNSYNC) != 0
             ? "no time service keeps it (adjtimex says unsynchronised)"
             : "";
}

}  // namespace

Abilities TryAbilities() {
  Abilities abilities{.packets = PacketsProblem(),
                      .kernel_stamps = StampsProblem(),
                      .clock_synchronized = ClockProblem()};
  for (TransportKind kind : {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring,
                             TransportKind::kNull}) {
    const absl::Status made = MakeTransport(kind, {}).status();
    abilities.transports[std::string(Name(kind))] = std::string(made.message());
  }
  rlimit limit = {};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  abilities.locked_memory_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  return abilities;
}

Abilities AbilitiesMemory::Get() {
  MutexLock lock(&mutex_);
  if (!found_ || MonoNow() - at_ > kAbilitiesHold) {
    found_ = TryAbilities();
    at_ = MonoNow();
  }
  return *found_;
}

}  // namespace kbench
