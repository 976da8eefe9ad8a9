#include "analysis/verdict/limiter.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

// Of the connections' busy time; 0 where nothing tells.
double ReceiveWindowFull(const CellOp& row) {
  double limited = 0, busy = 0;
  for (const AnalysedRun* run : row.runs) {
    for (const result::RunResult& agent : run->evidence->agents) {
      limited += static_cast<double>(agent.tcp().receive_window_limited_ns());
      busy += static_cast<double>(agent.tcp().busy_ns());
    }
  }
  return busy > 0 ? limited / busy : 0;
}

// What one connection of an agent keeps in its send buffer: bytes stay there until they are
// acknowledged, so at least the least round trip long.
struct SendBuffer {
  double bytes_per_s = 0;  // of one connection
  double round_trip_ns = 0;
  double size = 0;  // what the kernel granted
  double used() const { return size > 0 ? bytes_per_s * round_trip_ns / 1e9 / size : 0; }
};

SendBuffer SendBufferOf(const result::RunResult& agent) {
  SendBuffer buffer;
  const auto granted = agent.transport().facts().find("send_buffer_bytes");
  if (granted == agent.transport().facts().end() ||
      !absl::SimpleAtod(granted->second, &buffer.size) || agent.tcp().flows() == 0 ||
      agent.measured_ns() <= 0) {
    return {};
  }
  double bytes = 0;
  for (const result::OpResult& op : agent.ops()) bytes += static_cast<double>(op.request_bytes());
  buffer.bytes_per_s = bytes * 1e9 / static_cast<double>(agent.measured_ns()) / agent.tcp().flows();
  buffer.round_trip_ns = static_cast<double>(agent.tcp().min_rtt_ns());
  return buffer;
}

SendBuffer FullestSendBuffer(const CellOp& row) {
  SendBuffer fullest;
  for (const AnalysedRun* run : row.runs) {
    for (const result::RunResult& agent : run->evidence->agents) {
      const SendBuffer buffer = SendBufferOf(agent);
      if (buffer.used() > fullest.used()) fullest = buffer;
    }
  }
  return fullest;
}

// A buffer whose size was not set grows as far as it has to.
bool IsSendBufferSet(const CampaignAnalysis& analysis, const CellOp& row) {
  int64_t bytes = 0;
  const auto size = ParseSize(SettingOf(*analysis.campaign, *row.cell, "send_buffer"));
  if (size.ok()) bytes = *size;
  return bytes > 0;
}

}  // namespace

std::optional<std::string> LimiterOf(const CampaignAnalysis& analysis, const Saturation& saturation,
                                     const CellOp& row) {
  if (saturation.bottleneck == Resource::kLinkOut) return "charged to the link, which is saturated";
  if (saturation.bottleneck == Resource::kServer) {
    return "charged to the server, which is saturated";
  }
  if (const double full = ReceiveWindowFull(row); full > kWindowLimited) {
    return absl::StrFormat(
        "charged to the server's receive window, which was full for %.0f %% of the connections' "
        "busy time: it reads too slowly",
        100 * full);
  }
  if (const SendBuffer buffer = FullestSendBuffer(row);
      IsSendBufferSet(analysis, row) && buffer.used() >= kBufferFull) {
    return absl::StrFormat(
        "charged to the client's own send buffer: a connection that sends %.1f MB/s over a round "
        "trip of at least %.0f us keeps %.0f %% of the %.0f bytes in it; set socket.send_buffer "
        "larger",
        buffer.bytes_per_s / 1e6, buffer.round_trip_ns / 1e3, 100 * buffer.used(), buffer.size);
  }
  return std::nullopt;
}

}  // namespace kbench::analysis
