// Logs, batches, administration, media and pushes: their rows of whole_answer_test.cc.
#include "tests/server/whole_answer.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/requests.h"
#include "tests/server/loopback_client.h"
#include "tests/server/wire_answer.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::GetLog;
using kinetic::MessageType;
using kinetic::Permission;
using kinetic::PinOp;
using Bench = DialectBench;

namespace {

using T = MessageType;
using RowList = std::vector<AnswerRow>;
constexpr auto kBack = kinetic::Synchronization::kWriteBack;

Command Log(Bench* b, std::vector<GetLog::Type> types, const char* device = nullptr) {
  Command command = b->Next(MessageType::kGetLog);
  command.get_log.emplace().types = std::move(types);
  if (device != nullptr) command.get_log->device_name = device;
  return command;
}

// The status, and the names of what a log tells: its numbers are the host's.
std::string LogFields(Bench* b, GetLog::Type type) {
  const std::vector<Answer> answers = b->plain().Send(Bench::Signed(Log(b, {type})));
  EXPECT_EQ(answers.size(), 1u);
  std::set<std::string> names;
  WireFields fields = FieldsOf(AsBytes(answers[0].message), {}, "asdfasdf");
  for (auto it = fields.begin(); it != fields.end();) {
    constexpr absl::string_view kLog = "command.body.getLog.";
    if (!absl::StartsWith(it->first, kLog)) {
      ++it;
      continue;
    }
    std::string name = it->first.substr(kLog.size());
    for (size_t at; (at = name.find('[')) != std::string::npos;) {
      name.erase(at, name.find(']') - at + 1);
    }
    // Which numbers there are for a name, and which addresses, depends on the host.
    const bool of_host = absl::StartsWith(name, "configuration.interface.") ||
                         name == "utilizations.value" || name == "temperatures.current";
    if (!of_host) names.insert(name);
    it = fields.erase(it);
  }
  return absl::StrCat(Summary(fields), " getLog: ", absl::StrJoin(names, " "));
}

std::string Batched(Bench* b, const std::vector<Command>& changes, std::optional<uint32_t> count) {
  b->Ask(b->NextOfBatch(MessageType::kStartBatch, 7));
  for (Command change : changes) {
    change.header.batch_id = 7;
    EXPECT_EQ(b->Ask(As(b, change), "v"), "no answer");
  }
  return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, count));
}

Command Acl(std::vector<int32_t> permissions, int32_t algorithm = 1) {
  kinetic::Security::Acl acl = {.identity = 3, .key = "three", .hmac_algorithm = algorithm};
  acl.scopes.emplace_back().permissions = std::move(permissions);
  return client::SetAclsRequest({acl});
}

std::string Push(Bench* b, uint16_t port, const char* key) {
  kinetic::P2pOperation push;
  push.peer = {.hostname = "127.0.0.1", .port = static_cast<int32_t>(port)};
  push.operations.push_back({.key = key});
  return b->Ask(As(b, client::PushRequest(push)));
}

}  // namespace

Command As(Bench* b, Command command) {
  const std::optional<uint32_t> batch = command.header.batch_id;
  command.header = b->Next(*command.header.message_type).header;
  command.header.batch_id = batch;
  return command;
}

std::string ByStranger(Bench* b, const Command& command) {
  b->SetSecond({{.permissions = {Permission::kGetLog}}});
  b->plain().SignAs(2, "secret2");
  return b->Send(RequestBytes(As(b, command), 2, "secret2"));
}

Command Ranged(Bench* b, MessageType type, const kinetic::Range& range) {
  Command command = b->Next(type);
  command.range = range;
  return command;
}

