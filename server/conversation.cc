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
using kinetic::PowerLevel;
using kinetic::Signature;
using kinetic::StatusCode;

namespace {

// Below this a value is copied behind its answer's head: cheaper than one more piece to gather.
constexpr size_t kCopiedValue = 4096;
// A command of this size is unpacked before its signature is looked at.
constexpr size_t kTrustedCommand = 16 * 1024;

Outbox::Kind KindOf(MessageType type) {
  switch (type) {
    case MessageType::kPut:
    case MessageType::kDelete:
    case MessageType::kFlushAllData:
    case MessageType::kEndBatch:
      return Outbox::Kind::kWrite;
    case MessageType::kGet:
    case MessageType::kGetNext:
    case MessageType::kGetPrevious:
    case MessageType::kGetVersion:
    case MessageType::kGetKeyRange:
      return Outbox::Kind::kRead;
    default:
      return Outbox::Kind::kOther;
  }
}

}  // namespace

Conversation::Conversation(int64_t connection_id, bool tls, Desk* desk)
    : connection_id_(connection_id),
      tls_(tls),
      desk_(desk),
      reader_(desk->limits),
      batches_(desk->handler->batch_rules()) {
  Command* greeting = NewResponse(nullptr);
  greeting->header.cluster_version = desk_->device->state().cluster_version;
  greeting->status.emplace().code =
      desk_->device->locked() ? StatusCode::kDeviceLocked : StatusCode::kSuccess;
  desk_->logs->FillGreeting(&greeting->get_log.emplace());
  Post(Signature::Unsolicited(), {}, Outbox::Kind::kOther, std::nullopt);
}

Conversation::Step Conversation::Consume(Bytes* in, RealTime came) {
  if (closing_) return {.kind = Step::Kind::kClosing};
  const absl::StatusOr<bool> complete = reader_.Consume(in);
  if (!complete.ok()) return Close(StatusCode::kInvalidRequest, complete.status().message());
  if (!*complete) return {.kind = Step::Kind::kMore};
  return Answer(came);
}

Conversation::Step Conversation::Answer(RealTime came) {
  absl::Status decoded = desk_->decoder.DecodeEnvelope(reader_.message());
  const Message& message = desk_->decoder.message();
  // Nobody makes us unpack a large command who cannot sign it.
  if (decoded.ok() && message.command_bytes.size() > kTrustedCommand && !Vouched(message)) {
    return Close(StatusCode::kHmacFailure, "a large command is not signed by an identity of here");
  }
  if (decoded.ok()) decoded = desk_->decoder.DecodeCommand();
  if (!decoded.ok()) return Close(StatusCode::kInvalidRequest, decoded.message());
  const Command& command = message.command;
  const AuthType auth_type = message.auth_type.value_or(AuthType::kInvalid);
  if (auth_type == AuthType::kPin) return AnswerPin(message);
  if (auth_type != AuthType::kHmac) {
    return Close(StatusCode::kInvalidRequest,
                 absl::StrCat("a request needs the authType HMACAUTH; this one has ",
                              message.auth_type.has_value() ? Name(*message.auth_type) : "none"));
  }
  std::shared_ptr<const Identity> identity =
      message.identity.has_value() ? desk_->device->state().access.Find(*message.identity)
                                   : nullptr;
  if (identity == nullptr) {
    return Close(StatusCode::kHmacFailure,
                 message.identity.has_value()
                     ? absl::StrCat("identity ", *message.identity, " is unknown here")
                     : std::string("the request names no identity"));
  }
  // Answers are signed with the key that the request came with, whatever the request does to it.
  const Signature signature = Signature::Hmac(*message.identity, &identity->key);
  Command* response = NewResponse(&command);
  if (!VerifyHmac(message, identity->key)) {
    Refuse(signature, {.code = StatusCode::kHmacFailure,
                       .why = absl::StrCat("the HMAC is not made with the key of identity ",
                                           *message.identity)});
    return {.kind = Step::Kind::kAnswered};
  }
  Nanos service;
  if (const Objection refused = Check(command, *identity, came, &service)) {
    // A change of a batch is not answered, and not forgotten either: the batch has failed.
    if (batches_.Refuse(command, *refused)) return {.kind = Step::Kind::kUnanswered};
    Refuse(signature, *refused);
    return {.kind = Step::Kind::kAnswered, .service = service};
  }
  const uint64_t sequence = command.header.sequence.value_or(0);
  last_sequence_ = sequence;
  const IncomingRequest request = {
      .command = &command,
      .identity = identity,
      .caller = {.id = *message.identity, .identity = identity.get(), .tls = tls_},
      .skipped_size = reader_.value_skipped() ? reader_.value_size() : uint64_t{0},
      .batches = &batches_};
  RequestHandler::Result result = desk_->handler->Handle(request, reader_.TakeValue(), response);
  if (result.closes) {
    return Close(*response->status->code, response->status->message.value_or(""));
  }
  if (!result.answered) return {.kind = Step::Kind::kUnanswered};
  if (result.task != nullptr) {
    task_ = std::move(result.task);
    pending_ = {.header = response->header,
                .identity_id = *message.identity,
                .identity = std::move(identity),
                .sequence = sequence,
                .service = service};
    return {.kind = Step::Kind::kPending};
  }
  Post(signature, std::move(result.payload), KindOf(*command.header.message_type), sequence);
  return {.kind = Step::Kind::kAnswered, .service = service};
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
    refused = Refusal{.code = StatusCode::kHeaderRequired, .why = "the command has no header"};
  } else if (command.header.message_type != MessageType::kPinOp) {
    refused = Invalid("Invalid message type for pin operation.");
  } else {
    refused = CheckSequence(command.header);
  }
  if (refused.has_value()) {
    Refuse(signature, *refused);
    return {.kind = Step::Kind::kAnswered};
  }
  last_sequence_ = command.header.sequence.value_or(0);
  desk_->handler->HandlePin(command, message.pin.value_or(""), tls_, response);
  Post(signature, {}, Outbox::Kind::kOther, std::nullopt);
  return {.kind = Step::Kind::kAnswered};
}

