// kbench-agent: one host's load, probes and observation.

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/host/host_facts.h"
#include "agent/run/caps.h"
#include "agent/service/agent_service.h"
#include "agent/service/server_credentials.h"
#include "agent/service/service_manager.h"
#include "base/address.h"
#include "base/lease.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"

namespace kbench {
namespace {

constexpr int kUsage = 2;
constexpr uint64_t kFewFiles = 4096;

struct Options {
  std::string listen = "127.0.0.1:7100";
  bool plaintext = false;
  TlsFiles tls;
  Caps caps;
  std::string max_duration;
  std::vector<std::string> targets;
  std::string results;
  std::vector<std::string> clients;
  std::string client_user;
};

int Milliseconds(Nanos d) { return static_cast<int>(d.count() / 1'000'000); }

int Fail(int code, absl::string_view what) {
  std::cerr << "kbench-agent: " << what << "\n";
  return code;
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const Options& options, const SocketAddress& address) {
  if (!options.plaintext && !options.tls.any()) {
    return absl::InvalidArgumentError(
        "controllers are to prove who they are: give --tls-ca, --tls-certificate and --tls-key "
        "(playbooks/pki.yml makes the files), or --plaintext for a trial on this host");
  }
  if (!options.plaintext) return ServerCredentialsOf(options.tls);
  if (options.tls.any()) {
    return absl::InvalidArgumentError("--plaintext and --tls-... exclude each other");
  }
  if (!IsLoopback(address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.listen,
                     " --plaintext: whoever reaches this address could make load "
                     "from here; without certificates an agent listens on loopback only"));
  }
  return grpc::InsecureServerCredentials();
}

absl::Status TakeCaps(Options* options) {
  if (!options->max_duration.empty()) {
    const absl::StatusOr<Nanos> duration = ParseDuration(options->max_duration);
    if (!duration.ok()) return Annotate(duration.status(), "--max-duration");
    options->caps.duration = *duration;
  }
  for (const std::string& text : options->targets) {
    const absl::StatusOr<Network> network = ParseNetwork(text);
    if (!network.ok()) return Annotate(network.status(), "--allow-target");
    options->caps.targets.push_back(*network);
  }
  for (const std::string& text : options->clients) {
    RETURN_IF_ERROR(Annotate(options->caps.clients.Allow(text), "--allow-client"));
  }
  if (!options->client_user.empty()) {
    RETURN_IF_ERROR(Annotate(options->caps.clients.RunAs(options->client_user), "--client-user"));
  }
  return absl::OkStatus();
}

// Blocks until a signal says stop. A watchdog hears from us only while the service can answer.
int AwaitSignal(const sigset_t& signals, const AgentService& service) {
  const Nanos alive = AliveInterval();
  if (alive == Nanos()) {
    int number = 0;
    sigwait(&signals, &number);
    return number;
  }
  const timespec interval = {.tv_sec = alive.count() / 1'000'000'000,
                             .tv_nsec = alive.count() % 1'000'000'000};
  for (;;) {
    if (!service.address().empty()) NotifyAlive();
    const int number = sigtimedwait(&signals, nullptr, &interval);
    if (number > 0) return number;
  }
}

int Serve(Options options) {
  const absl::StatusOr<HostPort> wanted = ParseHostPort(options.listen);
  if (!wanted.ok()) return Fail(kUsage, absl::StrCat("--listen: ", wanted.status().message()));
  const absl::StatusOr<SocketAddress> address = Resolve(*wanted);
  if (!address.ok()) return Fail(kUsage, absl::StrCat("--listen: ", address.status().message()));
  const auto credentials = CredentialsOf(options, *address);
  if (!credentials.ok()) return Fail(kUsage, credentials.status().message());
  if (const absl::Status taken = TakeCaps(&options); !taken.ok()) {
    return Fail(kUsage, taken.message());
  }

  // The signals go to sigwait() below; threads made from here on inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  if (const uint64_t files = RaiseOpenFilesLimit(); files < kFewFiles) {
    std::cerr << "kbench-agent: only " << files
              << " open files are allowed here; flows are limited "
              << "by that\n";
  }
  std::unique_ptr<ResultShelf> shelf;
  if (!options.results.empty()) {
    auto opened = ResultShelf::Open(options.results);
    if (!opened.ok()) return Fail(kUsage, absl::StrCat("--results: ", opened.status().message()));
    shelf = *std::move(opened);
  }
  AgentService service(options.caps, std::move(shelf));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.listen, *credentials, &port);
  // Two agents on one port would share a controller's streams at random.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The lease of a run: a controller that is frozen, or whose host vanishes without a word, must
  // not leave its load running. A link may be cut for kLeaseAnswer.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kLeaseQuestion));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kLeaseAnswer));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no bound
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kLeaseQuestion) / 2);
  // The list of the requests whose packets are wanted is as long as the trace.
  builder.SetMaxReceiveMessageSize(256 * 1024 * 1024);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Fail(
        1, absl::StrCat("cannot listen on ", options.listen, "; is another agent running there?"));
  }
  const HostPort bound = {.host = wanted->host, .port = static_cast<uint16_t>(port)};
  service.set_address(bound.ToString());
  std::cout << "kbench-agent listening on " << bound.ToString() << std::endl;
  NotifyReady();

  const int signal_number = AwaitSignal(signals, service);
  std::cerr << "kbench-agent: " << strsignal(signal_number) << ", stopping\n";
  NotifyStopping();
  service.StopActive("the agent was told to stop");
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  return 0;
}

