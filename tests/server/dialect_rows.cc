#include "tests/server/dialect_rows.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/requests.h"
#include "tests/server/loopback_client.h"
#include "tests/server/wire_answer.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::GetLog;
using kinetic::MessageType;
using kinetic::Permission;
using kinetic::PinOp;
using kinetic::Synchronization;
using Bench = DialectBench;

// A NOOP whose header was changed.
std::string Noop(Bench* b, const std::function<void(Command*)>& change) {
  Command noop = b->Next(MessageType::kNoop);
  change(&noop);
  return b->Ask(noop);
}

std::string StatusOf(const Answer& answer) { return Name(answer.status); }

Command Ranged(Bench* b, MessageType type, const kinetic::Range& range) {
  Command command = b->Next(type);
  command.range = range;
  return command;
}

Command Logged(Bench* b, std::vector<GetLog::Type> types) {
  Command command = b->Next(MessageType::kGetLog);
  command.get_log.emplace().types = std::move(types);
  return command;
}

void OpenBatch(Bench* b, uint32_t id) { b->Ask(b->NextOfBatch(MessageType::kStartBatch, id)); }
void Batched(Bench* b, Command change, uint32_t id) {
  change.header.batch_id = id;
  EXPECT_EQ(b->Ask(change, "v"), "no answer");
}

// The sequences acknowledged, in the order in which their answers left.
std::string Order(Bench* b, const std::string& requests) {
  std::vector<std::string> order;
  for (const Answer& answer : b->plain().Send(requests)) {
    order.push_back(absl::StrCat(answer.ack_sequence.value_or(0)));
  }
  return absl::StrJoin(order, " ");
}

Command Through(Bench* b, absl::string_view key, Synchronization synchronization) {
  Command put = b->NextPut(key);
  put.key_value->synchronization = synchronization;
  return put;
}

// One server more, in a thread of its own, and what a second client is told when one is its limit.
std::string OneTooMany(Bench* b) {
  ServerOptions options;
  options.dialect = &b->dialect();
  options.limits = b->dialect().limits;
  options.limits.connections = 1;
  RunningServer server(std::move(options));
  LoopbackClient first(server.address());
  LoopbackClient second(server.address(), /*greet=*/false);
  const std::optional<Answer> told = second.Receive();
  if (!told.has_value()) return "closes";
  const std::string said = Summary(FieldsOf(AsBytes(told->message), {}, "asdfasdf"));
  return second.Receive().has_value() ? said : said + "; closes";
}

std::string PushOfNothing(Bench* b) {
  RunningServer peer;
  const std::string host = peer.address().host;
  kinetic::P2pOperation push;
  push.peer = {.hostname = host, .port = static_cast<int32_t>(peer.address().port)};
  push.operations.push_back({.key = "missing"});
  Command command = client::PushRequest(push);
  command.header = b->Next(MessageType::kPeerToPeerPush).header;
  return absl::StrReplaceAll(b->Ask(command),
                             {{absl::StrCat("port=", peer.address().port), "port"}});
}

// The entry of PUT in the statistics after one PUT of a value of 5 bytes.
std::string StatisticsOfPut(Bench* b) {
  b->Ask(b->NextPut("k"), "12345");
  for (const Answer& answer :
       b->plain().Send(Bench::Signed(Logged(b, {GetLog::Type::kStatistics})))) {
    for (const GetLog::Statistics& of : answer.statistics) {
      if (of.message_type != MessageType::kPut) continue;
      return absl::StrCat(of.bytes == 5    ? "bytes of values"
                          : of.bytes > 100 ? "bytes of whole messages"
                                           : "?",
                          of.max_latency_ms.has_value() ? ", maxLatency" : "");
    }
  }
  return "none";
}

std::string WithSecond(Bench* b, const Command& command) {
  b->plain().SignAs(2, "secret2");
  return b->Send(RequestBytes(command, 2, "secret2"));
}

