#include "controller/fleet/fleet.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "controller/fleet/hello.h"
#include "controller/fleet/in_parallel.h"

namespace kbench {
namespace {

constexpr Nanos kAcknowledgeTimeout = Seconds(2);
constexpr size_t kAcknowledgementsAtOnce = 16;
constexpr Nanos kDrain = Seconds(20);
constexpr std::chrono::milliseconds kAskEvery(100);

absl::Status CheckTransports(const std::set<std::string>& wanted, const std::string& address,
                             const control::HelloReply& reply) {
  for (const std::string& transport : wanted) {
    if (absl::c_linear_search(reply.transports(), transport)) continue;
    return absl::InvalidArgumentError(absl::StrCat("agent ", address, " cannot run transport ",
                                                   transport, "; it has ",
                                                   absl::StrJoin(reply.transports(), ", ")));
  }
  return absl::OkStatus();
}

// Before the first run, not before the first of its cells.
absl::Status CheckClient(const std::string& name, const std::string& address,
                         const control::HelloReply& reply) {
  const auto& clients = reply.abilities().clients();
  const auto found = clients.find(name);
  if (found == clients.end()) {
    std::vector<std::string> names;
    for (const auto& [allowed, problem] : clients) names.push_back(allowed);
    absl::c_sort(names);
    return absl::InvalidArgumentError(absl::StrCat(
        "the owner of agent ", address, " does not allow the client program '", name, "'; allowed ",
        names.empty() ? "is none" : absl::StrCat("are ", absl::StrJoin(names, ", ")),
        " (kbench-agent --allow-client NAME=/PATH; with --local: kbench run --allow-client)"));
  }
  if (!found->second.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("agent ", address, " cannot run client ", name, ": ", found->second));
  }
  if (reply.abilities().packets().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("agent ", address, " sees no packets, and so nothing of what client ", name,
                   " does: ", reply.abilities().packets(), "; give it CAP_NET_RAW"));
}

// An agent of ours that has not heard, or not yet done, what ended the run. It drains first.
bool BecomesIdle(AgentLink* agent, const std::string& our_run) {
  const MonoTime deadline = MonoNow() + kDrain;
  control::ReleaseRequest release;
  release.set_run_id(our_run);
  release.set_reason("its own controller, which had lost it");
  (void)agent->Release(release, kAcknowledgeTimeout);
  while (MonoNow() < deadline) {
    const auto reply = agent->Hello(kAcknowledgeTimeout);
    if (!reply.ok()) return false;
    if (reply->active_run() != our_run) return reply->active_run().empty();
    std::this_thread::sleep_for(kAskEvery);
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Meet(const Campaign& campaign,
                                                   const FleetOptions& options) {
  std::unique_ptr<Fleet> fleet(new Fleet(options));
  for (const Cell& cell : campaign.cells) {
    const Settings& settings = cell.settings;
    if (settings.IsExternal()) {
      fleet->client_ = settings.client_command.front();
    } else {
      fleet->transports_.insert(settings.transport);
    }
  }
  std::vector<std::string> addresses = campaign.agents;
  if (options.local_agents > 0) {
    ASSIGN_OR_RETURN(fleet->local_,
                     LocalFleet::Start(campaign, {.agents = options.local_agents,
                                                  .bin_dir = options.bin_dir,
                                                  .log_dir = options.log_dir,
                                                  .allow_clients = options.allow_clients,
                                                  .cpus = options.local_cpus}));
    addresses = fleet->local_->agents();
  }
  for (const std::string& address : addresses) {
    fleet->links_.push_back(std::make_unique<AgentLink>(address, options.credentials));
  }
  RETURN_IF_ERROR(fleet->MeetAgents());
  RETURN_IF_ERROR(fleet->MeetObserver(campaign.cells.front().settings.observer));
  return fleet;
}

std::vector<AgentLink*> Fleet::agents() const {
  std::vector<AgentLink*> agents;
  for (const auto& link : links_) agents.push_back(link.get());
  return agents;
}

std::string Fleet::ServerFor(const Settings& settings) const {
  return settings.EmbeddedServer() ? local_->ServerFor(settings) : settings.server_address;
}

absl::Status Fleet::MeetAgents() {
  ASSIGN_OR_RETURN(const std::vector<control::HelloReply> replies,
                   HelloAll(agents(), options_.limits.hello));
  places_.resize(links_.size());
  members_.resize(links_.size());
  for (size_t i = 0; i < replies.size(); ++i) {
    RETURN_IF_ERROR(CheckIdle(links_[i]->address(), replies[i]));
    RETURN_IF_ERROR(Take(i, replies[i]));
    present_.push_back(i);
  }
  return absl::OkStatus();
}

// The agent on the server's host, which may be one of those that make the load.
absl::Status Fleet::MeetObserver(const std::string& address) {
  if (address.empty()) return absl::OkStatus();
  for (const auto& link : links_) {
    if (link->address() == address) observer_ = link.get();
  }
  if (observer_ != nullptr) return absl::OkStatus();
  observer_link_ = std::make_unique<AgentLink>(address, options_.credentials);
  observer_ = observer_link_.get();
  const auto reply = observer_->Hello(options_.limits.hello);
  return Annotate(reply.status(), "phase hello, server.observer");
}

absl::Status Fleet::Take(size_t index, const control::HelloReply& reply) {
  const std::string& address = links_[index]->address();
  RETURN_IF_ERROR(CheckTransports(transports_, address, reply));
  if (!client_.empty()) RETURN_IF_ERROR(CheckClient(client_, address, reply));
  places_[index] = PlaceOf(address, reply);
  members_[index].keeps_results = reply.keeps_results();
  const control::Version& version = reply.agent();
  members_[index].version = absl::StrCat(version.release(), " (", version.build(), ")");
  return absl::OkStatus();
}

std::string Fleet::OtherVersions() const {
  const std::string ours = absl::StrCat(ReleaseVersion(), " (", BuildId(), ")");
  std::string others;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (members_[i].version == ours) continue;
    absl::StrAppend(&others, ", ", links_[i]->address(), " is ", members_[i].version);
  }
  return others.empty() ? "" : absl::StrCat("the controller is ", ours, others);
}

AgentPlace Fleet::PlaceOf(const std::string& address, const control::HelloReply& reply) const {
  if (options_.local_agents > 0) return {.host = "this host", .cpus = options_.local_cpus};
  AgentPlace place{.host = reply.host().hostname()};
  if (place.host.empty()) place.host = address;
  for (const uint32_t cpu : reply.host().cpu_numbers()) {
    place.cpus.usable.push_back(static_cast<int>(cpu));
  }
  return place;
}

std::vector<std::string> Fleet::absent() const {
  std::vector<std::string> absent;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (!absl::c_linear_search(present_, i)) absent.push_back(links_[i]->address());
  }
  return absent;
}

std::vector<std::string> Fleet::AskAgain(const std::string& our_run) {
  std::vector<absl::StatusOr<control::HelloReply>> answers(links_.size(),
                                                           absl::UnknownError("not asked"));
  InParallel(links_.size(), kHellosAtOnce, [&](size_t i) {
    answers[i] = links_[i]->Hello(options_.limits.hello);
    const bool ours = answers[i].ok() && answers[i]->active_run() == our_run;
    if (ours && BecomesIdle(links_[i].get(), our_run)) answers[i]->clear_active_run();
  });
  present_.clear();
  std::vector<std::string> problems;
  for (size_t i = 0; i < answers.size(); ++i) {
    absl::Status there = answers[i].status();
    if (there.ok()) there = CheckIdle(links_[i]->address(), *answers[i]);
    if (there.ok()) there = Take(i, *answers[i]);
    if (there.ok()) {
      present_.push_back(i);
    } else {
      problems.emplace_back(there.message());
    }
  }
  return problems;
}

void Fleet::Acknowledge(const std::string& run_id, const std::vector<size_t>& whose) {
  for (const size_t i : whose) {
    if (members_[i].keeps_results) members_[i].to_acknowledge.push_back(run_id);
  }
  AcknowledgeRest();
}

void Fleet::AcknowledgeRest() {
  InParallel(links_.size(), kAcknowledgementsAtOnce, [&](size_t i) {
    std::vector<std::string>& stored = members_[i].to_acknowledge;
    if (stored.empty() || !absl::c_linear_search(present_, i)) return;
    if (links_[i]->Acknowledge(stored, kAcknowledgeTimeout).ok()) stored.clear();
  });
}

}  // namespace kbench
