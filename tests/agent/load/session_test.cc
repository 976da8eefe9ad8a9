#include "agent/load/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

using Fate = FakeTransport::Fate;
using Request = FakeTransport::Request;
using kinetic::StatusCode;

FakeTransport::Judge AnswersAfter(Nanos delay) {
  return [delay](const Request&) { return Fate{.delay = delay}; };
}

Arrival::Options Constant(double rate) { return {.kind = ArrivalKind::kConstant, .rate = rate}; }

TEST(Session, TakesItsIdentityFromTheHandshake) {
  Rig rig({.flows = 2}, AnswersAfter(Micros(10)));
  EXPECT_TRUE(rig.session(0).ready());
  EXPECT_EQ(rig.session(0).connection_id(), 1000);
  EXPECT_EQ(rig.session(1).connection_id(), 1001);
}

TEST(Session, ChargesAStallToEveryRequestThatWasDueInIt) {
  // 1000 requests a second for one second, each answered after 100 us; the client stands still
  // from 500 ms for 100 ms. 100 requests were due in the stall, and they waited 1 to 100 ms.
  Rig rig({.depth = 200, .open = Constant(1000)}, AnswersAfter(Micros(100)));
  rig.transport().StallAt(Rig::kStart + Millis(500), Millis(100));
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.due, 1000u);
  EXPECT_EQ(stats.counts.answered, 1000u);
  EXPECT_EQ(stats.response.count(), 1000u);
  // Exactly 90 of 1000 had to wait for more than 10 ms, so the rank of 90.9 % is beyond it.
  EXPECT_LT(stats.response.Percentile(90.0), Millis(2));
  EXPECT_GT(stats.response.Percentile(92.0), Millis(10));
  EXPECT_GE(stats.response.max(), Millis(99));
  EXPECT_LE(stats.service.Percentile(99.9), Millis(1)) << "the server itself was never slow";
}

TEST(Session, CountsAFullWindowAsUnsent) {
  // Due every millisecond; each answer takes 10 ms; 4 may be unanswered: 4 in 10 are sent.
  Rig rig({.depth = 4, .open = Constant(1000)}, AnswersAfter(Millis(10) - Micros(1)));
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.due, 1000u);
  EXPECT_EQ(counts.sent, 400u);
  EXPECT_EQ(counts.unsent, 600u);
  EXPECT_EQ(rig.transport().most_unanswered(), 4u);
}

TEST(Session, SkipsAnUnsentRequestWithoutShiftingThoseBehindIt) {
  // What is due at an instant is the same whether or not the window had room for what came before.
  const auto keys = [](uint32_t depth) {
    Rig rig({.depth = depth, .open = Constant(1000), .ops = {{.kind = OpKind::kPut}}},
            AnswersAfter(Millis(10) - Micros(1)));
    rig.Run();
    std::map<int64_t, std::string> by_instant;
    for (const Request& request : rig.transport().requests()) {
      by_instant[request.at.ns() / Millis(1).count()] = request.key;
    }
    return by_instant;
  };
  const auto all = keys(64), some = keys(4);
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(some.size(), 400u);
  for (const auto& [at, key] : some) EXPECT_EQ(all.at(at), key);
}

TEST(Session, KeepsItsPaceHoweverFastTheAnswersAre) {
  Rig rig({.depth = 4, .pace = Millis(20)}, AnswersAfter(Micros(100)));
  const Counts counts = rig.Run().totals();  // of one second
  EXPECT_LE(counts.sent, 50u);
  EXPECT_GE(counts.sent, 48u);
}

TEST(Session, NeverDelaysWhatIsDue) {
  Rig rig({.depth = 4, .open = Constant(1000)}, AnswersAfter(Millis(10) - Micros(1)));
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_LE(PhaseOf(stats, Phase::kWait).max(), Micros(60));
}

TEST(Session, KeepsDepthRequestsInFlightInAClosedLoop) {
  Rig rig({.depth = 8}, AnswersAfter(Millis(1)));
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(rig.transport().most_unanswered(), 8u);
  EXPECT_EQ(counts.due, 8000u);  // 8 x 1 s / 1 ms
  EXPECT_EQ(counts.answered, 8000u);
  EXPECT_EQ(counts.unsent, 0u);
}

