#include "agent/run/caveats.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/load/server_limits.h"
#include "agent/load/value_tag.h"
#include "agent/run/client_caveats.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr double kSaturated = 0.8;         // of one core, per worker
constexpr double kLatenessShare = 0.05;    // p99 of lateness / p99 of response
constexpr double kLittleShare = 0.03;      // of the places for requests in flight
constexpr double kTurns = 50;              // of each place, from which on edges do not matter
constexpr double kRunQueueShare = 0.1;     // of the workers' time
constexpr double kDrainShare = 0.05;       // of the window's length
constexpr double kForeignCpus = 0.25;      // used by others, on average
constexpr double kStolenShare = 0.01;      // of all CPUs' time, by the hypervisor
constexpr size_t kSettingsNamed = 3;       // of those that are not as tuned
constexpr double kStampsMissing = 0.01;    // of the probed frames
constexpr Nanos kStepAllowed = Micros(1);  // beyond what reading the clocks leaves open
// A worker that sleeps once per answer or less is well; one that wakes this often for nothing has
// something that keeps waking it, as undrained kernel stamps do. A large request or answer comes in
// pieces and may cost a wait for each: the kernel joins packets to at most 64 KiB.
constexpr double kWaitsPerAnswer = 4;
constexpr double kBytesPerWait = 64 * 1024;

Histogram OfAllOps(const RunOutcome& outcome, const Histogram& (*part)(const OpStats&)) {
  Histogram all;
  for (const OpStats& op : outcome.ops) all.Add(part(op));
  return all;
}

uint64_t CountOverflow(const RunOutcome& outcome) {
  uint64_t overflow = 0;
  for (const OpStats& op : outcome.ops) {
    overflow += op.response.overflow() + op.service.overflow();
    overflow += op.failed.overflow() + op.lost.overflow();
    for (const Histogram& phase : op.phases) overflow += phase.overflow();
  }
  return overflow;
}

std::string Human(Nanos duration) { return HumanDuration(static_cast<double>(duration.count())); }

double BytesMoved(const RunOutcome& outcome) {
  uint64_t bytes = 0;
  for (const OpStats& op : outcome.ops) bytes += op.request_bytes + op.response_bytes;
  return static_cast<double>(bytes);
}

class Judge {
 public:
  Judge(const RunSpec& spec, const RunOutcome& outcome)
      : spec_(spec), outcome_(outcome), totals_(outcome.totals()) {}

  std::vector<Caveat> Verdicts() {
    Aborted();
    Injected();
    if (outcome_.client) {  // no workers of ours
      if (totals_.failed > 0) Failed();
      for (Caveat& caveat : JudgeClient(spec_, outcome_)) found_.push_back(std::move(caveat));
      Clocks();
      Records();
      Neighbours();
      Tuning();
      return std::move(found_);
    }
    Outcomes();
    Values();
    Tags();
    Generator();
    Clocks();
    Records();
    Machine();
    Protocol();
    return std::move(found_);
  }

 private:
  void Add(std::string code, std::string text) {
    found_.push_back({.code = std::move(code), .text = std::move(text)});
  }

  void Aborted() {
    if (!outcome_.aborted) return;
    Add("aborted", absl::StrCat("the run ended after ", Human(outcome_.measured), " of ",
                                FormatDuration(spec_.duration), ": ", outcome_.abort_reason));
  }

  void Injected() {
    const Inject& inject = spec_.inject;
    if (inject.keep_awake) {
      Add("kept_awake",
          "the agent's CPUs were kept out of their idle states by order: wake-ups are faster than "
          "they are on an idle host");
    }
    if (!inject.any()) return;
    std::vector<std::string> parts;
    if (inject.encode > Nanos()) {
      parts.push_back(
          absl::StrCat(FormatDuration(inject.encode), " of CPU time while a request is encoded"));
    }
    if (inject.decode > Nanos()) {
      parts.push_back(
          absl::StrCat(FormatDuration(inject.decode), " of CPU time while an answer is decoded"));
    }
    if (inject.relay) {
      parts.push_back(absl::StrCat(
          FormatDuration(inject.relay_delay),
          inject.relay_rate > 0
              ? absl::StrCat(" and the time of ", FormatBitRate(inject.relay_rate))
              : "",
          " each way in a relay on this host (it really added ", Human(outcome_.relay.up),
          " towards the server and ", Human(outcome_.relay.down), " back, medians of ",
          outcome_.relay.chunks, " chunks together)"));
    }
    Add("injected", absl::StrCat("delays were added by order: ", absl::StrJoin(parts, ", "),
                                 "; this is a proof of the method, not a measurement of the server "
                                 "or of the network"));
  }

