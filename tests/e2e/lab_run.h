// Campaigns in the lab: the server on the server's host, agents where they are wanted, `kbench run`
// on the client's host; then what each run gave, ready to be judged.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/result.pb.h"
#include "tests/base/certificate.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/theil_sen.h"

namespace kbench::e2e {

// A kbench-server on all addresses of the server's host.
class LabServer {
 public:
  explicit LabServer(const NetLab& lab, std::vector<std::string> arguments = {});

  std::string direct() const { return std::string(NetLab::kServerDirect) + ":" + port_; }
  std::string routed() const { return std::string(NetLab::kServerRouted) + ":" + port_; }
  Child& child() { return daemon_.child(); }

 private:
  Daemon daemon_;
  std::string port_;
};

// The certificates of the labs of this process: of all its agents, and of the controller.
class LabCertificates {
 public:
  static const LabCertificates& Get();
  std::vector<std::string> AgentOptions() const;
  std::vector<std::string> ControllerOptions() const;

 private:
  LabCertificates();
  std::vector<std::string> Options(const CertificateFiles& files) const;

  TempDir directory_;
  Authority authority_;
  CertificateFiles agent_, controller_;
};

// A kbench-agent on one host, for the controller on the client's host.
class LabAgent {
 public:
  // On the direct link, or on the path through the relay.
  LabAgent(const NetLab& lab, Host host, bool routed = false);
  const std::string& address() const { return daemon_.address(); }

 private:
  Daemon daemon_;
};

// One run of one cell.
struct LabRun {
  std::map<std::string, std::string> levels;  // axis -> value
  int repetition = 0;
  std::string name;               // of its directory, for messages
  result::RunResult evidence;     // what its only agent sent
  result::WireTrace server_wire;  // empty where nobody watched on the server's host
  nlohmann::json summary;         // of its first op
  nlohmann::json decomposition;   // of its first op

  double Mean() const { return summary.at("response_mean_ns"); }
  // Per request, as framed.
  double RequestBytes() const;
  double ResponseBytes() const;
  // "p50_ns", "mean_ns" or "share" of one part; the sum over parts that `which` takes. A part that
  // the analysis did not separate in this run has no value.
  std::optional<double> Part(std::string_view part, const char* field = "p50_ns") const;
  double Parts(bool (*which)(std::string_view part), const char* field = "p50_ns") const;
  // Of the response time, what one cause is charged with.
  std::optional<double> CauseShare(std::string_view cause) const;
  bool HasCaveat(std::string_view code) const;  // of the separation
};

using Levels = std::map<std::string, std::string>;
using RunNumber = std::function<std::optional<double>(const LabRun&)>;

struct LabCampaign {
  std::vector<LabRun> runs;
  nlohmann::json report;    // the campaign's summary.json
  double foreign_cpus = 0;  // that others used while it ran

  // `number` of the runs with this level of each given axis, in the order of their repetitions.
  // When more than a third of these runs have none the median of the others would be that of a
  // selection: a failure, on a machine that is left alone.
  std::map<int, double> ByRepetition(const Levels& levels, const RunNumber& number) const;
  std::vector<double> Values(const Levels& levels, const RunNumber& number) const;
  // The findings of one kind in the cell with these levels: sentences, joined.
  std::string Findings(const Levels& levels, std::string_view kind) const;
  // `number` at `to` minus `number` at `from`, of each repetition that has both.
  std::vector<double> Differences(const Levels& from, const Levels& to,
                                  const RunNumber& number) const;
};

// By what evidence a campaign in the lab is separated.
struct LabEvidence {
  // kFull: packets on the client's host and on the server's, where an agent watches; kSampled:
  // kernel stamps and the server's own record.
  const char* pass = "full";
  int server_port = 0;     // on the server's host, where it is not that of the address (a relay)
  bool baselines = false;  // measure the path first, for verdicts
  bool routed = false;     // the path through the relay is the one that is measured
};

// Runs the campaign from the client's host by one agent there: `yaml` names no agents and neither
// passes nor an observer. It is run
// again, up to three times within a minute (for the table: whatever it takes), only while others
// used more than kForeignMost CPUs; what is given back is the least disturbed one, whatever it
// says. Fails the test when kbench fails.
LabCampaign RunInLab(const NetLab& lab, const std::string& yaml, const LabEvidence& evidence = {},
                     milliseconds timeout = seconds(300));

// "['a', 'b']" for YAML.
std::string YamlList(const std::vector<std::string>& values);

}  // namespace kbench::e2e
