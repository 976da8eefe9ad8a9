#include "controller/fleet/path_table.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/report/table.h"
#include "analysis/verdict/server_path.h"
#include "base/units.h"

namespace kbench {
namespace {

using Json = nlohmann::ordered_json;
using result::NetworkBaseline;

constexpr int64_t kSizes[] = {4 << 10, 64 << 10, 1 << 20};

const char* KindName(const NetworkBaseline& path) {
  return path.kind() == NetworkBaseline::SERVER ? "noop" : "echo";
}

std::string Time(double ns) { return ns <= 0 ? "-" : HumanDuration(ns); }

std::string Rate(double bytes_per_s) {
  if (bytes_per_s <= 0) return "-";
  if (bytes_per_s >= 1e9) return absl::StrFormat("%.2f GB/s", bytes_per_s / 1e9);
  return absl::StrFormat("%.1f MB/s", bytes_per_s / 1e6);
}

Json Measured(double value) { return value > 0 ? Json(value) : Json(); }

Json Measured(int64_t value) { return value > 0 ? Json(value) : Json(); }

Json Serialisation(double bytes_per_s) {
  Json json;
  for (const int64_t size : kSizes) {
    json[FormatSize(size)] =
        Measured(analysis::SerialisationNs(static_cast<double>(size), bytes_per_s));
  }
  return json;
}

}  // namespace

std::string PathsText(const std::vector<NetworkBaseline>& paths, int width) {
  analysis::Table table{
      .header = {"from", "to", "by", "floor", "p50", "p99", "min rtt", "connect", "out", "in"},
      .rows = {},
      .text_columns = 3};
  for (const int64_t size : kSizes) table.header.push_back(FormatSize(size) + " out");
  std::string notes;
  for (const NetworkBaseline& path : paths) {
    std::vector<std::string> row = {analysis::Printable(path.from()),
                                    analysis::Printable(path.to()),
                                    KindName(path),
                                    Time(static_cast<double>(path.echo_floor_ns())),
                                    Time(static_cast<double>(path.echo_p50_ns())),
                                    Time(static_cast<double>(path.echo_p99_ns())),
                                    Time(static_cast<double>(path.min_rtt_ns())),
                                    Time(static_cast<double>(path.connect_ns())),
                                    Rate(path.sent_bytes_per_s()),
                                    Rate(path.received_bytes_per_s())};
    for (const int64_t size : kSizes) {
      row.push_back(
          Time(analysis::SerialisationNs(static_cast<double>(size), path.sent_bytes_per_s())));
    }
    table.rows.push_back(std::move(row));
    if (path.reason().empty()) continue;
    notes += analysis::Wrap(
        analysis::Printable(absl::StrCat(path.from(), " to ", path.to(), ": ", path.reason())),
        width, "! ", "  ");
  }
  return absl::StrCat(
      analysis::TextTable(table, width), notes.empty() ? "" : "\n", notes, "\n",
      analysis::Wrap(
          "floor, p50, p99: round trips of one small message from user space to user "
          "space; floor is the p0.1. noop: answered by the Kinetic server, whose time is "
          "in it; echo: by another agent. min rtt: of TCP's acknowledgements. out, in: "
          "payload, one direction at a time; the last columns are what a value takes at "
          "that rate.",
          width, "", ""));
}

std::string PathsJson(const std::vector<NetworkBaseline>& paths) {
  Json list = Json::array();
  for (const NetworkBaseline& path : paths) {
    list.push_back({{"from", path.from()},
                    {"to", path.to()},
                    {"by", KindName(path)},
                    {"echoes", path.echoes()},
                    {"echo_floor_ns", Measured(path.echo_floor_ns())},
                    {"echo_p50_ns", Measured(path.echo_p50_ns())},
                    {"echo_p99_ns", Measured(path.echo_p99_ns())},
                    {"min_rtt_ns", Measured(path.min_rtt_ns())},
                    {"connect_ns", Measured(path.connect_ns())},
                    {"sent_bytes_per_s", Measured(path.sent_bytes_per_s())},
                    {"received_bytes_per_s", Measured(path.received_bytes_per_s())},
                    {"serialisation_out_ns", Serialisation(path.sent_bytes_per_s())},
                    {"serialisation_in_ns", Serialisation(path.received_bytes_per_s())},
                    {"reason", path.reason()}});
  }
  const Json json = {{"schema_version", 1}, {"paths", std::move(list)}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kbench
