// What the agents say in one run, in the order in which it arrived. The links' reader threads put,
// the dispatcher takes. A wait is cut into slices, so that a signal handler only has to raise a
// flag that the dispatcher looks at between them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "proto/agent.pb.h"

namespace kbench {

struct AgentEvent {
  size_t agent = 0;                          // index within the run
  std::optional<control::RunEvent> message;  // absent: the stream has ended
  absl::Status end;                          // how, when it has
};

class RunInbox {
 public:
  void Put(AgentEvent&& event) {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    arrived_.notify_one();
  }

  // Waits at most `slice`.
  std::optional<AgentEvent> Take(Nanos slice) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, std::chrono::nanoseconds(slice.count()),
                      [this] { return !events_.empty(); });
    if (events_.empty()) return std::nullopt;
    AgentEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<AgentEvent> events_;
};

}  // namespace kbench
