// kbench-agent: one host's load, probes and observation.

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/agent_service.h"
#include "agent/host_facts.h"
#include "base/address.h"
#include "base/version.h"

namespace {

constexpr int kUsage = 2;
constexpr uint64_t kFewFiles = 4096;

int Fail(int code, absl::string_view what) {
  std::cerr << "kbench-agent: " << what << "\n";
  return code;
}

int Serve(const std::string& listen, bool plaintext) {
  const absl::StatusOr<kbench::HostPort> wanted = kbench::ParseHostPort(listen);
  if (!wanted.ok()) return Fail(kUsage, absl::StrCat("--listen: ", wanted.status().message()));
  const absl::StatusOr<kbench::SocketAddress> address = kbench::Resolve(*wanted);
  if (!address.ok()) return Fail(kUsage, absl::StrCat("--listen: ", address.status().message()));
  if (!plaintext && !kbench::IsLoopback(*address)) {
    return Fail(kUsage, absl::StrCat("--listen ", listen,
                                     ": whoever reaches this address may make load, in plain text; "
                                     "give --plaintext if the network is trusted (mutual TLS is "
                                     "not built yet)"));
  }

  // The signals go to sigwait() below; threads made from here on inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  if (const uint64_t files = kbench::RaiseOpenFilesLimit(); files < kFewFiles) {
    std::cerr << "kbench-agent: only " << files
              << " open files are allowed here; flows are limited "
              << "by that\n";
  }
  kbench::AgentService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  // Two agents on one port would share a controller's streams at random.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A controller whose host vanishes without a word must not leave its load running.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  // The list of the requests whose packets are wanted is as long as the trace.
  builder.SetMaxReceiveMessageSize(256 * 1024 * 1024);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Fail(1, absl::StrCat("cannot listen on ", listen, "; is another agent running there?"));
  }
  const kbench::HostPort bound = {.host = wanted->host, .port = static_cast<uint16_t>(port)};
  service.set_address(bound.ToString());
  std::cout << "kbench-agent listening on " << bound.ToString() << std::endl;

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  std::cerr << "kbench-agent: " << strsignal(signal_number) << ", stopping\n";
  service.StopActive("the agent was told to stop");
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("One host's load: waits for a controller (kbench) and runs what it is given.");
  std::string listen = "127.0.0.1:7100";
  bool plaintext = false;
  app.add_option("--listen", listen, "HOST:PORT for controllers; port 0 takes a free one")
      ->capture_default_str();
  app.add_flag("--plaintext", plaintext, "allow an address that is not loopback, without TLS");
  app.set_version_flag("--version", std::string(kbench::ReleaseVersion()) + " (" +
                                        std::string(kbench::BuildId()) + ")");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return Serve(listen, plaintext);
}
