#include "client/kv.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "client/input_file.h"
#include "client/kv_exit.h"
#include "client/log_text.h"
#include "client/requests.h"

namespace kbench::client {

using kinetic::Command;
using kinetic::GetLog;
using kinetic::StatusCode;

absl::Status OfNoReply(const absl::Status& why, StatusCode last_word, int64_t identity) {
  if (absl::IsPermissionDenied(why)) return why;
  if (absl::IsDataLoss(why) || absl::IsUnauthenticated(why) || absl::IsInvalidArgument(why)) {
    return absl::DataLossError(why.message());
  }
  if (last_word == StatusCode::kInvalid || last_word == StatusCode::kSuccess) {
    return absl::UnavailableError(why.message());
  }
  const bool hmac = last_word == StatusCode::kHmacFailure;
  return absl::PermissionDeniedError(absl::StrCat(
      why.message(), hmac ? absl::StrCat("; does the server know identity ", identity,
                                         ", and is its HMAC key right? --key-file names it")
                          : ""));
}

absl::Status KvSession::Connect() {
  ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(flags_.server));
  absl::StatusOr<SocketAddress> address = Resolve(target);
  if (!address.ok()) return absl::UnavailableError(address.status().message());
  ASSIGN_OR_RETURN(const Nanos timeout, ParseDuration(flags_.timeout));
  std::string key(kinetic::kFactoryKey);
  if (!flags_.key_file.empty()) {
    ASSIGN_OR_RETURN(key, ReadSecret(flags_.key_file));
  }
  ASSIGN_OR_RETURN(const TransportKind transport, ParseTransportKind(flags_.transport));
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
                       .timeout = timeout,
                       .transport = transport,
                       .cluster_version = flags_.said_cluster_version});
  if (absl::IsPermissionDenied(client.status())) return client.status();
  // Whatever answers there, it is not the server that was meant.
  if (!client.ok()) return absl::UnavailableError(client.status().message());
  client_ = *std::move(client);
  return absl::OkStatus();
}

absl::Status KvSession::Take(absl::StatusOr<Reply> reply) {
  if (!reply.ok()) return OfNoReply(reply.status(), client_->last_word(), flags_.identity);
  reply_ = *std::move(reply);
  if (reply_.status != StatusCode::kSuccess || !reply_.text.empty()) {
    const std::string remedy = Remedy();
    std::cerr << absl::StrCat(reply_.Describe(), remedy.empty() ? "" : "; ", remedy, "\n");
  }
  return absl::OkStatus();
}

std::string KvSession::Remedy() const {
  const std::string hint = client_->HintFor(reply_);
  if (reply_.status == StatusCode::kHmacFailure) {
    return absl::StrCat(
        hint, " It was ",
        flags_.key_file.empty() ? "the factory key" : absl::StrCat("that of ", flags_.key_file),
        "; --key-file names another");
  }
  if (reply_.status != StatusCode::kVersionFailure) return hint;
  const auto& servers = reply_.command().header.cluster_version;
  return absl::StrCat(
      hint, flags_.said_cluster_version.has_value() ? " as --cluster-version ordered" : "", "; ",
      servers.has_value() ? absl::StrCat("--cluster-version ", *servers, " takes it")
                          : "--cluster-version N says another",
      flags_.said_cluster_version.has_value() ? ", and so does leaving that option out" : "");
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
    if (kv.tag.has_value()) told["tag"] = absl::BytesToHexString(*kv.tag);
    if (kv.algorithm.has_value()) told["algorithm"] = *kv.algorithm;
  }
  told.update(told_);
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
    if (shown->tag.has_value()) {
      session->out() << "tag " << absl::BytesToHexString(*shown->tag) << "\n";
    }
    if (shown->algorithm.has_value()) {
      session->out() << "algorithm " << ShowAlgorithm(*shown->algorithm) << "\n";
    }
    return absl::OkStatus();
  }
  session->out() << session->Shown(reply.value) << std::flush;
  session->told()["value"] = session->Shown(reply.value);
  if (!shown.has_value()) return absl::OkStatus();
  const std::optional<bool> fits = FitsItsTag(*shown, reply.value);
  if (fits.has_value()) session->told()["tag_fits"] = *fits;
  if (!fits.value_or(true)) session->set_doubt(absl::DataLossError(TagComplaint(*shown)));
  return absl::OkStatus();
}

