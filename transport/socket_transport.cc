#include "transport/socket_transport.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {

SocketTransport::SocketTransport(const TransportOptions& options)
    : flows_(options), blocking_receive_(options.deadline_slack > Nanos(0)) {
  watched_.reserve(options.flows_max);
}

absl::StatusOr<FlowId> SocketTransport::Connect(const SocketAddress& peer, Nanos timeout) {
  ASSIGN_OR_RETURN(const FlowId id, flows_.Connect(peer, timeout));
  RETURN_IF_ERROR(LimitReceives(id));
  watched_.push_back({.fd = flows_.flow(id).fd.get(), .events = POLLIN, .revents = 0});
  return id;
}

absl::Status SocketTransport::Reopen(FlowId id, const SocketAddress& peer, Nanos timeout) {
  RETURN_IF_ERROR(flows_.Reopen(id, peer, timeout));
  return LimitReceives(id);
}

absl::Status SocketTransport::LimitReceives(FlowId id) {
  if (!blocking_receive_) return absl::OkStatus();
  const int64_t slack_us = std::max<int64_t>(flows_.options().deadline_slack.count() / 1'000, 1);
  const timeval limit = {.tv_sec = slack_us / 1'000'000, .tv_usec = slack_us % 1'000'000};
  if (setsockopt(flows_.flow(id).fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  flows_.Close(id);
  return absl::InternalError(absl::StrCat("the kernel refuses SO_RCVTIMEO: ", strerror(error)));
}

std::span<const TransportEvent> SocketTransport::Poll(MonoTime deadline) {
  flows_.BeginPoll();
  flows_.FlushQueued();
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

void SocketTransport::Look(MonoTime now, MonoTime deadline, bool sleep) {
  if (flows_.options().flows_max == 1 && flows_.open_count() == 1 &&
      !flows_.flow(FlowId(0)).blocked) {
    LookAtOne(FlowId(0), now, deadline, sleep);
  } else {
    LookAtMany(now, deadline, sleep);
  }
}

void SocketTransport::LookAtOne(FlowId id, MonoTime now, MonoTime deadline, bool sleep) {
  if (sleep && !(blocking_receive_ && expecting_)) {
    LookAtMany(now, deadline, sleep);
    return;
  }
  // A wait that the kernel interrupts goes on, and began when it began.
  do {
    flows_.counters().waits += sleep;
    const SocketFlows::Came came = flows_.Receive(id, sleep ? 0 : MSG_DONTWAIT, now, MonoTime());
    if (came == SocketFlows::Came::kSomething) expecting_ = false;
    if (came != SocketFlows::Came::kInterrupted) return;
  } while (MonoNow() < deadline);
}

void SocketTransport::LookAtMany(MonoTime now, MonoTime deadline, bool sleep) {
  for (uint32_t i = 0; i < flows_.count(); ++i) {
    const SocketFlows::Flow& flow = flows_.flow(FlowId(i));
    watched_[i].fd = flow.open() ? flow.fd.get() : -1;
    watched_[i].events = flow.blocked ? POLLIN | POLLOUT : POLLIN;
  }
  int ready = 0;
  MonoTime woke = now;
  do {
    const timespec limit = ToTimespec(sleep ? std::max(deadline - woke, Nanos(0)) : Nanos(0));
    ++flows_.counters().system_calls;
    flows_.counters().waits += sleep;
    ready = ppoll(watched_.data(), watched_.size(), &limit, nullptr);
    const int error = ready < 0 ? errno : 0;
    woke = MonoNow();
    if (error != EINTR) break;
  } while (woke < deadline);
  const auto count = static_cast<uint32_t>(watched_.size());
  const uint32_t first = first_looked_at_;
  bool turned_away = false;
  for (uint32_t n = 0; n < count && ready > 0; ++n) {
    const uint32_t i = first + n < count ? first + n : first + n - count;
    const short what = watched_[i].revents;
    if (what == 0) continue;
    --ready;
    const FlowId id = FlowId(i);
    if ((what & POLLERR) != 0) flows_.Drain(&flows_.flow(id));
    if ((what & POLLOUT) != 0) flows_.Flush(id);
    if ((what & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    if (flows_.has_room()) {
      flows_.Receive(id, MSG_DONTWAIT, now, woke);
    } else if (!turned_away) {
      turned_away = true;
      first_looked_at_ = i;
    }
  }
}

FactList SocketTransport::facts() const {
  FactList facts = {{"transport", "socket"}};
  for (auto& fact : flows_.facts()) facts.push_back(std::move(fact));
  const bool plain = blocking_receive_ && flows_.options().flows_max == 1;
  facts.emplace_back(
      "wait", plain ? absl::StrCat("recv, back after ",
                                   flows_.options().deadline_slack.count() / 1'000'000, " ms")
                    : "ppoll, then recv on each ready flow");
  return facts;
}

}  // namespace kbench
