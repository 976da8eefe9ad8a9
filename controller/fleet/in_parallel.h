// The same question to many agents, some of them at a time: a fleet of a hundred takes no longer
// than its slowest member, and the controller's own threads do not get into each other's way.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace kbench {

// Calls ask(0) ... ask(count - 1) from up to `at_once` threads; returns when all have returned.
template <typename Ask>
void InParallel(size_t count, size_t at_once, Ask ask) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) ask(i);
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < at_once && i < count; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace kbench
