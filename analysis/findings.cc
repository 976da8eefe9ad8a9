#include "analysis/findings.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/bracket.h"
#include "analysis/caveats.h"
#include "analysis/saturation.h"
#include "analysis/verdicts.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

constexpr double kWorthNaming = 0.10;  // of the mean response

void CollectSuspects(const result::RunResult& agent, std::set<std::string>* codes) {
  for (const result::Caveat& caveat : agent.caveats()) {
    if (MakesSuspect(caveat.code())) codes->insert(caveat.code());
  }
}

std::string Validity(const CellOp& row) {
  std::set<std::string> codes;
  for (const auto* runs : {&row.runs, &row.parts_runs}) {
    for (const AnalysedRun* run : *runs) {
      for (const result::RunResult& agent : run->evidence->agents) CollectSuspects(agent, &codes);
      for (const result::Caveat& caveat : run->evidence->caveats) {
        if (MakesSuspect(caveat.code())) codes.insert(caveat.code());
      }
    }
  }
  for (const ProbeCost& cost : row.costs) {
    if (cost.pass == row.parts_pass && !cost.perturbed.empty()) codes.insert("pass_perturbed");
  }
  if (codes.empty()) return "";
  return absl::StrCat("use with care: ", absl::StrJoin(codes, ", "));
}

// Who limits a connection whose requests stand behind its own earlier bytes.
std::string LimiterOf(const Saturation& saturation, const CellOp& row) {
  if (saturation.bottleneck == Resource::kLinkOut) return "charged to the link, which is saturated";
  if (saturation.bottleneck == Resource::kServer) {
    return "charged to the server, which is saturated";
  }
  double limited = 0, busy = 0;
  for (const AnalysedRun* run : row.runs) {
    for (const result::RunResult& agent : run->evidence->agents) {
      limited += static_cast<double>(agent.tcp().receive_window_limited_ns());
      busy += static_cast<double>(agent.tcp().busy_ns());
    }
  }
  if (busy > 0 && limited / busy > kWindowLimited) {
    return absl::StrFormat(
        "charged to the server's receive window, which was full for %.0f %% of "
        "the connections' busy time: it reads too slowly",
        100 * limited / busy);
  }
  return "who limits the connection is not known: no measured rate of the path says that it is "
         "full";
}

std::string Causes(const Saturation& saturation, const CellOp& row) {
  std::vector<std::string> named;
  for (const CellPart& cause : row.causes) {
    if (cause.share.value < kWorthNaming) continue;
    std::string text = absl::StrFormat("%s %.1f %%", cause.name, 100 * cause.share.value);
    if (cause.share.interval) {
      absl::StrAppendFormat(&text, " [%.1f, %.1f]", 100 * cause.share.interval->low,
                            100 * cause.share.interval->high);
    }
    if (cause.name == "backlog") {
      absl::StrAppend(
          &text, " (behind earlier bytes of its own connection: ", LimiterOf(saturation, row), ")");
    }
    named.push_back(std::move(text));
  }
  if (named.empty()) return "";
  return absl::StrCat("by cause: ", absl::StrJoin(named, ", "));
}

}  // namespace

absl::string_view Name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kValidity:
      return "validity";
    case FindingKind::kSaturation:
      return "saturation";
    case FindingKind::kCause:
      return "cause";
    case FindingKind::kShares:
      return "shares";
    case FindingKind::kBracket:
      return "bracket";
  }
  return "";
}

std::vector<Finding> FindingsOf(const CampaignAnalysis& analysis, const CellOp& row) {
  const Saturation saturation = SaturationOf(analysis, row);
  std::vector<Finding> findings;
  const auto add = [&](FindingKind kind, std::string sentence) {
    if (!sentence.empty()) findings.push_back({kind, std::move(sentence)});
  };
  add(FindingKind::kValidity, Validity(row));
  add(FindingKind::kSaturation, saturation.sentence);
  add(FindingKind::kCause, Causes(saturation, row));
  add(FindingKind::kShares, PartsSentence(row));
  if (const auto bracket = BracketOf(analysis, row)) add(FindingKind::kBracket, bracket->sentence);
  return findings;
}

}  // namespace kbench::analysis
