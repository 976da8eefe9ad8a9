// A link that carries nothing for a while, between two hosts that do not notice: no interface goes
// down, no connection is reset. Ten seconds are within every lease and are survived; more than the
// lease is a lost agent, whose result waits for the link.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/base/certificate.h"
#include "tests/base/judge.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/netlab.h"

namespace kbench::e2e {
namespace {

constexpr int kDone = 0, kIncomplete = 6;

// Answers in each second of the window.
std::vector<int> AnswersBySecond(const std::string& result_dir) {
  std::istringstream lines(ReadFile(FindFiles(result_dir, "intervals.csv").at(0)));
  std::vector<int> answers;
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) {
    size_t at = 0;
    for (int comma = 0; comma < 3; ++comma) at = line.find(',', at) + 1;
    answers.push_back(std::atoi(line.c_str() + at));
  }
  return answers;
}

// The controller is on the lab's client host; what goes to the server's host passes the relay.
class LinkDrills : public LabTest {
 protected:
  LinkDrills() : authority_(keys_.path()) {
    agent_files_ = authority_.Issue(
        "agent", {.common_name = "agent",
                  .alternative_names = {"URI:urn:kbench:role:agent",
                                        absl::StrCat("IP:", NetLab::kServerRouted)}});
    controller_files_ = authority_.Issue(
        "controller",
        {.common_name = "controller", .alternative_names = {"URI:urn:kbench:role:controller"}});
  }

  static std::string Yaml(const std::string& agent, const std::string& server,
                          const std::string& duration) {
    return absl::StrCat("name: link\nagents: ['", agent, "']\nserver: {address: '", server,
                        "'}\nworkload: {op: get, value_size: 64B, keys: 64}\n",
                        "load: {mode: open, rate_total: 100}\n",
                        "run: {repetitions: 1, warmup: 0s, op_timeout: 4s, duration: ", duration,
                        "}\nprobes: {passes: [sampled], baselines: none}\n");
  }
  std::unique_ptr<Child> Controller(const TempDir& dir, const std::string& yaml,
                                    const std::vector<std::string>& options) const {
    return std::make_unique<Child>(RunArgv(dir, yaml, options), lab_->Enter(Host::kClient));
  }
  // An agent on the server's host, beside a server there.
  std::unique_ptr<Daemon> FarAgent(const std::string& results) const {
    std::vector<std::string> options = authority_.TlsOptions(agent_files_);
    options.insert(options.end(), {"--results", results});
    return std::make_unique<Daemon>("kbench-agent", options,
                                    absl::StrCat(NetLab::kServerRouted, ":0"),
                                    lab_->Enter(Host::kServer));
  }
  Finished OnClient(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), Program("kbench"));
    const std::vector<std::string> tls = authority_.TlsOptions(controller_files_);
    arguments.insert(arguments.end(), tls.begin(), tls.end());
    return e2e::Run(arguments, seconds(60), lab_->Enter(Host::kClient));
  }

  const TempDir keys_;
  Authority authority_;
  CertificateFiles agent_files_, controller_files_;
};

