#include "controller/campaign/campaign.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/address.h"
#include "controller/campaign/campaign_checks.h"
#include "controller/campaign/campaign_fields.h"
#include "controller/campaign/gate_syntax.h"
#include "controller/campaign/suggestion.h"
#include "controller/campaign/workload_use.h"

namespace kbench {
namespace {

constexpr size_t kCellsMax = 10'000;
constexpr size_t kNameMax = 100;

// One field as given, in the file or by --set: its levels' canonical texts.
struct Given {
  const CampaignField* field = nullptr;
  std::string where;
  std::vector<std::string> levels;
  bool is_list = false;
};

class Parser {
 public:
  Parser(absl::string_view file, const CampaignOptions& options) : file_(file), options_(options) {}

  absl::StatusOr<Campaign> Parse(absl::string_view text) {
    std::optional<YAML::Node> root = Read(std::string(text), file_);
    const bool is_map = root && root->IsMap();
    if (is_map) {
      Walk(*root, "");
    } else if (root) {
      Complain(file_, "a campaign is a map; the smallest is 'name: my-first-campaign'");
    }
    for (const std::string& override_text : options_.overrides) Override(override_text);
    in_override_.clear();
    if (agents_where_.empty() && options_.inventory != nullptr && options_.local_agents == 0) {
      TakeAgentsOfInventory();
    }
    if (is_map && !has_name_) Complain(file_, "the campaign needs a 'name'");
    if (errors_.empty()) Finish();
    campaign_.source = std::string(text);
    campaign_.overrides = options_.overrides;
    if (!errors_.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors_, "\n"));
    return std::move(campaign_);
  }

 private:
  std::optional<YAML::Node> Read(const std::string& text, const std::string& where) {
    reading_ = text;
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(text);
      if (documents.size() > 1) {
        Complain(where, "a campaign is one YAML document; everything after '---' would be ignored");
        return std::nullopt;
      }
      return documents.empty() ? YAML::Node() : documents[0];
    } catch (const YAML::Exception& e) {
      if (!in_override_.empty() || e.mark.is_null()) {
        Complain(where, absl::StrCat("this is not YAML: ", e.msg));
      } else {
        Complain(absl::StrCat(where, ":", e.mark.line + 1, ":", e.mark.column + 1),
                 absl::StrCat("this is not YAML: ", e.msg));
      }
      return std::nullopt;
    }
  }

