#include "analysis/verdict/findings.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/evidence/caveats.h"
#include "analysis/split/client_programs.h"
#include "analysis/verdict/bracket.h"
#include "analysis/verdict/limiter.h"
#include "analysis/verdict/saturation.h"
#include "analysis/verdict/verdicts.h"

namespace kbench::analysis {
namespace {

constexpr double kWorthNaming = 0.10;  // of the mean response

template <typename Caveats>
void CollectSuspects(const Caveats& caveats, std::set<std::string>* codes) {
  for (const result::Caveat& caveat : caveats) {
    if (MakesSuspect(caveat.code())) codes->insert(caveat.code());
  }
}

std::string Validity(const CampaignAnalysis& analysis, const CellOp& row) {
  std::set<std::string> codes;
  for (const auto* runs : {&row.runs, &row.parts_runs}) {
    for (const AnalysedRun* run : *runs) {
      for (const result::RunResult& agent : run->evidence->agents) {
        CollectSuspects(agent.caveats(), &codes);
      }
      CollectSuspects(run->evidence->caveats, &codes);
      CollectSuspects(run->summary.caveats, &codes);
    }
  }
  for (const Decomposition& d : row.decompositions) CollectSuspects(d.caveats, &codes);
  for (const CampaignCaveat& caveat : analysis.caveats) {
    if (caveat.runs == 0 && MakesSuspect(caveat.code)) codes.insert(caveat.code);
  }
  for (const ProbeCost& cost : row.costs) {
    if (cost.pass == row.parts_pass && !cost.perturbed.empty()) codes.insert("pass_perturbed");
  }
  if (codes.empty()) return "";
  return absl::StrCat("use with care: ", absl::StrJoin(codes, ", "));
}

std::string Causes(const CampaignAnalysis& analysis, const Saturation& saturation,
                   const CellOp& row) {
  const std::optional<std::string> limiter = LimiterOf(analysis, saturation, row);
  bool limiter_said = false;
  std::string sentence;
  std::vector<std::string> named;
  for (const CellPart& cause : row.causes) {
    if (cause.share.value < kWorthNaming) continue;
    std::string text = absl::StrFormat("%s %.1f %%", cause.name, 100 * cause.share.value);
    if (cause.share.interval) {
      absl::StrAppendFormat(&text, " [%.1f, %.1f]", 100 * cause.share.interval->low,
                            100 * cause.share.interval->high);
    }
    if (cause.name == "backlog") {
      absl::StrAppend(&text, " (behind earlier bytes of its own connection: ",
                      limiter.value_or("who limits it is not known: no measured rate of the path "
                                       "says that it is full"),
                      ")");
      limiter_said = true;
    }
    named.push_back(std::move(text));
  }
  if (!named.empty()) sentence = absl::StrCat("by cause: ", absl::StrJoin(named, ", "));
  // Evidence that does not need the separation stands also without it.
  if (limiter && !limiter_said && !saturation.bottleneck) {
    absl::StrAppend(&sentence, sentence.empty() ? "" : "; ",
                    "connections were held back: ", *limiter);
  }
  return sentence;
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
    case FindingKind::kOwnClock:
      return "own clock";
  }
  return "";
}

std::vector<Finding> FindingsOf(const CampaignAnalysis& analysis, const CellOp& row) {
  const Saturation saturation = SaturationOf(analysis, row);
  std::vector<Finding> findings;
  const auto add = [&](FindingKind kind, std::string sentence) {
    if (!sentence.empty()) findings.push_back({kind, std::move(sentence)});
  };
  add(FindingKind::kValidity, Validity(analysis, row));
  add(FindingKind::kSaturation, saturation.sentence);
  add(FindingKind::kCause, Causes(analysis, saturation, row));
  add(FindingKind::kShares, PartsSentence(row));
  if (const auto program = ProgramViewOf(row)) add(FindingKind::kOwnClock, program->Sentence());
  if (const auto bracket = BracketOf(analysis, row)) add(FindingKind::kBracket, bracket->sentence);
  return findings;
}

}  // namespace kbench::analysis
