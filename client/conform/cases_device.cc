// Cases: what a device says of itself, and administration that changes nothing.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/conform/case_book.h"
#include "client/requests.h"

namespace kbench::conform {

using kinetic::GetLog;
using kinetic::MessageType;
using kinetic::PinOp;
using kinetic::Text;

namespace {

Step Log(CaseBook* book, const std::vector<GetLog::Type>& types, Expected expected) {
  return book->Ask(client::GetLogRequest(types), std::move(expected));
}

void AddLogs(CaseBook* book) {
  using Type = GetLog::Type;
  const std::string missing_limits = " no-maxPinSize no-maxBatchSize no-maxDeletesPerBatch";
  const struct {
    const char* name;
    Type type;
    Expected expected;
  } logs[] = {
      {"utilizations",
       Type::kUtilizations,
       {.usual = "SUCCESS getLog types=UTILIZATIONS utilizations"}},
      {"temperatures",
       Type::kTemperatures,
       {.usual = "SUCCESS getLog types=TEMPERATURES temperatures"}},
      {"capacities", Type::kCapacities, {.usual = "SUCCESS getLog types=CAPACITIES capacity"}},
      {"configuration",
       Type::kConfiguration,
       {.usual = "SUCCESS getLog types=CONFIGURATION configuration",
        .simulator = "SUCCESS getLog types=CONFIGURATION configuration no-currentPowerLevel"}},
      {"statistics", Type::kStatistics, {.usual = "SUCCESS getLog types=STATISTICS statistics"}},
      {"messages", Type::kMessages, {.usual = "SUCCESS getLog types=MESSAGES messages"}},
      {"limits",
       Type::kLimits,
       {.usual = "SUCCESS getLog types=LIMITS limits",
        .simulator = "SUCCESS getLog types=LIMITS limits" + missing_limits,
        .kineticd = "SUCCESS getLog types=LIMITS limits ?no-maxOperationCountPerBatch "
                    "?no-maxBatchCountPerDevice"}}};
  for (const auto& log : logs) {
    book->Add(absl::StrCat("getlog.", log.name),
              "a log echoes its type and has that part; limits are those of the greeting")
        ->steps = {Log(book, {log.type}, log.expected)};
  }
  book->Add("getlog.several", "several types are one answer")->steps = {
      Log(book, {Type::kCapacities, Type::kMessages},
          {.usual = "SUCCESS getLog types=CAPACITIES,MESSAGES capacity messages"})};
  book->Add("getlog.device-unknown", "a device log that nobody knows is NOT_FOUND")->steps = {
      book->Ask(client::DeviceLogRequest("org.kbench.conform/no-such-log"),
                {.usual = "NOT_FOUND getLog types=DEVICE",
                 .kineticd = "NOT_FOUND getLog types=DEVICE ?detailedMessage"})};
  book->Add("getlog.no-type", "a GETLOG names a type")->steps = {
      Log(book, {},
          {.usual = "INVALID_REQUEST",
           .simulator = "SUCCESS getLog or INVALID_REQUEST ?getLog ?types=*",
           .kineticd = "..."})};
  book->Add("getlog.unknown-type", "a type that nobody defined is refused")->steps = {
      Log(book, {static_cast<Type>(99)},
          {.usual = "INVALID_REQUEST ?getLog ?types=UNKNOWN(99)",
           .simulator = "SUCCESS getLog or INVALID_REQUEST ?getLog ?types=*",
           .kineticd = "..."})};
}

kinetic::P2pOperation Push(const CaseBook& book, Text key, Text new_key, uint16_t port) {
  kinetic::P2pOperation push;
  push.peer = {.hostname = book.target().address.host, .port = port, .tls = book.tls()};
  kinetic::P2pOperation::Operation& one = push.operations.emplace_back();
  one.key = key;
  one.new_key = new_key;
  one.force = true;
  return push;
}

void AddPushes(CaseBook* book) {
  const Text from = book->Key("push-from"), to = book->Key("push-to"), absent = book->Key("absent");
  const uint16_t port = book->target().address.port;
  Expected pushed = {.usual = "SUCCESS " + book->Object(to, "one")};
  pushed.simulator = absl::StrReplaceAll(pushed.usual, {{" algorithm=", " ?algorithm="}});
  book->Add("p2p.to-itself",
            "a server pushes to a peer; here to itself, at the address that it was named by")
      ->steps = {
      book->Given(from, "one"),
      book->Ask(client::PushRequest(Push(*book, from, to, port)),
                {.usual = absl::StrCat("SUCCESS p2pOperation ?peer operation=", book->Show(from),
                                       ":SUCCESS ?allChildOperationsSucceeded=true")}),
      book->OfKey(MessageType::kGet, to, pushed)};
  const std::string failed = absl::StrCat(" p2pOperation ?peer operation=", book->Show(absent),
                                          ":NOT_FOUND allChildOperationsSucceeded=false");
  book->Add("p2p.absent", "an operation that fails is told of by its own status")->steps = {
      book->Ask(client::PushRequest(Push(*book, absent, to, port)),
                {.usual = "SUCCESS" + failed,
                 .spec = "NESTED_OPERATION_ERRORS" + failed,
                 .kineticd = "NESTED_OPERATION_ERRORS" + failed})};
  book->Add("p2p.no-peer", "a peer that does not answer is a REMOTE_CONNECTION_ERROR")->steps = {
      book->Given(from, "one"), book->Ask(client::PushRequest(Push(*book, from, to, 1)),
                                          {.usual = "REMOTE_CONNECTION_ERROR ..."})};
  book->Add("p2p.nameless", "a push names its peer")->steps = {
      book->Ask(client::PushRequest({}), {.usual = "INVALID_REQUEST",
                                          .simulator = "REMOTE_CONNECTION_ERROR or INVALID_REQUEST",
                                          .kineticd = kDriveRefuses})};
}

void AddPower(CaseBook* book) {
  book->Add("power.operational", "a device that is operational may be told to be")->steps = {
      book->Ask(client::PowerRequest(kinetic::PowerLevel::kOperational),
                {.usual = "SUCCESS", .simulator = "SUCCESS no-messageType"})};
  book->Add("power.unknown", "a power level that nobody defined is refused")->steps = {book->Ask(
      client::PowerRequest(static_cast<kinetic::PowerLevel>(99)),
      {.usual = "INVALID_REQUEST", .simulator = "SUCCESS no-messageType", .kineticd = "..."})};
}

void AddPins(CaseBook* book) {
  book->Add("pin.signed", "a PIN operation is vouched for by a PIN, not by an HMAC")->steps = {
      book->Ask(client::PinRequest(PinOp::kUnlock),
                {.usual = "INVALID_REQUEST",
                 .simulator = "pin INVALID_REQUEST signed or INVALID_REQUEST",
                 .kineticd = "unsolicited INVALID_REQUEST ... closes"})};
  Case* plain = book->Add("pin.plain", "a PIN does not go over a plain connection");
  if (book->tls()) {
    plain->not_tried = "this connection is over TLS";
    return;
  }
  Step unlock = book->Ask(client::PinRequest(PinOp::kUnlock),
                          {.usual = "pin INVALID_REQUEST",
                           .spec = "unsolicited INVALID_REQUEST ?type ?ackSequence closes",
                           .kineticd = "unsolicited INVALID_REQUEST ?type ?ackSequence "
                                       "connectionID closes"});
  unlock.auth = Auth::kPin;
  unlock.pin = "no PIN of anybody";
  plain->steps = {unlock};
}

}  // namespace

void AddDeviceCases(CaseBook* book) {
  book->Add("flushalldata", "everything acknowledged is made durable")->steps = {
      book->Ask(client::FlushRequest(), {.usual = "SUCCESS"})};
  AddLogs(book);
  AddPushes(book);
  AddPower(book);
  AddPins(book);
}

}  // namespace kbench::conform
