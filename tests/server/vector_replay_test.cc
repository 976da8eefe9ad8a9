// Replays what real clients sent to the kinetic-java simulator, in the order in which it was
// captured, and compares our whole answers with the simulator's: every field that is there, in
// either, whoever thought of it (wire_answer.h). connectionID and HMAC are rewritten; sequences are
// the clients' own. A wrong HMAC stays wrong. The file is sorted by name; the order of capture, on
// which the contents of the store depend, is that of the simulator's connectionIDs, which are
// milliseconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "kinetic/frame.h"
#include "server/rocks_store.h"
#include "tests/e2e/process.h"
#include "tests/server/desk_fixture.h"
#include "tests/server/wire_answer.h"

namespace kbench::server {
namespace {

using kinetic::MessageType;
using nlohmann::json;

constexpr absl::string_view kAbsent = "absent";
constexpr absl::string_view kWhatever = "?";  // there or not
constexpr absl::string_view kAny = "*";       // there; also: what a rule below takes for the same

// Where we differ on purpose. Everything else must agree, and what differs no more must go.
struct Difference {
  absl::string_view request;  // its type, or GREETING
  absl::string_view path;     // of the field, below getLog without kLog; "x*": all below x
  absl::string_view simulator;
  absl::string_view ours;
  const char* why;
  bool simulator_too = false;  // also in the dialect that imitates it
};
constexpr absl::string_view kLog = "command.body.getLog.";
constexpr Difference kDifferences[] = {
    {"GREETING", "limits.maxPinSize", kAbsent, kAny, "it is enforced, so it is told"},
    {"GREETING", "limits.maxBatchSize", kAbsent, kAny, "protocol 3.1.1; enforced, so told"},
    {"GREETING", "limits.maxDeletesPerBatch", kAbsent, kAny, "protocol 3.1.1; enforced, so told"},
    {"GREETING", "configuration.currentPowerLevel", kAbsent, kAny, "protocol 3.1.0"},
    {"GETLOG", "limits.maxPinSize", kAbsent, kAny, "as in the greeting"},
    {"GETLOG", "limits.maxBatchSize", kAbsent, kAny, "as in the greeting"},
    {"GETLOG", "limits.maxDeletesPerBatch", kAbsent, kAny, "as in the greeting"},
    {"GETLOG", "configuration.currentPowerLevel", kAbsent, kAny, "as in the greeting"},
    {"GETLOG", "temperatures.minimum", kAny, kAbsent, "no number is made up", true},
    {"GETLOG", "temperatures.maximum", kAny, kAbsent, "no number is made up", true},
    {"GETLOG", "temperatures.target", kAny, kAbsent, "no number is made up", true},
    {"PUT", "command.status.statusMessage", "\"\"", kAny, "a version that is refused says why"},
    {"DELETE", "command.status.statusMessage", "\"\"", kAny, "a version that is refused says why"},
    {"MEDIASCAN", "command.body.range.endKey", "\"z\"", "\"vk\"",
     "the last key that was looked at, as the vendor's server tells it; the simulator repeats the "
     "request's"},
    {"PEER2PEERPUSH", "command.*", kWhatever, kWhatever,
     "the capture's peer is not here: it cannot be reached", true},
};

// What must differ, and says nothing: its presence is compared all the same.
std::string Normal(absl::string_view path, const std::string& value) {
  if (path == "command.header.connectionID") return std::string(kAny);
  // Each server has words of its own; whether it has any is compared.
  if (path == "command.status.statusMessage" && value != "\"\"") return std::string(kAny);
  // What a host says of itself.
  if (absl::StartsWith(path, "command.body.getLog.") &&
      !absl::StartsWith(path, "command.body.getLog.types")) {
    return std::string(kAny);
  }
  return value;
}

// Lists in which every host has entries of its own: which fields the entries have is compared.
std::string WithoutIndex(absl::string_view path) {
  if (!absl::StartsWith(path, "command.body.getLog.") ||
      absl::StartsWith(path, "command.body.getLog.types")) {
    return std::string(path);
  }
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) out += c;
    if (c == ']') inside = false;
  }
  return out;
}

// Whether it is there depends on the host: a sensor, a second interface.
bool OfTheHost(absl::string_view path) {
  return path == "command.body.getLog.temperatures.current" ||
         absl::StartsWith(path, "command.body.getLog.configuration.interface.");
}

WireFields Normalised(const WireFields& fields) {
  WireFields out;
  for (const auto& [path, value] : fields) {
    const std::string at = WithoutIndex(path);
    if (!OfTheHost(at)) out[at] = Normal(at, value);
  }
  return out;
}

