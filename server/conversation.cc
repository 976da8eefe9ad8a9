#include "server/conversation.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace kbench::server {

using kinetic::AuthType;
using kinetic::Command;
using kinetic::Message;
using kinetic::MessageType;
using kinetic::Signature;
using kinetic::StatusCode;

namespace {

// Below this a value is copied behind its answer's head: cheaper than one more piece to gather.
constexpr size_t kCopiedValue = 4096;
// A command of this size is unpacked before its signature is looked at.
constexpr size_t kTrustedCommand = 16 * 1024;

}  // namespace

Conversation::Conversation(int64_t connection_id, bool tls, Desk* desk)
    : connection_id_(connection_id),
      tls_(tls),
      desk_(desk),
      reader_(desk->limits),
      batches_(desk->handler->batch_rules()) {
  Command* greeting = NewResponse(nullptr);
  greeting->header.cluster_version = desk_->device->state().cluster_version;
  // Over TLS, where alone it can be unlocked, it greets like any: libkinetic goes away otherwise.
  const bool says_locked = desk_->device->locked() && desk_->dialect->greets_locked && !tls_;
  greeting->status.emplace().code = says_locked ? StatusCode::kDeviceLocked : StatusCode::kSuccess;
  desk_->logs->FillGreeting(&greeting->get_log.emplace());
  Append(Signature::Unsolicited(), {}, Outbox::Kind::kOther, std::nullopt);
}

Conversation::Step Conversation::Consume(Bytes* in, RealTime came) {
  if (closing_) return {.kind = Step::Kind::kClosing};
  const absl::StatusOr<bool> complete = reader_.Consume(in);
  if (!complete.ok()) return RefuseFrame(complete.status().message());
  if (!*complete) return {.kind = Step::Kind::kMore};
  return Answer(came);
}

Conversation::Step Conversation::Answer(RealTime came) {
  const Dialect& dialect = *desk_->dialect;
  absl::Status decoded = desk_->decoder.DecodeEnvelope(reader_.message());
  const Message& message = desk_->decoder.message();
  // Nobody makes us unpack a large command who cannot sign it.
  if (decoded.ok() && message.command_bytes.size() > kTrustedCommand && !Vouched(message)) {
    return Close(StatusCode::kHmacFailure, "a large command is not signed by an identity of here");
  }
  if (decoded.ok()) decoded = desk_->decoder.DecodeCommand();
  if (!decoded.ok()) return RefuseFrame(decoded.message());
  const Command& command = message.command;
  const AuthType auth_type = message.auth_type.value_or(AuthType::kInvalid);
  if (auth_type == AuthType::kPin) return AnswerPin(message);
  if (auth_type != AuthType::kHmac && dialect.auth_type_needed) {
    return Close(StatusCode::kInvalidRequest,
                 absl::StrCat("a request needs the authType HMACAUTH; this one has ",
                              message.auth_type.has_value() ? Name(*message.auth_type) : "none"));
  }
  std::shared_ptr<const Identity> identity =
      message.identity.has_value() ? desk_->device->state().access.Find(*message.identity)
                                   : nullptr;
  if (identity == nullptr) return RefuseStranger(message);
  // Answers are signed with the key that the request came with, whatever the request does to it.
  const Signature signature = auth_type == AuthType::kHmac
                                  ? Signature::Hmac(*message.identity, &identity->key)
                                  : Signature{.kind = Signature::Kind::kUnsigned};
  Command* response = NewResponse(&command);
  if (!message.hmac.has_value() ||
      !identity->key.Verify(AsBytes(message.command_bytes), *message.hmac)) {
    const Refusal refusal = {
        .code = StatusCode::kHmacFailure,
        .why =
            dialect.bad_hmac_text.empty()
                ? absl::StrCat("the HMAC is not made with the key of identity ", *message.identity)
                : std::string(dialect.bad_hmac_text)};
    if (dialect.bad_hmac == Ending::kTell) return Close(refusal.code, refusal.why);
    return Refuse(signature, refusal);
  }
  Nanos service;
  const Objection refused = Check(command, *identity, came, &service);
  if (!refused.has_value()) return Do(message, std::move(identity), signature, service);
  if (refused->ending == Ending::kTell) return Close(refused->code, refused->why);
  if (Ends(refused->code, command.header.message_type)) {
    return Close(refused->code, refused->why, /*of_request=*/true);
  }
  // A change of a batch is not answered, and not forgotten either: the batch has failed.
  if (batches_.Refuse(command, *refused)) return {.kind = Step::Kind::kUnanswered};
  if (!dialect.acknowledges_bad_sequence && CheckSequence(command.header).has_value()) {
    response->header.ack_sequence.reset();
  }
  if (refused->code == StatusCode::kSuccess) last_sequence_ = command.header.sequence.value_or(0);
  return Refuse(signature, *refused, service);
}

