#include "analysis/split/dose_response.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/split/decomposition.h"
#include "base/random.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

constexpr int kResamples = 500;
constexpr size_t kFewestDoses = 3;
constexpr double kMostLeftOut = 0.2;  // of the runs

std::string LevelOfCell(const CampaignEvidence& campaign, int cell, const std::string& axis) {
  const auto at =
      absl::c_find_if(campaign.cells, [cell](const CellInfo& info) { return info.index == cell; });
  return at == campaign.cells.end() ? "" : LevelOf(*at, axis);
}

// "get=25us" -> 25000
std::optional<double> DoseOf(const std::string& level) {
  const size_t equals = level.rfind('=');
  const auto parsed = ParseDuration(equals == std::string::npos ? level : level.substr(equals + 1));
  if (!parsed.ok()) return std::nullopt;
  return static_cast<double>(parsed->count());
}

using DosesByPart = std::map<std::string, std::vector<Dose>>;

Interval BootstrapSlope(const std::vector<Dose>& doses) {
  std::map<int, std::vector<Dose>> by_repetition;
  for (const Dose& dose : doses) by_repetition[dose.repetition].push_back(dose);
  std::vector<const std::vector<Dose>*> blocks;
  for (const auto& [repetition, block] : by_repetition) blocks.push_back(&block);
  Random random(kBootstrapSeed);
  std::vector<double> slopes;
  for (int i = 0; i < kResamples; ++i) {
    std::vector<Dose> sample;
    for (size_t n = 0; n < blocks.size(); ++n) {
      const std::vector<Dose>& block = *blocks[random.Below(blocks.size())];
      sample.insert(sample.end(), block.begin(), block.end());
    }
    slopes.push_back(TheilSen(sample));
  }
  std::sort(slopes.begin(), slopes.end());
  return {slopes[kResamples / 40], slopes[kResamples - 1 - kResamples / 40]};
}

// Parts that evidence does not separate are one: "network+server" holds "server".
bool Holds(absl::string_view part, absl::string_view name) {
  return absl::c_linear_search(absl::StrSplit(part, '+'), name);
}

Slope SlopeOf(const Experiment& experiment, const std::string& part,
              const std::vector<Dose>& doses) {
  Slope slope{.part = part, .value = TheilSen(doses), .interval = BootstrapSlope(doses)};
  slope.injected = Holds(part, experiment.part);
  slope.tolerance = slope.injected ? experiment.tolerance : experiment.others;
  for (const auto& [name, allowed] : experiment.exceptions) {
    if (!slope.injected && Holds(part, name)) slope.tolerance = allowed;
  }
  slope.ok = std::fabs(slope.value - (slope.injected ? 1 : 0)) <= slope.tolerance;
  return slope;
}

void FillMedians(const DosesByPart& parts, DoseResponse* response) {
  std::set<double> doses;
  for (const auto& [part, values] : parts) {
    for (const Dose& dose : values) doses.insert(dose.injected_ns);
  }
  response->doses_ns.assign(doses.begin(), doses.end());
  for (const auto& [part, values] : parts) {
    for (double dose : doses) {
      std::vector<double> at;
      for (const Dose& value : values) {
        if (value.injected_ns == dose) at.push_back(value.answered_ns);
      }
      response->medians_ns[part].push_back(Median(std::move(at)));
    }
  }
}

std::string EvidenceOf(const Boundaries& b) {
  return absl::StrCat(b.rungs.client_packets ? "packets" : "kernel stamps", " and ",
                      !b.server                ? "no server"
                      : b.rungs.server_packets ? "packets on the server's host"
                                               : "the server's own record");
}

// One run at one dose.
struct DosedRun {
  double dose_ns = 0;
  int repetition = 0;
  Decomposition decomposition;
};

// The cuts that most runs have.
Boundaries MostCommon(const std::vector<DosedRun>& runs) {
  const auto like = [&](const Boundaries& b) {
    return std::count_if(runs.begin(), runs.end(),
                         [&](const DosedRun& r) { return r.decomposition.boundaries == b; });
  };
  return std::max_element(runs.begin(), runs.end(),
                          [&](const DosedRun& a, const DosedRun& b) {
                            return like(a.decomposition.boundaries) <
                                   like(b.decomposition.boundaries);
                          })
      ->decomposition.boundaries;
}

