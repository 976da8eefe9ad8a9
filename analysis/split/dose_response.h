// Attribution held against injected truth: what each part answers to delays of known size in one
// place. The part that they were injected into must grow by as much, every other part must stay.
//
// Slopes are Theil-Sen over all pairs of runs of different doses (robust: up to 29 % of the runs
// may be anything), of each run's own p50 of the part; intervals are a bootstrap over repetitions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"
#include "analysis/evidence/statistics.h"

namespace kbench::analysis {

struct Dose {
  double injected_ns = 0;  // into one request
  double answered_ns = 0;  // by the part
  int repetition = 0;
};

// Median of the slopes between all pairs of different doses; 0 without any.
double TheilSen(const std::vector<Dose>& doses);

struct Slope {
  std::string part;
  double value = 0;
  Interval interval;      // 95 %
  bool injected = false;  // this is the part that the delays went into
  double tolerance = 0;   // |value - 1|, or |value| of the others
  bool ok = false;
};

struct Experiment {
  std::string name;         // "server busy"
  std::string axis;         // whose levels are the doses: "inject.encode"
  std::string part;         // that they are injected into, alone or in a sum like network+server
  double per_dose = 1;      // how often a dose is in one request: 2 for a relay, each way
  double tolerance = 0.05;  // of the slope of `part`
  double others = 0.05;     // of every other part
  // Part, also in a sum -> what it may answer instead.
  std::map<std::string, double> exceptions = {};
  // Level -> dose, where the levels do not say it themselves (servers by their address).
  std::map<std::string, std::string> levels = {};
};

struct DoseResponse {
  Experiment experiment;
  std::string transport;
  Pass pass = Pass::kSampled;
  std::string evidence;  // "packets", "kernel stamps", ...: of the client's edges and the server's
  bool separates_server = false;  // from the network
  int runs = 0;
  int left_out = 0;  // runs that poorer evidence separated otherwise than most; in no slope
  std::vector<Slope> slopes;
  // The medians that people look at: part -> one value per dose, in the order of `doses_ns`.
  std::vector<double> doses_ns;
  std::map<std::string, std::vector<double>> medians_ns;
  std::string fault;  // why there is no answer; empty: `slopes` is it

  bool ok() const;
};

// One per transport and pass of the campaign. Doses are durations, or OP=DURATION.
std::vector<DoseResponse> ResponsesOf(const Experiment& experiment,
                                      const CampaignEvidence& campaign);

// For people: a line per response, and what each part answered to each dose.
std::string ResponsesText(const std::vector<DoseResponse>& responses, int width);
std::string ResponsesJson(const std::vector<DoseResponse>& responses);

}  // namespace kbench::analysis
