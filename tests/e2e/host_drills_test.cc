// An agent's host misbehaves under a run: somebody steps its clock, its disk is full. The run ends
// well, and the result says what cannot be believed of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "proto/result.pb.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/stepped_clock.h"

namespace kbench::e2e {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr int kDone = 0, kSuspect = 10;

class HostDrills : public testing::Test {
 protected:
  std::string Yaml(const Daemon& agent, const std::string& duration) const {
    return absl::StrCat("name: host\nagents: ['", agent.address(), "']\nserver: {address: '",
                        server_.address(), "'}\nworkload: {op: get, value_size: 64B, keys: 64}\n",
                        "load: {mode: open, rate_total: 200}\nrun: {repetitions: 1, warmup: 0s, ",
                        "duration: ", duration,
                        "}\nprobes: {passes: [sampled], sample_every: 1, baselines: none}\n");
  }
  // Of the only agent of the only run.
  static result::RunResult AgentsResult(const std::string& result_dir) {
    const std::string run = FindFiles(result_dir, "run.json").at(0);
    const std::filesystem::directory_iterator file(std::filesystem::path(run).parent_path() /
                                                   "agents");
    result::RunResult result;
    EXPECT_TRUE(result.ParseFromString(ReadFile(file->path())));
    return result;
  }
  static Finished Kbench(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Program("kbench"));
    return e2e::Run(arguments);
  }

  const TempDir dir_;
  Daemon server_{"kbench-server", {}};
};

TEST_F(HostDrills, AClockThatIsSteppedVoidsWhatWasMeasuredByIt) {
  const SteppedClock clock(dir_);
  const Daemon agent = [&] {
    const SteppedClock::Shown shown(clock);
    return Daemon("kbench-agent", {"--plaintext"});
  }();
  for (const Nanos step : {Seconds(5), Seconds(-3600)}) {
    SCOPED_TRACE(step.seconds());
    clock.Step(Nanos(0));
    const TempDir dir;
    Child kbench(RunArgv(dir, Yaml(agent, "4s"), {"--set", "run.suspect=fail"}));
    kbench.WaitForOutput("ops/s", seconds(60));
    clock.Step(step);
    EXPECT_EQ(kbench.Wait(seconds(60)), kSuspect) << kbench.err();
    EXPECT_THAT(kbench.err(), HasSubstr("1 of 1 runs are suspect: "));
    EXPECT_THAT(kbench.err(), HasSubstr("clock_step"));
    const CampaignRun run = Look(dir, {});
    EXPECT_EQ(run.Manifest()["status"], "complete");
    EXPECT_EQ(run.Manifest()["exit_code"], kSuspect);
    const std::string& directory = run.result_dirs.at(0);
    const auto health = ReadJson(FindFiles(directory, "health.json").at(0));
    EXPECT_EQ(health["verdict"], "suspect");
    EXPECT_THAT(health["suspect_because"], Contains("clock_step"));
    const int64_t found = health["agents"][0]["clock_step_ns"];
    EXPECT_NEAR(static_cast<double>(found), static_cast<double>(step.count()), 1e6);
    // Latencies come from the monotonic clock: the step, 5 s or more, is in none of them.
    const result::RunResult result = AgentsResult(directory);
    EXPECT_GT(result.samples_size(), 100);
    for (const result::OpSample& sample : result.samples()) {
      ASSERT_GE(sample.decoded(), sample.intended());
      ASSERT_LT(sample.decoded() - sample.intended(), Millis(4500).count());
    }
    const Finished report = Kbench({"report", directory});
    EXPECT_THAT(report.out, HasSubstr("clock_step"));
    EXPECT_THAT(report.out, HasSubstr("kernel stamps of the run are not used"));
  }
}

// What it cannot keep it has still sent.
TEST_F(HostDrills, AnAgentWithAFullDiskDeliversWhatItMeasured) {
  const SmallDisk disk(dir_.path() + "/disk", "1m");
  if (!disk.mounted()) GTEST_SKIP() << "needs root: cannot mount a tmpfs";
  Daemon agent("kbench-agent", {"--plaintext", "--results", dir_.path() + "/disk/kept"});
  // A result that nobody has acknowledged: its controller is killed.
  const TempDir before, full, later;
  Child killed(RunArgv(before, Yaml(agent, "60s"), {}));
  killed.WaitForOutput("ops/s", seconds(60));
  killed.Signal(SIGKILL);
  EXPECT_EQ(killed.Wait(seconds(60)), 137);
  const std::string kept = dir_.path() + "/disk/kept";
  const auto results = [&] {
    return Kbench({"agents", "results", "--agents", agent.address()}).out;
  };
  while (results().find("-0000") == std::string::npos) continue;  // ctest bounds the wait
  disk.Fill();

  const CampaignRun run = RunCampaign(full, Yaml(agent, "500ms"), {});
  EXPECT_EQ(run.finished.code, kDone) << run.finished.err;
  EXPECT_EQ(run.Manifest()["status"], "complete");
  EXPECT_THAT(agent.child().err(), HasSubstr("No space left on device"));
  EXPECT_THAT(results(), HasSubstr("-0000")) << "the older one had to give way";
  for (const auto& file : std::filesystem::directory_iterator(kept)) {
    EXPECT_NE(file.path().extension(), ".new") << file.path() << " is half-written";
  }
  disk.Free();
  const CampaignRun again = RunCampaign(later, Yaml(agent, "500ms"), {});
  EXPECT_EQ(again.finished.code, kDone) << again.finished.err;
}

}  // namespace
}  // namespace kbench::e2e
