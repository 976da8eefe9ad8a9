// kbench-kv as a program, against kbench-server: every subcommand, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/client/scripted_server.h"
#include "tests/e2e/process.h"
#include "transport/transport.h"

namespace kbench::client {
namespace {

using e2e::Daemon;
using e2e::Finished;
using e2e::seconds;
using e2e::TempDir;
using ::testing::HasSubstr;
using ::testing::Not;

// As `kbench-kv --help` lists them; scripts rely on these numbers.
constexpr int kUnreachable = 8, kUnbelievable = 9, kNotFound = 12, kVersionMismatch = 13,
              kRefused = 14;

class KvTest : public ::testing::Test {
 protected:
  KvTest() : server_("kbench-server", {"--tls-listen", "127.0.0.1:0"}) {
    const std::string ready = "listening for TLS on ";
    server_.child().WaitForOutput(ready, seconds(60));
    const std::string out = server_.child().out();
    const size_t at = out.find(ready) + ready.size();
    tls_address_ = out.substr(at, out.find('\n', at) - at);
  }
  Finished Kv(std::vector<std::string> arguments) {
    return Run(server_.address(), std::move(arguments));
  }
  Finished Tls(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "--tls");
    return Run(tls_address_, std::move(arguments));
  }
  static Finished Run(const std::string& address, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {e2e::Program("kbench-kv"), "--server", address});
    return e2e::Run(arguments, seconds(60));
  }
  static void ExpectOk(const Finished& f, const std::string& out = "") {
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.out, out);
  }

  Daemon server_;
  std::string tls_address_;
  TempDir dir_;
};

TEST_F(KvTest, StoresAndFindsObjects) {
  ExpectOk(Kv({"noop"}));
  ExpectOk(Kv({"put", "a", "one", "--new-version", "1"}));
  ExpectOk(Kv({"put", "b", "--value-file", dir_.Write("v", "two\n")}));
  ExpectOk(Kv({"get", "a"}), "one");
  ExpectOk(Tls({"get", "b"}), "two\n");
  ExpectOk(Kv({"--hex", "get", "a"}), "6f6e65");
  ExpectOk(Kv({"get", "a", "--metadata"}), "version 1\ntag 2a94b2e9\nalgorithm 4 (crc32c)\n");
  ExpectOk(Kv({"version", "a"}), "1\n");
  ExpectOk(Kv({"next", "a"}), "b\ntwo\n");
  ExpectOk(Kv({"prev", "b"}), "a\none");
  ExpectOk(Kv({"range"}), "a\nb\n");
  ExpectOk(Kv({"range", "--reverse", "--max", "1"}), "b\n");
  ExpectOk(Kv({"flush"}));
  ExpectOk(Kv({"scan"}));
  ExpectOk(Kv({"optimize"}));
  Daemon peer("kbench-server", {});
  const Finished pushed = Kv({"p2p", "a", "--peer", peer.address(), "--new-key", "c"});
  EXPECT_EQ(pushed.code, 0) << pushed.err;
  EXPECT_THAT(pushed.out, HasSubstr("a SUCCESS"));
  ExpectOk(Run(peer.address(), {"get", "c"}), "one");
  const Finished absent = Kv({"p2p", "absent", "--peer", peer.address(), "--format", "json"});
  EXPECT_EQ(absent.code, kNotFound) << "the operation's status, though the whole is SUCCESS";
  EXPECT_THAT(absent.out, HasSubstr(R"("operations":[{"key":"absent","status":"NOT_FOUND")"));

  const Finished mismatch = Kv({"put", "a", "x"});
  EXPECT_EQ(mismatch.code, kVersionMismatch);
  EXPECT_THAT(mismatch.err, HasSubstr("VERSION_MISMATCH"));
  ExpectOk(Kv({"del", "a", "--expected-version", "1"}));
  const Finished gone = Kv({"get", "a"});
  EXPECT_EQ(gone.code, kNotFound);
  EXPECT_THAT(gone.err, HasSubstr("NOT_FOUND"));
}

