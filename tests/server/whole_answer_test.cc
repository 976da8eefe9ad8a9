// Every message type, success and each failure, in the dialect kbench, which is the specification's
// text but where docs/protocol.md gives a reason: the whole answer, with every field that is
// present (wire_answer.h). A field too many or too few is a difference, whoever thought of it.
#include "tests/server/whole_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/requests.h"
#include "server/rocks_store.h"
#include "tests/e2e/process.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::Synchronization;
using Bench = DialectBench;

using T = MessageType;
using RowList = std::vector<AnswerRow>;
constexpr Synchronization kBack = Synchronization::kWriteBack;

std::string Noop(Bench* b, const std::function<void(Command*)>& change = {}) {
  Command noop = b->Next(MessageType::kNoop);
  if (change) change(&noop);
  return b->Ask(noop);
}

// The header and who signs: conversation.h's table, from top to bottom.
RowList HeaderRows() {
  return {
      {T::kNoop, "all is well", [](Bench* b) { return Noop(b); }, R"(SUCCESS)"},
      {T::kNoop, "another magic", [](Bench* b) { return b->Send("GET / HTTP/1.1\r\n\r\n"); },
       R"(INVALID_REQUEST "...", unsolicited, header {}; closes)"},
      {T::kNoop, "no protobuf",
       [](Bench* b) { return b->Send(FrameBytes(std::string(20, '\xff'))); },
       R"(INVALID_REQUEST "...", unsolicited, header {}; closes)"},
      {T::kNoop, "an empty message", [](Bench* b) { return b->Send(FrameBytes("")); },
       R"(INVALID_REQUEST "...", unsolicited, header {}; closes)"},
      {T::kNoop, "unknown identity",
       [](Bench* b) { return b->Send(RequestBytes(b->Next(T::kNoop), 99, "asdfasdf")); },
       R"(HMAC_FAILURE "...", unsolicited, header {}; closes)"},
      {T::kNoop, "wrong HMAC",
       [](Bench* b) { return b->Send(RequestBytes(b->Next(T::kNoop), 1, "wrong")); },
       R"(HMAC_FAILURE "...")"},
      {T::kNoop, "no header", [](Bench* b) { return b->Ask(Command()); },
       R"(HEADER_REQUIRED "...", no ackSequence, no messageType)"},
      {T::kNoop, "another cluster version",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.cluster_version = 7; }); },
       R"(VERSION_FAILURE "...", clusterVersion 0)"},
      {T::kNoop, "another connectionID",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.connection_id = 1; }); },
       R"(INVALID_REQUEST "...")"},
      {T::kNoop, "no message type",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.message_type.reset(); }); },
       R"(INVALID_REQUEST "...", no messageType)"},
      {T::kNoop, "a response",
       [](Bench* b) {
         return Noop(b, [](Command* c) { c->header.message_type = T::kNoopResponse; });
       },
       R"(INVALID_REQUEST "...", no messageType)"},
      {T::kNoop, "an unknown type",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.message_type = T{98}; }); },
       R"(INVALID_REQUEST "...")"},
      {T::kNoop, "a used sequence",
       [](Bench* b) {
         Noop(b);
         return Noop(b, [](Command* c) { c->header.sequence = 1; });
       },
       R"(INVALID_REQUEST "...")"},
      {T::kNoop, "locked",
       [](Bench* b) {
         b->device().device.set_locked(true);
         return Noop(b);
       },
       R"(DEVICE_LOCKED "...")"},
      {T::kNoop, "hibernating",
       [](Bench* b) {
         b->device().device.set_power(kinetic::PowerLevel::kHibernate);
         return Noop(b);
       },
       R"(HIBERNATE "...")"},
      {T::kNoop, "shut down",
       [](Bench* b) {
         b->device().device.set_power(kinetic::PowerLevel::kShutdown);
         return Noop(b);
       },
       R"(SHUTDOWN "...")"},
      {T::kNoop, "priority above the identity's",
       [](Bench* b) {
         Device::State state = b->device().device.state();
         auto low = std::make_shared<Identity>(kinetic::kFactoryKey);
         low->scopes = {EverythingScope()};
         low->max_priority = 5;
         state.access.Set(1, low);
         EXPECT_TRUE(b->device().device.Change(state).ok());
         return Noop(b, [](Command* c) { c->header.priority = 6; });
       },
       R"(NOT_AUTHORIZED "...")"},
      {T::kNoop, "its timeout has passed",
       [](Bench* b) {
         b->device().service = *ServiceTime::Parse("noop=20ms", 1);
         return Noop(b, [](Command* c) { c->header.timeout_ms = 5; });
       },
       R"(EXPIRED "...")"},
  };
}

