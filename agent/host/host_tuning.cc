#include "agent/host/host_tuning.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kbench {
namespace {

using Json = nlohmann::json;

constexpr size_t kRecordMax = 1 << 20;
constexpr size_t kSettingsMax = 4096;  // some for each interrupt of a large host
constexpr size_t kValueMax = 256;

// At most `max` bytes and whether there were more.
std::string ReadAtMost(std::istream& in, size_t max, bool* more) {
  std::string text(max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  *more = text.size() > max;
  if (*more) text.resize(max);
  return text;
}

bool MayRead(absl::string_view setting) {
  constexpr std::array<absl::string_view, 3> kPlaces = {"/proc/sys/", "/proc/irq/",
                                                        "/sys/devices/system/cpu/"};
  return !absl::StrContains(setting, "..") &&
         std::any_of(kPlaces.begin(), kPlaces.end(),
                     [&](absl::string_view place) { return absl::StartsWith(setting, place); });
}

std::string ValueNow(const std::string& root, const std::string& setting) {
  if (!MayRead(setting)) return "";
  std::ifstream in(root + setting);
  bool more = false;
  const std::string text = ReadAtMost(in, kValueMax, &more);
  return more ? "" : std::string(absl::StripAsciiWhitespace(text));
}

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

HostTuning Unreadable(std::string problem) {
  return {.state = HostTuning::kUnreadable, .problem = std::move(problem)};
}

HostTuning Parse(const Json& record, const std::string& root) {
  if (!record.is_object()) return Unreadable("it holds no JSON object");
  HostTuning tuning = {.state = Text(record, "state"), .changed_at = Text(record, "changed_at")};
  if (tuning.state != HostTuning::kTuned && tuning.state != HostTuning::kUntuned) {
    return Unreadable("its `state` is neither tuned nor untuned");
  }
  const auto settings = record.find("settings");
  if (settings == record.end() || !settings->is_array()) {
    return Unreadable("it has no list `settings`");
  }
  if (settings->size() > kSettingsMax) {
    return Unreadable(absl::StrCat("it has ", settings->size(), " settings"));
  }
  for (const Json& entry : *settings) {
    if (!entry.is_object() || Text(entry, "setting").empty()) {
      return Unreadable("an entry of `settings` names no setting");
    }
    const std::string setting = Text(entry, "setting");
    tuning.settings.push_back({.setting = setting,
                               .status = Text(entry, "status"),
                               .wanted = Text(entry, "wanted"),
                               .before = Text(entry, "before"),
                               .now = ValueNow(root, setting),
                               .reason = Text(entry, "reason")});
  }
  return tuning;
}

}  // namespace

bool SameSetting(absl::string_view one, absl::string_view other) {
  const auto words = [](absl::string_view text) -> std::vector<absl::string_view> {
    return absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  };
  return words(one) == words(other);
}

bool TunedSetting::Undone() const {
  if (now.empty()) return false;
  if (status == "applied" || status == "already") return !SameSetting(now, wanted);
  return false;
}

HostTuning ReadHostTuning(const std::string& record, const std::string& root) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(record, error);
  if (status.type() == std::filesystem::file_type::not_found) return {};
  if (status.type() == std::filesystem::file_type::none) return Unreadable(error.message());
  // A pipe or a device would keep the reader waiting.
  if (!std::filesystem::is_regular_file(status)) return Unreadable("it is no file");
  errno = 0;
  std::ifstream in(record);
  if (!in) return Unreadable(std::strerror(errno));
  bool more = false;
  const std::string text = ReadAtMost(in, kRecordMax, &more);
  if (more) return Unreadable(absl::StrCat("it is longer than ", kRecordMax, " bytes"));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? Unreadable("it is not JSON") : Parse(json, root);
}

}  // namespace kbench