  void Outcomes() {
    if (totals_.lost > 0) {
      Add("requests_lost",
          absl::StrFormat("%d of %d requests had no answer%s; response times hold each at the time "
                          "until it was given up, so the true ones are longer; the parts of a "
                          "response do not hold them",
                          totals_.lost, totals_.sent, WhyLost()));
    }
    if (totals_.failed > 0) Failed();
  }

  void Failed() {
    Add("requests_failed",
        absl::StrFormat("%d of %d answers were not good (%s); response times are of the others%s",
                        totals_.failed, totals_.answered + totals_.failed, Failures(),
                        FirstWords()));
  }

  void Values() {
    if (!spec_.verify) return;
    uint64_t wrong = 0, good = 0, untagged = 0;
    for (size_t i = 0; i < outcome_.ops.size(); ++i) {
      const OpStats& op = outcome_.ops[i];
      if (ReadsValue(spec_.ops[i].kind)) good += op.counts.answered;
      wrong += op.statuses[kWrongValueSlot] + op.statuses[kWrongLengthSlot];
      untagged += op.untagged;
    }
    if (good + wrong == 0) {
      Add("nothing_verified",
          "workload.verify was asked for, and this run read no value: nothing was checked");
      return;
    }
    if (wrong > 0) {
      Add("wrong_values",
          absl::StrFormat("%d values that were read are not those that were written", wrong));
    }
    Add("values_verified",
        absl::StrFormat("%d values that were read were checked against what they say of "
                        "themselves, and %d good ones against their tags as well; the check is "
                        "the client's, made after the bytes came, and part of decode",
                        good + wrong, good - untagged));
    if (spec_.tag.has_value() && untagged > 0) {
      Add("values_untagged",
          absl::StrFormat(
              "%d values that were read came without a tag that can be compared, "
              "though this run's puts carry one (%s): another program wrote them, or the "
              "server does not keep tags",
              untagged, kinetic::TagName(*spec_.tag)));
    }
  }

  void Tags() {
    if (!spec_.tag.has_value() || IsPrepared(*spec_.tag) || outcome_.tag_cost == Nanos()) return;
    Add("tags_in_window",
        absl::StrFormat("the %s tag of every put is made while its request is encoded, since the "
                        "value's label differs from put to put: about %s of client_encode for each "
                        "put, as measured on this host before the run; crc32c is prepared",
                        kinetic::TagName(*spec_.tag), Human(outcome_.tag_cost)));
  }

  // ": 3 not sent within the time-out of 10s (...), 1 ...".
  std::string WhyLost() const {
    std::array<uint64_t, kLostWhyCount> lost = {};
    for (const OpStats& op : outcome_.ops) {
      for (int i = 0; i < kLostWhyCount; ++i) lost[i] += op.lost_by[i];
    }
    const std::string timeout = FormatDuration(spec_.op_timeout);
    const std::string texts[kLostWhyCount] = {
        absl::StrCat("not sent within the time-out of ", timeout,
                     " (the client, or a connection that took no more, was late)"),
        absl::StrCat("sent and unanswered within the time-out of ", timeout,
                     " (the network or the server was late)"),
        "lost with their connection", "unanswered when the run ended"};
    std::string text;
    for (int i = 0; i < kLostWhyCount; ++i) {
      if (lost[i] == 0) continue;
      absl::StrAppend(&text, text.empty() ? ": " : ", ", lost[i], " ", texts[i]);
    }
    return text;
  }

  // "NOT_FOUND 12, WRONG_HMAC 1".
  std::string Failures() const {
    std::array<uint64_t, kStatusSlots> statuses = {};
    for (size_t op = 0; op < outcome_.ops.size(); ++op) {
      const kinetic::StatusCode expected =
          outcome_.client ? kinetic::StatusCode::kSuccess : ExpectedStatus(spec_.ops[op].kind);
      const int good = StatusSlot(expected, Verdict::kByStatus);
      for (int i = 0; i < kStatusSlots; ++i) {
        if (i != good) statuses[i] += outcome_.ops[op].statuses[i];
      }
    }
    std::string text;
    for (int i = 0; i < kStatusSlots; ++i) {
      if (statuses[i] == 0) continue;
      absl::StrAppend(&text, text.empty() ? "" : ", ", StatusSlotName(i), " ", statuses[i]);
    }
    return text;
  }

