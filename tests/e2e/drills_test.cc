// Bad input and bad days: each ends in a clear message, the documented exit code, no hang, and
// nothing half-written. Ports come from the kernel, everything stays on loopback.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>

#include "base/address.h"
#include "base/fd.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/future_agent.h"

namespace kbench::e2e {
namespace {

using ::testing::Test;

constexpr const char* kShortRun =
    "run: {warmup: 50ms, duration: 200ms, repetitions: 1, connect_timeout: 2s, op_timeout: 3s}\n"
    "probes: {passes: [sampled]}\n"
    "workload: {op: get, value_size: 4KiB, keys: 16}\n";
constexpr const char* kLongRun =
    "run: {warmup: 50ms, duration: 60s, repetitions: 1, connect_timeout: 2s, op_timeout: 3s}\n"
    "probes: {passes: [sampled]}\n"
    "workload: {op: get, value_size: 4KiB, keys: 16}\n";

void ExpectSaid(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

// A loopback socket that is bound and, if asked, listens; nobody ever answers on it.
struct SilentSocket {
  explicit SilentSocket(bool listening) : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
    if (bind(fd.get(), any->get(), any->length) != 0) std::abort();
    if (listening && listen(fd.get(), 16) != 0) std::abort();
    address = LocalAddress(fd.get())->ToString();
  }
  Fd fd;
  std::string address;
};

TEST(Drill, AWrongCampaignNamesFileLineAndRemedy) {
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir, "name: typo\ntransprot: uring\n", {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 2);
  ExpectSaid(run.finished.err, "campaign.yaml:2");
  ExpectSaid(run.finished.err, "transport");
  EXPECT_TRUE(run.result_dirs.empty());
  EXPECT_TRUE(run.partial_dirs.empty());
}

TEST(Drill, AWrongServiceTimeIsFoundBeforeAnythingStarts) {
  const TempDir dir;
  const std::string file =
      dir.Write("c.yaml", "name: typo\nserver: {service_time: [1ms, 'get=exp:5']}\n");
  const Finished validate =
      e2e::Run({Program("kbench"), "validate", file, "--local", "1"}, seconds(60));
  EXPECT_EQ(validate.code, 2);
  ExpectSaid(validate.err, "c.yaml:2");
  ExpectSaid(validate.err, "server.service_time");
  ExpectSaid(validate.err, "get=exp:5");
}

TEST(Drill, AKeyOfAnyBytesReachesTheEmbeddedServer) {
  const TempDir dir;
  const std::string key = dir.Write("key", std::string(" \n\0\xff#key ", 9) + "\n");
  const CampaignRun run =
      RunCampaign(dir, "name: key\nserver: {key_file: '" + key + "'}\n" + kShortRun,
                  {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 0) << run.finished.err;
}

TEST(Drill, AnUnreachableServerIsNamed) {
  const SilentSocket closed(/*listening=*/false);
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir, "name: nobody\nserver: {address: '" + closed.address + "'}\n" + kShortRun,
                  {"--local", "2"}, seconds(60));
  EXPECT_EQ(run.finished.code, 8);
  ExpectSaid(run.finished.err, closed.address);
  EXPECT_TRUE(run.partial_dirs.empty());
}

TEST(Drill, AServerThatAcceptsAndStaysSilentIsGivenUp) {
  const SilentSocket silent(/*listening=*/true);
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir, "name: silent\nserver: {address: '" + silent.address + "'}\n" + kShortRun,
                  {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 8);
  ExpectSaid(run.finished.err, silent.address);
  ExpectSaid(run.finished.err, "handshake");
}

TEST(Drill, AWrongKeyIsSaidAndNeverShown) {
  Daemon server("kbench-server", {});
  const TempDir dir;
  const std::string secret = "not-the-factory-key-1234567";
  const std::string key = dir.Write("key", secret);
  const CampaignRun run = RunCampaign(dir,
                                      "name: key\nserver: {address: '" + server.address() +
                                          "', key_file: '" + key + "'}\n" + kShortRun,
                                      {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 8);
  ExpectSaid(run.finished.err, "HMAC");
  std::string everything = run.finished.out + run.finished.err;
  for (const std::string& directory : run.result_dirs) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) everything += ReadFile(entry.path());
    }
  }
  EXPECT_EQ(everything.find(secret), std::string::npos) << "the key leaked";
}

