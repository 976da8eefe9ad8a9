// What each message type does to the store and says about it.
#include "server/request_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/rocks_store.h"
#include "tests/e2e/process.h"
#include "tests/server/desk_fixture.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::GetLog;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::StatusCode;
using kinetic::Synchronization;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RequestHandlerTest : public ::testing::Test {
 protected:
  Answer Ask(MessageType type, const KeyValue& key_value, absl::string_view value = "") {
    Command command = talk_.Next(type);
    command.key_value = key_value;
    return talk_.Ask(command, value);
  }
  Answer Ask(const kinetic::Range& range) {
    Command command = talk_.Next(MessageType::kGetKeyRange);
    command.range = range;
    return talk_.Ask(command);
  }
  Answer Log(std::vector<GetLog::Type> types, absl::string_view device = "") {
    Command command = talk_.Next(MessageType::kGetLog);
    command.get_log.emplace().types = std::move(types);
    if (!device.empty()) command.get_log->device_name = device;
    return talk_.Ask(command);
  }

  static constexpr StatusCode kOk = StatusCode::kSuccess;
  DeskFixture fixture_;
  Talk talk_{&fixture_};
};

TEST_F(RequestHandlerTest, AGetReturnsWhatThePutSaid) {
  EXPECT_EQ(Ask(MessageType::kPut,
                {.key = "k",
                 .new_version = "v1",
                 .tag = "tag",
                 .algorithm = 4,
                 .synchronization = Synchronization::kWriteThrough},
                "value")
                .status,
            kOk);
  const Answer got = Ask(MessageType::kGet, {.key = "k"});
  EXPECT_EQ(got.status, kOk);
  EXPECT_EQ(got.key, "k");
  EXPECT_EQ(got.db_version, "v1");
  EXPECT_EQ(got.tag, "tag");
  EXPECT_EQ(got.algorithm, 4);
  EXPECT_EQ(got.value, "value");
  const Answer metadata = Ask(MessageType::kGet, {.key = "k", .metadata_only = true});
  EXPECT_EQ(metadata.db_version, "v1");
  EXPECT_EQ(metadata.value, "");
  const Answer version = Ask(MessageType::kGetVersion, {.key = "k", .metadata_only = false});
  EXPECT_EQ(version.db_version, "v1");
  EXPECT_FALSE(version.key.has_value());
  EXPECT_FALSE(version.tag.has_value());
}

// libkinetic refuses a PUT or DELETE whose SUCCESS has no keyValue, and ends its iterators by a
// range that is not there.
TEST_F(RequestHandlerTest, AnAnswerToAChangeHasAnEmptyKeyValueAndAnEmptyRangeIsAbsent) {
  const KeyValue change = {.key = "k", .synchronization = Synchronization::kWriteBack};
  const KeyValue versioned = {
      .key = "k", .db_version = "v0", .synchronization = Synchronization::kWriteBack};
  const auto expect_empty = [](const Answer& answer, StatusCode status) {
    EXPECT_EQ(answer.status, status);
    EXPECT_TRUE(answer.has_key_value);
    EXPECT_FALSE(answer.key || answer.db_version || answer.tag || answer.algorithm);
    EXPECT_EQ(answer.has_status_message, status != kOk);
    EXPECT_FALSE(answer.has_range || answer.has_batch);
  };
  expect_empty(Ask(MessageType::kGet, {.key = "k"}), StatusCode::kNotFound);
  expect_empty(Ask(MessageType::kDelete, change), StatusCode::kNotFound);
  expect_empty(Ask(MessageType::kPut, change, "v"), kOk);
  expect_empty(Ask(MessageType::kPut, versioned, "v"), StatusCode::kVersionMismatch);
  expect_empty(Ask(MessageType::kDelete, change), kOk);
  kinetic::Command range = talk_.Next(MessageType::kGetKeyRange);
  range.range = {.start_key = "a", .end_key = "z"};
  const Answer none = talk_.Ask(range);
  EXPECT_EQ(none.status, kOk);
  EXPECT_FALSE(none.has_range || none.has_key_value);
}

