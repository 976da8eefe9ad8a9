#include "analysis/evidence.h"

#include "absl/strings/str_join.h"

namespace kbench::analysis {

std::string CellInfo::Label() const {
  if (levels.empty()) return "all";
  return absl::StrJoin(levels, ",", [](std::string* out, const Level& level) {
    absl::StrAppend(out, level.axis, "=", level.value);
  });
}

}  // namespace kbench::analysis
