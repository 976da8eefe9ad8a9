#include "agent/load/loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/load/server_limits.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

// `most`, as far as the server lets it. Zero is how some servers say that there is no limit, the
// largest number how others do.
uint32_t Bounded(uint32_t most, const std::optional<uint32_t>& limit) {
  return limit.value_or(0) == 0 ? most : std::min(most, *limit);
}

// The numbers of the keys from `from` on that are not of the sample.
std::function<uint64_t()> AllBut(const KeySample& sample, uint64_t from) {
  return [sample, next = from, at = sample.Below(from)]() mutable {
    while (at < sample.size() && sample.Key(at) == next) ++next, ++at;
    return next++;
  };
}

std::function<uint64_t()> KeysOf(const KeySample& sample) {
  return [sample, i = uint64_t{0}]() mutable { return sample.Key(i++); };
}

OpStream StreamOf(OpKind kind, std::function<uint64_t()> keys) {
  return OpStream({.ops = {{.kind = kind}}, .next_key = std::move(keys)});
}

}  // namespace

void LoadUse::Add(const LoadUse& other) {
  flows += other.flows;
  widest = std::max(widest, other.widest);
  sent_again += other.sent_again;
  backed_off += other.backed_off;
}

Loader::Loader(const FlowSet::Options& flows, uint32_t worker)
    : options_(flows),
      spec_(*flows.spec),
      worker_(worker),
      window_(LoadWindow::Of(spec_.workers, spec_.flows, spec_.value_bytes)),
      sample_(spec_.keys, spec_.value_bytes) {}

uint32_t Loader::Number(uint32_t own) const {
  return worker_ * (window_.flows / spec_.workers) + own;
}

Nanos Loader::PaceFor(uint32_t flows) const {
  const auto ns = static_cast<double>(spec_.load_pace.count());
  return Nanos(static_cast<int64_t>(ns * flows / spec_.flows));
}

absl::StatusOr<std::string> Loader::Look() {
  const auto size = static_cast<uint32_t>(sample_.size());
  set_ = std::make_unique<FlowSet>(options_);
  RETURN_IF_ERROR(
      set_->Open({.flows = {0}, .depth = std::min(size, window_.depth), .exact = true}));
  Recorder recorder(Recorder::Options{.ops = 1});
  OpStream gets = StreamOf(OpKind::kGet, KeysOf(sample_));
  const MonoTime start = MonoNow();
  set_->sessions()[0]->Begin({.ops = &gets,
                              .depth = Bounded(std::min(size, window_.depth),
                                               set_->limits().max_outstanding_read_requests),
                              .max_ops = size,
                              .pace = PaceFor(1),
                              .again_until = start + spec_.connect_timeout,
                              .widens = true,
                              .start = start,
                              .recorder = &recorder});
  set_->pump()->Run({.end_ns = &options_.control->end_ns(), .recorder = &recorder});
  const absl::Status health = set_->Health("a look at its keys");
  const Counts counts = recorder.totals();
  const std::string server = set_->ServerName();
  Close();
  RETURN_IF_ERROR(health);
  if (counts.lost > 0) {
    return absl::UnavailableError(absl::StrCat(server, " did not answer a GET within ",
                                               FormatDuration(spec_.op_timeout),
                                               " when it was looked whether its keys are there"));
  }
  if (counts.failed == 0) return std::string();
  return absl::StrCat(counts.failed, " of ", size,
                      " keys that were read are not as this run needs "
                      "them: ",
                      FirstError(recorder));
}

absl::Status Loader::Write(const LoadBound& bound) {
  const uint32_t flows = window_.flows / spec_.workers;
  FlowSet::Shape shape = {.flows = {}, .depth = window_.depth};
  std::vector<OpStream> streams;
  std::vector<uint64_t> counts;
  for (uint32_t i = 0; i < flows; ++i) {
    shape.flows.push_back(Number(i));
    const unsigned __int128 keys = spec_.keys;
    const auto from = static_cast<uint64_t>(keys * Number(i) / window_.flows);
    const auto upto = static_cast<uint64_t>(keys * (Number(i) + 1) / window_.flows);
    streams.push_back(StreamOf(OpKind::kPut, AllBut(sample_, from)));
    counts.push_back(upto - from - (sample_.Below(upto) - sample_.Below(from)));
  }
  set_ = std::make_unique<FlowSet>(options_);
  RETURN_IF_ERROR(set_->OpenInstead(shape));
  use_.flows = flows;
  return Put(&streams, counts, bound);
}

