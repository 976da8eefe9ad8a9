#include "server/admin_requests.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/changes.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::Permission;
using kinetic::PinOp;
using kinetic::PowerLevel;
using kinetic::SecurityOp;
using kinetic::SetupOp;
using kinetic::StatusCode;
using kinetic::Text;

namespace {

// Protocol 3.x and 4.x number them differently; both have them from 1 to 9.
constexpr int32_t kLowestPriority = 1, kHighestPriority = 9;

bool IsPermission(int32_t number) {
  switch (static_cast<Permission>(number)) {
    case Permission::kRead:
    case Permission::kWrite:
    case Permission::kDelete:
    case Permission::kRange:
    case Permission::kSetup:
    case Permission::kPeerToPeer:
    case Permission::kGetLog:
    case Permission::kSecurity:
    case Permission::kPowerManagement:
      return true;
  }
  return false;
}

// In time that does not depend on where the two differ.
bool SamePin(Text a, Text b) {
  uint8_t difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    difference |= static_cast<uint8_t>(a[i] ^ b[i]);
  }
  return difference == 0;
}

Objection TakeScope(const kinetic::Security::Scope& in, const Limits& limits, Scope* scope) {
  scope->offset = in.offset.value_or(0);
  scope->value = std::string(in.value.value_or(""));
  scope->tls_required = in.tls_required.value_or(false);
  if (scope->offset > limits.key_size || scope->value.size() > limits.key_size - scope->offset) {
    return Invalid(absl::StrCat("a scope's offset ", scope->offset, " and value of ",
                                scope->value.size(), " bytes fit no key"));
  }
  // Numbers of later protocols are passed over, as an enumeration of proto2 drops them: clients
  // send "all" with those that they know.
  for (const int32_t permission : in.permissions) {
    if (permission < 0) return Invalid(absl::StrCat("there is no permission ", permission));
    if (IsPermission(permission)) scope->permissions.push_back(static_cast<Permission>(permission));
  }
  if (scope->permissions.empty()) return Invalid("a scope has no permission that is known here");
  return std::nullopt;
}

Objection TakeAcl(const kinetic::Security::Acl& acl, const Limits& limits,
                  std::shared_ptr<const Identity>* made) {
  if (!acl.identity.has_value() || *acl.identity < 0) {
    return Invalid("an ACL names no identity of 0 or above");
  }
  const std::string who = absl::StrCat("the ACL of identity ", *acl.identity);
  if (OrEmpty(acl.key).empty()) return Invalid(who + " has no key");
  if (acl.hmac_algorithm.value_or(0) != kinetic::kHmacSha1) {
    return Refusal{.code = StatusCode::kNoSuchHmacAlgorithm,
                   .why = who + " asks for another algorithm than HmacSHA1"};
  }
  if (acl.scopes.empty()) return Invalid(who + " has no scope");
  auto identity = std::make_shared<Identity>(*acl.key);
  if (acl.max_priority.has_value()) {
    if (*acl.max_priority < kLowestPriority || *acl.max_priority > kHighestPriority) {
      return Invalid(absl::StrCat(who, " has a maxPriority of ", *acl.max_priority));
    }
    identity->max_priority = *acl.max_priority;
  }
  for (const kinetic::Security::Scope& scope : acl.scopes) {
    if (Objection wrong = TakeScope(scope, limits, &identity->scopes.emplace_back())) {
      wrong->why = absl::StrCat(who, ": ", wrong->why);
      return wrong;
    }
  }
  *made = std::move(identity);
  return std::nullopt;
}

}  // namespace

Objection AdminRequests::Setup(const Command& request, uint64_t value_size, const Caller& caller,
                               std::string* note) {
  RETURN_IF_REFUSED(caller.MaySomewhere(Permission::kSetup));
  static const kinetic::Setup kNothing;
  const kinetic::Setup& setup = request.setup.has_value() ? *request.setup : kNothing;
  // Protocol 3.x has no setupOpType: what is there says what is meant.
  const bool version = setup.new_cluster_version.has_value();
  const bool firmware = setup.setup_op_type == static_cast<int32_t>(SetupOp::kFirmware) ||
                        (!setup.setup_op_type.has_value() && !version && value_size > 0);
  if (setup.setup_op_type.has_value() &&
      *setup.setup_op_type != static_cast<int32_t>(SetupOp::kFirmware) &&
      *setup.setup_op_type != static_cast<int32_t>(SetupOp::kClusterVersion)) {
    return Invalid(absl::StrCat("there is no setupOpType ", *setup.setup_op_type));
  }
  if (firmware && version) return Invalid("SETUP does one thing at a time");
  if (firmware) {
    if (value_size == 0) return Invalid("a firmware image is the value, and there is none");
    *note = absl::StrCat("a firmware image of ", value_size,
                         " bytes was accepted and ignored: this server has no firmware");
    return std::nullopt;
  }
  if (!version) return Invalid("SETUP names neither a newClusterVersion nor a firmware image");
  Device::State state = device_->state();
  state.cluster_version = *setup.new_cluster_version;
  const absl::Status changed = device_->Change(std::move(state));
  return changed.ok() ? Objection() : OfStore(changed);
}

