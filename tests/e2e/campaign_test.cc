// A small campaign through the real programs: the directory that it leaves, counts that add up, and
// a report that can be made again from the evidence alone.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

namespace fs = std::filesystem;

void ExpectSaid(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

constexpr const char* kSmall =
    "name: small <campaign>\n"
    "workload: {op: [get, put], value_size: [1B, 64KiB], keys: 32}\n"
    "transport: [socket, epoll, uring]\n"
    "probes: {sample_every: 4, passes: [sampled]}\n"
    "run: {warmup: 50ms, duration: 150ms, repetitions: 2, seed: 3}\n";

// One campaign for all the tests that only look at it.
class SmallCampaign : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const ForeignCpu others;
    dir_ = new TempDir;
    run_ = new CampaignRun(RunCampaign(*dir_, kSmall, {"--local", "2"}));
    foreign_cpus_ = others.Cpus();
  }
  static void TearDownTestSuite() {
    delete run_;
    delete dir_;
  }
  void SetUp() override {
    ASSERT_EQ(run_->finished.code, 0) << run_->finished.err;
    ASSERT_EQ(run_->result_dirs.size(), 1u);
  }
  static const std::string& Directory() { return run_->result_dirs.front(); }

  static TempDir* dir_;
  static CampaignRun* run_;
  static double foreign_cpus_;
};
TempDir* SmallCampaign::dir_ = nullptr;
CampaignRun* SmallCampaign::run_ = nullptr;
double SmallCampaign::foreign_cpus_ = 0;

TEST_F(SmallCampaign, LeavesTheDocumentedDirectory) {
  for (const char* name : {"manifest.json", "campaign.yaml", "plan.json", "summary.json",
                           "report.html", "report.txt"}) {
    EXPECT_TRUE(fs::exists(Directory() + "/" + name)) << name;
  }
  EXPECT_EQ(ReadFile(Directory() + "/campaign.yaml"), kSmall);
  for (const char* name : {"intervals.csv", "latency.hlog", "decomposition.json", "health.json"}) {
    EXPECT_EQ(FindFiles(Directory(), name).size(), 24u) << name;
  }
  EXPECT_TRUE(run_->partial_dirs.empty());
  EXPECT_EQ(run_->Manifest()["status"], "complete");
}

TEST_F(SmallCampaign, CountsAddUpInEveryRun) {
  int checked = 0;
  for (const std::string& file : FindFiles(Directory() + "/cells", "summary.json")) {
    const nlohmann::json summary = ReadJson(file);
    const auto expect_identity = [&](const nlohmann::json& counts) {
      const auto n = [&](const char* key) { return counts.at(key).get<uint64_t>(); };
      EXPECT_EQ(n("due"), n("sent") + n("unsent")) << file;
      EXPECT_EQ(n("sent"), n("answered") + n("failed") + n("lost")) << file;
      JudgeWhenQuiet(n("answered") > 0,
                     {.what = "answers in 150 ms, " + file,
                      .figure = absl::StrCat(n("answered"), " of ", n("due"), " due"),
                      .bound = "some"},
                     foreign_cpus_);
      EXPECT_EQ(n("failed"), 0u) << file;
      ++checked;
    };
    expect_identity(summary.at("all").at("counts"));
    for (const auto& result : summary.at("ops")) {
      expect_identity(result.at("counts"));
      // No request is dropped: each that was sent is in the one histogram of its outcome.
      const auto n = [&](const char* key) { return result.at("counts").at(key).get<uint64_t>(); };
      EXPECT_EQ(result.at("failed_count"), n("failed")) << file;
      EXPECT_EQ(result.at("lost_count"), n("lost")) << file;
      EXPECT_EQ(result.at("response_count"), n("answered") + n("lost")) << file;
    }
  }
  EXPECT_EQ(checked, 48);
}

TEST_F(SmallCampaign, SeparatesSmallRequestsCompletely) {
  int complete = 0;
  for (const std::string& file : FindFiles(Directory() + "/cells", "decomposition.json")) {
    if (file.find("value_size=1B") == std::string::npos) continue;
    const nlohmann::json decomposition = ReadJson(file);
    for (const auto& of_op : decomposition.at("ops")) {
      double shares = 0;
      for (const auto& part : of_op.at("parts")) shares += part.at("share").get<double>();
      // None without a request in the window, which is judged with the counts.
      if (!of_op.at("parts").empty()) {
        EXPECT_NEAR(shares, 1.0, 1e-9) << file;
      }
      complete += of_op.at("parts").size() == 8;
    }
  }
  JudgeWhenQuiet(complete >= 10,
                 {.what = "runs of small requests that are separated completely",
                  .figure = absl::StrCat(complete, " of 12"),
                  .bound = "at least 10"},
                 foreign_cpus_);
}

