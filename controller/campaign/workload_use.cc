#include "controller/campaign/workload_use.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kbench {
namespace {

// Whether one of the operations is among `names`.
bool Does(const Settings& s, std::initializer_list<absl::string_view> names) {
  return std::any_of(s.ops.begin(), s.ops.end(), [names](const WeightedOp& share) {
    return std::find(names.begin(), names.end(), share.op) != names.end();
  });
}

bool Puts(const Settings& s) { return Does(s, {"put", "put_new", "put_conditional", "batch"}); }
bool ReadsValues(const Settings& s) { return Does(s, {"get", "next", "previous"}); }

// Asks for, writes over or deletes objects that a load has written, this campaign's or an earlier
// one's. What they are is in their names (controller/campaign/plan.cc), so that whoever says it
// finds them.
bool MeetsObjects(const Settings& s) {
  if (s.transport == "null") return false;
  return s.LoadsKeys() || ReadsValues(s) || Does(s, {"version", "range", "delete"});
}

bool SendsKeys(const Settings& s) {
  return Puts(s) || ReadsValues(s) || Does(s, {"get_miss", "version", "range", "delete"});
}

// What a client program does is its own; it may be told of these.
bool UsesObjects(const Settings& s) { return !s.IsExternal() && (Puts(s) || MeetsObjects(s)); }
bool UsesSizes(const Settings& s) { return s.IsExternal() || UsesObjects(s) || ReadsValues(s); }
bool UsesKeys(const Settings& s) { return s.IsExternal() || SendsKeys(s) || MeetsObjects(s); }

bool UsesOrder(const Settings& s) {
  return !s.IsExternal() && (ReadsValues(s) || Does(s, {"put", "put_conditional", "batch", "delete",
                                                        "get_miss", "version", "range"}));
}

bool UsesSynchronization(const Settings& s) {
  return !s.IsExternal() && (Puts(s) || s.LoadsKeys() || Does(s, {"delete"}));
}

bool UsesLoad(const Settings& s) {
  return s.load != LoadKeys::kYes || (s.transport != "null" && !s.IsExternal());
}

struct Field {
  const char* path;
  bool (*uses)(const Settings&);
  const char* where;   // it has no effect
  const char* remedy;  // another than to drop it
};

constexpr char kNoObjects[] =
    "where no operation puts, reads, lists or deletes objects of a server and no keys are loaded";
constexpr char kAddObjects[] =
    "add an operation that does to workload.op or workload.mix, or workload.load: true";
constexpr char kNoKeys[] = "where no operation has a key and no keys are loaded";
constexpr char kAddKeys[] =
    "add an operation that has one to workload.op or workload.mix, or workload.load: true";

constexpr Field kFields[] = {
    {"workload.value_size", &UsesSizes, kNoObjects, kAddObjects},
    {"workload.compressible", &UsesObjects, kNoObjects, kAddObjects},
    {"workload.tag", &UsesObjects, kNoObjects, kAddObjects},
    {"workload.keys", &UsesKeys, kNoKeys, kAddKeys},
    {"workload.key_size", &UsesKeys, kNoKeys, kAddKeys},
    {"workload.key_order", &UsesOrder, "where no operation takes a key of workload.keys",
     "add one that does, like get or put, to workload.op or workload.mix"},
    {"workload.synchronization", &UsesSynchronization,
     "where nothing is put or deleted and no keys are loaded",
     "add put to workload.op or workload.mix, or workload.load: true"},
    {"workload.load", &UsesLoad, "over transport null or external, which loads nothing",
     "take another transport"},
    {"workload.range_keys", [](const Settings& s) { return Does(s, {"range"}); },
     "without the operation range", "add it to workload.op or workload.mix"},
    {"workload.batch_ops", [](const Settings& s) { return Does(s, {"batch"}); },
     "without the operation batch", "add it to workload.op or workload.mix"},
};

}  // namespace

void CheckWorkloadUse(const std::vector<Cell>& cells,
                      const std::function<bool(absl::string_view)>& is_chosen,
                      std::vector<CampaignComplaint>* complaints) {
  for (const Field& field : kFields) {
    const auto uses = [&field](const Cell& cell) { return field.uses(cell.settings); };
    if (!is_chosen(field.path) || std::any_of(cells.begin(), cells.end(), uses)) continue;
    complaints->push_back({field.path, absl::StrCat(field.path, " has no effect ", field.where,
                                                    "; ", field.remedy, ", or drop ", field.path)});
  }
}

std::vector<result::Caveat> PassedOver(const Settings& s) {
  std::vector<result::Caveat> caveats;
  const auto add = [&caveats](const char* code, const char* text) {
    result::Caveat& caveat = caveats.emplace_back();
    caveat.set_code(code);
    caveat.set_text(text);
  };
  if (s.verify && ReadsValues(s) && s.KeepsNoValues()) {
    add("nothing_verified",
        s.IsExternal() ? "workload.verify was asked for, and nobody but the client program sees "
                         "the values that it reads: nothing was checked"
                       : "workload.verify was asked for, and the null transport keeps no values: "
                         "nothing was checked");
  }
  const bool writes = Does(s, {"put", "put_conditional", "batch"});
  if (s.key_order == "latest" && !writes && UsesOrder(s)) {
    add("latest_unmoved",
        "workload.key_order latest follows what is written, and this cell writes nothing: the keys "
        "of each connection were drawn around one that never moves");
  }
  return caveats;
}

}  // namespace kbench
