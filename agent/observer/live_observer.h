// The PacketObserver that watches this host: a ring, an analysis, and the thread that carries
// packets from one to the other.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "agent/observer/analysis.h"
#include "agent/observer/packet_observer.h"
#include "agent/observer/packet_ring.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace kbench::observer {

class LiveObserver : public PacketObserver {
 public:
  // `seen`, when there is one, gets every packet that the analysis took, on the observer's thread.
  using Seen = std::function<void(const Packet&)>;
  static absl::StatusOr<std::unique_ptr<LiveObserver>> Start(const Options& options, Seen seen);
  ~LiveObserver() override;

  void SetWindow(MonoTime from, MonoTime until) override;
  WireObservation Finish(
      const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted) override;

  // CPU that the observer's thread used; after Finish().
  Nanos thread_cpu() const { return thread_cpu_; }

 private:
  LiveObserver(const Options& options, Seen seen);
  void Watch();
  // As set, on the packets' clock.
  std::optional<std::pair<RealTime, RealTime>> Window();
  void StopWatching();

  Analysis analysis_;  // of the thread, until it has ended
  Seen seen_;
  std::unique_ptr<PacketRing> ring_;
  Fd stop_;  // an eventfd
  ClockPair clocks_;
  Nanos thread_cpu_;
  Mutex mutex_;
  std::optional<std::pair<MonoTime, MonoTime>> window_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> window_changed_{false};  // and the analysis does not know yet
  std::thread thread_;
};

}  // namespace kbench::observer