Conversation::Step Conversation::EndTask() {
  Command* response = NewResponse(nullptr);
  response->header = pending_.header;
  desk_->handler->Finish(task_.get(), response);
  Post(Signature::Hmac(pending_.identity_id, &pending_.identity->key), {}, Outbox::Kind::kOther,
       pending_.sequence);
  task_.reset();
  const Step step = {.kind = Step::Kind::kAnswered, .service = pending_.service};
  pending_ = {};
  return step;
}

Objection Conversation::CheckHeader(const Command& request) const {
  const kinetic::Header& header = request.header;
  if (!request.has_header) {
    return Refusal{.code = StatusCode::kHeaderRequired, .why = "the command has no header"};
  }
  const int64_t cluster_version = desk_->device->state().cluster_version;
  if (header.cluster_version.value_or(0) != cluster_version) {
    return Refusal{
        .code = StatusCode::kVersionFailure,
        .why = absl::StrCat("CLUSTER_VERSION_FAILURE: the cluster version is ", cluster_version,
                            ", not ", header.cluster_version.value_or(0))};
  }
  if (header.connection_id.value_or(0) != connection_id_) {
    return Invalid(absl::StrCat("the connectionID is ", connection_id_, ", not ",
                                header.connection_id.value_or(0)));
  }
  if (!header.message_type.has_value()) return Invalid("the command has no message type");
  if (!IsRequest(*header.message_type)) {
    return Invalid(absl::StrCat(Name(*header.message_type), " is no request"));
  }
  return CheckSequence(header);
}

Objection Conversation::CheckSequence(const kinetic::Header& header) const {
  const uint64_t sequence = header.sequence.value_or(0);
  if (!last_sequence_.has_value() || sequence > *last_sequence_) return std::nullopt;
  return Invalid(absl::StrCat("sequence ", sequence, " does not come after ", *last_sequence_));
}

Objection Conversation::CheckState(MessageType type) const {
  if (desk_->device->locked()) {
    return Refusal{.code = StatusCode::kDeviceLocked, .why = "Device is locked"};
  }
  const PowerLevel power = desk_->device->power();
  if (power == PowerLevel::kOperational || type == MessageType::kSetPowerLevel) {
    return std::nullopt;
  }
  return Refusal{
      .code = power == PowerLevel::kHibernate ? StatusCode::kHibernate : StatusCode::kShutdown,
      .why = "only SET_POWER_LEVEL wakes this device"};
}

Objection Conversation::Check(const Command& request, const Identity& identity, RealTime came,
                              Nanos* service) const {
  RETURN_IF_REFUSED(CheckHeader(request));
  const kinetic::Header& header = request.header;
  const MessageType type = *header.message_type;
  RETURN_IF_REFUSED(CheckState(type));
  if (identity.max_priority > 0 && header.priority.value_or(0) > identity.max_priority) {
    return Refusal{.code = StatusCode::kNotAuthorized,
                   .why = "Command priority is higher than permitted"};
  }
  *service = desk_->service->Sample(type);
  if (const uint64_t ms = header.timeout_ms.value_or(0); ms > 0) {
    const Nanos timeout = Millis(static_cast<int64_t>(std::min<uint64_t>(ms, 86'400'000)));
    const Nanos waited = RealNow() - came;
    if (waited + *service > timeout) {
      *service = std::max(timeout - waited, Nanos(0));
      return Refusal{.code = StatusCode::kExpired, .why = "Timeout Exceeded"};
    }
  }
  const Outbox::Kind kind = KindOf(type);
  const uint32_t depth = kind == Outbox::Kind::kRead    ? desk_->limits->read_depth
                         : kind == Outbox::Kind::kWrite ? desk_->limits->write_depth
                                                        : kUnlimited;
  if (depth != kUnlimited && outbox_.unanswered(kind) >= depth) {
    return Refusal{
        .code = StatusCode::kServiceBusy,
        .why = absl::StrCat("this connection has its limit of ", depth, " requests unanswered")};
  }
  return std::nullopt;
}

Conversation::Step Conversation::Close(StatusCode code, absl::string_view why) {
  closing_ = true;
  batches_.Clear();
  const std::string said(why);  // it may point into the response
  Command* status = NewResponse(nullptr);
  status->header = {};
  status->status = {.code = code, .message = said};
  Post(Signature::Unsolicited(), {}, Outbox::Kind::kOther, std::nullopt);
  return {.kind = Step::Kind::kClosing};
}

void Conversation::Refuse(const Signature& signature, const Refusal& refusal) {
  Command* response = &desk_->response;
  response->status = {.code = refusal.code, .message = refusal.why};
  if (refusal.code == StatusCode::kVersionFailure) {
    response->header.cluster_version = desk_->device->state().cluster_version;
  }
  Post(signature, {}, Outbox::Kind::kOther, std::nullopt);
}

Command* Conversation::NewResponse(const Command* request) {
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
  if (request != nullptr) {
    response->header.ack_sequence = request->header.sequence;
    const std::optional<MessageType> type = request->header.message_type;
    if (type.has_value() && IsRequest(*type)) response->header.message_type = ResponseOf(*type);
  }
  return response;
}

void Conversation::Post(const Signature& signature, Payload payload, Outbox::Kind kind,
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
