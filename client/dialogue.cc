#include "client/dialogue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::client {

using kinetic::AuthType;
using kinetic::Command;
using kinetic::Signature;

std::string Reply::Describe() const {
  return absl::StrCat(kinetic::Name(status), text.empty() ? "" : ": ", text);
}

Dialogue::Dialogue(const Options& options)
    : identity_(options.identity),
      key_(options.hmac_key),
      frames_(options.limits),
      fixed_cluster_version_(options.cluster_version) {}

uint64_t Dialogue::Number(Command* command) {
  command->has_header = true;
  command->header.connection_id = connection_id_;
  if (!command->header.cluster_version.has_value()) {
    command->header.cluster_version = cluster_version();
  }
  said_cluster_version_ = *command->header.cluster_version;
  command->header.sequence = ++sequence_;
  unanswered_[sequence_] = command->header.message_type.value_or(kinetic::MessageType::kInvalid);
  return sequence_;
}

uint64_t Dialogue::Ask(Command command, uint32_t value_size, std::string* out) {
  const uint64_t sequence = Number(&command);
  encoder_.Append(command, Signature::Hmac(identity_, &key_), value_size, out);
  return sequence;
}

uint64_t Dialogue::AskByPin(Command command, absl::string_view pin, std::string* out) {
  const uint64_t sequence = Number(&command);
  encoder_.Append(command, {.kind = Signature::Kind::kPin, .pin = pin}, 0, out);
  return sequence;
}

absl::StatusOr<std::optional<Reply>> Dialogue::Next(Bytes* in) {
  if (in->empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const bool complete, frames_.Consume(in));
  if (!complete) return std::nullopt;
  Reply reply;
  reply.decoder_ = std::make_shared<kinetic::Decoder>();
  RETURN_IF_ERROR(reply.decoder_->Decode(frames_.message()));
  const kinetic::Message& message = reply.decoder_->message();
  const Command& command = message.command;
  reply.unsolicited = message.auth_type == AuthType::kUnsolicitedStatus;
  reply.authentic = kinetic::VerifyHmac(message, key_);
  reply.value = std::string(AsText(frames_.value()));
  if (command.status.has_value()) {
    reply.status = command.status->code.value_or(kinetic::StatusCode::kInvalid);
    reply.text = std::string(command.status->message.value_or(""));
  }
  if (reply.unsolicited && !greeted_) {
    greeted_ = true;
    connection_id_ = command.header.connection_id.value_or(0);
    cluster_version_ = command.header.cluster_version.value_or(0);
    if (command.get_log.has_value() && command.get_log->limits.has_value()) {
      limits_ = *command.get_log->limits;
    }
    return reply;
  }
  if (reply.status == kinetic::StatusCode::kVersionFailure) {
    cluster_version_ = command.header.cluster_version.value_or(cluster_version_);
  }
  Attribute(&reply);
  return reply;
}

void Dialogue::Attribute(Reply* reply) {
  const std::optional<uint64_t> acknowledged = reply->command().header.ack_sequence;
  if (acknowledged.has_value()) {
    const auto request = unanswered_.find(*acknowledged);
    if (request != unanswered_.end()) Match(request, reply);
    return;
  }
  // Some servers leave it out of refusals. With one request unanswered there is no doubt; an
  // unsolicited status, though, may be about the connection.
  if (reply->unsolicited || unanswered_.size() != 1) return;
  Match(unanswered_.begin(), reply);
}

void Dialogue::Match(std::map<uint64_t, kinetic::MessageType>::iterator request, Reply* reply) {
  reply->sequence = request->first;
  reply->request = request->second;
  reply->fault = kinetic::FaultOf(
      kinetic::HeadOf(reply->decoder_->message(), static_cast<uint32_t>(reply->value.size())),
      reply->request);
  unanswered_.erase(request);
}

}  // namespace kbench::client