// With the default time-outs: the refusal ends it, not the controller's patience.
TEST(Drill, AnUnknownIdentityIsARefusalByTheServer) {
  Daemon server("kbench-server", {});
  const TempDir dir;
  const CampaignRun run = RunCampaign(
      dir, "name: stranger\nserver: {address: '" + server.address() + "', identity: 99}\n",
      {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 8) << run.finished.err;
  ExpectSaid(run.finished.err, "identity 99 is unknown here");
  ExpectSaid(run.finished.err, server.address());
}

TEST(Drill, AValueThatSomebodyElseWroteEndsWithItsOwnCode) {
  Daemon server("kbench-server", {});
  const auto campaign = [&server](const std::string& workload) {
    return "name: wrong\nserver: {address: '" + server.address() +
           "'}\nworkload: {op: get, keys: 4, " + workload +
           "}\nprobes: {passes: [sampled]}\n"
           "run: {warmup: 0s, duration: 100ms, repetitions: 1}\n";
  };
  const TempDir good, bad;
  const CampaignRun whole = RunCampaign(good, campaign("verify: true"), {"--local", "1"});
  EXPECT_EQ(whole.finished.code, 0) << whole.finished.err;
  ExpectSaid(whole.finished.out, "values_verified");
  // One of the four keys gets a value of the right length that is not its own.
  const std::string kv = Program("kbench-kv");
  const Finished keys = e2e::Run({kv, "range", "--server", server.address()});
  const std::string key = keys.out.substr(0, keys.out.find('\n'));
  ASSERT_EQ(key.size(), 16u) << keys.out;
  const std::string value = bad.Write("value", std::string(4096, 'x'));
  ASSERT_EQ(
      e2e::Run({kv, "put", key, "--value-file", value, "--force", "--server", server.address()})
          .code,
      0);
  const CampaignRun wrong =
      RunCampaign(bad, campaign("verify: true, load: false"), {"--local", "1"});
  EXPECT_EQ(wrong.finished.code, 9);
  ExpectSaid(wrong.finished.err, "not those that were written");
  ExpectSaid(wrong.finished.out, "WRONG_VALUE: it is no value that kbench wrote");
  EXPECT_EQ(wrong.Manifest().at("status"), "complete");
  EXPECT_EQ(wrong.Manifest().at("exit_code"), 9);
}

TEST(Drill, AnAgentOfAnotherVersionIsRefusedNamingBoth) {
  const FutureAgent agent;
  Daemon server("kbench-server", {});
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir,
                  "name: version\nagents: ['" + agent.address() + "']\nserver: {address: '" +
                      server.address() + "'}\n" + kShortRun,
                  {}, seconds(60));
  EXPECT_EQ(run.finished.code, 7);
  ExpectSaid(run.finished.err, "99");
  ExpectSaid(run.finished.err, "protocol 1.");
  ExpectSaid(run.finished.err, agent.address());
}

TEST(Drill, AnObserverThatIsNotThereEndsTheCampaignBeforeAnythingRuns) {
  const SilentSocket closed(/*listening=*/false);
  Daemon server("kbench-server", {});
  Daemon agent("kbench-agent", {"--plaintext"});
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir,
                  "name: blind\nagents: ['" + agent.address() + "']\nserver: {address: '" +
                      server.address() + "', observer: '" + closed.address + "'}\n" + kShortRun,
                  {"--set", "probes.passes=[full]"}, seconds(60));
  EXPECT_EQ(run.finished.code, 6) << run.finished.err;
  ExpectSaid(run.finished.err, "server.observer");
  ExpectSaid(run.finished.err, closed.address);
  EXPECT_TRUE(run.result_dirs.empty());
}

TEST(Drill, AServerKilledHalfWayLeavesAMarkedPartialResult) {
  Daemon server("kbench-server", {});
  const TempDir dir;
  Child kbench(RunArgv(dir,
                       "name: killed\nserver: {address: '" + server.address() + "'}\n" + kLongRun,
                       {"--local", "2"}));
  kbench.WaitForOutput("ops/s", seconds(60));  // progress: the window is open
  server.child().Signal(SIGKILL);
  const int code = kbench.Wait(seconds(60));
  EXPECT_EQ(code, 6) << kbench.err();
  const CampaignRun run = Look(dir, {.code = code, .out = kbench.out(), .err = kbench.err()});
  EXPECT_EQ(run.Manifest()["status"], "failed");
  EXPECT_TRUE(run.partial_dirs.empty());
  ExpectSaid(run.finished.err, server.address());
}

