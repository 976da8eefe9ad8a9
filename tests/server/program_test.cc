// kbench-server as a program: its command line, its first words, and its end.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "tests/e2e/process.h"
#include "tests/server/loopback_client.h"

namespace kbench::server {
namespace {

using e2e::Daemon;
using e2e::Finished;
using e2e::seconds;
using e2e::TempDir;
using kinetic::MessageType;
using kinetic::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

Finished Start(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), e2e::Program("kbench-server"));
  return e2e::Run(arguments, seconds(60));
}

TEST(Program, SaysWhereItListensWarnsOfTheFactoryKeyAndEndsInOrder) {
  Daemon server("kbench-server", {});
  LoopbackClient client(*ParseHostPort(server.address()));
  EXPECT_EQ(client.Ask(client.Next(MessageType::kNoop)).status, StatusCode::kSuccess);
  EXPECT_EQ(client.greeting().port, ParseHostPort(server.address())->port);
  server.child().Signal(SIGTERM);
  EXPECT_EQ(server.child().Wait(seconds(60)), 0);
  EXPECT_THAT(server.child().err(), HasSubstr("factory key"));
  EXPECT_FALSE(client.Receive().has_value());
}

TEST(Program, SigintEndsItToo) {
  Daemon server("kbench-server", {});
  server.child().Signal(SIGINT);
  EXPECT_EQ(server.child().Wait(seconds(60)), 0);
}

TEST(Program, TakesIdentitiesFromAFileAndNeverShowsTheirKeys) {
  const TempDir dir;
  const std::string file = dir.Write("keys", "7 secret-of-seven\n");
  Daemon server("kbench-server", {"--identity-key-file", file});
  EXPECT_THAT(server.child().err(), Not(HasSubstr("factory key")));
  LoopbackClient client(*ParseHostPort(server.address()));
  EXPECT_EQ(client.Ask(client.Next(MessageType::kNoop)).status, StatusCode::kHmacFailure)
      << "identity 1 is unknown here";
  LoopbackClient known(*ParseHostPort(server.address()));
  known.Send(RequestBytes(known.Next(MessageType::kNoop), 7, "secret-of-seven"));
  EXPECT_EQ(known.Receive()->status, StatusCode::kSuccess);

  const Finished wrong =
      Start({"--identity-key-file", dir.Write("wrong", "7 secret-of-seven\nx secret-of-x\n")});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("line 2"));
  EXPECT_THAT(wrong.err, Not(HasSubstr("secret-of")));
}

TEST(Program, RefusesWhatItCannotDoWithAReason) {
  const struct {
    std::vector<std::string> arguments;
    int code;
    std::string reason;
  } cases[] = {
      {{"--listen", "nonsense"}, 2, "--listen"},
      {{"--listen", "0.0.0.0:0"}, 2, "--allow-remote"},
      {{"--listen", "127.0.0.1:0", "--service-time", "get=5"}, 2, "get=5"},
      {{"--listen", "127.0.0.1:0", "--service-time", "frob=5us"}, 2, "frob"},
      {{"--store", "floppy"}, 2, "--store"},
      {{"--dialect", "klingon"}, 2, "--dialect"},
      {{"--listen", "127.0.0.1:0", "--store", "rocksdb"}, 2, "--data-dir"},
      {{"--listen", "127.0.0.1:0", "--data-dir", "/nonexistent"}, 2, "--data-dir"},
      {{"--listen", "127.0.0.1:0", "--store", "rocksdb", "--data-dir", "/proc/nonexistent"},
       1,
       "/proc/nonexistent"},
      {{"--listen", "none"}, 2, "nothing to listen on"},
      {{"--listen", "127.0.0.1:0", "--limits", "key=0"}, 2, "limit key"},
      {{"--listen", "127.0.0.1:0", "--limits", "keys=5"}, 2, "'keys=5' is no limit"},
      {{"--listen", "127.0.0.1:0", "--limits", "connections=1000000"}, 2, "RLIMIT_NOFILE"},
      {{"--listen", "127.0.0.1:0", "--capacity", "many"}, 2, "--capacity"},
      {{"--listen", "127.0.0.1:0", "--announce", "127.0.0.1:8123"}, 2, "multicast"},
      {{"--tls-listen", "127.0.0.1:0", "--tls-certificate", "/nonexistent"}, 2, "--tls-key"},
      {{"--listen", "none", "--tls-listen", "127.0.0.1:0", "--tls-certificate", "/nonexistent.pem",
        "--tls-key", "/nonexistent.pem"},
       2,
       "/nonexistent.pem"},
      {{"--cpu", "1023", "--listen", "127.0.0.1:0"}, 2, "processor 1023"},
      {{"--identity-key-file", "/nonexistent/keys"}, 1, "/nonexistent/keys"},
      {{"--frobnicate"}, 2, "--frobnicate"},
  };
  for (const auto& c : cases) {
    const Finished run = Start(c.arguments);
    EXPECT_EQ(run.code, c.code) << c.reason << "\n" << run.err;
    EXPECT_THAT(run.out + run.err, HasSubstr(c.reason));
  }
}

