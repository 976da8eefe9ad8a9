#include "transport/epoll_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {

absl::StatusOr<std::unique_ptr<Transport>> EpollTransport::Make(const TransportOptions& options) {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) {
    return absl::UnavailableError(
        absl::StrCat("transport epoll: epoll_create1 refused: ", strerror(errno)));
  }
  return std::unique_ptr<Transport>(new EpollTransport(options, std::move(epoll)));
}

EpollTransport::EpollTransport(const TransportOptions& options, Fd epoll)
    : flows_(options),
      epoll_(std::move(epoll)),
      ready_(std::clamp<uint32_t>(options.flows_max, 1, 1024)) {}

absl::StatusOr<FlowId> EpollTransport::Connect(const SocketAddress& peer, Nanos timeout) {
  ASSIGN_OR_RETURN(const FlowId id, flows_.Connect(peer, timeout));
  RETURN_IF_ERROR(Register(id, peer));
  return id;
}

absl::Status EpollTransport::Reopen(FlowId id, const SocketAddress& peer, Nanos timeout) {
  RETURN_IF_ERROR(flows_.Reopen(id, peer, timeout));
  return Register(id, peer);
}

absl::Status EpollTransport::Register(FlowId id, const SocketAddress& peer) {
  epoll_event wanted = {.events = EPOLLIN, .data = {.u32 = Index(id)}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, flows_.flow(id).fd.get(), &wanted) != 0) {
    flows_.Close(id);
    return absl::ResourceExhaustedError(
        absl::StrCat(ToString(peer), ": epoll refuses the flow: ", strerror(errno)));
  }
  return absl::OkStatus();
}

std::span<const TransportEvent> EpollTransport::Poll(MonoTime deadline) {
  flows_.BeginPoll();
  FlushQueued();
  // What was just sent is reported at once, without a look at the receiving side: an answer cannot
  // be there yet. But never twice in a row, or a steady stream of sends would hide the answers.
  if (!flows_.events().empty()) {
    skipped_look_ = !skipped_look_;
    if (!skipped_look_) Look(MonoNow(), deadline, /*sleep=*/false);
    return flows_.events();
  }
  skipped_look_ = false;
  const bool sleep = flows_.options().poll == PollMode::kBlock;
  for (MonoTime now = MonoNow();; now = MonoNow()) {
    Look(now, deadline, sleep && now < deadline);
    if (!flows_.events().empty() || now >= deadline) return flows_.events();
  }
}

void EpollTransport::FlushQueued() {
  flows_.FlushQueued();
  for (FlowId id : flows_.newly_blocked()) Watch(id);
}

void EpollTransport::Watch(FlowId id) {
  const SocketFlows::Flow& flow = flows_.flow(id);
  if (!flow.open()) return;
  epoll_event wanted = {.events = EPOLLIN | (flow.blocked ? EPOLLOUT : 0u),
                        .data = {.u32 = Index(id)}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, flow.fd.get(), &wanted);
  ++flows_.counters().system_calls;
}

void EpollTransport::Look(MonoTime now, MonoTime deadline, bool sleep) {
  int count = 0;
  MonoTime woke = now;
  // A wait that the kernel interrupts goes on, and began when it began.
  do {
    const timespec limit = ToTimespec(sleep ? std::max(deadline - woke, Nanos(0)) : Nanos(0));
    ++flows_.counters().system_calls;
    flows_.counters().waits += sleep;
    count =
        epoll_pwait2(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), &limit, nullptr);
    const int error = count < 0 ? errno : 0;
    woke = MonoNow();
    if (error != EINTR) break;
  } while (woke < deadline);
  int first = 0;
  while (first < count && ready_[first].data.u32 != first_looked_at_) ++first;
  bool turned_away = false;
  for (int n = 0; n < count; ++n) {
    const int i = (first + n) % count;
    const uint32_t what = ready_[i].events;
    const FlowId id = FlowId(ready_[i].data.u32);
    if ((what & EPOLLERR) != 0) flows_.Drain(&flows_.flow(id));
    if ((what & EPOLLOUT) != 0) {
      flows_.Flush(id);
      if (!flows_.flow(id).blocked) Watch(id);
    }
    if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) continue;
    if (flows_.has_room()) {
      flows_.Receive(id, MSG_DONTWAIT, now, woke);
    } else if (!turned_away) {
      turned_away = true;
      first_looked_at_ = Index(id);
    }
  }
}

FactList EpollTransport::facts() const {
  FactList facts = {{"transport", "epoll"}};
  for (auto& fact : flows_.facts()) facts.push_back(std::move(fact));
  facts.emplace_back("wait", "epoll_pwait2, level-triggered");
  return facts;
}

}  // namespace kbench