TEST(Session, ClosesLittlesLawInAClosedLoop) {
  // A client that stands still makes no throughput, and its response time says so.
  Rig rig({.depth = 8}, AnswersAfter(Millis(1)));
  rig.transport().StallAt(Rig::kStart + Millis(300), Millis(400));
  const OpStats& stats = rig.Run().ops()[0];
  const double throughput = static_cast<double>(stats.counts.answered) / 1.0;
  const double in_flight = throughput * stats.response.mean_ns() / 1e9;
  EXPECT_NEAR(in_flight, 8.0, 8 * 0.01);
}

TEST(Session, RecordsNothingOfTheWarmUp) {
  Rig rig({.open = Constant(1000), .warmup = Millis(300), .duration = Millis(500)},
          AnswersAfter(Micros(10)));
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(rig.transport().requests().size(), 800u);
  EXPECT_EQ(counts.due, 500u);
}

TEST(Session, CountsAnswersThatComeInTheDrain) {
  Rig rig({.depth = 5, .duration = Millis(100)}, AnswersAfter(Millis(80)));
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.due, 10u);  // five at 0 ms, five at 80 ms, answered at 160 ms
  EXPECT_EQ(counts.answered, 10u);
}

TEST(Session, DoesNotTakeTheDrainForThroughput) {
  // 1000 due a second for one second; the server answers one every 2 ms and so half of them late.
  Nanos free_at;
  Rig rig({.depth = 1000, .open = Constant(1000)}, [&](const Request& request) {
    const Nanos at = request.at - Rig::kStart;
    free_at = std::max(free_at, at) + Millis(2);
    return Fate{.delay = free_at - at};
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.answered, 1000u);
  EXPECT_NEAR(static_cast<double>(stats.answered_in_window), 500, 2);
  EXPECT_EQ(rig.progress().completed, stats.answered_in_window);
}

TEST(Session, CountsWhatTheWarmUpLeftBehindAsThroughput) {
  // Answers take 200 ms; those to requests of the last 200 ms of the warm-up come in the window,
  // those to the window's own last 200 ms do not.
  Rig rig({.depth = 500, .open = Constant(1000), .warmup = Millis(300), .duration = Millis(500)},
          AnswersAfter(Millis(200)));
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.answered, 500u);
  EXPECT_NEAR(static_cast<double>(stats.answered_in_window), 500, 2);
}

TEST(Session, GivesUpAfterTheTimeOutAndIgnoresTheLateAnswer) {
  // The third request is answered after 50 ms, but 20 ms are allowed.
  Rig rig({.duration = Millis(200), .op_timeout = Millis(20)}, [](const Request& request) {
    return Fate{.delay = request.number == 2 ? Millis(50) : Millis(1)};
  });
  const Recorder& recorder = rig.Run();
  const Counts counts = recorder.totals();
  EXPECT_EQ(counts.lost, 1u);
  EXPECT_EQ(counts.answered, counts.sent - 1);
  EXPECT_EQ(rig.session().findings().late_answers, 1u);
  EXPECT_EQ(rig.session().findings().protocol_errors, 0u);
  EXPECT_GT(counts.sent, 100u) << "the slot was freed";
  EXPECT_EQ(recorder.ops()[0].response.count(), counts.answered);
  EXPECT_EQ(recorder.ops()[0].lost.count(), 1u);
  EXPECT_GE(recorder.ops()[0].lost.max(), Millis(20));
}

TEST(Session, FreesThePlacesOfUnansweredRequestsInADrainOfAtMostTheTimeOut) {
  Rig rig({.depth = 3, .duration = Millis(10), .op_timeout = Millis(100)},
          [](const Request&) { return Fate{.answered = false}; });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.sent, 3u);
  EXPECT_EQ(counts.lost, 3u);
  EXPECT_LE(SimClock::Now() - Rig::kStart, Millis(120));
}

