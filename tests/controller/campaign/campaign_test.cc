#include "controller/campaign/campaign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace kbench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr CampaignOptions kLocal = {.local_agents = 1};

Campaign Good(const std::string& yaml, const CampaignOptions& options = kLocal) {
  const auto campaign = ParseCampaign("c.yaml", yaml, options);
  EXPECT_TRUE(campaign.ok()) << campaign.status();
  return campaign.ok() ? *campaign : Campaign();
}

std::string Errors(const std::string& yaml, const CampaignOptions& options = kLocal) {
  const auto campaign = ParseCampaign("c.yaml", yaml, options);
  EXPECT_FALSE(campaign.ok()) << "accepted:\n" << yaml;
  return campaign.ok() ? "" : std::string(campaign.status().message());
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Each campaign of tests/controller/campaign/campaign_errors.txt with what is said about it.
// Rewritten by KBENCH_UPDATE_GOLDEN=1 and reviewed as a diff.
TEST(CampaignGolden, ErrorsNamePlaceAndRemedy) {
  const std::string path =
      std::string(KBENCH_SOURCE_DIR) + "/tests/controller/campaign/campaign_errors.txt";
  std::stringstream golden(ReadWhole(path));
  std::string line, head, yaml, said, actual;
  bool in_said = false;
  int cases = 0;
  const auto flush = [&] {
    if (head.empty()) return;
    CampaignOptions options = kLocal;
    if (head.find("--fleet") != std::string::npos) options.local_agents = 0;
    for (size_t at = head.find("--set "); at != std::string::npos; at = head.find("--set ", at)) {
      at += 6;
      options.overrides.push_back(head.substr(at, head.find(' ', at) - at));
    }
    const std::string errors = Errors(yaml, options) + "\n";
    EXPECT_EQ(errors, said) << head;
    actual += head + "\n" + yaml + "---\n" + errors;
    ++cases;
  };
  while (std::getline(golden, line)) {
    if (line.rfind("=== ", 0) == 0) {
      flush();
      head = line;
      yaml.clear();
      said.clear();
      in_said = false;
    } else if (line == "---") {
      in_said = true;
    } else {
      (in_said ? said : yaml) += line + "\n";
    }
  }
  flush();
  EXPECT_GE(cases, 25);
  if (std::getenv("KBENCH_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
}

TEST(Campaign, TheSmallestHasEveryDefault) {
  const Campaign campaign = Good("name: smallest");
  ASSERT_EQ(campaign.cells.size(), 1u);
  EXPECT_EQ(campaign.cells[0].info.Label(), "all");
  const Settings& s = campaign.cells[0].settings;
  EXPECT_EQ(s.transport, "socket");
  EXPECT_EQ(s.value_sizes.largest(), 4096u);
  EXPECT_EQ(s.duration, Seconds(5));
  EXPECT_TRUE(s.EmbeddedServer());
  EXPECT_TRUE(s.LoadsKeys());
  EXPECT_EQ(campaign.repetitions, 3);
  EXPECT_EQ(campaign.constants.at("transport"), "socket");
  EXPECT_EQ(campaign.constants.at("value_size"), "4KiB");
  EXPECT_EQ(campaign.constants.at("server"), "embedded");
}

TEST(Campaign, ListsAreFactorsAndTheLastInTheFileVariesFastest) {
  const Campaign campaign = Good(
      "name: sweep\n"
      "workload: {value_size: [4KiB, 1MiB], op: put}\n"
      "transport: [epoll, uring]\n");
  ASSERT_EQ(campaign.factors.size(), 2u);
  EXPECT_EQ(campaign.factors[0].path, "workload.value_size");
  std::vector<std::string> labels;
  for (const Cell& cell : campaign.cells) labels.push_back(cell.info.Label());
  EXPECT_THAT(labels,
              ElementsAre("value_size=4KiB,transport=epoll", "value_size=4KiB,transport=uring",
                          "value_size=1MiB,transport=epoll", "value_size=1MiB,transport=uring"));
  EXPECT_EQ(campaign.cells[2].settings.value_sizes.largest(), 1u << 20);
  EXPECT_EQ(campaign.cells[3].settings.transport, "uring");
  EXPECT_EQ(campaign.cells[3].settings.ops[0].op, "put");
  EXPECT_FALSE(campaign.constants.contains("transport"));
  EXPECT_FALSE(campaign.cells[0].settings.LoadsKeys()) << "puts need no keys";
}

TEST(Campaign, EveryFieldReachesItsSetting) {
  const Campaign campaign = Good(
      "name: everything\n"
      "agents: ['10.0.0.1:7100', '[::1]:7100']\n"
      "server: {address: '10.0.0.9:8123', identity: 7, key_file: secrets/key,\n"
      "         tls: true, ca_file: ca.pem}\n"
      "workload: {mix: {get: 0.7, put: 0.3}, value_size: 1B, keys: 9, key_size: 32B,\n"
      "           key_order: sequential, synchronization: flush, load: false, tag: sha2}\n"
      "load: {mode: open, flows: 6, depth: 5, arrival: poisson, rate_per_agent: 2.5k/s}\n"
      "transport: uring\npoll: spin\nflush: op\n"
      "workers: {count: 2, cpus: '3,4'}\n"
      "socket: {send_buffer: 64KiB, receive_buffer: 32KiB, congestion_control: reno}\n"
      "run: {warmup: 0s, duration: 100ms, repetitions: 2, seed: 18446744073709551615,\n"
      "      op_timeout: 1s, connect_timeout: 2s}\n"
      "probes: {sample_every: 0, samples_max: 5}\n",
      {});
  EXPECT_THAT(campaign.agents, ElementsAre("10.0.0.1:7100", "[::1]:7100"));
  EXPECT_EQ(campaign.seed, UINT64_MAX);
  EXPECT_EQ(campaign.repetitions, 2);
  const Settings& s = campaign.cells[0].settings;
  EXPECT_EQ(s.server_address, "10.0.0.9:8123");
  EXPECT_EQ(s.identity, 7);
  EXPECT_EQ(s.key_file, "secrets/key");
  EXPECT_TRUE(s.tls);
  EXPECT_EQ(s.ca_file, "ca.pem");
  ASSERT_EQ(s.ops.size(), 2u);
  EXPECT_EQ(s.ops[1].op, "put");
  EXPECT_EQ(s.ops[1].weight, 0.3);
  EXPECT_EQ(s.value_sizes.largest(), 1u);
  EXPECT_EQ(s.keys, 9);
  EXPECT_EQ(s.key_bytes, 32);
  EXPECT_EQ(s.key_order, "sequential");
  EXPECT_EQ(s.synchronization, "flush");
  EXPECT_EQ(s.tag, "sha2");
  EXPECT_FALSE(s.LoadsKeys());
  EXPECT_TRUE(s.open_loop);
  EXPECT_EQ(s.flows, 6);
  EXPECT_EQ(s.depth, 5);
  EXPECT_EQ(s.arrival, "poisson");
  EXPECT_EQ(s.rate_per_agent.rate(), 2500);
  EXPECT_FALSE(s.rate_total.given());
  EXPECT_EQ(s.transport, "uring");
  EXPECT_EQ(s.poll, "spin");
  EXPECT_EQ(s.flush, "op");
  EXPECT_EQ(s.workers, 2);
  EXPECT_THAT(s.worker_cpus, ElementsAre(3, 4));
  EXPECT_EQ(s.send_buffer_bytes, 65536);
  EXPECT_EQ(s.receive_buffer_bytes, 32768);
  EXPECT_EQ(s.congestion_control, "reno");
  EXPECT_EQ(s.warmup, Nanos(0));
  EXPECT_EQ(s.duration, Millis(100));
  EXPECT_EQ(s.op_timeout, Seconds(1));
  EXPECT_EQ(s.connect_timeout, Seconds(2));
  EXPECT_EQ(s.sample_every, 0);
  EXPECT_EQ(s.samples_max, 5);
}

TEST(Campaign, PassesAreAListThatIsNoSweep) {
  using analysis::Pass;
  const Campaign all = Good("name: p\n");
  EXPECT_THAT(all.passes, ElementsAre(Pass::kBare, Pass::kSampled, Pass::kFull));
  EXPECT_EQ(all.constants.at("passes"), "bare,sampled,full");
  EXPECT_EQ(all.constants.at("full_sample_every"), "16");
  const Campaign two = Good("name: p\nprobes: {passes: [full, bare]}\n");
  EXPECT_EQ(two.cells.size(), 1u);
  EXPECT_TRUE(two.factors.empty());
  EXPECT_THAT(two.passes, ElementsAre(Pass::kBare, Pass::kFull)) << "in one order";
  EXPECT_THAT(Good("name: p\nprobes: {passes: full}\n").passes, ElementsAre(Pass::kFull));
  EXPECT_THAT(
      Good("name: p\n", {.local_agents = 1, .overrides = {"probes.passes=[sampled]"}}).passes,
      ElementsAre(Pass::kSampled));
}

TEST(Campaign, ARelayMayBeALinkOfARate) {
  const Campaign campaign = Good("name: i\ninject: {relay_rate: [none, 2.5Gbit/s]}\n");
  EXPECT_EQ(campaign.cells[0].info.Label(), "inject_relay_rate=none");
  EXPECT_FALSE(campaign.cells[0].settings.has_relay());
  EXPECT_EQ(campaign.cells[1].info.Label(), "inject_relay_rate=2500Mbit/s");
  EXPECT_TRUE(campaign.cells[1].settings.has_relay());
  EXPECT_EQ(campaign.cells[1].settings.relay_rate, 2'500'000'000);
  EXPECT_THAT(Errors("name: i\ninject: {relay_rate: 100MB/s}\n"), HasSubstr("unknown unit 'MB/s'"));
  EXPECT_THAT(Errors("name: i\ninject: {relay_rate: 999bit/s}\n"), HasSubstr("out of range"));
  // 4 KiB take 32 s.
  EXPECT_THAT(Errors("name: i\ninject: {relay_rate: 1kbit/s}\n"), HasSubstr("run.op_timeout"));
  EXPECT_THAT(Errors("name: i\ntransport: 'null'\ninject: {relay_rate: 1Gbit/s}\n"),
              HasSubstr("inject.relay_rate"));
}

TEST(Campaign, InjectionsAreFactorsAndARelayWithoutDelayIsNotNone) {
  const Campaign campaign =
      Good("name: i\ninject: {encode: [0us, 50us], decode: 20us, relay: [none, 0us, 300us]}\n");
  ASSERT_EQ(campaign.cells.size(), 6u);
  EXPECT_EQ(campaign.cells[0].info.Label(), "inject_encode=0s,inject_relay=none");
  EXPECT_EQ(campaign.cells[5].info.Label(), "inject_encode=50us,inject_relay=300us");
  EXPECT_EQ(campaign.constants.at("inject_decode"), "20us");
  EXPECT_EQ(campaign.cells[0].settings.inject_relay, std::nullopt);
  EXPECT_EQ(campaign.cells[1].settings.inject_relay, Nanos(0));
  EXPECT_EQ(campaign.cells[5].settings.inject_relay, Micros(300));
  EXPECT_EQ(campaign.cells[5].settings.inject_encode, Micros(50));
  EXPECT_EQ(campaign.cells[5].settings.inject_decode, Micros(20));
  EXPECT_EQ(Good("name: i\n").cells[0].settings.inject_relay, std::nullopt);
}

TEST(Campaign, NamesWhoObservesTheServer) {
  const Campaign campaign = Good(
      "name: o\nagents: ['10.0.0.1:7100']\n"
      "server: {address: '10.0.0.9:8123', observer: '10.0.0.9:7100', observer_port: 8124}\n",
      {});
  EXPECT_EQ(campaign.cells[0].settings.observer, "10.0.0.9:7100");
  EXPECT_EQ(campaign.cells[0].settings.observer_port, 8124);
  EXPECT_EQ(campaign.constants.at("observer"), "10.0.0.9:7100");
  EXPECT_FALSE(Good("name: o\n").constants.contains("observer_port"));
}

constexpr char kObserved[] =
    "name: o\nagents: ['10.0.0.1:7100']\n"
    "server: {address: '10.0.0.9:8123', observer: '10.0.0.9:7100'}\n";

TEST(Campaign, AnObserverIsOfUseWhereOneCellCanBeWatched) {
  const std::string observed = kObserved;
  Good(observed, {});
  Good(observed + "transport: [null, socket]\n", {});
  Good(observed + "probes: {passes: [bare, full]}\n", {});
  // Or where the way to its host is asked for; that it is measured by default is not enough.
  Good(observed + "probes: {passes: [sampled], baselines: auto}\n", {});
  Errors(observed + "probes: {passes: [sampled]}\n", {});
  Errors(observed + "probes: {passes: [sampled], baselines: none}\n", {});
}

TEST(Campaign, ACommandWithPassesOfItsOwnTakesProbesThatItDoesNotUse) {
  const std::string yaml = std::string(kObserved) + "probes: {full_sample_every: 4}\n";
  const std::vector<std::string> bare = {"probes.passes=[bare]"};
  EXPECT_THAT(Errors(yaml, {.overrides = bare}), HasSubstr("server.observer watches"));
  EXPECT_TRUE(ParseCampaign("c.yaml", yaml, {.overrides = bare, .takes_unused_probes = true}).ok());
}

TEST(Campaign, AFieldIsNoMistakeWhenSetTakesItsPassAway) {
  const std::string yaml = "name: s\nprobes: {full_sample_every: 4, sample_every: 8}\n";
  Good(yaml, {.local_agents = 1, .overrides = {"probes.passes=[bare]"}});
  EXPECT_THAT(Errors(yaml, {.local_agents = 1,
                            .overrides = {"probes.passes=[bare]", "probes.sample_every=4"}}),
              AllOf(HasSubstr("--set probes.sample_every=4: probes.sample_every has no effect"),
                    Not(HasSubstr("full_sample_every"))));
}

TEST(Campaign, VerifyWorksInASweepOfOperations) {
  const Campaign campaign = Good("name: v\nworkload: {op: [get, put, noop, next], verify: true}\n");
  ASSERT_EQ(campaign.cells.size(), 4u);
  for (const Cell& cell : campaign.cells) EXPECT_TRUE(cell.settings.verify);
  // One operation that reads is enough, and one cell that verifies.
  Good("name: v\nworkload: {op: [put, noop, previous], verify: [false, true]}\n");
  Good("name: v\nworkload: {mix: {put: 0.9, next: 0.1}, verify: true}\n");
  Good("name: v\nworkload: {op: put, value_size: 16B, verify: false}\n");
}

TEST(Campaign, VerifyAndLatestHoldForTheCellsOfASweepThatCanUseThem) {
  Good("name: v\ntransport: [socket, null]\nworkload: {verify: true}\n");
  Good("name: l\nworkload: {op: [get, put, noop], key_order: latest}\n");
  Good("name: l\nworkload: {op: put, key_order: [latest, uniform]}\n");
  EXPECT_THAT(Errors("name: v\ntransport: [socket, null]\nworkload: {op: put, verify: true}\n"),
              HasSubstr("no operation reads a value"));
  EXPECT_THAT(Errors("name: l\nworkload: {op: [get, put_new], key_order: latest}\n"),
              HasSubstr("nothing is written"));
}

TEST(Campaign, AFieldOfTheWorkloadIsOfUseWhereOneCellUsesIt) {
  const std::string tag = ", tag: sha1, compressible: 10%, value_size: 1KiB}\n";
  // They are in the names of keys: whoever reads or deletes what an earlier campaign wrote says
  // them.
  for (const char* op :
       {"op: put", "op: batch", "op: get", "op: get, load: false", "op: delete, load: false",
        "op: noop, load: true", "op: [noop, put_new]"}) {
    Good(absl::StrCat("name: u\nworkload: {", op, tag));
  }
  Good("name: u\nworkload: {op: get_miss, keys: 5, key_size: 20B, key_order: zipf}\n");
  Good("name: u\nworkload: {op: put_new, key_size: 20B}\n");
  Good("name: u\nworkload: {op: put_new, load: true, keys: 5}\n");
  Good("name: u\nworkload: {op: delete, synchronization: flush}\n");
  Good("name: u\nworkload: {op: get, synchronization: flush}\n");
  Good("name: u\ntransport: [null, socket]\nworkload: {load: true, tag: none}\n");
}

TEST(Campaign, AFieldOfTheWorkloadIsNoMistakeWhenSetTakesItsUseAway) {
  const std::string yaml = "name: s\nworkload: {op: get, keys: 5, tag: sha1}\n";
  Good(yaml, {.local_agents = 1, .overrides = {"workload.op=noop"}});
  Good(yaml, {.local_agents = 1, .overrides = {"transport=null"}});
  EXPECT_THAT(
      Errors(yaml, {.local_agents = 1, .overrides = {"workload.op=noop", "workload.tag=none"}}),
      AllOf(HasSubstr("--set workload.tag=none: workload.tag has no effect"),
            Not(HasSubstr("workload.keys"))));
  // What was accepted when it was begun is taken when it is resumed.
  const std::string old = "name: s\nworkload: {op: noop, tag: sha1}\n";
  EXPECT_THAT(Errors(old, {.local_agents = 1}), HasSubstr("c.yaml:2:27: workload.tag"));
  EXPECT_TRUE(
      ParseCampaign("c.yaml", old, {.local_agents = 1, .takes_unused_workload = true}).ok());
}

// What --set takes away the use of for once: a field of the file is no mistake then.
TEST(Campaign, SetTakesTheUseOfEveryFieldAwayForOnce) {
  const auto once = [](const std::string& yaml, std::vector<std::string> overrides) {
    return ParseCampaign("c.yaml", "name: s\n" + yaml,
                         {.local_agents = 1, .overrides = std::move(overrides)})
        .status();
  };
  struct Taken {
    const char* yaml;   // with a field that is of use
    const char* by;     // this is not any more,
    const char* again;  // unless it is said again
    const char* complaint;
  };
  for (const Taken& taken : {
           Taken{"workload: {op: get, verify: true}\n", "workload.op=put", "workload.verify=true",
                 "no operation reads a value"},
           Taken{"workload: {op: get, verify: true}\n", "transport=null", "workload.verify=true",
                 "the null transport keeps no values"},
           Taken{"load: {reuse: true}\n", "workload.op=put", "load.reuse=true",
                 "load.reuse has no effect"},
           Taken{"workload: {op: put, key_order: latest}\n", "workload.op=get",
                 "workload.key_order=latest", "nothing is written"},
           Taken{"workload: {key_order: zipf, zipf_theta: 0.8}\n", "workload.key_order=uniform",
                 "workload.zipf_theta=0.8", "workload.zipf_theta has no effect"},
           Taken{"workload: {key_order: hotspot, hot_keys: 1%}\n", "workload.key_order=uniform",
                 "workload.hot_keys=1%", "workload.hot_keys has no effect"},
           Taken{"workload: {key_order: hotspot, hot_requests: 90%}\n",
                 "workload.key_order=uniform", "workload.hot_requests=90%",
                 "workload.hot_requests has no effect"},
           Taken{"server: {address: 'h:1', tls: true, ca_file: f}\n", "server.tls=false",
                 "server.ca_file=f", "server.ca_file has no effect"},
           Taken{"transport: external\nclient: {command: [mine]}\n", "transport=socket",
                 "client.command=[mine]", "client.command has no effect"},
       }) {
    SCOPED_TRACE(taken.yaml);
    EXPECT_TRUE(once(taken.yaml, {}).ok()) << once(taken.yaml, {});
    EXPECT_TRUE(once(taken.yaml, {taken.by}).ok()) << once(taken.yaml, {taken.by});
    EXPECT_THAT(std::string(once(taken.yaml, {taken.by, taken.again}).message()),
                HasSubstr(taken.complaint));
  }
}

TEST(Campaign, PassesAskForTheirOwnStamps) {
  using analysis::Pass;
  const Campaign campaign =
      Good("name: p\nprobes: {sample_every: [32, 4], full_sample_every: 2}\n");
  ASSERT_EQ(campaign.cells.size(), 2u);
  EXPECT_EQ(campaign.cells[1].info.Label(), "sample_every=4");
  const Settings& s = campaign.cells[1].settings;
  EXPECT_EQ(s.SampleEvery(Pass::kBare), 0);
  EXPECT_EQ(s.SampleEvery(Pass::kSampled), 4);
  EXPECT_EQ(s.SampleEvery(Pass::kFull), 2);
}

TEST(Campaign, TlsOfTheEmbeddedServerCanBeSwept) {
  const Campaign campaign = Good("name: t\nserver: {tls: [false, true]}\n", kLocal);
  ASSERT_EQ(campaign.cells.size(), 2u);
  EXPECT_EQ(campaign.cells[0].info.Label(), "tls=false");
  EXPECT_FALSE(campaign.cells[0].settings.tls);
  EXPECT_TRUE(campaign.cells[1].settings.tls);
}

TEST(Campaign, AMixCanBeSweptAndIsLabelledByItsWeights) {
  const Campaign campaign = Good("name: m\nworkload: {mix: [{get: 1}, {get: 0.7, put: 0.3}]}\n");
  ASSERT_EQ(campaign.cells.size(), 2u);
  EXPECT_EQ(campaign.cells[0].info.Label(), "mix=get");
  EXPECT_EQ(campaign.cells[1].info.Label(), "mix=get:0.7+put:0.3");
  EXPECT_EQ(campaign.cells[1].settings.ops.size(), 2u);
}

TEST(Campaign, SetReplacesAddsAndSweeps) {
  const Campaign campaign =
      Good("name: a\ntransport: [epoll, uring]\nrun: {duration: 1s}\n",
           {.local_agents = 1,
            .overrides = {"transport=null", "run.duration=2s", "workload.value_size=[0B, 4KiB]",
                          "run.duration=3s"}});
  EXPECT_EQ(campaign.cells.size(), 2u);
  EXPECT_EQ(campaign.constants.at("transport"), "null");
  EXPECT_EQ(campaign.cells[0].settings.duration, Seconds(3)) << "the last one wins";
  EXPECT_EQ(campaign.cells[1].info.Label(), "value_size=4KiB");
}

// YAML's null is no value, but the null transport is a level like any other.
TEST(Campaign, TheNullTransportNeedsNoQuotes) {
  EXPECT_EQ(Good("# caf\xc3\xa9\nname: n\ntransport: null\n").cells[0].settings.transport, "null");
  const Campaign swept = Good("name: n\ntransport: [epoll, null]\n");
  ASSERT_EQ(swept.cells.size(), 2u);
  EXPECT_EQ(swept.cells[1].settings.transport, "null");
  EXPECT_THAT(Errors("name: n\ntransport:\n"), HasSubstr("c.yaml:2:1: 'transport' has no value"));
  EXPECT_THAT(Errors("name: n\nsocket: {congestion_control: null}\n"), HasSubstr("has no value"));
  EXPECT_THAT(Errors("name: n\ntransport: ~\n"), HasSubstr("c.yaml:2:1: 'transport' has no value"));
}

TEST(Campaign, ASecondDocumentIsNotIgnored) {
  EXPECT_THAT(Errors("name: a\n---\ntransport: uring\n"), HasSubstr("one YAML document"));
}

TEST(Campaign, AnEmptyFileIsToldHowToBegin) {
  EXPECT_THAT(Errors(""), HasSubstr("the smallest is 'name:"));
}

TEST(Campaign, KeepsTheFileVerbatim) {
  const std::string text = "# why\nname:   spaced   # out\n";
  EXPECT_EQ(Good(text).source, text);
}

TEST(Campaign, SaysWhichFileIsMissing) {
  const auto campaign = LoadCampaign("no/such/file.yaml", kLocal);
  EXPECT_EQ(campaign.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(campaign.status().message()), HasSubstr("no/such/file.yaml"));
}

TEST(Campaign, TheExamplesAreValid) {
  for (const char* name : {"demo", "libkinetic-fio", "open-loop", "other-client", "service-time"}) {
    const auto campaign = LoadCampaign(
        std::string(KBENCH_SOURCE_DIR) + "/campaigns/" + name + ".yaml", {.local_agents = 1});
    EXPECT_TRUE(campaign.ok()) << campaign.status();
  }
  EXPECT_TRUE(LoadCampaign(std::string(KBENCH_SOURCE_DIR) + "/campaigns/fleet.yaml", {}).ok());
}

}  // namespace
}  // namespace kbench
