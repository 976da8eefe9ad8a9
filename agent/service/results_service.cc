#include "agent/service/results_service.h"

#include "absl/strings/str_cat.h"
#include "agent/service/caller_service.h"
#include "agent/service/stream_service.h"

namespace kbench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;  // ns

grpc::Status Check(const grpc::ServerContextBase& context, const ResultShelf* shelf,
                   CallerRole least) {
  const grpc::Status status = RequireRole(context, least);
  if (!status.ok() || shelf != nullptr) return status;
  return {grpc::StatusCode::FAILED_PRECONDITION,
          "this agent keeps no results: start it with --results DIRECTORY"};
}

grpc::Status FromAbsl(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace

grpc::Status ListResults(const grpc::ServerContextBase& context, const ResultShelf* shelf,
                         control::ResultsReply* reply) {
  const grpc::Status status = Check(context, shelf, CallerRole::kObserver);
  if (!status.ok()) return status;
  for (const KeptResult& result : shelf->List()) {
    control::ResultsReply::Kept* kept = reply->add_kept();
    kept->set_run_id(result.run_id);
    kept->set_bytes(result.bytes);
    kept->set_ended_unix_s(result.ended_unix_ns / kSecond);
  }
  return status;
}

grpc::Status DropResults(const grpc::ServerContextBase& context, ResultShelf* shelf,
                         const control::AcknowledgeRequest& request) {
  grpc::Status status = Check(context, shelf, CallerRole::kController);
  for (const std::string& run_id : request.run_ids()) {
    if (status.ok()) status = FromAbsl(shelf->Drop(run_id));
  }
  return status;
}

FetchCall* FetchCall::Start(const grpc::ServerContextBase& context, const ResultShelf* shelf,
                            const std::string& run_id) {
  auto* call = new FetchCall;
  grpc::Status status = Check(context, shelf, CallerRole::kController);
  if (status.ok()) {
    absl::StatusOr<std::string> bytes = shelf->Read(run_id);
    status = FromAbsl(bytes.status());
    if (bytes.ok()) call->bytes_ = *std::move(bytes);
  }
  if (status.ok()) {
    call->SendNext();
  } else {
    call->Finish(status);
  }
  return call;
}

void FetchCall::SendNext() {
  chunk_.set_data(bytes_.substr(sent_, kResultChunkBytes));
  sent_ += chunk_.data().size();
  chunk_.set_last(sent_ == bytes_.size());
  StartWrite(&chunk_);
}

void FetchCall::OnWriteDone(bool ok) {
  if (!ok) return Finish({grpc::StatusCode::CANCELLED, "the controller is gone"});
  if (chunk_.last()) return Finish(grpc::Status::OK);
  SendNext();
}

}  // namespace kbench
