// kbench-kv as a program, against kbench-server: every subcommand, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/process.h"
#include "transport/transport.h"

namespace kbench::client {
namespace {

using e2e::Daemon;
using e2e::Finished;
using e2e::seconds;
using e2e::TempDir;
using ::testing::HasSubstr;

class KvTest : public ::testing::Test {
 protected:
  KvTest() : server_("kbench-server", {"--tls-listen", "127.0.0.1:0"}) {
    const std::string ready = "listening for TLS on ";
    server_.child().WaitForOutput(ready, seconds(10));
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
    return e2e::Run(arguments, seconds(20));
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
  ExpectOk(Kv({"get", "a", "--metadata"}), "version 1\n");
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
  EXPECT_EQ(absent.code, 8);
  EXPECT_THAT(absent.out, HasSubstr(R"("operations":[{"key":"absent","status":"NOT_FOUND")"));

  const Finished mismatch = Kv({"put", "a", "x"});
  EXPECT_EQ(mismatch.code, 8);
  EXPECT_THAT(mismatch.err, HasSubstr("VERSION_MISMATCH"));
  ExpectOk(Kv({"del", "a", "--expected-version", "1"}));
  const Finished gone = Kv({"get", "a"});
  EXPECT_EQ(gone.code, 8);
  EXPECT_THAT(gone.err, HasSubstr("NOT_FOUND"));
}

TEST_F(KvTest, IsASubcommandOfKbenchAndTakesOptionsAnywhere) {
  const std::vector<std::string> put = {
      e2e::Program("kbench"), "kv", "put", "KEY", "VALUE", "--server", server_.address()};
  ExpectOk(e2e::Run(put, seconds(20)));
  const Finished got = e2e::Run({e2e::Program("kbench"), "kv", "get", "KEY", "--server",
                                 server_.address(), "--format", "json"},
                                seconds(20));
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr(R"("status":"SUCCESS")"));
  EXPECT_THAT(got.out, HasSubstr(R"("value":"VALUE")"));
  const Finished gone = Kv({"get", "other", "--format", "json"});
  EXPECT_EQ(gone.code, 8);
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
  EXPECT_EQ(Kv({"device-log", "nothing"}).code, 8);
  const std::string pin = dir_.Write("pin", "1234\n"), key = dir_.Write("key", "key of five\n");
  EXPECT_EQ(Kv({"pin", "set-lock", "--pin-file", pin}).code, 8) << "not over plain TCP";
  ExpectOk(Tls({"pin", "set-lock", "--pin-file", pin}));
  ExpectOk(Tls({"pin", "lock", "--pin-file", pin}));
  EXPECT_THAT(Kv({"noop"}).err, HasSubstr("DEVICE_LOCKED"));
  ExpectOk(Tls({"pin", "unlock", "--pin-file", pin}));
  ExpectOk(Tls({"acl", "5", "read", "--acl-key-file", key, "--scope", "x"}));
  EXPECT_THAT(Kv({"--identity", "5", "--key-file", key, "put", "x", "v"}).err,
              HasSubstr("NOT_AUTHORIZED"));
  ExpectOk(Tls({"pin", "set-erase", "--pin-file", pin}));
  EXPECT_EQ(Tls({"pin", "erase"}).code, 8) << "no PIN";
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
  EXPECT_EQ(nobody.code, 8);
  EXPECT_THAT(nobody.err, HasSubstr("refused"));
  const Finished wrong_door = Run(tls_address_, {"--timeout", "200ms", "noop"});
  EXPECT_EQ(wrong_door.code, 8);
  EXPECT_EQ(e2e::Run({e2e::Program("kbench-kv"), "--help"}).code, 0);
}

}  // namespace
}  // namespace kbench::client