  void Walk(const YAML::Node& map, const std::string& prefix) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const std::string where = Where(entry.first);
      const std::string path = prefix.empty() ? key : absl::StrCat(prefix, ".", key);
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        Complain(where, absl::StrCat("key '", key, "' stands here twice; keep one of them"));
        continue;
      }
      seen.push_back(key);
      Visit(path, entry.second, where);
    }
  }

  // `where` is the key's place, for complaints about the key itself.
  void Visit(const std::string& path, const YAML::Node& value, const std::string& where) {
    if (path == "name") return TakeName(value);
    if (path == "agents") return TakeAgents(value);
    if (path == "gates") return TakeGates(value);
    if (const CampaignField* field = FindCampaignField(path)) {
      // An absent value has the place of whatever comes next, so its key is pointed at.
      if (!value.IsNull() || IsWordNull(*field, value)) return TakeField(*field, value);
      return Complain(where, absl::StrCat("'", path, "' has no value; give ", field->expects));
    }
    if (!IsSection(path)) return Complain(where, UnknownKey(path));
    if (!value.IsMap()) {
      return Complain(
          where, absl::StrCat("'", path, "' holds a map of: ", absl::StrJoin(KeysIn(path), ", ")));
    }
    Walk(value, path);
  }

  void Override(const std::string& text) {
    in_override_ = absl::StrCat("--set ", text);
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return Complain(in_override_, "write --set PATH=VALUE, like --set run.duration=2s");
    }
    if (std::optional<YAML::Node> value = Read(text.substr(equals + 1), in_override_)) {
      Visit(text.substr(0, equals), *value, in_override_);
    }
  }

  void TakeName(const YAML::Node& value) {
    has_name_ = true;
    const std::string name = value.IsScalar() ? value.Scalar() : "";
    const bool control = std::any_of(name.begin(), name.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (name.empty() || name.size() > kNameMax || control) {
      return Complain(Where(value), absl::StrCat("'name' is one line of text of 1 to ", kNameMax,
                                                 " bytes: it names the result directory"));
    }
    campaign_.name = name;
  }

  void TakeAgents(const YAML::Node& value) {
    agents_where_ = Where(value);
    campaign_.agents.clear();
    if (!value.IsSequence()) {
      return Complain(agents_where_, "'agents' is a list, like [10.0.0.5:7100, 10.0.0.6:7100]");
    }
    for (const auto& item : value) {
      const std::string text = item.IsScalar() ? item.Scalar() : "";
      if (!absl::StartsWith(text, "@")) {
        TakeAgent(text, Where(item));
        continue;
      }
      const auto found = LookUp(text, Inventory::Kind::kAgent);
      if (!found.ok()) {
        Complain(Where(item), absl::StrCat("in 'agents': ", found.status().message()));
        continue;
      }
      for (const std::string& agent : *found) TakeAgent(agent, Where(item));
    }
  }

  void TakeGates(const YAML::Node& value) {
    campaign_.gates.clear();
    gates_where_.clear();
    if (!value.IsSequence()) {
      return Complain(Where(value), "'gates' is a list, like ['p99(get) < 2ms', 'errors < 0.1%']");
    }
    for (const auto& item : value) {
      const auto gate = ParseGate(item.IsScalar() ? item.Scalar() : "");
      if (!gate.ok()) {
        Complain(Where(item), absl::StrCat("in 'gates': ", gate.status().message()));
        continue;
      }
      campaign_.gates.push_back(*gate);
      gates_where_.push_back(Where(item));
    }
  }

  // A campaign that names no agents is for all of them.
  void TakeAgentsOfInventory() {
    const auto found = LookUp("@agents", Inventory::Kind::kAgent);
    if (!found.ok()) return Complain("--inventory", found.status().message());
    for (const std::string& agent : *found) TakeAgent(agent, "--inventory");
  }

  void TakeAgent(const std::string& text, const std::string& where) {
    const auto address = ParseHostPort(text);
    if (!address.ok()) {
      Complain(where, absl::StrCat("in 'agents': ", address.status().message()));
    } else if (address->port == 0) {
      Complain(where,
               absl::StrCat("in 'agents': '", address->ToString(), "' has no port to connect to"));
    } else if (const std::string agent = address->ToString();
               std::count(campaign_.agents.begin(), campaign_.agents.end(), agent) > 0) {
      Complain(where, absl::StrCat("agent ", agent, " is listed twice"));
    } else {
      campaign_.agents.push_back(agent);
    }
  }

  // Of '@NAME'.
  absl::StatusOr<std::vector<std::string>> LookUp(const std::string& text, Inventory::Kind kind) {
    if (options_.inventory != nullptr) return options_.inventory->Find(text.substr(1), kind);
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' names a group or a host of an inventory; add --inventory FILE"));
  }

  // What stands in the inventory for '@NAME', in the fields that are addresses; else the text.
  absl::StatusOr<std::string> Resolved(const CampaignField& field, const std::string& text) {
    const bool server = field.path == "server.address";
    if (!absl::StartsWith(text, "@") || (!server && field.path != "server.observer")) return text;
    const auto found = LookUp(text, server ? Inventory::Kind::kServer : Inventory::Kind::kAgent);
    if (!found.ok()) return found.status();
    if (found->size() == 1) return found->front();
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is a group of ", found->size(), " hosts; name one of them"));
  }

  void TakeField(const CampaignField& field, const YAML::Node& value) {
    Given given{
        .field = &field, .where = Where(value), .is_list = value.IsSequence() && !field.takes_list};
    if (field.takes_list) {
      TakeList(value, &given);
    } else if (given.is_list && !field.may_sweep) {
      Complain(given.where,
               absl::StrCat("'", field.path, "' takes one value, not a list: ", field.expects));
    } else if (given.is_list && value.size() == 0) {
      Complain(given.where, absl::StrCat("'", field.path, "' is an empty list, so there would be ",
                                         "no cell; give ", field.expects));
    } else if (given.is_list) {
      for (const auto& item : value) TakeLevel(item, &given);
    } else {
      TakeLevel(value, &given);
    }
    const auto same = [&](const Given& other) { return other.field == &field; };
    const auto found = std::find_if(given_.begin(), given_.end(), same);
    if (found == given_.end()) {
      given_.push_back(std::move(given));
    } else {
      *found = std::move(given);
    }
  }

  // One value of several items; what is wrong with an item is said at its place.
  void TakeList(const YAML::Node& value, Given* given) {
    const CampaignField& field = *given->field;
    std::vector<std::string> items;
    const auto take = [&](const YAML::Node& item) {
      const std::string where = Where(item);
      if (!item.IsScalar() || (field.takes_words && absl::StrContains(item.Scalar(), '\n'))) {
        return Complain(where, absl::StrCat("'", field.path, "' takes ", field.expects));
      }
      if (field.takes_words) return items.push_back(item.Scalar());
      Settings scratch;
      const absl::Status good = field.apply(item.Scalar(), &scratch).status();
      if (!good.ok()) return Complain(where, Remedied(field, good.message()));
      if (std::count(items.begin(), items.end(), item.Scalar()) > 0) {
        return Complain(where, absl::StrCat("'", field.path, "' lists ", item.Scalar(), " twice"));
      }
      items.push_back(item.Scalar());
    };
    if (value.IsSequence() && value.size() == 0) {
      return Complain(given->where, absl::StrCat("'", field.path, "' is an empty list, so there ",
                                                 "would be no run; give ", field.expects));
    }
    if (value.IsSequence()) {
      for (const auto& item : value) take(item);
    } else {
      take(value);
    }
    if (items.empty()) return;
    Settings scratch;
    const std::string text = absl::StrJoin(items, field.takes_words ? "\n" : ",");
    const absl::StatusOr<std::string> canonical = field.apply(text, &scratch);
    if (!canonical.ok()) {
      return Complain(given->where, Remedied(field, canonical.status().message()));
    }
    given->levels.push_back(*canonical);
    raw_[{&field, given->levels.back()}] = text;
  }

  static std::string Remedied(const CampaignField& field, absl::string_view why) {
    return absl::StrCat(field.path, ": ", why, absl::EndsWith(why, "?") ? " Give " : "; give ",
                        field.expects);
  }

  void TakeLevel(const YAML::Node& value, Given* given) {
    const CampaignField& field = *given->field;
    const std::string where = Where(value);
    std::string text;
    if (value.IsScalar()) {
      text = value.Scalar();
    } else if (IsWordNull(field, value)) {
      text = "null";
    } else if (value.IsMap() && field.takes_map) {
      for (const auto& entry : value) {
        absl::StrAppend(&text, text.empty() ? "" : ",", entry.first.Scalar(), "=",
                        entry.second.IsScalar() ? entry.second.Scalar() : "?");
      }
    } else {
      return Complain(where, absl::StrCat("'", field.path, "' takes ", field.expects));
    }
    const absl::StatusOr<std::string> resolved = Resolved(field, text);
    if (!resolved.ok()) {
      return Complain(where, absl::StrCat(field.path, ": ", resolved.status().message()));
    }
    text = *resolved;
    Settings scratch;
    const absl::StatusOr<std::string> canonical = field.apply(text, &scratch);
    if (!canonical.ok()) return Complain(where, Remedied(field, canonical.status().message()));
    if (std::count(given->levels.begin(), given->levels.end(), *canonical) > 0) {
      return Complain(where, absl::StrCat("'", field.path, "' lists ", *canonical, " twice"));
    }
    given->levels.push_back(*canonical);
    raw_[{&field, *canonical}] = text;
  }

  // YAML takes a bare null for "no value"; here it is the name of a transport.
  bool IsWordNull(const CampaignField& field, const YAML::Node& value) const {
    return field.path == "transport" && value.IsNull() && value.Mark().pos >= 0 &&
           absl::StartsWith(absl::ClippedSubstr(reading_, static_cast<size_t>(value.Mark().pos)),
                            "null");
  }

  void Finish() {
    for (const Given& given : given_) {
      if (!given.is_list) continue;
      campaign_.factors.push_back(
          {.axis = given.field->axis, .path = given.field->path, .levels = given.levels});
    }
    if (!CountsAreSane()) return;
    MakeCells();
    const Settings& first = campaign_.cells.front().settings;
    campaign_.repetitions = static_cast<int>(first.repetitions);
    campaign_.passes = first.passes;
    campaign_.seed = first.seed;
    CollectConstants(first);
    Check();
  }

  bool CountsAreSane() {
    size_t cells = 1;
    for (const Factor& factor : campaign_.factors) {
      cells *= factor.levels.size();
      if (cells > kCellsMax) {
        Complain(file_, absl::StrCat("the sweep makes more than ", kCellsMax,
                                     " cells; take out a factor or some levels"));
        return false;
      }
    }
    return true;
  }

  void MakeCells() {
    std::vector<size_t> level(given_.size(), 0);
    while (true) {
      Cell cell;
      cell.info.index = static_cast<int>(campaign_.cells.size());
      for (size_t i = 0; i < given_.size(); ++i) {
        const Given& given = given_[i];
        const std::string& text = given.levels[level[i]];
        // It parsed before, so it parses again.
        (void)given.field->apply(raw_[{given.field, text}], &cell.settings);
        if (given.is_list) cell.info.levels.push_back({given.field->axis, text});
      }
      campaign_.cells.push_back(std::move(cell));
      size_t i = given_.size();
      while (i > 0 && ++level[i - 1] == given_[i - 1].levels.size()) level[--i] = 0;
      if (i == 0) return;
    }
  }

  void CollectConstants(const Settings& settings) {
    for (const CampaignField& field : CampaignFields()) {
      const bool swept = std::any_of(given_.begin(), given_.end(), [&](const Given& given) {
        return given.field == &field && given.is_list;
      });
      const bool other_form = (field.axis == "op" && IsGiven("workload.mix")) ||
                              (field.axis == "mix" && !IsGiven("workload.mix"));
      const std::string value = field.show(settings);
      if (!swept && !other_form && !value.empty()) campaign_.constants[field.axis] = value;
    }
  }

  void Check() {
    std::vector<CampaignComplaint> complaints;
    CheckWhole({.local_agents = options_.local_agents, .agents = campaign_.agents.size()},
               &complaints);
    const auto is_given = [this](absl::string_view path) { return IsGiven(path); };
    const auto is_meant = [this](absl::string_view path) { return IsMeant(path); };
    CheckCells(campaign_.cells, is_meant, &complaints);
    if (!options_.takes_unused_workload) {
      CheckWorkloadUse(campaign_.cells, is_meant, &complaints);
    }
    NoteUntold(is_given, &campaign_.cells);
    if (!options_.takes_unused_probes) {
      const auto is_chosen = [this](absl::string_view path) {
        return IsGiven(path) && IsBySet(path) == IsBySet("probes.passes");
      };
      CheckProbes(campaign_.cells, is_given, is_chosen, &complaints);
    }
    for (const Cell& cell : campaign_.cells) {
      CheckCell(cell.settings, options_.local_agents > 0, is_given, &complaints);
    }
    if (IsSwept("server.tls") && !campaign_.cells.front().settings.EmbeddedServer()) {
      complaints.push_back({"server.tls",
                            "an address is that of one port, and a port speaks TLS or does not; "
                            "sweep server.tls with --local and without server.address, or run two "
                            "campaigns and compare them"});
    }
    for (size_t i = 0; i < campaign_.gates.size(); ++i) {
      const std::string why = WhyUseless(campaign_.gates[i], campaign_.cells);
      if (!why.empty()) Complain(gates_where_[i], absl::StrCat("in 'gates': ", why));
    }
    for (const CampaignComplaint& complaint : complaints) {
      Complain(PlaceOf(complaint.path), complaint.text);
    }
  }

  bool IsSwept(absl::string_view path) const {
    return std::any_of(campaign_.factors.begin(), campaign_.factors.end(),
                       [path](const Factor& factor) { return factor.path == path; });
  }

  bool IsGiven(absl::string_view path) const {
    return std::any_of(given_.begin(), given_.end(),
                       [&](const Given& given) { return given.field->path == path; });
  }

  // Given, and no --set has taken away for once what would use it.
  bool IsMeant(absl::string_view path) const {
    const std::vector<absl::string_view> decisive = DecisiveOf(path);
    return IsGiven(path) &&
           (IsBySet(path) || std::none_of(decisive.begin(), decisive.end(),
                                          [this](absl::string_view by) { return IsBySet(by); }));
  }

  // The fields whose values decide whether one is used.
  static std::vector<absl::string_view> DecisiveOf(absl::string_view path) {
    if (path == "workload.zipf_theta" || absl::StartsWith(path, "workload.hot_")) {
      return {"workload.key_order"};
    }
    if (path == "load.burst_size") return {"load.arrival", "load.mode"};
    if (path == "server.ca_file") return {"server.tls"};
    if (path == "client.command") return {"transport"};
    return {"workload.op", "workload.mix", "workload.load", "transport", "client.command"};
  }

  // Given by --set, the last word.
  bool IsBySet(absl::string_view path) const { return absl::StartsWith(PlaceOf(path), "--set "); }

  std::string PlaceOf(absl::string_view path) const {
    if (path == "agents" && !agents_where_.empty()) return agents_where_;
    for (const Given& given : given_) {
      if (given.field->path == path) return given.where;
    }
    return file_;
  }

  std::string Where(const YAML::Node& node) const {
    if (!in_override_.empty()) return in_override_;
    return absl::StrCat(file_, ":", node.Mark().line + 1, ":", node.Mark().column + 1);
  }

  static bool IsSection(absl::string_view path) {
    const std::string prefix = absl::StrCat(path, ".");
    const auto& fields = CampaignFields();
    return std::any_of(fields.begin(), fields.end(), [&](const CampaignField& field) {
      return absl::StartsWith(field.path, prefix);
    });
  }

  // The keys that may stand in a section; "" is the campaign itself.
  static std::vector<std::string> KeysIn(absl::string_view section) {
    std::vector<std::string> keys;
    if (section.empty()) keys = {"name", "agents", "gates"};
    const std::string prefix = section.empty() ? "" : absl::StrCat(section, ".");
    for (const CampaignField& field : CampaignFields()) {
      if (!absl::StartsWith(field.path, prefix)) continue;
      std::string rest = field.path.substr(prefix.size());
      rest = rest.substr(0, rest.find('.'));
      if (std::find(keys.begin(), keys.end(), rest) == keys.end()) keys.push_back(rest);
    }
    return keys;
  }

  static std::string UnknownKey(const std::string& path) {
    const size_t dot = path.rfind('.');
    const std::string section = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::string key = dot == std::string::npos ? path : path.substr(dot + 1);
    const std::string place = section.empty() ? "campaign" : absl::StrCat("'", section, "'");
    const std::string base = absl::StrCat("unknown key '", key, "' in ", place);
    for (const CampaignField& field : CampaignFields()) {
      if (absl::EndsWith(field.path, absl::StrCat(".", key))) {
        return absl::StrCat(base, "; did you mean '", field.path, "'?");
      }
    }
    const std::vector<std::string> keys = KeysIn(section);
    const std::string near = NearestWord(key, keys);
    if (!near.empty()) return absl::StrCat(base, "; did you mean '", near, "'?");
    return absl::StrCat(base, keys.empty() ? "" : "; it takes: ", absl::StrJoin(keys, ", "));
  }

  void Complain(const std::string& where, absl::string_view what) {
    std::string error = absl::StrCat(where, ": ", what);
    if (std::find(errors_.begin(), errors_.end(), error) == errors_.end()) {
      errors_.push_back(std::move(error));
    }
  }

  const std::string file_;
  const CampaignOptions& options_;
  std::string in_override_;  // the --set being read, or empty
  std::string reading_;      // the text being read
  bool has_name_ = false;
  std::string agents_where_;
  std::vector<std::string> gates_where_;
  std::vector<Given> given_;
  // How a level was written: what apply() takes, which for a mix is not its canonical text.
  std::map<std::pair<const CampaignField*, std::string>, std::string> raw_;
  Campaign campaign_;
  std::vector<std::string> errors_;
};

}  // namespace

