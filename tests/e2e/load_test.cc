// What a campaign may ask for beside its cells: gates, and the search for a rate. Servers have
// service times by order, so that what must come out is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

using ::testing::HasSubstr;

// Every get takes 5 ms at least, so both bounds are far from it.
std::string Gated(const std::string& gates, const std::string& name = "gated") {
  return "name: " + name + "\nserver: {service_time: get=5ms}\n" + "gates: " + gates +
         "\nworkload: {op: get, value_size: 1B, keys: 8}\n"
         "probes: {passes: [bare], baselines: none}\n"
         "run: {warmup: 20ms, duration: 400ms, repetitions: 3}\n";
}

TEST(Gates, ThatHoldAreSaidAndEndWithZero) {
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir, Gated("['p50(get) > 4ms', 'errors < 5%', p50 < 10s]"), {"--local", "1"});
  EXPECT_EQ(run.finished.code, 0) << run.finished.out << run.finished.err;
  EXPECT_THAT(run.finished.out, HasSubstr("gates: 3 passed, 0 failed, 0 inconclusive"));
  const nlohmann::json gates = ReadJson(run.result_dirs.at(0) + "/summary.json").at("gates");
  ASSERT_EQ(gates.size(), 3u);
  EXPECT_GE(gates[0].at("low"), 5e6);
}

TEST(Gates, ThatFailEndWithThreeAndKeepTheResult) {
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir, Gated("['p50(get) < 4ms', 'errors < 5%']"), {"--local", "1"});
  EXPECT_EQ(run.finished.code, 3) << run.finished.err;
  const nlohmann::json manifest = run.Manifest();
  EXPECT_EQ(manifest.at("status"), "complete");
  EXPECT_EQ(manifest.at("exit_code"), 3);
  EXPECT_EQ(manifest.at("exit_text"), "gates: 1 passed, 1 failed, 0 inconclusive");
  // Rendered again, from the evidence and the manifest alone.
  const Finished again = e2e::Run({Program("kbench"), "report", run.result_dirs.at(0)});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("p50(get) < 4ms"));
  EXPECT_THAT(again.out, HasSubstr("failed"));
}

TEST(Gates, ThatNobodyCanDecideEndWithFive) {
  const TempDir dir;  // about 80 requests a repetition carry no p99.9
  const CampaignRun run = RunCampaign(dir, Gated("['p99.9(get) < 10s']"), {"--local", "1"});
  EXPECT_EQ(run.finished.code, 5) << run.finished.err;
  EXPECT_THAT(run.finished.out, HasSubstr("too few requests"));
}

TEST(Gates, MistakesAreFoundBeforeAnythingRuns) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir, Gated("['p99(gte) < 4ms']"), {"--local", "1"});
  EXPECT_EQ(run.finished.code, 2);
  EXPECT_THAT(run.finished.err, HasSubstr("campaign.yaml:3:"));
  EXPECT_THAT(run.finished.err, HasSubstr("did you mean 'get'?"));
  EXPECT_TRUE(run.result_dirs.empty());
}

struct SearchRun {
  Finished finished;
  nlohmann::json answer;
};

SearchRun Search(const TempDir& dir, const std::string& yaml,
                 const std::vector<std::string>& options) {
  std::vector<std::string> argv = {Program("kbench"),
                                   "search",
                                   dir.Write("campaign.yaml", yaml),
                                   "--results",
                                   dir.path() + "/results",
                                   "--local",
                                   "1",
                                   "--format",
                                   "json",
                                   "--quiet"};
  argv.insert(argv.end(), options.begin(), options.end());
  SearchRun run{.finished = e2e::Run(argv, seconds(240)), .answer = {}};
  run.answer = nlohmann::json::parse(run.finished.out, nullptr, false);
  return run;
}

// The server's one thread is busy for 2 ms with each get: it serves 500/s and no more. (More than
// 0.2 ms, so that neither this machine's client nor its other work comes near.)
std::string OneThread(const std::string& load) {
  return "name: capacity\n"
         "server: {service_time: get=2ms, service_model: busy}\n"
         "workload: {op: get, value_size: 1B, keys: 8}\n"
         "load: {mode: open, arrival: constant, rate_total: 100/s, " +
         load +
         "}\n"
         "run: {warmup: 100ms, duration: 700ms, repetitions: 3}\n";
}