TEST(Session, CountsFailuresByStatusAndKeepsTheFirstTexts) {
  Rig rig({.ops = {{.kind = OpKind::kPut}}, .max_ops = 30}, [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    if (request.number % 3 == 0) {
      fate.status = StatusCode::kNoSpace;
      fate.text = "the disk is full";
    }
    return fate;
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.failed, 10u);
  EXPECT_EQ(stats.counts.answered, 20u);
  EXPECT_EQ(stats.statuses[StatusSlot(StatusCode::kNoSpace, Verdict::kByStatus)], 10u);
  EXPECT_EQ(stats.first_errors[0], "NO_SPACE: the disk is full");
  EXPECT_EQ(stats.response.count(), 20u) << "a fast error is no fast answer";
}

TEST(Session, FailsAGetOfAnotherLengthThanWasLoaded) {
  Rig rig({.ops = {{.kind = OpKind::kGet}}, .max_ops = 4}, [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    if (request.number == 1) fate.value_size = 99;
    return fate;
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.failed, 1u);
  EXPECT_EQ(stats.statuses[kWrongLengthSlot], 1u);
}

TEST(Session, FailsAValueThatIsNotTheOneWritten) {
  for (OpKind kind : {OpKind::kGet, OpKind::kNext}) {
    Rig rig({.ops = {{.kind = kind}}, .max_ops = 4, .verify = true},
            [](const Request&) { return Fate{.delay = Micros(5), .value_size = 100}; });
    const OpStats& stats = rig.Run().ops()[0];
    EXPECT_EQ(stats.counts.failed, 4u);
    EXPECT_EQ(stats.statuses[kWrongValueSlot], 4u);
    EXPECT_EQ(stats.first_errors[0], kind == OpKind::kGet
                                         ? "WRONG_VALUE: it is no value that kbench wrote"
                                         : "WRONG_VALUE: its key is none that kbench wrote");
  }
}

TEST(Session, GoesOnWhenItsFlowIsOpenedAgain) {
  for (const bool open : {false, true}) {
    RigOptions options = {.flows = 2, .depth = 4, .duration = Millis(200), .reopens = true};
    if (open) options.open = Constant(1000);
    Rig rig(options, AnswersAfter(Millis(1)));
    rig.transport().CloseAt(FlowId(0), Rig::kStart + Millis(100) + Micros(500));
    const Recorder& recorder = rig.Run();
    const Counts counts = recorder.totals();
    EXPECT_TRUE(counts.Identical());
    EXPECT_GT(counts.lost, 0u) << "what was in flight";
    EXPECT_LE(counts.lost, 4u);
    EXPECT_EQ(rig.session(0).findings().reopened, 1u);
    EXPECT_EQ(rig.session(0).connection_id(), 2000);
    EXPECT_EQ(rig.session(1).findings().reopened, 0u);
    const Nanos down = rig.session(0).findings().down;
    EXPECT_GT(down, Nanos());
    EXPECT_LE(down, Pump::kTick + Millis(1));
    EXPECT_EQ(rig.session(1).findings().down, Nanos());
    if (open) {
      EXPECT_GT(counts.unsent, 0u) << "due while there was no flow";
      EXPECT_LE(counts.unsent, 12u);
    } else {
      // 4 x 200 ms / 1 ms of each, but for what the first one missed.
      EXPECT_NEAR(static_cast<double>(counts.answered), 1600 - 4 * down.seconds() * 1e3, 16);
      EXPECT_LE(PhaseOf(recorder.ops()[0], Phase::kWait).max(), Micros(60))
          << "the time without a flow is no request's";
    }
  }
}

TEST(Session, EndsWithoutItsFlowWhenTheWindowDoes) {
  Rig rig({.depth = 2, .duration = Millis(50), .reopens = true}, AnswersAfter(Millis(1)));
  rig.transport().CloseAt(FlowId(0), Rig::kStart + Millis(49));
  EXPECT_TRUE(rig.Run().totals().Identical());
  EXPECT_TRUE(rig.session().closed());
  EXPECT_EQ(rig.session().findings().reopened, 0u);
  EXPECT_GT(rig.session().findings().down, Nanos());
}

TEST(Session, FailsANeighbourOfAnotherLengthThanWasLoaded) {
  for (OpKind kind : {OpKind::kNext, OpKind::kPrevious}) {
    Rig rig({.ops = {{.kind = kind}}, .max_ops = 4}, [](const Request& request) {
      Fate fate{.delay = Micros(5), .value_size = 100};
      if (request.number == 1) fate.value_size = 99;
      return fate;
    });
    const OpStats& stats = rig.Run().ops()[0];
    EXPECT_EQ(stats.counts.answered, 3u);
    EXPECT_EQ(stats.statuses[kWrongLengthSlot], 1u);
  }
}

TEST(Session, TakesNotFoundForTheAnswerToAMissAndFailsAHit) {
  Rig rig({.ops = {{.kind = OpKind::kGetMiss}}, .max_ops = 4}, [](const Request& request) {
    Fate fate{.delay = Micros(5), .status = StatusCode::kNotFound};
    if (request.number == 1) fate.status = StatusCode::kSuccess;
    if (request.number == 2) fate.wrong_key = true;
    return fate;
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.answered, 2u);
  EXPECT_EQ(stats.counts.failed, 2u);
  EXPECT_EQ(stats.statuses[StatusSlot(StatusCode::kNotFound, Verdict::kByStatus)], 2u);
  EXPECT_EQ(stats.statuses[kUnexpectedHitSlot], 1u);
  EXPECT_EQ(stats.statuses[kWrongHmacSlot], 1u);
}

TEST(Session, GivesABusyServerTimeInAClosedLoopAndCountsItApart) {
  for (const bool open : {false, true}) {
    SCOPED_TRACE(open);
    RigOptions options{.depth = 2, .max_ops = 40};
    if (open) options.open = Constant(1000);
    Rig rig(options, [](const Request& request) {
      Fate fate{.delay = Micros(5)};
      if (request.number >= 10 && request.number < 13) fate.status = StatusCode::kServiceBusy;
      return fate;
    });
    const Recorder& recorder = rig.Run();
    EXPECT_EQ(recorder.totals().failed, 3u);
    EXPECT_EQ(recorder.totals().answered, 37u);
    EXPECT_LT(recorder.ops()[0].response.max(), Micros(100)) << "no response time holds a pause";
    const SessionFindings& findings = rig.session().findings();
    if (open) {
      EXPECT_EQ(findings.backoffs, 0u);
      continue;
    }
    // Two in flight when the first pause begins: so two or three pauses, of 1 ms and 2 ms at least.
    EXPECT_GE(findings.backoffs, 2u);
    EXPECT_GE(findings.backed_off, Millis(3));
    EXPECT_LT(findings.backed_off, Millis(200));
  }
}

TEST(Session, DoublesItsPausesWhileTheServerStaysBusy) {
  Rig rig({.duration = Seconds(2)}, [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    if (request.number > 0) fate.status = StatusCode::kServiceBusy;
    return fate;
  });
  const uint64_t sent = rig.Run().totals().sent;
  // 1, 2, 4, ..., 64 ms, each up to the next tick, and then 128 ms each.
  EXPECT_GE(sent, 2000 / 138u);
  EXPECT_LE(sent, 8 + 2000 / 128u);
  EXPECT_GE(rig.session().findings().backed_off, Millis(1990)) << "the last pause counts as well";
  EXPECT_LE(rig.session().findings().backed_off, Millis(2020));
}

TEST(Session, FailsAnAnswerSignedWithAnotherKey) {
  Rig rig({.max_ops = 4}, [](const Request& request) {
    return Fate{.delay = Micros(5), .wrong_key = request.number == 2};
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.failed, 1u);
  EXPECT_EQ(stats.statuses[kWrongHmacSlot], 1u);
}

TEST(Session, MatchesAnAnswerWithoutAckWhenOnlyOneRequestIsUnanswered) {
  Rig rig({.max_ops = 3}, [](const Request& request) {
    return Fate{.delay = Micros(5), .without_ack = request.number == 1};
  });
  EXPECT_EQ(rig.Run().totals().answered, 3u);
  EXPECT_EQ(rig.session().findings().protocol_errors, 0u);
}

TEST(Session, CountsAnAnswerToNothingAsAProtocolError) {
  Rig rig({.depth = 2, .max_ops = 4, .op_timeout = Millis(10)}, [](const Request& request) {
    return Fate{.delay = Micros(5), .without_ack = request.number == 0};
  });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(rig.session().findings().protocol_errors, 1u);
  EXPECT_EQ(counts.lost, 1u);
  EXPECT_EQ(counts.answered, 3u);
}

TEST(Session, TakesAnswersInAnyOrder) {
  // Odd requests are answered ten times as fast as even ones.
  Rig rig({.depth = 8, .duration = Millis(100)}, [](const Request& request) {
    return Fate{.delay = request.number % 2 == 0 ? Millis(1) : Micros(100)};
  });
  const Counts counts = rig.Run().totals();
  EXPECT_GT(counts.answered, 800u);
  EXPECT_EQ(counts.answered, counts.sent);
}

TEST(Session, NumbersRequestsStrictlyUpwards) {
  Rig rig({.depth = 8, .duration = Millis(100)}, [](const Request& request) {
    return Fate{.delay = Micros(100 + static_cast<int64_t>(Mix64(request.number) % 900))};
  });
  rig.Run();
  uint64_t last = 0;
  for (const Request& request : rig.transport().requests()) {
    EXPECT_GT(request.sequence, last);
    last = request.sequence;
  }
}

TEST(Session, LosesWhatIsInFlightWhenTheServerClosesAndSaysWhatItHadSaid) {
  Rig rig({.depth = 4}, AnswersAfter(Millis(1)));
  rig.transport().SayAt(FlowId{0}, Rig::kStart + Micros(10'400), StatusCode::kShutdown, "bye");
  rig.transport().CloseAt(FlowId{0}, Rig::kStart + Micros(10'500));
  rig.on_lost = [&] { rig.EndNow(); };
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.lost, 4u);
  EXPECT_EQ(counts.answered, 40u);
  EXPECT_TRUE(rig.session().closed());
  EXPECT_EQ(rig.session().closed_text(),
            "the server closed the connection; it had said SHUTDOWN: bye");
  EXPECT_EQ(rig.session().findings().unsolicited, 1u);
}

TEST(Session, CountsWhatIsDueOnADeadFlowAsUnsent) {
  Rig rig({.flows = 2, .depth = 4, .open = Constant(100)}, AnswersAfter(Millis(1)));
  rig.transport().CloseAt(FlowId{0}, Rig::kStart + Micros(499'500));
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.due, 200u);
  EXPECT_EQ(counts.unsent, 50u);
  EXPECT_EQ(counts.answered, 150u);
}

TEST(Session, MarksReceiveStampsThatSeveralAnswersShare) {
  // Two answers in one receive call; then one alone.
  Rig rig({.depth = 2, .max_ops = 3, .sample_every = 1}, [](const Request& request) {
    return Fate{.delay = request.number < 2 ? Millis(1) : Millis(3)};
  });
  rig.transport().set_coalesce(true);
  const std::vector<OpRecord>& samples = rig.Run().samples();
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_TRUE(samples[0].flags & kSharedReceiveStamp);
  EXPECT_TRUE(samples[1].flags & kSharedReceiveStamp);
  EXPECT_FALSE(samples[2].flags & kSharedReceiveStamp);
}

TEST(Session, KeepsWhenTheClientBeganToWaitForAnAnswer) {
  // Answers come 300 us after their requests, but for 100 ms the client looks for none.
  Rig rig({.depth = 200, .open = Constant(1000), .sample_every = 1}, AnswersAfter(Micros(300)));
  rig.transport().StallAt(Rig::kStart + Millis(500), Millis(100));
  int late = 0;
  for (const OpRecord& sample : rig.Run().samples()) {
    EXPECT_GE(sample.polled, sample.send.submitted);
    EXPECT_LE(sample.polled, sample.woke);
    late += sample.polled - sample.send.submitted > Millis(50);
  }
  EXPECT_EQ(late, 1) << "the one request that was on its way when the client stood still";
}

TEST(Session, MarksRequestsSentWithNothingOutstanding) {
  Rig rig({.depth = 2, .max_ops = 2, .sample_every = 1}, AnswersAfter(Millis(1)));
  const std::vector<OpRecord>& samples = rig.Run().samples();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_TRUE(samples[0].flags & kNothingOutstanding);
  EXPECT_FALSE(samples[1].flags & kNothingOutstanding);
}

TEST(Session, GoesOnWhenAnAnswerOvertakesTheNewsThatItsRequestWasSent) {
  // As io_uring may report it. The slot stays taken until its stamps are final, the place does not.
  Rig rig({.max_ops = 50, .sample_every = 1},
          [](const Request&) { return Fate{.delay = Micros(10), .sent_late = true}; });
  const Recorder& recorder = rig.Run();
  EXPECT_EQ(recorder.totals().answered, 50u);
  EXPECT_EQ(recorder.samples().size(), 50u);
  EXPECT_EQ(recorder.samples_dropped(), 0u);
}

TEST(Session, ProbesOneInNOnAverageAtRandomDistances) {
  constexpr uint64_t kOps = 64'000;
  Rig rig({.max_ops = kOps, .duration = Seconds(100), .sample_every = 64, .samples_max = kOps},
          AnswersAfter(Micros(10)));
  const std::vector<OpRecord>& samples = rig.Run().samples();
  // Distances are uniform in [1, 127]: deviation 36.7, so that of the count is 0.57 sqrt(1000).
  EXPECT_NEAR(static_cast<double>(samples.size()), 1000.0, 4 * 0.58 * 31.6);
  std::set<int64_t> distances;
  for (size_t i = 1; i < samples.size(); ++i) {
    distances.insert((samples[i].intended - samples[i - 1].intended).count());
  }
  EXPECT_GT(distances.size(), 100u) << "not a fixed stride";
}

TEST(Session, TellsTheTransportWhenNoProbedRequestIsUnanswered) {
  uint64_t probes = 0;
  {
    Rig rig({.max_ops = 400, .sample_every = 8},
            [](const auto&) { return FakeTransport::Fate{.delay = Micros(10)}; });
    probes = rig.Run().samples().size();
    EXPECT_GT(probes, 20u);
    EXPECT_EQ(rig.transport().probes_answered(), probes) << "at depth 1: after each of them";
  }
  Rig lost({.max_ops = 40, .duration = Seconds(10), .op_timeout = Millis(50), .sample_every = 1},
           [](const auto& request) {
             return FakeTransport::Fate{.delay = Micros(10), .answered = request.number % 2 == 0};
           });
  lost.Run();
  EXPECT_EQ(lost.transport().probes_answered(), 40u) << "given up is over, too";
}

TEST(Session, TakesAnUnsignedRefusalThatNamesItsRequestAsTheAnswer) {
  Rig rig({.max_ops = 3}, [](const auto&) {
    return FakeTransport::Fate{.delay = Micros(10),
                               .status = kinetic::StatusCode::kHmacFailure,
                               .text = "identity 9 is unknown here",
                               .unsolicited = true};
  });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.failed, 3u);
  EXPECT_EQ(counts.lost, 0u);
  EXPECT_EQ(rig.session(0).findings().unsolicited, 3u);
}

TEST(Session, SendsTheSameRequestsWhateverTheServerDoes) {
  const auto keys = [](FakeTransport::Judge judge) {
    Rig rig({.depth = 4,
             .ops = {{.kind = OpKind::kGet, .weight = 3}, {.kind = OpKind::kPut, .weight = 1}},
             .max_ops = 300,
             .duration = Seconds(100),
             .op_timeout = Millis(50)},
            std::move(judge));
    rig.Run();
    std::vector<std::pair<int, std::string>> seen;
    for (const Request& r : rig.transport().requests()) {
      seen.emplace_back(static_cast<int>(r.type), r.key);
    }
    return seen;
  };
  const auto quick = keys(AnswersAfter(Micros(10)));
  const auto troubled = keys([](const Request& request) {
    return Fate{.delay = Micros(static_cast<int64_t>(Mix64(request.number) % 5000)),
                .answered = request.number % 7 != 0};
  });
  EXPECT_EQ(quick.size(), 300u);
  EXPECT_EQ(quick, troubled);
}

// Whatever happens to the requests: the counts add up, no sample is dropped, and the interval
// counters agree with them.
class AnyWeather : public testing::TestWithParam<uint64_t> {};

TEST_P(AnyWeather, CountsAddUp) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  Random random(GetParam());
  RigOptions options = {
      .flows = 1 + static_cast<uint32_t>(random.Below(4)),
      .depth = 1 + static_cast<uint32_t>(random.Below(8)),
      .ops = {{.kind = OpKind::kGet}, {.kind = OpKind::kPut}, {.kind = OpKind::kDelete}},
      .warmup = Millis(20),
      .duration = Millis(200),
      .op_timeout = Millis(15),
      .sample_every = static_cast<uint32_t>(random.Below(4)),
      .samples_max = 1'000'000,
      .seed = random.Next()};
  if (random.Below(2) == 0) {
    options.open = {.kind = random.Below(2) == 0 ? ArrivalKind::kConstant : ArrivalKind::kPoisson,
                    .rate = 200.0 + 3000 * random.Uniform(),
                    .seed = random.Next()};
  }
  std::map<StatusCode, uint64_t> told;
  Rig rig(options, [&random](const Request&) {
    Fate fate{.delay = Micros(static_cast<int64_t>(random.Exponential(1500)))};
    fate.answered = random.Below(20) != 0;
    if (random.Below(15) == 0) fate.delay += Millis(20);  // a late answer
    if (random.Below(10) == 0) fate.status = StatusCode::kServiceBusy;
    fate.wrong_key = random.Below(50) == 0;
    fate.without_ack = random.Below(50) == 0;
    fate.sent_late = fate.answered && random.Below(5) == 0;
    if (random.Below(30) == 0) {
      const auto type = static_cast<kinetic::MessageType>(1 + random.Below(12));
      fate.type = random.Below(3) == 0 ? kinetic::MessageType::kInvalid : type;
    }
    fate.without_status = random.Below(50) == 0;
    return fate;
  });
  if (random.Below(3) == 0) {
    rig.transport().CloseAt(FlowId{0},
                            Rig::kStart + Micros(static_cast<int64_t>(random.Below(250'000))));
  }
  const Recorder& recorder = rig.Run();
  uint64_t probed = 0, in_window = 0;
  for (const OpStats& stats : recorder.ops()) {
    EXPECT_TRUE(stats.counts.Identical());
    EXPECT_EQ(stats.response.count(), stats.counts.answered);
    EXPECT_EQ(stats.service.count(), stats.counts.answered);
    EXPECT_EQ(stats.failed.count(), stats.counts.failed);
    EXPECT_EQ(stats.lost.count(), stats.counts.lost);
    // The warm-up leaves no more than a full flight behind.
    EXPECT_LE(stats.answered_in_window, stats.counts.answered + options.flows * options.depth);
    in_window += stats.answered_in_window;
    EXPECT_EQ(PhaseOf(stats, Phase::kWait).count(), stats.counts.answered);
    uint64_t by_status = 0;
    for (uint64_t n : stats.statuses) by_status += n;
    EXPECT_EQ(by_status, stats.counts.answered + stats.counts.failed);
    EXPECT_EQ(stats.response.underflow(), 0u);
    probed += stats.counts.sent;
  }
  const Counts totals = recorder.totals();
  EXPECT_GT(totals.answered, 0u);
  EXPECT_EQ(rig.progress().completed, in_window);
  EXPECT_LE(rig.progress().failed, totals.failed + totals.lost);
  if (options.sample_every == 1) {
    EXPECT_EQ(recorder.samples().size(), probed);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyWeather, testing::Range<uint64_t>(1, 61));

}  // namespace
}  // namespace kbench