// Logs.
RowList LogRows() {
  return {
      {T::kGetLog, "utilizations",
       [](Bench* b) { return LogFields(b, GetLog::Type::kUtilizations); },
       R"(SUCCESS getLog: types utilizations.name)"},
      {T::kGetLog, "temperatures",
       [](Bench* b) { return LogFields(b, GetLog::Type::kTemperatures); },
       R"(SUCCESS getLog: temperatures.name types)"},
      {T::kGetLog, "capacities", [](Bench* b) { return LogFields(b, GetLog::Type::kCapacities); },
       R"(SUCCESS getLog: capacity.nominalCapacityInBytes capacity.portionFull types)"},
      {T::kGetLog, "configuration",
       [](Bench* b) { return LogFields(b, GetLog::Type::kConfiguration); },
       R"(SUCCESS getLog: configuration.compilationDate configuration.currentPowerLevel )"
       R"(configuration.model configuration.port configuration.protocolCompilationDate )"
       R"(configuration.protocolSourceHash configuration.protocolVersion )"
       R"(configuration.serialNumber configuration.sourceHash configuration.tlsPort )"
       R"(configuration.vendor configuration.version configuration.worldWideName types)"},
      {T::kGetLog, "statistics", [](Bench* b) { return LogFields(b, GetLog::Type::kStatistics); },
       R"(SUCCESS getLog: statistics.bytes statistics.count statistics.messageType types)"},
      {T::kGetLog, "messages", [](Bench* b) { return LogFields(b, GetLog::Type::kMessages); },
       R"(SUCCESS getLog: messages types)"},
      {T::kGetLog, "limits", [](Bench* b) { return LogFields(b, GetLog::Type::kLimits); },
       R"(SUCCESS getLog: limits.maxBatchCountPerDevice limits.maxBatchSize )"
       R"(limits.maxConnections limits.maxDeletesPerBatch limits.maxIdentityCount )"
       R"(limits.maxKeyRangeCount limits.maxKeySize limits.maxMessageSize )"
       R"(limits.maxOperationCountPerBatch limits.maxOutstandingReadRequests )"
       R"(limits.maxOutstandingWriteRequests limits.maxPinSize limits.maxTagSize )"
       R"(limits.maxValueSize limits.maxVersionSize types)"},
      {T::kGetLog, "an unknown device log",
       [](Bench* b) { return b->Ask(Log(b, {GetLog::Type::kDevice}, "nope")); },
       R"(NOT_FOUND "..." getLog{types[0]=7})"},
      {T::kGetLog, "no type", [](Bench* b) { return b->Ask(Log(b, {})); },
       R"(INVALID_REQUEST "...")"},
      {T::kGetLog, "an unknown type", [](Bench* b) { return b->Ask(Log(b, {GetLog::Type{55}})); },
       R"(INVALID_REQUEST "..." getLog{types[0]=55})"},
      {T::kGetLog, "a type twice",
       [](Bench* b) {
         return b->Ask(Log(b, {GetLog::Type::kLimits, GetLog::Type::kLimits}));
       },
       R"(INVALID_REQUEST "...")"},
      {T::kGetLog, "not allowed",
       [](Bench* b) {
         b->SetSecond({{.permissions = {Permission::kRead}}});
         b->plain().SignAs(2, "secret2");
         return b->Send(RequestBytes(Log(b, {GetLog::Type::kLimits}), 2, "secret2"));
       },
       R"(NOT_AUTHORIZED "...")"},
  };
}

// Batches.
RowList BatchRows() {
  return {
      {T::kStartBatch, "all is well",
       [](Bench* b) { return b->Ask(b->NextOfBatch(T::kStartBatch, 7)); }, R"(SUCCESS)"},
      {T::kStartBatch, "open already",
       [](Bench* b) {
         b->Ask(b->NextOfBatch(T::kStartBatch, 7));
         return b->Ask(b->NextOfBatch(T::kStartBatch, 7));
       },
       R"(INVALID_BATCH "...")"},
      {T::kStartBatch, "no batchID", [](Bench* b) { return b->Ask(b->Next(T::kStartBatch)); },
       R"(INVALID_REQUEST "...")"},
      {T::kStartBatch, "one too many",
       [](Bench* b) {
         b->device().limits.batches = 1;
         b->Ask(b->NextOfBatch(T::kStartBatch, 7));
         return b->Ask(b->NextOfBatch(T::kStartBatch, 8));
       },
       R"(INVALID_REQUEST "...")"},
      {T::kEndBatch, "all is well",
       [](Bench* b) {
         return Batched(b, {client::PutRequest("k"), client::DeleteRequest("l")}, 2);
       },
       R"(SUCCESS batch{sequence[0]=2 sequence[1]=3})"},
      {T::kEndBatch, "without a change", [](Bench* b) { return Batched(b, {}, 0); },
       R"(SUCCESS batch{})"},
      {T::kEndBatch, "another version",
       [](Bench* b) {
         return Batched(
             b,
             {client::PutRequest("k"), client::PutRequest("l", {.expected = "v0", .next = "v1"})},
             2);
       },
       R"(INVALID_BATCH "..." batch{failedSequence=3 sequence[0]=2 sequence[1]=3})"},
      {T::kEndBatch, "another count",
       [](Bench* b) { return Batched(b, {client::PutRequest("k")}, 2); },
       R"(INVALID_BATCH "..." batch{sequence[0]=2})"},
      {T::kEndBatch, "a change too many",
       [](Bench* b) {
         b->device().limits.batch_operations = 1;
         return Batched(b, {client::PutRequest("k"), client::PutRequest("l")}, 2);
       },
       R"(INVALID_BATCH "..." batch{failedSequence=3 sequence[0]=2 sequence[1]=3})"},
      {T::kEndBatch, "not open",
       [](Bench* b) { return b->Ask(b->NextOfBatch(T::kEndBatch, 7, 0)); },
       R"(INVALID_BATCH "...")"},
      {T::kAbortBatch, "all is well",
       [](Bench* b) {
         b->Ask(b->NextOfBatch(T::kStartBatch, 7));
         return b->Ask(b->NextOfBatch(T::kAbortBatch, 7));
       },
       R"(SUCCESS)"},
      {T::kAbortBatch, "not open",
       [](Bench* b) { return b->Ask(b->NextOfBatch(T::kAbortBatch, 7)); },
       R"(INVALID_BATCH "...")"},
  };
}

