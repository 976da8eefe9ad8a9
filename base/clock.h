// Clocks are types. An instant belongs to exactly one clock, and only instants of the same clock
// subtract: a stamp of the server's host minus a stamp of the client's host does not compile.
//
//   MonoTime    this host's CLOCK_MONOTONIC   durations, pacing, user-space stamps
//   RealTime    this host's CLOCK_REALTIME    the kernel's socket stamps; becomes MonoTime only
//                                             through a recorded ClockPair
//   ServerTime  the server host's clock       residence, and nothing else
#pragma once

#include <time.h>

#include <compare>
#include <cstdint>

namespace kbench {

// A signed length of time in integer nanoseconds.
class Nanos {
 public:
  constexpr Nanos() = default;
  constexpr explicit Nanos(int64_t count) : count_(count) {}
  constexpr int64_t count() const { return count_; }
  constexpr double micros() const { return static_cast<double>(count_) / 1e3; }
  constexpr double seconds() const { return static_cast<double>(count_) / 1e9; }

  constexpr auto operator<=>(const Nanos&) const = default;
  constexpr Nanos operator-() const { return Nanos(-count_); }
  constexpr Nanos& operator+=(Nanos other) { return count_ += other.count_, *this; }
  constexpr Nanos& operator-=(Nanos other) { return count_ -= other.count_, *this; }
  friend constexpr Nanos operator+(Nanos a, Nanos b) { return Nanos(a.count_ + b.count_); }
  friend constexpr Nanos operator-(Nanos a, Nanos b) { return Nanos(a.count_ - b.count_); }
  friend constexpr Nanos operator*(Nanos a, int64_t n) { return Nanos(a.count_ * n); }
  friend constexpr Nanos operator/(Nanos a, int64_t n) { return Nanos(a.count_ / n); }

 private:
  int64_t count_ = 0;
};

constexpr Nanos Micros(int64_t n) { return Nanos(n * 1'000); }
constexpr Nanos Millis(int64_t n) { return Nanos(n * 1'000'000); }
constexpr Nanos Seconds(int64_t n) { return Nanos(n * 1'000'000'000); }

// An instant of the clock `Clock`, in nanoseconds since that clock's epoch. Zero means "no stamp".
template <typename Clock>
class Instant {
 public:
  constexpr Instant() = default;
  constexpr explicit Instant(int64_t ns) : ns_(ns) {}
  constexpr int64_t ns() const { return ns_; }
  constexpr bool is_set() const { return ns_ != 0; }

  constexpr auto operator<=>(const Instant&) const = default;
  friend constexpr Instant operator+(Instant t, Nanos d) { return Instant(t.ns_ + d.count()); }
  friend constexpr Instant operator-(Instant t, Nanos d) { return Instant(t.ns_ - d.count()); }
  friend constexpr Nanos operator-(Instant a, Instant b) { return Nanos(a.ns_ - b.ns_); }

 private:
  int64_t ns_ = 0;
};

struct MonotonicClock {};
struct RealtimeClock {};
struct ServerHostClock {};

using MonoTime = Instant<MonotonicClock>;
using RealTime = Instant<RealtimeClock>;
using ServerTime = Instant<ServerHostClock>;

inline int64_t ReadClockNs(clockid_t id) {
  timespec ts;
  clock_gettime(id, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

inline MonoTime MonoNow() { return MonoTime(ReadClockNs(CLOCK_MONOTONIC)); }
inline RealTime RealNow() { return RealTime(ReadClockNs(CLOCK_REALTIME)); }

inline constexpr timespec ToTimespec(Nanos d) {
  return timespec{.tv_sec = d.count() / 1'000'000'000, .tv_nsec = d.count() % 1'000'000'000};
}

// Both clocks read together: what turns a kernel stamp into agent time. `error` bounds the
// distance between the two reads.
struct ClockPair {
  MonoTime mono;
  RealTime real;
  Nanos error;

  MonoTime ToMono(RealTime t) const { return mono + (t - real); }
};

// Takes the tightest of a few back-to-back reads (mono, real, mono). About 1 us.
ClockPair ReadClockPair();

}  // namespace kbench
