#include "server/request_handler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "server/media_task.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::Permission;
using kinetic::StatusCode;
using kinetic::Synchronization;

namespace {

bool IsChange(MessageType type) {
  return type == MessageType::kPut || type == MessageType::kDelete;
}

// Whose answers have a keyValue, present and empty where there is nothing to show: libkinetic
// refuses a PUT's SUCCESS without it.
bool AnswersWithKeyValue(MessageType type) {
  return IsChange(type) || type == MessageType::kGet || type == MessageType::kGetVersion ||
         type == MessageType::kGetNext || type == MessageType::kGetPrevious;
}

bool IsRead(MessageType type) { return AnswersWithKeyValue(type) && !IsChange(type); }

// START, END and ABORT name the batch that they are about.
bool IsAboutABatch(MessageType type) {
  return type == MessageType::kStartBatch || type == MessageType::kEndBatch ||
         type == MessageType::kAbortBatch;
}

const KeyValue& KeyValueOf(const Command& command) {
  static const KeyValue kNothing;
  return command.key_value.has_value() ? *command.key_value : kNothing;
}

const kinetic::Range& RangeOf(const Command& command) {
  static const kinetic::Range kNothing;
  return command.range.has_value() ? *command.range : kNothing;
}

}  // namespace

RequestHandler::RequestHandler(const Parts& parts)
    : parts_(parts),
      changes_(parts.limits, parts.store, parts.dialect, parts.default_synchronization),
      reads_(parts.limits, parts.dialect, parts.store, &changes_),
      admin_(parts.limits, parts.dialect, parts.device, parts.store),
      batch_rules_{.limits = parts.limits,
                   .dialect = parts.dialect,
                   .changes = &changes_,
                   .store = parts.store,
                   .device = parts.device} {}

RequestHandler::Result RequestHandler::Handle(const IncomingRequest& request, Value value,
                                              Command* response) {
  const Command& command = *request.command;
  const MessageType type = *command.header.message_type;
  const Dialect& dialect = *parts_.dialect;
  if (command.header.batch_id.has_value() && !IsAboutABatch(type)) {
    const bool open = request.batches->Has(*command.header.batch_id);
    if (IsChange(type) || dialect.only_changes_in_batch ||
        (!open && dialect.anything_of_unknown_batch_ends)) {
      return HandleInBatch(request, std::move(value), response);
    }
  }
  Result result;
  const uint64_t bytes_in = value.size();
  if (AnswersWithKeyValue(type)) {
    const KeyValue& asked = KeyValueOf(command);
    KeyValue& told = response->key_value.emplace();
    if (dialect.reads_name_key && IsRead(type)) told.key = asked.key;
    if (dialect.repeats_metadata_only && asked.metadata_only.value_or(false)) {
      told.metadata_only = true;
    }
  }
  Objection objection;
  if (request.skipped_size > 0) {
    objection =
        Invalid(absl::StrCat("a value of ", request.skipped_size, " bytes is above the limit of ",
                             parts_.limits->value_size, " bytes"));
    objection->ending = dialect.oversized_value;
  } else {
    objection = CheckShape(request, bytes_in);
    if (!objection.has_value()) {
      objection = Dispatch(request, std::move(value), response, &result);
    }
  }
  if (result.task == nullptr) result.ending = Conclude(std::move(objection), response);
  parts_.counters->Add(type, bytes_in + result.payload.bytes.size());
  return result;
}

RequestHandler::Result RequestHandler::HandleInBatch(const IncomingRequest& request, Value value,
                                                     Command* response) {
  Result result;
  const Command& command = *request.command;
  const MessageType type = *command.header.message_type;
  parts_.counters->Add(type, value.size());
  const bool open = request.batches->Has(*command.header.batch_id);
  if (IsChange(type) && open) {
    Objection refused = request.batches->Add(command, std::move(value), request.skipped_size);
    result.answered = refused.has_value();
    if (refused.has_value()) result.ending = Conclude(std::move(refused), response);
  } else if (IsChange(type) || (!open && parts_.dialect->anything_of_unknown_batch_ends)) {
    result.ending = Conclude(request.batches->NotOpen(command.header, true), response);
  } else {
    Conclude(Refusal{.code = StatusCode::kInvalidBatch,
                     .why = absl::StrCat(Name(type), " cannot be part of a batch")},
             response);
  }
  return result;
}

