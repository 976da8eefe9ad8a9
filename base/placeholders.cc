#include "base/placeholders.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

absl::StatusOr<std::string> FillIn(absl::string_view argument, const Words& words) {
  std::string out;
  for (size_t i = 0; i < argument.size(); ++i) {
    const char c = argument[i];
    const bool twice = i + 1 < argument.size() && argument[i + 1] == c;
    if ((c != '{' && c != '}') || twice) {
      out.push_back(c);
      i += twice && (c == '{' || c == '}');
      continue;
    }
    const size_t end = c == '{' ? argument.find('}', i) : absl::string_view::npos;
    if (end == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", argument, "' has a brace without its other; a brace is written twice"));
    }
    const absl::string_view name = argument.substr(i + 1, end - i - 1);
    const auto word = std::find_if(words.begin(), words.end(),
                                   [name](const auto& pair) { return pair.first == name; });
    if (word == words.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", argument, "': {", name, "} is no placeholder; there are ",
          absl::StrJoin(words, ", ",
                        [](std::string* s, const auto& pair) { absl::StrAppend(s, pair.first); })));
    }
    out += word->second;
    i = end;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FillIn(const std::vector<std::string>& arguments,
                                                const Words& words) {
  std::vector<std::string> filled;
  for (const std::string& argument : arguments) {
    ASSIGN_OR_RETURN(filled.emplace_back(), FillIn(absl::string_view(argument), words));
  }
  return filled;
}

}  // namespace kbench