Objection AdminRequests::Security(const Command& request, const Caller& caller) {
  RETURN_IF_REFUSED(caller.MaySomewhere(Permission::kSecurity));
  if (!caller.tls) return Invalid("TLS channel is required for Security operation");
  static const kinetic::Security kNothing;
  const kinetic::Security& security = request.security.has_value() ? *request.security : kNothing;
  const bool acls = !security.acls.empty();
  const bool lock = security.old_lock_pin.has_value() || security.new_lock_pin.has_value();
  const bool erase = security.old_erase_pin.has_value() || security.new_erase_pin.has_value();
  if (acls + lock + erase > 1) {
    return Invalid("SECURITY does one thing at a time: ACLs, the lock PIN or the erase PIN");
  }
  if (security.security_op_type.has_value()) {
    const auto type = static_cast<SecurityOp>(*security.security_op_type);
    const bool agrees = type == SecurityOp::kAcl        ? !lock && !erase
                        : type == SecurityOp::kLockPin  ? !acls && !erase
                        : type == SecurityOp::kErasePin ? !acls && !lock
                                                        : false;
    if (!agrees) {
      return Invalid(absl::StrCat("securityOpType ", *security.security_op_type,
                                  " is not what the command holds"));
    }
    if (type == SecurityOp::kLockPin) {
      return SetPin(OrEmpty(security.old_lock_pin), OrEmpty(security.new_lock_pin),
                    &Device::State::lock_pin);
    }
    if (type == SecurityOp::kErasePin) {
      return SetPin(OrEmpty(security.old_erase_pin), OrEmpty(security.new_erase_pin),
                    &Device::State::erase_pin);
    }
  }
  if (lock) {
    return SetPin(OrEmpty(security.old_lock_pin), OrEmpty(security.new_lock_pin),
                  &Device::State::lock_pin);
  }
  if (erase) {
    return SetPin(OrEmpty(security.old_erase_pin), OrEmpty(security.new_erase_pin),
                  &Device::State::erase_pin);
  }
  return SetAcls(security);
}

Objection AdminRequests::SetAcls(const kinetic::Security& security) {
  Device::State state = device_->state();
  if (dialect_->acls_replace_all) state.access = AccessTable();
  std::set<int64_t> named;
  for (const kinetic::Security::Acl& acl : security.acls) {
    std::shared_ptr<const Identity> identity;
    RETURN_IF_REFUSED(TakeAcl(acl, *limits_, &identity));
    if (!named.insert(*acl.identity).second) {
      return Invalid(absl::StrCat("identity ", *acl.identity, " is there twice"));
    }
    state.access.Set(*acl.identity, std::move(identity));
  }
  if (state.access.size() > limits_->identities) {
    return Invalid(absl::StrCat("this server knows at most ", limits_->identities, " identities"));
  }
  if (security.acls.empty()) return std::nullopt;
  const absl::Status changed = device_->Change(std::move(state));
  return changed.ok() ? Objection() : OfStore(changed);
}

Objection AdminRequests::SetPin(Text old_pin, Text new_pin, std::string Device::State::*which) {
  Device::State state = device_->state();
  if (!(state.*which).empty() && !SamePin(state.*which, old_pin)) {
    return Refusal{.code = StatusCode::kNotAuthorized, .why = "the old PIN is wrong"};
  }
  if (new_pin.size() > limits_->pin_size) {
    return Invalid(absl::StrCat("a PIN has at most ", limits_->pin_size, " bytes"));
  }
  state.*which = std::string(new_pin);
  const absl::Status changed = device_->Change(std::move(state));
  return changed.ok() ? Objection() : OfStore(changed);
}

Objection AdminRequests::Pin(const Command& request, Text pin, bool tls) {
  if (!tls) {
    return Refusal{.code = StatusCode::kInvalidRequest,
                   .why = "TLS channel is required for Pin operation",
                   .ending = dialect_->pin_without_tls};
  }
  const auto op = static_cast<PinOp>(request.pin_op_type.value_or(0));
  const bool locks = op == PinOp::kLock || op == PinOp::kUnlock;
  if (!locks && op != PinOp::kErase && op != PinOp::kSecureErase) {
    return Invalid("PINOP names no operation: UNLOCK, LOCK, ERASE or SECURE_ERASE");
  }
  if (locks && pin.empty()) return Invalid("a PIN cannot be empty");
  const std::string& set = locks ? device_->state().lock_pin : device_->state().erase_pin;
  if (!set.empty() && !SamePin(set, pin)) {
    return Refusal{.code = StatusCode::kNotAuthorized, .why = "the PIN is wrong"};
  }
  if (op == PinOp::kUnlock && !device_->locked() && dialect_->unlocking_twice_fails) {
    return Refusal{.code = StatusCode::kDeviceAlreadyUnlocked, .why = "the device is not locked"};
  }
  if (locks) {
    device_->set_locked(op == PinOp::kLock);
    return std::nullopt;
  }
  absl::Status erased = device_->Erase();
  if (erased.ok() && op == PinOp::kSecureErase) {
    erased = store_->Compact({.open = true}, {.open = true});
  }
  return erased.ok() ? Objection() : OfStore(erased);
}

Objection AdminRequests::Power(const Command& request, const Caller& caller) {
  RETURN_IF_REFUSED(caller.MaySomewhere(Permission::kPowerManagement));
  const auto level = static_cast<PowerLevel>(request.power_level.value_or(0));
  switch (level) {
    case PowerLevel::kOperational:
      break;
    case PowerLevel::kHibernate:
    case PowerLevel::kShutdown: {
      // Whoever sleeps forgets what is not on the medium.
      const absl::Status flushed = store_->Flush();
      if (!flushed.ok()) return OfStore(flushed);
      break;
    }
    case PowerLevel::kFail:
      return Refusal{.code = StatusCode::kNotAttempted,
                     .why = "this server does not fail on request"};
    default:
      return Invalid(absl::StrCat("there is no power level ", request.power_level.value_or(0)));
  }
  device_->set_power(level);
  return std::nullopt;
}

}  // namespace kbench::server