TEST(Search, FindsTheCapacityOfAKnownServer) {
  const TempDir dir;
  const ForeignCpu others;
  const SearchRun run = Search(dir, OneThread("depth: 256"),
                               {"--limit", "p50(get) < 200ms", "--limit", "achieved/offered > 0.9",
                                "--resolution", "20%", "--confirm-duration", "1s"});
  // The client may have been late, too, on a machine that does other work: then that is said. So
  // may the server: then it serves less.
  const nlohmann::json& answer = run.answer;
  const std::string said = answer.is_object() ? answer.value("answer", "nothing") : "nothing";
  const bool found = run.finished.code == 0;
  if (!JudgeWhenQuiet(found || run.finished.code == 10,
                      {.what = "the search for a server's capacity",
                       .figure = absl::StrCat("exit code ", run.finished.code, ", ", said),
                       .bound = "finds it, or the client's"},
                      others.Cpus())) {
    return;
  }
  EXPECT_EQ(said, found ? "found" : "client");
  const double rate = answer.at("rate_per_s");
  // One step of the resolution below, and one more that the confirmation may have taken away.
  JudgeWhenQuiet(rate >= (found ? 500 / 1.2 / 1.2 : 1),
                 {.what = "capacity of a server of 500/s",
                  .figure = absl::StrCat(rate, "/s, ", said),
                  .bound = "two steps below at most"},
                 others.Cpus());
  EXPECT_LE(rate, 500 / 0.9);  // beyond it, a tenth and more is not served
  EXPECT_GT(answer.at("lowest_rate_that_did_not_hold_per_s"), rate);
  EXPECT_NE(answer.at("stopped_by"), "");
  // Every probe is a result of its own.
  const CampaignRun results = Look(dir, run.finished);
  EXPECT_EQ(results.result_dirs.size(), answer.at("probes").size() + 1) << "and the answer";
  const nlohmann::json& last = answer.at("probes").back();
  EXPECT_EQ(last.at("confirming"), true);
  EXPECT_EQ(last.at("holds"), true);
  const nlohmann::json manifest = ReadJson(last.at("result").get<std::string>() + "/manifest.json");
  EXPECT_EQ(manifest.at("repetitions"), 3);
  EXPECT_THAT(manifest.at("label").get<std::string>(), HasSubstr("search, confirming"));
  // It is no result, and listing results does not stumble over it.
  const Finished list = e2e::Run({Program("kbench"), "list", "--results", dir.path() + "/results"});
  EXPECT_EQ(list.code, 0);
  EXPECT_EQ(list.err, "");
}

// Two requests in flight of 5 ms each are 400/s, whatever the server could do: it serves any number
// side by side.
TEST(Search, SaysThatTheClientsWindowWasTheLimit) {
  const TempDir dir;
  const ForeignCpu others;
  const SearchRun run =
      Search(dir,
             "name: window\n"
             "server: {service_time: get=5ms}\n"
             "workload: {op: get, value_size: 1B, keys: 8}\n"
             "load: {mode: open, rate_total: 200/s, depth: 2}\n"
             "run: {warmup: 100ms, duration: 500ms}\n",
             {"--limit", "p50(get) < 1s", "--resolution", "50%", "--confirm-duration", "500ms",
              "--limit", "achieved/offered > 0.9"});
  if (!JudgeWhenQuiet(run.finished.code == 10,
                      {.what = "the search that the client's window limits",
                       .figure = absl::StrCat("exit code ", run.finished.code),
                       .bound = "10"},
                      others.Cpus())) {
    return;
  }
  EXPECT_EQ(run.answer.at("answer"), "client");
  EXPECT_LE(run.answer.at("rate_per_s"), 400 / 0.9);
  EXPECT_NE(run.answer.at("client"), "");
}

// However many probes it makes, and whatever becomes of them.
TEST(Search, WritesItsKeysOnce) {
  const Daemon server("kbench-server", {});
  const TempDir dir;
  const SearchRun run =
      Search(dir,
             "name: once\n"
             "server: {address: '" +
                 server.address() +
                 "'}\n"
                 "workload: {op: get, value_size: 1KiB, keys: 300}\n"
                 "load: {mode: open, rate_total: 50/s}\n"
                 "run: {warmup: 0s, duration: 200ms}\n",
             {"--limit", "p50(get) < 10s", "--most", "200/s", "--confirm-duration", "200ms"});
  ASSERT_TRUE(run.answer.is_object()) << run.finished.err;
  EXPECT_GE(run.answer.at("probes").size(), 2u);
  int runs = 0, writing = 0;
  for (const auto& probe : run.answer.at("probes")) {
    for (const std::string& file :
         FindFiles(probe.at("result").get<std::string>() + "/cells", "summary.json")) {
      const nlohmann::json facts = ReadJson(file).at("agents").at(0).at("transport_facts");
      EXPECT_EQ(facts.at("load_keys"), "300");
      writing += facts.at("load_written") != "0";
      ++runs;
    }
  }
  EXPECT_GE(runs, 2);
  EXPECT_EQ(writing, 1);
}

