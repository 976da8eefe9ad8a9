// A client of another make (external_client.py) under the same microscope as our transports: what
// packets say of it adds up to what its own clock says, and only the network moves when a relay
// does. And programs that do not behave: each ends its run in order, and is told apart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/one_awake_cpu.h"

namespace kbench::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCommand[] =
    "[py, --host, '{host}', --port, '{port}', --op, '{op}', --value-size, '{value_size}', --keys, "
    "'{keys}', --milliseconds, '{milliseconds}', --identity, '{identity}', --key-file, "
    "'{key_file}'";

std::string Executable(const TempDir& dir, const std::string& name, const std::string& text) {
  const std::string path = dir.Write(name, text);
  chmod(path.c_str(), 0755);
  return path;
}

std::string PythonClient(const TempDir& dir) {
  return Executable(dir, "client.py",
                    ReadFile(std::string(KBENCH_SOURCE_DIR) + "/tests/e2e/external_client.py"));
}

// Why nothing can be tested here; empty: it can.
std::string Missing(const CampaignRun& run) {
  for (const char* what : {"sees no packets", "cannot run transport uring"}) {
    if (run.finished.err.find(what) != std::string::npos) return run.finished.err;
  }
  return "";
}

bool HasPython() { return access("/usr/bin/python3", X_OK) == 0; }

class OtherClients : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasPython()) GTEST_SKIP() << "no /usr/bin/python3 to run the other client with";
  }

  // A campaign of one external cell; `program` is allowed as py. It has the fields that the command
  // tells it of.
  CampaignRun RunOne(const std::string& program, const std::string& command,
                     const std::string& more = "") {
    const bool told = command.find("{value_size}") != std::string::npos;
    return RunCampaign(
        dir_,
        absl::StrCat("name: one\ntransport: external\nclient: {command: ", command,
                     "}\nworkload: {op: get", told ? ", value_size: 4KiB, keys: 10" : "",
                     "}\n"
                     "run: {warmup: 100ms, duration: 1s, repetitions: 1}\n"
                     "probes: {passes: [full], baselines: none}\n",
                     more),
        {"--local", "1", "--allow-client", absl::StrCat("py=", program)});
  }

  // summary.json of the only result.
  nlohmann::json Summary(const CampaignRun& run) {
    EXPECT_EQ(run.result_dirs.size(), 1u) << run.finished.err;
    if (run.result_dirs.empty()) return {};
    return ReadJson(run.result_dirs.front() + "/summary.json");
  }

  static std::string Caveat(const nlohmann::json& summary, const std::string& code) {
    for (const auto& caveat : summary.at("caveats")) {
      if (caveat.at("code") == code) return caveat.at("text");
    }
    return "";
  }

  const TempDir dir_;
};

const nlohmann::json& GetRow(const nlohmann::json& cell, const nlohmann::json& caveats = {}) {
  for (const auto& row : cell.at("ops")) {
    if (row.at("op") == "get") return row;
  }
  static const nlohmann::json none;
  ADD_FAILURE() << "no gets in " << cell << caveats;
  return none;
}

double PartP50(const nlohmann::json& row, const std::string& name) {
  for (const auto& part : row.at("parts")) {
    if (part.at("part") == name) return part.at("p50_ns").at("median");
  }
  ADD_FAILURE() << "no part " << name << " in " << row.at("parts");
  return NAN;
}

// Of the only run: what its agent says of the program.
nlohmann::json ClientOf(const CampaignRun& run) {
  for (const std::string& file : FindFiles(run.result_dirs.at(0), "summary.json")) {
    const nlohmann::json of_run = ReadJson(file);
    if (of_run.contains("agents")) return of_run.at("agents").at(0).at("client");
  }
  return {};
}

// What the relay of the run of this cell really added, both ways.
double RelayAdded(const std::string& result_dir, int cell) {
  double added = 0;
  for (const std::string& file : FindFiles(result_dir, "summary.json")) {
    const nlohmann::json run = ReadJson(file);
    if (!run.contains("cell") || run.at("cell") != cell) continue;
    for (const char* way : {"relay_added_up_ns", "relay_added_down_ns"}) {
      double ns = 0;
      const auto& facts = run.at("agents").at(0).at("transport_facts");
      EXPECT_TRUE(absl::SimpleAtod(facts.at(way).get<std::string>(), &ns)) << facts;
      added += ns;
    }
  }
  return added;
}