TEST_F(LinkDrills, TenSecondsAreSurvived) {
  const TempDir near, far, shelf;
  // To the server: what is measured.
  Daemon near_agent("kbench-agent", {"--plaintext"}, "127.0.0.1:0", lab_->Enter(Host::kClient));
  Daemon far_server("kbench-server", {"--allow-remote"}, absl::StrCat(NetLab::kServerRouted, ":0"),
                    lab_->Enter(Host::kServer));
  // To the agent: how it is commanded.
  const std::unique_ptr<Daemon> far_agent = FarAgent(shelf.path());
  Daemon server_beside("kbench-server", {}, "127.0.0.1:0", lab_->Enter(Host::kServer));
  const auto measured =
      Controller(near, Yaml(near_agent.address(), far_server.address(), "25s"), {});
  const auto commanded = Controller(far, Yaml(far_agent->address(), server_beside.address(), "15s"),
                                    authority_.TlsOptions(controller_files_));
  measured->WaitForOutput("ops/s", seconds(60));
  commanded->WaitForOutput("ops/s", seconds(60));
  const ForeignCpu others;
  lab_->LoseRouted(1);
  WaitUntil(MonoNow() + Seconds(10));
  lab_->LoseNothing();

  EXPECT_EQ(commanded->Wait(seconds(60)), kDone) << commanded->err();
  const CampaignRun whole = Look(far, {});
  EXPECT_EQ(whole.Manifest()["status"], "complete");
  const auto judge = [&](bool holds, const char* what, const std::vector<int>& answers) {
    JudgeWhenQuiet(holds,
                   {.what = what,
                    .figure = absl::StrCat("answers by second: ", absl::StrJoin(answers, " ")),
                    .bound = "more than 50 of 100"},
                   others.Cpus());
  };
  const std::vector<int> undisturbed = AnswersBySecond(whole.result_dirs.at(0));
  judge(std::all_of(undisturbed.begin(), undisturbed.end(), [](int n) { return n > 50; }),
        "a server that the cut did not touch", undisturbed);

  EXPECT_EQ(measured->Wait(seconds(60)), kDone) << measured->err();
  const CampaignRun hit = Look(near, {});
  EXPECT_EQ(hit.Manifest()["status"], "complete");
  const auto health = ReadJson(FindFiles(hit.result_dirs.at(0), "health.json").at(0));
  EXPECT_EQ(health["verdict"], "suspect") << health;
  EXPECT_GT(health["counts"]["lost"], 0) << health;
  const std::vector<int> answers = AnswersBySecond(hit.result_dirs.at(0));
  ASSERT_GE(answers.size(), 20u);
  EXPECT_GE(std::count(answers.begin(), answers.end(), 0), 8);
  EXPECT_GT(answers.front(), 0);
  judge(answers.front() > 50, "the first second, before the cut", answers);
  EXPECT_GT(answers.back(), 0) << "the connection did not come back to life";
  judge(answers.back() > 50, "the last second, long after the cut", answers);
}

TEST_F(LinkDrills, LongerThanTheLeaseIsALostAgentWhoseResultWaits) {
  const TempDir dir, shelf;
  const std::unique_ptr<Daemon> agent = FarAgent(shelf.path());
  Daemon server("kbench-server", {}, "127.0.0.1:0", lab_->Enter(Host::kServer));
  const auto controller = Controller(dir, Yaml(agent->address(), server.address(), "120s"),
                                     authority_.TlsOptions(controller_files_));
  controller->WaitForOutput("ops/s", seconds(60));
  const std::string id = Look(dir, {}).partial_dirs.at(0);
  lab_->LoseRouted(1);
  EXPECT_EQ(controller->Wait(seconds(60)), kIncomplete) << controller->err();
  EXPECT_TRUE(absl::StrContains(controller->err(), agent->address())) << controller->err();
  EXPECT_EQ(Look(dir, {}).Manifest()["status"], "failed");
  // The agent has given its controller up as well, without a word from it.
  const MonoTime deadline = MonoNow() + Seconds(30);
  while (
      FindFiles(shelf.path(), absl::StrCat(id.substr(id.rfind('-') + 1), "-0000.result")).empty()) {
    ASSERT_LT(MonoNow(), deadline) << "the agent keeps nothing";
    WaitUntil(MonoNow() + Millis(100));
  }
  lab_->LoseNothing();
  const Finished collected =
      OnClient({"agents", "collect", id.substr(id.rfind('-') + 1), "--agents", agent->address(),
                "--output", dir.path() + "/collected"});
  EXPECT_EQ(collected.code, kDone) << collected.err;
  EXPECT_TRUE(absl::StrContains(collected.out, "answered")) << collected.out;
}

}  // namespace
}  // namespace kbench::e2e
