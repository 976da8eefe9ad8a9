#include "controller/campaign/workload_use.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "controller/campaign/client_checks.h"

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

bool UsesObjects(const Settings& s) { return Puts(s) || MeetsObjects(s); }
bool UsesSizes(const Settings& s) { return UsesObjects(s) || ReadsValues(s); }
bool UsesKeySize(const Settings& s) { return SendsKeys(s) || MeetsObjects(s); }

// New keys come one after another, whatever the order, and are none of workload.keys.
bool UsesOrder(const Settings& s) {
  return !s.IsExternal() && (ReadsValues(s) || Does(s, {"put", "put_conditional", "batch", "delete",
                                                        "get_miss", "version", "range"}));
}

bool UsesKeys(const Settings& s) { return UsesOrder(s) || MeetsObjects(s); }

bool UsesSynchronization(const Settings& s) {
  return Puts(s) || s.LoadsKeys() || Does(s, {"delete"});
}

struct Field {
  const char* path;
  bool (*uses)(const Settings&);  // of a cell whose requests are kbench's own
  const char* where;              // no operation uses it
  const char* add;                // what does
  bool loaded = false;            // ... and so does a load
};

constexpr char kNoObjects[] =
    "where no operation puts, reads, lists or deletes objects of a server and no keys are loaded";
constexpr char kAddObjects[] = "add an operation that does to workload.op or workload.mix";

constexpr Field kFields[] = {
    {"workload.value_size", &UsesSizes, kNoObjects, kAddObjects, true},
    {"workload.compressible", &UsesObjects, kNoObjects, kAddObjects, true},
    {"workload.tag", &UsesObjects, kNoObjects, kAddObjects, true},
    {"workload.keys", &UsesKeys,
     "where no operation takes a key of workload.keys and no keys are loaded",
     "add one that does, like get or put, to workload.op or workload.mix", true},
    {"workload.key_size", &UsesKeySize, "where no operation has a key and no keys are loaded",
     "add an operation that has one to workload.op or workload.mix", true},
    {"workload.key_order", &UsesOrder, "where no operation takes a key of workload.keys",
     "add one that does, like get or put, to workload.op or workload.mix"},
    {"workload.synchronization", &UsesSynchronization,
     "where nothing is put or deleted and no keys are loaded",
     "add put to workload.op or workload.mix", true},
    {"workload.range_keys", [](const Settings& s) { return Does(s, {"range"}); },
     "without the operation range", "add it to workload.op or workload.mix"},
    {"workload.batch_ops", [](const Settings& s) { return Does(s, {"batch"}); },
     "without the operation batch", "add it to workload.op or workload.mix"},
};

// What a client program does is its own; it uses what it is told of.
bool Uses(const Field& field, const Settings& s) {
  return s.IsExternal() ? IsTold(s, field.path) : field.uses(s);
}

// The same cell over a transport that has a server.
bool WouldUse(const Field& field, Settings s) {
  s.transport = "socket";
  return field.uses(s);
}

// Over which transports no cell has objects of kbench's on a server: "null", "external" or both;
// "" when one has.
std::string Objectless(const std::vector<Cell>& cells) {
  std::set<std::string> transports;
  for (const Cell& cell : cells) {
    if (!cell.settings.KeepsNoValues()) return "";
    transports.insert(cell.settings.transport);
  }
  return transports.size() == 1 ? *transports.begin() : "both";
}

// Why no cell uses the field, and what to do but to drop it.
std::string WhyUnused(const Field& field, const std::vector<Cell>& cells) {
  const std::string objectless = Objectless(cells);
  const std::string placeholder = PlaceholderFor(field.path);
  const std::string untold = placeholder.empty() ? "the client program cannot be told of it"
                                                 : "client.command does not tell the program of it";
  if (objectless == "external") {
    return absl::StrCat("with transport external alone: ", untold, "; ",
                        placeholder.empty()
                            ? "say it in the program's own arguments"
                            : absl::StrCat("add ", placeholder, " to its arguments"));
  }
  const bool transports_fault =
      !objectless.empty() && std::any_of(cells.begin(), cells.end(), [&field](const Cell& cell) {
        return WouldUse(field, cell.settings);
      });
  if (!transports_fault) {
    return absl::StrCat(field.where, "; ", field.add,
                        field.loaded && objectless.empty() ? ", or workload.load: true" : "");
  }
  return absl::StrCat("over transport null, which keeps no objects",
                      objectless == "null" ? "" : absl::StrCat(", or external, where ", untold),
                      "; take another transport");
}

}  // namespace

void CheckWorkloadUse(const std::vector<Cell>& cells,
                      const std::function<bool(absl::string_view)>& is_meant,
                      std::vector<CampaignComplaint>* complaints) {
  const auto complain = [complaints](const char* path, absl::string_view why) {
    complaints->push_back({path, absl::StrCat(path, " has no effect ", why, ", or drop ", path)});
  };
  for (const Field& field : kFields) {
    const auto uses = [&field](const Cell& cell) { return Uses(field, cell.settings); };
    if (!is_meant(field.path) || std::any_of(cells.begin(), cells.end(), uses)) continue;
    complain(field.path, WhyUnused(field, cells));
  }
  const auto asks = [](const Cell& cell) { return cell.settings.load == LoadKeys::kYes; };
  if (is_meant("workload.load") && !Objectless(cells).empty() &&
      std::any_of(cells.begin(), cells.end(), asks)) {
    complain("workload.load",
             "over transport null or external, which loads nothing; take another transport");
  }
}

void NoteUntold(const std::function<bool(absl::string_view)>& is_given, std::vector<Cell>* cells) {
  for (const Field& field : kFields) {
    const auto uses = [&field](const Cell& cell) {
      return !cell.settings.IsExternal() && field.uses(cell.settings);
    };
    if (!is_given(field.path) || std::none_of(cells->begin(), cells->end(), uses)) continue;
    for (Cell& cell : *cells) {
      if (cell.settings.IsExternal() && !IsTold(cell.settings, field.path)) {
        cell.untold.push_back(field.path);
      }
    }
  }
}

std::vector<result::Caveat> PassedOver(const Cell& cell) {
  const Settings& s = cell.settings;
  std::vector<result::Caveat> caveats;
  const auto add = [&caveats](const char* code, const std::string& text) {
    result::Caveat& caveat = caveats.emplace_back();
    caveat.set_code(code);
    caveat.set_text(text);
  };
  if (s.verify && s.KeepsNoValues()) {
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
  if (!cell.untold.empty()) {
    add("client_untold",
        absl::StrCat("the client program was not told of ", absl::StrJoin(cell.untold, ", "),
                     ", by which other cells' requests are made: that its own are alike is for its "
                     "arguments to say"));
  }
  return caveats;
}

}  // namespace kbench