TEST(Search, SaysThatNothingHolds) {
  const TempDir dir;
  const SearchRun run =
      Search(dir, OneThread("depth: 256"), {"--limit", "p50(get) < 1ms", "--least", "50/s"});
  EXPECT_EQ(run.finished.code, 3) << run.finished.err;
  EXPECT_EQ(run.answer.at("answer"), "nothing_holds");
  EXPECT_TRUE(run.answer.at("rate_per_s").is_null());
}

TEST(Search, RefusesWhatItCannotSearch) {
  const TempDir dir;
  for (const auto& [yaml, option, said] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {OneThread("depth: [1, 2]"), "p50(get) < 1ms", "one cell"},
           {OneThread("depth: 2"), "errors < 1%", "limit of latency"},
           {OneThread("depth: 2"), "p50(gte) < 1ms", "did you mean 'get'?"},
           {OneThread("depth: 2"), "p50(put) < 1ms", "no cell has"},
           {"name: closed\n", "p50 < 1ms", "open loop"}}) {
    const SearchRun run = Search(dir, yaml, {"--limit", option});
    EXPECT_EQ(run.finished.code, 2) << run.finished.out;
    EXPECT_THAT(run.finished.err, HasSubstr(said));
  }
  EXPECT_TRUE(Look(dir, {}).result_dirs.empty());
}

nlohmann::json OnlyRun(const CampaignRun& run) {
  const std::vector<std::string> files =
      FindFiles(run.result_dirs.at(0) + "/cells", "summary.json");
  EXPECT_EQ(files.size(), 1u);
  return ReadJson(files.at(0));
}

std::vector<std::vector<std::string>> ReadCsv(const std::string& path) {
  std::vector<std::vector<std::string>> rows;
  const std::string text = ReadFile(path);
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    rows.push_back(absl::StrSplit(line, ','));
  }
  return rows;
}

// Due requests are exact, whatever the machine: they are made from the campaign alone.
TEST(Arrivals, WhatIsOfferedIsWhatWasAsked) {
  const TempDir dir;
  for (const auto& [load, due] : std::vector<std::pair<std::string, int>>{
           {"arrival: ramp, rate_total: 100/s to 500/s", 600},
           {"arrival: steps, rate_total: 100/s for 25% then 400/s for 75%", 650},
           {"arrival: bursts, burst_size: 10, rate_total: 200/s", 400}}) {
    const TempDir own;
    const ForeignCpu others;
    const CampaignRun run = RunCampaign(own,
                                        "name: offered\n"
                                        "workload: {op: noop}\n"
                                        "load: {mode: open, flows: 2, depth: 256, " +
                                            load +
                                            "}\n"
                                            "probes: {passes: [bare], baselines: none}\n"
                                            "run: {warmup: 100ms, duration: 2s, repetitions: 1}\n",
                                        {"--local", "2"});
    ASSERT_EQ(run.finished.code, 0) << run.finished.err;
    EXPECT_EQ(OnlyRun(run).at("all").at("counts").at("due"), due) << load;
    const bool varies = load.find("bursts") == std::string::npos;
    EXPECT_EQ(run.finished.out.find("rate_varies") != std::string::npos, varies) << load;
    // What came due in each second, over both agents.
    const auto rows = ReadCsv(FindFiles(run.result_dirs.at(0), "intervals.csv").at(0));
    ASSERT_EQ(rows.at(0).at(8), "due");
    int sum = 0;
    for (size_t i = 1; i < rows.size(); ++i) sum += std::stoi(rows[i].at(8));
    EXPECT_LE(sum, due);
    JudgeWhenQuiet(sum >= due * 9 / 10,
                   {.what = "requests that came due in the intervals, " + load,
                    .figure = absl::StrCat(sum, " of ", due),
                    .bound = "all but what an end of a window may miss"},
                   others.Cpus());
  }
}

TEST(Workload, ValuesOfManySizesAreVerifiedUnderSkewedKeys) {
  for (const char* order : {"zipf", "latest", "hotspot"}) {
    const TempDir dir;
    const CampaignRun run =
        RunCampaign(dir,
                    "name: mixed\n"
                    "workload: {mix: {get: 2, put: 1, next: 1}, keys: 300, key_order: " +
                        std::string(order) +
                        ", value_size: lognormal median 4KiB sigma 1.5 least 32B most 256KiB, "
                        "compressible: 50%, verify: true}\n"
                        "transport: epoll\n"
                        "load: {flows: 2, depth: 4}\n"
                        "probes: {passes: [sampled], baselines: none}\n"
                        "run: {warmup: 0s, duration: 400ms, repetitions: 1}\n",
                    {"--local", "1"});
    ASSERT_EQ(run.finished.code, 0) << order << run.finished.err;
    const nlohmann::json all = OnlyRun(run).at("all");
    EXPECT_GT(all.at("counts").at("answered"), 0);
    EXPECT_EQ(all.at("counts").at("failed"), 0) << order;
    EXPECT_THAT(run.finished.out, HasSubstr("values_verified"));
  }
}

