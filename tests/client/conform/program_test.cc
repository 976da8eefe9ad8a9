// kbench-conform as a program: against kbench-server in every dialect, over TCP and TLS, with both
// stores; its exit codes; and docs/conformance.md, which is made of what it prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/client/conform/breaking_proxy.h"
#include "tests/client/conform/odd_server.h"
#include "tests/e2e/process.h"

namespace kbench::conform {
namespace {

using e2e::Daemon;
using e2e::Finished;
using e2e::Program;
using e2e::seconds;
using e2e::TempDir;
using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAllDialects[] = {"kbench", "spec", "simulator", "kineticd"};
constexpr const char* kStores[] = {"memory", "rocksdb"};

class Server {
 public:
  Server(const std::string& dialect, const std::string& store, const std::string& limits = "")
      : daemon_("kbench-server", Arguments(dialect, store, limits)) {
    const std::string ready = "listening for TLS on ";
    daemon_.child().WaitForOutput(ready, seconds(10));
    const std::string out = daemon_.child().out();
    const size_t at = out.find(ready) + ready.size();
    tls_address_ = out.substr(at, out.find('\n', at) - at);
  }
  const std::string& address(bool tls) const { return tls ? tls_address_ : daemon_.address(); }

 private:
  std::vector<std::string> Arguments(const std::string& dialect, const std::string& store,
                                     const std::string& limits) const {
    std::vector<std::string> arguments = {"--tls-listen", "127.0.0.1:0", "--store", store};
    if (!limits.empty()) arguments.insert(arguments.end(), {"--limits", limits});
    if (dialect != "kbench") arguments.insert(arguments.end(), {"--dialect", dialect});
    if (store == "rocksdb")
      arguments.insert(arguments.end(), {"--data-dir", dir_.path() + "/data"});
    return arguments;
  }

