// What a conversation looks at before a request is done: its header, the order of requests, the
// state of the device, priorities, time-outs and depth.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/conversation.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::PowerLevel;
using kinetic::StatusCode;

Objection Conversation::CheckHeader(const Command& request) const {
  const kinetic::Header& header = request.header;
  const Dialect& dialect = *desk_->dialect;
  if (!request.has_header) {
    return Refusal{.code = dialect.no_header, .why = "the command has no header"};
  }
  const int64_t cluster_version = desk_->device->state().cluster_version;
  if (header.cluster_version.value_or(0) != cluster_version) {
    return Refusal{
        .code = StatusCode::kVersionFailure,
        .why = absl::StrCat("CLUSTER_VERSION_FAILURE: the cluster version is ", cluster_version,
                            ", not ", header.cluster_version.value_or(0))};
  }
  if (dialect.checks_connection_id && header.connection_id.value_or(0) != connection_id_) {
    return Invalid(absl::StrCat("the connectionID is ", connection_id_, ", not ",
                                header.connection_id.value_or(0)));
  }
  if (dialect.unknown_type_succeeds &&
      !dialect.Knows(header.message_type.value_or(MessageType::kInvalid))) {
    RETURN_IF_REFUSED(CheckSequence(header));
    return Refusal{.code = StatusCode::kSuccess, .why = ""};  // and nothing is done
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
    return Refusal{.code = StatusCode::kDeviceLocked,
                   .why = "Device is locked",
                   .ending = desk_->dialect->locked};
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
  const Outbox::Kind kind = Outbox::KindOf(type);
  const uint32_t depth = kind == Outbox::Kind::kRead    ? desk_->limits->read_depth
                         : kind == Outbox::Kind::kWrite ? desk_->limits->write_depth
                                                        : kUnlimited;
  if (desk_->dialect->enforces_depths && depth != kUnlimited && outbox_.unanswered(kind) >= depth) {
    return Refusal{
        .code = StatusCode::kServiceBusy,
        .why = absl::StrCat("this connection has its limit of ", depth, " requests unanswered")};
  }
  return std::nullopt;
}

}  // namespace kbench::server
