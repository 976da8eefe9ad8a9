#include "analysis/report/json_forms.h"

#include "absl/strings/str_cat.h"

namespace kbench::analysis {

Json ToJson(const Estimate& estimate) {
  Json json;
  json["median"] = estimate.n() == 0 ? Json() : Json(estimate.value);
  json["low_95"] = estimate.interval ? Json(estimate.interval->low) : Json();
  json["high_95"] = estimate.interval ? Json(estimate.interval->high) : Json();
  json["repetitions"] = estimate.values;
  return json;
}

Json ToJson(const Ratio& ratio) {
  if (ratio.n == 0) return Json();
  return {{"ratio", ratio.ratio},
          {"low_90", ratio.interval ? Json(ratio.interval->low) : Json()},
          {"high_90", ratio.interval ? Json(ratio.interval->high) : Json()},
          {"repetitions", ratio.n}};
}

Json ToJson(const OpCounts& counts) {
  return {{"due", counts.due},           {"sent", counts.sent},     {"unsent", counts.unsent},
          {"answered", counts.answered}, {"failed", counts.failed}, {"lost", counts.lost}};
}

void AddLatency(const std::string& prefix, const Histogram& histogram, Json* out) {
  const auto key = [&](absl::string_view name) { return absl::StrCat(prefix, "_", name); };
  (*out)[key("count")] = histogram.count();
  const bool any = histogram.count() > 0;
  (*out)[key("mean_ns")] = any ? Json(histogram.mean_ns()) : Json();
  (*out)[key("min_ns")] = any ? Json(histogram.min().count()) : Json();
  const std::pair<const char*, double> percentiles[] = {
      {"p50_ns", 50}, {"p90_ns", 90}, {"p99_ns", 99}, {"p99_9_ns", 99.9}, {"p99_99_ns", 99.99}};
  for (const auto& [name, p] : percentiles) {
    (*out)[key(name)] =
        CarriesPercentile(histogram.count(), p) ? Json(histogram.Percentile(p).count()) : Json();
  }
  (*out)[key("max_ns")] = any ? Json(histogram.max().count()) : Json();
  (*out)[key("overflow_count")] = histogram.overflow();
  (*out)[key("underflow_count")] = histogram.underflow();
}

Json ToJson(const OpSummary& op) {
  Json json;
  json["op"] = op.op;
  json["counts"] = ToJson(op.counts);
  json["answered_per_s"] = op.answered_per_s;
  json["request_bytes_per_s"] = op.request_bytes_per_s;
  json["response_bytes_per_s"] = op.response_bytes_per_s;
  json["request_bytes"] = op.request_bytes;
  json["response_bytes"] = op.response_bytes;
  json["answered_in_window"] = op.answered_in_window;
  AddLatency("response", op.response, &json);
  AddLatency("failed", op.failed, &json);
  AddLatency("lost", op.lost, &json);
  AddLatency("service", op.service, &json);
  json["phases"] = Json::object();
  for (const auto& [phase, histogram] : op.phases) {
    AddLatency(phase, histogram, &json["phases"][phase]);
  }
  json["statuses"] = op.statuses;
  json["first_errors"] = op.first_errors;
  return json;
}

namespace {

Json PartsJson(const std::vector<PartStats>& parts, const char* name, uint64_t samples) {
  Json json = Json::array();
  for (const PartStats& part : parts) {
    json.push_back({{name, part.name},
                    {"samples", samples},
                    {"sum_ns", part.sum_ns},
                    {"mean_ns", part.mean_ns},
                    {"share", part.share},
                    {"p50_ns", part.p50_ns},
                    {"p99_ns", part.p99_ns},
                    {"mean_near_response_p50_ns", part.near_p50_ns},
                    {"mean_near_response_p99_ns", part.near_p99_ns},
                    {"share_near_response_p99", part.near_p99_share},
                    {"negative", part.negative}});
  }
  return json;
}

}  // namespace

Json ToJson(const Decomposition& d) {
  Json json;
  json["op"] = d.op;
  json["boundaries"] = {{"send", d.boundaries.send},
                        {"receive", d.boundaries.receive},
                        {"server", d.boundaries.server}};
  json["samples_seen"] = d.samples_seen;
  json["samples"] = d.samples_used;
  json["excluded"] = d.excluded;
  json["match_rate"] = d.residences_wanted == 0 ? Json() : Json(d.match_rate());
  json["client_match_rate"] = d.residences_wanted == 0 ? Json() : Json(d.client_match_rate());
  json["retransmitted"] = d.retransmitted;
  json["mean_response_all_ns"] = d.mean_all_ns;
  json["mean_response_sampled_ns"] = d.mean_sampled_ns;
  json["residual_ns"] = d.residual_ns;
  json["residual_share"] = d.residual_share();
  json["near_p50_samples"] = d.near_p50_samples;
  json["near_p99_samples"] = d.near_p99_samples;
  json["client_edges"] = d.boundaries.rungs.client_packets ? "packets" : "kernel_stamps";
  json["server_edge"] = d.boundaries.rungs.server_packets ? "packets" : "own_record";
  json["parts"] = PartsJson(d.parts, "part", d.samples_used);
  json["causes"] = PartsJson(d.causes, "cause", d.samples_used);
  json["inside"] = PartsJson(d.inside, "inside", d.samples_used);
  json["caveats"] = ToJson(d.caveats);
  return json;
}

Json ToJson(const std::vector<result::Caveat>& caveats) {
  Json json = Json::array();
  for (const result::Caveat& caveat : caveats) {
    json.push_back({{"code", caveat.code()}, {"text", caveat.text()}});
  }
  return json;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kbench::analysis
