// The agent's face to controllers: who it is, what time it is, and one run at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/run/abilities.h"
#include "agent/run/caps.h"
#include "agent/service/result_shelf.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

class Runner;

class AgentService final : public control::Agent::CallbackService {
 public:
  // `shelf` may be null: results are not kept.
  explicit AgentService(Caps caps = {}, std::unique_ptr<ResultShelf> shelf = nullptr)
      : caps_(std::move(caps)), shelf_(std::move(shelf)) {}
  ~AgentService() override;

  // HOST:PORT that results carry as this agent's name.
  void set_address(std::string address);
  const Caps& caps() const { return caps_; }
  ResultShelf* shelf() const { return shelf_.get(); }  // null: there is none

  grpc::ServerUnaryReactor* Hello(grpc::CallbackServerContext* context,
                                  const control::HelloRequest* request,
                                  control::HelloReply* reply) override;
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context,
                                 const control::PingRequest* request,
                                 control::PingReply* reply) override;
  grpc::ServerBidiReactor<control::RunCommand, control::RunEvent>* Run(
      grpc::CallbackServerContext* context) override;

  grpc::ServerUnaryReactor* Results(grpc::CallbackServerContext* context,
                                    const control::ResultsRequest* request,
                                    control::ResultsReply* reply) override;
  grpc::ServerWriteReactor<control::ResultChunk>* Fetch(
      grpc::CallbackServerContext* context, const control::FetchRequest* request) override;
  grpc::ServerUnaryReactor* Acknowledge(grpc::CallbackServerContext* context,
                                        const control::AcknowledgeRequest* request,
                                        control::AcknowledgeReply* reply) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context,
                                    const control::ReleaseRequest* request,
                                    control::ReleaseReply* reply) override;

  grpc::ServerBidiReactor<control::ObserveCommand, control::ObserveEvent>* Observe(
      grpc::CallbackServerContext* context) override;

  grpc::ServerBidiReactor<control::EchoCommand, control::EchoEvent>* Echo(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Probe(grpc::CallbackServerContext* context,
                                  const control::ProbeRequest* request,
                                  result::NetworkBaseline* reply) override;

  // Ends the active run, if any; its controller gets what was measured, marked aborted.
  void StopActive(absl::string_view reason);

  // For run streams. A run is claimed by its runner, and given back before the runner dies. `stop`
  // ends it, whatever it is at; it is called with the service locked.
  absl::Status Claim(Runner* runner, const std::string& run_id, const std::string& owner,
                     std::function<void(const std::string& reason)> stop);
  void GiveBack(Runner* runner);
  std::string address() const;
  // For observe streams: one at a time for a port.
  absl::Status ClaimPort(uint32_t port, const std::string& owner);
  void GiveBackPort(uint32_t port);
  // Echo ports and probes: a few of each at a time. Given back by the turn's end.
  enum class Side { kEcho, kProbe };
  class Turn {
   public:
    Turn(AgentService* service, Side side, bool granted)
        : service_(service), side_(side), granted_(granted) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (granted_) service_->GiveBackTurn(side_);
    }
    bool granted() const { return granted_; }

   private:
    AgentService* const service_;
    const Side side_;
    const bool granted_;
  };
  Turn TakeTurn(Side side);
  // Takes over the thread of a stream that is over; joined later, from another thread.
  void Retire(std::thread thread);

 private:
  struct Active {
    Runner* runner = nullptr;  // null: idle
    std::string run_id;
    std::string owner;
    MonoTime since;
    std::function<void(const std::string&)> stop;
  };

  static constexpr int kTurnsMost = 16;  // of each side
  void GiveBackTurn(Side side);

  const Caps caps_;
  const std::unique_ptr<ResultShelf> shelf_;
  AbilitiesMemory abilities_;
  mutable Mutex mutex_;
  int turns_[2] ABSL_GUARDED_BY(mutex_) = {};  // taken, by side
  std::string address_ ABSL_GUARDED_BY(mutex_);
  Active active_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, std::string> observed_ ABSL_GUARDED_BY(mutex_);  // owners by port
  std::vector<std::thread> retired_ ABSL_GUARDED_BY(mutex_);
};

// FAILED_PRECONDITION, naming both versions, when the controller's major is not ours.
grpc::Status CheckVersion(const control::Version& controller);

}  // namespace kbench
