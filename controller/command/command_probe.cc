#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/run_spec.h"
#include "controller/command/commands.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/interrupts.h"
#include "controller/fleet/local_fleet.h"
#include "controller/fleet/path_probe.h"
#include "controller/fleet/path_table.h"

namespace kbench {
namespace {

constexpr int kPlainWidth = 160;

struct ProbeArguments {
  AgentSelection fleet;
  std::string server;
  std::string server_agent;
  std::string duration = "1s";
  int64_t identity = 1;
  std::string key_file;
  bool tls = false;
  std::string ca_file;
  bool local = false;
  std::string bin_dir;
  std::string format = "text";
};

// Two agents and a server on this host, and a place for what they log.
class LocalTrial {
 public:
  ~LocalTrial() {
    fleet_.reset();
    std::error_code ignored;
    if (!logs_.empty()) std::filesystem::remove_all(logs_, ignored);
  }

  absl::Status Start(std::string bin_dir, ProbeArguments* arguments) {
    if (bin_dir.empty()) {
      ASSIGN_OR_RETURN(bin_dir, OwnBinDir());
    }
    std::string logs = (std::filesystem::temp_directory_path() / "kbench-probe-XXXXXX").string();
    if (mkdtemp(logs.data()) == nullptr) {
      return absl::InternalError(absl::StrCat("cannot make a directory for logs, ", logs));
    }
    logs_ = logs;
    ASSIGN_OR_RETURN(const Campaign campaign,
                     ParseCampaign("--local", "name: probe\n", {.local_agents = 2}));
    ASSIGN_OR_RETURN(
        fleet_,
        LocalFleet::Start(
            campaign, {.agents = 2, .bin_dir = bin_dir, .log_dir = logs_, .cpus = LocalCpus()}));
    arguments->fleet.addresses = fleet_->agents();
    arguments->server = fleet_->ServerFor(campaign.cells.front().settings);
    return absl::OkStatus();
  }

 private:
  std::string logs_;
  std::unique_ptr<LocalFleet> fleet_;
};

absl::StatusOr<std::string> Address(absl::string_view option, const std::string& text) {
  const absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (!address.ok()) return Annotate(address.status(), option);
  if (address->port != 0) return address->ToString();
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": '", text, "' has no port to connect to"));
}

absl::Status Check(const ProbeArguments& given) {
  if (given.local) return absl::OkStatus();
  if (given.fleet.addresses.empty()) {
    return absl::InvalidArgumentError(
        "no agents: add --agents HOST:PORT,..., or try --local, which starts two");
  }
  if (given.server.empty() && given.server_agent.empty() && given.fleet.addresses.size() < 2) {
    return absl::InvalidArgumentError(
        "one agent alone has no path: add --server, --server-agent or another agent");
  }
  const bool of_server = given.identity != 1 || !given.key_file.empty() || given.tls;
  if (given.server.empty() && of_server) {
    return absl::InvalidArgumentError(
        "--identity, --key-file and --tls are about a server; add --server HOST:PORT");
  }
  if (!given.tls && !given.ca_file.empty()) {
    return absl::InvalidArgumentError("--ca-file has no effect without --tls; add it");
  }
  return absl::OkStatus();
}