namespace {

void ShowKeys(const std::vector<kinetic::Text>& keys, KvSession* session) {
  for (const kinetic::Text key : keys) {
    session->out() << session->Shown(key) << "\n";
    session->told()["keys"].push_back(session->Shown(key));
  }
}

absl::StatusOr<kinetic::Synchronization> SynchronizationOf(const std::string& name) {
  if (name == "writethrough") return kinetic::Synchronization::kWriteThrough;
  if (name == "writeback") return kinetic::Synchronization::kWriteBack;
  return kinetic::Synchronization::kFlush;
}

}  // namespace

absl::Status Put(const KvFlags& flags, KvSession* session) {
  std::string value = flags.value;
  if (!flags.value_file.empty()) {
    ASSIGN_OR_RETURN(value, ReadInput(flags.value_file));
  }
  ASSIGN_OR_RETURN(const kinetic::Synchronization when, SynchronizationOf(flags.synchronization));
  ASSIGN_OR_RETURN(const ChosenTag tag, ChooseTag(flags.tag, value));
  Command put = PutRequest(
      flags.key, {.expected = flags.expected, .next = flags.next, .force = flags.force}, when);
  tag.Set(&put);
  return session->Ask(put, value);
}

absl::Status Delete(const KvFlags& flags, KvSession* session) {
  ASSIGN_OR_RETURN(const kinetic::Synchronization when, SynchronizationOf(flags.synchronization));
  return session->Ask(
      DeleteRequest(flags.key, {.expected = flags.expected, .force = flags.force}, when));
}

namespace {

// Servers refuse a range without an end, or find nothing in it.
std::string EndOf(const KvFlags& flags, KvSession* session) {
  return flags.last_key.empty() ? session->client()->LastKey() : flags.last_key;
}

kinetic::Range RangeTo(absl::string_view last, const KvFlags& flags) {
  return {.start_key = flags.key,
          .end_key = last,
          .start_key_inclusive = true,
          .end_key_inclusive = true};
}

}  // namespace

absl::Status Keys(const KvFlags& flags, KvSession* session) {
  const std::string last = EndOf(flags, session);
  session->told()["keys"] = nlohmann::ordered_json::array();
  if (!flags.reverse && flags.max == 0) {
    return session->Take(session->client()->VisitKeys(flags.key, last, [&](absl::string_view key) {
      ShowKeys({key}, session);
      return true;
    }));
  }
  kinetic::Range range = RangeTo(last, flags);
  range.max_returned = flags.max > 0 ? flags.max : session->client()->KeysInPage();
  if (flags.reverse) range.reverse = true;
  RETURN_IF_ERROR(session->Ask(KeyRangeRequest(range)));
  const auto& found = session->reply().command().range;
  if (found.has_value()) ShowKeys(found->keys, session);
  return absl::OkStatus();
}

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
  const auto& log = session->reply().command().get_log;
  if (!log.has_value()) return absl::OkStatus();
  ShowLog(*log, &session->out());
  session->told()["log"] = LogJson(*log);
  return absl::OkStatus();
}

absl::Status DeviceLog(const KvFlags& flags, KvSession* session) {
  RETURN_IF_ERROR(session->Ask(DeviceLogRequest(flags.name)));
  session->out() << session->Shown(session->reply().value) << std::flush;
  if (session->success()) session->told()["value"] = session->Shown(session->reply().value);
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
    const StatusCode code = one.status->code.value_or(StatusCode::kInvalid);
    // Some servers say SUCCESS of the whole all the same.
    if (code != StatusCode::kSuccess) session->set_failed(code);
    const std::string key = session->Shown(one.key.value_or(""));
    const std::string message(one.status->message.value_or(""));
    session->out() << key << " " << kinetic::Name(code) << " " << message << "\n";
    session->told()["operations"].push_back(
        {{"key", key}, {"status", kinetic::Name(code)}, {"message", message}});
  }
  return absl::OkStatus();
}

absl::Status Scan(const KvFlags& flags, KvSession* session) {
  const std::string last = EndOf(flags, session);
  RETURN_IF_ERROR(session->Ask(MediaScanRequest(RangeTo(last, flags))));
  session->told()["keys"] = nlohmann::ordered_json::array();
  const auto& broken = session->reply().command().range;
  if (broken.has_value()) ShowKeys(broken->keys, session);
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
  ASSIGN_OR_RETURN(const std::string image, ReadInput(flags.value_file));
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
  if (!session->success() || !shown.has_value()) return absl::OkStatus();
  session->out() << session->Shown(shown->db_version.value_or("")) << "\n";
  return absl::OkStatus();
}

}  // namespace kbench::client