Conversation::Step Conversation::RefuseStranger(const Message& message) {
  if (!desk_->dialect->unknown_identity_ends) {
    Append({.kind = Signature::Kind::kNoCommand}, {}, Outbox::Kind::kOther, std::nullopt);
    return {.kind = Step::Kind::kAnswered};
  }
  const absl::string_view text = desk_->dialect->bad_hmac_text;
  return Close(StatusCode::kHmacFailure,
               !text.empty() ? std::string(text)
               : message.identity.has_value()
                   ? absl::StrCat("identity ", *message.identity, " is unknown here")
                   : std::string("the request names no identity"));
}

Conversation::Step Conversation::Do(const Message& message,
                                    std::shared_ptr<const Identity> identity,
                                    const Signature& signature, Nanos service) {
  const Command& command = message.command;
  Command* response = &desk_->response;
  const MessageType type = *command.header.message_type;
  auto synchronization = kinetic::Synchronization::kInvalid;
  if (command.key_value.has_value()) {
    synchronization = command.key_value->synchronization.value_or(synchronization);
  }
  const bool change = type == MessageType::kPut || type == MessageType::kDelete;
  const Asked asked = {
      .header = response->header,
      .signature = signature,
      .identity = identity,
      .type = type,
      .sequence = command.header.sequence.value_or(0),
      .message_size = reader_.message().size(),
      .durable_later = type == MessageType::kEndBatch ||
                       (change && synchronization == kinetic::Synchronization::kWriteThrough),
      .flushes = type == MessageType::kFlushAllData ||
                 (change && synchronization == kinetic::Synchronization::kFlush),
      .service = service};
  last_sequence_ = asked.sequence;
  const IncomingRequest request = {
      .command = &command,
      .identity = identity,
      .caller = {.id = *message.identity,
                 .identity = identity.get(),
                 .tls = tls_,
                 .every_scope_must_give = desk_->dialect->every_scope_must_give},
      .skipped_size = reader_.value_skipped() ? reader_.value_size() : uint64_t{0},
      .batches = &batches_};
  RequestHandler::Result result = desk_->handler->Handle(request, reader_.TakeValue(), response);
  if (!result.answered) {
    if (desk_->dialect->counts_messages) desk_->counters->AddBytes(type, asked.message_size);
    return {.kind = Step::Kind::kUnanswered};
  }
  if (result.task == nullptr) return Post(asked, std::move(result.payload), result.ending);
  task_ = std::move(result.task);
  pending_ = asked;
  return {.kind = Step::Kind::kPending};
}

bool Conversation::Vouched(const Message& message) const {
  const auto identity = message.identity.has_value()
                            ? desk_->device->state().access.Find(*message.identity)
                            : nullptr;
  return identity != nullptr && VerifyHmac(message, identity->key);
}

Conversation::Step Conversation::AnswerPin(const Message& message) {
  const Command& command = message.command;
  Command* response = NewResponse(&command);
  const Signature signature = {.kind = Signature::Kind::kPinAnswer};
  Objection refused;
  if (!command.has_header) {
    refused = Refusal{.code = desk_->dialect->no_header, .why = "the command has no header"};
  } else if (command.header.message_type != MessageType::kPinOp) {
    refused = Invalid("Invalid message type for pin operation.");
  } else {
    refused = CheckSequence(command.header);
  }
  if (refused.has_value()) {
    if (Ends(refused->code, std::nullopt)) return Close(refused->code, refused->why);
    return Refuse(signature, *refused);
  }
  last_sequence_ = command.header.sequence.value_or(0);
  const Ending ending =
      desk_->handler->HandlePin(command, message.pin.value_or(""), tls_, response);
  return Post({.header = response->header, .signature = signature, .type = MessageType::kPinOp}, {},
              ending);
}

Conversation::Step Conversation::EndTask() {
  Command* response = NewResponse(nullptr);
  response->header = pending_.header;
  const Ending ending = desk_->handler->Finish(task_.get(), response);
  const Step step = Post(pending_, {}, ending);
  task_.reset();
  pending_ = {};
  return step;
}

bool Conversation::Ends(StatusCode code, std::optional<MessageType> request) const {
  if (!desk_->dialect->invalid_ends) return false;
  if (code == StatusCode::kInvalidRequest) return request != MessageType::kEndBatch;
  return code == StatusCode::kInvalidBatch && request != MessageType::kEndBatch &&
         request != MessageType::kAbortBatch;
}

Conversation::Step Conversation::Close(StatusCode code, absl::string_view why, bool of_request) {
  CloseSilently();
  const std::string said(why);  // it may point into the response
  const kinetic::Header answered = desk_->response.header;
  Command* status = NewResponse(nullptr);
  switch (desk_->dialect->last_word) {
    case Dialect::LastWord::kEmptyHeader:
      status->header = {};
      break;
    case Dialect::LastWord::kNoHeader:
      status->has_header = false;
      break;
    case Dialect::LastWord::kNamesConnection:
      if (of_request) status->header = answered;
      break;
  }
  status->status = {.code = code, .message = said};
  Append(Signature::Unsolicited(), {}, Outbox::Kind::kOther, std::nullopt);
  return {.kind = Step::Kind::kClosing};
}

