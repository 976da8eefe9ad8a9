#include "agent/load/resource_use.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"

namespace kbench {
namespace {

Nanos FromTimeval(const timeval& t) { return Seconds(t.tv_sec) + Micros(t.tv_usec); }

// /proc/thread-self/schedstat: time on CPU, time waiting for one (both ns), number of turns.
Nanos ReadRunQueueWait() {
  const Fd fd(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  char text[128];
  const ssize_t size = fd.valid() ? ::read(fd.get(), text, sizeof(text) - 1) : 0;
  if (size <= 0) return Nanos();
  text[size] = '\0';
  char* rest = nullptr;
  std::strtoll(text, &rest, 10);
  return Nanos(std::strtoll(rest, nullptr, 10));
}

}  // namespace

void ThreadUse::Add(const ThreadUse& other) {
  user += other.user;
  system += other.system;
  run_queue_wait += other.run_queue_wait;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
}

ThreadUse ThreadUse::Since(const ThreadUse& earlier) const {
  return {.user = user - earlier.user,
          .system = system - earlier.system,
          .run_queue_wait = run_queue_wait - earlier.run_queue_wait,
          .voluntary_switches = voluntary_switches - earlier.voluntary_switches,
          .involuntary_switches = involuntary_switches - earlier.involuntary_switches};
}

ThreadUse ReadThreadUse() {
  rusage usage = {};
  getrusage(RUSAGE_THREAD, &usage);
  const Nanos cpu(ReadClockNs(CLOCK_THREAD_CPUTIME_ID));
  const Nanos user = std::min(FromTimeval(usage.ru_utime), cpu);
  return {.user = user,
          .system = cpu - user,
          .run_queue_wait = ReadRunQueueWait(),
          .voluntary_switches = static_cast<uint64_t>(usage.ru_nvcsw),
          .involuntary_switches = static_cast<uint64_t>(usage.ru_nivcsw)};
}

}  // namespace kbench
