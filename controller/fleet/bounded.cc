#include "controller/fleet/bounded.h"

#include <algorithm>
#include <chrono>
#include <future>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

constexpr Nanos kSlice = Millis(20);

}  // namespace

absl::Status RunBounded(absl::string_view what, Nanos timeout, const Interrupts* interrupts,
                        const std::function<absl::Status()>& step,
                        const std::function<void()>& cancel) {
  std::future<absl::Status> done = std::async(std::launch::async, step);
  const MonoTime deadline = MonoNow() + timeout;
  absl::Status why;
  while (why.ok()) {
    const Nanos left = deadline - MonoNow();
    const Nanos slice = std::clamp(left, Nanos(0), kSlice);
    if (done.wait_for(std::chrono::nanoseconds(slice.count())) == std::future_status::ready) {
      return done.get();
    }
    if (interrupts->stop()) {
      why = absl::CancelledError(absl::StrCat(what, " was interrupted"));
    } else if (left <= Nanos(0)) {
      why = absl::DeadlineExceededError(
          absl::StrCat(what, " did not end within ", timeout.seconds(), " s"));
    }
  }
  cancel();
  done.wait();
  return why;
}

}  // namespace kbench