Conversation::Step Conversation::CloseSilently() {
  closing_ = true;
  batches_.Clear();
  outbox_.ReleaseParked();
  return {.kind = Step::Kind::kClosing};
}

Conversation::Step Conversation::RefuseFrame(absl::string_view why) {
  if (desk_->dialect->bad_frame == Ending::kSilence) return CloseSilently();
  return Close(StatusCode::kInvalidRequest, why);
}

Conversation::Step Conversation::Refuse(const Signature& signature, const Refusal& refusal,
                                        Nanos service) {
  Command* response = &desk_->response;
  response->status = {.code = refusal.code};
  const bool absent = refusal.code == StatusCode::kSuccess ||
                      (refusal.why.empty() && desk_->dialect->empty_text_absent);
  if (!absent) response->status->message = refusal.why;
  if (refusal.code == StatusCode::kVersionFailure) {
    response->header.cluster_version = desk_->device->state().cluster_version;
  }
  Append(signature, {}, Outbox::Kind::kOther, std::nullopt);
  return {.kind = Step::Kind::kAnswered, .service = service};
}

Command* Conversation::NewResponse(const Command* request) {
  const Dialect& dialect = *desk_->dialect;
  Command* response = &desk_->response;
  response->has_header = true;
  response->header = {};
  response->header.connection_id = connection_id_;
  response->key_value.reset();
  response->range.reset();
  response->p2p.reset();
  response->get_log.reset();
  response->batch.reset();
  response->status.reset();
  if (request == nullptr) return response;
  const kinetic::Header& asked = request->header;
  if (!dialect.checks_connection_id) {
    response->header.connection_id = asked.connection_id.value_or(0);
  }
  response->header.ack_sequence = asked.sequence;
  const MessageType type = asked.message_type.value_or(MessageType::kInvalid);
  if (dialect.unknown_type_succeeds && !dialect.Knows(type)) {
    // A response is answered as if it were the request one number further.
    if (dialect.Knows(ResponseOf(type))) response->header.message_type = ResponseOf(type);
  } else if (IsRequest(type)) {
    response->header.message_type = ResponseOf(type);
  }
  if (dialect.batch_answers_name_it &&
      (type == MessageType::kStartBatch || type == MessageType::kEndBatch)) {
    response->header.batch_id = asked.batch_id;
  }
  return response;
}

Conversation::Step Conversation::Post(const Asked& asked, Payload payload, Ending ending) {
  const Dialect& dialect = *desk_->dialect;
  const StatusCode code = *desk_->response.status->code;
  if (ending == Ending::kSilence) return CloseSilently();
  if (ending == Ending::kTell || Ends(code, asked.type)) {
    const bool by_pin = asked.type == MessageType::kPinOp;
    return Close(code, desk_->response.status->message.value_or(""), /*of_request=*/!by_pin);
  }
  const bool success = code == StatusCode::kSuccess;
  if (success && asked.flushes) outbox_.ReleaseParked();
  const size_t before = outbox_.tail()->size();
  const size_t value_size = payload.bytes.size();
  const bool by_pin = asked.signature.kind == Signature::Kind::kPinAnswer;
  Append(asked.signature, std::move(payload),
         by_pin ? Outbox::Kind::kOther : Outbox::KindOf(asked.type),
         by_pin ? std::nullopt : std::optional<uint64_t>(asked.sequence));
  if (dialect.counts_messages) {
    const size_t copied = value_size <= kCopiedValue ? value_size : 0;
    desk_->counters->AddBytes(asked.type,
                              asked.message_size + outbox_.tail()->size() - before - copied);
  }
  if (dialect.tells_latency) outbox_.CountLatency(asked.type, desk_->counters);
  if (success && asked.durable_later && dialect.write_hold > Nanos(0)) {
    outbox_.Park(dialect.write_hold);
    if (outbox_.parked() >= dialect.held_max) outbox_.ReleaseParked();
  }
  return {.kind = Step::Kind::kAnswered, .service = asked.service};
}

void Conversation::Append(const Signature& signature, Payload payload, Outbox::Kind kind,
                          std::optional<uint64_t> recorded_sequence) {
  desk_->encoder.Append(desk_->response, signature, static_cast<uint32_t>(payload.bytes.size()),
                        outbox_.tail());
  if (payload.bytes.size() <= kCopiedValue) {
    absl::StrAppend(outbox_.tail(), AsText(payload.bytes));
    payload = {};
  }
  outbox_.Seal(std::move(payload), recorded_sequence, kind);
}

}  // namespace kbench::server
