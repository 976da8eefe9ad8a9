// A finished run is judged by its numbers: each reason not to believe it is found when it is there,
// alone, and not found when the numbers have an innocent explanation.
#include "agent/run/caveats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kAnswers = 1000;
constexpr uint64_t kMiB = 1 << 20;

struct FinishedRun {
  RunSpec spec = SmallSpec({});
  RunOutcome outcome;
};

// Closed loop, probed, one wait per answer of 4 KiB.
FinishedRun HealthyRun() {
  FinishedRun run;
  run.spec.sample_every = 64;
  OpStats get;
  get.counts = {.due = kAnswers, .sent = kAnswers, .answered = kAnswers};
  get.request_bytes = 100 * kAnswers;
  get.response_bytes = 4096 * kAnswers;
  for (uint64_t i = 0; i < kAnswers; ++i) {
    get.response.Record(Micros(500));
    get.phases[static_cast<int>(Phase::kWait)].Record(Micros(1));
  }
  run.outcome.ops = {get};
  run.outcome.measured = Millis(500);
  run.outcome.workers = 1;
  run.outcome.host.cpus = {0, 1, 2, 3};
  run.outcome.use.transport.waits = kAnswers;
  run.outcome.use.busiest_worker = 0.5;
  return run;
}

std::vector<std::string> Codes(const FinishedRun& run) {
  std::vector<std::string> codes;
  for (const Caveat& caveat : JudgeRun(run.spec, run.outcome)) codes.push_back(caveat.code);
  return codes;
}

// The healthy run with other sizes and other waits.
FinishedRun RunWithWaits(double per_answer, uint64_t request_bytes, uint64_t response_bytes) {
  FinishedRun run = HealthyRun();
  run.outcome.ops[0].request_bytes = request_bytes * kAnswers;
  run.outcome.ops[0].response_bytes = response_bytes * kAnswers;
  run.outcome.use.transport.waits = static_cast<uint64_t>(per_answer * kAnswers);
  return run;
}

