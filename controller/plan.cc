#include "controller/plan.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/random.h"
#include "base/units.h"
#include "controller/campaign_fields.h"

namespace kbench {
namespace {

// Streams of randomness that must not meet: the order of a block, what its runs do, and the keys.
constexpr uint64_t kOrderStream = 0x6f72646572;  // "order"
constexpr uint64_t kWorkStream = 0x776f726b;     // "work"
constexpr uint64_t kKeyStream = 0x6b657973;      // "keys"
constexpr uint64_t kPassStream = 0x70617373;     // "pass"

template <typename T>
std::vector<T> Shuffled(std::vector<T> order, uint64_t seed) {
  Random random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

std::string PassNames(const Campaign& campaign) {
  return absl::StrJoin(campaign.passes, ", ", [](std::string* out, analysis::Pass pass) {
    absl::StrAppend(out, analysis::Name(pass));
  });
}

uint64_t LoadBytes(const Settings& s, size_t agents) {
  if (!s.LoadsKeys()) return 0;
  return static_cast<uint64_t>(static_cast<double>(s.keys) * s.value_sizes.mean()) * agents;
}

std::string HumanBytes(uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (value >= 1 << 30) return absl::StrFormat("%.1f GiB", value / (1 << 30));
  if (value >= 1 << 20) return absl::StrFormat("%.1f MiB", value / (1 << 20));
  return absl::StrFormat("%.1f KiB", value / 1024);
}

nlohmann::ordered_json LevelsJson(const Cell& cell) {
  nlohmann::ordered_json levels = nlohmann::ordered_json::object();
  for (const analysis::Level& level : cell.info.levels) levels[level.axis] = level.value;
  return levels;
}

}  // namespace

Plan MakePlan(const Campaign& campaign, size_t agents) {
  Plan plan;
  plan.key_seed = Mix64(campaign.seed ^ kKeyStream);
  std::vector<int> cells(campaign.cells.size());
  std::iota(cells.begin(), cells.end(), 0);
  for (int repetition = 0; repetition < campaign.repetitions; ++repetition) {
    const uint64_t block = Mix64(campaign.seed) + static_cast<uint64_t>(repetition);
    for (int cell : Shuffled(cells, Mix64(block ^ kOrderStream))) {
      const Settings& settings = campaign.cells[static_cast<size_t>(cell)].settings;
      const uint64_t pass_seed = Mix64(Mix64(block ^ kPassStream) + static_cast<uint64_t>(cell));
      for (analysis::Pass pass : Shuffled(campaign.passes, pass_seed)) {
        plan.runs.push_back({.ordinal = static_cast<int>(plan.runs.size()),
                             .cell = cell,
                             .repetition = repetition,
                             .pass = pass,
                             .seed = Mix64(block ^ kWorkStream)});
        plan.measuring += settings.warmup + settings.duration;
        if (settings.WarmsUpApart()) plan.measuring += settings.warmup_most;
        plan.load_bytes += LoadBytes(settings, agents);
      }
    }
  }
  return plan;
}

std::string DescribePlan(const Campaign& campaign, const Plan& plan, size_t agents) {
  std::string text = absl::StrFormat(
      "%s: %d cells x %d repetitions x %d passes (%s) = %d runs on %d agents\n"
      "planned: %.1f s of warm-up and measurement; set-up, loading and network baselines come on "
      "top\n"
      "to load: %s of values, every run over the same keys\n\ncells\n",
      campaign.name, campaign.cells.size(), campaign.repetitions, campaign.passes.size(),
      PassNames(campaign), plan.runs.size(), agents, plan.measuring.seconds(),
      HumanBytes(plan.load_bytes));
  for (const Cell& cell : campaign.cells) {
    absl::StrAppendFormat(&text, "  %3d  %s\n", cell.info.index, cell.info.Label());
  }
  for (size_t i = 0; i < campaign.gates.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "\ngates\n" : "", "  ", campaign.gates[i].text, "\n");
  }
  absl::StrAppendFormat(&text, "\norder (seed %d): cell:passes, by their first letters\n",
                        campaign.seed);
  const PlannedRun* last = nullptr;
  for (const PlannedRun& run : plan.runs) {
    const bool new_block = last == nullptr || last->repetition != run.repetition;
    if (new_block) {
      absl::StrAppendFormat(&text, "%s  repetition %d: ", last == nullptr ? "" : "\n",
                            run.repetition);
    }
    if (new_block || last->cell != run.cell) absl::StrAppend(&text, " ", run.cell, ":");
    absl::StrAppend(&text, analysis::Name(run.pass).substr(0, 1));
    last = &run;
  }
  return text + "\n";
}

std::string PlanJson(const Campaign& campaign, const Plan& plan, size_t agents) {
  nlohmann::ordered_json json;
  json["schema_version"] = 1;
  json["campaign"] = campaign.name;
  json["seed"] = campaign.seed;
  json["key_seed"] = plan.key_seed;
  json["agents"] = agents;
  json["repetitions"] = campaign.repetitions;
  json["measuring_ns"] = plan.measuring.count();
  json["load_bytes"] = plan.load_bytes;
  json["overrides"] = campaign.overrides;
  json["gates"] = nlohmann::ordered_json::array();
  for (const analysis::Gate& gate : campaign.gates) json["gates"].push_back(gate.text);
  for (const Cell& cell : campaign.cells) {
    nlohmann::ordered_json settings;
    for (const CampaignField& field : CampaignFields()) {
      settings[field.path] = field.show(cell.settings);
    }
    json["cells"].push_back({{"index", cell.info.index},
                             {"label", cell.info.Label()},
                             {"levels", LevelsJson(cell)},
                             {"settings", std::move(settings)}});
  }
  for (const PlannedRun& run : plan.runs) {
    json["runs"].push_back({{"ordinal", run.ordinal},
                            {"cell", run.cell},
                            {"repetition", run.repetition},
                            {"pass", std::string(analysis::Name(run.pass))},
                            {"seed", run.seed}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kbench
