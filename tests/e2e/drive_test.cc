// A whole campaign against a server that answers as a drive does: PUTs need a tag, answers to
// writes come late and out of order, INVALID_REQUEST ends the connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kServerRefused = 8;

std::string Yaml(const std::string& server, const std::string& workload) {
  return absl::StrCat("name: drive\nserver: {address: '", server, "'}\nworkload: {", workload,
                      "}\ntransport: [socket, epoll, uring]\n"
                      "load: {flows: 2, depth: 4}\n"
                      "probes: {passes: [bare], baselines: none}\n"
                      "run: {warmup: 0s, duration: 200ms, repetitions: 1}\n");
}

class Drive : public ::testing::TestWithParam<const char*> {
 protected:
  std::vector<std::string> Arguments() const {
    std::vector<std::string> arguments = {"--dialect", "kineticd", "--store", GetParam()};
    if (GetParam() == std::string("rocksdb")) {
      arguments.insert(arguments.end(), {"--data-dir", store_.path() + "/store"});
    }
    return arguments;
  }

  const TempDir store_;
};

TEST_P(Drive, TakesEveryOperationOverEveryStackAndWhatIsReadIsWhatWasWritten) {
  const Daemon server("kbench-server", Arguments());
  const TempDir dir;
  const CampaignRun run = RunCampaign(
      dir,
      Yaml(server.address(),
           "op: [put, put_conditional, get, next, delete, batch], keys: 64, load: true, "
           "batch_ops: 5, verify: true, synchronization: writethrough"),
      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.out << run.finished.err;
  EXPECT_THAT(run.finished.out, Not(HasSubstr("protocol_errors")));
  const nlohmann::json manifest = run.Manifest();
  int runs = 0, verified = 0;
  for (const auto& entry : manifest.at("runs")) {
    const std::string directory = entry.at("directory");
    SCOPED_TRACE(directory);
    const nlohmann::json summary =
        ReadJson(absl::StrCat(run.result_dirs.at(0), "/", directory, "/summary.json"));
    const nlohmann::json& counts = summary.at("all").at("counts");
    EXPECT_GT(counts.at("answered").get<int>(), 0);
    EXPECT_EQ(counts.at("failed"), 0);
    EXPECT_EQ(counts.at("lost"), 0);
    ++runs;
    verified += summary.at("caveats").dump().find("values_verified") != std::string::npos;
  }
  EXPECT_EQ(runs, 18);
  EXPECT_EQ(verified, 6) << "get and next, over three stacks";
}

TEST_P(Drive, RefusesPutsWithoutATagAndTheCampaignSaysWhatToDo) {
  const Daemon server("kbench-server", Arguments());
  const TempDir dir;
  const CampaignRun run = RunCampaign(
      dir, Yaml(server.address(), "op: put, keys: 8, tag: none, load: true"), {"--local", "1"});
  EXPECT_EQ(run.finished.code, kServerRefused) << run.finished.out << run.finished.err;
  EXPECT_THAT(run.finished.err, HasSubstr("Tag required"));
  EXPECT_THAT(run.finished.err, HasSubstr("set workload.tag to crc32c"));
}

// In the window, in a warm-up of fixed length and in one of its own; with two agents, and where a
// connection may be opened again.
TEST_P(Drive, RefusesAPutWheneverItComesAndTheCampaignEndsWithTheSameCode) {
  const Daemon server("kbench-server", Arguments());
  for (const std::string run_fields :
       {"warmup=0s", "warmup=20s", "warmup_ops=1000", "reconnects=2"}) {
    SCOPED_TRACE(run_fields);
    const TempDir dir;
    const CampaignRun run = RunCampaign(dir, Yaml(server.address(), "op: put, keys: 8, tag: none"),
                                        {"--local", "2", "--set", "transport=epoll", "--set",
                                         "run." + run_fields, "--set", "run.duration=20s"});
    EXPECT_EQ(run.finished.code, kServerRefused) << run.finished.out << run.finished.err;
    EXPECT_THAT(run.finished.err, HasSubstr("INVALID_REQUEST: Tag required"));
    EXPECT_THAT(run.finished.err, HasSubstr("set workload.tag to crc32c"));
  }
}

TEST_P(Drive, RefusesAStrangerWithTheSameCode) {
  const Daemon server("kbench-server", Arguments());
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir, Yaml(server.address(), "op: get, keys: 8"),
                                      {"--local", "1", "--set", "server.identity=99"});
  EXPECT_EQ(run.finished.code, kServerRefused) << run.finished.err;
  EXPECT_THAT(run.finished.err, HasSubstr("does the server know identity 99"));
}

INSTANTIATE_TEST_SUITE_P(Stores, Drive, ::testing::Values("memory", "rocksdb"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace kbench::e2e