void AddOptions(CLI::App* app, Options* options) {
  app->set_config("--config", "", "File of these options, one NAME = VALUE a line");
  app->allow_config_extras(CLI::config_extras_mode::error);
  app->add_option("--listen", options->listen,
                  "HOST:PORT for controllers, on the network that they come from; port 0 takes a "
                  "free one")
      ->capture_default_str();
  app->add_option("--tls-ca", options->tls.ca,
                  "PEM file of the authorities whose certificates callers must have");
  app->add_option("--tls-certificate", options->tls.certificate,
                  "PEM file of this agent's certificate and its chain");
  app->add_option("--tls-key", options->tls.key, "PEM file of its private key");
  app->add_option("--crl-directory", options->tls.crl_directory,
                  "Directory of revocation lists, as made by `openssl rehash`");
  app->add_flag("--plaintext", options->plaintext,
                "No TLS and no certificates; on a loopback address only");
  app->add_option("--max-rate", options->caps.rate,
                  "Requests per second that a run may offer, whatever the controller says; closed "
                  "loops are then refused")
      ->check(CLI::PositiveNumber);
  app->add_option("--max-duration", options->max_duration,
                  "Longest run, warm-up included, like 10m");
  app->add_option("--max-connections", options->caps.connections, "Of a run")
      ->check(CLI::PositiveNumber);
  app->add_option("--allow-target", options->targets,
                  "Network, like 10.0.0.0/8, that may be loaded or probed (repeatable; default: "
                  "any)");
  app->add_option("--allow-client", options->clients,
                  "Client program, as NAME=/PATH, that controllers may run here with arguments of "
                  "their own (repeatable; default: none). Whoever allows an interpreter or a shell "
                  "allows all that its user may do");
  app->add_option("--client-user", options->client_user,
                  "User of these programs, of an agent of root (default: the agent's own)");
  app->add_option("--results", options->results,
                  "Directory in which results wait until a controller has stored them; without one "
                  "they are lost with their controller");
  app->set_version_flag("--version",
                        std::string(ReleaseVersion()) + " (" + std::string(BuildId()) + ")");
}

// CLI11 quotes the line that it stumbles over. Who names a file of secrets by mistake must not find
// them in a log: only what can be the name of an option is repeated.
std::string ConfigProblem(const CLI::App& app, const std::string& said) {
  constexpr size_t kLongestName = 24;
  const std::string item = said.substr(said.find_last_of(' ') + 1);
  const bool a_name = item.size() <= kLongestName &&
                      item.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos &&
                      said == "INI was not able to parse " + item;
  const std::vector<std::string> files = app.get_config_ptr()->results();
  return absl::StrCat("--config ", files.empty() ? "" : files.back(), ": ",
                      a_name ? absl::StrCat("`", item, "` is no option of the agent")
                             : "a line is not NAME = VALUE with an option's name",
                      "; --help lists them");
}

int Main(int argc, char** argv) {
  CLI::App app("One host's load: waits for a controller (kbench) and runs what it is given.");
  Options options;
  AddOptions(&app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    std::cerr << "kbench-agent: " << ConfigProblem(app, error.what()) << "\n";
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return Serve(std::move(options));
}

}  // namespace
}  // namespace kbench

int main(int argc, char** argv) { return kbench::Main(argc, argv); }