TEST(Program, AnAddressInUseIsAFailureThatSaysSo) {
  Daemon server("kbench-server", {});
  const Finished second = Start({"--listen", server.address()});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr(server.address()));
}

TEST(Program, HelpAndVersionAreNoErrors) {
  const Finished help = Start({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* flag :
       {"--listen", "--tls-listen", "--tls-certificate", "--tls-key", "--store", "--data-dir",
        "--capacity", "--dialect", "--limits", "--default-synchronization", "--cluster-version",
        "--announce", "--service-time", "--service-model", "--poll", "--residence-records",
        "--identity-key-file", "--allow-remote"}) {
    EXPECT_THAT(help.out, HasSubstr(flag));
  }
  const Finished version = Start({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, HasSubstr("kbench-server "));
}

TEST(Program, InjectsServiceTimeWhilePolling) {
  for (const std::string poll : {"block", "spin"}) {
    Daemon server("kbench-server", {"--poll", poll, "--service-time", "noop=2ms"});
    LoopbackClient client(*ParseHostPort(server.address()));
    for (int i = 0; i < 5; ++i) client.Ask(client.Next(MessageType::kNoop));
    for (const kinetic::Residence& record : client.Residences(client.connection_id()).records) {
      EXPECT_GE(record.duration(), Millis(2)) << poll;
    }
  }
}

TEST(Program, ImitatesADriveWhenTold) {
  Daemon server("kbench-server", {"--limits", "drive,range=5"});
  LoopbackClient client(*ParseHostPort(server.address()));
  ASSERT_TRUE(client.greeting().limits.has_value());
  EXPECT_EQ(client.greeting().limits->max_key_size, 1024u);
  EXPECT_EQ(client.greeting().limits->max_key_range_count, 5u);
  EXPECT_EQ(client.greeting().limits->max_connections, 100u);
  EXPECT_EQ(client.greeting().limits->max_deletes_per_batch, 24'000u);
  EXPECT_FALSE(client.greeting().limits->max_operation_count_per_batch.has_value());
  EXPECT_FALSE(client.greeting().limits->max_batch_count_per_device.has_value());
  kinetic::Command get = client.Next(MessageType::kGet);
  const std::string key(1025, 'k');
  get.key_value = {.key = key};
  EXPECT_EQ(client.Ask(get).status, StatusCode::kInvalidRequest);
}

TEST(Program, SpeaksTheDialectThatItIsToldAndLimitsOverrideIts) {
  Daemon drive("kbench-server", {"--dialect", "kineticd", "--limits", "range=5"});
  LoopbackClient client(*ParseHostPort(drive.address()));
  ASSERT_TRUE(client.greeting().limits.has_value());
  EXPECT_EQ(client.greeting().limits->max_key_size, 1024u);
  EXPECT_EQ(client.greeting().limits->max_key_range_count, 5u);
  EXPECT_EQ(client.greeting().limits->max_connections, 100u);
  EXPECT_FALSE(client.greeting().limits->max_operation_count_per_batch.has_value());
  kinetic::Command put = client.Next(MessageType::kPut);
  put.key_value = {.key = "k", .synchronization = kinetic::Synchronization::kWriteBack};
  const Answer refused = client.Ask(put, "v");
  EXPECT_EQ(refused.status_message, "Tag required");
  EXPECT_FALSE(client.Receive().has_value());
  EXPECT_THAT(drive.child().err(), HasSubstr("answers in the dialect kineticd"));
  Daemon simulator("kbench-server", {"--dialect", "simulator"});
  LoopbackClient other(*ParseHostPort(simulator.address()));
  EXPECT_EQ(other.greeting().limits->max_message_size, 4294967295u);
}

TEST(Program, KeepsWhatItStoredOverARestart) {
  const TempDir dir;
  const std::vector<std::string> flags = {"--store", "rocksdb", "--data-dir", dir.path() + "/db"};
  const auto put = [](LoopbackClient* client, absl::string_view key) {
    kinetic::Command command = client->Next(MessageType::kPut);
    command.key_value = {.key = key, .synchronization = kinetic::Synchronization::kWriteBack};
    return client->Ask(command, "value").status;
  };
  {
    Daemon server("kbench-server", flags);
    LoopbackClient client(*ParseHostPort(server.address()));
    EXPECT_EQ(put(&client, "k"), StatusCode::kSuccess);
    server.child().Signal(SIGTERM);
    EXPECT_EQ(server.child().Wait(seconds(60)), 0);
  }
  Daemon server("kbench-server", flags);
  LoopbackClient client(*ParseHostPort(server.address()));
  kinetic::Command get = client.Next(MessageType::kGet);
  get.key_value = {.key = "k"};
  EXPECT_EQ(client.Ask(get).value, "value");
}

// Descriptors run out before the connection limit does: who comes then is turned away at once, and
// welcome again when another leaves.
TEST(Program, OutlivesTheEndOfItsDescriptors) {
  e2e::Child child({e2e::Program("kbench-server"), "--listen", "127.0.0.1:0"}, [] {
    const rlimit few = {.rlim_cur = 40, .rlim_max = 40};
    setrlimit(RLIMIT_NOFILE, &few);
    // Descriptors that the server did not count on.
    for (int i = 0; i < 16; ++i) (void)open("/dev/null", O_RDONLY);
  });
  const std::string ready = child.WaitForOutput("listening on ", seconds(60));
  child.WaitForOutput("\n", seconds(60));
  const size_t at = child.out().find("listening on ") + 13;
  const HostPort address = *ParseHostPort(child.out().substr(at, child.out().find('\n', at) - at));
  EXPECT_THAT(child.err(), HasSubstr("up to 8 connections"));
  {
    std::vector<std::unique_ptr<LoopbackClient>> clients;
    clients.reserve(30);
    for (int i = 0; i < 30; ++i) {
      clients.push_back(std::make_unique<LoopbackClient>(address, /*greet=*/false));
    }
    int refused = 0;
    for (auto& client : clients) {
      const std::optional<Answer> first = client->Receive();
      refused += !first.has_value() || first->status != StatusCode::kSuccess;
    }
    EXPECT_GE(refused, 22);
  }
  // The server sees the others' ends in its own time.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    LoopbackClient next(address, /*greet=*/false);
    const std::optional<Answer> greeting = next.Receive();
    if (greeting.has_value() && greeting->status == StatusCode::kSuccess) return;
  }
  ADD_FAILURE() << "nobody is welcome any more";
}

}  // namespace
}  // namespace kbench::server
