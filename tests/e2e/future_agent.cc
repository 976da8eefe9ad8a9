#include "tests/e2e/future_agent.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/agent.grpc.pb.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

class Service final : public control::Agent::Service {
 public:
  grpc::Status Hello(grpc::ServerContext* /*context*/, const control::HelloRequest* /*request*/,
                     control::HelloReply* reply) override {
    reply->mutable_agent()->set_protocol_major(99);
    reply->mutable_agent()->set_release("99.0.0");
    return grpc::Status::OK;
  }
};

}  // namespace

struct FutureAgent::Server {
  int Start(const std::string& listen,
            const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen, credentials, &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    EXPECT_NE(server, nullptr) << "nothing listens on " << listen;
    return port;
  }
  ~Server() {
    if (server != nullptr) server->Shutdown();
  }

  Service service;
  std::unique_ptr<grpc::Server> server;
};

FutureAgent::FutureAgent() : server_(std::make_unique<Server>()) {
  const int port = server_->Start("127.0.0.1:0", grpc::InsecureServerCredentials());
  address_ = absl::StrCat("127.0.0.1:", port);
}

FutureAgent::FutureAgent(const std::string& listen, const std::string& ca_file,
                         const CertificateFiles& files)
    : address_(listen), server_(std::make_unique<Server>()) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(ca_file);
  options.pem_key_cert_pairs = {
      {.private_key = ReadFile(files.key), .cert_chain = ReadFile(files.certificate)}};
  server_->Start(listen, grpc::SslServerCredentials(options));
}

FutureAgent::~FutureAgent() = default;

}  // namespace kbench::e2e
