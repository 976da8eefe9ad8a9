// kbench-observe beside a real server under load: both views see every request, what they say
// agrees with the server's own records, and the file that they write says the same once more.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "client/client.h"
#include "client/requests.h"
#include "kinetic/residence.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

using ::testing::HasSubstr;

std::string PortOf(const std::string& address) { return address.substr(address.rfind(':') + 1); }

// One observer; its records as the JSON that it prints.
class Observer {
 public:
  Observer(const std::string& port, const std::string& view, const std::string& file)
      : child_({Program("kbench"), "observe", "--port", port, "--view", view, "--write", file,
                "--format", "json"}) {
    child_.WaitForOutput("Ctrl-C ends it", seconds(60));
  }
  nlohmann::json End() {
    child_.Signal(SIGINT);
    EXPECT_EQ(child_.Wait(seconds(60)), 0) << child_.err();
    return nlohmann::json::parse(child_.out());
  }

 private:
  Child child_;
};

bool MayObserve(std::string* why) {
  const Finished tried =
      Run({Program("kbench-observe"), "--port", "1", "--duration", "1ms"}, seconds(60));
  *why = tried.err;
  return tried.err.find("CAP_NET_RAW") == std::string::npos;
}

int64_t Residence(const nlohmann::json& record) {
  return record.at("response_first").get<int64_t>() - record.at("request_last").get<int64_t>();
}