std::string Told(const std::optional<uint32_t>& limit) {
  if (!limit.has_value()) return "absent";
  if (*limit == 4294967295u) return "4294967295";
  if (*limit == Limits().connections) return "as open files allow";
  return absl::StrCat(*limit);
}

}  // namespace

const std::vector<DialectRow>& DialectRows() {
  static const std::vector<DialectRow> rows = {
      // Who asks, and how.
      {"another magic, or a length above the limits",
       [](Bench* b) { return b->Send("GET / HTTP/1.1\r\n\r\n"); }},
      {"no protobuf", [](Bench* b) { return b->Send(FrameBytes(std::string(20, '\xff'))); }},
      {"wrong HMAC of a known identity",
       [](Bench* b) { return b->Send(RequestBytes(b->Next(MessageType::kNoop), 1, "wrong")); }},
      {"unknown identity",
       [](Bench* b) { return b->Send(RequestBytes(b->Next(MessageType::kNoop), 99, "asdfasdf")); }},
      {"no authType, a good HMAC",
       [](Bench* b) {
         const std::string pdu = Bench::Signed(b->Next(MessageType::kNoop));
         EXPECT_EQ(pdu.substr(9, 2), "\x20\x01");
         return b->Send(FrameBytes(pdu.substr(11)));
       }},
      {"a command without header", [](Bench* b) { return b->Ask(Command()); }},
      {"another connectionID",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.connection_id = 1; }); }},
      {"a sequence that was used",
       [](Bench* b) {
         b->Ask(b->Next(MessageType::kNoop));
         return Noop(b, [](Command* c) { c->header.sequence = 1; });
       }},
      {"no messageType",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.message_type.reset(); }); }},
      {"an unknown messageType, 98",
       [](Bench* b) {
         return Noop(b, [](Command* c) { c->header.message_type = MessageType{98}; });
       }},
      {"a response's messageType, 29",
       [](Bench* b) {
         return Noop(b, [](Command* c) { c->header.message_type = MessageType::kNoopResponse; });
       }},
      {"another clusterVersion",
       [](Bench* b) { return Noop(b, [](Command* c) { c->header.cluster_version = 7; }); }},
      {"locked: the greeting",
       [](Bench* b) {
         b->device().device.set_locked(true);
         return StatusOf(Talk(&b->device(), 9).greeting());
       }},
      {"locked: the greeting over TLS",
       [](Bench* b) {
         b->device().device.set_locked(true);
         return StatusOf(Talk(&b->device(), 9, /*tls=*/true).greeting());
       }},
      {"locked: a request",
       [](Bench* b) {
         b->device().device.set_locked(true);
         return Noop(b, [](Command*) {});
       }},
      {"any other INVALID_REQUEST (GETLOG without a type)",
       [](Bench* b) { return b->Ask(Logged(b, {})); }},
      {"more connections than the limit", OneTooMany},
      {"GETLOG by an identity with two scopes, one of which allows it",
       [](Bench* b) {
         b->SetSecond(
             {{.permissions = {Permission::kRead}}, {.permissions = {Permission::kGetLog}}});
         const std::string said = WithSecond(b, Logged(b, {GetLog::Type::kMessages}));
         return said.substr(0, said.find(' '));
       }},
      // Objects.
      {"PUT without tag",
       [](Bench* b) {
         Command put = b->NextPut("k");
         put.key_value->tag.reset();
         return b->Ask(put, "v", /*texts=*/true);
       }},
      {"PUT", [](Bench* b) { return b->Ask(b->NextPut("k"), "v"); }},
      {"PUT without synchronization",
       [](Bench* b) {
         Command put = b->NextPut("k");
         put.key_value->synchronization.reset();
         return b->Ask(put, "v");
       }},
      {"PUT of the empty key", [](Bench* b) { return b->Ask(b->NextPut(""), "v"); }},
      {"PUT with another dbVersion",
       [](Bench* b) {
         Command put = b->NextPut("k");
         put.key_value->db_version = "v0";
         return b->Ask(put, "v");
       }},
      {"PUT of a key above the limit",
       [](Bench* b) {
         const std::string key(5000, 'k');
         return b->Ask(b->NextPut(key), "v");
       }},
      {"PUT of a value above the limit, below 8 MiB",
       [](Bench* b) { return b->Ask(b->NextPut("k"), std::string(1024 * 1024 + 1, 'v')); }},
      {"GET with a value",
       [](Bench* b) {
         b->Have("k", "v");
         return b->Ask(b->Next(MessageType::kGet, {.key = "k"}), "surprise");
       }},
      {"GET of an object that was put without tag and algorithm",
       [](Bench* b) {
         b->Have("k", "v", "1");
         return b->Ask(b->Next(MessageType::kGet, {.key = "k"}));
       }},
      {"GET of its metadata",
       [](Bench* b) {
         b->Have("k", "v", "1");
         return b->Ask(b->Next(MessageType::kGet, {.key = "k", .metadata_only = true}));
       }},
      {"GET of what is not there",
       [](Bench* b) { return b->Ask(b->Next(MessageType::kGet, {.key = "k"})); }},
      {"GETVERSION",
       [](Bench* b) {
         b->Have("k", "v", "1");
         return b->Ask(b->Next(MessageType::kGetVersion, {.key = "k"}));
       }},
      {"GETVERSION of what is not there",
       [](Bench* b) { return b->Ask(b->Next(MessageType::kGetVersion, {.key = "k"})); }},
      {"GETNEXT of the last",
       [](Bench* b) { return b->Ask(b->Next(MessageType::kGetNext, {.key = "k"})); }},
      {"GETNEXT where the next may not be read, the one behind it may",
       [](Bench* b) {
         b->Have("b");
         b->Have("c");
         b->SetSecond({{.value = "c", .permissions = {Permission::kRead}}});
         return WithSecond(b, b->Next(MessageType::kGetNext, {.key = "a"}));
       }},
      {"DELETE of what is not there",
       [](Bench* b) {
         return b->Ask(b->Next(MessageType::kDelete,
                               {.key = "k", .synchronization = Synchronization::kWriteBack}));
       }},
      // Ranges and media.
      {"GETKEYRANGE",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kGetKeyRange,
                              {.start_key = "a", .end_key = "z", .max_returned = 9}));
       }},
      {"GETKEYRANGE that finds nothing",
       [](Bench* b) {
         return b->Ask(Ranged(b, MessageType::kGetKeyRange,
                              {.start_key = "a", .end_key = "z", .max_returned = 9}));
       }},
      {"... maxReturned 0",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kGetKeyRange,
                              {.start_key = "a", .end_key = "z", .max_returned = 0}));
       }},
      {"... maxReturned absent",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kGetKeyRange, {.start_key = "a", .end_key = "z"}));
       }},
      {"... maxReturned above the limit",
       [](Bench* b) {
         return b->Ask(Ranged(b, MessageType::kGetKeyRange,
                              {.start_key = "a", .end_key = "z", .max_returned = 1000}));
       }},
      {"... inverted",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kGetKeyRange,
                              {.start_key = "z", .end_key = "a", .max_returned = 9}));
       }},
      {"... without endKey",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kGetKeyRange, {.start_key = "a", .max_returned = 9}));
       }},
      {"MEDIASCAN",
       [](Bench* b) {
         b->Have("k");
         return b->Ask(Ranged(b, MessageType::kMediaScan,
                              {.start_key = "a", .end_key = "z", .max_returned = 9}));
       }},
      {"MEDIAOPTIMIZE",
       [](Bench* b) {
         return b->Ask(Ranged(b, MessageType::kMediaOptimize, {.start_key = "a", .end_key = "z"}));
       }},
      {"SET_POWER_LEVEL",
       [](Bench* b) {
         Command power = b->Next(MessageType::kSetPowerLevel);
         power.power_level = 1;
         return b->Ask(power);
       }},
      // Batches.
      {"START_BATCH", [](Bench* b) { return b->Ask(b->NextOfBatch(MessageType::kStartBatch, 7)); }},
      {"START_BATCH of an open batch",
       [](Bench* b) {
         OpenBatch(b, 7);
         return b->Ask(b->NextOfBatch(MessageType::kStartBatch, 7));
       }},
      {"START_BATCH, one too many",
       [](Bench* b) {
         b->device().limits.batches = 1;
         OpenBatch(b, 7);
         return b->Ask(b->NextOfBatch(MessageType::kStartBatch, 8));
       }},
      {"a change of a batch that is not open",
       [](Bench* b) {
         Command put = b->NextPut("k");
         put.header.batch_id = 7;
         return b->Ask(put, "v");
       }},
      {"a change too many",
       [](Bench* b) {
         b->device().limits.batch_operations = 1;
         OpenBatch(b, 7);
         Batched(b, b->NextPut("k"), 7);
         Command put = b->NextPut("l");
         put.header.batch_id = 7;
         const std::string said = b->Ask(put, "v");
         if (said != "no answer") return said;
         return "by END_BATCH: " + b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 2));
       }},
      {"a PUT without tag in a batch",
       [](Bench* b) {
         OpenBatch(b, 7);
         Command put = b->NextPut("k");
         put.key_value->tag.reset();
         put.header.batch_id = 7;
         const std::string said = b->Ask(put, "v", /*texts=*/true);
         if (said != "no answer") return said;
         return "by END_BATCH: " + b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 1));
       }},
      {"GET with the batchID of an open batch",
       [](Bench* b) {
         OpenBatch(b, 7);
         Command get = b->Next(MessageType::kGet, {.key = "k"});
         get.header.batch_id = 7;
         return b->Ask(get);
       }},
      {"GET with the batchID of no batch",
       [](Bench* b) {
         Command get = b->Next(MessageType::kGet, {.key = "k"});
         get.header.batch_id = 7;
         return b->Ask(get);
       }},
      {"END_BATCH",
       [](Bench* b) {
         OpenBatch(b, 7);
         Batched(b, b->NextPut("k"), 7);
         return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 1));
       }},
      {"END_BATCH without a count",
       [](Bench* b) {
         OpenBatch(b, 7);
         Batched(b, b->NextPut("k"), 7);
         return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7));
       }},
      {"END_BATCH with another count",
       [](Bench* b) {
         OpenBatch(b, 7);
         Batched(b, b->NextPut("k"), 7);
         return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 9));
       }},
      {"END_BATCH without a change",
       [](Bench* b) {
         OpenBatch(b, 7);
         return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 0));
       }},
      {"END_BATCH when a version differs",
       [](Bench* b) {
         OpenBatch(b, 7);
         Batched(b, b->NextPut("k"), 7);
         Command put = b->NextPut("l");
         put.key_value->db_version = "v0";
         Batched(b, put, 7);
         return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 2)) +
                (b->Has("k") ? ", and the other is done" : "");
       }},
      {"END_BATCH of no batch",
       [](Bench* b) { return b->Ask(b->NextOfBatch(MessageType::kEndBatch, 7, 0)); }},
      {"ABORT_BATCH of no batch",
       [](Bench* b) { return b->Ask(b->NextOfBatch(MessageType::kAbortBatch, 7)); }},
      // Administration, pushes and logs.
      {"SECURITY without TLS",
       [](Bench* b) {
         Command security = client::SetLockPinRequest("", "1");
         security.header = b->Next(MessageType::kSecurity).header;
         return b->Ask(security);
       }},
      {"PINOP without TLS",
       [](Bench* b) { return b->AskByPin(client::PinRequest(PinOp::kLock), "1", /*tls=*/false); }},
      {"PINOP UNLOCK of an open device",
       [](Bench* b) { return b->AskByPin(client::PinRequest(PinOp::kUnlock), "1", /*tls=*/true); }},
      {"identity 1 after SECURITY that sets identity 3 alone",
       [](Bench* b) {
         kinetic::Security::Acl acl = {.identity = 3, .key = "three", .hmac_algorithm = 1};
         acl.scopes.emplace_back().permissions = {0};
         acl.max_priority = 9;
         EXPECT_EQ(b->AskSecurely(client::SetAclsRequest({acl})).substr(0, 7), "SUCCESS");
         return Noop(b, [](Command*) {});
       }},
      {"PEER2PEERPUSH of a key that is not there", PushOfNothing},
      {"GETLOG of an unknown device log",
       [](Bench* b) {
         Command log = Logged(b, {GetLog::Type::kDevice});
         log.get_log->device_name = "nope";
         const std::string said = b->Ask(log);
         return absl::StrContains(said, "detailedMessage")
                    ? absl::StrCat(said.substr(0, said.find(',')), ", detailedMessage")
                    : said;
       }},
      {"statistics of PUT", StatisticsOfPut},
      {"configuration: protocolVersion",
       [](Bench* b) {
         const WireFields greeting = FieldsOf(AsBytes(b->plain().greeting().message), {}, "");
         return absl::StrCat(
             greeting.at("command.body.getLog.configuration.protocolVersion"),
             greeting.contains("command.body.getLog.configuration.currentPowerLevel")
                 ? ", currentPowerLevel"
                 : "");
       }},
      // Order.
      {"order of answers: 1 PUT WRITETHROUGH, 2 GET, 3 PUT WRITETHROUGH, 4 PUT WRITEBACK",
       [](Bench* b) {
         std::string requests = Bench::Signed(Through(b, "k", Synchronization::kWriteThrough), "v");
         requests += Bench::Signed(b->Next(MessageType::kGet, {.key = "k"}));
         requests += Bench::Signed(Through(b, "l", Synchronization::kWriteThrough), "v");
         requests += Bench::Signed(Through(b, "m", Synchronization::kWriteBack), "v");
         return Order(b, requests);
       }},
      {"... 1 PUT WRITETHROUGH, 2 GET, 3 FLUSHALLDATA, 4 GET",
       [](Bench* b) {
         std::string requests = Bench::Signed(Through(b, "k", Synchronization::kWriteThrough), "v");
         requests += Bench::Signed(b->Next(MessageType::kGet, {.key = "k"}));
         requests += Bench::Signed(b->Next(MessageType::kFlushAllData));
         requests += Bench::Signed(b->Next(MessageType::kGet, {.key = "k"}));
         return Order(b, requests);
       }},
  };
  return rows;
}