// Whatever the server makes of a range without an end, or without a number of keys.
TEST_F(KvTest, ListsAllKeysOfEveryDialect) {
  for (const char* dialect : {"kbench", "spec", "simulator", "kineticd"}) {
    for (const char* store : {"memory", "rocksdb"}) {
      SCOPED_TRACE(std::string(dialect) + " " + store);
      const TempDir data;
      std::vector<std::string> arguments = {"--dialect", dialect, "--store", store};
      if (store == std::string("rocksdb")) {
        arguments.insert(arguments.end(), {"--data-dir", data.path() + "/store"});
      }
      const Daemon server("kbench-server", arguments);
      const auto kv = [&server](std::vector<std::string> words) {
        return Run(server.address(), std::move(words));
      };
      ExpectOk(kv({"range"}));
      ExpectOk(kv({"range", "--reverse"}));
      // The last one is behind every text.
      for (const char* key : {"a", "b", "c", "\xff\xff\xff"}) ExpectOk(kv({"put", key, "value"}));
      ExpectOk(kv({"--hex", "range"}), "61\n62\n63\nffffff\n");
      ExpectOk(kv({"--hex", "range", "b"}), "62\n63\nffffff\n");
      ExpectOk(kv({"range", "", "b"}), "a\nb\n");
      ExpectOk(kv({"range", "b", "c"}), "b\nc\n");
      ExpectOk(kv({"range", "--max", "2"}), "a\nb\n");
      ExpectOk(kv({"--hex", "range", "--reverse"}), "ffffff\n63\n62\n61\n");
      ExpectOk(kv({"range", "a", "b", "--reverse"}), "b\na\n");
      EXPECT_EQ(kv({"scan"}).code, 0);
    }
  }
}

TEST_F(KvTest, PutsTheTagThatItIsTold) {
  const auto put = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"put", "k", "abc", "--force"});
    ExpectOk(Kv(options));
    return Kv({"get", "k", "--metadata"}).out;
  };
  EXPECT_EQ(put({}), "version \ntag 364b3fb7\nalgorithm 4 (crc32c)\n");
  EXPECT_EQ(put({"--tag", "auto"}), "version \ntag 364b3fb7\nalgorithm 4 (crc32c)\n");
  EXPECT_EQ(put({"--algorithm", "sha1"}),
            "version \ntag a9993e364706816aba3e25717850c26c9cd0d89d\nalgorithm 1 (sha1)\n");
  EXPECT_EQ(put({"--algorithm", "sha2"}),
            "version \ntag ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
            "algorithm 2 (sha2)\n");
  EXPECT_EQ(put({"--algorithm", "2"}), put({"--algorithm", "sha2"}));
  EXPECT_EQ(put({"--algorithm", "none"}), "version \n");
  EXPECT_EQ(put({"--algorithm", "none", "--tag", "00FF"}), "version \ntag 00ff\n");
  EXPECT_EQ(put({"--algorithm", "0", "--tag", ""}), "version \ntag \nalgorithm 0\n")
      << "as libkinetic sends it";
  EXPECT_EQ(put({"--algorithm", "104", "--tag", "7a"}), "version \ntag 7a\nalgorithm 104\n");
  const std::string empty = dir_.Write("nothing", "");
  ExpectOk(Kv({"put", "empty", "--value-file", empty}));
  EXPECT_EQ(Kv({"get", "empty", "--metadata"}).out,
            "version \ntag 00000000\nalgorithm 4 (crc32c)\n");
  for (const auto& [options, remedy] :
       {std::pair<std::vector<std::string>, const char*>{{"--tag", "ff"}, "needs --algorithm"},
        {{"--algorithm", "sha1", "--tag", "f"}, "whole bytes in hexadecimal"},
        {{"--algorithm", "sha1", "--tag", "xy"}, "whole bytes in hexadecimal"},
        {{"--algorithm", "md5"}, "there are crc32c, sha1"},
        {{"--algorithm", "sha3"}, "give this one by --tag HEX"},
        {{"--algorithm", "104"}, "give this one by --tag HEX"}}) {
    std::vector<std::string> arguments = {"put", "k", "abc", "--force"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Finished refused = Kv(arguments);
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.err, HasSubstr(remedy));
  }
}

