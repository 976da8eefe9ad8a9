#include "client/kv.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "client/requests.h"

namespace kbench::client {

using kinetic::Command;
using kinetic::GetLog;
using kinetic::StatusCode;

namespace {

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  if (path == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return text.str();
}

// A secret: the file's content without its last newline; empty without a file.
absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  if (path.empty()) return std::string();
  ASSIGN_OR_RETURN(const std::string text, ReadAll(path));
  return std::string(absl::StripSuffix(text, "\n"));
}

}  // namespace

absl::Status KvSession::Connect() {
  ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(flags_.server));
  absl::StatusOr<SocketAddress> address = Resolve(target);
  if (!address.ok()) return absl::UnavailableError(address.status().message());
  ASSIGN_OR_RETURN(const Nanos timeout, ParseDuration(flags_.timeout));
  std::string key(kinetic::kFactoryKey);
  if (!flags_.key_file.empty()) {
    ASSIGN_OR_RETURN(key, ReadSecret(flags_.key_file));
  }
  std::optional<TlsContext> tls;
  if (flags_.tls || !flags_.ca_file.empty()) {
    ASSIGN_OR_RETURN(tls, TlsContext::Client(flags_.ca_file));
  }
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Connect({.server = *address,
                       .server_name = target.host,
                       .tls = tls.has_value() ? &*tls : nullptr,
                       .identity = flags_.identity,
                       .hmac_key = key,
                       .timeout = timeout});
  if (!client.ok()) return absl::UnavailableError(client.status().message());
  client_ = *std::move(client);
  return absl::OkStatus();
}

absl::Status KvSession::Take(absl::StatusOr<Reply> reply) {
  if (!reply.ok()) return absl::UnavailableError(reply.status().message());
  reply_ = *std::move(reply);
  if (reply_.status != StatusCode::kSuccess || !reply_.text.empty()) {
    std::cerr << reply_.Describe() << "\n";
  }
  return absl::OkStatus();
}