absl::Status Loader::Conclude(const LoadBound& bound) {
  std::vector<OpStream> streams;
  std::vector<uint64_t> counts(set_->sessions().size());
  for (size_t i = 0; i < counts.size(); ++i) {
    streams.push_back(StreamOf(OpKind::kPut, KeysOf(sample_)));
  }
  counts[0] = sample_.size();
  return Put(&streams, counts, bound);
}

absl::Status Loader::Put(std::vector<OpStream>* streams, const std::vector<uint64_t>& counts,
                         const LoadBound& bound) {
  Recorder recorder(Recorder::Options{.ops = 1});
  const MonoTime start = MonoNow();
  uint64_t share = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    share += counts[i];
    set_->sessions()[i]->Begin(
        {.ops = &(*streams)[i],
         .depth = Bounded(window_.depth, set_->limits().max_outstanding_write_requests),
         .max_ops = counts[i],
         .pace = PaceFor(window_.flows),
         .again_until = kNever,
         .widens = true,
         .start = start,
         .recorder = &recorder});
  }
  // One key that is not there fails the load: a server that has gone silent is not asked for each
  // of the others in turn.
  set_->pump()->Run({.end_ns = &options_.control->end_ns(),
                     .recorder = &recorder,
                     .on_lost = [this] { set_->TellLost(); },
                     .on_tick =
                         [&](MonoTime now) {
                           const Counts seen = recorder.totals();
                           if (seen.failed + seen.lost > 0) options_.control->PlanEnd(now);
                         }});
  // Findings are of all stages of these sessions.
  use_.sent_again = 0;
  use_.backed_off = Nanos();
  for (const auto& session : set_->sessions()) {
    use_.widest = std::max(use_.widest, session->widest());
    use_.sent_again += session->findings().sent_again;
    use_.backed_off += session->findings().backed_off;
  }
  return Judge(recorder, share, bound);
}

absl::Status Loader::Judge(const Recorder& recorder, uint64_t share, const LoadBound& bound) const {
  const Counts counts = recorder.totals();
  if (options_.control->why() == RunControl::Why::kServerLost) {
    return absl::AbortedError(options_.control->reason());
  }
  if (options_.control->why() == RunControl::Why::kServerRefused) {
    return absl::PermissionDeniedError(options_.control->reason());
  }
  if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
  const std::string server = set_->ServerName();
  const std::string busy =
      use_.sent_again == 0 ? ""
                           : absl::StrCat("; the server answered SERVICE_BUSY ", use_.sent_again,
                                          " times, and each of these puts was sent again");
  // Requests that were in flight when the time was over count as lost; they are not to blame.
  const bool in_time = MonoNow() < bound.end;
  if (!in_time && counts.failed == 0 && counts.answered < share) {
    return absl::DeadlineExceededError(
        absl::StrCat("the load was not over within ", bound.whose, ", ", FormatDuration(bound.most),
                     ": ", counts.answered, " of ", share, " keys were written", busy,
                     "; give it fewer keys, or load them from elsewhere (workload.load: false)"));
  }
  if (counts.failed > 0) {
    const std::string first = FirstError(recorder);
    return absl::PermissionDeniedError(absl::StrCat(
        server, " refused ", counts.failed, " of ", counts.answered + counts.failed + counts.lost,
        " keys to be loaded: ", first, TagRemedy(spec_, first), busy));
  }
  if (counts.lost > 0) {
    return absl::DeadlineExceededError(
        absl::StrCat(server, " did not answer ", counts.lost, " of ", counts.answered + counts.lost,
                     " puts of the load within ", FormatDuration(spec_.op_timeout), busy));
  }
  if (counts.answered < share)
    return absl::CancelledError("another worker's part of the load failed");
  return absl::OkStatus();
}

}  // namespace kbench
