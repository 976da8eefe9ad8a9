// Batches: nothing is seen before the end, everything or nothing after it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "client/requests.h"
#include "tests/server/desk_fixture.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BatchTest : public ::testing::Test {
 protected:
  StatusCode Ask(Command command) { return AskFor(std::move(command)).status; }
  Answer AskFor(Command command) { return talk_.Ask(Numbered(std::move(command))); }
  // A change that waits; its sequence.
  uint64_t Add(uint32_t batch, Command command, absl::string_view value = "") {
    command.header.batch_id = batch;
    command = Numbered(std::move(command));
    talk_.Tell(command, value);
    return *command.header.sequence;
  }
  Command Numbered(Command command) {
    const std::optional<uint32_t> batch = command.header.batch_id;
    command.header = talk_.Next(*command.header.message_type).header;
    command.header.batch_id = batch;
    return command;
  }
  bool Has(absl::string_view key) { return *fixture_.store.Find(key) != nullptr; }

  static constexpr StatusCode kOk = StatusCode::kSuccess;
  static constexpr StatusCode kBad = StatusCode::kInvalidBatch;
  DeskFixture fixture_;
  Talk talk_{&fixture_};
};

TEST_F(BatchTest, ChangesHappenTogetherAtTheEnd) {
  talk_.Put("old", "");
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  const uint64_t put = Add(1, client::PutRequest("new"), "value");
  const uint64_t erase = Add(1, client::DeleteRequest("old"));
  EXPECT_FALSE(Has("new"));
  EXPECT_TRUE(Has("old"));
  const Answer end = AskFor(client::EndBatchRequest(1, 2));
  EXPECT_EQ(end.status, kOk);
  EXPECT_EQ(end.type, MessageType::kEndBatchResponse);
  EXPECT_THAT(end.batch_sequences, ElementsAre(put, erase));
  EXPECT_FALSE(end.failed_sequence.has_value());
  EXPECT_TRUE(Has("new"));
  EXPECT_FALSE(Has("old"));
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 0)), kBad) << "it has ended";
}

TEST_F(BatchTest, OneChangeThatCannotBeLetsNoneHappen) {
  talk_.Put("versioned", "");
  const std::string long_key(4097, 'k'), long_version(2049, 'v');  // commands hold views
  const struct {
    const char* name;
    Command command;
    size_t value_size;
    const char* says;
  } cases[] = {
      {"version of a put", client::PutRequest("versioned", {.expected = "x"}), 1, "dbVersion"},
      {"version of a new key", client::PutRequest("n", {.expected = "x"}), 1, "dbVersion"},
      {"nothing to delete", client::DeleteRequest("none", {}), 0, "NOT_FOUND"},
      {"version of a delete", client::DeleteRequest("versioned", {.expected = "x"}), 0,
       "dbVersion"},
      {"key too long", client::PutRequest(long_key), 1, "above the limit"},
      {"value too long", client::PutRequest("n"), 1024 * 1024 + 1, "1048577 bytes"},
      {"version too long", client::PutRequest("n", {.next = long_version, .force = true}), 1,
       "above the limit"},
      {"no synchronization",
       client::PutRequest("n", {.force = true}, kinetic::Synchronization::kInvalid), 1,
       "synchronization"},
  };
  uint32_t id = 10;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ++id;
    ASSERT_EQ(Ask(client::StartBatchRequest(id)), kOk);
    const uint64_t good = Add(id, client::PutRequest("good"));
    const uint64_t bad = Add(id, c.command, std::string(c.value_size, 'v'));
    const uint64_t after = Add(id, client::PutRequest("after"));
    const Answer end = AskFor(client::EndBatchRequest(id, 3));
    EXPECT_EQ(end.status, kBad);
    EXPECT_THAT(end.status_message, HasSubstr(c.says));
    EXPECT_THAT(end.batch_sequences, ElementsAre(good, bad, after));
    EXPECT_EQ(end.failed_sequence, bad);
    EXPECT_FALSE(Has("good"));
    EXPECT_FALSE(Has("after"));
  }
}