TEST_F(RequestHandlerTest, AcceptsTheUnnamedAlgorithmWithAnEmptyTag) {
  const KeyValue put = {.key = "k",
                        .tag = "",
                        .algorithm = 0,
                        .force = true,
                        .synchronization = Synchronization::kWriteBack};
  EXPECT_EQ(Ask(MessageType::kPut, put, "v").status, kOk);
  const Answer got = Ask(MessageType::kGet, {.key = "k"});
  EXPECT_EQ(got.tag, "");
  EXPECT_EQ(got.algorithm, 0);
}

TEST_F(RequestHandlerTest, BigAndSmallValuesComeBackWhole) {
  for (const size_t size : {0, 1, 4096, 4097, 65536, 1024 * 1024}) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 31 + size);
    EXPECT_EQ(talk_.Put("k", value).status, kOk);
    EXPECT_TRUE(Ask(MessageType::kGet, {.key = "k"}).value == value) << size;
    // talk_.Put() names no version, and the empty one is stored.
  }
}

TEST_F(RequestHandlerTest, ChecksTheVersionOfAPutUnlessForced) {
  const auto put = [&](absl::string_view db, absl::string_view next, bool force) {
    return Ask(MessageType::kPut, {.key = "k",
                                   .new_version = next,
                                   .db_version = db,
                                   .force = force,
                                   .synchronization = Synchronization::kFlush})
        .status;
  };
  EXPECT_EQ(put("v0", "v1", false), StatusCode::kVersionMismatch);
  EXPECT_EQ(put("", "v1", false), kOk);
  EXPECT_EQ(put("", "v2", false), StatusCode::kVersionMismatch);
  EXPECT_EQ(put("v1", "v2", false), kOk);
  EXPECT_EQ(put("nonsense", "v3", true), kOk);
  EXPECT_EQ(Ask(MessageType::kGetVersion, {.key = "k"}).db_version, "v3");
}

TEST_F(RequestHandlerTest, ChecksTheVersionOfADeleteUnlessForced) {
  const auto erase = [&](absl::string_view key, absl::string_view db, bool force) {
    return Ask(MessageType::kDelete, {.key = key,
                                      .db_version = db,
                                      .force = force,
                                      .synchronization = Synchronization::kWriteBack})
        .status;
  };
  const KeyValue put = {
      .new_version = "v1", .force = true, .synchronization = Synchronization::kWriteBack};
  EXPECT_EQ(Ask(MessageType::kPut, put).status, kOk) << "no key is the empty key";
  EXPECT_EQ(erase("", "v2", false), StatusCode::kVersionMismatch);
  EXPECT_EQ(erase("", "v1", false), kOk);
  EXPECT_EQ(erase("", "v1", false), StatusCode::kNotFound);
  EXPECT_EQ(erase("", "v1", true), kOk) << "forced, nothing to delete is no failure";
}

TEST_F(RequestHandlerTest, AChangeMustSayWhenItShallBeDurable) {
  for (const MessageType type : {MessageType::kPut, MessageType::kDelete}) {
    EXPECT_EQ(Ask(type, {.key = "k", .force = true}).status, StatusCode::kInvalidRequest);
    EXPECT_EQ(Ask(type, {.key = "k", .synchronization = Synchronization::kInvalid}).status,
              StatusCode::kInvalidRequest);
    EXPECT_EQ(Ask(type, {.key = "k", .synchronization = Synchronization{17}}).status,
              StatusCode::kInvalidRequest);
    const Answer bare = talk_.Ask(talk_.Next(type));
    EXPECT_EQ(bare.status, StatusCode::kInvalidRequest);
    EXPECT_THAT(bare.status_message, HasSubstr("synchronization"));
  }
  EXPECT_EQ(*fixture_.store.Find("k"), nullptr);
}