const std::vector<DialectRow>& LimitRows() {
  using L = GetLog::Limits;
  static const std::vector<DialectRow>* const rows = [] {
    const std::pair<const char*, std::optional<uint32_t> L::*> fields[] = {
        {"maxKeySize", &L::max_key_size},
        {"maxValueSize", &L::max_value_size},
        {"maxVersionSize", &L::max_version_size},
        {"maxTagSize", &L::max_tag_size},
        {"maxConnections", &L::max_connections},
        {"maxOutstandingReadRequests", &L::max_outstanding_read_requests},
        {"maxOutstandingWriteRequests", &L::max_outstanding_write_requests},
        {"maxMessageSize", &L::max_message_size},
        {"maxKeyRangeCount", &L::max_key_range_count},
        {"maxIdentityCount", &L::max_identity_count},
        {"maxPinSize", &L::max_pin_size},
        {"maxOperationCountPerBatch", &L::max_operation_count_per_batch},
        {"maxBatchCountPerDevice", &L::max_batch_count_per_device},
        {"maxBatchSize", &L::max_batch_size},
        {"maxDeletesPerBatch", &L::max_deletes_per_batch},
    };
    auto* made = new std::vector<DialectRow>;
    for (const auto& [name, field] : fields) {
      made->push_back({name, [field = field](Bench* b) {
                         return Told((*b->plain().greeting().limits).*field);
                       }});
    }
    return made;
  }();
  return *rows;
}

}  // namespace kbench::server
