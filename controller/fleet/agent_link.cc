#include "controller/fleet/agent_link.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/address.h"
#include "base/lease.h"
#include "base/status_macros.h"
#include "base/version.h"

namespace kbench {
namespace {

constexpr Nanos kProofOfLife = Seconds(2);
constexpr unsigned kReadAgainSeconds = 60;  // certificates may be renewed meanwhile

std::chrono::system_clock::time_point After(Nanos timeout) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             std::chrono::nanoseconds(timeout.count()));
}

// The wire's codes in the controller's meaning (exit_codes.h), with who and where.
absl::Status FromGrpc(const grpc::Status& status, const std::string& address) {
  if (status.ok()) return absl::OkStatus();
  const std::string& text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::FAILED_PRECONDITION:
      return absl::FailedPreconditionError(absl::StrCat("agent ", address, ": ", text));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::FailedPreconditionError(
          absl::StrCat("agent ", address, " does not know this call", text.empty() ? "" : ": ",
                       text, "; is it a kbench-agent of this version?"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DataLossError(
          absl::StrCat("agent ", address, " did not answer in time; is its process frozen?"));
    case grpc::StatusCode::PERMISSION_DENIED:
      return absl::DataLossError(absl::StrCat("agent ", address, " is not permitted to: ", text));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return absl::DataLossError(absl::StrCat("agent ", address, " is busy: ", text));
    case grpc::StatusCode::UNAVAILABLE:
      return absl::DataLossError(absl::StrCat("agent ", address, " is not there or was lost: ",
                                              text, "; check that kbench-agent runs on it"));
    default:
      return absl::DataLossError(absl::StrCat("agent ", address, " failed (code ",
                                              static_cast<int>(status.error_code()), "): ", text));
  }
}

using ChannelCredentials = std::shared_ptr<grpc::ChannelCredentials>;

absl::StatusOr<ChannelCredentials> CredentialsFor(const std::string& address,
                                                  const AgentCredentials& ours) {
  if (!ours.any()) {
    ASSIGN_OR_RETURN(const HostPort target, ParseHostPort(address));
    ASSIGN_OR_RETURN(const SocketAddress resolved, Resolve(target));
    if (IsLoopback(resolved)) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError(absl::StrCat(
        "agent ", address, " is on another host, and there are no certificates to speak to it ",
        "with: give --tls-ca, --tls-certificate and --tls-key, or put them into ", kUsualDirectory,
        " (playbooks/pki.yml does)"));
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          ours.key, ours.certificate, ours.ca, kReadAgainSeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  if (!ours.crl_directory.empty()) options.set_crl_directory(ours.crl_directory);
  return grpc::experimental::TlsCredentials(options);
}

// Without credentials it is a channel on which every call fails.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const ChannelCredentials& credentials) {
  const auto milliseconds = [](Nanos d) { return static_cast<int>(d.count() / 1'000'000); };
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The lease of a run, from our side: an agent that is frozen or gone is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(kLeaseQuestion));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(kLeaseAnswer));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no bound
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // By its name a pause, it is the least time that one attempt to connect is given, greeting
  // included: a busy agent needs more than the second between two attempts.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

std::string ToText(const control::Version& version) {
  return absl::StrCat("protocol ", version.protocol_major(), ".", version.protocol_minor(),
                      " (release ", version.release(), ", build ", version.build(), ")");
}

}  // namespace

control::Version ControllerVersion() {
  control::Version version;
  version.set_protocol_major(kControlProtocolMajor);
  version.set_protocol_minor(kControlProtocolMinor);
  version.set_release(std::string(ReleaseVersion()));
  version.set_build(std::string(BuildId()));
  return version;
}

absl::Status CheckIdle(const std::string& address, const control::HelloReply& reply) {
  if (reply.active_run().empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat(
      "agent %s is busy with run %s of %s for %.1f s; wait for it, stop its owner, or take it from "
      "it with kbench agents release",
      address, reply.active_run(), reply.active_owner(), Nanos(reply.active_for_ns()).seconds()));
}

RunCall::RunCall(control::Agent::Stub* stub, const std::string& address, size_t index,
                 RunInbox* inbox, Nanos timeout) {
  context_.set_deadline(After(timeout));
  stream_ = stub->Run(&context_);
  reader_ = std::thread([this, address, index, inbox] { ReadAll(address, index, inbox); });
}

RunCall::~RunCall() {
  Cancel();
  reader_.join();
}

void RunCall::ReadAll(const std::string& address, size_t index, RunInbox* inbox) {
  control::RunEvent message;
  while (stream_->Read(&message)) {
    inbox->Put({.agent = index, .message = std::move(message)});
    message.Clear();
  }
  grpc::Status status;
  {
    MutexLock lock(&write_mutex_);
    finished_ = true;
    status = stream_->Finish();
  }
  inbox->Put({.agent = index, .end = FromGrpc(status, address)});
}

bool RunCall::Send(const control::RunCommand& command) {
  MutexLock lock(&write_mutex_);
  return !finished_ && !closed_ && stream_->Write(command);
}

void RunCall::CloseCommands() {
  MutexLock lock(&write_mutex_);
  if (!finished_ && !closed_) stream_->WritesDone();
  closed_ = true;
}

template <typename Command, typename Event>
AgentDialogue<Command, Event>::AgentDialogue(Opener open, control::Agent::Stub* stub,
                                             std::string address, Nanos timeout)
    : address_(std::move(address)) {
  context_.set_deadline(After(timeout));
  stream_ = open(stub, &context_);
}

template <typename Command, typename Event>
AgentDialogue<Command, Event>::~AgentDialogue() {
  if (finished_) return;
  Cancel();
  (void)End();
}

