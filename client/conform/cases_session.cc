// Cases: the connection, what every request is checked for, and bytes that are no request.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"

namespace kbench::conform {

using kinetic::MessageType;
using Sequence = HeaderChanges::Sequence;
using Value = HeaderChanges::Value;

namespace {

// From what can still be told of it when the vendor's server refuses.
constexpr char kDriveRefusesPartly[] =
    "unsolicited INVALID_REQUEST ?type* ?ackSequence* connectionID closes";
constexpr char kClosesWithAWord[] = "closes or unsolicited INVALID_REQUEST ?connectionID closes";
constexpr char kLastWord[] = "unsolicited INVALID_REQUEST closes";

void AddGreeting(CaseBook* book) {
  Case* c = book->Add("greeting.fields",
                      "the server speaks first: connectionID, cluster version, configuration and "
                      "limits, unsolicited");
  const std::string opening =
      "unsolicited SUCCESS connectionID clusterVersion getLog configuration";
  c->greeting = {
      .usual = opening + " limits",
      .simulator = opening +
                   " no-currentPowerLevel limits no-maxPinSize no-maxBatchSize "
                   "no-maxDeletesPerBatch",
      .kineticd = opening + " limits ?no-maxOperationCountPerBatch ?no-maxBatchCountPerDevice"};
}

Step With(Step step, const HeaderChanges& changes) {
  step.header = changes;
  return step;
}

void AddSequences(CaseBook* book) {
  book->Add("header.first-sequence-0", "any first sequence is good, 0 too")->steps = {
      With(book->Noop({.usual = "SUCCESS"}), {.sequence = Sequence::kSame}),
      book->Noop({.usual = "SUCCESS"})};
  book->Add("header.sequence-gap", "sequences may leave out numbers")->steps = {
      book->Noop({.usual = "SUCCESS"}),
      With(book->Noop({.usual = "SUCCESS"}), {.sequence = Sequence::kFarAhead}),
      book->Noop({.usual = "SUCCESS"})};
  const Expected not_after = {.usual = "INVALID_REQUEST",
                              .simulator = "INVALID_REQUEST no-ackSequence",
                              .kineticd = kDriveRefuses};
  book->Add("header.sequence-repeated", "a sequence that was there is refused")->steps = {
      book->Noop({.usual = "SUCCESS"}), With(book->Noop(not_after), {.sequence = Sequence::kSame})};
  book->Add("header.sequence-smaller", "a sequence below the last is refused")->steps = {
      book->Noop({.usual = "SUCCESS"}), book->Noop({.usual = "SUCCESS"}),
      With(book->Noop(not_after), {.sequence = Sequence::kSmaller})};
  book->Add("header.sequence-absent", "a sequence that is absent reads as 0")->steps = {
      book->Noop({.usual = "SUCCESS"}),
      With(book->Noop({.usual = "INVALID_REQUEST ?ackSequence=0", .kineticd = kDriveRefusesPartly}),
           {.sequence = Sequence::kAbsent})};
}

void AddIds(CaseBook* book) {
  book->Add("header.connection-id-wrong", "the connectionID is that of the greeting")->steps = {
      With(book->Noop({.usual = "INVALID_REQUEST",
                       .simulator = "SUCCESS connectionID=another",
                       .kineticd = kDriveRefuses}),
           {.connection_id = Value::kWrong})};
  book->Add("header.connection-id-absent", "a connectionID that is absent reads as 0")->steps = {
      With(book->Noop({.usual = "INVALID_REQUEST",
                       .simulator = "SUCCESS connectionID=another",
                       .kineticd = kDriveRefuses}),
           {.connection_id = Value::kAbsent})};
  book->Add("header.cluster-version-wrong",
            "a request for another cluster version is told the right one")
      ->steps = {With(book->Noop({.usual = "VERSION_FAILURE clusterVersion"}),
                      {.cluster_version = Value::kWrong})};
  book->Add("header.cluster-version-absent", "a cluster version that is absent reads as 0")->steps =
      {With(book->Noop({.usual = book->cluster_version() == 0 ? "SUCCESS"
                                                              : "VERSION_FAILURE clusterVersion"}),
            {.cluster_version = Value::kAbsent})};
}

void AddTypes(CaseBook* book) {
  Step step = book->Noop({.usual = "INVALID_REQUEST ?no-messageType",
                          .simulator = "SUCCESS no-messageType",
                          .kineticd = kDriveRefusesPartly});
  step.command.header.message_type = static_cast<MessageType>(98);
  book->Add("header.type-unknown", "a message type that nobody defined is refused")->steps = {step};
  step = book->Noop(
      {.usual = "INVALID_REQUEST", .simulator = "SUCCESS", .kineticd = kDriveRefusesPartly});
  step.command.header.message_type.reset();
  book->Add("header.type-absent", "a request without a message type is refused")->steps = {step};
  step.command.header.message_type = MessageType::kNoopResponse;
  step.expected.simulator = "SUCCESS type=PEER2PEERPUSH";
  book->Add("header.type-of-an-answer", "a response's type is no request")->steps = {step};
  step = book->OfKey(MessageType::kGet, book->Key("header"),
                     {.usual = "HEADER_REQUIRED",
                      .simulator = "HEADER_REQUIRED connectionID=another",
                      .kineticd = kDriveRefusesPartly});
  step.command.has_header = false;
  step.command.header = {};
  book->Add("header.absent", "a command without a header is asked for one")->steps = {step};
}

void AddHints(CaseBook* book) {
  for (const int priority : {1, 9}) {
    Step step = book->Noop({.usual = "SUCCESS"});
    step.command.header.priority = priority;
    book->Add(absl::StrCat("header.priority-", priority),
              "both numberings of priorities are understood")
        ->steps = {step};
  }
  Step step = book->Noop({.usual = "SUCCESS"});
  step.command.header.timeout_ms = 60'000;
  step.command.header.early_exit = true;
  step.command.header.time_quanta_ms = 1000;
  book->Add("header.hints", "timeout, earlyExit and TimeQuanta are understood")->steps = {step};
  const Expected of_ours = {
      .usual = "SUCCESS", .spec = "...", .simulator = "...", .kineticd = "..."};
  step = book->Noop(of_ours);
  step.command.header.priority = 10;
  book->Add("header.priority-unknown", "a priority that nobody defined is none")->steps = {step};
  step = book->Noop({.usual = "SUCCESS", .simulator = "...", .kineticd = "..."});
  step.command.header.timeout_ms = INT64_MAX;
  book->Add("header.timeout-longest", "the longest timeout is not over")->steps = {step};
}

Step By(Step step, Auth auth) {
  step.auth = auth;
  return step;
}

void AddAuthentication(CaseBook* book) {
  const Expected nobody = {.usual = "unsolicited HMAC_FAILURE closes",
                           .simulator = "no-command unsigned",
                           .kineticd = "unsolicited HMAC_FAILURE connectionID closes"};
  const Expected wrong = {.usual = "HMAC_FAILURE ?keyValue",
                          .kineticd = "unsolicited HMAC_FAILURE connectionID closes"};
  book->Add("auth.wrong-key", "an HMAC of another key is an HMAC_FAILURE")->steps = {
      By(book->Noop(wrong), Auth::kWrongKey)};
  const kinetic::Text forged = book->Key("forged");
  book->Add("auth.wrong-key-changes-nothing", "a PUT that nobody vouches for is not done")
      ->steps = {By(book->Put(forged, "forged", {.force = true}, wrong), Auth::kWrongKey),
                 book->OfKey(MessageType::kGet, forged, NotFound(*book, forged))};
  book->Add("auth.unknown-identity", "there is no key to sign an answer with")->steps = {
      By(book->Noop(nobody), Auth::kUnknownIdentity)};
  book->Add("auth.no-hmac", "HMACAUTH without hmacAuth names no identity")->steps = {
      By(book->Noop(nobody), Auth::kNoIdentity)};
  book->Add("auth.no-type", "a request has an authType")->steps = {By(
      book->Noop(
          {.usual = kLastWord, .simulator = "SUCCESS unsigned", .kineticd = kDriveRefusesUnread}),
      Auth::kNone)};
  book->Add("auth.unsolicited", "UNSOLICITEDSTATUS is the server's")->steps = {
      By(book->Noop({.usual = kLastWord,
                     .simulator = "INTERNAL_ERROR unsigned or no-command unsigned",
                     .kineticd = kDriveRefusesUnread}),
         Auth::kUnsolicited)};
}

Step As(Step step, Form form) {
  step.form = form;
  return step;
}

void AddFrames(CaseBook* book) {
  const Expected no_frame = {.usual = kLastWord,
                             .spec = kClosesWithAWord,
                             .simulator = "closes",
                             .kineticd = kDriveRefusesUnread};
  Expected too_long = no_frame;
  too_long.simulator = "closes or nothing";
  const struct {
    const char* name;
    const char* asks;
    Form form;
    const Expected& expected;
  } frames[] = {
      {"frame.magic", "a PDU begins with F", Form::kWrongMagic, no_frame},
      {"frame.message-too-long", "a message's length above every limit is refused at once",
       Form::kMessageTooLong, too_long},
      {"frame.negative-length", "a message's length of -1 is refused at once",
       Form::kNegativeLength, too_long},
      {"frame.value-too-long", "a value's length above every limit is refused at once",
       Form::kValueTooLong, too_long},
      {"frame.garbage-message", "a message that is no protobuf ends the connection",
       Form::kGarbageMessage, no_frame},
      {"frame.garbage-command", "a signed command that is no protobuf ends the connection",
       Form::kGarbageCommand, no_frame}};
  for (const auto& one : frames) {
    book->Add(one.name, one.asks)->steps = {As(book->Noop(one.expected), one.form)};
  }
  book->Add("frame.empty-message", "a message of no bytes has no authType")->steps = {
      As(book->Noop(
             {.usual = kLastWord,
              .spec = kClosesWithAWord,
              .simulator = "HEADER_REQUIRED unsigned connectionID=another or no-command unsigned",
              .kineticd = kDriveRefusesUnread}),
         Form::kEmptyMessage)};
  book->Add("frame.no-command", "a message without a command is asked for a header")->steps = {
      As(book->Noop({.usual = "HEADER_REQUIRED",
                     .simulator = "HEADER_REQUIRED connectionID=another",
                     .kineticd = kDriveRefusesPartly}),
         Form::kNoCommand)};
  book->Add("frame.unknown-fields", "fields that nobody defined are ignored")->steps = {
      As(book->Noop({.usual = "SUCCESS"}), Form::kUnknownFields)};
  const kinetic::Text key = book->Key("in-pieces");
  Step pieces =
      book->Put(key, "in-pieces", {.next = "1", .force = true}, {.usual = "SUCCESS keyValue"});
  pieces.piece = 1;
  Step get =
      book->OfKey(MessageType::kGet, key, {.usual = "SUCCESS " + book->Object(key, "in-pieces")});
  get.piece = 1;
  book->Add("frame.byte-by-byte", "a PDU may come one byte at a time")->steps = {pieces, get};
}

void AddPipelines(CaseBook* book) {
  const kinetic::Text key = book->Key("pipelined");
  std::vector<Step> steps = {
      book->Put(key, "one", {.next = "1", .force = true}, InAnyOrder("SUCCESS keyValue")),
      book->Noop(InAnyOrder("SUCCESS")),
      book->Put(key, "two", {.next = "2", .expected = "1"}, InAnyOrder("SUCCESS keyValue")),
      book->OfKey(MessageType::kGet, key, {.usual = "SUCCESS " + book->Object(key, "two", "2")})};
  for (size_t i = 0; i + 1 < steps.size(); ++i) steps[i].joined = true;
  book->Add("frame.pipelined", "four PDUs in one segment are answered, each by its sequence")
      ->steps = steps;
}

}  // namespace

void AddSessionCases(CaseBook* book) {
  AddGreeting(book);
  book->Add("noop", "NOOP is answered")->steps = {book->Noop({.usual = "SUCCESS"})};
  AddSequences(book);
  AddIds(book);
  AddTypes(book);
  AddHints(book);
  AddAuthentication(book);
  AddFrames(book);
  AddPipelines(book);
}

}  // namespace kbench::conform
