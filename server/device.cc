#include "server/device.h"

#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/status_macros.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::Security;

std::string EncodeSettings(const Device::State& state) {
  Command command;
  command.has_header = true;
  command.setup = {.new_cluster_version = state.cluster_version};
  Security& security = command.security.emplace();
  security.new_lock_pin = state.lock_pin;
  security.new_erase_pin = state.erase_pin;
  for (const auto& [id, identity] : state.access.all()) {
    Security::Acl& acl = security.acls.emplace_back();
    acl.identity = id;
    acl.key = identity->key_text;
    acl.hmac_algorithm = kinetic::kHmacSha1;
    if (identity->max_priority != 0) acl.max_priority = identity->max_priority;
    for (const Scope& scope : identity->scopes) {
      Security::Scope& out = acl.scopes.emplace_back();
      out.offset = scope.offset;
      out.value = scope.value;
      out.tls_required = scope.tls_required;
      for (const kinetic::Permission permission : scope.permissions) {
        out.permissions.push_back(static_cast<int32_t>(permission));
      }
    }
  }
  std::string bytes;
  kinetic::Encoder().Append(command, kinetic::Signature::Unsolicited(), 0, &bytes);
  return bytes.substr(kinetic::kFrameHeaderSize);
}

absl::StatusOr<Device::State> DecodeSettings(absl::string_view bytes) {
  kinetic::Decoder decoder;
  const absl::Status decoded = decoder.Decode(AsBytes(bytes));
  const Command& command = decoder.message().command;
  if (!decoded.ok() || !command.security.has_value() || !command.setup.has_value()) {
    return absl::DataLossError("the stored settings are none of this server");
  }
  Device::State state;
  state.cluster_version = command.setup->new_cluster_version.value_or(0);
  const Security& security = *command.security;
  state.lock_pin = std::string(security.new_lock_pin.value_or(""));
  state.erase_pin = std::string(security.new_erase_pin.value_or(""));
  for (const Security::Acl& acl : security.acls) {
    auto identity = std::make_shared<Identity>(acl.key.value_or(""));
    identity->max_priority = acl.max_priority.value_or(0);
    for (const Security::Scope& in : acl.scopes) {
      Scope& scope = identity->scopes.emplace_back();
      scope.offset = in.offset.value_or(0);
      scope.value = std::string(in.value.value_or(""));
      scope.tls_required = in.tls_required.value_or(false);
      for (const int32_t permission : in.permissions) {
        scope.permissions.push_back(static_cast<kinetic::Permission>(permission));
      }
    }
    state.access.Set(acl.identity.value_or(0), std::move(identity));
  }
  return state;
}

absl::StatusOr<Device> Device::Open(Store* store, State factory) {
  Device device(store, std::move(factory));
  ASSIGN_OR_RETURN(const std::string settings, store->LoadSettings());
  if (!settings.empty()) {
    ASSIGN_OR_RETURN(device.state_, DecodeSettings(settings));
    device.restored_ = true;
  }
  device.locked_ = !device.state_.lock_pin.empty();
  return device;
}

absl::Status Device::Change(State state) {
  RETURN_IF_ERROR(store_->SaveSettings(EncodeSettings(state)));
  state_ = std::move(state);
  return absl::OkStatus();
}

absl::Status Device::Erase() {
  State erased = factory_;
  erased.cluster_version = 0;
  RETURN_IF_ERROR(store_->EraseAll(EncodeSettings(erased)));
  state_ = std::move(erased);
  locked_ = false;
  ++erasures_;
  return absl::OkStatus();
}

}  // namespace kbench::server