TEST(StampsUndrained, IsFoundWhenMoreThanOneInAHundredIsMissing) {
  FinishedRun run = HealthyRun();
  run.outcome.use.transport.stamps_asked = 1000;
  run.outcome.use.transport.stamps_missing = 6;
  run.outcome.use.transport.stamps_abandoned = 4;
  EXPECT_THAT(Codes(run), IsEmpty());
  run.outcome.use.transport.stamps_abandoned = 5;
  ASSERT_THAT(Codes(run), ElementsAre("stamps_undrained"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text, HasSubstr("of 1000 probed frames 11 had"));
}

TEST(Paced, IsSaidWhereKernelStampsWereTakenOfPacedFlows) {
  FinishedRun run = HealthyRun();
  run.outcome.tcp.congestion_control = "bbr";
  EXPECT_THAT(Codes(run), IsEmpty()) << "no stamps";
  run.outcome.use.transport.stamps_asked = 10;
  EXPECT_THAT(Codes(run), ElementsAre("paced"));
  run.outcome.tcp.congestion_control = "cubic";
  EXPECT_THAT(Codes(run), IsEmpty());
  run.outcome.host_use.links = {{.interface = "eth9", .qdisc = "fq"}};
  ASSERT_THAT(Codes(run), ElementsAre("paced"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text, HasSubstr("the queue of eth9 is fq"));
  run.outcome.host_use.links[0].qdisc = "fq_codel";
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(NoisyNeighbour, IsFoundByTheCpuThatOthersUsedAndByWhatTheHypervisorTook) {
  FinishedRun run = HealthyRun();
  run.outcome.host_use = {.window = Seconds(10),
                          .busy = Seconds(12),
                          .own = Millis(9'500),
                          .most_foreign = 1.5,
                          .samples = 101,
                          .cpus = 4};
  EXPECT_THAT(Codes(run), IsEmpty()) << "0.25 CPUs of others";
  run.outcome.host_use.own = Millis(9'400);
  ASSERT_THAT(Codes(run), ElementsAre("noisy_neighbour"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text,
              HasSubstr("used 0.26 CPUs of 4 on average and 1.50 at most in one of 101 looks"));
  run.outcome.host_use.own = Seconds(13);
  EXPECT_THAT(Codes(run), IsEmpty()) << "ticks are coarse: less than nothing is nothing";
  run.outcome.host_use.steal = Millis(401);
  EXPECT_THAT(Codes(run), ElementsAre("noisy_neighbour"));
}

TEST(ProbePerturbed, IsFoundWhenSmallAnswersTakeManyWaits) {
  const FinishedRun run = RunWithWaits(7.8, 100, 4096);
  ASSERT_THAT(Codes(run), ElementsAre("probe_perturbed"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text,
              HasSubstr("waited 7.8 times per answer, where up to 4.1 are usual"));
}

TEST(ProbePerturbed, IsNotWhatAnAnswerOfManyPacketsLooksLike) {
  EXPECT_THAT(Codes(RunWithWaits(7.8, 100, kMiB)), IsEmpty());  // GET of 1 MiB over epoll
  EXPECT_THAT(Codes(RunWithWaits(7.8, kMiB, 100)), IsEmpty());  // PUT of 1 MiB
}

TEST(ProbePerturbed, IsFoundInLargeAnswersThatTakeMoreWaitsThanTheyHavePieces) {
  EXPECT_THAT(Codes(RunWithWaits(19.9, 0, kMiB)), IsEmpty());  // 4, and 16 pieces of 64 KiB
  EXPECT_THAT(Codes(RunWithWaits(20.1, 0, kMiB)), ElementsAre("probe_perturbed"));
}

TEST(ProbePerturbed, AFewLargeAnswersDoNotExcuseManySmallOnes) {
  FinishedRun run = RunWithWaits(40, 100, 4096);
  OpStats large;
  large.counts = {.due = 10, .sent = 10, .answered = 10};
  large.response_bytes = 10 * kMiB;
  run.outcome.ops.push_back(large);
  EXPECT_THAT(Codes(run), ElementsAre("probe_perturbed"));
}

TEST(ProbePerturbed, NeedsProbesAndAClosedLoopThatSleeps) {
  FinishedRun unprobed = RunWithWaits(40, 100, 4096);
  unprobed.spec.sample_every = 0;
  EXPECT_THAT(Codes(unprobed), IsEmpty());
  FinishedRun spinning = RunWithWaits(40, 100, 4096);
  spinning.spec.poll = PollMode::kSpin;
  EXPECT_THAT(Codes(spinning), IsEmpty());
  FinishedRun open = RunWithWaits(40, 100, 4096);
  open.spec.open = OpenLoop{.rate = 1000};
  EXPECT_THAT(Codes(open), IsEmpty());
}

TEST(JudgeRun, FindsNothingInAHealthyRun) { EXPECT_THAT(Codes(HealthyRun()), IsEmpty()); }

TEST(JudgeRun, FindsEachFaultAlone) {
  const std::vector<std::pair<std::string, std::function<void(FinishedRun*)>>> faults = {
      {"aborted", [](FinishedRun* r) { r->outcome.aborted = true; }},
      {"requests_lost", [](FinishedRun* r) { r->outcome.ops[0].counts.lost = 1; }},
      {"requests_failed", [](FinishedRun* r) { r->outcome.ops[0].counts.failed = 1; }},
      {"long_drain",
       [](FinishedRun* r) {
         r->spec.open = OpenLoop{.rate = 1000};
         r->outcome.drain = Millis(26);
       }},
      {"window_overflow",
       [](FinishedRun* r) {
         r->outcome.ops[0].counts.unsent = 1;
         r->outcome.ops[0].counts.due = kAnswers + 1;
       }},
      {"clock_step", [](FinishedRun* r) { r->outcome.clock_step = Nanos(-1001); }},
      {"samples_dropped", [](FinishedRun* r) { r->outcome.samples_dropped = 1; }},
      {"histogram_overflow",
       [](FinishedRun* r) { r->outcome.ops[0].service.Record(Nanos(Histogram::kHighest + 1)); }},
      {"cores_oversubscribed", [](FinishedRun* r) { r->spec.workers = 5; }},
      {"cores_oversubscribed", [](FinishedRun* r) { r->outcome.workers_unpinned = 1; }},
      {"cpu_contended", [](FinishedRun* r) { r->outcome.use.threads.run_queue_wait = Millis(51); }},
      {"littles_law", [](FinishedRun* r) { r->outcome.measured = Millis(516); }},
      {"littles_law", [](FinishedRun* r) { r->outcome.measured = Millis(484); }},
      {"client_saturated", [](FinishedRun* r) { r->outcome.use.busiest_worker = 0.8; }},
      {"transport_option_refused",
       [](FinishedRun* r) {
         r->outcome.transport_facts = {{"TCP_CONGESTION", "refused: ENOENT"}};
       }},
      {"server_busy", [](FinishedRun* r) { r->outcome.backoffs = 1; }},
      {"late_answers", [](FinishedRun* r) { r->outcome.late_answers = 1; }},
      {"protocol_errors", [](FinishedRun* r) { r->outcome.protocol_errors = 1; }},
      // The healthy run's answers, but of an operation that reads nothing.
      {"nothing_verified",
       [](FinishedRun* r) {
         r->spec.verify = true;
         r->spec.ops[0].kind = OpKind::kPut;
       }},
      {"unsolicited_status", [](FinishedRun* r) { r->outcome.unsolicited = 1; }},
  };
  for (const auto& [code, plant] : faults) {
    FinishedRun run = HealthyRun();
    plant(&run);
    EXPECT_THAT(Codes(run), ElementsAre(code));
  }
}

TEST(JudgeRun, FindsNothingJustInsideItsLimits) {
  FinishedRun run = HealthyRun();
  run.outcome.clock_step = Nanos(1000);
  run.spec.workers = 4;
  run.outcome.use.busiest_worker = 0.79;
  run.outcome.transport_facts = {{"TCP_NODELAY", "on"}};
  run.outcome.use.threads.run_queue_wait = Millis(49);
  run.outcome.measured = Millis(514);
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(JudgeRun, AGeneratorIsLateOnlyAgainstAScheduleAndItsResponses) {
  FinishedRun run = HealthyRun();
  run.outcome.ops[0].phases[static_cast<int>(Phase::kWait)].Clear();
  run.outcome.ops[0].phases[static_cast<int>(Phase::kWait)].Record(Micros(30));  // 6 % of 500 us
  EXPECT_THAT(Codes(run), IsEmpty());  // a closed loop has no schedule
  run.spec.open = OpenLoop{.rate = 1000};
  EXPECT_THAT(Codes(run), ElementsAre("generator_late"));
  run.outcome.ops[0].response.Record(Seconds(1));
  for (int i = 0; i < 100; ++i) run.outcome.ops[0].response.Record(Millis(5));
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(JudgeRun, NamesWhatTheServerSaid) {
  FinishedRun run = HealthyRun();
  OpStats& get = run.outcome.ops[0];
  get.counts.failed = 8;
  get.counts.sent = get.counts.due = kAnswers + 8;
  get.statuses[StatusSlot(kinetic::StatusCode::kSuccess, Verdict::kByStatus)] = kAnswers;
  get.statuses[StatusSlot(kinetic::StatusCode::kNotFound, Verdict::kByStatus)] = 7;
  get.statuses[kWrongHmacSlot] = 1;
  get.first_errors = {"LOST: no answer", "NOT_FOUND: no such key", ""};
  ASSERT_THAT(Codes(run), ElementsAre("requests_failed"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text,
              AllOf(HasSubstr("8 of 1008 answers"), HasSubstr("(NOT_FOUND 7, WRONG_HMAC 1)"),
                    HasSubstr("the first: NOT_FOUND: no such key")));
}

TEST(JudgeRun, ADrainIsLongOnlyInAnOpenLoop) {
  FinishedRun run = HealthyRun();
  run.outcome.drain = Millis(250);  // one slow answer: its request waits for it
  EXPECT_THAT(Codes(run), IsEmpty());
  run.spec.open = OpenLoop{.rate = 1000};
  run.outcome.drain = Millis(24);
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(JudgeRun, ARateThatChangesIsSaid) {
  FinishedRun run = HealthyRun();
  run.spec.open = OpenLoop{
      .arrival = ArrivalKind::kRamp, .rate = 1000, .stretches = {{500, 1500, run.spec.duration}}};
  ASSERT_THAT(Codes(run), ElementsAre("rate_varies"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text, HasSubstr("between 500/s and 1500/s"));
}

TEST(JudgeRun, ASpinningWorkerIsBusyByDesign) {
  FinishedRun run = HealthyRun();
  run.spec.poll = PollMode::kSpin;
  run.outcome.use.busiest_worker = 1;
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(Tuning, SaysWhereATuningIsNotSoAnyMore) {
  FinishedRun run = HealthyRun();
  HostTuning& tuning = run.outcome.host.tuning;
  tuning = {.state = HostTuning::kTuned, .changed_at = "2026-11-26T17:19:08Z"};
  for (int i = 0; i < 5; ++i) {
    tuning.settings.push_back({.setting = "/proc/sys/net/core/rmem_max",
                               .status = "applied",
                               .wanted = "67108864",
                               .before = "212992",
                               .now = "67108864"});
  }
  EXPECT_THAT(Codes(run), IsEmpty());
  tuning.settings[4].now = "212992";
  ASSERT_THAT(Codes(run), ElementsAre("tuning_undone"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text,
              HasSubstr("1 of 5 settings are not so any more: /proc/sys/net/core/rmem_max is "
                        "212992 and not 67108864. A restart"));
  tuning.state = HostTuning::kUntuned;
  EXPECT_THAT(Codes(run), IsEmpty());
}

TEST(Tuning, SaysThatARecordOfTuningCannotBeRead) {
  FinishedRun run = HealthyRun();
  run.outcome.host.tuning = {.state = HostTuning::kUnreadable, .problem = "it is not JSON"};
  ASSERT_THAT(Codes(run), ElementsAre("tuning_unreadable"));
  EXPECT_THAT(JudgeRun(run.spec, run.outcome)[0].text, HasSubstr("it is not JSON"));
}

}  // namespace
}  // namespace kbench
