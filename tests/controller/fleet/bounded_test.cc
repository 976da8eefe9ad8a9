#include "controller/fleet/bounded.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>

namespace kbench {
namespace {

// A step that ends when it is cancelled, and not before.
class Stuck {
 public:
  absl::Status Step() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return cancelled_; });
    return absl::InternalError("of no interest any more");
  }
  void Cancel() {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
};

TEST(Bounded, GivesWhatTheStepGives) {
  const Interrupts none;
  const auto never = [] { FAIL() << "cancelled without need"; };
  EXPECT_TRUE(RunBounded(
                  "it", Seconds(60), &none, [] { return absl::OkStatus(); }, never)
                  .ok());
  EXPECT_EQ(RunBounded(
                "it", Seconds(60), &none, [] { return absl::NotFoundError("x"); }, never),
            absl::NotFoundError("x"));
}

TEST(Bounded, CancelsAStepThatIsLateAndNamesIt) {
  const Interrupts none;
  Stuck stuck;
  const absl::Status status = RunBounded(
      "waiting", Millis(50), &none, [&] { return stuck.Step(); }, [&] { stuck.Cancel(); });
  EXPECT_EQ(status, absl::DeadlineExceededError("waiting did not end within 0.05 s"));
}

TEST(Bounded, CancelsAStepWhenThePersonStops) {
  Interrupts interrupts;
  interrupts.count = 1;
  Stuck stuck;
  const absl::Status status = RunBounded(
      "waiting", Seconds(600), &interrupts, [&] { return stuck.Step(); }, [&] { stuck.Cancel(); });
  EXPECT_EQ(status, absl::CancelledError("waiting was interrupted"));
}

}  // namespace
}  // namespace kbench
