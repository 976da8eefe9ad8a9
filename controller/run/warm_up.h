// When a warm-up that has no fixed length is over: after so many requests, or when the throughput
// has become steady. Decided from the agents' live intervals, about one per second.
//
//   steady: the throughputs of the last kIntervals intervals, all agents together, have a
//   coefficient of variation (standard deviation over mean) of at most the share that was asked for
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proto/result.pb.h"

namespace kbench {

class WarmUpWatch {
 public:
  static constexpr size_t kIntervals = 5;

  struct Options {
    size_t agents = 1;
    int64_t ops = 0;    // 0: not by number
    double steady = 0;  // 0: not by steadiness; 0.05: a coefficient of variation of 5 %
  };

  explicit WarmUpWatch(const Options& options) : options_(options), of_agent_(options.agents) {}

  void Take(size_t agent, const result::Interval& interval);
  bool over() const;

  // Of the intervals that all agents have reported.
  uint64_t completed() const;
  Nanos length() const;
  // Of the last kIntervals; above any share while there are fewer, or nothing was answered.
  double variation() const;

  // "7.0 s and 123456 requests, throughput over the last 5 intervals within 2.1 %".
  std::string Describe() const;

 private:
  struct Sum {
    uint64_t completed = 0;
    Nanos length;  // the longest
    double rate = 0;
  };

  Options options_;
  std::vector<size_t> of_agent_;  // intervals that each has reported
  std::vector<Sum> sums_;         // by number of the interval
  size_t whole() const;           // that all have reported
};

}  // namespace kbench