  std::string FirstWords() const {
    for (const OpStats& op : outcome_.ops) {
      for (const std::string& error : op.first_errors) {
        if (!error.empty() && !absl::StartsWith(error, "LOST")) {
          return absl::StrCat("; the first: ", error, TagRemedy(spec_, error));
        }
      }
    }
    return "";
  }

  void Generator() {
    if (totals_.unsent > 0) {
      Add("window_overflow",
          absl::StrFormat("%d of %d due requests were not sent: %d requests per connection were "
                          "already unanswered, or the connection was gone; the offered rate was "
                          "not reached",
                          totals_.unsent, totals_.due, spec_.depth));
    }
    if (!spec_.open.has_value()) return Little();
    RateVaries();
    if (outcome_.drain.seconds() > kDrainShare * outcome_.measured.seconds()) {
      Add("long_drain",
          absl::StrFormat("when the window of %s was over it took another %s until nothing was "
                          "unanswered: requests were offered faster than they were answered, and "
                          "response times grow with the length of the window",
                          Human(outcome_.measured), Human(outcome_.drain)));
    }
    const auto wait = [](const OpStats& op) -> const Histogram& {
      return op.phases[static_cast<int>(Phase::kWait)];
    };
    const auto response = [](const OpStats& op) -> const Histogram& { return op.response; };
    const Nanos late = OfAllOps(outcome_, wait).Percentile(99);
    const Nanos whole = OfAllOps(outcome_, response).Percentile(99);
    if (static_cast<double>(late.count()) <= kLatenessShare * static_cast<double>(whole.count())) {
      return;
    }
    Add("generator_late",
        absl::StrFormat("requests were started up to %s after they were due (p99), which is more "
                        "than %.0f %% of the response time's p99 of %s",
                        Human(late), 100 * kLatenessShare, Human(whole)));
  }

  void RateVaries() {
    if (spec_.open->stretches.empty()) return;
    double least = spec_.open->stretches.front().from;
    for (const RateStretch& stretch : spec_.open->stretches) {
      least = std::min({least, stretch.from, stretch.to});
    }
    Add("rate_varies",
        absl::StrFormat("by order (%s) the offered rate of this agent was between %g/s and %g/s "
                        "over the window: counts, response times and utilisations are of the whole "
                        "window, and of none of these rates; intervals.csv has what was due and "
                        "answered when",
                        Name(spec_.open->arrival), least, spec_.open->peak()));
  }

  // A closed loop keeps every place occupied: the time that requests spent in flight fills them.
  // What is missing is time in which the client neither sent nor measured.
  void Little() {
    if (outcome_.aborted || spec_.max_ops_per_flow > 0 || outcome_.backoffs > 0 ||
        outcome_.disconnected > Nanos()) {
      return;
    }
    const double places = static_cast<double>(spec_.flows) * spec_.depth;
    const double room = places * static_cast<double>(outcome_.measured.count());
    double filled = 0, requests = 0;
    for (const OpStats& op : outcome_.ops) {
      for (const Histogram* part : {&op.response, &op.failed, &op.lost}) {
        filled += part->mean_ns() * static_cast<double>(part->count());
        requests += static_cast<double>(part->count());
      }
    }
    if (room <= 0 || requests < kTurns * places) return;
    if (std::fabs(filled / room - 1) <= kLittleShare) return;
    Add("littles_law",
        absl::StrFormat("requests were in flight for %.1f %% of the time that %.0f places for them "
                        "had; more than %.0f %% away from all of it, response times do not hold "
                        "what the client did",
                        100 * filled / room, places, 100 * kLittleShare));
  }

  void Clocks() {
    const int64_t step = std::abs(outcome_.clock_step.count());
    if (Nanos(step) <= kStepAllowed) return;
    Add("clock_step",
        absl::StrFormat("CLOCK_REALTIME moved by %d ns against CLOCK_MONOTONIC during the run; "
                        "phases from kernel stamps are off by as much",
                        outcome_.clock_step.count()));
  }

