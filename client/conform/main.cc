// kbench-conform: what a Kinetic server does with every message of the protocol, held against known
// dialects of it. `kbench conform ...` runs it. Exit codes stand in its --help.

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "base/tls.h"
#include "base/units.h"
#include "base/version.h"
#include "client/conform/matrix.h"
#include "client/conform/survey.h"
#include "client/input_file.h"

namespace kbench::conform {
namespace {

constexpr int kExitAgrees = 0, kExitFailed = 1, kExitUsage = 2, kExitLost = 6, kExitDiffers = 8,
              kExitInterrupted = 130, kExitTerminated = 143;

constexpr char kFooter[] =
    R"(It stores objects whose keys begin with kbench-conform/ and twelve random digits, and removes them
at the end; it changes no others. Among its requests are a push from the server to itself at HOST:PORT
and one to port 1 of HOST. Cases that change more run only with --destructive, after all others: the
object with the empty key (overwritten, then removed); cluster version, power level and PINs (put back);
ACLs (the asker's identity gets all permissions, identity 4711 may read the run's keys; a server that
replaces its list loses its other identities, which cannot be put back); ERASE and SECURE_ERASE
(everything stored is gone, and on most servers every setting). A PIN that is set already is not known,
so its cases differ and leave it. It never sends a firmware image and never shuts a device down.

Exit codes:
    0  the server does all that its dialect does
    1  internal error, or the result could not be written
    2  wrong command line
    6  nothing to compare: no server greets; it was lost or fell silent half-way (three cases in a
       row, or the last ones, without a connection or an answer, and none to a NOOP after them; what
       was found until then is printed); or it does nothing for who asks, as a device that is locked
       (the message says what to do, no case was tried; where answers have no command, --only is)
    8  it differs: the differences are named
  130  interrupted (143: terminated): what was found until then is printed
)";

std::atomic<bool> g_stopped = false;
volatile std::sig_atomic_t g_signal = 0;

void OnSignal(int signal) {
  g_signal = signal;
  g_stopped = true;
}

struct Flags {
  std::string server;
  bool tls = false;
  std::string ca_file;
  int64_t identity = kinetic::kFactoryIdentity;
  std::string key_file;
  std::string timeout = "5s";
  std::string dialect = "auto";
  std::string format = "text";
  std::string output;
  std::vector<std::string> only;
  bool destructive = false;
  bool list = false;
};

void Declare(Flags* flags, CLI::App* app) {
  app->add_option("HOST:PORT", flags->server,
                  "The server; its port for plain TCP, or with --tls for TLS");
  app->add_flag("--tls", flags->tls, "Over TLS (Kinetic's own port for it is 8443)");
  app->add_option("--ca", flags->ca_file,
                  "PEM file of the authorities to trust; without it any certificate will do");
  app->add_option("--identity", flags->identity, "Who asks")->capture_default_str();
  app->add_option("--key-file", flags->key_file,
                  "File of the identity's HMAC key (- is stdin); without it, the factory key");
  app->add_option("--timeout", flags->timeout, "Of connecting, and of every answer")
      ->capture_default_str();
  app->add_option(
         "--dialect", flags->dialect,
         "What the server is held against; auto: as its greeting is recognised, spec if it is "
         "not")
      ->check(CLI::IsMember({"auto", "kbench", "spec", "simulator", "kineticd"}))
      ->capture_default_str();
  app->add_option("--only", flags->only,
                  "Cases whose names begin so, like batch. or put.new; again for more")
      ->allow_extra_args(false);
  app->add_flag("--destructive", flags->destructive,
                "Also what changes or erases more than the run's own keys");
  app->add_flag("--list", flags->list, "Ask nobody: print all cases and what each dialect does");
  app->add_option("--format", flags->format)
      ->check(CLI::IsMember({"text", "json", "markdown"}))
      ->capture_default_str();
  app->add_option("--output", flags->output, "File of the result; without it, stdout");
  app->set_version_flag("--version",
                        std::string(ReleaseVersion()) + " (" + std::string(BuildId()) + ")");
  app->footer(kFooter);
}

// Those by which another of our programs asks as the same one. Identity 1 need not be said.
std::string FlagsOfAsker(const Flags& flags) {
  return absl::StrCat(flags.ca_file.empty() ? "" : absl::StrCat(" --ca ", flags.ca_file),
                      flags.identity == kinetic::kFactoryIdentity
                          ? ""
                          : absl::StrCat(" --identity ", flags.identity),
                      flags.key_file.empty() ? "" : absl::StrCat(" --key-file ", flags.key_file));
}

// `tls` outlives what is made.
absl::StatusOr<SurveyOptions> ToOptions(const Flags& flags, std::optional<TlsContext>* tls) {
  SurveyOptions options;
  if (flags.server.empty()) {
    return absl::InvalidArgumentError("name the server: kbench conform HOST:PORT (see --help)");
  }
  absl::StatusOr<HostPort> address = ParseHostPort(flags.server);
  if (!address.ok()) return absl::InvalidArgumentError(address.status().message());
  options.target.address = *std::move(address);
  absl::StatusOr<Nanos> timeout = ParseDuration(flags.timeout);
  if (!timeout.ok()) return Annotate(timeout.status(), "--timeout");
  if (*timeout <= Nanos(0)) {
    return absl::InvalidArgumentError("--timeout: nobody answers within no time");
  }
  options.target.connect = options.target.answer = *timeout;
  options.target.quiet = std::min(options.target.quiet, *timeout);
  options.target.identity = flags.identity;
  options.target.flags = FlagsOfAsker(flags);
  if (!flags.key_file.empty()) {
    absl::StatusOr<std::string> key = client::ReadSecret(flags.key_file);
    if (!key.ok()) return Annotate(key.status(), "--key-file");
    options.target.key = *std::move(key);
  }
  if (flags.tls || !flags.ca_file.empty()) {
    absl::StatusOr<TlsContext> context = TlsContext::Client(flags.ca_file);
    if (!context.ok()) return absl::InvalidArgumentError(context.status().message());
    *tls = *std::move(context);
    options.target.tls = &**tls;
  }
  options.dialect = ParseDialect(flags.dialect);
  options.destructive = flags.destructive;
  options.only = flags.only;
  options.stopped = &g_stopped;
  absl::StatusOr<SocketAddress> server = Resolve(options.target.address);
  if (!server.ok()) return absl::UnavailableError(server.status().message());
  options.target.server = *server;
  return options;
}

// Where the result goes: stdout, or a file that is opened once, before minutes of asking. What was
// in it stays until there is a result, and a file that was made for none is removed.
class Output {
 public:
  absl::Status Open(const std::string& path) {
    path_ = path;
    if (path.empty()) return absl::OkStatus();
    made_ = !std::filesystem::exists(path);
    file_.open(path, std::ios::binary | std::ios::app);
    return file_ ? absl::OkStatus() : Failed();
  }
  ~Output() {
    if (made_ && !written_ && file_.is_open()) std::filesystem::remove(path_, ignored_);
  }

