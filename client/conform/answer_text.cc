#include "client/conform/answer_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "kinetic/codec.h"

namespace kbench::conform {

using kinetic::AuthType;
using kinetic::Command;
using kinetic::GetLog;
using kinetic::Message;
using kinetic::Text;

namespace {

constexpr size_t kShownBytes = 40;
constexpr size_t kShownItems = 8;

class Words {
 public:
  void Add(absl::string_view word) { absl::StrAppend(&text_, text_.empty() ? "" : " ", word); }
  template <typename T>
  void Number(absl::string_view name, const std::optional<T>& number) {
    if (number.has_value()) Add(absl::StrCat(name, "=", *number));
  }
  void Flag(absl::string_view name, const std::optional<bool>& flag) {
    if (flag.has_value()) Add(absl::StrCat(name, "=", *flag ? "true" : "false"));
  }
  void Bytes(absl::string_view name, const std::optional<Text>& bytes, const Names& names) {
    if (bytes.has_value()) Add(absl::StrCat(name, "=", names.Show(*bytes)));
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

// Lists from a stranger may be long.
template <typename List, typename Show>
std::string Listed(const List& list, const Show& show) {
  std::vector<std::string> shown;
  for (const auto& one : list) {
    if (shown.size() == kShownItems) {
      shown.push_back(absl::StrCat("and-", list.size() - kShownItems, "-more"));
      break;
    }
    shown.push_back(show(one));
  }
  return absl::StrJoin(shown, ",");
}

std::string ShowType(GetLog::Type type) {
  static constexpr const char* kTypes[] = {"UTILIZATIONS",  "TEMPERATURES", "CAPACITIES",
                                           "CONFIGURATION", "STATISTICS",   "MESSAGES",
                                           "LIMITS",        "DEVICE"};
  const auto number = static_cast<int32_t>(type);
  return number >= 0 && number < 8 ? kTypes[number] : absl::StrCat("UNKNOWN(", number, ")");
}

std::string ShowSequence(uint64_t sequence, const Expecting& expecting) {
  if (expecting.numbers != nullptr) {
    const auto at = expecting.numbers->find(sequence);
    if (at != expecting.numbers->end()) return absl::StrCat("#", at->second);
  }
  return absl::StrCat(sequence);
}

void AddKeyValue(const kinetic::KeyValue& kv, const Names& names, Words* words) {
  words->Add("keyValue");
  words->Bytes("key", kv.key, names);
  words->Bytes("newVersion", kv.new_version, names);
  words->Bytes("dbVersion", kv.db_version, names);
  words->Bytes("tag", kv.tag, names);
  words->Number("algorithm", kv.algorithm);
  words->Flag("metadataOnly", kv.metadata_only);
  words->Flag("force", kv.force);
  if (kv.synchronization.has_value()) {
    words->Add(absl::StrCat("synchronization=", kinetic::Name(*kv.synchronization)));
  }
}

void AddRange(const kinetic::Range& range, const Names& names, Words* words) {
  words->Add("range");
  words->Bytes("startKey", range.start_key, names);
  words->Bytes("endKey", range.end_key, names);
  words->Flag("startKeyInclusive", range.start_key_inclusive);
  words->Flag("endKeyInclusive", range.end_key_inclusive);
  words->Number("maxReturned", range.max_returned);
  words->Flag("reverse", range.reverse);
  if (range.keys.empty()) return;
  words->Add(absl::StrCat("keys=", Listed(range.keys, [&](Text key) { return names.Show(key); })));
}

void AddPush(const kinetic::P2pOperation& push, const Names& names, Words* words) {
  words->Add("p2pOperation");
  if (push.peer.has_value()) words->Add("peer");
  for (size_t i = 0; i < std::min(push.operations.size(), kShownItems); ++i) {
    const kinetic::P2pOperation::Operation& one = push.operations[i];
    const bool told = one.status.has_value() && one.status->code.has_value();
    words->Add(absl::StrCat("operation=", names.Show(one.key.value_or("")), ":",
                            told ? kinetic::Name(*one.status->code) : "no-status"));
  }
  words->Flag("allChildOperationsSucceeded", push.all_child_operations_succeeded);
}

// Most have all fields: those that are not there are named.
void AddConfiguration(const GetLog::Configuration& c, Words* words) {
  words->Add("configuration");
  const std::pair<absl::string_view, bool> fields[] = {
      {"vendor", c.vendor.has_value()},
      {"model", c.model.has_value()},
      {"serialNumber", c.serial_number.has_value()},
      {"version", c.version.has_value()},
      {"interface", !c.interfaces.empty()},
      {"port", c.port.has_value()},
      {"tlsPort", c.tls_port.has_value()},
      {"protocolVersion", c.protocol_version.has_value()},
      {"currentPowerLevel", c.current_power_level.has_value()}};
  for (const auto& [name, there] : fields) {
    if (!there) words->Add(absl::StrCat("no-", name));
  }
}

void AddAbsentLimits(const GetLog::Limits& l, Words* words) {
  const std::pair<absl::string_view, bool> fields[] = {
      {"maxKeySize", l.max_key_size.has_value()},
      {"maxValueSize", l.max_value_size.has_value()},
      {"maxVersionSize", l.max_version_size.has_value()},
      {"maxTagSize", l.max_tag_size.has_value()},
      {"maxConnections", l.max_connections.has_value()},
      {"maxOutstandingReadRequests", l.max_outstanding_read_requests.has_value()},
      {"maxOutstandingWriteRequests", l.max_outstanding_write_requests.has_value()},
      {"maxMessageSize", l.max_message_size.has_value()},
      {"maxKeyRangeCount", l.max_key_range_count.has_value()},
      {"maxIdentityCount", l.max_identity_count.has_value()},
      {"maxPinSize", l.max_pin_size.has_value()},
      {"maxOperationCountPerBatch", l.max_operation_count_per_batch.has_value()},
      {"maxBatchCountPerDevice", l.max_batch_count_per_device.has_value()},
      {"maxBatchSize", l.max_batch_size.has_value()},
      {"maxDeletesPerBatch", l.max_deletes_per_batch.has_value()}};
  for (const auto& [name, there] : fields) {
    if (!there) words->Add(absl::StrCat("no-", name));
  }
}

void AddLog(const GetLog& log, const Expecting& expecting, Words* words) {
  const Names& names = *expecting.names;
  words->Add("getLog");
  if (!log.types.empty()) words->Add(absl::StrCat("types=", Listed(log.types, ShowType)));
  if (!log.utilizations.empty()) words->Add("utilizations");
  if (!log.temperatures.empty()) words->Add("temperatures");
  if (log.capacity.has_value()) words->Add("capacity");
  if (log.configuration.has_value()) AddConfiguration(*log.configuration, words);
  if (!log.statistics.empty()) words->Add("statistics");
  if (log.messages.has_value()) words->Add("messages");
  if (log.limits.has_value()) {
    const bool same = expecting.limits == nullptr || *log.limits == *expecting.limits;
    words->Add(same ? "limits" : "limits(not-those-of-the-greeting)");
    AddAbsentLimits(*log.limits, words);
  }
  words->Bytes("device", log.device_name, names);
}

void AddSecurity(const kinetic::Security& security, Words* words) {
  words->Add("security");
  if (!security.acls.empty()) {
    words->Add(absl::StrCat("acls=", Listed(security.acls, [](const kinetic::Security::Acl& acl) {
                              return absl::StrCat(acl.identity.value_or(-1));
                            })));
  }
  // PINs are secrets, also those of a test.
  if (security.old_lock_pin.has_value()) words->Add("oldLockPIN");
  if (security.new_lock_pin.has_value()) words->Add("newLockPIN");
  if (security.old_erase_pin.has_value()) words->Add("oldErasePIN");
  if (security.new_erase_pin.has_value()) words->Add("newErasePIN");
  words->Number("securityOpType", security.security_op_type);
}

void AddBatch(const kinetic::Batch& batch, const Expecting& expecting, Words* words) {
  words->Add("batch");
  words->Number("count", batch.count);
  const auto show = [&](uint64_t sequence) { return ShowSequence(sequence, expecting); };
  if (!batch.sequences.empty()) {
    words->Add(absl::StrCat("sequences=", Listed(batch.sequences, show)));
  }
  if (batch.failed_sequence.has_value()) {
    words->Add(absl::StrCat("failedSequence=", show(*batch.failed_sequence)));
  }
}

void AddAuth(const Message& message, Words* words) {
  if (!message.auth_type.has_value()) {
    words->Add("no-authType");
  } else if (*message.auth_type == AuthType::kUnsolicitedStatus) {
    words->Add("unsolicited");
  } else if (*message.auth_type == AuthType::kPin) {
    words->Add("pin");
  } else if (*message.auth_type != AuthType::kHmac) {
    words->Add(absl::StrCat("authType=", kinetic::Name(*message.auth_type)));
  }
}

void AddSignature(const Message& message, const Expecting& expecting, Words* words) {
  const bool hmac = message.auth_type == AuthType::kHmac;
  if (!hmac && !message.hmac.has_value() && !message.identity.has_value()) {
    if (!message.auth_type.has_value()) words->Add("unsigned");
    return;
  }
  if (!message.hmac.has_value()) {
    words->Add("unsigned");
  } else if (!expecting.key->Verify(AsBytes(message.command_bytes), *message.hmac)) {
    words->Add("wrong-signature");
  } else if (!hmac) {
    words->Add("signed");
  }
  if (message.identity != expecting.identity && message.identity.has_value()) {
    words->Add(absl::StrCat("identity=", *message.identity));
  }
}

void AddHeader(const Message& message, const Expecting& expecting, Words* words) {
  const kinetic::Header& header = message.command.header;
  const bool status = message.auth_type == AuthType::kUnsolicitedStatus;
  if (!message.command.has_header) words->Add("no-header");
  if (header.message_type.has_value()) {
    if (header.message_type != expecting.response_type) {
      words->Add(absl::StrCat("type=", kinetic::Name(*header.message_type)));
    } else if (status) {
      words->Add("type");
    }
  } else if (!status && expecting.response_type.has_value()) {
    words->Add("no-messageType");
  }
  if (header.ack_sequence.has_value()) {
    if (header.ack_sequence != expecting.sequence) {
      words->Add(absl::StrCat("ackSequence=", ShowSequence(*header.ack_sequence, expecting)));
    } else if (status) {
      words->Add("ackSequence");
    }
  } else if (!status && expecting.sequence.has_value()) {
    words->Add("no-ackSequence");
  }
  const bool known = expecting.connection_id.has_value();
  if (header.connection_id.has_value()) {
    if (known && header.connection_id != expecting.connection_id) {
      words->Add("connectionID=another");
    } else if (status) {
      words->Add("connectionID");
    }
  } else if (!status) {
    words->Add("no-connectionID");
  }
  if (header.cluster_version.has_value()) {
    const bool right = !known || header.cluster_version == expecting.cluster_version;
    words->Add(right ? "clusterVersion" : absl::StrCat("clusterVersion=", *header.cluster_version));
  }
  words->Number("sequence", header.sequence);
  words->Number("timeout", header.timeout_ms);
  words->Flag("earlyExit", header.early_exit);
  words->Number("priority", header.priority);
  words->Number("timeQuanta", header.time_quanta_ms);
  words->Number("batchID", header.batch_id);
}

}  // namespace

void Names::Add(absl::string_view bytes, std::string name) {
  names_.insert({std::string(bytes), absl::StrCat("@", name)});
}

std::string Names::Show(absl::string_view bytes) const {
  const auto named = names_.find(bytes);
  if (named != names_.end()) return named->second;
  std::string shown;
  if (!prefix_.empty() && absl::ConsumePrefix(&bytes, prefix_)) shown = "~";
  if (bytes.size() > kShownBytes) return absl::StrCat(shown, "(", bytes.size(), "-bytes)");
  for (const char c : bytes) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
        absl::string_view("._-/:").find(c) != absl::string_view::npos) {
      shown.push_back(c);
    } else {
      absl::StrAppendFormat(&shown, "%%%02X", static_cast<uint8_t>(c));
    }
  }
  return shown;
}

std::string Printable(absl::string_view text, size_t most) {
  std::string shown;
  for (const char c : text) {
    if (shown.size() >= most) return shown + "...";
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) {
      shown.push_back(c);
    } else {
      absl::StrAppendFormat(&shown, "\\x%02x", static_cast<uint8_t>(c));
    }
  }
  return shown;
}

