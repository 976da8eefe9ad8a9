#include "server/residence_ring.h"

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
  std::vector<kinetic::Residence> out;
  for (size_t i = 0; i < size_ && out.size() < max; ++i) {
    const size_t index = oldest_ + i;
    const kinetic::Residence& record = at(index < size_ ? index : index - size_);
    if (record.sequence >= from) out.push_back(record);
  }
  return out;
}

}  // namespace kbench::server
