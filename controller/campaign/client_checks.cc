#include "controller/campaign/client_checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/placeholders.h"
#include "controller/campaign/campaign_fields.h"

namespace kbench {
namespace {

// By what a program is told of a field.
const std::map<std::string, std::string>& PlaceholderOf() {
  static const auto* const of =
      new std::map<std::string, std::string>{{"server.identity", "identity"},
                                             {"server.key_file", "key_file"},
                                             {"workload.op", "op"},
                                             {"workload.mix", "op"},
                                             {"workload.value_size", "value_size"},
                                             {"workload.key_size", "key_size"},
                                             {"workload.keys", "keys"},
                                             {"load.flows", "flows"},
                                             {"load.depth", "depth"}};
  return *of;
}

// Fields that hold for a program without its knowing, or are of its run.
bool HoldsUntold(const std::string& path) {
  static const auto* const holds = new std::set<std::string>{
      "server.address", "server.service_time", "server.service_model", "transport",
      "run.warmup",     "run.duration",        "run.op_timeout",       "run.connect_timeout",
      "inject.relay",   "inject.relay_rate",   "inject.keep_awake"};
  return holds->contains(path);
}

void CheckWords(const Settings& s, std::vector<CampaignComplaint>* complaints) {
  Words words;
  for (const char* name : kClientPlaceholders) words.emplace_back(name, "");
  const absl::Status status =
      FillIn({s.client_command.begin() + 1, s.client_command.end()}, words).status();
  if (!status.ok()) {
    complaints->push_back({"client.command", absl::StrCat("client.command: ", status.message())});
  }
}

}  // namespace

std::string PlaceholderFor(absl::string_view path) {
  const auto found = PlaceholderOf().find(std::string(path));
  return found == PlaceholderOf().end() ? "" : absl::StrCat("{", found->second, "}");
}

bool IsTold(const Settings& s, absl::string_view path) {
  const std::string placeholder = PlaceholderFor(path);
  return !placeholder.empty() &&
         std::any_of(s.client_command.begin(), s.client_command.end(),
                     [&](const std::string& word) { return absl::StrContains(word, placeholder); });
}

void CheckClient(const Settings& s, const std::function<bool(absl::string_view)>& is_given,
                 std::vector<CampaignComplaint>* complaints) {
  if (!s.IsExternal()) return;
  const auto refuse = [&](bool wrong, const char* path, const char* what) {
    if (wrong) complaints->push_back({path, absl::StrCat("with transport external ", what)});
  };
  refuse(s.client_command.empty(), "transport",
         "a client program makes the load; add client: {command: [NAME, ARGUMENT, ...]}");
  if (!s.client_command.empty()) CheckWords(s, complaints);
  refuse(s.tls, "server.tls",
         "requests are known from packets alone, and those of TLS cannot be read; drop server.tls");
  refuse(s.open_loop, "load.mode", "the program decides when it sends; drop load.mode: open");
  refuse(s.inject_encode > Nanos() || s.inject_decode > Nanos(),
         s.inject_encode > Nanos() ? "inject.encode" : "inject.decode",
         "nothing can be added to the program's work; drop inject.encode and inject.decode");
  refuse(s.WarmsUpApart(), s.warmup_ops > 0 ? "run.warmup_ops" : "run.warmup_steady",
         "nobody knows how far the program is until it has ended; use run.warmup, which begins "
         "with its first request");
  refuse(!s.value_sizes.fixed(), "workload.value_size", "the program is told one size; give one");
  refuse(std::find(s.passes.begin(), s.passes.end(), analysis::Pass::kFull) == s.passes.end(),
         is_given("probes.passes") ? "probes.passes" : "transport",
         "only the full pass has packets, and so requests; add full to probes.passes");
}

void CheckClients(const std::vector<Cell>& cells,
                  const std::function<bool(absl::string_view)>& is_meant,
                  std::vector<CampaignComplaint>* complaints) {
  std::vector<const Settings*> external;
  for (const Cell& cell : cells) {
    if (cell.settings.IsExternal()) external.push_back(&cell.settings);
  }
  if (external.empty()) {
    if (is_meant("client.command")) {
      complaints->push_back({"client.command",
                             "client.command has no effect without transport: external, alone or "
                             "in a sweep like [external, socket]"});
    }
    return;
  }
  for (const CampaignField& field : CampaignFields()) {
    const auto differs = [&](const Settings* s) {
      return field.show(*s) != field.show(*external.front());
    };
    if (HoldsUntold(field.path) || std::none_of(external.begin(), external.end(), differs)) {
      continue;
    }
    const std::string placeholder = PlaceholderFor(field.path);
    if (placeholder.empty()) {
      complaints->push_back(
          {field.path, absl::StrCat("the client program cannot be told of ", field.path,
                                    ": its cells would be alike; sweep it in a campaign "
                                    "without transport external")});
    } else if (!IsTold(*external.front(), field.path)) {
      complaints->push_back({field.path, absl::StrCat(field.path,
                                                      " is swept, and client.command does not "
                                                      "tell the program of it; add ",
                                                      placeholder, " to its arguments")});
    }
  }
}

}  // namespace kbench
