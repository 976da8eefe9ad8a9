// The runner's part of a run whose load an external client makes: it starts the program, watches
// its packets, and makes of them what its own workers would have counted.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/load/request_set.h"
#include "agent/program/client_watch.h"
#include "agent/program/client_words.h"
#include "agent/run/caveats.h"
#include "agent/run/client_caveats.h"
#include "agent/run/client_requests.h"
#include "agent/run/runner.h"
#include "base/fd.h"
#include "base/status_macros.h"
#include "client/client.h"
#include "client/requests.h"

namespace kbench {
namespace {

constexpr Nanos kStopHeardEvery = Millis(20);

// A directory of the program's own, gone with everything in it.
class OwnDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<OwnDirectory>> Make(const ExternalClient& client,
                                                            const std::string& hmac_key) {
    const char* const below = getenv("TMPDIR");
    std::string path = absl::StrCat(below != nullptr ? below : "/tmp", "/kbench-client-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) return Failed(path, errno);
    std::unique_ptr<OwnDirectory> own(new OwnDirectory(path));
    const std::string key = KeyFileIn(path);
    const Fd file(open(key.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid() || write(file.get(), hmac_key.data(), hmac_key.size()) !=
                             static_cast<ssize_t>(hmac_key.size())) {
      return Failed(key, errno);
    }
    if (!client.user) return own;
    for (const std::string& name : {key, path}) {
      if (chown(name.c_str(), client.user->uid, client.user->gid) != 0) return Failed(name, errno);
    }
    return own;
  }
  ~OwnDirectory() {
    std::error_code ignored;  // links are removed, not followed
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit OwnDirectory(std::string path) : path_(std::move(path)) {}
  static absl::Status Failed(const std::string& path, int error) {
    return absl::InternalError(
        absl::StrCat("a directory for the client program: ", path, ": ", strerror(error)));
  }
  const std::string path_;
};

// True: stopped before.
bool SleepUntil(MonoTime at, const RunControl& control) {
  for (MonoTime now = MonoNow(); now < at && !control.stopped(); now = MonoNow()) {
    const timespec some = ToTimespec(std::min(at - now, kStopHeardEvery));
    clock_nanosleep(CLOCK_MONOTONIC, 0, &some, nullptr);
  }
  return control.stopped();
}

// CPU time between the two instants, between looks by proportion.
ThreadUse UseBetween(const std::vector<ClientLook>& looks, MonoTime from, MonoTime until) {
  const auto at = [&looks](MonoTime t) -> ThreadUse {
    const auto after = std::find_if(looks.begin(), looks.end(),
                                    [t](const ClientLook& look) { return look.at >= t; });
    if (looks.empty()) return {};
    if (after == looks.end()) return {.user = looks.back().user, .system = looks.back().system};
    if (after == looks.begin()) return {.user = after->user, .system = after->system};
    const ClientLook& before = *(after - 1);
    const double share = (t - before.at).seconds() / (after->at - before.at).seconds();
    const auto mid = [share](Nanos a, Nanos b) {
      return a + Nanos(static_cast<int64_t>(share * static_cast<double>((b - a).count())));
    };
    return {.user = mid(before.user, after->user), .system = mid(before.system, after->system)};
  };
  const ThreadUse begin = at(from), end = at(until);
  return {.user = end.user - begin.user, .system = end.system - begin.system};
}

// Figures of each request become those of the window, where each has its packets: as many lines of
// an operation as it had answers, all on one connection, in their order.
void CutToWindow(const ClientRequests& requests, ClientOutcome* client) {
  if (requests.connections != 1 || client->own.figures.empty() || client->output_cut) return;
  std::vector<OwnFigure> cut;
  for (OwnFigure figure : client->own.figures) {
    const bool only = client->own.figures.size() == 1 && figure.op.empty();
    std::vector<int64_t> inside;
    size_t line = 0;
    for (const ClientRequests::Answer& answer : requests.answers) {
      if (!only && OpNameOf(answer.type) != figure.op) continue;
      if (line < figure.each_ns.size() && answer.in_window) inside.push_back(figure.each_ns[line]);
      ++line;
    }
    if (figure.each_ns.empty() || line != figure.each_ns.size()) return;
    figure.each_ns = std::move(inside);
    SumUp(&figure);
    if (figure.count > 0) cut.push_back(std::move(figure));
  }
  client->own.figures = std::move(cut);
  client->own_of_window = true;
}

// What packets show of all that each figure is of.
void TakeWhole(const ClientRequests& requests, std::vector<OwnFigure>* figures) {
  ClientRequests::Whole all;
  for (const auto& [op, whole] : requests.whole_by_op) {
    all.answers += whole.answers;
    all.wire += whole.wire;
    all.gaps += whole.gaps;
    all.gap += whole.gap;
  }
  const auto mean = [](Nanos sum, uint64_t count) {
    return static_cast<double>(sum.count()) / static_cast<double>(count);
  };
  for (OwnFigure& figure : *figures) {
    const auto found = requests.whole_by_op.find(figure.op);
    if (!figure.op.empty() && found == requests.whole_by_op.end()) continue;
    const ClientRequests::Whole& whole = figure.op.empty() ? all : found->second;
    if (whole.answers == 0) continue;
    figure.answers_seen = whole.answers;
    figure.wire_seen_ns = mean(whole.wire, whole.answers);
    if (requests.pipelined || whole.gaps == 0) continue;
    figure.sum_seen_ns = figure.wire_seen_ns + mean(whole.gap, whole.gaps);
  }
}

void TakeRequests(ClientRequests requests, RunOutcome* outcome) {
  ClientOutcome& client = *outcome->client;
  const observer::WireObservation& seen = outcome->wire.seen;
  client.pipelined = requests.pipelined;
  client.gaps_known = requests.gaps_known;
  client.whole = requests.whole;
  client.foreign = requests.foreign;
  client.connections = requests.connections;
  client.ended_early = requests.ended_early;
  outcome->measured = requests.measured;
  outcome->intervals = std::move(requests.intervals);
  outcome->op_names = std::move(requests.op_names);
  outcome->ops = std::move(requests.ops);
  outcome->samples = std::move(requests.samples);
  if (!requests.first.is_set()) return;
  client.to_first_request = seen.clocks.ToMono(requests.first) - outcome->planned_start;
  outcome->first_send_offset = client.to_first_request;
  outcome->measure_started = seen.clocks.ToMono(requests.from);
}

void KeepSampled(RunOutcome* outcome) {
  RequestSet wanted;
  for (const OpRecord& sample : outcome->samples) {
    wanted.Add(sample.connection_id, sample.sequence);
  }
  std::erase_if(outcome->wire.seen.records, [&wanted](const observer::WireRecord& record) {
    return !wanted.Contains(record.connection_id, record.sequence);
  });
}

}  // namespace

HostPort Runner::Reach() const {
  if (relay_ != nullptr) {
    return {.host = NumericHost(relay_->address()), .port = relay_->port()};
  }
  return {.host = NumericHost(server_), .port = spec_.server.port};
}

absl::Status Runner::PrepareClient() {
  // That the server is there and takes the key is not for the program to find out.
  ASSIGN_OR_RETURN(const auto server, client::Client::Connect({.server = server_,
                                                               .identity = spec_.identity,
                                                               .hmac_key = spec_.hmac_key,
                                                               .timeout = spec_.connect_timeout}));
  ASSIGN_OR_RETURN(const client::Reply reply, server->Call(client::NoopRequest()));
  if (reply.status != kinetic::StatusCode::kSuccess) {
    return absl::PermissionDeniedError(absl::StrCat("server ", spec_.server.ToString(),
                                                    " answered a NOOP with ", reply.Describe()));
  }
  RETURN_IF_ERROR(FillIn(spec_.client->arguments, WordsFor(spec_, Reach(), "/")).status());
  StartObserver();
  if (observer_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("an external client needs an observer on its host, or nothing is known of its "
                   "requests: ",
                   no_observer_));
}

absl::StatusOr<RunOutcome> Runner::RunClient(MonoTime at) {
  const ExternalClient& client = *spec_.client;
  ASSIGN_OR_RETURN(const std::unique_ptr<OwnDirectory> directory,
                   OwnDirectory::Make(client, spec_.hmac_key));
  const Words words = WordsFor(spec_, Reach(), directory->path());
  ProgramOrder order = {.path = client.path,
                        .arguments = {},
                        .environment = EnvironmentOf(directory->path()),
                        .directory = directory->path(),
                        .user = client.user,
                        .memory_bytes = client.memory_bytes};
  ASSIGN_OR_RETURN(order.arguments, FillIn(client.arguments, words));

  RunOutcome outcome;
  outcome.planned_start = at;
  outcome.clocks = ReadClockPair();
  const MonoTime planned = at + spec_.warmup, end = planned + spec_.duration;
  if (relay_ != nullptr) relay_->Forget();
  observer_->SetWindow(planned, end);
  HostMonitor monitor(MonitorOptions(planned, end));
  ClientWatched watched;
  if (SleepUntil(at, control_)) {
    watched.outcome.end = ClientOutcome::End::kRunStopped;
    watched.started = watched.ended = MonoNow();
  } else {
    ASSIGN_OR_RETURN(watched, WatchClient(order,
                                          {.stop_at = end + client.grace,
                                           .memory_bytes = client.memory_bytes,
                                           .port = Reach().port},
                                          control_));
  }
  outcome.host_use = monitor.Finish();
  outcome.wire = {.available = true, .reason = "", .seen = observer_->Finish([](int64_t, uint64_t) {
                    return true;
                  })};
  observer_.reset();
  const ClockPair after = ReadClockPair();
  outcome.clock_step = (after.real - outcome.clocks.real) - (after.mono - outcome.clocks.mono);

  outcome.client = std::move(watched.outcome);
  outcome.client->name = client.name;
  outcome.client->command = {order.path};
  outcome.client->command.insert(outcome.client->command.end(), order.arguments.begin(),
                                 order.arguments.end());
  for (std::string* said :
       {&outcome.client->output_begin, &outcome.client->output_end, &outcome.client->errors_end}) {
    *said = absl::StrReplaceAll(*said, {{spec_.hmac_key, "(the HMAC key)"}});
  }
  outcome.client->own = ReadOwnFigures(watched.output, client.format);
  ClientRequests requests = CountRequests(
      outcome.wire.seen, {.warmup = spec_.warmup,
                          .duration = spec_.duration,
                          .ended_by_itself = outcome.client->end == ClientOutcome::End::kByItself,
                          .foreign_ports = std::move(watched.foreign_ports)});
  TakeWhole(requests, &outcome.client->own.figures);
  CutToWindow(requests, &*outcome.client);
  TakeRequests(std::move(requests), &outcome);
  if (!PacketsFault(outcome.wire.seen).empty()) outcome.samples.clear();
  KeepSampled(&outcome);
  if (outcome.measure_started.is_set()) {
    outcome.use.threads = UseBetween(watched.looks, outcome.measure_started,
                                     outcome.measure_started + outcome.measured);
    // The program is no stranger on its host.
    outcome.host_use.own += outcome.use.threads.cpu();
  }
  if (relay_ != nullptr) TakeRelay(&outcome);
  outcome.tcp.reason = "the connections are the program's own";
  outcome.host = ReadHostFacts();
  outcome.aborted = control_.why() != RunControl::Why::kNotStopped;
  outcome.abort_reason = control_.reason();
  outcome.server_trace = FetchServerTrace({.server = server_,
                                           .identity = spec_.identity,
                                           .hmac_key = spec_.hmac_key,
                                           .timeout = spec_.connect_timeout},
                                          outcome.samples);
  outcome.caveats = JudgeRun(spec_, outcome);
  return outcome;
}

}  // namespace kbench
