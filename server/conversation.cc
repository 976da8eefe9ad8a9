#include "server/conversation.h"

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

}  // namespace

Conversation::Conversation(int64_t connection_id, Desk* desk)
    : connection_id_(connection_id), desk_(desk), reader_(desk->limits) {
  Command* greeting = NewResponse(nullptr);
  greeting->header.cluster_version = desk_->cluster_version;
  greeting->status.emplace().code = StatusCode::kSuccess;
  desk_->logs->FillGreeting(&greeting->get_log.emplace());
  Post(Signature::Unsolicited(), {}, std::nullopt);
}

Conversation::Step Conversation::Consume(Bytes* in) {
  if (closing_) return {.kind = Step::Kind::kClosing};
  const absl::StatusOr<bool> complete = reader_.Consume(in);
  if (!complete.ok()) return Close(complete.status().message());
  if (!*complete) return {.kind = Step::Kind::kMore};
  return Answer();
}

Conversation::Step Conversation::Answer() {
  const absl::Status decoded = desk_->decoder.Decode(reader_.message());
  if (!decoded.ok()) return Close(decoded.message());
  const Message& message = desk_->decoder.message();
  const Command& request = message.command;
  const AuthType auth_type = message.auth_type.value_or(AuthType::kInvalid);
  if (auth_type == AuthType::kPin) {
    Unsolicited(StatusCode::kInvalidRequest,
                "PIN authentication needs TLS, which this server does not offer", &request);
    return {.kind = Step::Kind::kAnswered};
  }
  if (auth_type != AuthType::kHmac) {
    return Close(absl::StrCat("a request needs the authType HMACAUTH; this one has ",
                              message.auth_type.has_value() ? Name(*message.auth_type) : "none"));
  }
  const kinetic::HmacKey* key =
      message.identity.has_value() ? desk_->keys->Find(*message.identity) : nullptr;
  if (key == nullptr) {
    Unsolicited(StatusCode::kHmacFailure,
                message.identity.has_value()
                    ? absl::StrCat("identity ", *message.identity, " is unknown here")
                    : std::string("the request names no identity"),
                &request);
    return {.kind = Step::Kind::kAnswered};
  }
  const Signature signature = Signature::Hmac(*message.identity, key);
  Command* response = NewResponse(&request);
  StatusCode code = StatusCode::kHmacFailure;
  const std::string objection =
      VerifyHmac(message, *key)
          ? Objection(request, &code)
          : absl::StrCat("the HMAC is not made with the key of identity ", *message.identity);
  if (!objection.empty()) {
    response->status = {.code = code, .message = objection};
    if (code == StatusCode::kVersionFailure) {
      response->header.cluster_version = desk_->cluster_version;
    }
    Post(signature, {}, std::nullopt);
    return {.kind = Step::Kind::kAnswered};
  }
  const uint64_t sequence = request.header.sequence.value_or(0);
  last_sequence_ = sequence;
  Payload payload = desk_->handler->Handle(request, reader_.TakeValue(), response);
  Post(signature, std::move(payload), sequence);
  return {.kind = Step::Kind::kAnswered,
          .service = desk_->service->Sample(*request.header.message_type)};
}

std::string Conversation::Objection(const Command& request, StatusCode* code) const {
  const kinetic::Header& header = request.header;
  *code = StatusCode::kHeaderRequired;
  if (!request.has_header) return "the command has no header";
  *code = StatusCode::kVersionFailure;
  if (header.cluster_version.value_or(0) != desk_->cluster_version) {
    return absl::StrCat("the cluster version is ", desk_->cluster_version, ", not ",
                        header.cluster_version.value_or(0));
  }
  *code = StatusCode::kInvalidRequest;
  if (header.connection_id.value_or(0) != connection_id_) {
    return absl::StrCat("the connectionID is ", connection_id_, ", not ",
                        header.connection_id.value_or(0));
  }
  if (!header.message_type.has_value()) return "the command has no message type";
  if (!IsRequest(*header.message_type)) {
    return absl::StrCat(Name(*header.message_type), " is no request");
  }
  const uint64_t sequence = header.sequence.value_or(0);
  if (last_sequence_.has_value() && sequence <= *last_sequence_) {
    return absl::StrCat("sequence ", sequence, " does not come after ", *last_sequence_);
  }
  if (reader_.value_skipped()) {
    return absl::StrCat("a value of ", reader_.value_size(), " bytes is above the limit of ",
                        desk_->limits->value_size, " bytes");
  }
  return "";
}

Conversation::Step Conversation::Close(absl::string_view why) {
  closing_ = true;
  Unsolicited(StatusCode::kInvalidRequest, why, nullptr);
  return {.kind = Step::Kind::kClosing};
}

void Conversation::Unsolicited(StatusCode code, absl::string_view why, const Command* request) {
  Command* status = NewResponse(request);
  status->header.message_type.reset();
  status->status = {.code = code, .message = why};
  Post(Signature::Unsolicited(), {}, std::nullopt);
}

Command* Conversation::NewResponse(const Command* request) {
  Command* response = &desk_->response;
  response->has_header = true;
  response->header = {};
  response->header.connection_id = connection_id_;
  response->key_value.reset();
  response->range.reset();
  response->get_log.reset();
  response->status.reset();
  if (request != nullptr) {
    response->header.ack_sequence = request->header.sequence;
    const std::optional<MessageType> type = request->header.message_type;
    if (type.has_value() && IsRequest(*type)) response->header.message_type = ResponseOf(*type);
  }
  return response;
}

void Conversation::Post(const Signature& signature, Payload payload,
                        std::optional<uint64_t> recorded_sequence) {
  desk_->encoder.Append(desk_->response, signature, static_cast<uint32_t>(payload.bytes.size()),
                        outbox_.tail());
  if (payload.bytes.size() <= kCopiedValue) {
    absl::StrAppend(outbox_.tail(), AsText(payload.bytes));
    payload = {};
  }
  outbox_.Seal(std::move(payload), recorded_sequence);
}

}  // namespace kbench::server
