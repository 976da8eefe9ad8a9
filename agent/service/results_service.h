// The results that wait for a controller (agent/service/result_shelf.h), over the wire.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "agent/service/result_shelf.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

// FAILED_PRECONDITION without a shelf, also below. Observers may ask; controllers alone fetch and
// acknowledge.
grpc::Status ListResults(const grpc::ServerContextBase& context, const ResultShelf* shelf,
                         control::ResultsReply* reply);
grpc::Status DropResults(const grpc::ServerContextBase& context, ResultShelf* shelf,
                         const control::AcknowledgeRequest& request);

// Sends one result in chunks, as fast as the controller takes them. Deletes itself when grpc is
// done with it.
class FetchCall final : public grpc::ServerWriteReactor<control::ResultChunk> {
 public:
  static FetchCall* Start(const grpc::ServerContextBase& context, const ResultShelf* shelf,
                          const std::string& run_id);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  void SendNext();

  std::string bytes_;
  size_t sent_ = 0;
  control::ResultChunk chunk_;
};

}  // namespace kbench
