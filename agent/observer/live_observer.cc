#include "agent/observer/live_observer.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::observer {
namespace {

// How long packets may still come that were on their way when the end was asked for: their block
// is handed over after kRetire, by a timer of the kernel that may be some ticks late.
constexpr Nanos kLastBlocks = PacketRing::kRetire + Millis(30);

int MillisUntil(MonoTime end) {
  return static_cast<int>(std::max<int64_t>((end - MonoNow()).count() / 1'000'000 + 1, 0));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketObserver>> PacketObserver::Start(const Options& options) {
  return LiveObserver::Start(options, nullptr);
}

LiveObserver::LiveObserver(const Options& options, Seen seen)
    : analysis_({.port = options.port,
                 .view = options.view,
                 .records_max = options.records_max,
                 .await_window = options.await_window}),
      seen_(std::move(seen)) {}

absl::StatusOr<std::unique_ptr<LiveObserver>> LiveObserver::Start(const Options& options,
                                                                  Seen seen) {
  if (options.port == 0) return absl::InvalidArgumentError("an observer needs the server's port");
  std::unique_ptr<LiveObserver> observer(new LiveObserver(options, std::move(seen)));
  observer->stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!observer->stop_.valid()) {
    return absl::UnavailableError(absl::StrCat("eventfd: ", std::strerror(errno)));
  }
  ASSIGN_OR_RETURN(observer->ring_, PacketRing::Open({.port = options.port, .view = options.view}));
  observer->clocks_ = ReadClockPair();
  observer->thread_ = std::thread([raw = observer.get()] { raw->Watch(); });
  return observer;
}

LiveObserver::~LiveObserver() { StopWatching(); }

void LiveObserver::StopWatching() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void LiveObserver::Watch() {
  pthread_setname_np(pthread_self(), "kbench-observe");
  const auto take = [this](const Packet& packet) {
    if (analysis_.Take(packet) && seen_ != nullptr) seen_(packet);
  };
  bool stopping = false;
  for (MonoTime end; !stopping || MonoNow() < end;) {
    if (window_changed_.exchange(false)) {
      const auto [from, until] = *Window();
      analysis_.SetWindow(from, until);
    }
    if (ring_->Drain(take)) continue;
    pollfd fds[] = {{.fd = ring_->fd(), .events = POLLIN},
                    {.fd = stopping ? -1 : stop_.get(), .events = POLLIN}};
    poll(fds, 2, stopping ? MillisUntil(end) : -1);
    if (!stopping && fds[1].revents != 0) {
      stopping = true;
      end = MonoNow() + kLastBlocks;
    }
    // An interface that goes down is reported once, and is no end.
    if ((fds[0].revents & POLLERR) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(ring_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  // Whoever was kept from its CPU until past the end has not seen what was handed over meanwhile.
  ring_->Drain(take);
  thread_cpu_ = Nanos(ReadClockNs(CLOCK_THREAD_CPUTIME_ID));
}

void LiveObserver::SetWindow(MonoTime from, MonoTime until) {
  {
    MutexLock lock(&mutex_);
    window_ = std::pair(from, until);
  }
  window_changed_ = true;
}

std::optional<std::pair<RealTime, RealTime>> LiveObserver::Window() {
  MutexLock lock(&mutex_);
  if (!window_.has_value()) return std::nullopt;
  const auto real = [&](MonoTime t) { return clocks_.real + (t - clocks_.mono); };
  // What was not observed is not part of a window.
  return std::pair(real(std::max(window_->first, clocks_.mono)), real(window_->second));
}

WireObservation LiveObserver::Finish(
    const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted) {
  const MonoTime end = MonoNow();
  StopWatching();
  const ClockPair after = ReadClockPair();
  std::optional<std::pair<RealTime, RealTime>> window = Window();
  if (window) window->second = std::min(window->second, clocks_.real + (end - clocks_.mono));
  WireObservation observation = analysis_.Conclude(window, wanted);
  observation.counters.ring_drops = ring_->Drops();
  observation.clock_step = (after.real - clocks_.real) - (after.mono - clocks_.mono);
  observation.clocks = clocks_;
  return observation;
}

}  // namespace kbench::observer