Objection RequestHandler::CheckShape(const IncomingRequest& request, uint64_t value_size) const {
  const Dialect& dialect = *parts_.dialect;
  const MessageType type = *request.command->header.message_type;
  if (dialect.other_value_refused && value_size > 0 && type != MessageType::kPut &&
      type != MessageType::kSetup) {
    return Invalid("Unexpected value");
  }
  if (type == MessageType::kMediaOptimize && !dialect.has_media_optimize) {
    return Invalid("Unimplemented command: MEDIAOPTIMIZE");
  }
  if (!AnswersWithKeyValue(type)) return std::nullopt;
  const KeyValue& key_value = KeyValueOf(*request.command);
  if (type == MessageType::kPut) RETURN_IF_REFUSED(changes_.HasWhatItNeeds(key_value));
  const bool neighbour = type == MessageType::kGetNext || type == MessageType::kGetPrevious;
  if (dialect.empty_key_refused && !neighbour && OrEmpty(key_value.key).empty()) {
    return Invalid("Key is empty");
  }
  return std::nullopt;
}

Objection RequestHandler::Dispatch(const IncomingRequest& request, Value value, Command* response,
                                   Result* result) {
  const Command& command = *request.command;
  const KeyValue& key_value = KeyValueOf(command);
  const auto in_size = static_cast<uint64_t>(value.size());
  switch (*command.header.message_type) {
    case MessageType::kNoop:
      return std::nullopt;
    case MessageType::kGet:
      return reads_.Get(key_value, request.caller, response, &result->payload);
    case MessageType::kPut:
    case MessageType::kDelete:
      return Change(request, std::move(value));
    case MessageType::kGetVersion:
      return reads_.GetVersion(key_value, request.caller, response);
    case MessageType::kGetNext:
      return reads_.GetNeighbour(key_value, /*next=*/true, request.caller, response,
                                 &result->payload);
    case MessageType::kGetPrevious:
      return reads_.GetNeighbour(key_value, /*next=*/false, request.caller, response,
                                 &result->payload);
    case MessageType::kGetKeyRange:
      return reads_.GetKeyRange(RangeOf(command), request.caller, response);
    case MessageType::kFlushAllData:
      return Flush();
    case MessageType::kGetLog:
      RETURN_IF_REFUSED(request.caller.MaySomewhere(Permission::kGetLog));
      return parts_.logs->Answer(command, response, &result->payload);
    case MessageType::kStartBatch:
      return request.batches->Start(command.header);
    case MessageType::kEndBatch:
      return request.batches->End(command, request.caller, response);
    case MessageType::kAbortBatch:
      return request.batches->Abort(command.header);
    case MessageType::kSetup: {
      std::string note;
      Objection refused = admin_.Setup(command, in_size, request.caller, &note);
      if (refused.has_value() || note.empty()) return refused;
      return Refusal{.code = StatusCode::kSuccess, .why = std::move(note)};
    }
    case MessageType::kSecurity:
      return admin_.Security(command, request.caller);
    case MessageType::kSetPowerLevel:
      return admin_.Power(command, request.caller);
    case MessageType::kMediaScan:
      return Scan(request, result);
    case MessageType::kMediaOptimize:
      return Optimize(request, result);
    case MessageType::kPeerToPeerPush:
      return Push(request, result);
    case MessageType::kPinOp:
      return Invalid("PINOP is authenticated by a PIN (PINAUTH), not by an HMAC");
    default:
      return Invalid(absl::StrCat("there is no request ", Name(*command.header.message_type)));
  }
}

Ending RequestHandler::HandlePin(const Command& command, kinetic::Text pin, bool tls,
                                 Command* response) {
  parts_.counters->Add(MessageType::kPinOp, 0);
  return Conclude(admin_.Pin(command, pin, tls), response);
}

