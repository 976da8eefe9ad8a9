// What kbench-kv does: its flags, the connection that they describe, and one function for each
// subcommand. Functions ask the server and print its answer. What an error means, and with which
// code the program ends then: client/kv_exit.h.
#pragma once

#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "client/client.h"
#include "client/kv_tag.h"
#include "kinetic/types.h"

namespace kbench::client {

struct KvFlags {
  std::string server = "127.0.0.1:8123";
  bool tls = false;
  std::string ca_file;
  int64_t identity = kinetic::kFactoryIdentity;
  std::string key_file;
  std::string timeout = "10s";
  std::string transport = "socket";
  std::optional<int64_t> said_cluster_version;
  bool hex = false;
  std::string format = "text";

  std::string key, last_key, value, value_file, expected, next, synchronization = "writethrough";
  bool force = false, metadata_only = false, reverse = false;
  TagFlags tag;
  uint32_t max = 0;
  std::vector<std::string> logs;
  std::string name, peer, new_key, level, pin_op, pin_file, old_pin_file, acl_key_file, scope;
  bool peer_tls = false;
  int64_t identity_to_set = 0;
  std::optional<int64_t> cluster_version;
  std::vector<std::string> permissions;
};

class KvSession {
 public:
  explicit KvSession(const KvFlags* flags) : flags_(*flags) {}

  absl::Status Connect();

  absl::Status Ask(const kinetic::Command& command, absl::string_view value = "") {
    return Take(client_->Call(command, value));
  }
  absl::Status AskByPin(const kinetic::Command& command, absl::string_view pin) {
    return Take(client_->CallByPin(command, pin));
  }
  // Where text goes: nowhere, when JSON is asked for.
  std::ostream& out() { return json() ? nowhere_ : std::cout; }
  // Takes a reply that was asked for by other means.
  absl::Status Take(absl::StatusOr<Reply> reply);
  // What JSON tells beside status, message and the metadata of the reply.
  nlohmann::ordered_json& told() { return told_; }
  // A part of what was asked for failed with this, whatever the reply's status says.
  void set_failed(kinetic::StatusCode status) { failed_ = status; }
  // The reply is shown, and cannot be believed for this reason.
  void set_doubt(absl::Status why) { doubt_ = std::move(why); }
  const absl::Status& doubt() const { return doubt_; }
  // What was said, as one line of JSON, if that is the format.
  void Conclude();

  const Reply& reply() const { return reply_; }
  Client* client() { return client_.get(); }
  // Of what was asked for, all parts together.
  kinetic::StatusCode outcome() const { return failed_.value_or(reply_.status); }
  bool success() const { return outcome() == kinetic::StatusCode::kSuccess; }
  std::string Shown(absl::string_view bytes) const {
    return flags_.hex ? absl::BytesToHexString(bytes) : std::string(bytes);
  }

 private:
  bool json() const { return flags_.format == "json"; }
  // What to do about the reply, with the flags that do it.
  std::string Remedy() const;

  const KvFlags& flags_;
  std::unique_ptr<Client> client_;
  Reply reply_;
  nlohmann::ordered_json told_ = nlohmann::ordered_json::object();
  std::optional<kinetic::StatusCode> failed_;
  absl::Status doubt_;
  std::ostream nowhere_{nullptr};
};

using KvAction = std::function<absl::Status(const KvFlags&, KvSession*)>;

// The key, if asked for, on a line; then the metadata on lines, or the value as it is, which is a
// failure when it does not fit its tag.
absl::Status ShowObject(const KvFlags& flags, KvSession* session, const kinetic::Command& command,
                        bool key);
absl::Status Put(const KvFlags& flags, KvSession* session);
absl::Status Delete(const KvFlags& flags, KvSession* session);
absl::Status Keys(const KvFlags& flags, KvSession* session);
absl::Status Log(const KvFlags& flags, KvSession* session);
absl::Status DeviceLog(const KvFlags& flags, KvSession* session);
absl::Status Push(const KvFlags& flags, KvSession* session);
absl::Status Scan(const KvFlags& flags, KvSession* session);
absl::Status SetAcl(const KvFlags& flags, KvSession* session);
absl::Status Power(const KvFlags& flags, KvSession* session);
absl::Status ShowVersion(const KvFlags& flags, KvSession* session);
// The cluster version or a firmware image.
absl::Status Setup(const KvFlags& flags, KvSession* session);
// pin_op: set-lock, set-erase, lock, unlock, erase, secure-erase.
absl::Status Pin(const KvFlags& flags, KvSession* session);

}  // namespace kbench::client
