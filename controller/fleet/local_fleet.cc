#include "controller/fleet/local_fleet.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "controller/campaign/run_spec.h"

namespace kbench {
namespace {

// More than one connection can be served on one processor, and what the server's ring may grow to.
constexpr double kMostPerSecond = 200'000;
constexpr uint64_t kFewestRecords = 1 << 16;
constexpr uint64_t kMostRecords = 1 << 23;  // 256 MiB, if all of them are ever needed

// How many residence records a connection must keep so that none of the longest window is lost.
uint64_t ResidenceRecords(const Campaign& campaign) {
  Nanos longest;
  for (const Cell& cell : campaign.cells) {
    longest = std::max(longest, cell.settings.warmup + cell.settings.duration);
  }
  return std::clamp(static_cast<uint64_t>(longest.seconds() * kMostPerSecond), kFewestRecords,
                    kMostRecords);
}

}  // namespace

absl::StatusOr<std::string> OwnBinDir() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot find where this program is: ", error.message(),
                                            "; name its directory with --bin-dir"));
  }
  return self.parent_path().string();
}

LocalFleet::ServerKey LocalFleet::KeyOf(const Settings& s) {
  return {s.service_time, s.service_model, absl::StrCat(s.identity), s.key_file,
          s.tls ? "tls" : "plain"};
}

absl::StatusOr<std::unique_ptr<LocalFleet>> LocalFleet::Start(const Campaign& campaign,
                                                              const LocalFleetOptions& options) {
  auto fleet = std::unique_ptr<LocalFleet>(new LocalFleet);
  RETURN_IF_ERROR(fleet->StartAgents(options));
  RETURN_IF_ERROR(fleet->StartServers(campaign, options));
  RETURN_IF_ERROR(fleet->AwaitReady(options));
  return fleet;
}

LocalFleet::~LocalFleet() {
  for (auto& child : children_) child->AskToStop();
}

absl::Status LocalFleet::StartAgents(const LocalFleetOptions& options) {
  for (int i = 0; i < options.agents; ++i) {
    ChildCommand command{
        .name = absl::StrCat("kbench-agent ", i),
        .argv = {options.bin_dir + "/kbench-agent", "--listen", "127.0.0.1:0", "--plaintext"},
        .log_path = absl::StrCat(options.log_dir, "/agent-", i, ".log")};
    for (const std::string& client : options.allow_clients) {
      command.argv.insert(command.argv.end(), {"--allow-client", client});
    }
    ASSIGN_OR_RETURN(auto child, ChildProcess::Start(command));
    children_.push_back(std::move(child));
  }
  agent_count_ = children_.size();
  return absl::OkStatus();
}

absl::Status LocalFleet::StartServers(const Campaign& campaign, const LocalFleetOptions& options) {
  const uint64_t records = ResidenceRecords(campaign);
  for (const Cell& cell : campaign.cells) {
    const Settings& s = cell.settings;
    if (!s.EmbeddedServer()) continue;
    const size_t index = server_index_.size();
    if (!server_index_.try_emplace(KeyOf(s), index).second) continue;
    ChildCommand command{
        .name = absl::StrCat("kbench-server ", index),
        .argv = {options.bin_dir + "/kbench-server", "--listen", s.tls ? "none" : "127.0.0.1:0",
                 "--residence-records", absl::StrCat(records)},
        .log_path = absl::StrCat(options.log_dir, "/server-", index, ".log")};
    if (!s.service_time.empty()) {
      command.argv.insert(command.argv.end(),
                          {"--service-time", s.service_time, "--service-model", s.service_model,
                           "--seed", absl::StrCat(campaign.seed)});
    }
    if (s.tls) command.argv.insert(command.argv.end(), {"--tls-listen", "127.0.0.1:0"});
    if (options.cpus.server) {
      command.argv.insert(command.argv.end(), {"--cpu", absl::StrCat(*options.cpus.server)});
    }
    if (!s.key_file.empty() || s.identity != 1) {
      ASSIGN_OR_RETURN(const std::string key, ReadHmacKey(s.key_file));
      command.secret = absl::StrCat(s.identity, " hex:", absl::BytesToHexString(key), "\n");
      command.argv.insert(
          command.argv.end(),
          {"--identity-key-file", absl::StrCat("/proc/self/fd/", ChildProcess::kSecretFd)});
    }
    ASSIGN_OR_RETURN(auto child, ChildProcess::Start(command));
    children_.push_back(std::move(child));
  }
  return absl::OkStatus();
}

absl::Status LocalFleet::AwaitReady(const LocalFleetOptions& options) {
  const MonoTime deadline = MonoNow() + options.ready_timeout;
  for (size_t i = 0; i < children_.size(); ++i) {
    ChildProcess& child = *children_[i];
    const bool is_agent = i < agent_count_;
    ASSIGN_OR_RETURN(const std::string line,
                     child.ReadLine(std::max(deadline - MonoNow(), Nanos(0))));
    absl::string_view text = line;
    if (is_agent ? !absl::ConsumePrefix(&text, "kbench-agent listening on ")
                 : !absl::ConsumePrefix(&text, "kbench-server listening on ") &&
                       !absl::ConsumePrefix(&text, "kbench-server listening for TLS on ")) {
      return absl::InternalError(absl::StrCat(child.name(), " said '", line,
                                              "' instead of where it listens; is it of this "
                                              "release?"));
    }
    ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(text));
    (is_agent ? agents_ : servers_).push_back(address.ToString());
  }
  return absl::OkStatus();
}

std::string LocalFleet::ServerFor(const Settings& settings) const {
  if (!settings.EmbeddedServer()) return "";
  return servers_[server_index_.at(KeyOf(settings))];
}

std::vector<pid_t> LocalFleet::pids() const {
  std::vector<pid_t> pids;
  for (const auto& child : children_) pids.push_back(child->pid());
  return pids;
}

}  // namespace kbench
