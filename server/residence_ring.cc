#include "server/residence_ring.h"

#include <algorithm>

namespace kbench::server {

void ResidenceRing::Record(const kinetic::Residence& record) {
  in_order_ = in_order_ && record.sequence >= latest_;
  latest_ = record.sequence;
  if (size_ < capacity_ && (size_ % kBlock != 0 || Grow())) {
    at(size_++) = record;
    return;
  }
  if (size_ == 0) return;
  capacity_ = size_;
  ++overwritten_;
  at(oldest_) = record;
  if (++oldest_ == capacity_) oldest_ = 0;
}

bool ResidenceRing::Grow() {
  if (blocks_left_ != nullptr) {
    if (*blocks_left_ == 0) return false;
    --*blocks_left_;
  }
  blocks_.push_back(std::make_unique<Block>());
  return true;
}

std::vector<kinetic::Residence> ResidenceRing::Read(uint64_t from, size_t max) const {
  if (!in_order_) return ReadSorted(from, max);
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

std::vector<kinetic::Residence> ResidenceRing::ReadSorted(uint64_t from, size_t max) const {
  std::vector<kinetic::Residence> out;
  for (size_t i = 0; i < size_; ++i) {
    if (Nth(i).sequence >= from) out.push_back(Nth(i));
  }
  std::sort(out.begin(), out.end(), [](const kinetic::Residence& a, const kinetic::Residence& b) {
    return a.sequence < b.sequence;
  });
  if (out.size() > max) out.resize(max);
  return out;
}

}  // namespace kbench::server