TEST_F(KvTest, SaysWhenAValueDoesNotFitItsTag) {
  ExpectOk(Kv({"put", "fits", "abc"}));
  EXPECT_THAT(Kv({"get", "fits", "--format", "json"}).out,
              HasSubstr(R"("tag":"364b3fb7","algorithm":4,"value":"abc","tag_fits":true)"));
  ExpectOk(Kv({"put", "torn", "abd", "--algorithm", "crc32c", "--tag", "364b3fb7"}));
  for (const char* command : {"get", "next", "prev"}) {
    const char* key = command == std::string("next") ? "t" : "torn";
    const Finished got = Kv({command, command == std::string("prev") ? "u" : key});
    EXPECT_EQ(got.code, 9) << command;
    EXPECT_THAT(got.out, HasSubstr("abd")) << "it is shown all the same";
    EXPECT_THAT(got.err, HasSubstr("364b3fb7 is not what algorithm 4 (crc32c) makes of it"));
  }
  EXPECT_THAT(Kv({"get", "torn", "--format", "json"}).out, HasSubstr(R"("tag_fits":false)"));
  ExpectOk(Kv({"get", "torn", "--metadata"}), "version \ntag 364b3fb7\nalgorithm 4 (crc32c)\n");
  ExpectOk(Kv({"put", "unknown", "abd", "--algorithm", "crc32", "--tag", "364b3fb7"}));
  const Finished unknown = Kv({"get", "unknown", "--format", "json"});
  EXPECT_EQ(unknown.code, 0) << "nobody knows the order of its bytes";
  EXPECT_THAT(unknown.out, Not(HasSubstr("tag_fits")));
  ExpectOk(Kv({"put", "bare", "abd", "--algorithm", "none"}));
  ExpectOk(Kv({"get", "bare"}), "abd");
  const Finished scanned = Kv({"scan"});
  EXPECT_EQ(scanned.out, "torn\n") << "a scan says the same";
}

TEST_F(KvTest, IsASubcommandOfKbenchAndTakesOptionsAnywhere) {
  const std::vector<std::string> put = {
      e2e::Program("kbench"), "kv", "put", "KEY", "VALUE", "--server", server_.address()};
  ExpectOk(e2e::Run(put, seconds(60)));
  const Finished got = e2e::Run({e2e::Program("kbench"), "kv", "get", "KEY", "--server",
                                 server_.address(), "--format", "json"},
                                seconds(60));
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr(R"("status":"SUCCESS")"));
  EXPECT_THAT(got.out, HasSubstr(R"("value":"VALUE")"));
  const Finished gone = Kv({"get", "other", "--format", "json"});
  EXPECT_EQ(gone.code, kNotFound);
  EXPECT_THAT(gone.out, HasSubstr(R"("status":"NOT_FOUND")"));
  EXPECT_THAT(gone.err, HasSubstr("NOT_FOUND"));
  EXPECT_THAT(Kv({"range", "--format", "json"}).out, HasSubstr(R"("keys":["KEY"])"));
  EXPECT_THAT(Kv({"range", "none", "none", "--format", "json"}).out, HasSubstr(R"("keys":[])"));
  ExpectOk(Kv({"put", "empty", ""}));
  ExpectOk(Kv({"put", "empty", "--force", "--value-file", dir_.Write("nothing", "")}));
  EXPECT_THAT(Kv({"get", "empty", "--format", "json"}).out, HasSubstr(R"("value":"")"));
  EXPECT_THAT(Kv({"log", "limits", "--format", "json"}).out, HasSubstr(R"("max_key_size":4096)"));
}

TEST_F(KvTest, TakesAnyTransportPlainAndOverTls) {
  const std::vector<std::pair<std::string, std::string>> values = {
      {"empty", ""}, {"one", "1"}, {"large", std::string(1 << 20, 'x')}};
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    if (const auto made = MakeTransport(*ParseTransportKind(transport), {}); !made.ok()) {
      GTEST_SKIP() << made.status();
    }
    for (const auto& [key, value] : values) {
      SCOPED_TRACE(absl::StrCat(transport, " ", key));
      const std::string file = dir_.Write("value", value);
      ExpectOk(Kv({"put", key, "--force", "--value-file", file, "--transport", transport}));
      ExpectOk(Tls({"get", key, "--transport", transport}), value);
      ExpectOk(Tls({"put", key, "--force", "--value-file", file, "--transport", transport}));
      ExpectOk(Kv({"get", key, "--transport", transport}), value);
    }
  }
  const Finished unknown = Kv({"noop", "--transport", "rdma"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("rdma"));
}