TEST_F(RequestHandlerTest, EveryLengthHasALimitAndReachesIt) {
  const std::string key(4096, 'k'), version(2048, 'v'), tag(64 * 1024, 't');
  KeyValue put = {.key = key,
                  .new_version = version,
                  .db_version = version,
                  .tag = tag,
                  .force = true,
                  .synchronization = Synchronization::kWriteBack};
  EXPECT_EQ(Ask(MessageType::kPut, put).status, kOk);
  EXPECT_EQ(Ask(MessageType::kGet, {.key = key}).db_version, version);
  const std::string long_key = key + "k", long_version = version + "v", long_tag = tag + "t";
  for (std::optional<kinetic::Text>* field :
       {&put.key, &put.new_version, &put.db_version, &put.tag}) {
    const std::optional<kinetic::Text> kept = *field;
    *field = field == &put.key ? long_key : field == &put.tag ? long_tag : long_version;
    const Answer answer = Ask(MessageType::kPut, put);
    EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
    EXPECT_THAT(answer.status_message, HasSubstr("above the limit"));
    *field = kept;
  }
  EXPECT_EQ(Ask(MessageType::kGet, {.key = long_key}).status, StatusCode::kInvalidRequest);
  EXPECT_EQ(Ask({.start_key = "", .end_key = long_key}).status, StatusCode::kInvalidRequest);
}

TEST_F(RequestHandlerTest, NeighboursAreFoundByOrder) {
  talk_.Put("b", "vb");
  talk_.Put("d", "vd");
  const Answer next = Ask(MessageType::kGetNext, {.key = "c"});
  EXPECT_EQ(next.key, "d");
  EXPECT_EQ(next.value, "vd");
  EXPECT_EQ(next.type, MessageType::kGetNextResponse);
  EXPECT_EQ(Ask(MessageType::kGetPrevious, {.key = "c"}).key, "b");
  EXPECT_EQ(Ask(MessageType::kGetNext, {.key = "b", .metadata_only = true}).value, "");
  EXPECT_EQ(Ask(MessageType::kGetNext, {.key = "d"}).status, StatusCode::kNotFound);
  EXPECT_EQ(Ask(MessageType::kGetPrevious, {.key = "b"}).status, StatusCode::kNotFound);
  EXPECT_EQ(Ask(MessageType::kGet, {.key = "c"}).status, StatusCode::kNotFound);
  EXPECT_EQ(Ask(MessageType::kGetVersion, {.key = "c"}).status, StatusCode::kNotFound);
}

