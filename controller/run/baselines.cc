#include "controller/run/baselines.h"

#include <utility>

namespace kbench {

std::vector<result::NetworkBaseline> MeasureBaselines(const Fleet& fleet,
                                                      const std::vector<KineticServer>& servers,
                                                      const PathProbeOptions& options,
                                                      const Interrupts* interrupts) {
  std::vector<result::NetworkBaseline> baselines;
  const PathProber prober(options, interrupts);
  const auto keep = [&baselines](MeasuredPath path) {
    baselines.push_back(std::move(path.baseline));
  };
  const std::vector<AgentLink*> agents = fleet.agents();
  AgentLink* const observer = fleet.observer();
  for (const KineticServer& server : servers) {
    for (AgentLink* from : agents) {
      if (!interrupts->stop()) keep(prober.ToServer(from, server));
    }
  }
  for (AgentLink* from : agents) {
    const bool apart = observer != nullptr && from != observer;
    if (apart && !interrupts->stop()) keep(prober.ToAgent(from, observer));
  }
  if (observer == nullptr && agents.size() > 1 && !interrupts->stop()) {
    keep(prober.ToAgent(agents[0], agents[1]));
  }
  return baselines;
}

}  // namespace kbench