TEST_F(KvTest, AdministersTheDevice) {
  EXPECT_THAT(Kv({"log", "limits", "configuration"}).out, HasSubstr("max_key_size 4096\n"));
  EXPECT_EQ(Kv({"device-log", "nothing"}).code, kNotFound);
  const std::string pin = dir_.Write("pin", "1234\n"), key = dir_.Write("key", "key of five\n");
  EXPECT_EQ(Kv({"pin", "set-lock", "--pin-file", pin}).code, kRefused) << "not over plain TCP";
  ExpectOk(Tls({"pin", "set-lock", "--pin-file", pin}));
  ExpectOk(Tls({"pin", "lock", "--pin-file", pin}));
  EXPECT_THAT(Kv({"noop"}).err, HasSubstr("DEVICE_LOCKED"));
  ExpectOk(Tls({"pin", "unlock", "--pin-file", pin}));
  ExpectOk(Tls({"acl", "5", "read", "--acl-key-file", key, "--scope", "x"}));
  EXPECT_THAT(Kv({"--identity", "5", "--key-file", key, "put", "x", "v"}).err,
              HasSubstr("NOT_AUTHORIZED"));
  ExpectOk(Tls({"pin", "set-erase", "--pin-file", pin}));
  EXPECT_EQ(Tls({"pin", "erase"}).code, kRefused) << "no PIN";
  ExpectOk(Tls({"pin", "erase", "--pin-file", pin}));
  ExpectOk(Kv({"setup", "--cluster-version", "3"}));
  ExpectOk(Kv({"noop"}));
  const Finished firmware = Kv({"setup", "--firmware", pin});
  EXPECT_EQ(firmware.code, 0) << firmware.err;
  ExpectOk(Kv({"power", "hibernate"}));
  EXPECT_THAT(Kv({"noop"}).err, HasSubstr("HIBERNATE"));
  ExpectOk(Kv({"power", "operational"}));
}

TEST_F(KvTest, SaysWhatIsWrongWithACode) {
  EXPECT_EQ(Kv({}).code, 2);
  EXPECT_EQ(Kv({"frobnicate"}).code, 2);
  EXPECT_EQ(Kv({"get"}).code, 2);
  EXPECT_EQ(Kv({"put", "k", "--value-file", "/nonexistent"}).code, 2);
  EXPECT_EQ(Kv({"log", "nonsense"}).code, 2);
  const Finished nobody = Run("127.0.0.1:1", {"noop"});
  EXPECT_EQ(nobody.code, kUnreachable);
  EXPECT_THAT(nobody.err, HasSubstr("refused"));
  const Finished wrong_door = Run(tls_address_, {"--timeout", "200ms", "noop"});
  EXPECT_EQ(wrong_door.code, kUnreachable);
}

// The table that --help prints, which is the one that the tests here assert.
TEST_F(KvTest, ListsItsExitCodes) {
  const Finished help = e2e::Run({e2e::Program("kbench-kv"), "--help"});
  EXPECT_EQ(help.code, 0);
  for (const auto& [code, meaning] :
       std::vector<std::pair<int, std::string>>{{0, "SUCCESS"},
                                                {kUnreachable, "unreachable"},
                                                {kUnbelievable, "the answer cannot be believed"},
                                                {kNotFound, "NOT_FOUND"},
                                                {kVersionMismatch, "VERSION_MISMATCH"},
                                                {kRefused, "refused"}}) {
    EXPECT_THAT(help.out,
                HasSubstr(absl::StrCat("\n  ", code < 10 ? "  " : " ", code, "  ", meaning)));
  }
}

TEST_F(KvTest, HasNoCodeThatMeansSomethingElseOfTheWholeProgram) {
  const Finished help = e2e::Run({e2e::Program("kbench"), "--help"});
  for (const int code : {kNotFound, kVersionMismatch, kRefused}) {
    EXPECT_THAT(help.out, testing::Not(HasSubstr(absl::StrCat("\n   ", code, "  "))));
  }
  EXPECT_THAT(help.out, HasSubstr("\n    8  Kinetic server unreachable"));
}

TEST_F(KvTest, EndsAsTheWholeProgramDoes) {
  const std::vector<std::string> get = {e2e::Program("kbench"), "kv", "get", "none", "--server",
                                        server_.address()};
  EXPECT_EQ(e2e::Run(get, seconds(20)).code, kNotFound) << "kbench kv hands the code on";
}

