#include "transport/uring_ring.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

struct FlagName {
  uint32_t flag;
  absl::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {IORING_SETUP_CQSIZE, "CQSIZE"},
    {IORING_SETUP_CLAMP, "CLAMP"},
    {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
    {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"},
    {IORING_SETUP_CQE32, "CQE32"},
    {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
    {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
};

std::string FlagText(uint32_t flags) {
  std::string text;
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) != 0) absl::StrAppend(&text, text.empty() ? "" : " ", name);
  }
  return text;
}

}  // namespace

absl::StatusOr<UringRing> UringRing::Make(const Options& options) {
  UringRing made;
  io_uring_params params = {};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  if (options.wide_completions) params.flags |= IORING_SETUP_CQE32;
  if (options.spin) params.flags |= IORING_SETUP_TASKRUN_FLAG;
  params.cq_entries = std::max(options.completions, options.submissions);
  const int error = -io_uring_queue_init_params(options.submissions, &made.ring_, &params);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(
        "transport uring: this kernel refuses a ring with ", FlagText(params.flags), ": ",
        strerror(error), "; it needs Linux 6.1, and io_uring enabled (kernel.io_uring_disabled)"));
  }
  made.made_ = true;
  if ((params.features & IORING_FEAT_EXT_ARG) == 0) {
    return absl::UnavailableError("transport uring: this kernel's io_uring has no EXT_ARG waits");
  }
  made.wide_ = options.wide_completions;
  for (uint32_t i = 0; made.wide_ && i < params.cq_entries; ++i)
    made.Completion(i).user_data = kTaken;
  made.registered_ = io_uring_register_ring_fd(&made.ring_) == 1;
  return made;
}

UringRing::UringRing(UringRing&& other) noexcept
    : ring_(other.ring_),
      made_(std::exchange(other.made_, false)),
      registered_(other.registered_),
      wide_(other.wide_),
      stepped_over_(other.stepped_over_),
      enters_(other.enters_),
      waits_(other.waits_) {}

UringRing::~UringRing() {
  if (made_) io_uring_queue_exit(&ring_);
}

io_uring_sqe* UringRing::NextEntry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    std::fprintf(stderr, "kbench: bug: the ring's submission queue is too small\n");
    std::abort();
  }
  std::memset(entry, 0, sizeof(*entry));
  return entry;
}

uint32_t UringRing::Publish() {
  io_uring_sq& sq = ring_.sq;
  const uint32_t mask = *sq.kring_mask;
  uint32_t tail = *sq.ktail;
  for (; sq.sqe_head != sq.sqe_tail; ++sq.sqe_head) sq.array[tail++ & mask] = sq.sqe_head & mask;
  io_uring_smp_store_release(sq.ktail, tail);
  return tail - io_uring_smp_load_acquire(sq.khead);
}

void UringRing::Submit() { Call(0, 0, nullptr, 0); }

void UringRing::Enter(uint32_t wanted, Nanos limit) {
  if (wanted == 0) return Call(0, IORING_ENTER_GETEVENTS, nullptr, 0);
  const timespec span = ToTimespec(std::max(limit, Nanos(0)));
  const __kernel_timespec timeout = {.tv_sec = span.tv_sec, .tv_nsec = span.tv_nsec};
  io_uring_getevents_arg argument = {};
  argument.ts = reinterpret_cast<uint64_t>(&timeout);
  ++waits_;
  Call(wanted, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof(argument));
}

void UringRing::Call(uint32_t wanted, uint32_t flags, const void* argument, size_t argument_size) {
  const uint32_t to_submit = Publish();
  ++enters_;
  const long entered = syscall(
      __NR_io_uring_enter, registered_ ? ring_.enter_ring_fd : ring_.ring_fd, to_submit, wanted,
      flags | (registered_ ? IORING_ENTER_REGISTERED_RING : 0u), argument, argument_size);
  if (entered >= 0) return;
  // ETIME: the limit has passed. EINTR, EAGAIN, EBUSY: the caller looks, and comes again.
  const int error = errno;
  if (error == ETIME || error == EINTR || error == EAGAIN || error == EBUSY) return;
  std::fprintf(stderr, "kbench: bug: io_uring_enter: %s (a ring belongs to one thread)\n",
               strerror(error));
  std::abort();
}

bool UringRing::HasCompletions() const {
  return io_uring_smp_load_acquire(ring_.cq.ktail) != *ring_.cq.khead;
}

bool UringRing::HasKernelWork() const {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

FactList UringRing::facts() const {
  FactList facts = {{"ring_flags", FlagText(ring_.flags)},
                    {"ring_fd_registered", registered_ ? "yes" : "refused"},
                    {"submission_entries", absl::StrCat(*ring_.sq.kring_entries)},
                    {"completion_entries", absl::StrCat(*ring_.cq.kring_entries)}};
  if (wide_) facts.emplace_back("completions_stepped_over", absl::StrCat(stepped_over_));
  return facts;
}

}  // namespace kbench
