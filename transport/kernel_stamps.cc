#include "transport/kernel_stamps.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

// Linux 6.2; not in this Debian's headers.
constexpr uint32_t kOptIdTcp = 1u << 16;

constexpr uint32_t kSocketFlags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
                                  SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
constexpr uint32_t kCallFlags = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE;

constexpr bool AtOrAfter(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) >= 0; }

RealTime SoftwareStamp(const cmsghdr* message) {
  scm_timestamping stamps;
  std::memcpy(&stamps, CMSG_DATA(message), sizeof(stamps));
  return RealTime(stamps.ts[0].tv_sec * 1'000'000'000 + stamps.ts[0].tv_nsec);
}

bool IsStamp(const cmsghdr* message) {
  return message->cmsg_level == SOL_SOCKET && message->cmsg_type == SCM_TIMESTAMPING;
}

bool IsError(const cmsghdr* message) {
  return (message->cmsg_level == SOL_IP && message->cmsg_type == IP_RECVERR) ||
         (message->cmsg_level == SOL_IPV6 && message->cmsg_type == IPV6_RECVERR);
}

// One message of the error queue: a stamp and the key it belongs to. False: something else.
bool ApplyQueued(msghdr* header, StampMatcher* matcher) {
  RealTime at;
  sock_extended_err error = {};
  for (cmsghdr* message = CMSG_FIRSTHDR(header); message != nullptr;
       message = CMSG_NXTHDR(header, message)) {
    if (IsStamp(message)) at = SoftwareStamp(message);
    if (IsError(message)) std::memcpy(&error, CMSG_DATA(message), sizeof(error));
  }
  if (error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING || !at.is_set()) return false;
  if (const auto kind = SendStampKindOf(error.ee_info)) {
    matcher->Apply(*kind, error.ee_data, at);
  }
  return true;
}

RealTime& StampOf(SendStamps* stamps, SendStampKind kind) {
  return kind == SendStampKind::kScheduled ? stamps->kernel_scheduled : stamps->kernel_sent;
}

// Bytes in the socket's buffer that TCP has not sent yet; 0 when the kernel does not say.
uint32_t UnsentBytes(int fd) {
  int bytes = 0;
  if (ioctl(fd, SIOCOUTQNSD, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<uint32_t>(bytes);
}

bool IsComplete(const SendStamps& stamps) {
  return stamps.kernel_scheduled.is_set() && stamps.kernel_sent.is_set();
}

}  // namespace

std::optional<SendStampKind> SendStampKindOf(uint32_t type) {
  if (type == SCM_TSTAMP_SCHED) return SendStampKind::kScheduled;
  if (type == SCM_TSTAMP_SND) return SendStampKind::kSent;
  return std::nullopt;
}

void StampMatcher::Expect(uint32_t last_byte, SendStamps* stamps) {
  if (ring_.empty()) return;
  if (size_ == ring_.size()) {
    first_ = (first_ + 1) % ring_.size();
    --size_;
    ++counts_.abandoned;
  }
  ++counts_.asked;
  At(size_++) = {.last_byte = last_byte, .stamps = stamps};
}

void StampMatcher::Apply(SendStampKind kind, uint32_t key, RealTime at) {
  for (size_t i = 0; i < size_ && AtOrAfter(key, At(i).last_byte); ++i) {
    Expected& frame = At(i);
    RealTime& stamp = StampOf(frame.stamps, kind);
    uint32_t& taken = frame.keys[static_cast<size_t>(kind)];
    if (stamp.is_set() && taken == key) frame.stamps->flags |= kRetransmitted;
    if (stamp.is_set() && AtOrAfter(key, taken)) continue;
    stamp = at;
    taken = key;
    if (key != frame.last_byte) frame.stamps->flags |= kMergedSendStamp;
  }
}

void StampMatcher::ForgetThrough(uint32_t last_byte, uint32_t unsent) {
  while (size_ > 0 && AtOrAfter(last_byte, At(0).last_byte)) {
    const bool left = AtOrAfter(last_byte - unsent, At(0).last_byte);
    counts_.missing += left && !IsComplete(*At(0).stamps);
    first_ = (first_ + 1) % ring_.size();
    --size_;
  }
}

bool StampMatcher::CompleteThrough(uint32_t last_byte) const {
  for (size_t i = 0; i < size_ && AtOrAfter(last_byte, At(i).last_byte); ++i) {
    if (!IsComplete(*At(i).stamps)) return false;
  }
  return true;
}

StampGrant EnableKernelStamps(int fd) {
  uint32_t flags = kSocketFlags | kOptIdTcp;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0) {
    return {.granted = true, .text = "SOFTWARE RX_SOFTWARE OPT_ID OPT_TSONLY OPT_ID_TCP"};
  }
  // Without OPT_ID_TCP keys count from the first unacknowledged byte, which on a flow that has
  // sent nothing yet is the same byte.
  const std::string refused = strerror(errno);
  flags = kSocketFlags;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0) {
    return {.granted = true,
            .text = absl::StrCat("SOFTWARE RX_SOFTWARE OPT_ID OPT_TSONLY; OPT_ID_TCP refused: ",
                                 refused)};
  }
  return {.granted = false, .text = absl::StrCat("refused: ", strerror(errno))};
}

void AskForSendStamps(msghdr* header, StampControl* control) {
  header->msg_control = control->bytes;
  header->msg_controllen = CMSG_SPACE(sizeof(kCallFlags));
  cmsghdr* message = CMSG_FIRSTHDR(header);
  message->cmsg_level = SOL_SOCKET;
  message->cmsg_type = SO_TIMESTAMPING;
  message->cmsg_len = CMSG_LEN(sizeof(kCallFlags));
  std::memcpy(CMSG_DATA(message), &kCallFlags, sizeof(kCallFlags));
}

void AskForReceiveStamp(msghdr* header, StampControl* control) {
  header->msg_control = control->bytes;
  header->msg_controllen = sizeof(control->bytes);
}

RealTime ReceiveStamp(msghdr* header) {
  for (cmsghdr* message = CMSG_FIRSTHDR(header); message != nullptr;
       message = CMSG_NXTHDR(header, message)) {
    if (IsStamp(message)) return SoftwareStamp(message);
  }
  return RealTime();
}

DrainCount DrainErrorQueue(int fd, StampMatcher* matcher) {
  constexpr unsigned kBatch = 16;
  DrainCount count;
  for (;;) {
    mmsghdr messages[kBatch] = {};
    StampControl controls[kBatch];
    for (unsigned i = 0; i < kBatch; ++i) AskForReceiveStamp(&messages[i].msg_hdr, &controls[i]);
    const int got = recvmmsg(fd, messages, kBatch, MSG_ERRQUEUE | MSG_DONTWAIT, nullptr);
    ++count.system_calls;
    for (int i = 0; i < got; ++i) count.stamps += ApplyQueued(&messages[i].msg_hdr, matcher);
    if (got < static_cast<int>(kBatch)) return count;
  }
}

DrainCount SettleStamps(int fd, uint32_t last_byte, bool drain, StampMatcher* matcher) {
  DrainCount count;
  if (drain && !matcher->CompleteThrough(last_byte)) count = DrainErrorQueue(fd, matcher);
  uint32_t unsent = 0;
  if (fd >= 0 && !matcher->CompleteThrough(last_byte)) {
    unsent = UnsentBytes(fd);
    ++count.system_calls;
  }
  matcher->ForgetThrough(last_byte, unsent);
  return count;
}

}  // namespace kbench
