// Preloaded into a program, it steps that program's CLOCK_REALTIME: by the nanoseconds that stand,
// as an int64, in the file that KBENCH_STEPPED_CLOCK names, at once when they change. One host on
// one machine cannot have a clock of its own (Linux has no namespace for it).

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

const std::atomic<int64_t>* MapStep() {
  const char* path = getenv("KBENCH_STEPPED_CLOCK");
  const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) abort();
  void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) abort();
  return static_cast<const std::atomic<int64_t>*>(mapped);
}

int Stepped(clockid_t clock, timespec* time) {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  static const std::atomic<int64_t>* const step = MapStep();
  const int result = real(clock, time);
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t now = time->tv_sec * kSecond + time->tv_nsec + step->load();
  time->tv_sec = now / kSecond;
  time->tv_nsec = now % kSecond;
  return 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) { return Stepped(clock, time); }

int gettimeofday(timeval* time, void* /*zone*/) {
  timespec now = {};
  if (Stepped(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* to) {
  timespec now = {};
  if (Stepped(CLOCK_REALTIME, &now) != 0) return -1;
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}
}
