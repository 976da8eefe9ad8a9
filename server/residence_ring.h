// The latest residence records of one connection, oldest overwritten first. It grows as records
// come, so that an idle connection costs nothing, and allocates no more once it is full. With a
// capacity of 0 nothing is recorded.
#pragma once

#include <cstdint>
#include <vector>

#include "kinetic/residence.h"

namespace kbench::server {

class ResidenceRing {
 public:
  explicit ResidenceRing(size_t capacity) : capacity_(capacity) {}

  void Record(const kinetic::Residence& record);

  bool empty() const { return records_.empty() && overwritten_ == 0; }
  uint64_t overwritten() const { return overwritten_; }
  // At most `max` records with a sequence of at least `from`, oldest first.
  std::vector<kinetic::Residence> Read(uint64_t from, size_t max) const;

 private:
  size_t capacity_;
  std::vector<kinetic::Residence> records_;
  size_t oldest_ = 0;  // moves once the ring is full
  uint64_t overwritten_ = 0;
};

}  // namespace kbench::server
