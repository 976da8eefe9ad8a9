// One Probe call: a path measured on a thread of its own.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <thread>

#include "absl/status/statusor.h"
#include "agent/path/path_probe.h"
#include "agent/service/agent_service.h"
#include "base/mutex.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

// InvalidArgument names the field. What a probe may do to a network is bounded here.
absl::StatusOr<PathProbe> FromProto(const control::ProbeRequest& request);

class ProbeCall final : public grpc::ServerUnaryReactor {
 public:
  // All outlive the call, which deletes itself when grpc is done with it.
  static ProbeCall* Start(AgentService* service, const grpc::ServerContextBase& context,
                          const control::ProbeRequest* request, result::NetworkBaseline* reply);

  void OnCancel() override { cancelled_ = true; }
  void OnDone() override {
    service_->Retire(std::move(thread_));
    delete this;
  }

 private:
  explicit ProbeCall(AgentService* service) : service_(service) {}
  grpc::Status Measure(const control::ProbeRequest& request, result::NetworkBaseline* reply);

  AgentService* const service_;
  std::atomic<bool> cancelled_ = false;
  Mutex mutex_;  // held until thread_ is stored
  std::thread thread_;
};

}  // namespace kbench
