// The persistent server killed outright, again and again, in the middle of load: what it had
// acknowledged as written through is there, what it had ended as a batch is there whole, and no
// batch is there by half.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "client/client.h"
#include "client/requests.h"
#include "tests/e2e/process.h"

namespace kbench::server {
namespace {

using client::Batch;
using client::Client;
using kinetic::StatusCode;

constexpr int kKills = 200;
constexpr uint64_t kKeys = 32;
constexpr uint64_t kBatchKeys = 5;

std::unique_ptr<Client> ConnectTo(const std::string& address) {
  auto client = Client::Connect({.server = *Resolve(*ParseHostPort(address))});
  return client.ok() ? *std::move(client) : nullptr;
}

// Puts ever greater numbers under a few keys, each written through before the next is begun.
struct Writer {
  std::map<uint64_t, uint64_t> acknowledged;  // key -> number
  std::map<uint64_t, uint64_t> tried;
  uint64_t next = 1;
  uint64_t acknowledgements = 0;

  void Run(Client* client, Random* random) {
    while (true) {
      const uint64_t key = random->Below(kKeys), number = next++;
      tried[key] = number;
      const auto reply = client->Call(client::PutRequest(absl::StrCat("w", key)),
                                      absl::StrCat(number, std::string(random->Below(8000), ' ')));
      if (!reply.ok()) return;
      ASSERT_EQ(reply->status, StatusCode::kSuccess) << reply->Describe();
      acknowledged[key] = number;
      ++acknowledgements;
    }
  }
  void Check(Client* client) const {
    for (const auto& [key, number] : tried) {
      const auto reply = client->Call(client::GetRequest(absl::StrCat("w", key)));
      ASSERT_TRUE(reply.ok()) << reply.status();
      uint64_t stored = 0;
      if (reply->status == StatusCode::kSuccess) {
        ASSERT_TRUE(absl::SimpleAtoi(reply->value.substr(0, reply->value.find(' ')), &stored));
      }
      const auto kept = acknowledged.find(key);
      ASSERT_GE(stored, kept == acknowledged.end() ? 0 : kept->second) << "key " << key;
      ASSERT_LE(stored, number);
    }
  }
};

// Moves a set of keys from one generation to the next, in batches: it puts those of the new one and
// deletes those of the old one.
struct Mover {
  uint64_t ended = 0;  // the generation whose batch was acknowledged last

  static std::string Key(uint64_t generation, uint64_t i) {
    return absl::StrCat("b", generation, "/", i);
  }
  void Run(Client* client) {
    for (uint64_t generation = ended + 1;; ++generation) {
      auto batch = Batch::Start(client, 1);
      if (!batch.ok()) return;
      for (uint64_t i = 0; i < kBatchKeys; ++i) {
        const std::string to = Key(generation, i), from = Key(generation - 1, i);
        if (!batch->Add(client::PutRequest(to), "moved").ok()) return;
        if (!batch->Add(client::DeleteRequest(from)).ok()) return;
      }
      const auto reply = batch->Commit();
      if (!reply.ok()) return;
      ASSERT_EQ(reply->status, StatusCode::kSuccess) << reply->Describe();
      ended = generation;
    }
  }
  // One generation is there, whole: the last that ended, or the one whose answer did not arrive.
  void Check(Client* client) {
    std::map<std::string, uint64_t> found;
    const auto visited = client->VisitKeys("b", "c", [&](absl::string_view key) {
      ++found[std::string(key.substr(0, key.find('/')))];
      return true;
    });
    ASSERT_TRUE(visited.ok()) << visited.status();
    ASSERT_EQ(visited->status, kinetic::StatusCode::kSuccess) << visited->Describe();
    if (ended == 0 && found.empty()) return;
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.begin()->second, kBatchKeys) << "half a batch";
    uint64_t generation = 0;
    ASSERT_TRUE(absl::SimpleAtoi(found.begin()->first.substr(1), &generation));
    EXPECT_GE(generation, ended);
    EXPECT_LE(generation, ended + 1);
    ended = generation;
  }
};

TEST(Recovery, KeepsEveryPromiseOverManyKills) {
  const e2e::TempDir dir;
  const std::vector<std::string> flags = {"--store", "rocksdb", "--data-dir", dir.path() + "/db"};
  Random random(20261126);
  Writer writer;
  Mover mover;
  for (int kill = 0; kill < kKills && !::testing::Test::HasFatalFailure(); ++kill) {
    e2e::Daemon server("kbench-server", flags);
    const auto looks = ConnectTo(server.address());
    ASSERT_NE(looks, nullptr);
    writer.Check(looks.get());
    mover.Check(looks.get());
    const auto writes = ConnectTo(server.address()), moves = ConnectTo(server.address());
    ASSERT_TRUE(writes != nullptr && moves != nullptr);
    Random stream(random.Next());
    std::thread writing([&] { writer.Run(writes.get(), &stream); });
    std::thread moving([&] { mover.Run(moves.get()); });
    // As much work as chance wants, on a third connection, is how long they have.
    for (uint64_t n = random.Below(60); n > 0; --n) {
      (void)looks->Call(client::GetRequest("w0"));
    }
    server.child().Signal(SIGKILL);
    writing.join();
    moving.join();
    EXPECT_EQ(server.child().Wait(e2e::seconds(60)), 128 + SIGKILL);
  }
  EXPECT_GT(writer.acknowledgements, static_cast<uint64_t>(kKills)) << "there was load";
  EXPECT_GT(mover.ended, static_cast<uint64_t>(kKills) / 4);
  RecordProperty("puts", static_cast<int>(writer.next));
  RecordProperty("batches", static_cast<int>(mover.ended));
  std::cout << kKills << " kills, " << writer.next << " puts, " << mover.ended << " batches\n";
}

}  // namespace
}  // namespace kbench::server