TEST(Drill, AnAgentKilledHalfWayIsNamed) {
  Daemon server("kbench-server", {});
  Daemon first("kbench-agent", {"--plaintext"});
  Daemon second("kbench-agent", {"--plaintext"});
  const TempDir dir;
  Child kbench(RunArgv(dir,
                       "name: lost\nagents: ['" + first.address() + "', '" + second.address() +
                           "']\nserver: {address: '" + server.address() + "'}\n" + kLongRun,
                       {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  second.child().Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), 6) << kbench.err();
  ExpectSaid(kbench.err(), second.address());
}

TEST(Drill, CtrlCKeepsPartialResultsMarkedAborted) {
  const TempDir dir;
  Child kbench(RunArgv(dir, std::string("name: interrupted\n") + kLongRun, {"--local", "2"}));
  kbench.WaitForOutput("ops/s", seconds(60));
  kbench.Signal(SIGINT);
  const int code = kbench.Wait(seconds(60));
  EXPECT_EQ(code, 130) << kbench.err();
  const CampaignRun run = Look(dir, {.code = code, .out = kbench.out(), .err = kbench.err()});
  EXPECT_EQ(run.Manifest()["status"], "aborted");
  EXPECT_TRUE(run.partial_dirs.empty());
}

TEST(Drill, SigtermKeepsPartialResultsMarkedAborted) {
  const TempDir dir;
  Child kbench(RunArgv(dir, std::string("name: terminated\n") + kLongRun, {"--local", "1"}));
  kbench.WaitForOutput("ops/s", seconds(60));
  kbench.Signal(SIGTERM);
  const int code = kbench.Wait(seconds(60));
  EXPECT_EQ(code, 143) << kbench.err();
  const CampaignRun run = Look(dir, {.code = code, .out = kbench.out(), .err = kbench.err()});
  EXPECT_EQ(run.Manifest()["status"], "aborted");
  EXPECT_TRUE(run.partial_dirs.empty());
}

TEST(Drill, AControllerKilledOutrightLeavesNothingThatLooksComplete) {
  const TempDir dir;
  Child kbench(RunArgv(dir, std::string("name: crashed\n") + kLongRun, {"--local", "1"}));
  kbench.WaitForOutput("ops/s", seconds(60));
  kbench.Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), 137);
  const CampaignRun run = Look(dir, {.code = 137, .out = "", .err = ""});
  EXPECT_TRUE(run.result_dirs.empty());
  EXPECT_EQ(run.partial_dirs.size(), 1u);
  const Finished list = e2e::Run({Program("kbench"), "list", "--results", dir.path() + "/results"});
  EXPECT_EQ(list.code, 0);
  ExpectSaid(list.out + list.err, ".partial-");
}

TEST(Drill, AFullDiskIsSaidAndLeavesNoHalfResult) {
  const TempDir dir;
  const SmallDisk disk(dir.path() + "/results", "24k");
  if (!disk.mounted()) GTEST_SKIP() << "needs root: cannot mount a tmpfs";
  const CampaignRun run =
      RunCampaign(dir, std::string("name: full\n") + kShortRun, {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 1);
  ExpectSaid(run.finished.err, "No space left on device");
  ExpectSaid(run.finished.err, dir.path() + "/results");
  EXPECT_TRUE(run.result_dirs.empty());
  EXPECT_TRUE(run.partial_dirs.empty());
}

TEST(Drill, ADiskThatFillsLaterKeepsTheRunsThatWereWritten) {
  const TempDir dir;
  const SmallDisk disk(dir.path() + "/results", "400k");
  if (!disk.mounted()) GTEST_SKIP() << "needs root: cannot mount a tmpfs";
  const CampaignRun run = RunCampaign(dir,
                                      "name: filling\n"
                                      "run: {warmup: 0s, duration: 100ms, repetitions: 40}\n"
                                      "probes: {sample_every: 64, passes: [sampled]}\n"
                                      "workload: {op: get, value_size: 4KiB, keys: 16}\n",
                                      {"--local", "1"}, seconds(60));
  EXPECT_EQ(run.finished.code, 1);
  ExpectSaid(run.finished.err, "No space left on device");
  EXPECT_TRUE(run.result_dirs.empty());
  ASSERT_EQ(run.partial_dirs.size(), 1u);
  ExpectSaid(run.finished.err, "kbench report " + run.partial_dirs.front());
  const Finished report = e2e::Run({Program("kbench"), "report", run.partial_dirs.front()});
  EXPECT_EQ(report.code, 0) << report.err;
  ExpectSaid(report.out, "recovered");
  ExpectSaid(report.out, "of mean response");
}

TEST(Drill, ASecondControllerIsToldWhoOwnsTheAgent) {
  Daemon server("kbench-server", {});
  Daemon agent("kbench-agent", {"--plaintext"});
  const TempDir dir;
  const std::string head = "name: busy\nagents: ['" + agent.address() + "']\nserver: {address: '" +
                           server.address() + "'}\n";
  Child first(RunArgv(dir, head + kLongRun, {}));
  first.WaitForOutput("ops/s", seconds(60));
  const TempDir other;
  const CampaignRun second = RunCampaign(other, head + kShortRun, {}, seconds(60));
  EXPECT_EQ(second.finished.code, 6);
  ExpectSaid(second.finished.err, "is busy with run ");
  ExpectSaid(second.finished.err, "pid " + std::to_string(first.pid()));
  first.Signal(SIGINT);
  EXPECT_EQ(first.Wait(seconds(60)), 130);
}

}  // namespace
}  // namespace kbench::e2e
