#include "controller/plan.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/units.h"
#include "controller/campaign_fields.h"

namespace kbench {
namespace {

// Streams of randomness that must not meet: the order of a block, what its runs do, and the keys.
constexpr uint64_t kOrderStream = 0x6f72646572;  // "order"
constexpr uint64_t kWorkStream = 0x776f726b;     // "work"
constexpr uint64_t kKeyStream = 0x6b657973;      // "keys"

std::vector<int> ShuffledCells(size_t cells, uint64_t seed) {
  std::vector<int> order(cells);
  std::iota(order.begin(), order.end(), 0);
  Random random(seed);
  for (size_t i = cells; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

uint64_t LoadBytes(const Settings& s, size_t agents) {
  if (!s.LoadsKeys()) return 0;
  return static_cast<uint64_t>(s.keys) * static_cast<uint64_t>(s.value_bytes) * agents;
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
  for (int repetition = 0; repetition < campaign.repetitions; ++repetition) {
    const uint64_t block = Mix64(campaign.seed) + static_cast<uint64_t>(repetition);
    for (int cell : ShuffledCells(campaign.cells.size(), Mix64(block ^ kOrderStream))) {
      const Settings& settings = campaign.cells[static_cast<size_t>(cell)].settings;
      plan.runs.push_back({.ordinal = static_cast<int>(plan.runs.size()),
                           .cell = cell,
                           .repetition = repetition,
                           .seed = Mix64(block ^ kWorkStream)});
      plan.measuring += settings.warmup + settings.duration;
      plan.load_bytes += LoadBytes(settings, agents);
    }
  }
  return plan;
}

std::string DescribePlan(const Campaign& campaign, const Plan& plan, size_t agents) {
  std::string text = absl::StrFormat(
      "%s: %d cells x %d repetitions = %d runs on %d agents\n"
      "planned: %.1f s of warm-up and measurement; set-up and loading come on top\n"
      "to load: %s of values, every run over the same keys\n\ncells\n",
      campaign.name, campaign.cells.size(), campaign.repetitions, plan.runs.size(), agents,
      plan.measuring.seconds(), HumanBytes(plan.load_bytes));
  for (const Cell& cell : campaign.cells) {
    absl::StrAppendFormat(&text, "  %3d  %s\n", cell.info.index, cell.info.Label());
  }
  absl::StrAppendFormat(&text, "\norder (seed %d)\n", campaign.seed);
  int repetition = -1;
  for (const PlannedRun& run : plan.runs) {
    if (run.repetition != repetition) {
      if (repetition >= 0) text += "\n";
      repetition = run.repetition;
      absl::StrAppendFormat(&text, "  repetition %d: ", repetition);
    }
    absl::StrAppend(&text, " ", run.cell);
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
                            {"seed", run.seed}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kbench
