// What is kept of the requests of a measured window: histograms of response, service and phases
// per operation, counts that add up, answers by status, the first error texts, and a bounded trace
// of raw records. One worker's own; merged by adding when the run is over.
//
//   due = sent + unsent        sent = answered + failed + lost
//
// The histograms of response, service and phases hold answered requests (SUCCESS) and nothing else,
// one sample each: an error that comes back fast must not look like a fast server. Failed requests
// have a histogram of their own; lost ones are recorded at the time until they were given up, so
// that a server that stalls cannot look like one that answers. Recording allocates nothing.
//
// Requests are counted if they were due in the window, whenever their answers come; throughput is
// counted of answers decoded in the window, whenever their requests were due. Under a load that the
// server cannot follow the two differ by the queue that has built up.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/load/op_record.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "kinetic/types.h"

namespace kbench {

struct Counts {
  uint64_t due = 0;
  uint64_t sent = 0;
  uint64_t unsent = 0;
  uint64_t answered = 0;
  uint64_t failed = 0;
  uint64_t lost = 0;

  void Add(const Counts& other);
  bool Identical() const { return due == sent + unsent && sent == answered + failed + lost; }
};

// Of user space, for every answered request:
//   wait            intended -> started      the generator's own lateness, and queueing for a slot
//   client_user     started -> submitted     encoding and queueing up to the system call
//   submit_to_receive  submitted -> received    kernels, network and server
//   decode          received -> decoded      other answers of the same batch, decoding
// From the kernel's stamps, for probed requests whose stamps are their own:
//   kernel_send      submitted -> kernel_sent
//   wire_and_server  kernel_sent -> kernel_received
//   kernel_receive   kernel_received -> received
enum class Phase : uint8_t {
  kWait,
  kClientUser,
  kSubmitToReceive,
  kDecode,
  kKernelSend,
  kWireAndServer,
  kKernelReceive,
};
inline constexpr int kPhaseCount = 7;
absl::string_view Name(Phase phase);

// Why no answer is counted, and so who was late.
enum class LostWhy : uint8_t {
  kNotSent,     // within its time-out: the client, or a connection that took no more
  kUnanswered,  // within its time-out, though it was sent: the network or the server
  kConnection,  // its connection ended
  kRunEnded,    // it was still unanswered then
};
inline constexpr int kLostWhyCount = 4;

// How an answer was judged, beyond its Kinetic status.
enum class Verdict : uint8_t {
  kByStatus,
  kWrongHmac,
  kWrongValueLength,
  kWrongValue,        // verified, and found to be another one than was written
  kUnexpectedHit,     // a GET of a key that nobody writes was answered with SUCCESS
  kWrongMessageType,  // that of another request's answer, or none
  kUnexpectedValue,   // the answer carries a value, and none belongs there
};

// Answers by status: the Kinetic codes from -1, unknown codes, and our own verdicts.
inline constexpr int kUnknownStatusSlot = kinetic::kStatusCodeCount;
inline constexpr int kWrongHmacSlot = kUnknownStatusSlot + 1;
inline constexpr int kWrongLengthSlot = kUnknownStatusSlot + 2;
inline constexpr int kUnexpectedHitSlot = kUnknownStatusSlot + 3;
inline constexpr int kWrongValueSlot = kUnknownStatusSlot + 4;
inline constexpr int kWrongTypeSlot = kUnknownStatusSlot + 5;
inline constexpr int kUnexpectedValueSlot = kUnknownStatusSlot + 6;
inline constexpr int kStatusSlots = kUnknownStatusSlot + 7;
int StatusSlot(kinetic::StatusCode status, Verdict verdict);
// "SUCCESS", "NOT_FOUND", ..., "UNKNOWN", "WRONG_HMAC", "WRONG_VALUE_LENGTH",
// "UNEXPECTED_HIT", "WRONG_VALUE", "WRONG_MESSAGE_TYPE", "UNEXPECTED_VALUE".
std::string StatusSlotName(int slot);

inline constexpr size_t kErrorTextsMax = 8;
inline constexpr size_t kErrorTextSize = 200;

struct OpStats {
  Counts counts;
  Histogram response;  // answered: intended -> decoded
  Histogram service;   // answered: submitted -> decoded
  Histogram failed;    // failed: intended -> decoded
  Histogram lost;      // lost: intended -> given up
  std::array<Histogram, kPhaseCount> phases;
  std::array<uint64_t, kStatusSlots> statuses = {};
  std::array<uint64_t, kLostWhyCount> lost_by = {};  // their sum is counts.lost
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint64_t answered_in_window = 0;
  uint64_t response_bytes_in_window = 0;
  uint64_t untagged = 0;  // answered, and verified but for their tag: Completion::untagged
  std::vector<std::string> first_errors;  // at most kErrorTextsMax

  void Add(const OpStats& other);
};

// How a request ended.
struct Completion {
  kinetic::StatusCode status = kinetic::StatusCode::kInvalid;
  Verdict verdict = Verdict::kByStatus;
  absl::string_view text;  // the server's own words, if any; our own of a verdict
  bool good = false;       // what the operation is to get
  bool untagged = false;   // verified; but it had no tag, or none that can be compared
  uint64_t response_bytes = 0;
};

// What interval reports are made of: what happened within the window.
struct ProgressCounts {
  uint64_t due = 0;        // sent, or counted as unsent
  uint64_t completed = 0;  // good answers decoded
  uint64_t failed = 0;     // other answers, and requests given up
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
};

class Recorder {
 public:
  struct Options {
    size_t ops = 1;          // length of the op list
    size_t samples_max = 0;  // bound of the trace
    ClockPair clocks;        // turns kernel stamps into agent time
    MonoTime window_from;    // of throughput
    MonoTime window_until = MonoTime(INT64_MAX);
  };

  explicit Recorder(const Options& options);

  void Sent(uint32_t op, uint64_t request_bytes);
  void Unsent(uint32_t op);
  // An answer came, whether good (record.outcome kAnswered) or not (kFailed). `measured`: its
  // request was due in the window; otherwise it is throughput only.
  void Answered(const OpRecord& record, const Completion& completion, bool measured);
  // No answer will be counted: at `given_up` the time-out had passed or the flow ended.
  void Lost(const OpRecord& record, MonoTime given_up, LostWhy why, absl::string_view text);
  // The record of a probed request, complete with all the stamps it will get.
  void Sample(const OpRecord& record);

  const std::vector<OpStats>& ops() const { return ops_; }
  const std::vector<OpRecord>& samples() const { return samples_; }
  uint64_t samples_dropped() const { return samples_dropped_; }
  const ProgressCounts& progress() const { return progress_; }
  Counts totals() const;

 private:
  bool InWindow(MonoTime t) const { return t >= window_from_ && t < window_until_; }
  void KeepError(OpStats* stats, absl::string_view what, absl::string_view text);

  std::vector<std::string> status_names_;  // by slot
  std::vector<OpStats> ops_;
  std::vector<OpRecord> samples_;
  size_t samples_max_;
  uint64_t samples_dropped_ = 0;
  ClockPair clocks_;
  MonoTime window_from_;
  MonoTime window_until_;
  ProgressCounts progress_;
};

}  // namespace kbench