std::string BodyText(const Command& command, const Expecting& expecting) {
  const Names& names = *expecting.names;
  Words words;
  if (command.key_value.has_value()) AddKeyValue(*command.key_value, names, &words);
  if (command.range.has_value()) AddRange(*command.range, names, &words);
  if (command.setup.has_value()) {
    words.Add("setup");
    words.Number("newClusterVersion", command.setup->new_cluster_version);
    words.Number("setupOpType", command.setup->setup_op_type);
  }
  if (command.p2p.has_value()) AddPush(*command.p2p, names, &words);
  if (command.get_log.has_value()) AddLog(*command.get_log, expecting, &words);
  if (command.security.has_value()) AddSecurity(*command.security, &words);
  words.Number("pinOp", command.pin_op_type);
  if (command.batch.has_value()) AddBatch(*command.batch, expecting, &words);
  words.Number("power", command.power_level);
  return words.text();
}

std::string AnswerText(const Message& message, absl::string_view value,
                       const Expecting& expecting) {
  Words words;
  AddAuth(message, &words);
  if (!message.has_command) {
    words.Add("no-command");
    AddSignature(message, expecting, &words);
    return words.text();
  }
  const auto& status = message.command.status;
  words.Add(status.has_value() && status->code.has_value() ? kinetic::Name(*status->code)
                                                           : "no-status");
  AddSignature(message, expecting, &words);
  AddHeader(message, expecting, &words);
  const std::string body = BodyText(message.command, expecting);
  if (!body.empty()) words.Add(body);
  if (status.has_value() && !status->detailed_message.value_or("").empty()) {
    words.Add("detailedMessage");
  }
  if (!value.empty()) words.Add(absl::StrCat("value=", expecting.names->Show(value)));
  return words.text();
}

}  // namespace kbench::conform
