#include "controller/campaign/plan.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/load_window.h"
#include "base/random.h"
#include "base/units.h"
#include "controller/campaign/campaign_fields.h"
#include "controller/campaign/key_ledger.h"
#include "controller/campaign/run_spec.h"

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

// Without packets nothing is known of the requests of an external client.
std::vector<analysis::Pass> PassesOf(const Campaign& campaign, const Settings& settings) {
  if (settings.IsExternal()) return {analysis::Pass::kFull};
  return campaign.passes;
}

std::string PassNames(const Campaign& campaign) {
  return absl::StrJoin(campaign.passes, ", ", [](std::string* out, analysis::Pass pass) {
    absl::StrAppend(out, analysis::Name(pass));
  });
}

// Of everything that makes an object what it is: sizes by key, what the bytes are, the tag beside
// them, and the key's own length.
uint64_t KeySeedOf(uint64_t campaign_seed, const Settings& s) {
  uint64_t seed = Mix64(campaign_seed ^ kKeyStream);
  for (const char c :
       absl::StrCat(s.value_sizes.ToString(), "/", s.compressible, "/", s.key_bytes, "/", s.tag)) {
    seed = Mix64(seed ^ static_cast<uint8_t>(c));
  }
  return seed;
}

// Goes through the runs as the campaign will, and adds up which of them write their keys.
class LoadPlanner {
 public:
  LoadPlanner(size_t agents, Plan* plan) : agents_(agents), plan_(plan) {}

  // True when the run, or the warm-up before it, writes keys.
  bool Take(const Settings& s, uint64_t key_seed) {
    // Every agent's keys are its own, and fare alike.
    control::RunSpec spec = MakeRunSpec(s, {.server = ServerOf(s), .key_seed = key_seed});
    bool loads = false;
    for (int stage = s.WarmsUpApart() ? 0 : 1; stage < 2; ++stage) {
      ledger_.Decide(false, &spec);
      const bool writes = spec.load() && !spec.reuse_keys();
      if (writes) Add(s);
      plan_->loads_most += spec.load();
      loads |= writes;
      const control::Loaded loaded;
      ledger_.Take(spec, spec.load() ? &loaded : nullptr, true);
    }
    return loads;
  }

 private:
  // An embedded server is one per way to serve (controller/fleet/local_fleet.cc).
  static std::string ServerOf(const Settings& s) {
    if (!s.EmbeddedServer()) return s.server_address;
    return absl::StrJoin({s.service_time, s.service_model, absl::StrCat(s.identity), s.key_file,
                          std::string(s.tls ? "tls" : "plain")},
                         "|");
  }

  void Add(const Settings& s) {
    const auto keys = static_cast<uint64_t>(s.keys);
    ++plan_->loads;
    plan_->load_keys += keys * agents_;
    plan_->load_bytes +=
        static_cast<uint64_t>(static_cast<double>(s.keys) * s.value_sizes.mean()) * agents_;
    const LoadWindow window = LoadWindow::Of(
        static_cast<uint32_t>(s.workers), static_cast<uint32_t>(s.flows), s.value_sizes.largest());
    const uint64_t in_flight = uint64_t{window.flows} * window.depth;
    // Until the windows have found their depth, they double with every round trip.
    const uint64_t turns = std::bit_width(window.depth) + (keys + in_flight - 1) / in_flight;
    plan_->load_turns += turns;
    plan_->load_relayed += s.inject_relay.value_or(Nanos()) * 2 * static_cast<int64_t>(turns);
  }

  const size_t agents_;
  Plan* const plan_;
  KeyLedger ledger_;
};

