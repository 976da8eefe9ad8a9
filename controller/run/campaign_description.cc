#include "controller/run/campaign_description.h"

#include <ctime>
#include <random>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "controller/store/selftest_record.h"

namespace kbench {
namespace {

std::string NewRunId() {
  std::random_device entropy;
  return absl::StrFormat("%08x", entropy());
}

// Every server of the campaign, in the order of its cells.
std::string DescribeServers(const Campaign& campaign) {
  std::vector<std::string> servers;
  for (const Cell& cell : campaign.cells) {
    const Settings& s = cell.settings;
    const std::string server = s.EmbeddedServer() ? "embedded" : s.server_address;
    if (!absl::c_linear_search(servers, server)) servers.push_back(server);
  }
  return absl::StrJoin(servers, ", ");
}

std::string DescribePlacement(const HostCpus& cpus) {
  if (!cpus.server) return "one cpu for everything, nothing pinned";
  return absl::StrCat("server on cpu ", *cpus.server, ", workers' cpus ",
                      absl::StrJoin(cpus.usable, ","));
}

void DescribeResumption(const Resumption& resumption, size_t runs_planned,
                        analysis::CampaignEvidence* evidence) {
  const analysis::CampaignEvidence& before = resumption.stored.evidence;
  for (const result::Caveat& earlier : before.caveats) {
    if (earlier.code() == "resumed") evidence->caveats.push_back(earlier);
  }
  result::Caveat& caveat = evidence->caveats.emplace_back();
  caveat.set_code("resumed");
  caveat.set_text(absl::StrCat(
      resumption.complete.size(), " of ", runs_planned, " runs are taken from campaign ",
      before.run_id, ", which began at ", before.started_utc,
      before.version == evidence->version ? "" : absl::StrCat(" with kbench ", before.version),
      " and did not end; what drifted meanwhile lies between them and the others, and the "
      "network's baselines are those of the resumption"));
}

}  // namespace

analysis::CampaignEvidence DescribeCampaign(const Campaign& campaign,
                                            const CampaignSetting& setting) {
  analysis::CampaignEvidence evidence;
  evidence.name = campaign.name;
  evidence.run_id = NewRunId();
  evidence.started_utc = UtcNow();
  evidence.version = absl::StrCat(ReleaseVersion(), " (", BuildId(), ")");
  evidence.server = DescribeServers(campaign);
  evidence.seed = campaign.seed;
  evidence.repetitions = campaign.repetitions;
  for (const Factor& factor : campaign.factors) evidence.axes.push_back(factor.axis);
  evidence.constants = campaign.constants;
  evidence.constants["agents"] = absl::StrCat(setting.agents);
  evidence.constants["fleet"] = setting.local ? "local" : "remote";
  if (setting.local) {
    evidence.constants["placement"] = DescribePlacement(setting.local_cpus);
  } else {
    evidence.constants["agent_addresses"] = absl::StrJoin(campaign.agents, ",");
  }
  for (const Cell& cell : campaign.cells) evidence.cells.push_back(cell.info);
  evidence.gates = campaign.gates;
  const std::string fleet = FleetKey(campaign.agents, setting.local);
  if (const auto selftest = LoadSelftest(setting.results_dir, fleet)) {
    evidence.selftest = {.passed = selftest->passed, .sentence = selftest->Sentence()};
  }
  if (setting.resumption != nullptr) {
    DescribeResumption(*setting.resumption, setting.runs_planned, &evidence);
  }
  return evidence;
}

std::string UtcNow() {
  const time_t now = time(nullptr);
  tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace kbench