// Administration.
RowList AdminRows() {
  return {
      {T::kSetup, "the cluster version",
       [](Bench* b) { return b->Ask(As(b, client::SetClusterVersionRequest(7))); }, R"(SUCCESS)"},
      {T::kSetup, "firmware",
       [](Bench* b) { return b->Ask(As(b, client::FirmwareRequest()), "image"); },
       R"(SUCCESS "...")"},
      {T::kSetup, "nothing named", [](Bench* b) { return b->Ask(b->Next(T::kSetup)); },
       R"(INVALID_REQUEST "...")"},
      {T::kSetup, "not allowed",
       [](Bench* b) { return ByStranger(b, client::SetClusterVersionRequest(7)); },
       R"(NOT_AUTHORIZED "...")"},
      {T::kSecurity, "an ACL", [](Bench* b) { return b->AskSecurely(Acl({0})); }, R"(SUCCESS)"},
      {T::kSecurity, "a lock PIN",
       [](Bench* b) { return b->AskSecurely(client::SetLockPinRequest("", "1")); }, R"(SUCCESS)"},
      {T::kSecurity, "a wrong old PIN",
       [](Bench* b) {
         b->AskSecurely(client::SetErasePinRequest("", "1"));
         return b->AskSecurely(client::SetErasePinRequest("2", "3"));
       },
       R"(NOT_AUTHORIZED "...")"},
      {T::kSecurity, "without TLS", [](Bench* b) { return b->Ask(As(b, Acl({0}))); },
       R"(INVALID_REQUEST "...")"},
      {T::kSecurity, "another algorithm", [](Bench* b) { return b->AskSecurely(Acl({0}, 2)); },
       R"(NO_SUCH_HMAC_ALGORITHM "...")"},
      {T::kSecurity, "an unknown permission", [](Bench* b) { return b->AskSecurely(Acl({77})); },
       R"(INVALID_REQUEST "...")"},
      {T::kSecurity, "not allowed", [](Bench* b) { return ByStranger(b, Acl({0})); },
       R"(NOT_AUTHORIZED "...")"},
      {T::kPinOp, "lock",
       [](Bench* b) { return b->AskByPin(client::PinRequest(PinOp::kLock), "1", true); },
       R"(SUCCESS, unsigned, by PIN)"},
      {T::kPinOp, "erase",
       [](Bench* b) { return b->AskByPin(client::PinRequest(PinOp::kErase), "", true); },
       R"(SUCCESS, unsigned, by PIN)"},
      {T::kPinOp, "a wrong PIN",
       [](Bench* b) {
         b->AskSecurely(client::SetLockPinRequest("", "1"));
         return b->AskByPin(client::PinRequest(PinOp::kLock), "2", true);
       },
       R"(NOT_AUTHORIZED "...", unsigned, by PIN)"},
      {T::kPinOp, "without TLS",
       [](Bench* b) { return b->AskByPin(client::PinRequest(PinOp::kLock), "1", false); },
       R"(INVALID_REQUEST "...", unsigned, by PIN)"},
      {T::kPinOp, "by an HMAC",
       [](Bench* b) { return b->Ask(As(b, client::PinRequest(PinOp::kLock))); },
       R"(INVALID_REQUEST "...")"},
      {T::kPinOp, "another request by PIN",
       [](Bench* b) { return b->AskByPin(client::NoopRequest(), "1", true); },
       R"(INVALID_REQUEST "...", unsigned, by PIN)"},
      {T::kSetPowerLevel, "all is well",
       [](Bench* b) {
         return b->Ask(As(b, client::PowerRequest(kinetic::PowerLevel::kHibernate)));
       },
       R"(SUCCESS)"},
      {T::kSetPowerLevel, "fail",
       [](Bench* b) { return b->Ask(As(b, client::PowerRequest(kinetic::PowerLevel::kFail))); },
       R"(NOT_ATTEMPTED "...")"},
      {T::kSetPowerLevel, "an unknown level",
       [](Bench* b) { return b->Ask(b->Next(T::kSetPowerLevel)); }, R"(INVALID_REQUEST "...")"},
      {T::kSetPowerLevel, "not allowed",
       [](Bench* b) {
         return ByStranger(b, client::PowerRequest(kinetic::PowerLevel::kHibernate));
       },
       R"(NOT_AUTHORIZED "...")"},
  };
}