bool Settings::LoadsKeys() const {
  if (IsExternal() || transport == "null") return false;
  if (load != LoadKeys::kAuto) return load == LoadKeys::kYes;
  return std::any_of(ops.begin(), ops.end(), [](const WeightedOp& share) {
    return share.op == "get" || share.op == "next" || share.op == "previous" ||
           share.op == "version" || share.op == "range";
  });
}

Nanos Settings::Injected() const {
  Nanos whole = inject_encode + inject_decode + inject_relay.value_or(Nanos(0)) * 2;
  if (relay_rate > 0) {
    const double seconds =
        static_cast<double>(value_sizes.largest()) * 8 / static_cast<double>(relay_rate);
    whole += Nanos(static_cast<int64_t>(seconds * 1e9));
  }
  return whole;
}

int64_t Settings::SampleEvery(analysis::Pass pass) const {
  switch (pass) {
    case analysis::Pass::kBare:
      return 0;
    case analysis::Pass::kSampled:
      return sample_every;
    case analysis::Pass::kFull:
      return full_sample_every;
  }
  return 0;
}

absl::StatusOr<Campaign> ParseCampaign(absl::string_view file, absl::string_view text,
                                       const CampaignOptions& options) {
  return Parser(file, options).Parse(text);
}

absl::StatusOr<Campaign> LoadCampaign(const std::string& path, const CampaignOptions& options) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in.good()) {
    return absl::NotFoundError(absl::StrCat("cannot read the campaign ", path, ": ",
                                            strerror(errno), "; give the path of a YAML file"));
  }
  return ParseCampaign(path, text.str(), options);
}

}  // namespace kbench