// The runs of one transport and pass, or why they cannot be used.
std::vector<DosedRun> RunsOf(const CampaignEvidence& campaign, const DoseResponse& response,
                             std::string* fault) {
  const Experiment& experiment = response.experiment;
  std::vector<DosedRun> runs;
  for (const RunEvidence& run : campaign.runs) {
    if (run.pass != response.pass ||
        LevelOfCell(campaign, run.cell, "transport") != response.transport) {
      continue;
    }
    if (run.status != RunStatus::kComplete) {
      *fault = absl::StrCat("run ", run.run_id, " is not complete: ", run.status_text);
      return {};
    }
    std::string level = LevelOfCell(campaign, run.cell, experiment.axis);
    const auto named = experiment.levels.find(level);
    if (named != experiment.levels.end()) level = named->second;
    const auto dose = DoseOf(level);
    if (!dose) {
      *fault = absl::StrCat("the campaign has no doses on ", experiment.axis);
      return {};
    }
    Decomposition d = Decompose(run, Summarize(run), "all");
    if (d.samples_used == 0) {
      *fault = absl::StrCat("run ", run.run_id, " has no request that can be separated");
      return {};
    }
    runs.push_back({.dose_ns = *dose * experiment.per_dose,
                    .repetition = run.repetition,
                    .decomposition = std::move(d)});
  }
  if (runs.empty()) *fault = "no runs";
  return runs;
}

DoseResponse ResponseOf(const Experiment& experiment, const CampaignEvidence& campaign,
                        const std::string& transport, Pass pass) {
  DoseResponse response{.experiment = experiment, .transport = transport, .pass = pass};
  const std::vector<DosedRun> runs = RunsOf(campaign, response, &response.fault);
  if (!response.fault.empty()) return response;
  const Boundaries common = MostCommon(runs);
  response.evidence = EvidenceOf(common);
  response.separates_server = common.server;
  DosesByPart parts;
  for (const DosedRun& run : runs) {
    if (!(run.decomposition.boundaries == common)) {
      ++response.left_out;
      continue;
    }
    ++response.runs;
    for (const PartStats& part : run.decomposition.parts) {
      parts[part.name].push_back({.injected_ns = run.dose_ns,
                                  .answered_ns = static_cast<double>(part.p50_ns),
                                  .repetition = run.repetition});
    }
  }
  FillMedians(parts, &response);
  if (response.left_out > kMostLeftOut * static_cast<double>(runs.size())) {
    response.fault =
        absl::StrCat(response.left_out, " of ", runs.size(),
                     " runs were separated by other evidence than ", response.evidence);
    return response;
  }
  if (response.doses_ns.size() < kFewestDoses) {
    response.fault = absl::StrCat(response.doses_ns.size(), " doses are too few for a slope");
    return response;
  }
  for (const std::string& part : PartNames(common)) {
    response.slopes.push_back(SlopeOf(experiment, part, parts.at(part)));
  }
  return response;
}

}  // namespace

double TheilSen(const std::vector<Dose>& doses) {
  std::vector<double> slopes;
  for (size_t i = 0; i < doses.size(); ++i) {
    for (size_t j = i + 1; j < doses.size(); ++j) {
      const double apart = doses[j].injected_ns - doses[i].injected_ns;
      if (apart == 0) continue;
      slopes.push_back((doses[j].answered_ns - doses[i].answered_ns) / apart);
    }
  }
  return Median(std::move(slopes));
}

bool DoseResponse::ok() const {
  return fault.empty() && !slopes.empty() &&
         std::all_of(slopes.begin(), slopes.end(), [](const Slope& s) { return s.ok; });
}

std::vector<DoseResponse> ResponsesOf(const Experiment& experiment,
                                      const CampaignEvidence& campaign) {
  std::vector<std::string> transports;
  std::set<Pass> passes;
  for (const RunEvidence& run : campaign.runs) {
    const std::string transport = LevelOfCell(campaign, run.cell, "transport");
    if (std::find(transports.begin(), transports.end(), transport) == transports.end()) {
      transports.push_back(transport);
    }
    passes.insert(run.pass);
  }
  std::vector<DoseResponse> responses;
  for (const std::string& transport : transports) {
    for (Pass pass : passes) {
      responses.push_back(ResponseOf(experiment, campaign, transport, pass));
    }
  }
  return responses;
}

}  // namespace kbench::analysis
