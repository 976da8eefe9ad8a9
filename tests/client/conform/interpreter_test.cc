// A whole survey in this process: of our own server, of our own server with one answer broken, and
// of servers that are none.
#include "client/conform/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/conform/matrix.h"
#include "client/conform/survey.h"
#include "client/requests.h"
#include "tests/client/conform/breaking_proxy.h"
#include "tests/client/conform/odd_server.h"
#include "tests/server/loopback_client.h"

namespace kbench::conform {
namespace {

using server::RunningServer;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Verdict = Survey::Verdict;

SurveyOptions At(const HostPort& address) {
  SurveyOptions options;
  options.target.address = address;
  options.target.server = *Resolve(address);
  options.target.connect = options.target.answer = Seconds(30);
  return options;
}

// Of servers that do not answer: no answer is waited for long, a connection is.
SurveyOptions At(const OddServer& odd, Nanos connect = Seconds(30)) {
  SurveyOptions options = At(HostPort{.host = "127.0.0.1", .port = odd.port()});
  options.target.connect = connect;
  options.target.answer = options.target.quiet = Millis(50);
  return options;
}

std::vector<std::string> Differing(const Survey& survey) {
  std::vector<std::string> names;
  for (const CaseResult& result : survey.results) {
    if (survey.VerdictOf(result) == Verdict::kDiffers) names.push_back(result.tested->name);
  }
  return names;
}

const CaseResult& Of(const Survey& survey, const std::string& name) {
  for (const CaseResult& result : survey.results) {
    if (result.tested->name == name) return result;
  }
  ADD_FAILURE() << "there is no case " << name;
  return survey.results.front();
}

TEST(Conform, OurOwnServerAgreesAndKeepsWhatItHad) {
  RunningServer server;
  const auto client = *client::Client::Connect({.server = *Resolve(server.address())});
  ASSERT_EQ(client->Call(client::PutRequest("kbench-conform"), "before")->status,
            kinetic::StatusCode::kSuccess);
  ASSERT_EQ(client->Call(client::PutRequest("zzz"), "behind")->status,
            kinetic::StatusCode::kSuccess);
  const auto survey = RunSurvey(At(server.address()));
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(survey->dialect, Dialect::kKbench);
  EXPECT_TRUE(survey->clean()) << MatrixText(*survey);
  EXPECT_GT(survey->Count(Verdict::kAgrees), 120);
  std::vector<std::string> keys;
  ASSERT_TRUE(client
                  ->VisitKeys("", "\xff\xff",
                              [&](absl::string_view key) {
                                keys.emplace_back(key);
                                return true;
                              })
                  .ok());
  EXPECT_THAT(keys, ::testing::ElementsAre("kbench-conform", "zzz"));
}

TEST(Conform, AMissingKeyValueIsADifferenceOfItsOwnCases) {
  RunningServer server;
  const BreakingProxy proxy(server.address(), WithoutKeyValue);
  const auto survey = RunSurvey(At(proxy.address()));
  ASSERT_TRUE(survey.ok()) << survey.status();
  const std::vector<std::string> differing = Differing(*survey);
  EXPECT_THAT(differing, Contains("put.new"));
  EXPECT_THAT(differing, Contains("put.version-mismatch"));
  // What only needs an object there is not spoilt.
  for (const std::string& name : differing) {
    EXPECT_THAT(name, AnyOf(StartsWith("put."), StartsWith("limits."), StartsWith("frame.")));
  }
  EXPECT_EQ(Of(*survey, "put.new").steps.front().did, "SUCCESS");
  EXPECT_THAT(MatrixText(*survey), HasSubstr("kbench: SUCCESS keyValue   <- differs"));
}

TEST(Conform, AnAcknowledgementOfAnotherSequenceIsADifference) {
  RunningServer server;
  const BreakingProxy proxy(server.address(), WithAnotherAck);
  SurveyOptions options = At(proxy.address());
  options.only = {"noop", "get.object", "getlog.limits"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_THAT(Differing(*survey), ::testing::ElementsAre("noop"));
  EXPECT_EQ(Of(*survey, "noop").steps.front().did, "SUCCESS ackSequence=1000001");
}

TEST(Conform, ASignatureOfNobodyIsADifference) {
  RunningServer server;
  const BreakingProxy proxy(server.address(), WithAForgedSignature);
  SurveyOptions options = At(proxy.address());
  options.only = {"noop", "get.object", "put.force"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_THAT(Differing(*survey), ::testing::UnorderedElementsAre("get.object", "put.force"));
  EXPECT_THAT(Of(*survey, "get.object").steps.back().did, StartsWith("SUCCESS wrong-signature"));
}

// It may be that it does not know us, as the simulator says that. It may be broken: who names cases
// is told what becomes of them.
TEST(Conform, AServerThatLeavesTheCommandOutForEverybodyIsTriedWhereItIsAsked) {
  RunningServer server;
  const BreakingProxy proxy(server.address(), WithoutCommand);
  SurveyOptions options = At(proxy.address());
  options.target.answer = Seconds(3);  // what never matches takes it whole, thrice
  const absl::Status all = RunSurvey(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(all)) << all;
  EXPECT_THAT(std::string(all.message()), HasSubstr("or its answers have no command at all"));
  options.only = {"noop"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_THAT(Differing(*survey), ::testing::ElementsAre("noop"));
  EXPECT_THAT(Of(*survey, "noop").steps.front().did, StartsWith("no-command"));
}

// Any order is good but this one: what was flushed had not been acknowledged.
TEST(Conform, AFlushThatIsAnsweredBeforeAWriteIsADifferenceWhereWritesAreHeld) {
  RunningServer server;
  std::string held;
  const BreakingProxy proxy(
      server.address(), [&held](const kinetic::Message& message, absl::string_view pdu) {
        const kinetic::Header& header = message.command.header;
        if (header.message_type == kinetic::MessageType::kPutResponse && header.ack_sequence == 2) {
          held = std::string(pdu);
          return std::string();
        }
        const bool flushed =
            header.message_type == kinetic::MessageType::kFlushAllDataResponse && !held.empty();
        return absl::StrCat(pdu, flushed ? held : "");
      });
  SurveyOptions options = At(proxy.address());
  options.only = {"order.flush"};
  options.dialect = Dialect::kKineticd;
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_THAT(Differing(*survey), ::testing::ElementsAre("order.flush"));
  const CaseResult& result = Of(*survey, "order.flush");
  EXPECT_EQ(result.steps[1].did, "SUCCESS keyValue after=#3,#4");
  EXPECT_FALSE(result.agrees(Dialect::kKbench));
  EXPECT_TRUE(result.agrees(Dialect::kSpec));
}

TEST(Conform, AServerThatGreetsNobodyIsNoServer) {
  const struct {
    Manner manner;
    Nanos connect;
    const char* words;
  } servers[] = {{Manner::kClosesAtOnce, Seconds(30), "before a greeting"},
                 {Manner::kSaysNothing, Millis(100), "no greeting came"},
                 {Manner::kDribbles, Millis(100), "no greeting came"},
                 {Manner::kAlwaysBusy, Seconds(2), "SERVICE_BUSY"},
                 {Manner::kNoKinetic, Seconds(30), "no Kinetic"}};
  for (const auto& one : servers) {
    const OddServer odd(one.manner);
    const auto survey = RunSurvey(At(odd, one.connect));
    EXPECT_TRUE(absl::IsUnavailable(survey.status())) << survey.status();
    EXPECT_THAT(std::string(survey.status().message()), HasSubstr(one.words));
  }
}

TEST(Conform, ABusyServerIsAskedAgain) {
  const OddServer odd(Manner::kBusyTwice);
  SurveyOptions options = At(odd);
  options.only = {"frame.magic"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(Of(*survey, "frame.magic").steps.front().did, "nothing");
}

TEST(Conform, AServerThatStopsAnsweringIsLostAndNotAskedForEver) {
  const OddServer odd(Manner::kGreetsOnly);
  const auto survey = RunSurvey(At(odd));
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_FALSE(survey->clean());
  EXPECT_TRUE(survey->lost);
  EXPECT_THAT(survey->cut_short, HasSubstr("stopped answering"));
  EXPECT_EQ(Of(*survey, "noop").steps.front().did, "nothing");
  EXPECT_GT(survey->Count(Verdict::kNotTried), 100);
}

TEST(Conform, AServerThatGoesAwayIsLost) {
  const OddServer odd(Manner::kOnlyOnce);
  const auto survey = RunSurvey(At(odd));
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_TRUE(survey->lost);
  EXPECT_THAT(survey->cut_short, HasSubstr("lost"));
  EXPECT_THAT(survey->left_behind, HasSubstr("kbench-conform/"));
  EXPECT_EQ(survey->Count(Verdict::kDiffers), 0) << "nothing was asked";
}

// With fewer cases left than make a row, a NOOP is what tells.
TEST(Conform, AServerThatIsGoneAtTheEndIsLostHoweverFewCasesThereAre) {
  for (const Manner manner : {Manner::kGreetsOnly, Manner::kOnlyOnce}) {
    const OddServer odd(manner);
    SurveyOptions options = At(odd);
    options.only = {"flushalldata"};
    const auto survey = RunSurvey(options);
    ASSERT_TRUE(survey.ok()) << survey.status();
    EXPECT_TRUE(survey->lost);
  }
}

// Four frames in a row have no answer from a server that waits for the rest of each. It is there.
TEST(Conform, SilenceToWhatIsNoFrameIsNoLoss) {
  const OddServer odd(Manner::kWaitsForMore);
  SurveyOptions options = At(odd);
  options.target.answer = Seconds(30);
  options.only = {"frame.magic", "frame.message-too-long", "frame.negative-length",
                  "frame.value-too-long"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  for (const CaseResult& result : survey->results) {
    ASSERT_TRUE(result.tried()) << result.tested->name;
    EXPECT_EQ(result.steps.front().did, "nothing");
  }
  EXPECT_FALSE(survey->lost) << survey->cut_short;
}

TEST(Conform, AServerThatNeverStopsTalkingIsNotListenedToForEver) {
  const OddServer odd(Manner::kNeverSilent);
  SurveyOptions options = At(odd);
  options.only = {"noop", "batch.commit", "frame.magic"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(Differing(*survey).size(), 3u);
  EXPECT_LT(MatrixJson(*survey).size(), 100'000u);
}

TEST(Conform, WhatAServerSaysPaintsNoTerminal) {
  const OddServer odd(Manner::kRude);
  SurveyOptions options = At(odd);
  options.target.answer = Seconds(30);
  options.only = {"noop"};
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(Of(*survey, "noop").steps.front().said, "\\x1b[31m\\x0d\\x0ared");
  for (const std::string& shown :
       {MatrixText(*survey), MatrixJson(*survey), MatrixMarkdown(*survey)}) {
    for (const char c : shown) {
      EXPECT_TRUE(c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c)))
          << static_cast<int>(c);
    }
  }
}

TEST(Conform, NoCaseOfThatNameIsAMistakeOfWhoAsks) {
  RunningServer server;
  SurveyOptions options = At(server.address());
  options.only = {"nonsense"};
  EXPECT_TRUE(absl::IsInvalidArgument(RunSurvey(options).status()));
}

TEST(Conform, StopsBetweenCasesAndRemovesItsKeysAllTheSame) {
  RunningServer server;
  const std::atomic<bool> stopped = true;
  SurveyOptions options = At(server.address());
  options.stopped = &stopped;
  const auto survey = RunSurvey(options);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_TRUE(survey->stopped);
  EXPECT_EQ(survey->Count(Verdict::kAgrees), 0);
  EXPECT_EQ(survey->left_behind, "");
}

}  // namespace
}  // namespace kbench::conform