  void Records() {
    if (outcome_.samples_dropped > 0) {
      Add("samples_dropped",
          absl::StrFormat("the trace was full: %d sampled requests after the first %d are missing "
                          "from it (not from the histograms); ask for fewer or allow more",
                          outcome_.samples_dropped, outcome_.samples.size()));
    }
    if (const uint64_t overflow = CountOverflow(outcome_); overflow > 0) {
      Add("histogram_overflow",
          absl::StrFormat("%d durations were above the histograms' %s and are counted apart",
                          overflow, HumanDuration(static_cast<double>(Histogram::kHighest))));
    }
  }

  void Machine() {
    const size_t cpus = outcome_.host.cpus.size();
    if (cpus > 0 && spec_.workers > cpus) {
      Add("cores_oversubscribed", absl::StrFormat("%d workers share %d CPUs", spec_.workers, cpus));
    }
    if (outcome_.workers_unpinned > 0) {
      Add("cores_oversubscribed",
          absl::StrFormat("%d of %d workers could not be pinned to the CPU they were given",
                          outcome_.workers_unpinned, spec_.workers));
    }
    // A worker that spins uses all of its core by design.
    if (spec_.poll == PollMode::kBlock && outcome_.use.busiest_worker >= kSaturated) {
      Add("client_saturated",
          absl::StrFormat("the busiest worker used %.0f %% of a core: the client itself may be "
                          "the limit",
                          100 * outcome_.use.busiest_worker));
    }
    const double worked = outcome_.measured.seconds() * outcome_.workers;
    const double waited = outcome_.use.threads.run_queue_wait.seconds();
    if (worked > 0 && waited > kRunQueueShare * worked) {
      Add("cpu_contended",
          absl::StrFormat("workers could run but had to wait for a CPU during %.0f %% of the time: "
                          "what else runs on their CPUs is in every part of the client's times",
                          100 * waited / worked));
    }
    Waits();
    Stamps();
    Paced();
    Neighbours();
    Tuning();
    for (const auto& [name, value] : outcome_.transport_facts) {
      if (!absl::StartsWith(value, "refused")) continue;
      Add("transport_option_refused", absl::StrCat("transport ", name, ": ", value));
    }
  }

  // Of a closed loop that sleeps while it waits for probed requests; an open loop wakes to send,
  // and one that pauses wakes to look whether the pause is over.
  void Waits() {
    const double answers = static_cast<double>(totals_.answered + totals_.failed);
    if (spec_.sample_every == 0 || spec_.poll != PollMode::kBlock || spec_.open.has_value() ||
        answers == 0 || outcome_.backoffs > 0 || outcome_.disconnected > Nanos()) {
      return;
    }
    const double explained = kWaitsPerAnswer + BytesMoved(outcome_) / answers / kBytesPerWait;
    const double waits = static_cast<double>(outcome_.use.transport.waits) / answers;
    if (waits <= explained) return;
    Add("probe_perturbed",
        absl::StrFormat(
            "the transport waited %.1f times per answer, where up to %.1f are usual for "
            "the bytes moved: kernel stamps, or a slow stream of packets, keep waking "
            "it, and what was measured is a busy client",
            waits, explained));
  }

  // Of the kernel's send stamps. A driver may keep one back for a while, but not every hundredth.
  void Stamps() {
    const TransportCounters& use = outcome_.use.transport;
    const uint64_t missing = use.stamps_missing + use.stamps_abandoned;
    if (static_cast<double>(missing) <= kStampsMissing * static_cast<double>(use.stamps_asked)) {
      return;
    }
    Add("stamps_undrained",
        absl::StrFormat("of %d probed frames %d had not both of the kernel's send stamps when "
                        "their answers came: stamps that stay in a socket's error queue wake the "
                        "client again and again and take room from what it receives, so that "
                        "nothing that was measured here can be believed",
                        use.stamps_asked, missing));
  }

  // Pacing is a delay of the kernel's own making, between the request's submission and the wire.
  void Paced() {
    if (outcome_.use.transport.stamps_asked == 0) return;
    const std::string& control = outcome_.tcp.congestion_control;
    if (absl::StartsWith(control, "bbr")) {
      Add("paced",
          absl::StrCat("the flows' congestion control is ", control,
                       ", which paces: what it holds back is between a request's submission and "
                       "its kernel stamps, and so counts to the client; set another one "
                       "(congestion_control) where that matters"));
    }
    for (const LinkUse& link : outcome_.host_use.links) {
      if (link.qdisc != "fq") continue;
      Add("paced", absl::StrCat("the queue of ", link.interface,
                                " is fq, which paces: what it holds back is between the kernel's "
                                "two send stamps, and so counts to the client"));
    }
  }

