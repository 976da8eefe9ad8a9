// Preloaded into a program, it steps that program's CLOCK_REALTIME: by the nanoseconds that stand,
// as an int64, in the file that KBENCH_STEPPED_CLOCK names, at once when they change. One host on
// one machine cannot have a clock of its own (Linux has no namespace for it). What waits until an
// instant of that clock is told the machine's instant: the kernel knows of no step.

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kSecond = 1'000'000'000;  // ns

const std::atomic<int64_t>* MapStep() {
  const char* path = getenv("KBENCH_STEPPED_CLOCK");
  const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) abort();
  void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) abort();
  return static_cast<const std::atomic<int64_t>*>(mapped);
}

int64_t Step() {
  static const std::atomic<int64_t>* const step = MapStep();
  return step->load();
}

timespec Plus(const timespec& time, int64_t ns) {
  int64_t rest = time.tv_nsec + ns % kSecond;
  int64_t seconds = time.tv_sec + ns / kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  } else if (rest >= kSecond) {
    rest -= kSecond;
    ++seconds;
  }
  return {.tv_sec = seconds, .tv_nsec = rest};
}

// An instant of the stepped clock, as the kernel is to hear it.
timespec Machines(const timespec& time) {
  const timespec machines = Plus(time, -Step());
  return machines.tv_sec < 0 ? timespec{} : machines;
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
  static auto* const next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = Plus(*time, Step());
  }
  return result;
}

int gettimeofday(timeval* time, void* /*zone*/) {
  timespec now = {};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* to) {
  timespec now = {};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  static auto* const next =
      Next<int(clockid_t, int, const timespec*, timespec*)>("clock_nanosleep");
  const timespec machines = Machines(*time);
  const bool instant = clock == CLOCK_REALTIME && (flags & TIMER_ABSTIME) != 0;
  return next(clock, flags, instant ? &machines : time, left);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* time) {
  static auto* const next =
      Next<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  // Of conditions whose clock is another one the instants are small.
  const bool realtime = time->tv_sec > 1'000'000'000;
  const timespec machines = Machines(*time);
  return next(condition, mutex, realtime ? &machines : time);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* time) {
  static auto* const next =
      Next<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
          "pthread_cond_clockwait");
  const timespec machines = Machines(*time);
  return next(condition, mutex, clock, clock == CLOCK_REALTIME ? &machines : time);
}

// Abseil waits on futexes of its own.
long syscall(long number, ...) {
  static auto* const next = Next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const auto* until = reinterpret_cast<const timespec*>(a[3]);
  timespec machines;
  if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) != 0 && until != nullptr) {
    machines = Machines(*until);
    a[3] = reinterpret_cast<long>(&machines);
  }
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
}