// Media and pushes.
RowList MediaRows() {
  return {
      {T::kMediaScan, "all is well",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, T::kMediaScan, {.start_key = "a", .end_key = "z"}));
       },
       R"(SUCCESS range{endKey="k"})"},
      {T::kMediaScan, "a tag that is not the value's",
       [](Bench* b) {
         b->Ask(b->Next(T::kPut, {.key = "k",
                                  .tag = "20 bytes of no SHA-1",
                                  .algorithm = 1,
                                  .synchronization = kBack}),
                "value");
         return b->Ask(Ranged(b, T::kMediaScan, {.start_key = "a", .end_key = "z"}));
       },
       R"(SUCCESS range{endKey="k" keys[0]="k"})"},
      {T::kMediaScan, "backwards",
       [](Bench* b) { return b->Ask(Ranged(b, T::kMediaScan, {.end_key = "z", .reverse = true})); },
       R"(INVALID_REQUEST "...")"},
      {T::kMediaScan, "not allowed",
       [](Bench* b) { return ByStranger(b, Ranged(b, T::kMediaScan, {.end_key = "z"})); },
       R"(NOT_AUTHORIZED "...")"},
      {T::kMediaOptimize, "all is well",
       [](Bench* b) {
         return b->Ask(Ranged(b, T::kMediaOptimize, {.start_key = "a", .end_key = "z"}));
       },
       R"(SUCCESS range{endKey="z"})"},
      {T::kMediaOptimize, "not allowed",
       [](Bench* b) { return ByStranger(b, Ranged(b, T::kMediaOptimize, {.end_key = "z"})); },
       R"(NOT_AUTHORIZED "...")"},
      {T::kPeerToPeerPush, "all is well",
       [](Bench* b) {
         RunningServer peer;
         b->Have("k", "v");
         return Push(b, peer.address().port, "k");
       },
       R"(SUCCESS p2pOperation{allChildOperationsSucceeded=true operation[0].key="k" )"
       R"(operation[0].status.code=SUCCESS})"},
      {T::kPeerToPeerPush, "an operation failed",
       [](Bench* b) {
         RunningServer peer;
         return Push(b, peer.address().port, "k");
       },
       R"(SUCCESS p2pOperation{allChildOperationsSucceeded=false operation[0].key="k" )"
       R"(operation[0].status.code=NOT_FOUND operation[0].status.statusMessage="this )"
       R"(server has no such key"})"},
      {T::kPeerToPeerPush, "nobody there",
       [](Bench* b) {
         b->Have("k", "v");
         return Push(b, 1, "k");
       },
       R"(REMOTE_CONNECTION_ERROR "...")"},
      {T::kPeerToPeerPush, "no peer", [](Bench* b) { return b->Ask(b->Next(T::kPeerToPeerPush)); },
       R"(INVALID_REQUEST "...")"},
      {T::kPeerToPeerPush, "not allowed",
       [](Bench* b) { return ByStranger(b, b->Next(T::kPeerToPeerPush)); },
       R"(NOT_AUTHORIZED "...")"},
  };
}

}  // namespace kbench::server
