#include "client/conform/pattern.h"

#include <span>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kbench::conform {
namespace {

using Words = std::span<const absl::string_view>;

bool ChoiceMatches(absl::string_view choice, absl::string_view word) {
  if (absl::ConsumeSuffix(&choice, "*")) return absl::StartsWith(word, choice);
  return choice == word;
}

bool OutcomeMatches(Words pattern, Words text) {
  if (pattern.empty()) return text.empty();
  absl::string_view word = pattern.front();
  const Words rest = pattern.subspan(1);
  if (word == "...") {
    for (size_t skipped = 0; skipped <= text.size(); ++skipped) {
      if (OutcomeMatches(rest, text.subspan(skipped))) return true;
    }
    return false;
  }
  const bool optional = absl::ConsumePrefix(&word, "?");
  if (!text.empty() &&
      absl::c_any_of(
          absl::StrSplit(word, '|'),
          [&](absl::string_view choice) { return ChoiceMatches(choice, text.front()); }) &&
      OutcomeMatches(rest, text.subspan(1))) {
    return true;
  }
  return optional && OutcomeMatches(rest, text);
}

}  // namespace

bool Matches(absl::string_view pattern, absl::string_view text) {
  const std::vector<absl::string_view> came = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (const absl::string_view outcome : absl::StrSplit(pattern, " or ")) {
    const std::vector<absl::string_view> words = absl::StrSplit(outcome, ' ', absl::SkipEmpty());
    if (OutcomeMatches(words, came)) return true;
  }
  return false;
}

}  // namespace kbench::conform
