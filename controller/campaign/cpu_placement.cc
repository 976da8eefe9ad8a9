#include "controller/campaign/cpu_placement.h"

#include <sched.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kbench {
namespace {

void AddCaveat(std::string text, Placement* placement) {
  result::Caveat& caveat = placement->caveats.emplace_back();
  caveat.set_code("shared_cpu");
  caveat.set_text(std::move(text));
}

// The cpus of agent `agent`'s workers; `before` workers of the same host were placed already.
std::vector<uint32_t> CpusFor(const Settings& settings, const HostCpus& cpus, size_t before) {
  std::vector<uint32_t> pinned;
  const bool listed = settings.cpu_placement == CpuPlacement::kList;
  if (settings.cpu_placement == CpuPlacement::kNone) return pinned;
  if (!listed && cpus.usable.size() + (cpus.server ? 1 : 0) < 2) return pinned;
  for (size_t i = 0; i < static_cast<size_t>(settings.workers); ++i) {
    const int cpu =
        listed ? settings.worker_cpus[i] : cpus.usable[(before + i) % cpus.usable.size()];
    pinned.push_back(static_cast<uint32_t>(cpu));
  }
  return pinned;
}

}  // namespace

HostCpus SplitCpus(const std::vector<int>& cpus) {
  HostCpus split{.usable = cpus};
  if (cpus.size() < 2) return split;
  split.server = cpus.back();
  split.usable.pop_back();
  return split;
}

HostCpus LocalCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  return SplitCpus(cpus);
}

Placement PlaceWorkers(const Settings& settings, const std::vector<AgentPlace>& agents) {
  Placement placement;
  std::map<std::string, size_t> workers_on;
  // host, cpu -> who
  std::map<std::pair<std::string, uint32_t>, std::vector<std::string>> tenants;
  for (size_t agent = 0; agent < agents.size(); ++agent) {
    const AgentPlace& place = agents[agent];
    size_t& before = workers_on[place.host];
    std::vector<uint32_t> cpus = CpusFor(settings, place.cpus, before);
    before += static_cast<size_t>(settings.workers);
    for (size_t i = 0; i < cpus.size(); ++i) {
      tenants[{place.host, cpus[i]}].push_back(absl::StrCat("agent ", agent, " worker ", i));
    }
    placement.worker_cpus.push_back(std::move(cpus));
  }
  for (const AgentPlace& place : agents) {
    if (!place.cpus.server) continue;
    const auto found = tenants.find({place.host, static_cast<uint32_t>(*place.cpus.server)});
    if (found == tenants.end() || found->second.back() == "the server") continue;
    found->second.push_back("the server");
  }
  for (const auto& [where, who] : tenants) {
    if (who.size() < 2) continue;
    AddCaveat(absl::StrCat("cpu ", where.second, " of ", where.first, " is shared by ",
                           absl::StrJoin(who, ", "),
                           "; what one of them waits for the other is in the client's times"),
              &placement);
  }
  for (const auto& [host, workers] : workers_on) {
    for (const AgentPlace& place : agents) {
      const size_t cpus = place.cpus.usable.size() + (place.cpus.server ? 1 : 0);
      if (place.host != host || cpus >= 2 || settings.cpu_placement == CpuPlacement::kList)
        continue;
      AddCaveat(absl::StrCat(host, " has ", cpus, " cpu for everything; nothing is pinned"),
                &placement);
      break;
    }
  }
  return placement;
}

}  // namespace kbench
