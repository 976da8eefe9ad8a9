#include "agent/service/agent_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/host/host_facts.h"
#include "agent/service/caller_service.h"
#include "agent/service/echo_service.h"
#include "agent/service/observe_service.h"
#include "agent/service/probe_service.h"
#include "agent/service/result_proto.h"
#include "agent/service/results_service.h"
#include "agent/service/run_proto.h"
#include "agent/service/run_stream.h"
#include "base/units.h"
#include "base/version.h"

namespace kbench {

AgentService::~AgentService() {
  for (std::thread& thread : retired_) thread.join();
}

void AgentService::set_address(std::string address) {
  MutexLock lock(&mutex_);
  address_ = std::move(address);
}

std::string AgentService::address() const {
  MutexLock lock(&mutex_);
  return address_;
}

namespace {

control::Abilities ToProto(const Abilities& abilities) {
  control::Abilities wire;
  wire.mutable_transports()->insert(abilities.transports.begin(), abilities.transports.end());
  wire.set_packets(abilities.packets);
  wire.set_kernel_stamps(abilities.kernel_stamps);
  wire.set_locked_memory_limit(abilities.locked_memory_limit);
  wire.set_clock_synchronized(abilities.clock_synchronized);
  return wire;
}

}  // namespace

grpc::ServerUnaryReactor* AgentService::Hello(grpc::CallbackServerContext* context,
                                              const control::HelloRequest* request,
                                              control::HelloReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  grpc::Status status = RequireRole(*context, CallerRole::kObserver);
  if (status.ok()) status = CheckVersion(request->controller());
  if (!status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  control::Version* version = reply->mutable_agent();
  version->set_protocol_major(kControlProtocolMajor);
  version->set_protocol_minor(kControlProtocolMinor);
  version->set_release(std::string(ReleaseVersion()));
  version->set_build(std::string(BuildId()));
  *reply->mutable_host() = ToProto(ReadHostFacts());
  const Abilities abilities = abilities_.Get();
  for (const auto& [transport, problem] : abilities.transports) {
    if (problem.empty()) reply->add_transports(transport);
  }
  *reply->mutable_abilities() = ToProto(abilities);
  const std::map<std::string, std::string> clients = caps_.clients.Problems();
  reply->mutable_abilities()->mutable_clients()->insert(clients.begin(), clients.end());
  reply->set_keeps_results(shelf_ != nullptr);
  {
    MutexLock lock(&mutex_);
    if (active_.runner != nullptr) {
      reply->set_active_run(active_.run_id);
      reply->set_active_owner(active_.owner);
      reply->set_active_for_ns((MonoNow() - active_.since).count());
    }
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* AgentService::Ping(grpc::CallbackServerContext* context,
                                             const control::PingRequest* /*request*/,
                                             control::PingReply* reply) {
  reply->set_monotonic_ns(MonoNow().ns());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(RequireRole(*context, CallerRole::kObserver));
  return reactor;
}

grpc::ServerBidiReactor<control::RunCommand, control::RunEvent>* AgentService::Run(
    grpc::CallbackServerContext* context) {
  return RunStream::Start(this, *context);
}

grpc::ServerUnaryReactor* AgentService::Results(grpc::CallbackServerContext* context,
                                                const control::ResultsRequest* /*request*/,
                                                control::ResultsReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ListResults(*context, shelf_.get(), reply));
  return reactor;
}

grpc::ServerWriteReactor<control::ResultChunk>* AgentService::Fetch(
    grpc::CallbackServerContext* context, const control::FetchRequest* request) {
  return FetchCall::Start(*context, shelf_.get(), request->run_id());
}

grpc::ServerUnaryReactor* AgentService::Acknowledge(grpc::CallbackServerContext* context,
                                                    const control::AcknowledgeRequest* request,
                                                    control::AcknowledgeReply* /*reply*/) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(DropResults(*context, shelf_.get(), *request));
  return reactor;
}

grpc::ServerUnaryReactor* AgentService::Release(grpc::CallbackServerContext* context,
                                                const control::ReleaseRequest* request,
                                                control::ReleaseReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  grpc::Status status = RequireRole(*context, CallerRole::kController);
  if (status.ok()) {
    MutexLock lock(&mutex_);
    const bool named = request->run_id().empty() || request->run_id() == active_.run_id;
    if (active_.runner != nullptr && named) {
      reply->set_run_id(active_.run_id);
      reply->set_owner(active_.owner);
      const std::string caller = CallerName(*context);
      active_.stop(absl::StrCat(
          "released by ", request->reason().empty() ? "another controller" : request->reason(),
          caller.empty() ? "" : absl::StrCat(" (certificate ", caller, ")")));
    }
  }
  reactor->Finish(status);
  return reactor;
}

grpc::ServerBidiReactor<control::ObserveCommand, control::ObserveEvent>* AgentService::Observe(
    grpc::CallbackServerContext* context) {
  return ObserveStream::Start(this, *context);
}

grpc::ServerBidiReactor<control::EchoCommand, control::EchoEvent>* AgentService::Echo(
    grpc::CallbackServerContext* context) {
  return EchoStream::Start(this, *context);
}

grpc::ServerUnaryReactor* AgentService::Probe(grpc::CallbackServerContext* context,
                                              const control::ProbeRequest* request,
                                              result::NetworkBaseline* reply) {
  return ProbeCall::Start(this, *context, request, reply);
}

AgentService::Turn AgentService::TakeTurn(Side side) {
  MutexLock lock(&mutex_);
  int& taken = turns_[static_cast<int>(side)];
  const bool granted = taken < kTurnsMost;
  taken += granted;
  return Turn(this, side, granted);
}

void AgentService::GiveBackTurn(Side side) {
  MutexLock lock(&mutex_);
  --turns_[static_cast<int>(side)];
}

absl::Status AgentService::ClaimPort(uint32_t port, const std::string& owner) {
  MutexLock lock(&mutex_);
  const auto [place, free] = observed_.try_emplace(port, owner);
  if (free) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("port ", port, " is being observed for ", place->second, " already"));
}

void AgentService::GiveBackPort(uint32_t port) {
  MutexLock lock(&mutex_);
  observed_.erase(port);
}

void AgentService::StopActive(absl::string_view reason) {
  MutexLock lock(&mutex_);
  if (active_.runner != nullptr) active_.stop(std::string(reason));
}

absl::Status AgentService::Claim(Runner* runner, const std::string& run_id,
                                 const std::string& owner,
                                 std::function<void(const std::string&)> stop) {
  MutexLock lock(&mutex_);
  if (active_.runner != nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "this agent is busy with run ", active_.run_id, " of ", active_.owner, " since ",
        HumanDuration(static_cast<double>((MonoNow() - active_.since).count()))));
  }
  active_ = {.runner = runner,
             .run_id = run_id,
             .owner = owner,
             .since = MonoNow(),
             .stop = std::move(stop)};
  return absl::OkStatus();
}

void AgentService::GiveBack(Runner* runner) {
  MutexLock lock(&mutex_);
  if (active_.runner == runner) active_ = {};
}

void AgentService::Retire(std::thread thread) {
  // A retired thread has only to return; those that came before it have most likely done so.
  std::vector<std::thread> before;
  {
    MutexLock lock(&mutex_);
    before.swap(retired_);
    retired_.push_back(std::move(thread));
  }
  for (std::thread& old : before) old.join();
}

grpc::Status CheckVersion(const control::Version& controller) {
  if (controller.protocol_major() == kControlProtocolMajor) return grpc::Status::OK;
  return {grpc::StatusCode::FAILED_PRECONDITION,
          absl::StrCat("controller ", controller.release(), " speaks control protocol ",
                       controller.protocol_major(), ".", controller.protocol_minor(),
                       "; this agent is ", ReleaseVersion(), " and speaks ", kControlProtocolMajor,
                       ".", kControlProtocolMinor, "; install the same release on both")};
}

}  // namespace kbench
