#include "tests/base/counted_heap.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace kbench {
namespace {

thread_local HeapCounts counts;

void* Allocate(std::size_t size, std::size_t alignment) {
  ++counts.allocations;
  counts.largest = std::max(counts.largest, size);
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, rounded)) return memory;
  throw std::bad_alloc();
}

// Not inline: GCC would see free() of what it takes for the standard operator new's memory.
[[gnu::noinline]] void Release(void* memory) {
  counts.releases += memory != nullptr;
  std::free(memory);
}

}  // namespace

HeapCounts& Heap() { return counts; }

}  // namespace kbench

using kbench::Allocate;
using kbench::Release;

void* operator new(std::size_t size) { return Allocate(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return Allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete[](void* memory) noexcept { Release(memory); }
void operator delete(void* memory, std::size_t) noexcept { Release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { Release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { Release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { Release(memory); }