template <typename Command, typename Event>
absl::Status AgentDialogue<Command, Event>::Send(const Command& command) {
  if (!finished_ && stream_->Write(command)) return absl::OkStatus();
  return End();
}

template <typename Command, typename Event>
absl::Status AgentDialogue<Command, Event>::Receive(Event* event) {
  if (!finished_ && stream_->Read(event)) return absl::OkStatus();
  return End();
}

template <typename Command, typename Event>
absl::Status AgentDialogue<Command, Event>::End() {
  if (!finished_) {
    finished_ = true;
    end_ = FromGrpc(stream_->Finish(), address_);
    if (end_.ok()) end_ = absl::DataLossError(absl::StrCat("agent ", address_, " hung up"));
  }
  return end_;
}

template class AgentDialogue<control::ObserveCommand, control::ObserveEvent>;
template class AgentDialogue<control::EchoCommand, control::EchoEvent>;

AgentLink::AgentLink(std::string address, const AgentCredentials& credentials)
    : AgentLink(address, CredentialsFor(address, credentials)) {}

AgentLink::AgentLink(std::string address, absl::StatusOr<ChannelCredentials> how)
    : address_(std::move(address)),
      reachable_(how.status()),
      stub_(control::Agent::NewStub(MakeChannel(address_, how.ok() ? *how : nullptr))) {}

absl::StatusOr<control::HelloReply> AgentLink::Hello(Nanos timeout) {
  if (!reachable_.ok()) return reachable_;
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  control::HelloRequest request;
  *request.mutable_controller() = ControllerVersion();
  control::HelloReply reply;
  const absl::Status status = FromGrpc(stub_->Hello(&context, request, &reply), address_);
  if (!status.ok()) return status;
  if (reply.agent().protocol_major() != kControlProtocolMajor) {
    return absl::FailedPreconditionError(
        absl::StrCat("agent ", address_, " speaks ", ToText(reply.agent()), ", this controller ",
                     ToText(ControllerVersion()), "; install the same release on both"));
  }
  return reply;
}

absl::StatusOr<AgentClockMap> AgentLink::MeasureClock(int pings, Nanos timeout) {
  const auto deadline = After(timeout);
  AgentClockMap map;
  for (int i = 0; i < pings; ++i) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    control::PingReply reply;
    const MonoTime sent = MonoNow();
    const grpc::Status status = stub_->Ping(&context, control::PingRequest(), &reply);
    const MonoTime answered = MonoNow();
    if (!status.ok()) return FromGrpc(status, address_);
    map.AddPing(sent, AgentTime(reply.monotonic_ns()), answered);
  }
  return map;
}

std::unique_ptr<RunCall> AgentLink::StartRun(size_t index, RunInbox* inbox, Nanos timeout) {
  return std::make_unique<RunCall>(stub_.get(), address_, index, inbox, timeout);
}

absl::StatusOr<control::ResultsReply> AgentLink::Results(Nanos timeout) {
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  control::ResultsReply reply;
  RETURN_IF_ERROR(FromGrpc(stub_->Results(&context, {}, &reply), address_));
  return reply;
}

absl::StatusOr<std::string> AgentLink::Fetch(const std::string& run_id, Nanos timeout) {
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  control::FetchRequest request;
  request.set_run_id(run_id);
  const auto stream = stub_->Fetch(&context, request);
  std::string bytes;
  bool whole = false;
  for (control::ResultChunk chunk; stream->Read(&chunk);) {
    bytes += chunk.data();
    whole = chunk.last();
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), address_));
  if (whole) return bytes;
  return absl::DataLossError(absl::StrCat("agent ", address_, " sent a part of run ", run_id));
}

absl::Status AgentLink::Acknowledge(const std::vector<std::string>& run_ids, Nanos timeout) {
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  control::AcknowledgeRequest request;
  for (const std::string& id : run_ids) request.add_run_ids(id);
  control::AcknowledgeReply reply;
  return FromGrpc(stub_->Acknowledge(&context, request, &reply), address_);
}

absl::StatusOr<control::ReleaseReply> AgentLink::Release(const control::ReleaseRequest& request,
                                                         Nanos timeout) {
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  control::ReleaseReply reply;
  RETURN_IF_ERROR(FromGrpc(stub_->Release(&context, request, &reply), address_));
  return reply;
}

std::unique_ptr<ObserveDialogue> AgentLink::StartObserve(Nanos timeout) {
  return std::make_unique<ObserveDialogue>(
      [](control::Agent::Stub* stub, grpc::ClientContext* context) {
        return stub->Observe(context);
      },
      stub_.get(), address_, timeout);
}

std::unique_ptr<EchoDialogue> AgentLink::StartEcho(Nanos timeout) {
  return std::make_unique<EchoDialogue>(
      [](control::Agent::Stub* stub, grpc::ClientContext* context) { return stub->Echo(context); },
      stub_.get(), address_, timeout);
}

absl::StatusOr<result::NetworkBaseline> AgentLink::Probe(const control::ProbeRequest& request,
                                                         Nanos timeout,
                                                         grpc::ClientContext* context) {
  context->set_deadline(After(timeout));
  result::NetworkBaseline baseline;
  const grpc::Status status = stub_->Probe(context, request, &baseline);
  if (status.ok()) return baseline;
  const grpc::StatusCode code = status.error_code();
  // The agent's word about the target has the same code as an agent that is gone.
  const bool of_target =
      code == grpc::StatusCode::PERMISSION_DENIED || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
      (code == grpc::StatusCode::UNAVAILABLE && MeasureClock(1, kProofOfLife).ok());
  if (!of_target) return FromGrpc(status, address_);
  return absl::UnavailableError(absl::StrCat("agent ", address_, ": ", status.error_message()));
}

}  // namespace kbench
