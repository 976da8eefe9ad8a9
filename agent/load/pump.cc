#include "agent/load/pump.h"

#include <algorithm>

namespace kbench {
namespace {

// Sleeping timers are tens of microseconds late: the rest of the way is spent looking.
constexpr Nanos kSpin = Micros(50);

}  // namespace

Pump::Pump(const Options& options, Transport* transport,
           const std::vector<std::unique_ptr<Session>>* sessions)
    : options_(options), transport_(transport), sessions_(*sessions) {
  due_.reserve(sessions_.size());
}

void Pump::Run(const Stage& stage) {
  bool started = false, measuring = false, ended = false;
  size_t done = 0;
  uint32_t lost_told = lost_flows_;
  due_.clear();
  MonoTime now = options_.now();
  next_tick_ = now + kTick;
  while (true) {
    const MonoTime end(stage.end_ns->load(std::memory_order_relaxed));
    if (!measuring && now >= stage.measure_from && now < end) {
      measuring = true;
      if (stage.on_measure) stage.on_measure();
    }
    if (!started && (now >= stage.start || now >= end)) {
      started = true;
      for (uint32_t i = 0; i < sessions_.size(); ++i) {
        sessions_[i]->Issue(now, end);
        const MonoTime next = sessions_[i]->NextDue(end);
        if (next != kNever) due_.push_back({next, i});
      }
      std::make_heap(due_.begin(), due_.end());
    }
    IssueDue(now, end);
    if (!ended && now >= end) {
      ended = true;
      if (stage.on_end) stage.on_end();
    }
    while (started && done < sessions_.size() && sessions_[done]->Done(now, end)) ++done;
    if (done == sessions_.size()) break;

    MonoTime next = std::min(next_tick_, std::max(end, now + Nanos(1)));
    if (now >= end) next = next_tick_;
    MonoTime due = due_.empty() ? kNever : due_.front().due;
    if (!started) due = std::min(due, stage.start);
    if (due <= next) {
      const bool near = options_.poll == PollMode::kBlock && due - now <= kSpin;
      next = options_.poll == PollMode::kSpin ? due : near ? now : due - kSpin;
    }
    Dispatch(next, started, end);
    now = options_.now();
    if (now >= next_tick_) {
      next_tick_ = now + kTick;
      if (stage.on_tick && now < end) stage.on_tick(now);
      for (const auto& session : sessions_) {
        session->Expire(now);
        if (started) session->Issue(now, end);
      }
    }
    if (stage.progress != nullptr) Publish(stage);
    if (lost_flows_ != lost_told) {
      lost_told = lost_flows_;
      if (stage.on_lost) stage.on_lost();
    }
  }
  for (const auto& session : sessions_) session->Finish();
  if (!ended && stage.on_end) stage.on_end();
  if (stage.progress != nullptr) Publish(stage);
}

void Pump::IssueDue(MonoTime now, MonoTime end) {
  while (!due_.empty() && due_.front().due <= now) {
    std::pop_heap(due_.begin(), due_.end());
    DueEntry& entry = due_.back();
    Session& session = *sessions_[entry.session];
    session.Issue(now, end);
    entry.due = session.NextDue(end);
    if (entry.due == kNever) {
      due_.pop_back();
    } else {
      std::push_heap(due_.begin(), due_.end());
    }
  }
}

void Pump::Dispatch(MonoTime deadline, bool started, MonoTime end) {
  for (const TransportEvent& event : transport_->Poll(deadline)) {
    Session& session = *sessions_[Index(event.flow)];
    const bool open = !session.closed();
    session.Take(event);
    if (open && session.closed()) ++lost_flows_;
    // In an open loop an answer makes nothing due; a closed loop goes on at once.
    if (started && event.kind == TransportEvent::Kind::kReceived) session.IssueFreed(end);
  }
}

void Pump::AwaitHandshakes(MonoTime deadline, const std::atomic<bool>& stop) {
  const auto settled = [](const auto& session) {
    return session->ready() || session->closed() || session->findings().unsolicited > 0;
  };
  size_t known = 0;
  for (MonoTime now = options_.now(); now < deadline && !stop.load(); now = options_.now()) {
    while (known < sessions_.size() && settled(sessions_[known])) ++known;
    if (known == sessions_.size()) return;
    for (const TransportEvent& event : transport_->Poll(std::min(deadline, now + kTick))) {
      sessions_[Index(event.flow)]->Take(event);
    }
  }
}

void Pump::Publish(const Stage& stage) const {
  const ProgressCounts& p = stage.recorder->progress();
  stage.progress->completed.store(p.completed, std::memory_order_relaxed);
  stage.progress->failed.store(p.failed, std::memory_order_relaxed);
  stage.progress->due.store(p.due, std::memory_order_relaxed);
  stage.progress->request_bytes.store(p.request_bytes, std::memory_order_relaxed);
  stage.progress->response_bytes.store(p.response_bytes, std::memory_order_relaxed);
}

}  // namespace kbench
