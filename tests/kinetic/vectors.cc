#include "tests/kinetic/vectors.h"

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "kinetic/codec.h"
#include "tests/kinetic/hex.h"

namespace kbench::kinetic {
namespace {

using nlohmann::json;

Vector Load(const json& line) {
  Vector vector;
  vector.name = absl::StrCat(line.at("case").get<std::string>(), "[", line.at("n").get<int>(), "]");
  vector.message_size = line.at("protoLen").get<uint32_t>();
  vector.value_size = line.at("valueLen").get<uint32_t>();
  vector.expect = line.at("expect");
  const char* bytes = line.contains("hex") ? "hex" : "head_hex";
  vector.pdu = FromHex(line.at(bytes).get<std::string>());
  vector.pdu.resize(line.at("len").get<size_t>());
  return vector;
}

std::vector<Vector> LoadAll() {
  const std::string path = KBENCH_SOURCE_DIR "/tests/data/kinetic/vectors.jsonl";
  std::ifstream file(path);
  if (!file) {
    std::cerr << "cannot read " << path << "\n";
    std::abort();
  }
  std::vector<Vector> vectors;
  for (std::string text; std::getline(file, text);) {
    const json line = json::parse(text);
    if (line.contains("expect")) vectors.push_back(Load(line));
  }
  return vectors;
}

template <typename T>
void Put(json* out, const char* key, const std::optional<T>& value) {
  if (value) (*out)[key] = *value;
}

void PutHex(json* out, const char* key, const std::optional<Text>& bytes) {
  if (bytes) (*out)[key] = ToHex(*bytes);
}

json Describe(const KeyValue& key_value) {
  json out = json::object();
  PutHex(&out, "key", key_value.key);
  PutHex(&out, "newVersion", key_value.new_version);
  PutHex(&out, "dbVersion", key_value.db_version);
  PutHex(&out, "tag", key_value.tag);
  Put(&out, "algorithm", key_value.algorithm);
  Put(&out, "metadataOnly", key_value.metadata_only);
  Put(&out, "force", key_value.force);
  if (key_value.synchronization) {
    out["synchronization"] = static_cast<int>(*key_value.synchronization);
  }
  return out;
}

}  // namespace

const std::vector<Vector>& Vectors() {
  static const auto* const vectors = new std::vector<Vector>(LoadAll());
  return *vectors;
}

const HmacKey& KeyOf(int64_t identity) {
  static const auto* const first = new HmacKey(kFactoryKey);
  static const auto* const second = new HmacKey("secret2");
  return identity == kFactoryIdentity ? *first : *second;
}

json Describe(const Message& message) {
  json out = json::object();
  if (message.auth_type) out["authType"] = Name(*message.auth_type);
  Put(&out, "identity", message.identity);
  PutHex(&out, "hmac", message.hmac);
  if (message.hmac) out["hmac_ok"] = VerifyHmac(message, KeyOf(message.identity.value_or(0)));
  const Command& command = message.command;
  Put(&out, "clusterVersion", command.header.cluster_version);
  Put(&out, "connectionID", command.header.connection_id);
  Put(&out, "sequence", command.header.sequence);
  Put(&out, "ackSequence", command.header.ack_sequence);
  if (command.header.message_type) out["messageType"] = Name(*command.header.message_type);
  Put(&out, "priority", command.header.priority);
  Put(&out, "batchID", command.header.batch_id);
  if (command.status) {
    out["status"] = Name(command.status->code.value_or(StatusCode::kInvalid));
    out["statusMessage"] = std::string(command.status->message.value_or(""));
  }
  if (command.key_value) out["keyValue"] = Describe(*command.key_value);
  return out;
}

}  // namespace kbench::kinetic
