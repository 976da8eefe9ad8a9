// An io_uring with one system call in it, io_uring_enter(). liburing makes and maps the rings; the
// entering is done here, so that every call is counted and none is hidden in a helper's loop.
#pragma once

#include <liburing.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

class UringRing {
 public:
  struct Options {
    uint32_t submissions = 64;   // never more than this between two Enter()
    uint32_t completions = 256;  // a hint; the kernel keeps what does not fit
    bool wide_completions = false;
    bool spin = false;  // let user space see that there is kernel work to run
  };

  // Unavailable, with the flags that were asked for, when the kernel refuses.
  static absl::StatusOr<UringRing> Make(const Options& options);

  UringRing(UringRing&& other) noexcept;
  UringRing& operator=(UringRing&&) = delete;
  ~UringRing();

  // A cleared entry of the submission queue.
  io_uring_sqe* NextEntry();
  uint32_t unsubmitted() const { return ring_.sq.sqe_tail - ring_.sq.sqe_head; }

  // Submits everything and returns, without running what the kernel has to finish.
  void Submit();
  // Submits everything, runs what the kernel has to finish in this thread's name, and sleeps until
  // there are `wanted` completions or `limit` has passed. `wanted` 0 does not sleep.
  void Enter(uint32_t wanted, Nanos limit);

  // Without a system call: is there anything to reap, or (with `spin`) any reason to Enter()?
  bool HasCompletions() const;
  bool HasKernelWork() const;

  // Calls visit(cqe) for each completion and gives the entries back.
  //
  // Linux 6.18 can step over the last entry of a ring of wide completions without writing it (the
  // filler meant for rings of mixed sizes goes to another address): the entry still holds the
  // completion of the round before. In such a ring every entry is therefore marked when taken, and
  // a marked one is nobody's completion.
  template <typename Visit>
  void Reap(Visit visit) {
    const uint32_t tail = io_uring_smp_load_acquire(ring_.cq.ktail);
    for (uint32_t head = *ring_.cq.khead; head != tail; ++head) {
      io_uring_cqe& cqe = Completion(head);
      if (!wide_) {
        visit(cqe);
      } else if (cqe.user_data == kTaken) {
        ++stepped_over_;
      } else {
        visit(cqe);
        cqe.user_data = kTaken;
      }
    }
    io_uring_smp_store_release(ring_.cq.khead, tail);
  }

  uint64_t enters() const { return enters_; }
  uint64_t waits() const { return waits_; }
  FactList facts() const;

 private:
  static constexpr uint64_t kTaken = ~uint64_t{0};  // no submission's user_data

  UringRing() = default;
  io_uring_cqe& Completion(uint32_t head) {
    return ring_.cq.cqes[io_uring_cqe_index(&ring_, head, *ring_.cq.kring_mask)];
  }
  uint32_t Publish();
  void Call(uint32_t wanted, uint32_t flags, const void* argument, size_t argument_size);

  io_uring ring_ = {};
  bool made_ = false;
  bool registered_ = false;
  bool wide_ = false;
  uint64_t stepped_over_ = 0;
  uint64_t enters_ = 0;
  uint64_t waits_ = 0;
};

}  // namespace kbench
