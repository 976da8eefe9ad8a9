#include "controller/store/selftest_record.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/digest.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "controller/store/result_store.h"

namespace kbench {
namespace {

constexpr absl::string_view kDirectory = "selftests";

std::string PathOf(const std::string& results_dir, absl::string_view fleet) {
  return absl::StrCat(results_dir, "/", kDirectory, "/", PathComponent(fleet), ".json");
}

}  // namespace

std::string SelftestRecord::Sentence() const {
  return absl::StrCat(
      passed ? "passed" : "FAILED", " on ", ended_utc, ": ", responses,
      " responses to known delays, ", wrong == 0 ? "all right" : absl::StrCat(wrong, " wrong"),
      " (kbench ", version, ")",
      not_tested.empty() ? "" : absl::StrCat("; not tested: ", absl::StrJoin(not_tested, "; ")));
}

std::string FleetKey(std::vector<std::string> agents, bool local) {
  if (local) {
    std::array<char, 256> name = {};
    gethostname(name.data(), name.size() - 1);
    return absl::StrCat("local-", name.data());
  }
  std::sort(agents.begin(), agents.end());
  const std::string joined = absl::StrJoin(agents, ",");
  // Short fleets keep their names; long ones are told apart by a digest.
  constexpr size_t kReadable = 100;
  if (joined.size() <= kReadable) return joined;
  return absl::StrCat(joined.substr(0, kReadable / 2), "-", Sha256Hex(joined).substr(0, 16));
}

absl::Status StoreSelftest(const std::string& results_dir, const SelftestRecord& record) {
  nlohmann::ordered_json json;
  json["schema"] = 1;
  json["fleet"] = record.fleet;
  json["passed"] = record.passed;
  json["ended_utc"] = record.ended_utc;
  json["version"] = record.version;
  json["responses"] = record.responses;
  json["wrong"] = record.wrong;
  json["not_tested"] = record.not_tested;
  json["details"] = nlohmann::ordered_json::parse(record.details, nullptr, false);
  RETURN_IF_ERROR(MakeDirectories(absl::StrCat(results_dir, "/", kDirectory)));
  return ReplaceDurably(PathOf(results_dir, record.fleet),
                        json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::optional<SelftestRecord> LoadSelftest(const std::string& results_dir,
                                           absl::string_view fleet) {
  const absl::StatusOr<std::string> text = ReadFile(PathOf(results_dir, fleet));
  if (!text.ok()) return std::nullopt;
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("schema", 0) != 1) return std::nullopt;
  SelftestRecord record;
  try {
    record.fleet = json.at("fleet").get<std::string>();
    record.passed = json.at("passed").get<bool>();
    record.ended_utc = json.at("ended_utc").get<std::string>();
    record.version = json.at("version").get<std::string>();
    record.responses = json.at("responses").get<int>();
    record.wrong = json.at("wrong").get<int>();
    record.not_tested = json.value("not_tested", std::vector<std::string>());
    record.details = json.at("details").dump();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // somebody else's file
  }
  // Two long fleets may share a file's name.
  if (record.fleet != fleet) return std::nullopt;
  return record;
}

}  // namespace kbench
