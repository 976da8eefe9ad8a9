// What the agents say in one run, in the order in which it arrived. The links' reader threads put,
// the dispatcher takes. A wait is cut into slices, so that a signal handler only has to raise a
// flag that the dispatcher looks at between them.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
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
      MutexLock lock(&mutex_);
      events_.push_back(std::move(event));
    }
    arrived_.NotifyOne();
  }

  // Waits at most `slice`.
  std::optional<AgentEvent> Take(Nanos slice) {
    const MonoTime end = MonoNow() + slice;
    MutexLock lock(&mutex_);
    while (events_.empty() && arrived_.WaitUntil(&mutex_, end)) {
    }
    if (events_.empty()) return std::nullopt;
    AgentEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  Mutex mutex_;
  CondVar arrived_;
  std::deque<AgentEvent> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kbench
