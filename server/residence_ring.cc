#include "server/residence_ring.h"

namespace kbench::server {

void ResidenceRing::Record(const kinetic::Residence& record) {
  if (capacity_ == 0) return;
  if (records_.size() < capacity_) {
    records_.push_back(record);
    return;
  }
  ++overwritten_;
  records_[oldest_] = record;
  if (++oldest_ == capacity_) oldest_ = 0;
}

std::vector<kinetic::Residence> ResidenceRing::Read(uint64_t from, size_t max) const {
  std::vector<kinetic::Residence> out;
  for (size_t i = 0; i < records_.size() && out.size() < max; ++i) {
    const size_t at = oldest_ + i;
    const kinetic::Residence& record = records_[at < records_.size() ? at : at - records_.size()];
    if (record.sequence >= from) out.push_back(record);
  }
  return out;
}

}  // namespace kbench::server
