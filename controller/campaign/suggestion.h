// "did you mean": the nearest of the words that would have been right.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench {

// Insertions, deletions, substitutions and swaps of neighbours (Damerau's restricted distance).
int EditDistance(absl::string_view a, absl::string_view b);

// The candidate nearest to `word`, or empty when none is near enough to be a slip of the fingers:
// at most a third of the word's length, and at least one edit, away.
std::string NearestWord(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace kbench
