// kbench-server: the command line of the reference Kinetic server.
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/fd.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "server/server.h"

namespace kbench::server {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

constexpr char kServiceTimeHelp[] =
    "Time that requests take beyond the server's own cost: OP=TIME[,OP=TIME...], OP one of all, "
    "get, put, delete, getnext, getprevious, getkeyrange, getversion, noop, flushalldata, getlog "
    "(all when left out); TIME one of DURATION, exp:MEAN, uniform:LOW..HIGH, "
    "lognormal:MEDIAN:SIGMA; e.g. get=500us,put=exp:2ms";

struct Flags {
  std::string listen = "127.0.0.1:8123";
  std::string store = "memory";
  std::string identity_key_file;
  std::string service_model = "sleep";
  std::string poll = "block";
  int cpu = -1;
  ServerOptions server;
};

void Declare(Flags* flags, CLI::App* app) {
  app->add_option("--listen", flags->listen, "HOST:PORT to listen on; port 0 takes a free one")
      ->capture_default_str();
  app->add_flag("--allow-remote", flags->server.allow_remote,
                "Listen on an address that is not loopback, without TLS or access rules");
  app->add_option("--store", flags->store, "Where objects live")
      ->check(CLI::IsMember({"memory"}))
      ->capture_default_str();
  app->add_option(
      "--identity-key-file", flags->identity_key_file,
      "Lines of `identity key` or `identity hex:DIGITS`; without it, identity 1 has the factory "
      "key");
  app->add_option("--service-time", flags->server.service_time, kServiceTimeHelp);
  app->add_option("--service-model", flags->service_model,
                  "How service time passes: sleep holds the answer and serves others meanwhile, "
                  "busy burns the server's only thread")
      ->check(CLI::IsMember({"sleep", "busy"}))
      ->capture_default_str();
  app->add_option("--seed", flags->server.seed, "Of the service times")->capture_default_str();
  app->add_option("--residence-records", flags->server.residence_records,
                  "Residence records kept per connection; 0 keeps none")
      ->check(CLI::Range(size_t{0}, size_t{1} << 24))
      ->capture_default_str();
  app->add_option("--cpu", flags->cpu, "Run on this processor only")
      ->check(CLI::Range(0, CPU_SETSIZE - 1));
  app->add_option("--poll", flags->poll, "Between events, block in the kernel or spin")
      ->check(CLI::IsMember({"block", "spin"}))
      ->capture_default_str();
  app->set_version_flag("--version", absl::StrCat("kbench-server ", std::string(ReleaseVersion()),
                                                  " (", std::string(BuildId()), ")"));
}

absl::Status Pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("cannot run on processor ", cpu, ": ", std::strerror(errno)));
}

// As many descriptors as the host allows; connections are what is left beside the server's own.
uint32_t RaiseConnections() {
  constexpr rlim_t kOwn = 32;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<uint32_t>(limit.rlim_cur > kOwn ? limit.rlim_cur - kOwn : 1);
}

absl::StatusOr<ServerOptions> ToOptions(Flags flags) {
  ServerOptions options = std::move(flags.server);
  absl::StatusOr<HostPort> listen = ParseHostPort(flags.listen);
  if (!listen.ok()) return Annotate(listen.status(), "--listen");
  options.listen = *std::move(listen);
  options.poll_spin = flags.poll == "spin";
  ASSIGN_OR_RETURN(options.service_model, ParseServiceModel(flags.service_model));
  options.limits.connections = RaiseConnections();
  if (flags.identity_key_file.empty()) {
    std::cerr << "kbench-server: identity 1 has the factory key, which everybody knows; "
                 "--identity-key-file replaces it\n";
  } else {
    ASSIGN_OR_RETURN(options.keys, KeyRing::ReadFile(flags.identity_key_file));
  }
  return options;
}

// A descriptor that is readable once SIGTERM or SIGINT came.
absl::StatusOr<Fd> WatchSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC));
  if (fd.valid()) return fd;
  return absl::InternalError(absl::StrCat("cannot watch signals: ", std::strerror(errno)));
}

absl::Status Serve(Flags flags) {
  // Freed values go back to the heap, not to the kernel, or every 1 MiB PUT would fault its pages
  // in again.
  mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 512 * 1024 * 1024);
  const int cpu = flags.cpu;
  ASSIGN_OR_RETURN(ServerOptions options, ToOptions(std::move(flags)));
  if (cpu >= 0) RETURN_IF_ERROR(Pin(cpu));
  const uint32_t connections = options.limits.connections;
  const bool wants_stamps = options.residence_records > 0;
  ASSIGN_OR_RETURN(const Fd stop, WatchSignals());
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Open(std::move(options)));
  std::cerr << "kbench-server: up to " << connections << " connections (RLIMIT_NOFILE)\n";
  if (wants_stamps && !server->stamps()) {
    std::cerr << "kbench-server: the kernel refuses receive stamps; residence begins when the "
                 "receive call returns\n";
  }
  std::cout << "kbench-server listening on " << server->address().ToString() << std::endl;
  return server->Run(stop.get());
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("The reference Kinetic server of kbench: an instrument with a known service time");
  Declare(&flags, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const absl::Status status = Serve(std::move(flags));
  if (status.ok()) return kExitOk;
  std::cerr << "kbench-server: " << status.message() << "\n";
  return status.code() == absl::StatusCode::kInvalidArgument ? kExitUsage : kExitFailed;
}

}  // namespace
}  // namespace kbench::server

int main(int argc, char** argv) { return kbench::server::Main(argc, argv); }