TEST_F(KvTest, NamesTheServersClusterVersionAndHowToTakeIt) {
  ExpectOk(Kv({"setup", "--cluster-version", "7"}));
  ExpectOk(Kv({"noop"}));
  const Finished old = Kv({"noop", "--cluster-version", "3"});
  EXPECT_EQ(old.code, kRefused);
  EXPECT_THAT(old.err, HasSubstr("the server's cluster version is 7, and the request said 3"));
  EXPECT_THAT(old.err, HasSubstr("--cluster-version 7 takes it"));
  EXPECT_THAT(old.err, testing::Not(HasSubstr("HMAC")));
  ExpectOk(Kv({"noop", "--cluster-version", "7"}));
  ExpectOk(Kv({"--cluster-version", "7", "setup", "--cluster-version", "8"}));
  ExpectOk(Kv({"noop", "--cluster-version", "8"}));
}

TEST_F(KvTest, TellsAWrongKeyFromAnUnknownIdentity) {
  const std::string key = dir_.Write("wrong", "wrong\n");
  const Finished wrong = Kv({"noop", "--key-file", key});
  EXPECT_EQ(wrong.code, kRefused);
  EXPECT_THAT(wrong.err, HasSubstr("is the HMAC key of identity 1 right? It was that of " + key));
  EXPECT_THAT(wrong.err, testing::Not(HasSubstr("does the server know")));
  // This server says so and hangs up.
  const Finished unknown = Kv({"noop", "--identity", "99"});
  EXPECT_EQ(unknown.code, kRefused);
  EXPECT_THAT(unknown.err, HasSubstr("does the server know identity 99"));
  // The simulator's answer has no command.
  ScriptedServer simulator(GreetingPdu() + CommandlessPdu());
  const Finished bare = Run(simulator.address().ToString(), {"noop", "--identity", "99"});
  EXPECT_EQ(bare.code, kRefused);
  EXPECT_THAT(bare.err, HasSubstr("does the server know identity 99?"));
  EXPECT_THAT(bare.err, testing::Not(HasSubstr("HMAC")));
}

TEST_F(KvTest, BelievesNoAnswerThatIsNone) {
  using kinetic::MessageType;
  const auto after = [this](const std::string& answer) {
    ScriptedServer server(GreetingPdu() + answer);
    return Run(server.address().ToString(), {"get", "k"});
  };
  ExpectOk(after(SignedPdu(FirstAnswer(MessageType::kGetResponse), "value")), "value");
  const Finished other = after(SignedPdu(FirstAnswer(MessageType::kPutResponse), "value"));
  EXPECT_EQ(other.code, kUnbelievable);
  EXPECT_THAT(other.err, HasSubstr("the reply to GET has PUT_RESPONSE"));
  EXPECT_EQ(other.out, "");
  const kinetic::HmacKey key("another");
  const Finished forged = after(
      PduOf(FirstAnswer(MessageType::kGetResponse), kinetic::Signature::Hmac(1, &key), "value"));
  EXPECT_EQ(forged.code, kUnbelievable);
  EXPECT_EQ(forged.out, "");
}

TEST_F(KvTest, ARefusedConnectionIsNoUnreachableServer) {
  ScriptedServer busy(GreetingPdu(0, kinetic::StatusCode::kServiceBusy), /*hangs_up=*/true);
  const Finished refused = Run(busy.address().ToString(), {"noop"});
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_THAT(refused.err, HasSubstr("SERVICE_BUSY"));
  ScriptedServer silent(GreetingPdu(), /*hangs_up=*/true);
  EXPECT_EQ(Run(silent.address().ToString(), {"noop"}).code, kUnreachable);
  ScriptedServer mute(GreetingPdu());
  EXPECT_EQ(Run(mute.address().ToString(), {"noop", "--timeout", "200ms"}).code, kUnreachable);
}

TEST_F(KvTest, SaysThatItsOutputWentNowhere) {
  ExpectOk(Kv({"put", "k", "value"}));
  const std::string command =
      absl::StrCat(e2e::Program("kbench-kv"), " get k --server ", server_.address(), " >/dev/full");
  const Finished full = e2e::Run({"/bin/sh", "-c", command}, seconds(20));
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr("stdout cannot be written"));
}

}  // namespace
}  // namespace kbench::client
