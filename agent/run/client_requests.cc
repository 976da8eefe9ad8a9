#include "agent/run/client_requests.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "agent/load/workload.h"
#include "kinetic/types.h"

namespace kbench {
namespace {

using observer::WireRecord;

constexpr Nanos kIntervalLength = Seconds(1);

// A request of the program, and since when its connection had had nothing to do.
struct Seen {
  const WireRecord* record = nullptr;
  RealTime idle_since;  // zero: something else was unanswered, or nothing came before
};

bool Answered(const WireRecord& r) { return r.response_first.is_set() && r.response_last.is_set(); }

// Fills in idle_since. Records are in the order in which requests came.
void FindGaps(std::vector<Seen>* requests) {
  struct Connection {
    RealTime last_answer;
    bool unknown = false;  // a request without an answer: nobody knows when it was done with
  };
  std::map<std::pair<int64_t, uint16_t>, Connection> connections;
  for (Seen& one : *requests) {
    const WireRecord& r = *one.record;
    Connection& c = connections[{r.connection_id, r.client_port}];
    if (c.last_answer.is_set() && !c.unknown && c.last_answer <= r.request_first) {
      one.idle_since = c.last_answer;
    }
    if (!Answered(r)) {
      c.unknown = true;
      continue;
    }
    // What waited for its answer is over when a later one is answered and nothing is in between.
    if (c.unknown && c.last_answer <= r.request_first) c.unknown = false;
    c.last_answer = std::max(c.last_answer, r.response_last);
  }
}

class Counter {
 public:
  Counter(const observer::WireObservation& seen, const ClientWindow& window)
      : seen_(seen), window_(window) {}

  ClientRequests Count() {
    TakeOwn();
    if (requests_.empty()) return std::move(out_);
    PlaceWindow();
    FindGaps(&requests_);
    FillAnswers();
    FillWhole();
    Decide();
    for (const Seen& one : requests_) {
      if (InWindow(*one.record)) Add(one);
    }
    FillIntervals();
    return std::move(out_);
  }

 private:
  void TakeOwn() {
    std::set<std::pair<int64_t, uint16_t>> connections;
    for (const WireRecord& r : seen_.records) {
      if (!r.request_first.is_set()) continue;
      if (window_.foreign_ports.contains(r.client_port)) {
        ++out_.foreign;
        continue;
      }
      connections.emplace(r.connection_id, r.client_port);
      requests_.push_back({.record = &r, .idle_since = {}});
    }
    out_.connections = connections.size();
    out_.whole = requests_.size();
  }

  void PlaceWindow() {
    RealTime first = requests_.front().record->request_first, last;
    for (const Seen& one : requests_) {
      first = std::min(first, one.record->request_first);
      last = std::max(last, one.record->response_last);
    }
    out_.first = first;
    out_.from = first + window_.warmup;
    out_.until = out_.from + window_.duration;
    if (window_.ended_by_itself && last < out_.until) {
      out_.ended_early = true;
      out_.until = std::max(last, out_.from);
    }
    out_.measured = out_.until - out_.from;
  }

  bool InWindow(const WireRecord& r) const {
    return r.request_first >= out_.from && r.request_first < out_.until;
  }

  void FillAnswers() {
    std::vector<const WireRecord*> in_order;
    for (const Seen& one : requests_) {
      if (Answered(*one.record)) in_order.push_back(one.record);
    }
    std::stable_sort(in_order.begin(), in_order.end(),
                     [](const WireRecord* a, const WireRecord* b) {
                       return a->response_last < b->response_last;
                     });
    for (const WireRecord* r : in_order) {
      out_.answers.push_back({.type = r->type, .in_window = InWindow(*r)});
    }
  }

  void FillWhole() {
    std::map<uint8_t, ClientRequests::Whole> by_type;
    for (const Seen& one : requests_) {
      const WireRecord& r = *one.record;
      if (!Answered(r)) continue;
      ClientRequests::Whole& whole = by_type[r.type];
      ++whole.answers;
      whole.wire += r.response_last - r.request_first;
      if (!one.idle_since.is_set()) continue;
      ++whole.gaps;
      whole.gap += r.request_first - one.idle_since;
    }
    for (const auto& [type, whole] : by_type) out_.whole_by_op[OpNameOf(type)] = whole;
  }

  void Decide() {
    uint64_t answered = 0;
    for (const Seen& one : requests_) {
      if (!InWindow(*one.record) || !Answered(*one.record)) continue;
      ++answered;
      out_.gaps_known += one.idle_since.is_set();
    }
    out_.pipelined =
        static_cast<double>(out_.gaps_known) < kClosedShareMin * static_cast<double>(answered);
    const uint64_t usable = out_.pipelined ? answered : out_.gaps_known;
    keep_every_ = usable / kClientSamplesMax + (usable % kClientSamplesMax != 0);
  }

  uint32_t IndexOf(uint8_t type) {
    const std::string name = OpNameOf(type);
    const auto found = std::find(out_.op_names.begin(), out_.op_names.end(), name);
    if (found != out_.op_names.end()) {
      return static_cast<uint32_t>(found - out_.op_names.begin());
    }
    out_.op_names.push_back(name);
    out_.ops.emplace_back();
    return static_cast<uint32_t>(out_.ops.size() - 1);
  }