int64_t Median(std::vector<int64_t> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

TEST(Observe, BothViewsAgreeWithTheServerAndWithTheirFiles) {
  std::string why;
  if (!MayObserve(&why)) GTEST_SKIP() << why;
  Daemon server("kbench-server", {"--service-time", "get=500us"});
  const std::string port = PortOf(server.address());
  const TempDir dir;
  const std::map<std::string, std::string> files = {{"client", dir.path() + "/client.pcap"},
                                                    {"server", dir.path() + "/server.pcap"}};
  const ForeignCpu others;
  Observer at_client(port, "client", files.at("client"));
  Observer at_server(port, "server", files.at("server"));

  const CampaignRun run =
      RunCampaign(dir,
                  absl::StrCat("name: observed\nserver: {address: '", server.address(),
                               "'}\nworkload: {op: [get, put], value_size: 4KiB, keys: 32}\n"
                               "transport: [epoll]\nload: {flows: 3, depth: 4}\n"
                               "run: {warmup: 50ms, duration: 300ms, repetitions: 1, seed: 3}\n"),
                  {"--local", "1"});
  EXPECT_EQ(run.finished.code, 0) << run.finished.err;
  // And a conversation of our own, of which the server still has the records when we ask.
  const auto address = Resolve(*ParseHostPort(server.address()));
  ASSERT_TRUE(address.ok()) << address.status();
  const auto client = client::Client::Connect({.server = *address});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Call(client::PutRequest("k"), std::string(100, 'v')).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE((*client)->Call(client::GetRequest("k")).ok());
  const std::string name =
      absl::StrCat(std::string(kinetic::kResidenceLogPrefix), (*client)->connection_id());
  const auto reply = (*client)->Call(client::DeviceLogRequest(name));
  ASSERT_TRUE(reply.ok()) << reply.status();
  const auto log = kinetic::DecodeResidenceLog(AsBytes(reply->value));
  ASSERT_TRUE(log.ok()) << log.status();
  const std::map<std::string, nlohmann::json> seen = {{"client", at_client.End()},
                                                      {"server", at_server.End()}};

  uint64_t dropped = 0;
  for (const auto& [view, json] : seen) {
    dropped += json.at("counters").at("ring_drops").get<uint64_t>();
  }
  for (const auto& [view, json] : seen) {
    SCOPED_TRACE(view);
    const nlohmann::json& counters = json.at("counters");
    EXPECT_EQ(json.at("view"), view);
    EXPECT_EQ(counters.at("requests"), json.at("records").size());
    // Where others use the CPUs the ring may run full: then that is counted and said.
    if (counters.at("ring_drops") > 0) {
      EXPECT_THAT(json.at("doubts").dump(), HasSubstr("packets were dropped"));
    }
    if (dropped == 0) {
      EXPECT_GT(counters.at("requests"), 200);
      EXPECT_EQ(counters.at("requests"), counters.at("answered"));
      EXPECT_EQ(counters.at("unmatched_answers"), 0);
      EXPECT_EQ(counters.at("requests"), seen.at("client").at("counters").at("requests"));
    }
    // Read again from the file: the same records, to the nanosecond.
    const Finished again = e2e::Run({Program("kbench"), "observe", "--pcap", files.at(view),
                                     "--port", port, "--format", "json"});
    ASSERT_EQ(again.code, 0) << again.err;
    const nlohmann::json replayed = nlohmann::json::parse(again.out);
    EXPECT_EQ(replayed.at("view"), view);
    nlohmann::json in_file = counters;
    in_file["ring_drops"] = 0;  // what was dropped is in no file
    EXPECT_EQ(replayed.at("counters"), in_file);
    EXPECT_TRUE(replayed.at("records") == json.at("records"));
    EXPECT_EQ(replayed.at("busy_ns"), json.at("busy_ns"));
  }

  if (dropped > 0) {
    return NotJudged({.what = "packets that the rings dropped",
                      .figure = absl::StrCat(dropped),
                      .bound = "none, for every request to be seen from both sides"},
                     absl::StrFormat("others used %.2f CPUs", others.Cpus()));
  }

  std::map<uint64_t, kinetic::Residence> own;
  for (const kinetic::Residence& one : log->records) own[one.sequence] = one;
  std::vector<int64_t> more;
  for (const auto& record : seen.at("server").at("records")) {
    if (record.at("connection_id") != (*client)->connection_id()) continue;
    const auto it = own.find(record.at("sequence"));
    if (it == own.end() || (it->second.flags & kinetic::Residence::kKernelReceived) == 0) continue;
    more.push_back(Residence(record) - it->second.duration().count());
    EXPECT_GT(more.back(), -1000) << "the packets come before and after the server's own stamps";
  }
  ASSERT_GT(more.size(), 90u);
  JudgeWhenQuiet(Median(more) < 60'000,
                 {.what = "sending and stamping, within a residence",
                  .figure = absl::StrCat(Median(more), " ns"),
                  .bound = "less than 60 us"},
                 others.Cpus());
  std::vector<int64_t> residences;
  for (const auto& record : seen.at("server").at("records")) {
    if (record.at("connection_id") == (*client)->connection_id()) {
      residences.push_back(Residence(record));
    }
  }
  EXPECT_GT(Median(residences), 500'000) << "what was injected";
}

TEST(Observe, SaysWhatIsWrong) {
  const TempDir dir;
  const auto observe = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Program("kbench"), "observe"});
    return e2e::Run(arguments, seconds(60));
  };
  EXPECT_EQ(observe({}).code, 2);
  EXPECT_THAT(observe({"--port", "0"}).err, HasSubstr("--port"));
  const Finished missing = observe({"--port", "8123", "--pcap", dir.path() + "/none"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("No such file"));
  const Finished words =
      observe({"--port", "8123", "--pcap", dir.Write("words", "only words here")});
  EXPECT_EQ(words.code, 2);
  EXPECT_THAT(words.err, HasSubstr("is no capture file"));
  std::string why;
  if (!MayObserve(&why)) GTEST_SKIP() << why;
  const std::string file = dir.path() + "/nothing.pcap";
  // A port that is ours, and that nobody else can speak to.
  const Fd own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
  ASSERT_EQ(bind(own.get(), any->get(), any->length), 0);
  const std::string quiet = absl::StrCat(LocalAddress(own.get())->port);
  const Finished nothing = observe({"--port", quiet, "--duration", "10ms", "--write", file});
  EXPECT_EQ(nothing.code, 8);
  EXPECT_THAT(nothing.out, HasSubstr(absl::StrCat("no packet of TCP port ", quiet, " was seen")));
  EXPECT_EQ(observe({"--port", quiet, "--pcap", file}).code, 8);
  const Finished unit = observe({"--port", "1", "--duration", "10"});
  EXPECT_EQ(unit.code, 2);
  const Finished both = observe({"--port", "1", "--duration", "1s", "--pcap", file});
  EXPECT_EQ(both.code, 2);
}

}  // namespace
}  // namespace kbench::e2e
