// The latest residence records of one connection, oldest overwritten first. It grows block by block
// as records come, so that an idle connection costs nothing and nothing is ever copied while
// requests are served, and allocates no more once it is full. With a capacity of 0 nothing is
// recorded.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "kinetic/residence.h"

namespace kbench::server {

class ResidenceRing {
 public:
  // `blocks_left` is what all rings together may still take, or null: when it is used up, this ring
  // goes round where it stands.
  explicit ResidenceRing(size_t capacity, size_t* blocks_left = nullptr)
      : capacity_(capacity), blocks_left_(blocks_left) {}
  ~ResidenceRing() {
    if (blocks_left_ != nullptr) *blocks_left_ += blocks_.size();
  }
  ResidenceRing(const ResidenceRing&) = delete;
  ResidenceRing& operator=(const ResidenceRing&) = delete;

  void Record(const kinetic::Residence& record);

  MonoTime opened() const { return opened_; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  uint64_t overwritten() const { return overwritten_; }
  // At most `max` records with a sequence of at least `from`, in the order of their sequences. They
  // are recorded in the order of their answers, which is that of the sequences unless some answer
  // was overtaken (Outbox::Park).
  std::vector<kinetic::Residence> Read(uint64_t from, size_t max) const;

  static constexpr size_t kBlock = 128;  // records, 4 KiB

 private:
  using Block = std::array<kinetic::Residence, kBlock>;

  const kinetic::Residence& Nth(size_t i) const {  // from the oldest
    const size_t index = oldest_ + i;
    return at(index < size_ ? index : index - size_);
  }
  kinetic::Residence& at(size_t i) { return (*blocks_[i / kBlock])[i % kBlock]; }
  const kinetic::Residence& at(size_t i) const { return (*blocks_[i / kBlock])[i % kBlock]; }

  MonoTime opened_ = MonoNow();
  bool Grow();
  std::vector<kinetic::Residence> ReadSorted(uint64_t from, size_t max) const;

  size_t capacity_;
  size_t* blocks_left_;
  std::vector<std::unique_ptr<Block>> blocks_;
  size_t size_ = 0;
  size_t oldest_ = 0;  // moves once the ring is full
  uint64_t latest_ = 0;
  bool in_order_ = true;  // of sequences, as far as it was ever recorded
  uint64_t overwritten_ = 0;
};

}  // namespace kbench::server