// What the file holds.
constexpr int kAnswered = 91;
constexpr int kUnanswered = 10;

struct Case {
  std::string name;
  int64_t connection_id = 0;
  int64_t cluster_version = 0;  // of the simulator's greeting
  json greeting;
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
      cases.back().greeting = pdu;
    } else if (pdu["expect"].contains("ackSequence")) {
      cases.back().answers[pdu["expect"]["ackSequence"].get<uint64_t>()] = pdu;
    }
  }
  std::stable_sort(cases.begin(), cases.end(),
                   [](const Case& a, const Case& b) { return a.connection_id < b.connection_id; });
  return cases;
}

constexpr absl::string_view kKeys[] = {"asdfasdf", "secret2"};  // of identities 1 and 2

std::string BytesOf(const json& pdu) {
  return absl::HexStringToBytes(pdu.value("hex", pdu.value("head_hex", std::string())));
}

// What the simulator answered, in the fields of wire_answer.h.
WireFields TheirFields(const json& pdu) {
  const std::string bytes = BytesOf(pdu);
  const size_t size = pdu["protoLen"];
  EXPECT_EQ(bytes.size(), kinetic::kFrameHeaderSize + size + pdu["valueLen"].get<size_t>());
  const absl::string_view all = bytes;
  const int64_t identity = pdu["expect"].value("identity", int64_t{1});
  return FieldsOf(AsBytes(all.substr(kinetic::kFrameHeaderSize, size)),
                  AsBytes(all.substr(kinetic::kFrameHeaderSize + size)), kKeys[identity - 1]);
}

// The captured request as our own client on this connection would send it.
std::string Rewrite(const json& pdu, int64_t connection_id, std::string* value) {
  const std::string bytes = BytesOf(pdu);
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
  const std::string key(hmac_good ? kKeys[identity - 1] : "wrong");
  return RequestBytes(command, identity, key, *value);
}

// One server, and what came of comparing it.
class Replay {
 public:
  Replay(std::unique_ptr<Store> store, const Dialect& dialect)
      : fixture_(std::move(store), dialect) {
    // What was done over TLS before, and not captured: identity 2 may read keys that begin with
    // "foo".
    Device::State state = fixture_.device.state();
    auto second = std::make_shared<Identity>("secret2");
    second->scopes = {{.value = "foo", .permissions = {kinetic::Permission::kRead}}};
    state.access.Set(2, std::move(second));
    EXPECT_TRUE(fixture_.device.Change(state).ok());
    fixture_.logs.set_ports(8123, 8443);
  }