TEST_F(OtherClients, AddUpToTheirOwnClockAndOnlyTheNetworkMovesWithARelay) {
  const OneAwakeCpu awake;
  const ForeignCpu others;
  const CampaignRun run = RunCampaign(
      dir_,
      absl::StrCat("name: other clients\ntransport: [external, socket, uring]\n"
                   "client: {command: ",
                   kCommand,
                   "]}\nworkload: {op: get, value_size: [4KiB, 64KiB], keys: 20}\n"
                   "inject: {relay: [0us, 1ms, 5ms]}\n"
                   "run: {warmup: 300ms, duration: 700ms, repetitions: 1, seed: 5}\n"
                   "probes: {passes: [full], baselines: none}\n"),
      {"--local", "1", "--allow-client", absl::StrCat("py=", PythonClient(dir_))}, seconds(240));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const double foreign = others.Cpus();
  const auto judge = [foreign](double value, double wanted, double allowed,
                               const std::string& what) {
    JudgeWhenQuiet(std::fabs(value - wanted) <= allowed,
                   {.what = what,
                    .figure = absl::StrCat(value / 1e3, " us"),
                    .bound = absl::StrCat(wanted / 1e3, " us within ", allowed / 1e3)},
                   foreign);
  };
  const nlohmann::json summary = Summary(run);

  // By value size, of the relay without delay: client, network, server.
  std::map<std::string, std::map<std::string, double>> still;
  std::map<std::string, double> still_added;
  std::set<std::string> seen;
  std::vector<nlohmann::json> cells(summary.at("cells"));
  const auto delay_of = [](const nlohmann::json& cell) {
    return cell.at("levels").at("inject_relay").get<std::string>();
  };
  std::stable_sort(cells.begin(), cells.end(), [&](const auto& a, const auto& b) {
    return delay_of(a) == "0s" && delay_of(b) != "0s";
  });
  for (const nlohmann::json& cell : cells) {
    if (cell.at("levels").at("transport") != "external") continue;
    const std::string label = cell.at("label"), size = cell.at("levels").at("value_size");
    SCOPED_TRACE(label);
    seen.insert(label);
    const nlohmann::json& row = GetRow(cell);
    ASSERT_TRUE(row.contains("client_program")) << row;
    const nlohmann::json& program = row.at("client_program");
    EXPECT_EQ(program.at("ended"), "by itself, exit code 0");
    EXPECT_EQ(program.at("own_of_window"), true);
    EXPECT_EQ(program.at("own_count"), program.at("requests"));
    const double own = program.at("own_mean_ns"), sum = program.at("sum_mean_ns");
    const double allowed = std::max(0.05 * own, 20'000.0);
    judge(sum, own, allowed, absl::StrCat(label, ": the parts' sum against its own clock"));
    if (std::fabs(sum - own) <= 0.9 * allowed) {
      EXPECT_EQ(program.at("verdict"), "agrees") << program.at("sentence");
    }

    std::map<std::string, double> parts;
    for (const char* name : {"client", "network", "server"}) parts[name] = PartP50(row, name);
    const double added = RelayAdded(run.result_dirs.front(), cell.at("index"));
    if (delay_of(cell) == "0s") {
      still[size] = parts;
      still_added[size] = added;
      continue;
    }
    const double more = added - still_added[size];
    EXPECT_GE(added, delay_of(cell) == "1ms" ? 2e6 : 10e6);
    EXPECT_GT(parts["network"], 0.95 * added) << "the relay's time is nowhere else";
    judge(parts["network"] - still[size]["network"], more, 0.15 * more,
          absl::StrCat(label, ": what the network moved by"));
    judge(parts["client"], still[size]["client"], 0.1 * more,
          absl::StrCat(label, ": the client beside a slower network"));
    judge(parts["server"], still[size]["server"], 0.1 * more,
          absl::StrCat(label, ": the server beside a slower network"));
  }
  EXPECT_EQ(seen.size(), 6u);

  // Beside our own transports, in the same pass.
  std::set<std::string> compared;
  for (const auto& c : summary.at("transport_comparisons")) {
    if (c.at("base") != "external") continue;
    compared.insert(c.at("candidate"));
    EXPECT_EQ(c.at("repetitions"), 1);
  }
  EXPECT_THAT(compared, ::testing::ElementsAre("socket", "uring"));
  EXPECT_THAT(run.finished.out, HasSubstr("Client programs, by packets and by their own clock"));
}

TEST_F(OtherClients, ThatThinkBetweenRequestsSayLessThanTheirGap) {
  const CampaignRun run =
      RunOne(PythonClient(dir_), absl::StrCat(kCommand, ", --think-us, '20000']"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json row = GetRow(Summary(run).at("cells").at(0));
  const nlohmann::json& program = row.at("client_program");
  EXPECT_EQ(program.at("verdict"), "says_less") << program;
  EXPECT_GT(program.at("outside_own_clock_ns"), 19'000'000);
  EXPECT_GT(PartP50(row, "client"), 19'000'000);
}

TEST_F(OtherClients, ThatPipelineAreNotGivenAGap) {
  const CampaignRun run =
      RunOne(PythonClient(dir_), absl::StrCat(kCommand, ", --depth, '4', --format, fio]"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json summary = Summary(run);
  EXPECT_THAT(Caveat(summary, "client_pipelined"), HasSubstr("what the program took"));
  const nlohmann::json& row = GetRow(summary.at("cells").at(0));
  EXPECT_EQ(row.at("parts").at(0).at("part"), "network") << "no part of the client's";
  EXPECT_EQ(row.at("client_program").at("own_source"), "fio, lat_ns of read");
  EXPECT_TRUE(row.at("client_program").at("sum_mean_ns").is_null());
}

// A summary with a count, after a line with braces: of all that it did, and packets show as much.
TEST_F(OtherClients, ThatSumUpAreHeldAgainstAllThatTheyDid) {
  const CampaignRun run = RunOne(PythonClient(dir_), absl::StrCat(kCommand, ", --format, fio]"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json row = GetRow(Summary(run).at("cells").at(0));
  const nlohmann::json& program = row.at("client_program");
  EXPECT_EQ(program.at("own_source"), "fio, lat_ns of read");
  EXPECT_EQ(program.at("packets_of_whole"), true) << program;
  EXPECT_EQ(program.at("answers_seen"), program.at("own_count"));
  EXPECT_GT(program.at("own_count"), program.at("requests")) << "the warm-up's are in it, too";
  EXPECT_GT(program.at("sum_mean_ns"), program.at("wire_mean_ns"));
  EXPECT_THAT(program.at("sentence").get<std::string>(), HasSubstr("packets show as many"));
}

// As a real drive answers, out of order, on several connections: every request has its answer, and
// what is not on the wire is in the program.
TEST_F(OtherClients, ThatKeepDeepPipelinesHaveWhatIsNotOnTheWireInsideOfThem) {
  Daemon server("kbench-server", {"--dialect", "kineticd"});
  const CampaignRun run =
      RunCampaign(dir_,
                  absl::StrCat("name: deep\ntransport: external\nserver: {address: '",
                               server.address(), "'}\nclient: {command: ", kCommand,
                               ", --depth, '16', --connections, '3', --format, fio]}\n"
                               "workload: {op: put, value_size: 4KiB, keys: 100}\n"
                               "run: {warmup: 100ms, duration: 1s, repetitions: 1}\n"
                               "probes: {passes: [full], baselines: none}\n"),
                  {"--local", "1", "--allow-client", absl::StrCat("py=", PythonClient(dir_))});
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json summary = Summary(run);
  EXPECT_EQ(ClientOf(run).at("connections"), 3);
  EXPECT_NE(Caveat(summary, "client_pipelined"), "");
  const nlohmann::json& row = summary.at("cells").at(0).at("ops").at(0);
  EXPECT_EQ(row.at("op"), "put");
  const nlohmann::json& program = row.at("client_program");
  EXPECT_EQ(program.at("answers_seen"), program.at("own_count")) << program;
  EXPECT_TRUE(program.at("sum_mean_ns").is_null());
  // Its clock begins before the first byte is out and ends after the last is in, of each.
  EXPECT_GT(program.at("inside_program_ns"), 0);
  EXPECT_THAT(program.at("sentence").get<std::string>(), HasSubstr("inside of the program"));
}

TEST_F(OtherClients, ThatOwnersDoNotAllowAreNotRun) {
  const std::string marker = dir_.path() + "/was-run";
  const std::string program =
      Executable(dir_, "program", absl::StrCat("#!/bin/sh\ntouch ", marker, "\n"));
  for (const std::string& name : {std::string("sh"), program, std::string("'../program'")}) {
    const CampaignRun run = RunOne(program, absl::StrCat("[", name, "]"));
    if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
    EXPECT_EQ(run.finished.code, 2) << run.finished.err;
    EXPECT_THAT(run.finished.err, HasSubstr("does not allow the client program"));
    EXPECT_THAT(run.finished.err, HasSubstr("allowed are py"));
  }
  for (const char* path : {"py=program", "py=/usr/../bin/true", "py"}) {
    const Finished agent = e2e::Run({Program("kbench-agent"), "--plaintext", "--listen",
                                     "127.0.0.1:0", "--allow-client", path});
    EXPECT_EQ(agent.code, 2) << agent.err;
    EXPECT_THAT(agent.err, HasSubstr("--allow-client"));
  }
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST_F(OtherClients, ThatFailOrSayNothingAreSaidToHave) {
  const auto texts = [this](const std::string& script, const char* grace = "2s") {
    const TempDir dir;
    const CampaignRun run = RunCampaign(
        dir,
        absl::StrCat("name: one\ntransport: external\nclient: {command: [py], grace: ", grace,
                     ", memory: 64MiB}\nworkload: {op: get}\n"
                     "run: {warmup: 50ms, duration: 100ms, repetitions: 1}\n"
                     "probes: {passes: [full], baselines: none}\n"),
        {"--local", "1", "--allow-client", absl::StrCat("py=", Executable(dir_, "p", script))});
    if (!Missing(run).empty()) return nlohmann::json();
    EXPECT_EQ(run.finished.code, 0) << run.finished.err;
    EXPECT_THAT(run.finished.out, HasSubstr("client_no_requests"));
    return Summary(run);
  };
  const nlohmann::json three = texts("#!/bin/sh\necho no drive there >&2\nexit 3\n");
  if (three.is_null()) GTEST_SKIP() << "no packets can be seen here";
  EXPECT_THAT(Caveat(three, "client_failed"), HasSubstr("ended with exit code 3"));
  EXPECT_THAT(Caveat(three, "client_failed"), HasSubstr("no drive there"));
  EXPECT_THAT(Caveat(three, "client_no_requests"), HasSubstr("is that where it was told"));
  // Deaf, and with a child in a session of its own.
  const nlohmann::json deaf = texts(
      "#!/bin/sh\ntrap '' TERM\n(setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' &)\n"
      "sleep 1000\nsleep 1000\n");
  EXPECT_THAT(Caveat(deaf, "client_killed"), HasSubstr("did not end when it was told to"));
  const nlohmann::json endless = texts("#!/bin/sh\nexec sleep 1000\n");
  EXPECT_THAT(Caveat(endless, "client_stopped"), HasSubstr("was told to stop"));
  const nlohmann::json memory = texts(
      "#!/usr/bin/python3\nimport os, time\nx = b'x' * (30 << 20)\nos.fork()\nos.fork()\n"
      "time.sleep(1000)\n",
      "60s");
  EXPECT_THAT(Caveat(memory, "client_killed"), HasSubstr("above client.memory (64 MiB)"));
}

// Its packets go elsewhere: nothing of them is in the result.
TEST_F(OtherClients, ThatTalkToAnotherServerHaveNoRequests) {
  Daemon other("kbench-server", {});
  const std::vector<std::string> address = absl::StrSplit(other.address(), ':');
  const CampaignRun run =
      RunOne(PythonClient(dir_),
             absl::StrCat("[py, --host, 127.0.0.1, --port, '", address.back(),
                          "', --op, get, --value-size, '100', --keys, '5', --milliseconds, '300', "
                          "--identity, '1', --key-file, '{key_file}']"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json summary = Summary(run);
  EXPECT_THAT(Caveat(summary, "client_no_requests"), HasSubstr("It ended with exit code 0"));
  EXPECT_TRUE(summary.at("cells").at(0).at("ops").empty());
}

// Another process of this host talks to the server all the while.
TEST_F(OtherClients, AreToldApartFromOthersOnTheirHost) {
  Daemon server("kbench-server", {});
  const std::vector<std::string> address = absl::StrSplit(server.address(), ':');
  const std::string key = dir_.Write("key", "asdfasdf");
  const std::string program = PythonClient(dir_);
  Child other({program, "--host", "127.0.0.1", "--port", address.back(), "--op", "put",
               "--value-size", "100", "--keys", "5", "--milliseconds", "60000", "--identity", "1",
               "--key-file", key, "--think-us", "2000"});
  other.WaitForOutput("connected", seconds(60));
  const CampaignRun run = RunOne(program, absl::StrCat(kCommand, "]"),
                                 absl::StrCat("server: {address: '", server.address(), "'}\n"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const nlohmann::json summary = Summary(run);
  EXPECT_THAT(Caveat(summary, "client_others"), HasSubstr("other processes of this host"))
      << other.err() << ClientOf(run);
  const nlohmann::json& row = GetRow(summary.at("cells").at(0), summary.at("caveats"));
  EXPECT_EQ(row.at("client_program").at("own_of_window"), true) << ClientOf(run);
}

TEST_F(OtherClients, EndWhenTheCampaignIsInterrupted) {
  const std::string pid_file = dir_.path() + "/pid";
  const std::string program =
      Executable(dir_, "program",
                 absl::StrCat("#!/bin/sh\ntrap '' TERM INT\necho $$ > ", pid_file, ".new\nmv ",
                              pid_file, ".new ", pid_file, "\nsleep 1000\nsleep 1000\n"));
  Child run(RunArgv(dir_,
                    "name: one\ntransport: external\nclient: {command: [py]}\n"
                    "run: {warmup: 1s, duration: 600s, repetitions: 1}\n"
                    "probes: {passes: [full], baselines: none}\n",
                    {"--local", "1", "--allow-client", absl::StrCat("py=", program)}));
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  std::string text;
  while (text.empty() && std::chrono::steady_clock::now() < deadline &&
         run.err().find("sees no packets") == std::string::npos) {
    if (std::filesystem::exists(pid_file)) text = ReadFile(pid_file);
  }
  if (run.err().find("sees no packets") != std::string::npos) GTEST_SKIP() << run.err();
  int pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &pid)) << run.err();
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(seconds(60)), 130) << run.err();
  EXPECT_NE(kill(pid, 0), 0) << "the program outlived its campaign";
}

// The key of the server is where the program can read it, and nowhere else.
TEST_F(OtherClients, HaveTheKeyInAFileAloneAndItIsInNoResult) {
  const std::string secret = "correct-horse-battery";
  const std::string key = dir_.Write("server.key", secret);
  const std::string program = Executable(
      dir_, "program",
      "#!/bin/sh\nstat -c '%a %u' \"$2\"; pwd; cat \"$2\"; tr '\\0' ' ' < /proc/$$/cmdline; env\n");
  const CampaignRun run = RunOne(program, "[py, --key-file, '{key_file}']",
                                 absl::StrCat("server: {key_file: '", key, "'}\n"));
  if (const std::string why = Missing(run); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(run.result_dirs.size(), 1u) << run.finished.err;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run.result_dirs.front())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(ReadFile(entry.path()), Not(HasSubstr(secret))) << entry.path();
  }
  EXPECT_THAT(run.finished.out + run.finished.err, Not(HasSubstr(secret)));
  // What the program printed is kept, but for the key.
  const nlohmann::json client = ClientOf(run);
  const std::string said = client.at("output_begin");
  EXPECT_THAT(said, ::testing::StartsWith("600 ")) << client;
  EXPECT_THAT(said, HasSubstr("(the HMAC key)"));
  EXPECT_THAT(said, HasSubstr("/hmac-key ")) << "its command line names the file";
  EXPECT_EQ(client.at("ended"), "BY_ITSELF");
}

}  // namespace
}  // namespace kbench::e2e
