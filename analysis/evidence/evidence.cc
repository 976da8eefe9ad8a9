#include "analysis/evidence/evidence.h"

#include "absl/strings/str_join.h"

namespace kbench::analysis {

absl::string_view Name(RunStatus status) {
  switch (status) {
    case RunStatus::kComplete:
      return "complete";
    case RunStatus::kDegraded:
      return "degraded";
    case RunStatus::kAborted:
      return "aborted";
    case RunStatus::kFailed:
      break;
  }
  return "failed";
}

absl::string_view Name(Pass pass) {
  switch (pass) {
    case Pass::kBare:
      return "bare";
    case Pass::kSampled:
      return "sampled";
    case Pass::kFull:
      return "full";
  }
  return "";
}

std::string CellInfo::Label() const {
  if (levels.empty()) return "all";
  return absl::StrJoin(levels, ",", [](std::string* out, const Level& level) {
    absl::StrAppend(out, level.axis, "=", level.value);
  });
}

}  // namespace kbench::analysis
