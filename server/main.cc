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
#include "base/units.h"
#include "base/version.h"
#include "server/dialect.h"
#include "server/host_report.h"
#include "server/limits.h"
#include "server/rocks_store.h"
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
  std::string tls_listen;
  std::string capacity;
  std::string dialect = "kbench";
  std::string limits;
  std::string identity_key_file;
  std::string default_synchronization = "none";
  std::string announce;
  std::string service_model = "sleep";
  std::string poll = "block";
  int cpu = -1;
  ServerOptions server;
};

void Declare(Flags* flags, CLI::App* app) {
  app->add_option("--listen", flags->listen,
                  "HOST:PORT for plain connections; port 0 takes a free one, none takes none")
      ->capture_default_str();
  app->add_option("--tls-listen", flags->tls_listen,
                  "HOST:PORT for TLS connections (Kinetic's own port is 8443); needed for SECURITY "
                  "and PIN operations");
  CLI::Option* certificate = app->add_option(
      "--tls-certificate", flags->server.tls_certificate_file,
      "PEM file of the certificate and its chain; without it, one that this server signs itself");
  CLI::Option* key =
      app->add_option("--tls-key", flags->server.tls_key_file, "PEM file of its private key");
  certificate->needs(key);
  key->needs(certificate);
  app->add_flag("--allow-remote", flags->server.allow_remote,
                "Listen on addresses that are not loopback: whoever reaches them and knows a key "
                "can read and write");
  app->add_option("--store", flags->server.store,
                  "Where objects live: in RAM; on disk; or nowhere (the value put last answers "
                  "every GET: the floor of a comparison)")
      ->check(CLI::IsMember({"memory", "rocksdb", "null"}))
      ->capture_default_str();
  app->add_option("--data-dir", flags->server.data_dir,
                  "Directory of the rocksdb store; made when it is missing");
  app->add_option("--capacity", flags->capacity,
                  "What the memory store may hold, like 8GiB; by default three quarters of the "
                  "host's memory");
  app->add_option(
         "--dialect", flags->dialect,
         "How to answer where known servers differ: kbench follows the specification, else the "
         "simulator, unless an independent client cannot work with it; spec follows the "
         "specification in any case; simulator answers as kinetic-java's; kineticd as a drive with "
         "the vendor's server (a PUT needs a tag, INVALID_REQUEST ends the connection, answers to "
         "writes come late and are overtaken). docs/protocol.md has the whole table")
      ->check(CLI::IsMember(DialectNames()))
      ->capture_default_str();
  app->add_option("--limits", flags->limits,
                  LimitsHelp() + "; what it does not name is as in the dialect");
  app->add_option("--default-synchronization", flags->default_synchronization,
                  "Of a PUT or DELETE that names none: none leaves that to the dialect, and all "
                  "but spec refuse it")
      ->check(CLI::IsMember({"none", "writethrough", "writeback", "flush"}))
      ->capture_default_str();
  app->add_option("--cluster-version", flags->server.cluster_version,
                  "Of a new store; SETUP changes it")
      ->capture_default_str();
  app->add_option(
      "--announce", flags->announce,
      "Tell the network every 5 s that this server is there, by JSON over UDP multicast "
      "to GROUP:PORT (Kinetic's own is 239.1.2.3:8123)");
  app->add_option(
      "--identity-key-file", flags->identity_key_file,
      "Lines of `identity key` or `identity hex:DIGITS`; without it, identity 1 has the factory "
      "key. A store that has identities of its own keeps them");
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
uint32_t RaiseConnections(bool on_disk) {
  const rlim_t own = 32 + (on_disk ? RocksStore::kOpenFiles + 64 : 0);
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<uint32_t>(limit.rlim_cur > own ? limit.rlim_cur - own : 1);
}

absl::Status TakeAddress(absl::string_view flag, const std::string& text,
                         std::optional<HostPort>* address) {
  if (text.empty() || text == "none") return absl::OkStatus();
  absl::StatusOr<HostPort> parsed = ParseHostPort(text);
  if (!parsed.ok()) return Annotate(parsed.status(), flag);
  *address = *std::move(parsed);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ParseCapacity(const std::string& text) {
  if (text.empty()) return ReadMemory().value_or(Memory()).total_bytes / 4 * 3;
  const absl::StatusOr<int64_t> bytes = ParseSize(text);
  if (!bytes.ok()) return Annotate(bytes.status(), "--capacity");
  if (*bytes <= 0) return absl::InvalidArgumentError("--capacity: nothing fits into 0 bytes");
  return static_cast<uint64_t>(*bytes);
}

kinetic::Synchronization SynchronizationOf(const std::string& name) {
  if (name == "writethrough") return kinetic::Synchronization::kWriteThrough;
  if (name == "writeback") return kinetic::Synchronization::kWriteBack;
  if (name == "flush") return kinetic::Synchronization::kFlush;
  return kinetic::Synchronization::kInvalid;
}

absl::StatusOr<ServerOptions> ToOptions(Flags flags) {
  ServerOptions options = std::move(flags.server);
  RETURN_IF_ERROR(TakeAddress("--listen", flags.listen, &options.listen));
  RETURN_IF_ERROR(TakeAddress("--tls-listen", flags.tls_listen, &options.tls_listen));
  RETURN_IF_ERROR(TakeAddress("--announce", flags.announce, &options.announce));
  options.poll_spin = flags.poll == "spin";
  ASSIGN_OR_RETURN(options.service_model, ParseServiceModel(flags.service_model));
  ASSIGN_OR_RETURN(options.memory_bytes, ParseCapacity(flags.capacity));
  options.default_synchronization = SynchronizationOf(flags.default_synchronization);
  if (options.store == "rocksdb" && options.data_dir.empty()) {
    return absl::InvalidArgumentError("--store rocksdb needs --data-dir");
  }
  if (options.store != "rocksdb" && !options.data_dir.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--data-dir has no effect on the ", options.store, " store"));
  }
  options.dialect = FindDialect(flags.dialect);
  options.limits = options.dialect->limits;
  const uint32_t possible = RaiseConnections(options.store == "rocksdb");
  const bool has_own = options.limits.connections != Limits().connections;
  options.limits.connections = has_own ? std::min(options.limits.connections, possible) : possible;
  absl::StatusOr<Limits> limits = ParseLimits(flags.limits, options.limits);
  if (!limits.ok()) return Annotate(limits.status(), "--limits");
  options.limits = *limits;
  if (options.limits.connections > possible) {
    return absl::InvalidArgumentError(absl::StrCat("--limits: ", options.limits.connections,
                                                   " connections need more open files than the ",
                                                   possible, " that RLIMIT_NOFILE leaves"));
  }
  if (!flags.identity_key_file.empty()) {
    ASSIGN_OR_RETURN(options.access, AccessTable::ReadFile(flags.identity_key_file));
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
  const bool keys_given = !flags.identity_key_file.empty();
  ASSIGN_OR_RETURN(ServerOptions options, ToOptions(std::move(flags)));
  if (cpu >= 0) RETURN_IF_ERROR(Pin(cpu));
  const uint32_t connections = options.limits.connections;
  const absl::string_view dialect = options.dialect->name;
  const bool wants_stamps = options.residence_records > 0 && options.listen.has_value();
  ASSIGN_OR_RETURN(const Fd stop, WatchSignals());
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Open(std::move(options)));
  std::cerr << "kbench-server: up to " << connections << " connections (RLIMIT_NOFILE)\n";
  if (dialect != KbenchDialect().name) {
    std::cerr << "kbench-server: answers in the dialect " << dialect
              << "; docs/protocol.md says what that changes\n";
  }
  if (wants_stamps && !server->stamps()) {
    std::cerr << "kbench-server: the kernel refuses receive stamps; residence begins when the "
                 "receive call returns\n";
  }
  if (keys_given && server->has_own_settings()) {
    std::cerr << "kbench-server: the store has identities of its own: --identity-key-file is not "
                 "used\n";
  }
  if (server->has_factory_key()) {
    std::cerr << "kbench-server: identity 1 has the factory key, which everybody knows; "
                 "--identity-key-file gives a new store another\n";
  }
  if (server->locked()) {
    std::cerr << "kbench-server: the device is locked; PINOP UNLOCK over TLS opens it\n";
  }
  // One write: whoever waits for the first line has the second one, too.
  std::string ready;
  if (server->address().port != 0) {
    absl::StrAppend(&ready, "kbench-server listening on ", server->address().ToString(), "\n");
  }
  if (server->tls_address().port != 0) {
    absl::StrAppend(&ready, "kbench-server listening for TLS on ", server->tls_address().ToString(),
                    "\n");
  }
  std::cout << ready << std::flush;
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