TEST_F(BatchTest, IsJudgedAgainstWhatIsStoredWhenItEnds) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::PutRequest("k", {.expected = "1", .next = "2"}));
  talk_.Ask(Numbered(client::PutRequest("k", {.next = "1"})));  // meanwhile
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 1)), kOk);
  // Not against its own earlier changes.
  ASSERT_EQ(Ask(client::StartBatchRequest(2)), kOk);
  Add(2, client::PutRequest("k", {.expected = "2", .next = "3"}));
  Add(2, client::PutRequest("k", {.expected = "3", .next = "4"}));
  EXPECT_EQ(Ask(client::EndBatchRequest(2, 2)), kBad);
  EXPECT_EQ((*fixture_.store.Find("k"))->version, "2");
}

TEST_F(BatchTest, AbortForgets) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::PutRequest("k"));
  EXPECT_EQ(Ask(client::AbortBatchRequest(1)), kOk);
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(Ask(client::AbortBatchRequest(1)), kBad);
  EXPECT_EQ(Ask(client::StartBatchRequest(1)), kOk) << "the number is free again";
}

TEST_F(BatchTest, AnEmptyOneEndsWell) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  const Answer end = AskFor(client::EndBatchRequest(1, 0));
  EXPECT_EQ(end.status, kOk);
  EXPECT_THAT(end.batch_sequences, IsEmpty());
}

TEST_F(BatchTest, AWrongCountIsABadBatch) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::PutRequest("k"));
  const Answer end = AskFor(client::EndBatchRequest(1, 2));
  EXPECT_EQ(end.status, kBad);
  EXPECT_THAT(end.status_message, HasSubstr("counts 2 changes, 1 came"));
  EXPECT_FALSE(Has("k"));
}

TEST_F(BatchTest, HoldsItsLimitAndFailsAboveIt) {
  for (const uint32_t count : {15u, 16u, 1000u}) {
    ASSERT_EQ(Ask(client::StartBatchRequest(count)), kOk);
    for (uint32_t i = 0; i < count; ++i) Add(count, client::PutRequest("k" + std::to_string(i)));
    const Answer end = AskFor(client::EndBatchRequest(count, count));
    EXPECT_EQ(end.status, count == 15 ? kOk : kBad);
    EXPECT_EQ(end.batch_sequences.size(), count == 15 ? 15u : 16u)
        << "the first one too many is told, and no more";
    EXPECT_EQ(end.failed_sequence.has_value(), count > 15);
    if (count > 15) {
      EXPECT_EQ(end.failed_sequence, end.batch_sequences.back());
    }
  }
  fixture_.limits.batch_size = 100;
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::PutRequest("k"), std::string(60, 'v'));
  Add(1, client::PutRequest("k"), std::string(60, 'v'));
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 2)), kBad);
}

TEST_F(BatchTest, FiveAreOpenOnAConnectionAndOthersHaveTheirOwn) {
  for (uint32_t id = 1; id <= 5; ++id) ASSERT_EQ(Ask(client::StartBatchRequest(id)), kOk);
  EXPECT_EQ(Ask(client::StartBatchRequest(6)), StatusCode::kInvalidRequest);
  EXPECT_EQ(Ask(client::StartBatchRequest(5)), kBad) << "open already";
  Talk other(&fixture_, 99);
  Command start = client::StartBatchRequest(5);
  start.header = other.Next(MessageType::kStartBatch).header;
  start.header.batch_id = 5;
  EXPECT_EQ(other.Ask(start).status, kOk) << "numbers are a connection's own";
  EXPECT_EQ(Ask(client::EndBatchRequest(5, 0)), kOk);
  EXPECT_EQ(Ask(client::StartBatchRequest(6)), kOk);
  Command nameless = client::StartBatchRequest(0);
  nameless.header.batch_id.reset();
  EXPECT_EQ(Ask(nameless), StatusCode::kInvalidRequest);
}