  void Add(const Seen& one) {
    const WireRecord& r = *one.record;
    const bool answered = Answered(r);
    // A member of a batch is answered with it, and is no request of its own.
    if (!answered && (r.flags & WireRecord::kInBatch) != 0) return;
    const uint32_t index = IndexOf(r.type);
    OpStats& op = out_.ops[index];
    ++op.counts.due;
    ++op.counts.sent;
    op.request_bytes += r.request_bytes;
    if (!answered) {
      ++op.counts.lost;
      ++op.lost_by[static_cast<int>(LostWhy::kUnanswered)];
      return;
    }
    op.response_bytes += r.response_bytes;
    const bool status_seen = r.status != WireRecord::kNoStatus;
    const auto status = static_cast<kinetic::StatusCode>(r.status);
    ++op.statuses[status_seen ? StatusSlot(status, Verdict::kByStatus) : kUnknownStatusSlot];
    const RealTime begin = out_.pipelined ? r.request_first : one.idle_since;
    if (status_seen && status != kinetic::StatusCode::kSuccess) {
      ++op.counts.failed;
      if (begin.is_set()) op.failed.Record(r.response_last - begin);
      return;
    }
    ++op.counts.answered;
    if (r.response_last <= out_.until) {
      ++op.answered_in_window;
      op.response_bytes_in_window += r.response_bytes;
    }
    op.service.Record(r.response_last - r.request_first);
    if (!begin.is_set()) return;
    op.response.Record(r.response_last - begin);
    if (usable_++ % keep_every_ == 0) out_.samples.push_back(SampleOf(r, begin, index));
  }

  OpRecord SampleOf(const WireRecord& r, RealTime begin, uint32_t op) const {
    const auto mono = [this](RealTime t) { return seen_.clocks.ToMono(t); };
    OpRecord sample = {.op = op,
                       .outcome = OpOutcome::kAnswered,
                       .connection_id = r.connection_id,
                       .sequence = r.sequence};
    sample.intended = sample.started = sample.encoded = sample.send.submitted = mono(begin);
    sample.woke = sample.received = sample.decoded = mono(r.response_last);
    return sample;
  }

  void FillIntervals() {
    for (Nanos at; at < out_.measured; at += kIntervalLength) {
      out_.intervals.push_back(
          {.start_offset = at, .length = std::min(kIntervalLength, out_.measured - at)});
    }
    const auto interval = [this](RealTime t) -> Interval* {
      const int64_t index = (t - out_.from).count() / kIntervalLength.count();
      const bool inside = t >= out_.from && index < static_cast<int64_t>(out_.intervals.size());
      return inside ? &out_.intervals[static_cast<size_t>(index)] : nullptr;
    };
    for (const Seen& one : requests_) {
      const WireRecord& r = *one.record;
      if (!InWindow(r) || (!Answered(r) && (r.flags & WireRecord::kInBatch) != 0)) continue;
      if (Interval* const sent = interval(r.request_first)) {
        ++sent->progress.due;
        sent->progress.request_bytes += r.request_bytes;
      }
      Interval* const came = Answered(r) ? interval(r.response_last) : nullptr;
      if (came == nullptr) continue;
      const bool good = r.status == static_cast<int8_t>(kinetic::StatusCode::kSuccess) ||
                        r.status == WireRecord::kNoStatus;
      ++(good ? came->progress.completed : came->progress.failed);
      came->progress.response_bytes += r.response_bytes;
    }
  }

  const observer::WireObservation& seen_;
  const ClientWindow& window_;
  std::vector<Seen> requests_;
  uint64_t keep_every_ = 1;
  uint64_t usable_ = 0;
  ClientRequests out_;
};

}  // namespace

std::string OpNameOf(uint8_t type) {
  using kinetic::MessageType;
  const auto message = static_cast<MessageType>(type);
  // As campaigns call the requests that an operation of theirs sends.
  static constexpr std::pair<MessageType, OpKind> kNames[] = {
      {MessageType::kGet, OpKind::kGet},
      {MessageType::kPut, OpKind::kPut},
      {MessageType::kDelete, OpKind::kDelete},
      {MessageType::kGetNext, OpKind::kNext},
      {MessageType::kGetPrevious, OpKind::kPrevious},
      {MessageType::kGetVersion, OpKind::kVersion},
      {MessageType::kGetKeyRange, OpKind::kRange},
      {MessageType::kFlushAllData, OpKind::kFlush},
      {MessageType::kGetLog, OpKind::kGetLog},
      {MessageType::kNoop, OpKind::kNoop}};
  for (const auto& [known, kind] : kNames) {
    if (known == message) return std::string(Name(kind));
  }
  return absl::AsciiStrToLower(kinetic::Name(message));
}

ClientRequests CountRequests(const observer::WireObservation& seen, const ClientWindow& window) {
  return Counter(seen, window).Count();
}

}  // namespace kbench