TEST_F(SmallCampaign, ReportIsSelfContainedAndEscaped) {
  const std::string html = ReadFile(Directory() + "/report.html");
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(http"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(html.find("small <campaign>"), std::string::npos);
  ExpectSaid(html, "small &lt;campaign&gt;");
  ExpectSaid(html, "<svg");
}

TEST_F(SmallCampaign, IsReportedAgainFromItsEvidence) {
  const auto again = [](const std::string& format) {
    const Finished f = e2e::Run({Program("kbench"), "report", Directory(), "--format", format});
    EXPECT_EQ(f.code, 0) << f.err;
    return f.out;
  };
  EXPECT_EQ(nlohmann::json::parse(again("json")), ReadJson(Directory() + "/summary.json"));
  EXPECT_EQ(again("html"), ReadFile(Directory() + "/report.html"));
  ExpectSaid(again("csv"), "response_p50_ns");
  ExpectSaid(again("markdown"), "|");
}

TEST_F(SmallCampaign, IsListedShownAndCompared) {
  const std::string results = dir_->path() + "/results";
  const Finished list = e2e::Run({Program("kbench"), "list", "--results", results});
  EXPECT_EQ(list.code, 0) << list.err;
  ExpectSaid(list.out, "complete");
  const Finished show = e2e::Run({Program("kbench"), "show", Directory()});
  EXPECT_EQ(show.code, 0) << show.err;
  ExpectSaid(show.out, "uring");
  const Finished compare = e2e::Run({Program("kbench"), "compare", Directory(), Directory()});
  EXPECT_TRUE(compare.code == 0 || compare.code == 5) << compare.code << compare.err;
}

// Bare, sampled and full: what each was told is in its directory, and each is shown as what it is.
TEST(Campaign, EveryRepetitionIsRunInEveryPass) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: passes\n"
                                      "workload: {op: get, value_size: 1B, keys: 8}\n"
                                      "transport: epoll\n"
                                      "probes: {sample_every: 4, full_sample_every: 2}\n"
                                      "run: {warmup: 20ms, duration: 500ms, repetitions: 2}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json manifest = run.Manifest();
  ASSERT_EQ(manifest.at("runs").size(), 6u);
  std::map<std::string, int> probed, runs;
  for (const auto& one : manifest.at("runs")) {
    const std::string pass = one.at("pass");
    const std::string directory = one.at("directory");
    EXPECT_EQ(fs::path(directory).filename(), pass);
    const nlohmann::json summary =
        ReadJson(run.result_dirs.at(0) + "/" + directory + "/summary.json");
    EXPECT_EQ(summary.at("pass"), pass);
    EXPECT_GT(summary.at("all").at("counts").at("answered"), 0);
    EXPECT_EQ(fs::exists(run.result_dirs.at(0) + "/" + directory + "/server_wire.pb"),
              pass == "full");
    probed[pass] += summary.at("agents").at(0).at("samples").get<int>();
    ++runs[pass];
    ExpectSaid(run.finished.err, "rep 1 " + pass);
  }
  EXPECT_EQ(runs, (std::map<std::string, int>{{"bare", 2}, {"sampled", 2}, {"full", 2}}));
  EXPECT_GT(probed.at("sampled"), 0);
  EXPECT_GT(probed.at("full"), 0);
  EXPECT_TRUE(fs::exists(run.result_dirs.at(0) + "/baselines.pb"));
  const Finished show = e2e::Run({Program("kbench"), "show", run.result_dirs.at(0)});
  EXPECT_EQ(show.code, 0) << show.err;
  for (const char* pass : {"bare", "sampled", "full"}) {
    ExpectSaid(show.out, std::string("rep 0 ") + pass);
  }
}