TEST_F(BatchTest, AChangeOfABatchThatIsNotOpenEndsTheConnection) {
  Command put = Numbered(client::PutRequest("k"));
  put.header.batch_id = 8;
  const Answer answer = talk_.Ask(put);
  EXPECT_EQ(answer.auth_type, kinetic::AuthType::kUnsolicitedStatus);
  EXPECT_EQ(answer.status, kBad);
  EXPECT_THAT(answer.status_message, HasSubstr("batch 8"));
  EXPECT_TRUE(talk_.closing());
}

TEST_F(BatchTest, OnlyChangesCanBePartOfOne) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Command get = client::GetRequest("k");
  get.header.batch_id = 1;
  const Answer answer = talk_.Ask(Numbered(get));
  EXPECT_EQ(answer.status, kBad);
  EXPECT_EQ(answer.type, MessageType::kGetResponse);
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 0)), kOk);
}

TEST_F(BatchTest, NeedsThePermissionsOfItsChangesWhenItEnds) {
  Device::State state = fixture_.device.state();
  auto reader = std::make_shared<Identity>("asdfasdf");
  reader->scopes = {{.permissions = {kinetic::Permission::kDelete}}};
  state.access.Set(1, reader);
  ASSERT_TRUE(fixture_.device.Change(state).ok());
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::DeleteRequest("k"));
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 1)), kOk);
  ASSERT_EQ(Ask(client::StartBatchRequest(2)), kOk);
  Add(2, client::PutRequest("k"));
  const Answer end = AskFor(client::EndBatchRequest(2, 1));
  EXPECT_EQ(end.status, kBad);
  EXPECT_EQ(end.status_message, "permission denied");
  EXPECT_FALSE(Has("k"));
}

TEST_F(BatchTest, AChangeThatIsRefusedAtTheDoorFailsItsBatch) {
  const struct {
    const char* name;
    std::function<void(Command*)> spoil;
  } cases[] = {
      {"sequence", [](Command* c) { c->header.sequence = 1; }},
      {"cluster version", [](Command* c) { c->header.cluster_version = 99; }},
      {"connection", [](Command* c) { c->header.connection_id = 1; }},
  };
  uint32_t id = 0;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_EQ(Ask(client::StartBatchRequest(++id)), kOk);
    Add(id, client::PutRequest("good"));
    Command bad = client::PutRequest("bad");
    bad.header.batch_id = id;
    bad = Numbered(bad);
    c.spoil(&bad);
    talk_.Tell(bad);
    Command end = client::EndBatchRequest(id, 0);
    end.batch.reset();  // and nobody counts
    EXPECT_EQ(Ask(end), kBad);
    EXPECT_FALSE(Has("good"));
  }
}

TEST_F(BatchTest, WaitingChangesHaveABudgetAndGiveItBack) {
  fixture_.limits.waiting_bytes = 1000;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
    ASSERT_EQ(Ask(client::StartBatchRequest(2)), kOk);
    Add(1, client::PutRequest("a"), std::string(600, 'v'));
    Add(2, client::PutRequest("b"), std::string(600, 'v'));
    EXPECT_EQ(Ask(client::EndBatchRequest(1, 1)), kOk);
    EXPECT_EQ(Ask(client::EndBatchRequest(2, 1)), kBad);
    {
      Talk other(&fixture_, 50 + round);
      Command start = client::StartBatchRequest(1);
      start.header = other.Next(MessageType::kStartBatch).header;
      start.header.batch_id = 1;
      ASSERT_EQ(other.Ask(start).status, kOk);
      Command put = client::PutRequest("c");
      put.header = other.Next(MessageType::kPut).header;
      put.header.batch_id = 1;
      other.Tell(put, std::string(900, 'v'));
    }  // and leaves
  }
  EXPECT_EQ(fixture_.handler.batch_rules()->waiting_bytes, 0u);
}

TEST_F(BatchTest, AnErasedDeviceEndsNoBatchOfBefore) {
  ASSERT_EQ(Ask(client::StartBatchRequest(1)), kOk);
  Add(1, client::PutRequest("k"));
  ASSERT_TRUE(fixture_.device.Erase().ok());
  EXPECT_EQ(Ask(client::EndBatchRequest(1, 1)), kBad);
  EXPECT_FALSE(Has("k"));
}

}  // namespace
}  // namespace kbench::server
