// The campaign that the golden reports show: two transports, three repetitions, a hundred and
// twenty sampled requests each, and one of everything that a report must not hide: a caveat of an
// agent, a merged part, requests that failed, a run that was left out.
#pragma once

#include "tests/analysis/synthetic.h"

namespace kbench::analysis {

inline CampaignEvidence SmallCampaign() {
  CampaignEvidence campaign =
      MakeCampaign({"epoll", "uring"}, 4, [](const CellInfo& cell, int repetition) {
        std::vector<Request> requests(120);
        for (int i = 0; i < 120; ++i) {
          Request& r = requests[i];
          r.network += 500 * i;
          r.server += 1'000 * repetition;
          r.receive = cell.index == 0 ? 15'000 : 9'000;
          if (cell.index == 1) r.flags = result::OpSample::SHARED_RECEIVE_STAMP;
          r.answered = i > 1;
        }
        return MakeAgent({.transport = cell.levels[0].value, .requests = requests});
      });
  campaign.runs.back().status = RunStatus::kFailed;
  campaign.runs.back().status_text = "agent-0 went away";
  campaign.runs.back().agents.clear();
  result::Caveat* caveat = campaign.runs[0].agents[0].add_caveats();
  caveat->set_code("client_saturated");
  caveat->set_text("the busiest worker used 91 % of a core: the client itself may be the limit");
  return campaign;
}

}  // namespace kbench::analysis
