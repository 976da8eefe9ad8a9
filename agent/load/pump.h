// The loop of one worker: send what is due, wait, take what came; until the stage is over.
//
//   stage.start      measure_from                    end
//       | warm-up, unrecorded | recorded ...          | drain: nothing new, answers still count
//
// Simulated time drives it in tests, through `now` and a transport that moves the clock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "agent/load/recorder.h"
#include "agent/load/session.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

// Written by the worker once per turn of its loop, read by the runner for its interval reports.
struct SharedProgress {
  std::atomic<uint64_t> completed = 0;
  std::atomic<uint64_t> failed = 0;
  std::atomic<uint64_t> due = 0;
  std::atomic<uint64_t> request_bytes = 0;
  std::atomic<uint64_t> response_bytes = 0;
};

class Pump {
 public:
  // Time-outs are noticed at ticks, so up to this much late, or twice that where the transport
  // sleeps in recv(); a stop from outside is, too.
  static constexpr Nanos kTick = Millis(10);

  struct Options {
    PollMode poll = PollMode::kBlock;
    NowFunction now = &MonoNow;
  };

  // What a stage is for the loop. Each session has had its own Begin() with the same instants.
  struct Stage {
    MonoTime start;
    MonoTime measure_from;
    const std::atomic<int64_t>* end_ns = nullptr;  // may be lowered from another thread
    const Recorder* recorder = nullptr;
    SharedProgress* progress = nullptr;  // may be null
    std::function<void()> on_measure;    // once, at measure_from; may be empty
    std::function<void()> on_end;        // once, when nothing new is sent any more; may be empty
    std::function<void()> on_lost;       // when a flow is gone; may be empty
    std::function<void(MonoTime now)> on_tick;  // at ticks before the end; may be empty
  };

  // sessions[i] owns flow i. All are borrowed.
  Pump(const Options& options, Transport* transport,
       const std::vector<std::unique_ptr<Session>>* sessions);

  // Runs one stage to its end: every session is done, those unanswered by then have timed out.
  void Run(const Stage& stage);

  // Takes events until every session is ready, refused or closed, or the deadline passes.
  void AwaitHandshakes(MonoTime deadline, const std::atomic<bool>& stop);

 private:
  struct DueEntry {
    MonoTime due;
    uint32_t session;
    bool operator<(const DueEntry& other) const { return due > other.due; }  // a min-heap
  };

  // How far a stage has come.
  struct Course {
    MonoTime now;
    MonoTime end;  // as it stands; from outside it may come nearer
    bool started = false;
    bool measuring = false;
    bool ended = false;      // nothing new is sent
    size_t done = 0;         // sessions, from the first one on
    uint32_t lost_told = 0;  // flows, of lost_flows_
  };

  // What `now` has passed: the window's beginning, the start, instants at which requests are due,
  // the end.
  void PassInstants(const Stage& stage, Course* course);
  // When the loop has something to do if no event comes before.
  MonoTime NextInstant(const Stage& stage, const Course& course) const;
  void Tick(const Stage& stage, const Course& course);
  void Dispatch(MonoTime deadline, const Course& course);
  void IssueDue(MonoTime now, MonoTime end);
  void Publish(const Stage& stage) const;

  Options options_;
  Transport* transport_;
  const std::vector<std::unique_ptr<Session>>& sessions_;
  std::vector<DueEntry> due_;  // open-loop sessions by their next due instant
  MonoTime next_tick_;
  uint32_t lost_flows_ = 0;
};

}  // namespace kbench
