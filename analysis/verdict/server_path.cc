#include "analysis/verdict/server_path.h"

#include <algorithm>

namespace kbench::analysis {
namespace {

using result::NetworkBaseline;

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

// "embedded": on the host of the agents, which `--local` starts on loopback.
std::string ServerOf(const CampaignAnalysis& analysis, const CellOp& row) {
  const std::string server = SettingOf(*analysis.campaign, *row.cell, "server");
  return server.empty() ? analysis.campaign->server : server;
}

}  // namespace

double SerialisationNs(double bytes, double bytes_per_s) {
  return bytes_per_s > 0 ? bytes * 1e9 / bytes_per_s : 0;
}

ServerPath ServerPathOf(const CampaignAnalysis& analysis, const CellOp& row) {
  ServerPath path;
  const std::string host = HostOf(ServerOf(analysis, row));
  for (const NetworkBaseline& b : analysis.campaign->baselines) {
    const bool embedded = host == "embedded";
    if (!embedded && HostOf(b.to()) != host) continue;
    const auto floor = static_cast<double>(b.min_rtt_ns());
    if (floor > 0) path.floor_ns = path.floor_ns == 0 ? floor : std::min(path.floor_ns, floor);
    path.sent_per_s = std::max(path.sent_per_s, b.sent_bytes_per_s());
    path.received_per_s = std::max(path.received_per_s, b.received_bytes_per_s());
    path.measured |= b.sent_bytes_per_s() > 0;
    if (b.kind() != NetworkBaseline::AGENT) continue;
    path.echo_p99_ns = std::max(path.echo_p99_ns, static_cast<double>(b.echo_p99_ns()));
  }
  return path;
}

}  // namespace kbench::analysis
