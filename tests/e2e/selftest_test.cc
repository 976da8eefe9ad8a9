// `kbench selftest` against servers that lie about their service time: it has to say that known
// delays do not come back, end with its own exit code, and be remembered by every report.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kDone = 0, kUsage = 2, kSuspect = 10;

TEST(Selftest, DelaysThatDoNotComeBackEndWithCode10AndStandInEveryReport) {
  const TempDir dir;
  Daemon agent("kbench-agent", {"--plaintext"});
  // All three serve at once; two are said to take their time.
  Daemon first("kbench-server", {}), second("kbench-server", {}), third("kbench-server", {});
  const Finished selftest =
      e2e::Run({Program("kbench"), "selftest", "--agents", agent.address(), "--dosed-server",
                first.address() + "=0us", "--dosed-server", second.address() + "=20ms",
                "--dosed-server", third.address() + "=40ms", "--transport", "epoll", "--quick",
                "--quiet", "--results", dir.path() + "/results"},
               seconds(120));
  EXPECT_EQ(selftest.code, kSuspect) << selftest.out << selftest.err;
  EXPECT_THAT(selftest.out, HasSubstr("WRONG"));
  EXPECT_THAT(selftest.err, AllOf(HasSubstr("FAILED"), HasSubstr("not tested: client and relay")));

  const CampaignRun run = RunCampaign(
      dir,
      absl::StrCat("name: after\nagents: ['", agent.address(), "']\nserver: {address: '",
                   first.address(),
                   "'}\nworkload: {op: noop}\nprobes: {passes: [bare], baselines: none}\n"
                   "run: {warmup: 10ms, duration: 50ms, repetitions: 1}\n"),
      {});
  EXPECT_EQ(run.finished.code, kDone) << run.finished.err;
  EXPECT_THAT(run.finished.out, HasSubstr("self-test: FAILED"));
  EXPECT_THAT(run.finished.out, HasSubstr("selftest_failed"));
}

TEST(Selftest, SaysWhatItNeeds) {
  const auto said = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Program("kbench"), "selftest"});
    const Finished finished = e2e::Run(arguments, seconds(60));
    EXPECT_EQ(finished.code, kUsage) << finished.out << finished.err;
    return finished.err;
  };
  EXPECT_THAT(said({}), HasSubstr("nothing to test: add --agents"));
  EXPECT_THAT(said({"--agents", "127.0.0.1:1"}), HasSubstr("no server: add --server"));
  EXPECT_THAT(said({"--agents", "127.0.0.1:1", "--dosed-server", "127.0.0.1:2=1ms"}),
              HasSubstr("three doses or more make a slope"));
}

}  // namespace
}  // namespace kbench::e2e
