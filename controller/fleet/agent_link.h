// The controller's end of the wire to one agent. Every call has a deadline; a frozen agent costs
// its deadline and no more.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "controller/fleet/agent_clock.h"
#include "controller/fleet/agent_credentials.h"
#include "controller/fleet/run_inbox.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

control::Version ControllerVersion();

// DataLoss, naming the run and its owner, when the agent is at work.
absl::Status CheckIdle(const std::string& address, const control::HelloReply& reply);

// One run on one agent. Events go to the inbox from a thread of its own; the last one says how the
// stream ended. Destroying it cancels what still runs, which stops the agent's load.
class RunCall {
 public:
  // `timeout` bounds the whole run.
  RunCall(control::Agent::Stub* stub, const std::string& address, size_t index, RunInbox* inbox,
          Nanos timeout);
  ~RunCall();
  RunCall(const RunCall&) = delete;
  RunCall& operator=(const RunCall&) = delete;

  // False: the stream has ended; the inbox says why.
  bool Send(const control::RunCommand& command);
  // No more commands; the agent may end the stream.
  void CloseCommands();
  void Cancel() { context_.TryCancel(); }

 private:
  void ReadAll(const std::string& address, size_t index, RunInbox* inbox);

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<control::RunCommand, control::RunEvent>> stream_;
  Mutex write_mutex_;  // Write and Finish do not overlap
  bool finished_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(write_mutex_) = false;
  std::thread reader_;
};

// A dialogue with an agent beside the runs: observation, echo. Calls block until the agent has done
// its part, the deadline, or Cancel() from another thread (bounded.h). Destroying it ends it.
template <typename Command, typename Event>
class AgentDialogue {
 public:
  using Stream = grpc::ClientReaderWriter<Command, Event>;
  using Opener = std::unique_ptr<Stream> (*)(control::Agent::Stub*, grpc::ClientContext*);

  AgentDialogue(Opener open, control::Agent::Stub* stub, std::string address, Nanos timeout);
  ~AgentDialogue();
  AgentDialogue(const AgentDialogue&) = delete;
  AgentDialogue& operator=(const AgentDialogue&) = delete;

  // What the agent ended the dialogue with when it did not take the command, or has no answer.
  absl::Status Send(const Command& command);
  absl::Status Receive(Event* event);
  void Cancel() { context_.TryCancel(); }

 private:
  absl::Status End();

  const std::string address_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool finished_ = false;
  absl::Status end_;
};
using ObserveDialogue = AgentDialogue<control::ObserveCommand, control::ObserveEvent>;
using EchoDialogue = AgentDialogue<control::EchoCommand, control::EchoEvent>;

class AgentLink {
 public:
  // Without credentials it speaks to agents on this host only: Hello() says so.
  AgentLink(std::string address, const AgentCredentials& credentials);

  const std::string& address() const { return address_; }

  // FailedPrecondition, naming both versions, when the agent's protocol major is not ours;
  // DataLoss when nobody answers, or somebody is silent.
  absl::StatusOr<control::HelloReply> Hello(Nanos timeout);
  absl::StatusOr<AgentClockMap> MeasureClock(int pings, Nanos timeout);
  std::unique_ptr<RunCall> StartRun(size_t index, RunInbox* inbox, Nanos timeout);
  // Results that the agent keeps because nobody has acknowledged them, oldest first.
  absl::StatusOr<control::ResultsReply> Results(Nanos timeout);
  // A serialised RunResult of those.
  absl::StatusOr<std::string> Fetch(const std::string& run_id, Nanos timeout);
  absl::Status Acknowledge(const std::vector<std::string>& run_ids, Nanos timeout);
  // Ends another controller's run.
  absl::StatusOr<control::ReleaseReply> Release(const control::ReleaseRequest& request,
                                                Nanos timeout);
  std::unique_ptr<ObserveDialogue> StartObserve(Nanos timeout);
  std::unique_ptr<EchoDialogue> StartEcho(Nanos timeout);
  // Blocks until the path is measured, or `context` is cancelled. Unavailable when it is the target
  // that is not there, is silent, or says no.
  absl::StatusOr<result::NetworkBaseline> Probe(const control::ProbeRequest& request, Nanos timeout,
                                                grpc::ClientContext* context);

 private:
  AgentLink(std::string address, absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> how);

  std::string address_;
  absl::Status reachable_;
  std::unique_ptr<control::Agent::Stub> stub_;
};

}  // namespace kbench