  TempDir dir_;
  Daemon daemon_;
  std::string tls_address_;
};

Finished Conform(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Program("kbench-conform"));
  return e2e::Run(arguments, seconds(120));
}

struct Way {
  const char* dialect;
  const char* store;
  bool tls;
};

std::vector<Way> Ways() {
  std::vector<Way> ways;
  for (const char* dialect : kAllDialects) {
    for (const char* store : kStores) {
      for (const bool tls : {false, true}) ways.push_back({dialect, store, tls});
    }
  }
  return ways;
}

// Why these are not tried stands in docs/conformance.md.
std::set<std::string> NotTried(const Way& way) {
  std::set<std::string> names = {"pin.plain", "security.plain"};
  if (!way.tls) {
    names = {"security.acl",
             "security.acl-algorithm",
             "security.max-priority",
             "security.max-priority-unknown",
             "pin.lock",
             "pin.unlock-open",
             "pin.locked-greeting",
             "pin.erase-wrong",
             "pin.erase",
             "pin.secure-erase"};
  }
  if (way.dialect != std::string("kineticd")) {
    names.insert({"limits.reads-unanswered", "limits.writes-unanswered"});
  }
  if (way.dialect == std::string("simulator")) {
    names.insert({"limits.tag-longest", "limits.tag-one-above"});
  }
  if (way.dialect == std::string("kineticd")) {
    names.insert({"batch.as-many-changes-as-allowed", "batch.one-change-too-many",
                  "batch.one-too-many-open"});
  }
  return names;
}

class ConformProgram : public ::testing::TestWithParam<Way> {};

// Recognised by its greeting, whole, destructive cases and all; and of use afterwards.
TEST_P(ConformProgram, AgreesWithItsDialectAndLeavesAUsableDevice) {
  const Way way = GetParam();
  const Server server(way.dialect, way.store);
  const std::string& address = server.address(way.tls);
  std::vector<std::string> arguments = {address, "--destructive", "--format", "json"};
  if (way.tls) arguments.push_back("--tls");
  const Finished run = Conform(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  const json matrix = json::parse(run.out);
  EXPECT_EQ(matrix["dialect"], way.dialect);
  EXPECT_EQ(matrix["differ"], 0);
  EXPECT_TRUE(matrix["remarks"].empty()) << matrix["remarks"];
  std::set<std::string> not_tried;
  for (const json& one : matrix["cases"]) {
    if (one["verdict"] == "DIFFERS") ADD_FAILURE() << one.dump(2);
    if (one["verdict"] == "not tried") not_tried.insert(one["name"]);
  }
  EXPECT_EQ(not_tried, NotTried(way));
  std::vector<std::string> kv = {Program("kbench-kv"), "--server", address};
  if (way.tls) kv.push_back("--tls");
  const auto ask = [&](const std::vector<std::string>& request) {
    std::vector<std::string> all = kv;
    all.insert(all.end(), request.begin(), request.end());
    return e2e::Run(all, seconds(20));
  };
  EXPECT_EQ(ask({"noop"}).code, 0);
  const Finished keys = ask({"range", "", "zzz"});
  EXPECT_EQ(keys.code, 0) << keys.err;
  EXPECT_EQ(keys.out, "");
}

INSTANTIATE_TEST_SUITE_P(Ways, ConformProgram, ::testing::ValuesIn(Ways()),
                         [](const auto& instance) {
                           const Way& way = instance.param;
                           return absl::StrCat(way.dialect, "_", way.store, "_",
                                               way.tls ? "tls" : "tcp");
                         });

// What a dialect does not tell by itself cannot be tried; told by --limits it can.
TEST(ConformCommand, AgreesAboutLimitsThatADialectDoesNotTellByItself) {
  const struct {
    const char* dialect;
    const char* limits;
    const char* only;
    const char* also_tried;
  } cases[] = {
      {"kineticd", "batch-operations=15,batches=5", "batch.", "batch.one-change-too-many"},
      {"kineticd", "batch-operations=2,batches=1", "batch.one", "batch.one-too-many-open"},
      {"simulator", "tag=64", "limits.tag", "limits.tag-one-above"},
      {"kbench", "range=50", "range.", "range.inclusive"},
      {"kbench", "read-depth=100,write-depth=1", "limits.", "limits.reads-unanswered"},
      {"spec", "read-depth=1,write-depth=100", "limits.", "limits.writes-unanswered"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.limits);
    const Server server(c.dialect, "memory", c.limits);
    const Finished run = Conform({server.address(false), "--only", c.only, "--format", "json"});
    EXPECT_EQ(run.code, 0) << run.err;
    bool tried = false;
    const json matrix = json::parse(run.out);
    for (const json& one : matrix["cases"]) {
      tried |= one["name"] == c.also_tried && one["verdict"] == "agrees";
    }
    EXPECT_TRUE(tried) << c.also_tried << " was not tried: " << run.out;
  }
}

// Above the limit SERVICE_BUSY is as good as an answer, unless the dialect is known to refuse
// nothing; the vendor's server, which tells limits, does not.
TEST(ConformCommand, KnowsWhoRefusesMoreUnansweredRequestsThanItTakes) {
  const Server server("kbench", "memory", "read-depth=2,write-depth=3");
  const std::vector<std::string> asked = {server.address(false), "--only", "limits.reads-un",
                                          "--only", "limits.writes-un"};
  const auto held_against = [&](const char* dialect) {
    std::vector<std::string> all = asked;
    all.insert(all.end(), {"--dialect", dialect});
    return Conform(all);
  };
  for (const char* dialect : {"kbench", "spec", "simulator"}) {
    const Finished run = held_against(dialect);
    EXPECT_EQ(run.code, 0) << run.out;
    EXPECT_THAT(run.out, HasSubstr("SERVICE_BUSY"));
  }
  const Finished run = held_against("kineticd");
  EXPECT_EQ(run.code, 8);
  EXPECT_THAT(run.out, HasSubstr("in its words: this connection has its limit of 2 requests"));
  EXPECT_THAT(run.out, HasSubstr("in its words: this connection has its limit of 3 requests"));
}

// An answer that others overtook says which; who answers in order differs from who does not.
TEST(ConformCommand, KnowsInWhichOrderADialectAnswers) {
  const Server server("kineticd", "memory");
  const auto held_against = [&](const char* dialect) {
    return Conform({server.address(false), "--only", "order.", "--only", "frame.pipelined",
                    "--dialect", dialect});
  };
  for (const char* dialect : {"kineticd", "spec"}) {
    const Finished run = held_against(dialect);
    EXPECT_EQ(run.code, 0) << run.out;
  }
  for (const char* dialect : {"kbench", "simulator"}) {
    const Finished run = held_against(dialect);
    EXPECT_EQ(run.code, 8);
    EXPECT_THAT(run.out, HasSubstr("3 differ"));
    EXPECT_THAT(run.out, HasSubstr("the server: SUCCESS keyValue after=#3,#5\n"));
  }
}

TEST(ConformCommand, TouchesNobodysKeysUnlessAskedTo) {
  const Server server("kbench", "memory");
  const auto kv = [&](std::vector<std::string> request) {
    request.insert(request.begin(), {Program("kbench-kv"), "--server", server.address(false)});
    return e2e::Run(request, seconds(20));
  };
  EXPECT_EQ(kv({"put", "", "of the empty key"}).code, 0);
  EXPECT_EQ(kv({"put", "mine", "of mine"}).code, 0);
  EXPECT_EQ(kv({"setup", "--cluster-version", "5"}).code, 0);
  const Finished run = Conform({server.address(false)});
  EXPECT_EQ(run.code, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("held against kbench"));
  EXPECT_EQ(kv({"get", ""}).out, "of the empty key");
  EXPECT_EQ(kv({"get", "mine"}).out, "of mine");
  EXPECT_EQ(kv({"range"}).out, "\nmine\n");
}

// A device that is locked from the start is no set of differences. What the message says to do is
// done here, word by word, and helps.
TEST(ConformCommand, ALockedDeviceIsOneSentenceWithTheCommandThatUnlocksIt) {
  const TempDir dir;
  const std::string pin = dir.path() + "/pin";
  std::ofstream(pin) << "1234\n";
  for (const char* dialect : kAllDialects) {
    const Server server(dialect, "memory");
    const auto operate = [&](const char* op) {
      return e2e::Run({Program("kbench-kv"), "--server", server.address(true), "--tls", "pin", op,
                       "--pin-file", pin},
                      seconds(20));
    };
    ASSERT_EQ(operate("set-lock").code, 0);
    for (const bool tls : {false, true}) {
      SCOPED_TRACE(absl::StrCat(dialect, tls ? " over TLS" : " over TCP"));
      ASSERT_EQ(operate("lock").code, 0);
      std::vector<std::string> arguments = {server.address(tls), "--destructive"};
      if (tls) arguments.push_back("--tls");
      const Finished locked = Conform(arguments);
      EXPECT_EQ(locked.code, 6);
      EXPECT_EQ(locked.out, "") << "no case was tried";
      const std::string unlock =
          absl::StrCat("--server ", server.address(true), " --tls pin unlock --pin-file FILE\n");
      EXPECT_THAT(locked.err, HasSubstr("the device is locked"));
      EXPECT_THAT(locked.err, EndsWith("unlock it: kbench kv " + unlock));
      EXPECT_EQ(absl::c_count(locked.err, '\n'), 1) << locked.err;
      if (absl::string_view(dialect) == "kbench" && !tls) {  // its greeting says so, to whomever
        arguments.insert(arguments.end(), {"--identity", "4712", "--key-file", pin});
        EXPECT_THAT(Conform(arguments).err,
                    HasSubstr(absl::StrCat(" --tls --identity 4712 --key-file ", pin,
                                           " pin unlock --pin-file FILE\n")));
        arguments.resize(arguments.size() - 4);
      }

      std::vector<std::string> told = absl::StrSplit(absl::StripSuffix(unlock, " FILE\n"), ' ');
      told.insert(told.begin(), Program("kbench-kv"));
      told.push_back(pin);
      EXPECT_EQ(e2e::Run(told, seconds(20)).code, 0);
      arguments.insert(arguments.end(), {"--only", "noop"});
      EXPECT_EQ(Conform(arguments).code, 0);
    }
  }
}

TEST(ConformCommand, WhoIsTakenForNobodyIsToldSoInsteadOfDifferences) {
  const TempDir dir;
  const std::string key = dir.path() + "/key";
  std::ofstream(key) << "of nobody\n";
  for (const char* dialect : {"kbench", "kineticd"}) {
    SCOPED_TRACE(dialect);
    const Server server(dialect, "memory");
    for (const std::vector<std::string>& asker :
         {std::vector<std::string>{"--key-file", key}, {"--identity", "4712"}}) {
      std::vector<std::string> arguments = {server.address(false)};
      arguments.insert(arguments.end(), asker.begin(), asker.end());
      const Finished refused = Conform(arguments);
      EXPECT_EQ(refused.code, 6);
      EXPECT_THAT(refused.err, HasSubstr("(HMAC_FAILURE), so no case was tried"));
      EXPECT_THAT(refused.err, HasSubstr("--key-file"));
    }
    const auto power = [&](const char* level) {
      return e2e::Run({Program("kbench-kv"), "--server", server.address(false), "power", level},
                      seconds(20))
          .code;
    };
    ASSERT_EQ(power("hibernate"), 0);
    const Finished asleep = Conform({server.address(false)});
    EXPECT_EQ(asleep.code, 6);
    EXPECT_THAT(asleep.err, EndsWith(" power operational\n"));
    std::ofstream(key) << "asdfasdf\n";  // the factory's
    EXPECT_THAT(Conform({server.address(false), "--key-file", key}).err,
                EndsWith(absl::StrCat(" --key-file ", key, " power operational\n")));
    std::ofstream(key) << "of nobody\n";
    ASSERT_EQ(power("operational"), 0);
    EXPECT_EQ(Conform({server.address(false), "--only", "noop"}).code, 0);
  }
}

// 8 says that a server differs; of one that answers nothing any more that is not known.
TEST(ConformCommand, AServerThatFallsSilentEndsWith6AndWhatWasFoundIsPrinted) {
  const OddServer odd(Manner::kGreetsOnly);
  const std::string address = absl::StrCat("127.0.0.1:", odd.port());
  const Finished all = Conform({address, "--timeout", "100ms"});
  EXPECT_EQ(all.code, 6) << all.out;
  EXPECT_THAT(all.out, HasSubstr("cut short: the server had stopped answering"));
  EXPECT_THAT(all.out, HasSubstr("greeting.fields"));
  const Finished one = Conform({address, "--timeout", "100ms", "--only", "noop"});
  EXPECT_EQ(one.code, 6) << one.out;
}

// A dialect that is not the server's is a set of differences, each named.
TEST(ConformCommand, EndsWith8AndNamesWhatDiffers) {
  const Server server("kbench", "memory");
  const Finished other = Conform({server.address(false), "--dialect", "kineticd"});
  EXPECT_EQ(other.code, 8);
  EXPECT_THAT(other.out, HasSubstr("header.sequence-repeated"));
  EXPECT_THAT(other.out, HasSubstr("kineticd: unsolicited INVALID_REQUEST"));

  const BreakingProxy proxy(*ParseHostPort(server.address(false)), WithoutKeyValue);
  const TempDir dir;
  const std::string file = dir.path() + "/matrix.json";
  const Finished broken = e2e::Run({Program("kbench"), "conform", proxy.address().ToString(),
                                    "--format", "json", "--output", file},
                                   seconds(120));
  EXPECT_EQ(broken.code, 8) << broken.err;
  EXPECT_EQ(broken.out, "");
  EXPECT_THAT(broken.err, HasSubstr("differs: put.new\n"));
  EXPECT_THAT(broken.err, Not(HasSubstr("differs: noop\n")));
  EXPECT_GT(json::parse(e2e::ReadFile(file))["differ"], 5);
}

TEST(ConformCommand, SaysWhatIsWrongWithACode) {
  EXPECT_EQ(Conform({}).code, 2);
  EXPECT_EQ(Conform({"nonsense"}).code, 2);
  EXPECT_EQ(Conform({"127.0.0.1:1", "--dialect", "klingon"}).code, 2);
  EXPECT_EQ(Conform({"127.0.0.1:1", "--timeout", "5"}).code, 2);
  EXPECT_EQ(Conform({"127.0.0.1:1", "--timeout", "0s"}).code, 2);
  EXPECT_EQ(Conform({"127.0.0.1:1", "--key-file", "/nonexistent"}).code, 2);
  EXPECT_EQ(Conform({"127.0.0.1:1", "--ca", "/nonexistent"}).code, 2);
  const Finished nobody = Conform({"127.0.0.1:1"});
  EXPECT_EQ(nobody.code, 6);
  EXPECT_THAT(nobody.err, HasSubstr("refused"));
  const Server server("kbench", "memory");
  const Finished wrong_door = Conform({server.address(true), "--timeout", "300ms"});
  EXPECT_EQ(wrong_door.code, 6);
  EXPECT_EQ(Conform({server.address(false), "--only", "no-such-case"}).code, 2);
  EXPECT_EQ(Conform({server.address(false), "--only", "noop", "--output", "/nonexistent/x"}).code,
            1);
  const Finished some =
      Conform({server.address(false), "--only", "noop", "--only", "no-such-case"});
  EXPECT_EQ(some.code, 2) << "each of them is to name a case";
  EXPECT_THAT(some.err, HasSubstr("no-such-case"));
  const Finished nothing = Conform({server.address(false), "--only", "security."});
  EXPECT_EQ(nothing.code, 2) << "nothing was asked, so nothing agrees";
  EXPECT_THAT(nothing.err, HasSubstr("--destructive"));
  EXPECT_EQ(Conform({"--list", "--only", "no-such-case"}).code, 2);
  const Finished one = Conform({"--list", "--only", "noop", "--format", "json"});
  EXPECT_EQ(json::parse(one.out)["cases"].size(), 1u) << one.out;
  const TempDir dir;
  const std::string file = dir.path() + "/matrix";
  EXPECT_EQ(Conform({"127.0.0.1:1", "--output", file}).code, 6);
  EXPECT_FALSE(std::filesystem::exists(file)) << "there is no result";
  const Finished help = Conform({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("Exit codes"));
}

// What is between its markers is what the program prints.
TEST(ConformDocument, IsWhatTheProgramPrints) {
  const std::string path = absl::StrCat(KBENCH_SOURCE_DIR, "/docs/conformance.md");
  const std::string begin = "<!-- kbench conform --list --format markdown: begin -->\n",
                    end = "<!-- end -->\n";
  const std::string document = e2e::ReadFile(path);
  const size_t from = document.find(begin), to = document.find(end);
  ASSERT_NE(from, std::string::npos) << path << " has lost its marker " << begin;
  ASSERT_NE(to, std::string::npos);
  const Finished list = Conform({"--list", "--format", "markdown"});
  ASSERT_EQ(list.code, 0) << list.err;
  const std::string wanted =
      absl::StrCat(document.substr(0, from + begin.size()), list.out, document.substr(to));
  if (std::getenv("KBENCH_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << wanted;
    GTEST_SKIP() << "wrote " << path;
  }
  EXPECT_TRUE(document == wanted)
      << path << " is not what the program says any more; KBENCH_UPDATE_GOLDEN=1 "
      << "client_conform_program_test --gtest_filter=ConformDocument.* writes it, to be reviewed "
      << "as a diff";
}

}  // namespace
}  // namespace kbench::conform
