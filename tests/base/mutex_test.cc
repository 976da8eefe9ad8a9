#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kbench {
namespace {

class Counter {
 public:
  void Add() {
    MutexLock lock(&mutex_);
    ++count_;
    changed_.NotifyAll();
  }
  int AwaitAtLeast(int count) {
    MutexLock lock(&mutex_);
    while (count_ < count) changed_.Wait(&mutex_);
    return count_;
  }
  // What there is by then.
  int AwaitUntil(int count, MonoTime deadline) {
    MutexLock lock(&mutex_);
    while (count_ < count && changed_.WaitUntil(&mutex_, deadline)) {
    }
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(Mutex, LetsOneInAtATimeAndWakesWhoWaits) {
  constexpr int kThreads = 4, kEach = 5'000;
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (int n = 0; n < kEach; ++n) counter.Add();
    });
  }
  EXPECT_EQ(counter.AwaitAtLeast(kThreads * kEach), kThreads * kEach);
  for (std::thread& thread : threads) thread.join();
}

TEST(Mutex, WaitsNoLongerThanAsked) {
  Counter counter;
  const MonoTime deadline = MonoNow() + Millis(20);
  EXPECT_EQ(counter.AwaitUntil(1, deadline), 0);
  EXPECT_GE(MonoNow(), deadline);
  counter.Add();
  EXPECT_EQ(counter.AwaitUntil(1, MonoNow() + Seconds(3600)), 1) << "it is there already";
}

}  // namespace
}  // namespace kbench
