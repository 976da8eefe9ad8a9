#include "controller/campaign/field_kinds.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/suggestion.h"

namespace kbench {

absl::Status Refuse(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' ", why));
}

CampaignField Choice(std::string path, std::string axis, const std::vector<std::string>& words,
                     std::string Settings::*member) {
  CampaignField field{.path = std::move(path), .axis = std::move(axis)};
  field.expects = absl::StrCat("one of ", absl::StrJoin(words, ", "));
  field.apply = [words, member](absl::string_view text, Settings* s) -> Text {
    if (std::find(words.begin(), words.end(), text) == words.end()) {
      const std::string near = NearestWord(text, words);
      return Refuse(text, near.empty() ? "is none of them"
                                       : absl::StrCat("is unknown; did you mean '", near, "'?"));
    }
    s->*member = std::string(text);
    return std::string(text);
  };
  field.show = [member](const Settings& s) { return s.*member; };
  return field;
}

CampaignField Count(std::string path, std::string axis, int64_t low, int64_t high,
                    int64_t Settings::*member) {
  CampaignField field{.path = std::move(path), .axis = std::move(axis)};
  field.expects = absl::StrCat("a whole number from ", low, " to ", high);
  field.apply = [low, high, member](absl::string_view text, Settings* s) -> Text {
    int64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) return Refuse(text, "is not a whole number");
    if (value < low || value > high) return Refuse(text, "is out of range");
    s->*member = value;
    return absl::StrCat(value);
  };
  field.show = [member](const Settings& s) { return absl::StrCat(s.*member); };
  return field;
}

CampaignField Size(std::string path, std::string axis, int64_t low, int64_t high,
                   int64_t Settings::*member) {
  CampaignField field{.path = std::move(path), .axis = std::move(axis)};
  field.expects =
      absl::StrCat("a size from ", FormatSize(low), " to ", FormatSize(high), ", like 4KiB");
  field.apply = [low, high, member](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(const int64_t value, ParseSize(text));
    if (value < low || value > high) return Refuse(text, "is out of range");
    s->*member = value;
    return FormatSize(value);
  };
  field.show = [member](const Settings& s) { return FormatSize(s.*member); };
  return field;
}

CampaignField Duration(std::string path, std::string axis, Nanos low, Nanos high,
                       Nanos Settings::*member) {
  CampaignField field{.path = std::move(path), .axis = std::move(axis)};
  field.expects = absl::StrCat("a duration from ", FormatDuration(low), " to ",
                               FormatDuration(high), ", like 500ms");
  field.apply = [low, high, member](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(const Nanos value, ParseDuration(text));
    if (value < low || value > high) return Refuse(text, "is out of range");
    s->*member = value;
    return FormatDuration(value);
  };
  field.show = [member](const Settings& s) { return FormatDuration(s.*member); };
  return field;
}

CampaignField Rate(std::string path, std::string axis, RateProfile Settings::*member) {
  CampaignField field{.path = std::move(path), .axis = std::move(axis)};
  field.expects =
      "operations per second, like 5k/s, above 0 and at most 10M/s; or '1k/s to 5k/s' (ramp), or "
      "'1k/s for 2s then 5k/s for 3s' (steps)";
  field.apply = [member](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(s->*member, RateProfile::Parse(text));
    return (s->*member).ToString();
  };
  field.show = [member](const Settings& s) { return (s.*member).ToString(); };
  return field;
}

CampaignField FreeText(std::string path, std::string axis, std::string expects,
                       std::string Settings::*member) {
  CampaignField field{
      .path = std::move(path), .axis = std::move(axis), .expects = std::move(expects)};
  field.apply = [member](absl::string_view text, Settings* s) -> Text {
    s->*member = std::string(text);
    return std::string(text);
  };
  field.show = [member](const Settings& s) { return s.*member; };
  return field;
}

CampaignField Once(CampaignField field) {
  field.may_sweep = false;
  return field;
}

CampaignField Flag(std::string path, std::string axis, bool Settings::*member) {
  CampaignField field{
      .path = std::move(path), .axis = std::move(axis), .expects = "one of true, false"};
  field.apply = [member](absl::string_view text, Settings* s) -> Text {
    if (text != "true" && text != "false") return Refuse(text, "is neither");
    s->*member = text == "true";
    return std::string(text);
  };
  field.show = [member](const Settings& s) -> std::string { return s.*member ? "true" : "false"; };
  return field;
}

}  // namespace kbench