TEST(Workload, VerifyInASweepChecksWhatIsReadAndSaysWhatIsNot) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: sweep\n"
                                      "workload: {op: [get, put], keys: 16, verify: true}\n"
                                      "transport: epoll\n"
                                      "probes: {passes: [bare], baselines: none}\n"
                                      "run: {warmup: 0s, duration: 200ms, repetitions: 1}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  for (const std::string& file : FindFiles(run.result_dirs.at(0) + "/cells", "summary.json")) {
    const bool reads = file.find("op=get") != std::string::npos;
    const std::string caveats = ReadJson(file).at("caveats").dump();
    EXPECT_EQ(caveats.find("values_verified") != std::string::npos, reads) << caveats;
    EXPECT_EQ(caveats.find("nothing_verified") != std::string::npos, !reads) << caveats;
  }
}

// Two sizes by equal weights, and every key read as often: bytes are those that went over the wire,
// and not those of the largest.
TEST(Workload, BytesAreCountedFromRealSizes) {
  const TempDir dir;
  const ForeignCpu others;
  const CampaignRun run = RunCampaign(dir,
                                      "name: bytes\n"
                                      "workload: {op: get, keys: 2000, key_order: sequential, "
                                      "value_size: {1KiB: 1, 9KiB: 1}}\n"
                                      "transport: epoll\n"
                                      "load: {depth: 16}\n"
                                      "probes: {passes: [bare], baselines: none}\n"
                                      "run: {warmup: 0s, duration: 1s, repetitions: 1}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json op = OnlyRun(run).at("ops").at(0);
  const double answered = op.at("counts").at("answered");
  if (!JudgeWhenQuiet(answered > 2000,
                      {.what = "answers in a second, of which the mean size is taken",
                       .figure = absl::StrCat(answered),
                       .bound = "every key of 2000"},
                      others.Cpus())) {
    return;
  }
  // 5 KiB on average, four deviations of the mean of 2000 keys, and at most 200 bytes of frame.
  const double mean = op.at("response_bytes").get<double>() / answered;
  EXPECT_GT(mean, 5 * 1024 - 4 * 4096 / std::sqrt(2000));
  EXPECT_LT(mean, 5 * 1024 + 4 * 4096 / std::sqrt(2000) + 200);
}

TEST(WarmUp, OfItsOwnEndsByItsCriterionAndSaysSo) {
  const TempDir dir;
  const std::string yaml =
      "name: warm\n"
      "server: {service_time: get=2ms}\n"
      "workload: {op: get, value_size: 1B, keys: 8}\n"
      "probes: {passes: [bare], baselines: none}\n"
      "run: {warmup: 0s, duration: 300ms, repetitions: 1, ";
  const CampaignRun ops =
      RunCampaign(dir, yaml + "warmup_ops: 100, warmup_most: 30s}\n", {"--local", "2"});
  ASSERT_EQ(ops.finished.code, 0) << ops.finished.err;
  EXPECT_THAT(ops.finished.out, HasSubstr("warmed_up"));
  EXPECT_EQ(ops.Manifest().at("runs").size(), 1u) << "the warm-up is no result";
  const TempDir other;
  // Two seconds are too short for five intervals.
  const CampaignRun never =
      RunCampaign(other, yaml + "warmup_steady: 50%, warmup_most: 2s}\n", {"--local", "1"});
  ASSERT_EQ(never.finished.code, 0) << never.finished.err;
  EXPECT_THAT(never.finished.out, HasSubstr("not_steady"));
}

TEST(WarmUp, ServerWithAConstantServiceTimeIsSteady) {
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: steady\n"
                                      "server: {service_time: get=5ms}\n"
                                      "workload: {op: get, value_size: 1B, keys: 8}\n"
                                      "probes: {passes: [bare], baselines: none}\n"
                                      "run: {warmup: 0s, duration: 200ms, repetitions: 1, "
                                      "warmup_steady: 40%, warmup_most: 40s}\n",
                                      {"--local", "1"});
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  EXPECT_THAT(run.finished.out, HasSubstr("warmed_up"));
}

}  // namespace
}  // namespace kbench::e2e