TEST(Campaign, PlansAndValidatesWithoutAServer) {
  const TempDir dir;
  const std::string file = dir.Write("c.yaml", kSmall);
  const Finished plan = e2e::Run({Program("kbench"), "plan", file, "--local", "2"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  ExpectSaid(plan.out, "2 repetitions x 1 passes (sampled) = 24 runs");
  EXPECT_EQ(e2e::Run({Program("kbench"), "validate", file, "--local", "2"}).code, 0);
  EXPECT_EQ(e2e::Run({Program("kbench"), "version"}).code, 0);
  EXPECT_EQ(e2e::Run({Program("kbench"), "frobnicate"}).code, 2);
}

TEST(Campaign, OpenLoopCountsWhatItCouldNotSend) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: open\n"
                                      "server: {service_time: get=5ms}\n"
                                      "workload: {op: get, value_size: 1B, keys: 8}\n"
                                      "load: {mode: open, arrival: constant, rate_per_agent: 1k/s, "
                                      "depth: 2}\n"
                                      "probes: {passes: [sampled]}\n"
                                      "run: {warmup: 0s, duration: 500ms, repetitions: 1}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json counts =
      ReadJson(FindFiles(run.result_dirs.front() + "/cells", "summary.json").front())
          .at("all")
          .at("counts");
  EXPECT_EQ(counts.at("due"), 500);
  EXPECT_GT(counts.at("unsent"), 200);  // two slots of 5 ms serve at most 400/s
  EXPECT_EQ(counts.at("due").get<int>(),
            counts.at("sent").get<int>() + counts.at("unsent").get<int>());
  ExpectSaid(run.finished.out, "window_overflow");
}

TEST(Campaign, ASlowerServerIsASignificantRegression) {
  const TempDir dir;
  const ForeignCpu others;
  const auto measure = [&](const std::string& service_time) {
    const CampaignRun run =
        RunCampaign(dir,
                    "name: slower\n"
                    "server: {service_time: " +
                        service_time +
                        "}\n"
                        "transport: epoll\n"
                        "workload: {op: get, value_size: 1B, keys: 8}\n"
                        "probes: {passes: [sampled]}\n"
                        "run: {warmup: 20ms, duration: 150ms, repetitions: 5}\n",
                    {"--local", "1"});
    EXPECT_EQ(run.finished.code, 0) << run.finished.err;
    return run.result_dirs.back();  // the youngest
  };
  const std::string fast = measure("1ms");
  const std::string slow = measure("4ms");
  const Finished worse = e2e::Run({Program("kbench"), "compare", fast, slow});
  ExpectSaid(worse.out, "service_time: 1ms -> 4ms");
  if (JudgeWhenQuiet(worse.code == 4,
                     {.what = "exit code of a comparison with a server four times as slow",
                      .figure = absl::StrCat(worse.code),
                      .bound = "4"},
                     others.Cpus())) {
    ExpectSaid(worse.out, "REGRESSION");
  }
  const Finished better = e2e::Run({Program("kbench"), "compare", slow, fast});
  JudgeWhenQuiet(better.code == 0,
                 {.what = "exit code of a comparison with a server four times as fast",
                  .figure = absl::StrCat(better.code),
                  .bound = "0"},
                 others.Cpus());
}

TEST(Campaign, ServersThatAreSweptAreAllNamed) {
  Daemon first("kbench-server", {});
  Daemon second("kbench-server", {});
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: two\n"
                                      "server: {address: ['" +
                                          first.address() + "', '" + second.address() +
                                          "']}\n"
                                          "workload: {op: noop}\n"
                                          "probes: {passes: [sampled]}\n"
                                          "run: {warmup: 0s, duration: 50ms, repetitions: 1}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  ExpectSaid(run.finished.out, "server " + first.address() + ", " + second.address());
}

// The embedded server of a run over TLS has no other port: that keys were written to it, or read
// from it, proves the TLS at any load. How many requests fit into half a second is the machine's.
TEST(Campaign, TlsIsAFactorLikeAnyOther) {
  const TempDir dir;
  const ForeignCpu others;
  const CampaignRun run = RunCampaign(dir,
                                      "name: tls\n"
                                      "server: {tls: [false, true]}\n"
                                      "transport: [socket, epoll, uring]\n"
                                      "workload: {mix: {get: 1, put: 1}, keys: 16}\n"
                                      "probes: {passes: [sampled]}\n"
                                      "run: {warmup: 20ms, duration: 500ms, repetitions: 1}\n",
                                      {"--local", "2"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const std::string cells = run.result_dirs.at(0) + "/cells";
  const std::vector<std::string> files = FindFiles(cells, "summary.json");
  ASSERT_EQ(files.size(), 6u);
  for (const std::string& file : files) {
    const nlohmann::json summary = ReadJson(file);
    const nlohmann::json counts = summary.at("all").at("counts");
    for (const nlohmann::json& agent : summary.at("agents")) {
      const nlohmann::json& facts = agent.at("transport_facts");
      EXPECT_EQ(facts.at("load_keys"), "16") << file;
      // Found there, each read, where a run before has written them.
      EXPECT_TRUE(facts.at("load_written") == "16" || facts.at("load_looked") == "16") << file;
    }
    JudgeWhenQuiet(counts.at("answered").get<int>() > 0,
                   {.what = absl::StrCat(file, ": requests answered in 500 ms"),
                    .figure = "0",
                    .bound = "some"},
                   others.Cpus());
    EXPECT_EQ(counts.at("failed"), 0) << file;
    EXPECT_EQ(counts.at("lost"), 0) << file;
  }
  ExpectSaid(run.finished.out, "tls=true");
}

TEST(Campaign, EveryOperationIsAnsweredAsItShould) {
  const std::vector<std::string> names = {
      "get",   "get_miss", "put",   "put_new", "put_conditional", "next", "previous",
      "range", "version",  "batch", "flush",   "getlog",          "noop"};
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir,
                  "name: all\n"
                  "workload: {mix: {" +
                      absl::StrJoin(names, ": 1, ") +
                      ": 1}, keys: 64, value_size: 300B, range_keys: 20, verify: true}\n"
                      "transport: [socket, epoll, uring]\n"
                      "probes: {passes: [sampled]}\n"
                      "run: {warmup: 0s, duration: 2s, repetitions: 1}\n",
                  {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const std::vector<std::string> files =
      FindFiles(run.result_dirs.at(0) + "/cells", "summary.json");
  ASSERT_EQ(files.size(), 3u);
  for (const std::string& file : files) {
    const nlohmann::json ops = ReadJson(file).at("ops");
    ASSERT_EQ(ops.size(), names.size());
    for (const nlohmann::json& op : ops) {
      SCOPED_TRACE(file + ": " + op.at("op").get<std::string>());
      EXPECT_GT(op.at("counts").at("answered"), 0);
      EXPECT_EQ(op.at("counts").at("failed"), 0) << op.at("first_errors");
      const nlohmann::json& statuses = op.at("statuses");
      EXPECT_EQ(statuses.size(), 1u);
      EXPECT_TRUE(statuses.contains(op.at("op") == "get_miss" ? "NOT_FOUND" : "SUCCESS"));
    }
  }
}

// Cells share their keys: what one wrote with a tag, the next reads whatever its own is.
TEST(Campaign, ComparesTags) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: tags\n"
                                      "workload: {mix: {get: 1, put: 1}, keys: 40, verify: true, "
                                      "tag: [none, crc32c, sha2]}\n"
                                      "probes: {passes: [sampled], baselines: none}\n"
                                      "run: {warmup: 0s, duration: 100ms, repetitions: 1}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  for (const char* cell : {"tag=none", "tag=crc32c", "tag=sha2"})
    ExpectSaid(run.finished.out, cell);
  ExpectSaid(run.finished.out, "tags_in_window");
  EXPECT_EQ(run.finished.out.find("values_untagged"), std::string::npos)
      << "each cell loads its keys";

  Daemon small("kbench-server", {"--limits", "tag=4"});
  const TempDir other;
  const CampaignRun refused =
      RunCampaign(other,
                  "name: long\nserver: {address: '" + small.address() +
                      "'}\nworkload: {op: put, tag: sha1}\nrun: {warmup: 0s, duration: 50ms}\n",
                  {"--local", "1"});
  EXPECT_EQ(refused.finished.code, 2);
  ExpectSaid(refused.finished.err,
             "takes tags of up to 4 bytes, and sha1 makes 20; set workload.tag to crc32c or none");
}

TEST(Campaign, AsksNothingBeyondTheServersLimits) {
  Daemon drive("kbench-server", {"--limits", "drive"});
  for (const auto& [workload, field] : std::vector<std::pair<std::string, std::string>>{
           {"op: get, key_size: 1025B", "workload.key_size"},
           {"op: range, range_keys: 801", "workload.range_keys"},
           {"op: get}\nload: {depth: 31", "load.depth"},
           {"op: put}\nload: {depth: 21", "load.depth"},
           {"op: batch, batch_ops: 24001", "workload.batch_ops"},
           {"op: batch, batch_ops: 65, value_size: 1MiB", "workload.batch_ops"}}) {
    const TempDir dir;
    const CampaignRun run =
        RunCampaign(dir,
                    "name: greedy\nserver: {address: '" + drive.address() + "'}\nworkload: {" +
                        workload + "}\nrun: {warmup: 0s, duration: 50ms}\n",
                    {"--local", "1"});
    EXPECT_EQ(run.finished.code, 2);
    ExpectSaid(run.finished.err, "lower " + field);
  }
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: modest\nserver: {address: '" + drive.address() +
                                          "'}\nworkload: {op: range, range_keys: 800, "
                                          "key_size: 1024B}\n"
                                          "probes: {passes: [sampled]}\n"
                                          "run: {warmup: 0s, duration: 50ms, repetitions: 1}\n",
                                      {"--local", "1"});
  EXPECT_EQ(run.finished.code, 0) << run.finished.err;
}

TEST(Campaign, AgentsArePinged) {
  Daemon agent("kbench-agent", {"--plaintext"});
  const Finished ping =
      e2e::Run({Program("kbench"), "agents", "ping", "--agents", agent.address()});
  EXPECT_EQ(ping.code, 0) << ping.err;
  ExpectSaid(ping.out, agent.address());
}

}  // namespace
}  // namespace kbench::e2e
