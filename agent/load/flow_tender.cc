#include "agent/load/flow_tender.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/load/pump.h"
#include "agent/load/server_limits.h"

namespace kbench {
namespace {

// The worker's other flows stand still while one is opened again.
constexpr Nanos kLongestReopen = Millis(500);
constexpr Nanos kShortestReopenPause = Pump::kTick;
constexpr Nanos kLongestReopenPause = Seconds(1);

}  // namespace

std::string FlowName(const RunSpec& spec, const Session& session) {
  return absl::StrCat("server ", spec.server.ToString(), ", connection ", session.connection_id());
}

RunControl::Why WhyGone(const Session& session) {
  return session.refused() ? RunControl::Why::kServerRefused : RunControl::Why::kServerLost;
}

FlowTender::FlowTender(const RunSpec* spec, const SocketAddress& server, RunControl* control,
                       Transport* transport, const std::vector<std::unique_ptr<Session>>* sessions)
    : spec_(*spec),
      server_(server),
      control_(control),
      transport_(transport),
      sessions_(*sessions),
      attempts_(sessions->size()) {}

void FlowTender::Tend(MonoTime now) {
  const MonoTime end(control_->end_ns().load());
  const size_t count = sessions_.size();
  for (size_t n = 0; n < count; ++n) {
    const size_t i = (tend_first_ + n) % count;
    Session* session = sessions_[i].get();
    Attempts& attempts = attempts_[i];
    if (session->ready()) attempts.pause = Nanos();
    if (!session->closed() && !session->ready() && now - attempts.opened > spec_.connect_timeout) {
      transport_->Close(session->flow());
      session->GiveUp("opened again, but the server sent no Kinetic handshake");
    }
    if (!session->closed() || now < attempts.next || now < next_attempt_) continue;
    if (attempts.made == spec_.reconnects) return Stop(Refused(i) ? i : RefusedOr(i));
    tend_first_ = i + 1;
    TryReopen(i, std::min({spec_.connect_timeout, kLongestReopen, end - now}));
    return;
  }
}

void FlowTender::Conclude() {
  if (control_->why() != RunControl::Why::kServerLost) return;
  const size_t refused = RefusedOr(sessions_.size());
  if (refused < sessions_.size()) Stop(refused);
}

size_t FlowTender::RefusedOr(size_t otherwise) const {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    if (Refused(i)) return i;
  }
  return otherwise;
}

void FlowTender::Stop(size_t i) {
  const Session& session = *sessions_[i];
  const Attempts& attempts = attempts_[i];
  control_->Stop(Refused(i) ? RunControl::Why::kServerRefused : RunControl::Why::kServerLost,
                 absl::StrCat(FlowName(spec_, session), ": ", session.closed_text(), "; ",
                              attempts.made, " attempts to open it again were made",
                              attempts.failure.empty() ? "" : ", the last failure: ",
                              attempts.failure, TagRemedy(spec_, session.closed_text())));
}

void FlowTender::TryReopen(size_t i, Nanos timeout) {
  Session* session = sessions_[i].get();
  Attempts& attempts = attempts_[i];
  ++attempts.made;
  const MonoTime begun = MonoNow();
  const absl::Status status = transport_->Reopen(session->flow(), server_, timeout);
  attempts.opened = MonoNow();
  const Nanos took = attempts.opened - begun;
  reopening_ += took;
  next_attempt_ = attempts.opened + took;
  attempts.pause = std::clamp(attempts.pause * 2, kShortestReopenPause, kLongestReopenPause);
  attempts.next = attempts.opened + attempts.pause;
  attempts.unreachable = !status.ok();
  if (status.ok()) {
    session->Reopened();
  } else {
    attempts.failure = std::string(status.message());
  }
}

}  // namespace kbench