Ending RequestHandler::Finish(Task* task, Command* response) {
  return Conclude(task->Finish(response), response);
}

Objection RequestHandler::Change(const IncomingRequest& request, Value value) {
  const KeyValue& key_value = KeyValueOf(*request.command);
  RETURN_IF_REFUSED(changes_.WithinLimits(key_value, value.size()));
  Synchronization synchronization = Synchronization::kInvalid;
  RETURN_IF_REFUSED(changes_.Synchronization(key_value, &synchronization));
  const bool put = *request.command->header.message_type == MessageType::kPut;
  const ChangeRequest change = {
      .key = OrEmpty(key_value.key),
      .db_version = OrEmpty(key_value.db_version),
      .force = key_value.force.value_or(false),
      .entry = put ? Changes::MakeEntry(key_value, std::move(value)) : EntryRef()};
  RETURN_IF_REFUSED(changes_.MayApply(change, request.caller));
  const Store::Change applied[] = {{.key = change.key, .entry = change.entry}};
  absl::Status status = parts_.store->Apply(applied, synchronization == Synchronization::kWriteBack
                                                         ? Store::Durability::kLater
                                                         : Store::Durability::kNow);
  if (status.ok() && synchronization == Synchronization::kFlush) status = parts_.store->Flush();
  return status.ok() ? Objection() : OfStore(status);
}

Objection RequestHandler::Flush() {
  const absl::Status flushed = parts_.store->Flush();
  return flushed.ok() ? Objection() : OfStore(flushed);
}

Objection RequestHandler::Scan(const IncomingRequest& request, Result* result) {
  const kinetic::Range& range = RangeOf(*request.command);
  uint32_t keys_max = 0;
  RETURN_IF_REFUSED(reads_.CheckRange(range, request.caller, &keys_max));
  if (range.reverse.value_or(false)) return Invalid("a media scan goes forward");
  std::optional<MonoTime> deadline;
  if (const uint64_t ms = request.command->header.timeout_ms.value_or(0); ms > 0) {
    deadline = MonoNow() + Millis(static_cast<int64_t>(std::min<uint64_t>(ms, 86'400'000)));
  }
  result->task = std::make_unique<ScanTask>(ScanTask::Options{.store = parts_.store,
                                                              .range = range,
                                                              .keys_max = keys_max,
                                                              .identity = request.identity,
                                                              .tls = request.caller.tls,
                                                              .deadline = deadline,
                                                              .tells = parts_.dialect->scan_tells});
  return std::nullopt;
}

Objection RequestHandler::Optimize(const IncomingRequest& request, Result* result) {
  const kinetic::Range& range = RangeOf(*request.command);
  uint32_t keys_max = 0;
  RETURN_IF_REFUSED(reads_.CheckRange(range, request.caller, &keys_max));
  result->task = std::make_unique<CompactTask>(parts_.store, range, parts_.wake);
  return std::nullopt;
}

Objection RequestHandler::Push(const IncomingRequest& request, Result* result) {
  std::shared_ptr<PushJob> job;
  RETURN_IF_REFUSED(PreparePush(*request.command, request.caller, *parts_.limits, &job));
  result->task = std::make_unique<PushTask>(
      PushTask::Options{.job = std::move(job),
                        .identity = request.identity,
                        .tls = request.caller.tls,
                        .store = parts_.store,
                        .courier = parts_.courier,
                        .failure_is_error = parts_.dialect->push_failure_is_error});
  return std::nullopt;
}

Ending RequestHandler::Conclude(Objection objection, Command* response) {
  if (!objection.has_value()) {
    response->status.emplace().code = StatusCode::kSuccess;
    return Ending::kAnswer;
  }
  // Present even where it is empty (NOT_FOUND), as in the simulator's answers.
  why_ = std::move(objection->why);
  response->status = {.code = objection->code};
  if (objection->in_detail) {
    response->status->detailed_message = why_;
  } else if (!why_.empty() || !parts_.dialect->empty_text_absent) {
    response->status->message = why_;
  }
  return objection->ending;
}

}  // namespace kbench::server
