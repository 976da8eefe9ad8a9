// Replays what real clients sent to the kinetic-java simulator, in the order in which it was
// captured, and compares our answers with the simulator's. connectionID and HMAC are rewritten;
// sequences are the clients' own. A wrong HMAC stays wrong. The file is sorted by name; the order
// of capture, on which the contents of the store depend, is that of the simulator's connectionIDs,
// which are milliseconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "kinetic/frame.h"
#include "tests/server/desk_fixture.h"

namespace kbench::server {
namespace {

using kinetic::MessageType;
using nlohmann::json;

// Where we differ on purpose. Everything else must agree.
struct Difference {
  const char* request;
  const char* simulator;
  const char* ours;
  const char* why;
};
constexpr Difference kDifferences[] = {
    {"PEER2PEERPUSH", "SUCCESS", "REMOTE_CONNECTION_ERROR", "the capture's peer is not here"},
};

const Difference* Deliberate(const std::string& request, const std::string& simulator,
                             const std::string& ours) {
  for (const Difference& d : kDifferences) {
    if (request == d.request && simulator == d.simulator && ours == d.ours) return &d;
  }
  return nullptr;
}

struct Case {
  std::string name;
  int64_t connection_id = 0;
  int64_t cluster_version = 0;  // of the simulator's greeting
  std::vector<json> requests;
  std::map<uint64_t, json> answers;  // by ackSequence
};

std::vector<Case> ReadCases() {
  std::ifstream file(absl::StrCat(KBENCH_SOURCE_DIR, "/tests/data/kinetic/vectors.jsonl"));
  EXPECT_TRUE(file.good());
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    const json pdu = json::parse(line);
    if (!pdu.contains("expect")) continue;
    const std::string name = pdu["case"];
    if (cases.empty() || cases.back().name != name) cases.push_back({.name = name});
    cases.back().connection_id =
        std::max(cases.back().connection_id, pdu["expect"].value("connectionID", int64_t{0}));
    if (pdu["dir"] == "C") {
      cases.back().requests.push_back(pdu);
    } else if (pdu["n"] == 0) {
      cases.back().cluster_version = pdu["expect"].value("clusterVersion", int64_t{0});
    } else if (pdu["expect"].contains("ackSequence")) {
      cases.back().answers[pdu["expect"]["ackSequence"].get<uint64_t>()] = pdu;
    }
  }
  std::stable_sort(cases.begin(), cases.end(),
                   [](const Case& a, const Case& b) { return a.connection_id < b.connection_id; });
  return cases;
}

// The captured request as our own client on this connection would send it.
std::string Rewrite(const json& pdu, int64_t connection_id, std::string* value) {
  const std::string bytes =
      absl::HexStringToBytes(pdu.value("hex", pdu.value("head_hex", std::string())));
  const size_t message_size = pdu["protoLen"];
  const std::string message = bytes.substr(kinetic::kFrameHeaderSize, message_size);
  const size_t value_size = pdu["valueLen"];
  *value = bytes.substr(std::min(bytes.size(), kinetic::kFrameHeaderSize + message_size));
  value->resize(value_size, 'v');  // of long values only a digest was kept
  kinetic::Decoder decoder;
  EXPECT_TRUE(decoder.Decode(AsBytes(message)).ok());
  kinetic::Command command = decoder.message().command;
  command.header.connection_id = connection_id;
  const bool hmac_good = pdu["expect"].value("hmac_ok", true);
  const int64_t identity = pdu["expect"]["identity"];
  const std::string key = !hmac_good ? "wrong" : identity == 2 ? "secret2" : "asdfasdf";
  return RequestBytes(command, identity, key, *value);
}

TEST(VectorReplay, AnswersRealClientsAsTheSimulatorDidExceptWhereListed) {
  DeskFixture fixture;
  // What was done over TLS before, and not captured: identity 2 may read keys that begin with
  // "foo".
  Device::State state = fixture.device.state();
  auto second = std::make_shared<Identity>("secret2");
  second->scopes = {{.value = "foo", .permissions = {kinetic::Permission::kRead}}};
  state.access.Set(2, std::move(second));
  ASSERT_TRUE(fixture.device.Change(state).ok());
  int compared = 0, deliberate = 0, unanswered = 0, values = 0;
  std::set<std::string> types_that_agreed;
  std::set<const Difference*> differences_seen;
  const std::vector<Case> cases = ReadCases();
  ASSERT_GT(cases.size(), 40u);
  int64_t connection_id = 1'000'000;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    state = fixture.device.state();
    state.cluster_version = c.cluster_version;  // not all changes of it were captured
    ASSERT_TRUE(fixture.device.Change(state).ok());
    Talk talk(&fixture, ++connection_id);
    for (const json& request : c.requests) {
      const std::string type = request["expect"].value("messageType", "none");
      std::string value;
      const std::vector<Answer> answers = talk.Send(Rewrite(request, connection_id, &value));
      const uint64_t sequence = request["expect"].value("sequence", uint64_t{0});
      const auto at = c.answers.find(sequence);
      if (at == c.answers.end()) {
        EXPECT_TRUE(request["expect"].contains("batchID")) << type;
        EXPECT_TRUE(answers.empty()) << "inside a batch nothing is answered";
        ++unanswered;
        continue;
      }
      ASSERT_EQ(answers.size(), 1u) << type;
      EXPECT_EQ(answers[0].ack_sequence, sequence);
      const json& theirs = at->second["expect"];
      const std::string status = theirs["status"];
      const std::string ours = Name(answers[0].status);
      EXPECT_EQ(Name(answers[0].type.value_or(MessageType::kInvalid)), theirs["messageType"]);
      if (const Difference* difference = Deliberate(type, status, ours)) {
        differences_seen.insert(difference);
        ++deliberate;
        continue;
      }
      ++compared;
      EXPECT_EQ(ours, status) << type << " with sequence " << sequence;
      if (ours != status) continue;
      types_that_agreed.insert(type);
      // What does not depend on a batch having been executed must agree in content too.
      if (theirs.contains("keyValue") && status == "SUCCESS") {
        const json& kv = theirs["keyValue"];
        if (kv.contains("key")) {
          EXPECT_EQ(absl::BytesToHexString(answers[0].key.value_or("?")), kv["key"]);
        }
        if (kv.contains("dbVersion")) {
          EXPECT_EQ(absl::BytesToHexString(answers[0].db_version.value_or("?")), kv["dbVersion"]);
        }
        if (kv.contains("tag")) {
          EXPECT_EQ(absl::BytesToHexString(answers[0].tag.value_or("?")), kv["tag"]);
        }
        if (kv.contains("algorithm")) {
          EXPECT_EQ(answers[0].algorithm, kv["algorithm"].get<int32_t>());
        }
      }
      if (type != "GETLOG") {
        EXPECT_EQ(answers[0].value.size(), at->second["valueLen"].get<size_t>()) << type;
        values += !answers[0].value.empty();
      }
    }
  }
  EXPECT_GT(compared, 60);
  EXPECT_GT(values, 5);
  EXPECT_GT(unanswered, 5);
  for (const char* type : {"NOOP", "PUT", "GET", "DELETE", "GETVERSION", "GETNEXT", "GETPREVIOUS",
                           "GETKEYRANGE", "FLUSHALLDATA", "GETLOG", "START_BATCH", "END_BATCH",
                           "ABORT_BATCH", "SETUP", "MEDIASCAN"}) {
    EXPECT_TRUE(types_that_agreed.count(type)) << type;
  }
  for (const Difference& d : kDifferences) {
    EXPECT_TRUE(differences_seen.count(&d)) << d.request << " differs no more: " << d.why;
  }
  RecordProperty("compared", compared);
  RecordProperty("deliberate", deliberate);
}

}  // namespace
}  // namespace kbench::server