void KvSession::Conclude() {
  if (!json()) return;
  const auto text = [this](absl::string_view bytes) { return Shown(bytes); };
  nlohmann::ordered_json told;
  told["status"] = kinetic::Name(reply_.status);
  told["message"] = reply_.text;
  const Command& command = reply_.command();
  if (command.key_value.has_value()) {
    const kinetic::KeyValue& kv = *command.key_value;
    if (kv.key.has_value()) told["key"] = text(*kv.key);
    if (kv.db_version.has_value()) told["version"] = text(*kv.db_version);
    if (kv.tag.has_value()) told["tag"] = text(*kv.tag);
    if (kv.algorithm.has_value()) told["algorithm"] = *kv.algorithm;
  }
  if (command.range.has_value()) {
    for (const kinetic::Text key : command.range->keys) keys_.emplace_back(key);
  }
  for (const std::string& key : keys_) told["keys"].push_back(text(key));
  if (!reply_.value.empty()) told["value"] = text(reply_.value);
  // Bytes that are no text are told with --hex; without it what cannot be shown is replaced.
  std::cout << told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

absl::Status ShowObject(const KvFlags& flags, KvSession* session, const Command& command,
                        bool key) {
  RETURN_IF_ERROR(session->Ask(command));
  const Reply& reply = session->reply();
  if (reply.status != StatusCode::kSuccess) return absl::OkStatus();
  const auto& shown = reply.command().key_value;
  if (key && shown.has_value()) session->out() << session->Shown(shown->key.value_or("")) << "\n";
  if (flags.metadata_only && shown.has_value()) {
    session->out() << "version " << session->Shown(shown->db_version.value_or("")) << "\n";
    if (shown->tag.has_value()) session->out() << "tag " << session->Shown(*shown->tag) << "\n";
    if (shown->algorithm.has_value()) session->out() << "algorithm " << *shown->algorithm << "\n";
    return absl::OkStatus();
  }
  session->out() << session->Shown(reply.value) << std::flush;
  return absl::OkStatus();
}

namespace {

absl::StatusOr<kinetic::Synchronization> SynchronizationOf(const std::string& name) {
  if (name == "writethrough") return kinetic::Synchronization::kWriteThrough;
  if (name == "writeback") return kinetic::Synchronization::kWriteBack;
  return kinetic::Synchronization::kFlush;
}

}  // namespace

absl::Status Put(const KvFlags& flags, KvSession* session) {
  std::string value = flags.value;
  if (!flags.value_file.empty()) {
    ASSIGN_OR_RETURN(value, ReadAll(flags.value_file));
  }
  ASSIGN_OR_RETURN(const kinetic::Synchronization when, SynchronizationOf(flags.synchronization));
  return session->Ask(
      PutRequest(flags.key, {.expected = flags.expected, .next = flags.next, .force = flags.force},
                 when),
      value);
}

absl::Status Delete(const KvFlags& flags, KvSession* session) {
  ASSIGN_OR_RETURN(const kinetic::Synchronization when, SynchronizationOf(flags.synchronization));
  return session->Ask(
      DeleteRequest(flags.key, {.expected = flags.expected, .force = flags.force}, when));
}

absl::Status Keys(const KvFlags& flags, KvSession* session) {
  if (flags.reverse || flags.max > 0) {
    kinetic::Range range = {.start_key = flags.key,
                            .end_key = flags.last_key,
                            .start_key_inclusive = true,
                            .end_key_inclusive = true};
    if (flags.max > 0) range.max_returned = flags.max;
    if (flags.reverse) range.reverse = true;
    RETURN_IF_ERROR(session->Ask(KeyRangeRequest(range)));
    if (!session->reply().command().range.has_value()) return absl::OkStatus();
    for (const kinetic::Text key : session->reply().command().range->keys) {
      session->out() << session->Shown(key) << "\n";
    }
    return absl::OkStatus();
  }
  std::vector<std::string> all;
  RETURN_IF_ERROR(
      session->client()->VisitKeys(flags.key, flags.last_key, [&](absl::string_view key) {
        session->out() << session->Shown(key) << "\n";
        all.emplace_back(key);
        return true;
      }));
  session->set_keys(std::move(all));
  return session->Ask(NoopRequest());
}

namespace {

void ShowLog(const GetLog& log, KvSession* session) {
  for (const GetLog::Utilization& u : log.utilizations) {
    session->out() << "utilization " << u.name << " "
                   << (u.value.has_value() ? absl::StrCat(*u.value) : "unknown") << "\n";
  }
  for (const GetLog::Temperature& t : log.temperatures) {
    session->out() << "temperature " << t.name << " "
                   << (t.current.has_value() ? absl::StrCat(*t.current) : "unknown") << "\n";
  }
  if (log.capacity.has_value()) {
    session->out() << "capacity_bytes " << log.capacity->nominal_capacity_bytes.value_or(0)
                   << "\nportion_full " << log.capacity->portion_full.value_or(0) << "\n";
  }
  if (log.configuration.has_value()) {
    const GetLog::Configuration& c = *log.configuration;
    for (const auto& [name, text] : {std::pair("vendor", c.vendor),
                                     {"model", c.model},
                                     {"serial_number", c.serial_number},
                                     {"world_wide_name", c.world_wide_name},
                                     {"version", c.version},
                                     {"protocol_version", c.protocol_version}}) {
      if (text.has_value()) session->out() << name << " " << *text << "\n";
    }
    session->out() << "port " << c.port.value_or(0) << "\ntls_port " << c.tls_port.value_or(0)
                   << "\n";
  }
  for (const GetLog::Statistics& s : log.statistics) {
    session->out() << "statistics " << kinetic::Name(s.message_type) << " count " << s.count
                   << " bytes " << s.bytes << "\n";
  }
  if (log.messages.has_value()) session->out() << *log.messages;
  if (log.limits.has_value()) {
    const GetLog::Limits& l = *log.limits;
    for (const auto& [name, limit] :
         {std::pair("max_key_size", l.max_key_size),
          {"max_value_size", l.max_value_size},
          {"max_version_size", l.max_version_size},
          {"max_tag_size", l.max_tag_size},
          {"max_connections", l.max_connections},
          {"max_outstanding_read_requests", l.max_outstanding_read_requests},
          {"max_outstanding_write_requests", l.max_outstanding_write_requests},
          {"max_message_size", l.max_message_size},
          {"max_key_range_count", l.max_key_range_count},
          {"max_identity_count", l.max_identity_count},
          {"max_pin_size", l.max_pin_size},
          {"max_operation_count_per_batch", l.max_operation_count_per_batch},
          {"max_batch_count_per_device", l.max_batch_count_per_device}}) {
      if (limit.has_value()) {
        session->out() << name << " " << (*limit == UINT32_MAX ? "unlimited" : absl::StrCat(*limit))
                       << "\n";
      }
    }
  }
}

}  // namespace

absl::Status Log(const KvFlags& flags, KvSession* session) {
  static const std::map<std::string, GetLog::Type> kTypes = {
      {"utilizations", GetLog::Type::kUtilizations},
      {"temperatures", GetLog::Type::kTemperatures},
      {"capacities", GetLog::Type::kCapacities},
      {"configuration", GetLog::Type::kConfiguration},
      {"statistics", GetLog::Type::kStatistics},
      {"messages", GetLog::Type::kMessages},
      {"limits", GetLog::Type::kLimits}};
  std::vector<GetLog::Type> types;
  for (const std::string& log : flags.logs) types.push_back(kTypes.at(log));
  RETURN_IF_ERROR(session->Ask(GetLogRequest(types)));
  if (session->reply().command().get_log.has_value())
    ShowLog(*session->reply().command().get_log, session);
  return absl::OkStatus();
}

absl::Status DeviceLog(const KvFlags& flags, KvSession* session) {
  RETURN_IF_ERROR(session->Ask(DeviceLogRequest(flags.name)));
  session->out() << session->Shown(session->reply().value) << std::flush;
  return absl::OkStatus();
}

absl::Status Push(const KvFlags& flags, KvSession* session) {
  ASSIGN_OR_RETURN(const HostPort peer, ParseHostPort(flags.peer));
  kinetic::P2pOperation push;
  push.peer = {.hostname = peer.host, .port = peer.port, .tls = flags.peer_tls};
  kinetic::P2pOperation::Operation& operation = push.operations.emplace_back();
  operation.key = flags.key;
  if (!flags.new_key.empty()) operation.new_key = flags.new_key;
  if (flags.force) operation.force = true;
  if (!flags.expected.empty()) operation.version = flags.expected;
  RETURN_IF_ERROR(session->Ask(PushRequest(push)));
  const auto& told = session->reply().command().p2p;
  if (!told.has_value()) return absl::OkStatus();
  for (const auto& one : told->operations) {
    if (!one.status.has_value()) continue;
    session->out() << session->Shown(one.key.value_or("")) << " "
                   << kinetic::Name(one.status->code.value_or(StatusCode::kInvalid)) << " "
                   << one.status->message.value_or("") << "\n";
  }
  return absl::OkStatus();
}

absl::Status Scan(const KvFlags& flags, KvSession* session) {
  RETURN_IF_ERROR(session->Ask(MediaScanRequest({.start_key = flags.key,
                                                 .end_key = flags.last_key,
                                                 .start_key_inclusive = true,
                                                 .end_key_inclusive = true})));
  if (!session->reply().command().range.has_value()) return absl::OkStatus();
  for (const kinetic::Text key : session->reply().command().range->keys) {
    session->out() << session->Shown(key) << "\n";
  }
  return absl::OkStatus();
}

absl::Status SetAcl(const KvFlags& flags, KvSession* session) {
  static const std::map<std::string, kinetic::Permission> kPermissions = {
      {"read", kinetic::Permission::kRead},
      {"write", kinetic::Permission::kWrite},
      {"delete", kinetic::Permission::kDelete},
      {"range", kinetic::Permission::kRange},
      {"setup", kinetic::Permission::kSetup},
      {"p2p", kinetic::Permission::kPeerToPeer},
      {"getlog", kinetic::Permission::kGetLog},
      {"security", kinetic::Permission::kSecurity},
      {"power", kinetic::Permission::kPowerManagement}};
  ASSIGN_OR_RETURN(const std::string key, ReadSecret(flags.acl_key_file));
  kinetic::Security::Acl acl = {
      .identity = flags.identity_to_set, .key = key, .hmac_algorithm = kinetic::kHmacSha1};
  kinetic::Security::Scope& scope = acl.scopes.emplace_back();
  scope.offset = 0;
  scope.value = flags.scope;
  for (const std::string& name : flags.permissions) {
    const auto it = kPermissions.find(name);
    if (it == kPermissions.end()) {
      return absl::InvalidArgumentError(absl::StrCat("there is no permission '", name, "'"));
    }
    scope.permissions.push_back(static_cast<int32_t>(it->second));
  }
  return session->Ask(SetAclsRequest({acl}));
}

absl::Status Pin(const KvFlags& flags, KvSession* session) {
  ASSIGN_OR_RETURN(const std::string old_pin, ReadSecret(flags.old_pin_file));
  ASSIGN_OR_RETURN(const std::string pin, ReadSecret(flags.pin_file));
  if (flags.pin_op == "set-lock") return session->Ask(SetLockPinRequest(old_pin, pin));
  if (flags.pin_op == "set-erase") return session->Ask(SetErasePinRequest(old_pin, pin));
  const kinetic::PinOp op = flags.pin_op == "lock"     ? kinetic::PinOp::kLock
                            : flags.pin_op == "unlock" ? kinetic::PinOp::kUnlock
                            : flags.pin_op == "erase"  ? kinetic::PinOp::kErase
                                                       : kinetic::PinOp::kSecureErase;
  return session->AskByPin(PinRequest(op), pin);
}

absl::Status Setup(const KvFlags& flags, KvSession* session) {
  if (flags.cluster_version.has_value() == !flags.value_file.empty()) {
    return absl::InvalidArgumentError(
        "setup needs --cluster-version or --firmware, one of the two");
  }
  if (flags.cluster_version.has_value()) {
    return session->Ask(SetClusterVersionRequest(*flags.cluster_version));
  }
  ASSIGN_OR_RETURN(const std::string image, ReadAll(flags.value_file));
  return session->Ask(FirmwareRequest(), image);
}

absl::Status Power(const KvFlags& flags, KvSession* session) {
  return session->Ask(PowerRequest(flags.level == "operational" ? kinetic::PowerLevel::kOperational
                                   : flags.level == "hibernate" ? kinetic::PowerLevel::kHibernate
                                                                : kinetic::PowerLevel::kShutdown));
}

absl::Status ShowVersion(const KvFlags& flags, KvSession* session) {
  RETURN_IF_ERROR(session->Ask(GetVersionRequest(flags.key)));
  const auto& shown = session->reply().command().key_value;
  if (shown.has_value()) session->out() << session->Shown(shown->db_version.value_or("")) << "\n";
  return absl::OkStatus();
}

}  // namespace kbench::client