  // What the host's record of tuning says must hold, or a reader of the result is misled.
  void Tuning() {
    const HostTuning& tuning = outcome_.host.tuning;
    if (tuning.state == HostTuning::kUnreadable) {
      Add("tuning_unreadable",
          absl::StrCat("whether this host is tuned is not known: ", HostTuning::kRecord,
                       " cannot be read (", tuning.problem,
                       "); tune.yml and untune.yml stop at it, too"));
    }
    if (tuning.state != HostTuning::kTuned) return;
    std::vector<std::string> undone;
    for (const TunedSetting& setting : tuning.settings) {
      if (!setting.Undone()) continue;
      undone.push_back(
          absl::StrCat(setting.setting, " is ", setting.now, " and not ", setting.wanted));
    }
    if (undone.empty()) return;
    const size_t count = undone.size();
    if (count > kSettingsNamed) undone.resize(kSettingsNamed);
    Add("tuning_undone",
        absl::StrCat("this host was tuned at ", tuning.changed_at, ", and ", count, " of ",
                     tuning.settings.size(), " settings are not so any more: ",
                     absl::StrJoin(undone, "; "), count > kSettingsNamed ? "; ..." : "",
                     ". A restart does that; tune.yml tunes it again"));
  }

  // Others on this host are in every part of the client's times: they take CPU, or keep it awake.
  void Neighbours() {
    const HostUse& host = outcome_.host_use;
    const double window = host.window.seconds();
    if (window <= 0) return;
    const double foreign = std::max(0.0, (host.busy - host.own).seconds() / window);
    const double cpus = std::max<double>(1, host.cpus);
    const double stolen = host.steal.seconds() / window / cpus;
    if (foreign <= kForeignCpus && stolen <= kStolenShare) return;
    Add("noisy_neighbour",
        absl::StrFormat("other processes, the server included when it runs here, used %.2f CPUs "
                        "of %d on average and %.2f at most in one of %d looks; the hypervisor took "
                        "%.1f %% of the CPUs' time",
                        foreign, host.cpus, host.most_foreign, host.samples, 100 * stolen));
  }

  void Protocol() {
    if (outcome_.late_answers > 0) {
      Add("late_answers", absl::StrFormat("%d answers came after their request's time-out of %s",
                                          outcome_.late_answers, FormatDuration(spec_.op_timeout)));
    }
    if (outcome_.backoffs > 0) {
      Add("server_busy",
          absl::StrFormat("the server said SERVICE_BUSY: flows paused %d times, for %s together, "
                          "warm-up included; no response time holds these pauses, so throughput "
                          "is not depth divided by response time",
                          outcome_.backoffs, Human(outcome_.backed_off)));
    }
    if (outcome_.disconnected > Nanos() && spec_.reconnects > 0) {
      Add("reconnected",
          absl::StrFormat(
              "connections were lost %d times and %d times one came back, warm-up included; they "
              "were missing for %s, summed over connections. Opening them took the workers %s, in "
              "which they served no other connection: answers that came meanwhile were read late, "
              "and their response times hold that",
              outcome_.losses, outcome_.reconnects, Human(outcome_.disconnected),
              Human(outcome_.reopening)));
    }
    if (outcome_.protocol_errors > 0) {
      Add("protocol_errors",
          absl::StrFormat("%d answers broke the protocol, warm-up included: they belonged to no "
                          "request that was waiting, or had no status, or not the message type "
                          "that answers their request, or a value where none belongs; none of "
                          "them is counted as a good answer; the first: %s",
                          outcome_.protocol_errors, outcome_.protocol_error_text));
    }
    if (outcome_.unsolicited > 0) {
      Add("unsolicited_status", absl::StrFormat("the server sent %d statuses unasked, the last: %s",
                                                outcome_.unsolicited, outcome_.unsolicited_text));
    }
  }

  const RunSpec& spec_;
  const RunOutcome& outcome_;
  const Counts totals_;
  std::vector<Caveat> found_;
};

}  // namespace

std::vector<Caveat> JudgeRun(const RunSpec& spec, const RunOutcome& outcome) {
  return Judge(spec, outcome).Verdicts();
}

}  // namespace kbench
