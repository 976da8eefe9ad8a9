// Enough of HTML to say whether a page is well-formed and what it would fetch: tags that nest,
// attributes in double quotes, character references that end. Stricter than browsers on purpose.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench::analysis {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;         // directly inside, references not resolved
  std::string all_text;     // its descendants' as well
  std::vector<int> inside;  // indexes of the enclosing elements, outermost first
  size_t at = 0;            // byte offset of its tag in the page
};

// All elements in the order of their tags, or the first thing that is wrong, with its place.
absl::StatusOr<std::vector<Element>> ParsePage(absl::string_view page);

}  // namespace kbench::analysis