std::string LoadTime(const Plan& plan, Nanos round_trip) {
  const Nanos whole = round_trip * static_cast<int64_t>(plan.load_turns) + plan.load_relayed;
  return absl::StrFormat("%.1f s", whole.seconds());
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

// What is written before runs, how often, and what a path makes of it.
std::string DescribeLoads(const Plan& plan) {
  if (plan.loads == 0) return "to load: nothing\n";
  const auto runs = std::count_if(plan.runs.begin(), plan.runs.end(),
                                  [](const PlannedRun& run) { return run.loads; });
  const std::string kept_nowhere =
      plan.loads_most == plan.loads
          ? ""
          : absl::StrFormat(
                "a server that keeps nothing (kbench-server --store null) is given keys %d times, "
                "not %d: no look finds them\n",
                plan.loads_most, plan.loads);
  return absl::StrFormat(
      "to load: %s of values in %d keys, before %d of %d runs; the others that need keys find them "
      "there, which their agents look at\n%s"
      "loading takes about %s over round trips of 1 ms, %s over 10 ms, and the server's own time "
      "for it\n",
      HumanBytes(plan.load_bytes), plan.load_keys, runs, plan.runs.size(), kept_nowhere,
      LoadTime(plan, Millis(1)), LoadTime(plan, Millis(10)));
}

}  // namespace

Plan MakePlan(const Campaign& campaign, size_t agents) {
  Plan plan;
  for (const Cell& cell : campaign.cells) {
    plan.key_seeds.push_back(KeySeedOf(campaign.seed, cell.settings));
  }
  LoadPlanner loads(agents, &plan);
  std::vector<int> cells(campaign.cells.size());
  std::iota(cells.begin(), cells.end(), 0);
  for (int repetition = 0; repetition < campaign.repetitions; ++repetition) {
    const uint64_t block = Mix64(campaign.seed) + static_cast<uint64_t>(repetition);
    for (int cell : Shuffled(cells, Mix64(block ^ kOrderStream))) {
      const Settings& settings = campaign.cells[static_cast<size_t>(cell)].settings;
      const uint64_t pass_seed = Mix64(Mix64(block ^ kPassStream) + static_cast<uint64_t>(cell));
      for (analysis::Pass pass : Shuffled(PassesOf(campaign, settings), pass_seed)) {
        plan.runs.push_back(
            {.ordinal = static_cast<int>(plan.runs.size()),
             .cell = cell,
             .repetition = repetition,
             .pass = pass,
             .seed = Mix64(block ^ kWorkStream),
             .loads = loads.Take(settings, plan.key_seeds[static_cast<size_t>(cell)])});
        plan.measuring += settings.warmup + settings.duration;
        if (settings.WarmsUpApart()) plan.measuring += settings.warmup_most;
      }
    }
  }
  return plan;
}

std::string DescribePlan(const Campaign& campaign, const Plan& plan, size_t agents) {
  std::string text = absl::StrFormat(
      "%s: %d cells x %d repetitions x %d passes (%s) = %d runs on %d agents\n"
      "planned: %.1f s of warm-up and measurement; set-up, loading and network baselines come on "
      "top\n",
      campaign.name, campaign.cells.size(), campaign.repetitions, campaign.passes.size(),
      PassNames(campaign), plan.runs.size(), agents, plan.measuring.seconds());
  absl::StrAppend(&text, DescribeLoads(plan), "\ncells\n");
  for (const Cell& cell : campaign.cells) {
    absl::StrAppendFormat(&text, "  %3d  %s%s\n", cell.info.index, cell.info.Label(),
                          cell.settings.IsExternal() ? "  (full pass only)" : "");
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
  json["agents"] = agents;
  json["repetitions"] = campaign.repetitions;
  json["measuring_ns"] = plan.measuring.count();
  json["loads"] = plan.loads;
  json["loads_most"] = plan.loads_most;
  json["load_keys"] = plan.load_keys;
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
                             {"key_seed", plan.key_seeds[json["cells"].size()]},
                             {"settings", std::move(settings)}});
  }
  for (const PlannedRun& run : plan.runs) {
    json["runs"].push_back({{"ordinal", run.ordinal},
                            {"cell", run.cell},
                            {"repetition", run.repetition},
                            {"pass", std::string(analysis::Name(run.pass))},
                            {"seed", run.seed},
                            {"loads", run.loads}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kbench