// PUT and DELETE.
RowList ChangeRows() {
  return {
      {T::kPut, "all is well", [](Bench* b) { return b->Ask(b->NextPut("k"), "v"); },
       R"(SUCCESS keyValue{})"},
      {T::kPut, "another version",
       [](Bench* b) {
         return b->Ask(b->Next(T::kPut, {.key = "k", .db_version = "v0", .synchronization = kBack}),
                       "v");
       },
       R"(VERSION_MISMATCH "..." keyValue{})"},
      {T::kPut, "no synchronization",
       [](Bench* b) { return b->Ask(b->Next(T::kPut, {.key = "k"}), "v"); },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kPut, "no keyValue", [](Bench* b) { return b->Ask(b->Next(T::kPut), "v"); },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kPut, "a key too long",
       [](Bench* b) {
         const std::string key(5000, 'k');
         return b->Ask(b->NextPut(key), "v");
       },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kPut, "a value too long",
       [](Bench* b) { return b->Ask(b->NextPut("k"), std::string(1024 * 1024 + 1, 'v')); },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kPut, "a value far too long",
       [](Bench* b) { return b->Send(absl::string_view("F\0\0\0\x01\xff\xff\xff\xff", 9)); },
       R"(INVALID_REQUEST "...", unsolicited, header {}; closes)"},
      {T::kPut, "not allowed", [](Bench* b) { return ByStranger(b, b->NextPut("k")); },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
      {T::kPut, "no space",
       [](Bench*) {
         Bench full(KbenchDialect(), std::make_unique<MemoryStore>(8192));
         return full.Ask(full.NextPut("k"), std::string(10'000, 'v'));
       },
       R"(NO_SPACE "..." keyValue{})"},
      {T::kPut, "more unanswered than the limit",
       [](Bench* b) {
         b->device().limits.write_depth = 1;
         const std::string first = Bench::Signed(b->NextPut("k"));
         return b->Send(first + Bench::Signed(b->NextPut("l")));
       },
       R"(SUCCESS keyValue{}; SERVICE_BUSY "...")"},
      {T::kPut, "of a batch that is not open",
       [](Bench* b) {
         Command put = b->NextPut("k");
         put.header.batch_id = 7;
         return b->Ask(put, "v");
       },
       R"(INVALID_BATCH "...", unsolicited, header {}; closes)"},
      {T::kDelete, "all is well",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(b->Next(T::kDelete, {.key = "k", .synchronization = kBack}));
       },
       R"(SUCCESS keyValue{})"},
      {T::kDelete, "nothing there",
       [](Bench* b) { return b->Ask(b->Next(T::kDelete, {.key = "k", .synchronization = kBack})); },
       R"(NOT_FOUND "" keyValue{})"},
      {T::kDelete, "another version",
       [](Bench* b) {
         b->Have("k", "", "1");
         return b->Ask(b->Next(T::kDelete, {.key = "k", .synchronization = kBack}));
       },
       R"(VERSION_MISMATCH "..." keyValue{})"},
      {T::kDelete, "no synchronization",
       [](Bench* b) { return b->Ask(b->Next(T::kDelete, {.key = "k"})); },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kDelete, "not allowed",
       [](Bench* b) { return ByStranger(b, client::DeleteRequest("k")); },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
  };
}

// GET and GETVERSION.
RowList GetRows() {
  return {
      {T::kGet, "all is well",
       [](Bench* b) {
         b->Ask(b->NextPut("k", "1"), "value");
         return b->Ask(b->Next(T::kGet, {.key = "k"}));
       },
       R"(SUCCESS keyValue{algorithm=4 dbVersion="1" key="k" tag="t"} value "value")"},
      {T::kGet, "put without tag and version",
       [](Bench* b) {
         b->Have("k", "value");
         return b->Ask(b->Next(T::kGet, {.key = "k"}));
       },
       R"(SUCCESS keyValue{dbVersion="" key="k"} value "value")"},
      {T::kGet, "an empty value",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(b->Next(T::kGet, {.key = "k"}));
       },
       R"(SUCCESS keyValue{dbVersion="" key="k"})"},
      {T::kGet, "metadata only",
       [](Bench* b) {
         b->Have("k", "value", "1");
         return b->Ask(b->Next(T::kGet, {.key = "k", .metadata_only = true}));
       },
       R"(SUCCESS keyValue{dbVersion="1" key="k"})"},
      {T::kGet, "nothing there", [](Bench* b) { return b->Ask(b->Next(T::kGet, {.key = "k"})); },
       R"(NOT_FOUND "" keyValue{})"},
      {T::kGet, "a key too long",
       [](Bench* b) {
         const std::string key(5000, 'k');
         return b->Ask(b->Next(T::kGet, {.key = key}));
       },
       R"(INVALID_REQUEST "..." keyValue{})"},
      {T::kGet, "not allowed", [](Bench* b) { return ByStranger(b, client::GetRequest("k")); },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
      {T::kGet, "with a batchID",
       [](Bench* b) {
         Command get = b->Next(T::kGet);
         get.header.batch_id = 7;
         return b->Ask(get);
       },
       R"(INVALID_BATCH "...")"},
      {T::kGetVersion, "all is well",
       [](Bench* b) {
         b->Have("k", "value", "1");
         return b->Ask(b->Next(T::kGetVersion, {.key = "k"}));
       },
       R"(SUCCESS keyValue{dbVersion="1"})"},
      {T::kGetVersion, "put without a version",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(b->Next(T::kGetVersion, {.key = "k"}));
       },
       R"(SUCCESS keyValue{dbVersion=""})"},
      {T::kGetVersion, "nothing there",
       [](Bench* b) { return b->Ask(b->Next(T::kGetVersion, {.key = "k"})); },
       R"(NOT_FOUND "" keyValue{})"},
      {T::kGetVersion, "not allowed",
       [](Bench* b) { return ByStranger(b, client::GetVersionRequest("k")); },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
  };
}

// Neighbours and ranges.
RowList RangeRows() {
  return {
      {T::kGetNext, "all is well",
       [](Bench* b) {
         b->Have("k", "value", "1");
         return b->Ask(b->Next(T::kGetNext, {.key = "a"}));
       },
       R"(SUCCESS keyValue{dbVersion="1" key="k"} value "value")"},
      {T::kGetNext, "nothing there",
       [](Bench* b) { return b->Ask(b->Next(T::kGetNext, {.key = "a"})); },
       R"(NOT_FOUND "" keyValue{})"},
      {T::kGetNext, "not allowed",
       [](Bench* b) {
         b->Have("k");
         return ByStranger(b, client::GetNextRequest("a"));
       },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
      {T::kGetPrevious, "all is well",
       [](Bench* b) {
         b->Have("k", "value", "1");
         return b->Ask(b->Next(T::kGetPrevious, {.key = "z"}));
       },
       R"(SUCCESS keyValue{dbVersion="1" key="k"} value "value")"},
      {T::kGetPrevious, "nothing there",
       [](Bench* b) { return b->Ask(b->Next(T::kGetPrevious, {.key = "z"})); },
       R"(NOT_FOUND "" keyValue{})"},
      {T::kGetPrevious, "not allowed",
       [](Bench* b) {
         b->Have("k");
         return ByStranger(b, client::GetPreviousRequest("z"));
       },
       R"(NOT_AUTHORIZED "..." keyValue{})"},
      {T::kGetKeyRange, "all is well",
       [](Bench* b) {
         b->Have("k");
         b->Have("l");
         return b->Ask(Ranged(b, T::kGetKeyRange, {.start_key = "a", .end_key = "z"}));
       },
       R"(SUCCESS range{keys[0]="k" keys[1]="l"})"},
      {T::kGetKeyRange, "backwards",
       [](Bench* b) {
         b->Have("k");
         b->Have("l");
         return b->Ask(
             Ranged(b, T::kGetKeyRange, {.start_key = "a", .end_key = "z", .reverse = true}));
       },
       R"(SUCCESS range{keys[0]="l" keys[1]="k"})"},
      {T::kGetKeyRange, "no key",
       [](Bench* b) {
         return b->Ask(Ranged(b, T::kGetKeyRange, {.start_key = "a", .end_key = "z"}));
       },
       R"(SUCCESS)"},
      {T::kGetKeyRange, "inverted",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, T::kGetKeyRange, {.start_key = "z", .end_key = "a"}));
       },
       R"(SUCCESS)"},
      {T::kGetKeyRange, "maxReturned 0",
       [](Bench* b) {
         return b->Ask(Ranged(b, T::kGetKeyRange, {.end_key = "z", .max_returned = 0}));
       },
       R"(INVALID_REQUEST "...")"},
      {T::kGetKeyRange, "maxReturned above the limit",
       [](Bench* b) {
         return b->Ask(Ranged(b, T::kGetKeyRange, {.end_key = "z", .max_returned = 201}));
       },
       R"(INVALID_REQUEST "...")"},
      {T::kGetKeyRange, "not allowed",
       [](Bench* b) { return ByStranger(b, Ranged(b, T::kGetKeyRange, {.end_key = "z"})); },
       R"(NOT_AUTHORIZED "...")"},
      {T::kFlushAllData, "all is well", [](Bench* b) { return b->Ask(b->Next(T::kFlushAllData)); },
       R"(SUCCESS)"},
  };
}

RowList Rows() {
  RowList all;
  for (RowList (*rows)() : {&HeaderRows, &ChangeRows, &GetRows, &RangeRows, &LogRows, &BatchRows,
                            &AdminRows, &MediaRows}) {
    for (AnswerRow& row : rows()) all.push_back(std::move(row));
  }
  return all;
}

void ExpectAll(Bench* bench) {
  std::set<MessageType> types;
  for (const AnswerRow& row : Rows()) {
    SCOPED_TRACE(absl::StrCat(Name(row.type), ", ", row.when));
    bench->Reset();
    bench->device().service = ServiceTime();
    EXPECT_EQ(row.ask(bench), row.answer);
    types.insert(row.type);
  }
  for (int32_t type = 2; type < 64; type += 2) {
    if (!bench->dialect().Knows(MessageType{type})) continue;
    EXPECT_TRUE(types.contains(MessageType{type})) << Name(MessageType{type}) << " is not asked";
  }
}

TEST(WholeAnswers, FromMemoryAreThoseOfTheDefaultDialect) {
  Bench bench(KbenchDialect(), std::make_unique<MemoryStore>());
  ExpectAll(&bench);
}

TEST(WholeAnswers, FromRocksdbAreThoseOfTheDefaultDialect) {
  const e2e::TempDir dir;
  absl::StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(dir.path() + "/db");
  ASSERT_TRUE(store.ok()) << store.status();
  Bench bench(KbenchDialect(), *std::move(store));
  ExpectAll(&bench);
}

}  // namespace
}  // namespace kbench::server
