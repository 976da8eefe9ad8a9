// Which requests of a flow are probed: one in n on average, at random distances. A fixed stride
// could keep step with a period of the workload and see the same kind of request every time.
//
// The first distance is drawn as the others are, and runs on over stages: a short stage, or a
// window's first requests, are probed like any other.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace kbench {

class ProbeSampler {
 public:
  // One request in `every`; 0: none.
  ProbeSampler(uint32_t every, uint64_t seed) : every_(every), random_(seed) { Draw(); }

  // Of the next request: whether it is probed.
  bool Next() {
    if (every_ == 0 || --until_ > 0) return false;
    Draw();
    return true;
  }

 private:
  // Uniform from 1 to 2 * every - 1: its mean is `every`.
  void Draw() {
    if (every_ > 0) until_ = 1 + static_cast<uint32_t>(random_.Below(2 * every_ - 1));
  }

  uint32_t every_;
  uint32_t until_ = 0;
  Random random_;
};

}  // namespace kbench