TEST_F(RequestHandlerTest, RangesFollowTheirFlags) {
  for (const char* key : {"a", "b", "c", "d"}) talk_.Put(key, "");
  EXPECT_THAT(Ask({.start_key = "a", .end_key = "c"}).keys, ElementsAre("b"));
  EXPECT_THAT(Ask({.start_key = "a",
                   .end_key = "c",
                   .start_key_inclusive = true,
                   .end_key_inclusive = true})
                  .keys,
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(Ask({.start_key = "a",
                   .end_key = "d",
                   .end_key_inclusive = true,
                   .max_returned = 2,
                   .reverse = true})
                  .keys,
              ElementsAre("d", "c"));
  const Answer empty = Ask({.start_key = "x", .end_key = "z"});
  EXPECT_EQ(empty.status, kOk) << "no keys is an answer";
  EXPECT_THAT(empty.keys, IsEmpty());
  EXPECT_FALSE(empty.has_range);
  EXPECT_EQ(Ask({.start_key = "d", .end_key = "a"}).status, kOk);
  EXPECT_EQ(Ask({.start_key = "a", .end_key = "d", .max_returned = 0}).status,
            StatusCode::kInvalidRequest);
  EXPECT_THAT(Ask({.start_key = "b"}).keys, ElementsAre("c", "d")) << "no end: to the last key";
  EXPECT_THAT(Ask(kinetic::Range{}).keys, ElementsAre("a", "b", "c", "d"));
}

TEST_F(RequestHandlerTest, RangesHaveALimit) {
  for (int i = 0; i < 250; ++i) talk_.Put(absl::StrCat("k", 1000 + i), "");
  EXPECT_EQ(Ask({.start_key = "k", .end_key = "l", .max_returned = 200}).keys.size(), 200u);
  EXPECT_EQ(Ask({.start_key = "k", .end_key = "l"}).keys.size(), 200u);
  const Answer answer = Ask({.start_key = "k", .end_key = "l", .max_returned = 201});
  EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
  EXPECT_THAT(answer.keys, IsEmpty());
}

TEST_F(RequestHandlerTest, FlushSucceeds) {
  const Answer answer = talk_.Ask(talk_.Next(MessageType::kFlushAllData));
  EXPECT_EQ(answer.status, kOk);
  EXPECT_EQ(answer.type, MessageType::kFlushAllDataResponse);
}

TEST_F(RequestHandlerTest, LogsTellWhatThisHostMeasures) {
  const std::vector<GetLog::Type> all = {GetLog::Type::kUtilizations, GetLog::Type::kTemperatures,
                                         GetLog::Type::kCapacities,   GetLog::Type::kConfiguration,
                                         GetLog::Type::kStatistics,   GetLog::Type::kMessages,
                                         GetLog::Type::kLimits};
  fixture_.logs.set_ports(8123, 8443);
  talk_.Put("k", "12345");
  Ask(MessageType::kGet, {.key = "k"});
  Ask(MessageType::kGet, {.key = "k"});
  const Answer answer = Log(all);
  EXPECT_EQ(answer.status, kOk);
  EXPECT_EQ(answer.log_types, all);
  EXPECT_GE(answer.utilizations, 4u);
  EXPECT_EQ(answer.temperatures, 2u);
  EXPECT_GT(answer.capacity_bytes.value_or(0), 1u << 20);
  EXPECT_EQ(answer.port, 8123);
  EXPECT_GE(answer.interfaces, 1u);
  EXPECT_THAT(answer.messages.value_or(""), HasSubstr("answered 3 requests"));
  EXPECT_EQ(answer.statistics.size(), 20u) << "every request that there is";
  for (const GetLog::Statistics& one : answer.statistics) {
    EXPECT_EQ(one.count, one.message_type == MessageType::kGet   ? 2u
                         : one.message_type == MessageType::kPut ? 1u
                                                                 : 0u)
        << Name(one.message_type);
    EXPECT_EQ(one.bytes, one.message_type == MessageType::kGet   ? 10u
                         : one.message_type == MessageType::kPut ? 5u
                                                                 : 0u);
  }
}

TEST_F(RequestHandlerTest, ATypeOfLogIsNamedOnce) {
  EXPECT_EQ(Log({GetLog::Type::kLimits, GetLog::Type::kLimits}).status,
            StatusCode::kInvalidRequest);
  EXPECT_EQ(Log(std::vector<GetLog::Type>(100'000, GetLog::Type::kUtilizations)).status,
            StatusCode::kInvalidRequest);
}

TEST_F(RequestHandlerTest, LogsThatDoNotExistAreNotMadeUp) {
  const Answer unknown = Log({GetLog::Type::kDevice}, "com.example.nope");
  EXPECT_EQ(unknown.status, StatusCode::kNotFound);
  EXPECT_THAT(unknown.status_message, HasSubstr("com.example.nope"));
  EXPECT_EQ(Log({GetLog::Type::kDevice}).status, StatusCode::kNotFound);
  EXPECT_EQ(Log({}).status, StatusCode::kInvalidRequest);
  EXPECT_EQ(Log({GetLog::Type{55}}).status, StatusCode::kInvalidRequest);
  EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kGetLog)).status, StatusCode::kInvalidRequest);
}

// An entry of the rocksdb store lives no longer than whoever holds it.
TEST(RequestHandlerOnDisk, MetadataAloneIsTheObjectsOwn) {
  const e2e::TempDir dir;
  absl::StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(dir.path() + "/db");
  ASSERT_TRUE(store.ok()) << store.status();
  DeskFixture fixture(*std::move(store));
  Talk talk(&fixture);
  const std::string tag(64, 't'), version(64, 'n');
  Command put = talk.Next(MessageType::kPut);
  put.key_value = {.key = "k",
                   .new_version = version,
                   .tag = tag,
                   .algorithm = 1,
                   .synchronization = Synchronization::kWriteBack};
  ASSERT_EQ(talk.Ask(put, "value").status, StatusCode::kSuccess);
  for (const auto& [type, key] :
       std::map<MessageType, std::string>{{MessageType::kGet, "k"},
                                          {MessageType::kGetNext, "j"},
                                          {MessageType::kGetPrevious, "l"}}) {
    Command get = talk.Next(type);
    get.key_value = {.key = key, .metadata_only = true};
    const Answer answer = talk.Ask(get);
    EXPECT_EQ(answer.key, "k");
    EXPECT_EQ(answer.tag, tag) << Name(type);
    EXPECT_EQ(answer.db_version, version) << Name(type);
    EXPECT_EQ(answer.value, "");
  }
}

}  // namespace
}  // namespace kbench::server
