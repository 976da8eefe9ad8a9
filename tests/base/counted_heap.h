// operator new and delete, counted on each thread. A program that links kbench_counted_heap has
// them in place of the standard library's, so that a test can say that a stretch of code allocates
// nothing, and prove beside it that an allocation would have been seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kbench {

struct HeapCounts {
  uint64_t allocations = 0;
  uint64_t releases = 0;  // of anything but a null pointer
  size_t largest = 0;     // bytes asked for at once; a test may set it back
};

// Of this thread, since it began.
HeapCounts& Heap();

}  // namespace kbench