  void Run(const std::vector<Case>& cases) {
    int64_t connection_id = 1'000'000;
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      Device::State state = fixture_.device.state();
      state.cluster_version = c.cluster_version;  // not all changes of it were captured
      ASSERT_TRUE(fixture_.device.Change(state).ok());
      Talk talk(&fixture_, ++connection_id);
      if (!c.greeting.is_null()) Compare("GREETING", c.greeting, talk.greeting());
      for (const json& request : c.requests) One(c, request, connection_id, &talk);
    }
  }

  // Every difference of the table was met; prints what was compared.
  void Conclude() const {
    std::cout << "compared " << answers_ << " whole answers, " << fields_ << " fields\n";
    for (const Difference& d : kDifferences) {
      if (!Listed(d)) continue;
      const auto it = seen_.find(&d);
      EXPECT_TRUE(it != seen_.end()) << d.request << " " << d.path << " differs no more: " << d.why;
      std::cout << "deliberate, " << (it == seen_.end() ? 0 : it->second) << " times: " << d.request
                << " " << d.path << ", simulator " << d.simulator << ", ours " << d.ours << ": "
                << d.why << "\n";
    }
  }
  int answers() const { return answers_; }
  int fields() const { return fields_; }
  int unanswered() const { return unanswered_; }
  int values() const { return values_; }
  const std::set<std::string>& types() const { return types_; }

 private:
  void One(const Case& c, const json& request, int64_t connection_id, Talk* talk) {
    const std::string type = request["expect"].value("messageType", "none");
    std::string value;
    const std::string bytes = Rewrite(request, connection_id, &value);
    const int64_t identity = request["expect"]["identity"];
    talk->SignAs(identity, std::string(kKeys[identity - 1]));
    const std::vector<Answer> answers = talk->Send(bytes);
    const uint64_t sequence = request["expect"].value("sequence", uint64_t{0});
    const auto at = c.answers.find(sequence);
    if (at == c.answers.end()) {
      EXPECT_TRUE(request["expect"].contains("batchID")) << type;
      EXPECT_TRUE(answers.empty()) << "inside a batch nothing is answered";
      ++unanswered_;
      return;
    }
    ASSERT_EQ(answers.size(), 1u) << type;
    Compare(type, at->second, answers[0]);
    types_.insert(type);
  }

  void Compare(const std::string& request, const json& pdu, const Answer& answer) {
    const int64_t identity = pdu["expect"].value("identity", int64_t{1});
    const WireFields theirs = Normalised(TheirFields(pdu));
    const WireFields ours =
        Normalised(FieldsOf(AsBytes(answer.message), AsBytes(answer.value), kKeys[identity - 1]));
    ++answers_;
    values_ += ours.contains("value");
    std::set<std::string> paths;
    for (const auto& [path, value] : theirs) paths.insert(path);
    for (const auto& [path, value] : ours) paths.insert(path);
    for (const std::string& path : paths) {
      const auto of = [&path](const WireFields& fields) {
        const auto it = fields.find(path);
        return it == fields.end() ? std::string(kAbsent) : it->second;
      };
      ++fields_;
      if (of(theirs) == of(ours)) continue;
      const Difference* known = Known(request, path, of(theirs), of(ours));
      if (known != nullptr) {
        ++seen_[known];
        continue;
      }
      ADD_FAILURE() << request << ": " << path << " is " << of(theirs) << " in the simulator's and "
                    << of(ours) << " in our answer\n  theirs: " << Summary(TheirFields(pdu), true)
                    << "\n  ours:   "
                    << Summary(FieldsOf(AsBytes(answer.message), AsBytes(answer.value),
                                        kKeys[identity - 1]),
                               true);
    }
  }

  bool Listed(const Difference& difference) const {
    return difference.simulator_too || &fixture_.dialect == &KbenchDialect();
  }

  const Difference* Known(absl::string_view request, absl::string_view path,
                          absl::string_view theirs, absl::string_view ours) const {
    const auto same = [](absl::string_view listed, absl::string_view met) {
      return listed == kAny ? met != kAbsent : listed == kWhatever || listed == met;
    };
    absl::ConsumePrefix(&path, kLog);
    for (const Difference& d : kDifferences) {
      const bool prefix = absl::EndsWith(d.path, "*");
      const bool at =
          prefix ? absl::StartsWith(path, d.path.substr(0, d.path.size() - 1)) : path == d.path;
      if (Listed(d) && d.request == request && at && same(d.simulator, theirs) &&
          same(d.ours, ours))
        return &d;
    }
    return nullptr;
  }

  DeskFixture fixture_;
  int answers_ = 0, fields_ = 0, unanswered_ = 0, values_ = 0;
  std::set<std::string> types_;
  std::map<const Difference*, int> seen_;
};

void ExpectTheSimulatorsAnswers(std::unique_ptr<Store> store,
                                const Dialect& dialect = KbenchDialect()) {
  const std::vector<Case> cases = ReadCases();
  ASSERT_GT(cases.size(), 40u);
  Replay replay(std::move(store), dialect);
  replay.Run(cases);
  replay.Conclude();
  // 44 greetings, and every request that is answered.
  EXPECT_EQ(replay.answers(), 44 + kAnswered);
  EXPECT_EQ(replay.unanswered(), kUnanswered);
  EXPECT_GT(replay.fields(), 1500);
  EXPECT_GT(replay.values(), 5);
  for (const char* type : {"NOOP", "PUT", "GET", "DELETE", "GETVERSION", "GETNEXT", "GETPREVIOUS",
                           "GETKEYRANGE", "FLUSHALLDATA", "GETLOG", "START_BATCH", "END_BATCH",
                           "ABORT_BATCH", "SETUP", "MEDIASCAN", "PEER2PEERPUSH"}) {
    EXPECT_TRUE(replay.types().contains(type)) << type;
  }
}

TEST(VectorReplay, WholeAnswersFromMemoryAreTheSimulatorsExceptWhereListed) {
  ExpectTheSimulatorsAnswers(std::make_unique<MemoryStore>());
}

TEST(VectorReplay, TheDialectSimulatorDiffersOnlyByWhatThisHostIs) {
  ExpectTheSimulatorsAnswers(std::make_unique<MemoryStore>(), *FindDialect("simulator"));
}

TEST(VectorReplay, WholeAnswersFromRocksdbAreTheSimulatorsExceptWhereListed) {
  const e2e::TempDir dir;
  absl::StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(dir.path() + "/db");
  ASSERT_TRUE(store.ok()) << store.status();
  ExpectTheSimulatorsAnswers(*std::move(store));
}

}  // namespace
}  // namespace kbench::server