  absl::Status Write(const std::string& text) {
    if (path_.empty()) {
      std::cout << text << std::flush;
      return std::cout ? absl::OkStatus() : absl::InternalError("stdout cannot be written");
    }
    written_ = true;
    if (std::filesystem::is_regular_file(path_, ignored_)) {
      std::filesystem::resize_file(path_, 0, ignored_);
    }
    file_ << text << std::flush;
    return file_ ? absl::OkStatus() : Failed();
  }

 private:
  absl::Status Failed() const {
    return absl::InternalError(absl::StrCat("cannot write ", path_, ": ", std::strerror(errno)));
  }

  std::string path_;
  std::ofstream file_;
  std::error_code ignored_;
  bool made_ = false;
  bool written_ = false;
};

int Fail(const absl::Status& status) {
  std::cerr << "kbench-conform: " << status.message() << "\n";
  return absl::IsInvalidArgument(status)                                     ? kExitUsage
         : absl::IsUnavailable(status) || absl::IsFailedPrecondition(status) ? kExitLost
                                                                             : kExitFailed;
}

int List(const Flags& flags) {
  Names names;
  const auto book = ImaginedBook(&names);
  if (const absl::Status chosen = book->Choose(flags.only); !chosen.ok()) return Fail(chosen);
  Output output;
  absl::Status written = output.Open(flags.output);
  if (written.ok()) {
    written = output.Write(flags.format == "json"       ? ListJson(*book)
                           : flags.format == "markdown" ? ListMarkdown(*book)
                                                        : ListText(*book));
  }
  return written.ok() ? kExitAgrees : Fail(written);
}

// With the result in a file or in a program, a person still hears how it went.
void Tell(const Survey& survey) {
  using Verdict = Survey::Verdict;
  std::cerr << "kbench-conform: " << survey.Count(Verdict::kAgrees) << " agree, "
            << survey.Count(Verdict::kDiffers) << " differ, " << survey.Count(Verdict::kNotTried)
            << " not tried\n";
  for (const CaseResult& result : survey.results) {
    if (survey.VerdictOf(result) == Verdict::kDiffers) {
      std::cerr << "kbench-conform: differs: " << result.tested->name << "\n";
    }
  }
  if (!survey.left_behind.empty()) {
    std::cerr << "kbench-conform: left behind: " << survey.left_behind << "\n";
  }
}

int Conform(const Flags& flags) {
  std::optional<TlsContext> tls;
  const absl::StatusOr<SurveyOptions> options = ToOptions(flags, &tls);
  if (!options.ok()) return Fail(options.status());
  Output output;
  if (const absl::Status opened = output.Open(flags.output); !opened.ok()) return Fail(opened);
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<Survey> survey = RunSurvey(*options);
  if (!survey.ok()) return Fail(Annotate(survey.status(), flags.server));
  const absl::Status written = output.Write(flags.format == "json"       ? MatrixJson(*survey)
                                            : flags.format == "markdown" ? MatrixMarkdown(*survey)
                                                                         : MatrixText(*survey));
  if (!written.ok()) return Fail(written);
  if (flags.format != "text" || !flags.output.empty()) Tell(*survey);
  if (survey->stopped) return g_signal == SIGTERM ? kExitTerminated : kExitInterrupted;
  if (survey->lost) return kExitLost;
  return survey->clean() ? kExitAgrees : kExitDiffers;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("What a Kinetic server does with every message, held against known dialects");
  Declare(&flags, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitAgrees : kExitUsage;
  }
  return flags.list ? List(flags) : Conform(flags);
}

}  // namespace
}  // namespace kbench::conform

int main(int argc, char** argv) { return kbench::conform::Main(argc, argv); }