class Probing {
 public:
  explicit Probing(const ProbeArguments& given) : given_(given) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Prepare());
    const PathProber prober(options_, &interrupts_);
    for (const auto& from : agents_) {
      if (!given_.server.empty()) Take(prober.ToServer(from.get(), server_));
      for (const auto& to : agents_) {
        if (from != to) Take(prober.ToAgent(from.get(), to.get()));
      }
      if (server_agent_ != nullptr) Take(prober.ToAgent(from.get(), server_agent_.get()));
      if (interrupts_.stop()) break;
    }
    return first_;
  }

  const std::vector<result::NetworkBaseline>& paths() const { return paths_; }
  bool terminated() const { return interrupts_.signal == SIGTERM; }

 private:
  absl::Status Prepare() {
    const absl::StatusOr<Nanos> duration = ParseDuration(given_.duration);
    if (!duration.ok()) return Annotate(duration.status(), "--duration");
    if (*duration < Millis(10) || *duration > Seconds(60)) {
      return absl::InvalidArgumentError("--duration: give one from 10ms to 60s");
    }
    options_.echo_time = *duration;
    options_.echoes_max = 1'000'000;
    options_.bulk = *duration;
    options_.patience = Seconds(10);  // nothing else waits
    if (!given_.server.empty()) {
      ASSIGN_OR_RETURN(server_.address, Address("--server", given_.server));
      server_.identity = given_.identity;
      ASSIGN_OR_RETURN(server_.hmac_key, ReadHmacKey(given_.key_file));
      server_.tls = given_.tls;
      ASSIGN_OR_RETURN(server_.tls_ca, ReadAuthorities(given_.ca_file));
    }
    for (const std::string& text : given_.fleet.addresses) {
      ASSIGN_OR_RETURN(const std::string address, Address("--agents", text));
      for (const auto& agent : agents_) {
        if (agent->address() == address) {
          return absl::InvalidArgumentError(
              absl::StrCat("--agents: ", address, " is listed twice"));
        }
      }
      agents_.push_back(std::make_unique<AgentLink>(address, given_.fleet.credentials));
      RETURN_IF_ERROR(Meet(agents_.back().get()));
    }
    if (given_.server_agent.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string address, Address("--server-agent", given_.server_agent));
    for (const auto& agent : agents_) {
      if (agent->address() != address) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "--server-agent: ", address, " is one of --agents already; drop one of them"));
    }
    server_agent_ = std::make_unique<AgentLink>(address, given_.fleet.credentials);
    return Meet(server_agent_.get());
  }

  static absl::Status Meet(AgentLink* agent) {
    ASSIGN_OR_RETURN(const control::HelloReply reply, agent->Hello(Seconds(5)));
    return CheckIdle(agent->address(), reply);
  }

  void Take(MeasuredPath path) {
    if (interrupts_.stop()) {
      first_ = absl::CancelledError("interrupted; what had been measured is above");
      return;
    }
    paths_.push_back(std::move(path.baseline));
    if (first_.ok()) first_ = path.status;
  }

  const ProbeArguments& given_;
  const Interrupts& interrupts_ = CatchInterrupts();
  PathProbeOptions options_;
  KineticServer server_;
  std::vector<std::unique_ptr<AgentLink>> agents_;
  std::unique_ptr<AgentLink> server_agent_;
  std::vector<result::NetworkBaseline> paths_;
  absl::Status first_;  // failure, which gives the code
};

ExitCode Probe(ProbeArguments given) {
  absl::Status good = given.fleet.TakeInventory();
  if (good.ok()) good = given.fleet.Resolve("--server", Inventory::Kind::kServer, &given.server);
  if (good.ok()) {
    good = given.fleet.Resolve("--server-agent", Inventory::Kind::kAgent, &given.server_agent);
  }
  if (good.ok()) good = Check(given);
  if (good.ok()) good = given.fleet.credentials.Complete();
  if (!good.ok()) return Fail(good);
  LocalTrial trial;
  if (given.local) {
    if (const absl::Status up = trial.Start(given.bin_dir, &given); !up.ok()) return Fail(up);
  }
  Probing probing(given);
  const absl::Status status = probing.Run();
  winsize size = {};
  const bool terminal =
      isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (!probing.paths().empty()) {
    std::fputs(
        (given.format == "json" ? PathsJson(probing.paths())
                                : PathsText(probing.paths(), terminal ? size.ws_col : kPlainWidth))
            .c_str(),
        stdout);
    std::fflush(stdout);
  }
  const ExitCode code = Fail(status);
  return code == ExitCode::kInterrupted && probing.terminated() ? ExitCode::kTerminated : code;
}

}  // namespace

void AddProbeCommand(CommandLine* line) {
  CLI::App* command = line->app.add_subcommand(
      "probe", "Measure the paths between agents and server, without a workload");
  auto given = std::make_shared<ProbeArguments>();
  given->fleet.AddTo(command);
  CLI::Option* server =
      command->add_option("--server", given->server, "HOST:PORT of the Kinetic server");
  CLI::Option* server_agent = command->add_option("--server-agent", given->server_agent,
                                                  "HOST:PORT of an agent on the server's host");
  command
      ->add_option("--duration", given->duration,
                   "Most time for the echoes, and time for the bulk in each direction, of a path")
      ->capture_default_str();
  CLI::Option* identity =
      command->add_option("--identity", given->identity, "Of the server")->capture_default_str();
  CLI::Option* key = command->add_option("--key-file", given->key_file,
                                         "File of its HMAC key (default: the factory key)");
  CLI::Option* tls = command->add_flag("--tls", given->tls, "The server's port speaks TLS");
  CLI::Option* ca = command->add_option("--ca-file", given->ca_file,
                                        "PEM file of authorities (default: any certificate)");
  command->add_flag("--local", given->local, "Start two agents and a server here, to try it")
      ->excludes(command->get_option("--agents"))
      ->excludes(command->get_option("--inventory"))
      ->excludes(server)
      ->excludes(server_agent)
      ->excludes(identity)
      ->excludes(key)
      ->excludes(tls)
      ->excludes(ca);
  command->add_option("--bin-dir", given->bin_dir,
                      "For --local: where kbench-agent and kbench-server are (default: beside "
                      "kbench)");
  command->add_option("--format", given->format, "Of what goes to stdout")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback([line, given] { line->code = Probe(*given); });
}

}  // namespace kbench
