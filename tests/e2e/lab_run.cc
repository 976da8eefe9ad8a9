#include "tests/e2e/lab_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/base/judge.h"
#include "tests/e2e/parts.h"

namespace kbench::e2e {
namespace {

constexpr int kAttemptsMost = 3;
// No attempt begins later, but for the table, which takes its time.
constexpr seconds kPatience{60};

std::vector<std::string> Remote(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "--allow-remote");
  return arguments;
}

std::string ListenOn(Host host, bool routed) {
  if (host == Host::kServer) {
    return absl::StrCat(routed ? NetLab::kServerRouted : NetLab::kServerDirect, ":0");
  }
  return absl::StrCat(routed ? NetLab::kClientRouted : NetLab::kClientDirect, ":0");
}

std::vector<LabRun> ReadRuns(const std::string& results) {
  std::vector<LabRun> runs;
  const nlohmann::json manifest = ReadJson(results + "/manifest.json");
  for (const auto& one : manifest.at("runs")) {
    LabRun run;
    for (const auto& level : manifest.at("cells").at(one.at("cell").get<size_t>()).at("levels")) {
      run.levels[level.at("axis")] = level.at("value");
    }
    run.repetition = one.at("repetition");
    run.name = one.at("directory");
    const std::string directory = absl::StrCat(results, "/", run.name);
    run.summary = ReadJson(directory + "/summary.json").at("ops").at(0);
    run.decomposition = ReadJson(directory + "/decomposition.json").at("ops").at(0);
    for (const auto& file : std::filesystem::directory_iterator(directory + "/agents")) {
      EXPECT_TRUE(run.evidence.ParseFromString(ReadFile(file.path()))) << file.path();
    }
    if (const std::string wire = directory + "/server_wire.pb"; std::filesystem::exists(wire)) {
      EXPECT_TRUE(run.server_wire.ParseFromString(ReadFile(wire))) << wire;
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace

LabServer::LabServer(const NetLab& lab, std::vector<std::string> arguments)
    : daemon_("kbench-server", Remote(std::move(arguments)), "0.0.0.0:0", lab.Enter(Host::kServer)),
      port_(daemon_.address().substr(daemon_.address().rfind(':') + 1)) {}

LabAgent::LabAgent(const NetLab& lab, Host host, bool routed)
    : daemon_("kbench-agent", LabCertificates::Get().AgentOptions(), ListenOn(host, routed),
              lab.Enter(host)) {}

const LabCertificates& LabCertificates::Get() {
  static const LabCertificates certificates;
  return certificates;
}

LabCertificates::LabCertificates() : authority_(directory_.path()) {
  std::vector<std::string> hosts = {"URI:urn:kbench:role:agent"};
  for (const char* address : {NetLab::kClientDirect, NetLab::kServerDirect, NetLab::kClientRouted,
                              NetLab::kServerRouted}) {
    hosts.push_back(absl::StrCat("IP:", address));
  }
  agent_ = authority_.Issue("agent", {.common_name = "lab agents", .alternative_names = hosts});
  controller_ = authority_.Issue(
      "controller",
      {.common_name = "lab controller", .alternative_names = {"URI:urn:kbench:role:controller"}});
}

std::vector<std::string> LabCertificates::Options(const CertificateFiles& files) const {
  return {"--tls-ca",        authority_.ca_file(), "--tls-certificate",
          files.certificate, "--tls-key",          files.key};
}

std::vector<std::string> LabCertificates::AgentOptions() const { return Options(agent_); }
std::vector<std::string> LabCertificates::ControllerOptions() const { return Options(controller_); }

double LabRun::RequestBytes() const {
  return summary.at("request_bytes").get<double>() / summary.at("counts").at("sent").get<double>();
}

double LabRun::ResponseBytes() const {
  return summary.at("response_bytes").get<double>() /
         summary.at("counts").at("answered").get<double>();
}

std::optional<double> LabRun::Part(std::string_view part, const char* field) const {
  for (const auto& one : decomposition.at("parts")) {
    if (one.at("part").get<std::string>() == part) return one.at(field).get<double>();
  }
  return std::nullopt;
}

double LabRun::Parts(bool (*which)(std::string_view), const char* field) const {
  double sum = 0;
  for (const auto& one : decomposition.at("parts")) {
    if (which(one.at("part").get<std::string>())) sum += one.at(field).get<double>();
  }
  return sum;
}

std::optional<double> LabRun::CauseShare(std::string_view cause) const {
  for (const auto& one : decomposition.at("causes")) {
    if (one.at("cause").get<std::string>() == cause) return one.at("share").get<double>();
  }
  return std::nullopt;
}

bool LabRun::HasCaveat(std::string_view code) const {
  for (const auto& one : decomposition.at("caveats")) {
    if (one.at("code").get<std::string>() == code) return true;
  }
  return false;
}

std::map<int, double> LabCampaign::ByRepetition(const Levels& levels,
                                                const RunNumber& number) const {
  std::map<int, double> values;
  size_t asked = 0;
  std::string without;
  for (const LabRun& run : runs) {
    bool all = true;
    for (const auto& [axis, value] : levels) {
      all = all && run.levels.contains(axis) && run.levels.at(axis) == value;
    }
    if (!all) continue;
    ++asked;
    if (const std::optional<double> value = number(run)) {
      values[run.repetition] = *value;
    } else {
      absl::StrAppend(&without, run.name, ": ", run.decomposition.at("caveats").dump(), "\n");
    }
  }
  EXPECT_GT(asked, 0u);
  JudgeWhenQuiet(3 * (asked - values.size()) <= asked,
                 {.what = "runs in which the analysis separates what is asked for",
                  .figure = absl::StrCat(values.size(), " of ", asked, ": ", without),
                  .bound = "two thirds"},
                 foreign_cpus);
  return values;
}

std::vector<double> LabCampaign::Values(const Levels& levels, const RunNumber& number) const {
  std::vector<double> values;
  for (const auto& [repetition, value] : ByRepetition(levels, number)) values.push_back(value);
  return values;
}

std::vector<double> LabCampaign::Differences(const Levels& from, const Levels& to,
                                             const RunNumber& number) const {
  const std::map<int, double> before = ByRepetition(from, number);
  std::vector<double> differences;
  for (const auto& [repetition, value] : ByRepetition(to, number)) {
    const auto pair = before.find(repetition);
    if (pair != before.end()) differences.push_back(value - pair->second);
  }
  return differences;
}

std::string LabCampaign::Findings(const Levels& levels, std::string_view kind) const {
  std::string found;
  for (const auto& cell : report.at("cells")) {
    const bool same = std::all_of(levels.begin(), levels.end(), [&](const auto& level) {
      return cell.at("levels").value(level.first, std::string()) == level.second;
    });
    if (!same) continue;
    for (const auto& op : cell.at("ops")) {
      for (const auto& finding : op.at("findings")) {
        if (finding.at("kind").get<std::string>() != kind) continue;
        absl::StrAppend(&found, finding.at("sentence").get<std::string>(), "\n");
      }
    }
  }
  return found;
}

LabCampaign RunInLab(const NetLab& lab, const std::string& yaml, const LabEvidence& evidence,
                     milliseconds timeout) {
  LabCampaign best;
  const LabAgent agent(lab, Host::kClient);
  const LabAgent observer(lab, Host::kServer, evidence.routed);
  std::vector<std::string> settings = {
      absl::StrCat("probes.passes=[", evidence.pass, "]"),
      absl::StrCat("probes.baselines=", evidence.baselines ? "auto" : "none")};
  const bool full = std::string_view(evidence.pass) == "full";
  if (full) settings.push_back("probes.full_sample_every=1");
  if (full || evidence.baselines) {
    settings.push_back(absl::StrCat("server.observer=", observer.address()));
    if (evidence.server_port != 0) {
      settings.push_back(absl::StrCat("server.observer_port=", evidence.server_port));
    }
  }
  std::vector<std::string> options = LabCertificates::Get().ControllerOptions();
  for (const std::string& setting : settings) {
    options.insert(options.end(), {"--set", setting});
  }
  const auto begun = std::chrono::steady_clock::now();
  for (int attempt = 0; attempt < kAttemptsMost; ++attempt) {
    const TempDir dir;
    const ForeignCpu others;
    const CampaignRun run = Look(
        dir, Run(RunArgv(dir, absl::StrCat("agents: ['", agent.address(), "']\n", yaml), options),
                 timeout, lab.Enter(Host::kClient)));
    const double foreign = others.Cpus();
    EXPECT_EQ(run.finished.code, 0) << run.finished.out << run.finished.err;
    if (run.finished.code != 0 || run.result_dirs.size() != 1) return best;
    if (attempt == 0 || foreign < best.foreign_cpus) {
      best = {.runs = ReadRuns(run.result_dirs.front()),
              .report = ReadJson(run.result_dirs.front() + "/summary.json"),
              .foreign_cpus = foreign};
    }
    if (foreign <= kForeignMost) break;
    std::cout << "others used " << foreign << " CPUs during attempt " << attempt + 1 << "\n";
    const bool hurries = std::getenv("KBENCH_TABLE") == nullptr;
    if (hurries && std::chrono::steady_clock::now() - begun > kPatience) break;
  }
  return best;
}

std::string YamlList(const std::vector<std::string>& values) {
  return absl::StrCat("['", absl::StrJoin(values, "', '"), "']");
}

}  // namespace kbench::e2e
