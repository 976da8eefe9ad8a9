#include "server/residence_ring.h"

#include <algorithm>

namespace kbench::server {

void ResidenceRing::Record(const kinetic::Residence& record) {
  if (capacity_ == 0) return;
  if (size_ < capacity_) {
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Block>());
    at(size_++) = record;
    return;
  }
  ++overwritten_;
  at(oldest_) = record;
  if (++oldest_ == capacity_) oldest_ = 0;
}

std::vector<kinetic::Residence> ResidenceRing::Read(uint64_t from, size_t max) const {
  size_t first = 0;
  for (size_t last = size_; first < last;) {
    const size_t middle = first + (last - first) / 2;
    if (Nth(middle).sequence < from) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  std::vector<kinetic::Residence> out;
  out.reserve(std::min(max, size_ - first));
  for (size_t i = first; i < size_ && out.size() < max; ++i) out.push_back(Nth(i));
  return out;
}

}  // namespace kbench::server
