#include "agent/service/observe_service.h"

#include <iostream>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/host/host_facts.h"
#include "agent/load/request_set.h"
#include "agent/service/result_proto.h"
#include "agent/service/wire_proto.h"

namespace kbench {
namespace {

grpc::Status Invalid(std::string what) {
  return {grpc::StatusCode::INVALID_ARGUMENT, std::move(what)};
}

}  // namespace

ObserveStream* ObserveStream::Start(AgentService* service, const grpc::ServerContextBase& context) {
  auto* stream = new ObserveStream(service, context);
  stream->Begin();
  return stream;
}

grpc::Status ObserveStream::Converse() {
  const std::optional<control::ObserveCommand> first = NextCommand();
  if (!first.has_value()) return grpc::Status::OK;
  if (!first->has_begin()) return Invalid("the first command of an observation is Begin");
  const grpc::Status begun = Open(first->begin());
  return begun.ok() ? Watch() : begun;
}

grpc::Status ObserveStream::Open(const control::ObserveCommand::Begin& begin) {
  const grpc::Status version = CheckVersion(begin.controller());
  if (!version.ok()) return version;
  if (begin.port() == 0 || begin.port() > 65535) {
    return Invalid(absl::StrCat("port: ", begin.port(), " is no TCP port"));
  }
  if (begin.records_max() > kMostRecords) {
    return Invalid(absl::StrCat("records_max: ", begin.records_max(), " is above ", kMostRecords));
  }
  const absl::Status claimed = service_->ClaimPort(begin.port(), Named(begin.owner()));
  if (!claimed.ok()) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, std::string(claimed.message())};
  }
  port_ = begin.port();
  absl::StatusOr<std::unique_ptr<observer::PacketObserver>> started =
      observer::PacketObserver::Start(
          {.port = static_cast<uint16_t>(begin.port()),
           .view = observer::View::kServer,
           .records_max = begin.records_max() == 0 ? kMostRecords : begin.records_max(),
           .await_window = true});
  if (!started.ok()) {
    // absl's codes are grpc's.
    return {static_cast<grpc::StatusCode>(started.status().code()),
            std::string(started.status().message())};
  }
  observer_ = *std::move(started);
  std::cerr << absl::StrCat("kbench-agent: observing port ", port_, " for ", Named(begin.owner()),
                            "\n")
            << std::flush;
  control::ObserveEvent event;
  event.mutable_observing()->set_host(PrintableText(ReadHostFacts().hostname));
  Send(event);
  return grpc::Status::OK;
}

grpc::Status ObserveStream::Watch() {
  while (const std::optional<control::ObserveCommand> command = NextCommand()) {
    if (command->has_window()) {
      const MonoTime from(command->window().from()), until(command->window().until());
      if (from >= until) return Invalid("window: it ends before it begins");
      observer_->SetWindow(from, until);
    } else if (command->has_collect()) {
      SendTrace(command->collect());
      return grpc::Status::OK;
    } else {
      return Invalid("after Observing comes Window or Collect");
    }
  }
  return grpc::Status::OK;
}

bool ObserveStream::SendTrace(const control::ObserveCommand::Collect& collect) {
  RequestSet wanted;
  for (const control::ObserveCommand::Request& request : collect.wanted()) {
    for (const uint64_t sequence : request.sequences()) {
      wanted.Add(request.connection_id(), sequence);
    }
  }
  const observer::WireObservation seen =
      observer_->Finish([&wanted](int64_t connection_id, uint64_t sequence) {
        return wanted.Contains(connection_id, sequence);
      });
  observer_.reset();
  result::WireTrace trace;
  Fill(seen, observer::View::kServer, PrintableText(ReadHostFacts().hostname), &trace);
  return SendInChunks(trace.SerializeAsString(),
                      [](control::ObserveEvent* event) { return event->mutable_trace(); });
}

void ObserveStream::Leave() {
  observer_.reset();
  if (port_ != 0) service_->GiveBackPort(port_);
}

}  // namespace kbench
