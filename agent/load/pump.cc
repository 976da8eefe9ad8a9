#include "agent/load/pump.h"

#include <algorithm>
#include <utility>

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
  Course course = {.now = options_.now(), .lost_told = lost_flows_};
  due_.clear();
  next_tick_ = course.now + kTick;
  while (true) {
    course.end = MonoTime(stage.end_ns->load(std::memory_order_relaxed));
    PassInstants(stage, &course);
    if (course.done == sessions_.size()) break;
    Dispatch(NextInstant(stage, course), course);
    course.now = options_.now();
    if (course.now >= next_tick_) Tick(stage, course);
    if (stage.progress != nullptr) Publish(stage);
    if (std::exchange(course.lost_told, lost_flows_) != lost_flows_ && stage.on_lost) {
      stage.on_lost();
    }
  }
  for (const auto& session : sessions_) session->Finish();
  if (!course.ended && stage.on_end) stage.on_end();
  if (stage.progress != nullptr) Publish(stage);
}

void Pump::PassInstants(const Stage& stage, Course* course) {
  const MonoTime now = course->now, end = course->end;
  if (!course->measuring && now >= stage.measure_from && now < end) {
    course->measuring = true;
    if (stage.on_measure) stage.on_measure();
  }
  if (!course->started && (now >= stage.start || now >= end)) {
    course->started = true;
    for (uint32_t i = 0; i < sessions_.size(); ++i) {
      sessions_[i]->Issue(now, end);
      const MonoTime next = sessions_[i]->NextDue(end);
      if (next != kNever) due_.push_back({next, i});
    }
    std::make_heap(due_.begin(), due_.end());
  }
  IssueDue(now, end);
  if (!course->ended && now >= end) {
    course->ended = true;
    if (stage.on_end) stage.on_end();
  }
  if (!course->started) return;
  while (course->done < sessions_.size() && sessions_[course->done]->Done(now, end)) {
    ++course->done;
  }
}

MonoTime Pump::NextInstant(const Stage& stage, const Course& course) const {
  const MonoTime now = course.now;
  const MonoTime next = now >= course.end ? next_tick_ : std::min(next_tick_, course.end);
  MonoTime due = due_.empty() ? kNever : due_.front().due;
  if (!course.started) due = std::min(due, stage.start);
  if (due > next) return next;
  if (options_.poll == PollMode::kSpin) return due;
  return due - now <= kSpin ? now : due - kSpin;
}

// Of what nobody announces: time-outs, ends of pauses, places of a paced loop.
void Pump::Tick(const Stage& stage, const Course& course) {
  next_tick_ = course.now + kTick;
  if (stage.on_tick && course.now < course.end) stage.on_tick(course.now);
  for (const auto& session : sessions_) {
    session->Expire(course.now);
    if (course.started) session->Issue(course.now, course.end);
  }
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

void Pump::Dispatch(MonoTime deadline, const Course& course) {
  for (const TransportEvent& event : transport_->Poll(deadline)) {
    Session& session = *sessions_[Index(event.flow)];
    const bool open = !session.closed();
    session.Take(event);
    if (open && session.closed()) ++lost_flows_;
    // In an open loop an answer makes nothing due; a closed loop goes on at once.
    const bool answer = event.kind == TransportEvent::Kind::kReceived;
    if (course.started && answer) session.IssueFreed(course.end);
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
