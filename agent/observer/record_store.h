// Memory of records: address space for all of them at once, pages as they are used, large ones
// where the kernel has them. A fault for every 46 records cost more than everything else that is
// done for a request.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#include "agent/observer/packet_observer.h"

namespace kbench::observer {

class RecordStore {
 public:
  explicit RecordStore(size_t records_max) : bytes_(records_max * sizeof(WireRecord)) {
    if (records_max == 0) return;
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;  // then there is no room for any
    madvise(memory, bytes_, MADV_HUGEPAGE);
    memory_ = static_cast<WireRecord*>(memory);
    room_ = static_cast<uint32_t>(std::min<size_t>(records_max, UINT32_MAX - 1));
  }
  ~RecordStore() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  bool full() const { return size_ == room_; }
  uint32_t size() const { return size_; }
  // The index of a new record; not when full.
  uint32_t Add() {
    new (memory_ + size_) WireRecord();
    return size_++;
  }
  WireRecord& operator[](uint32_t index) { return memory_[index]; }

 private:
  size_t bytes_ = 0;
  WireRecord* memory_ = nullptr;
  uint32_t room_ = 0;
  uint32_t size_ = 0;
};

}  // namespace kbench::observer
