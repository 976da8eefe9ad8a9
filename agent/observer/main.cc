// kbench-observe: what passes between clients and a Kinetic server, from the packets of this host
// or from a capture file. `kbench observe ...` runs it. Exit code: 0, 1 packets cannot be observed
// or the output cannot be written, 2 wrong command line or file, 8 no Kinetic was seen.
#include <poll.h>
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/observer/analysis.h"
#include "agent/observer/capture_file.h"
#include "agent/observer/live_observer.h"
#include "agent/observer/report.h"
#include "base/fd.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"

namespace kbench::observer {
namespace {

constexpr int kExitOk = 0, kExitFailed = 1, kExitUsage = 2, kExitNothing = 8;

struct Flags {
  uint16_t port = 0;
  std::string view;
  std::string duration;
  std::string write;
  std::string capture;
  std::string format = "text";
  size_t records_max = 4'000'000;
};

const auto kAll = [](int64_t, uint64_t) { return true; };

const char* NameOf(View view) { return view == View::kClient ? "client" : "server"; }

std::optional<View> ViewOf(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == "client" ? View::kClient : View::kServer;
}

// Waits until the time is over or somebody wants it to end; a second signal kills as usual.
void WaitForEnd(std::optional<Nanos> duration, const sigset_t& signals) {
  const Fd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  const MonoTime end = MonoNow() + duration.value_or(Nanos());
  pollfd wait = {.fd = fd.get(), .events = POLLIN};
  while (true) {
    const Nanos left = end - MonoNow();
    if (duration.has_value() && left <= Nanos()) break;
    const int64_t ms =
        duration.has_value() ? std::min<int64_t>(left.count() / 1'000'000 + 1, 60'000) : -1;
    if (poll(&wait, 1, static_cast<int>(ms)) == 1) break;
  }
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

absl::StatusOr<Reported> ObserveLive(const Flags& flags) {
  std::optional<Nanos> duration;
  if (!flags.duration.empty()) {
    ASSIGN_OR_RETURN(duration, ParseDuration(flags.duration));
    if (*duration <= Nanos()) return absl::InvalidArgumentError("--duration must be above zero");
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::unique_ptr<CaptureWriter> writer;
  if (!flags.write.empty()) {
    ASSIGN_OR_RETURN(writer, CaptureWriter::Open(flags.write));
  }
  const View view = ViewOf(flags.view).value_or(View::kServer);
  LiveObserver::Seen seen;
  if (writer != nullptr) seen = [&](const Packet& packet) { writer->Write(packet); };
  ASSIGN_OR_RETURN(const std::unique_ptr<LiveObserver> observer,
                   LiveObserver::Start(
                       {.port = flags.port, .view = view, .records_max = flags.records_max}, seen));
  std::fprintf(stderr, "kbench-observe: watching port %d as its %s's host does%s\n", flags.port,
               NameOf(view), duration.has_value() ? "" : "; Ctrl-C ends it");
  WaitForEnd(duration, signals);
  Reported reported = {.port = flags.port,
                       .from = "packets of this host",
                       .view = view,
                       .observation = observer->Finish(kAll)};
  if (writer != nullptr) RETURN_IF_ERROR(writer->Close());
  std::fprintf(stderr, "kbench-observe: %.3f s of CPU\n", observer->thread_cpu().seconds());
  return reported;
}

// A capture in which both sides of this port were of the same host shows each packet twice.
struct Directions {
  uint64_t client = 0;  // packets as the client's host sees them
  uint64_t server = 0;
};
absl::StatusOr<Directions> CountDirections(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::unique_ptr<CaptureReader> reader, CaptureReader::Open(flags.capture));
  Directions directions;
  if (!reader->directions_known()) return directions;
  Packet packet;
  while (true) {
    const absl::StatusOr<bool> more = reader->Next(&packet);
    if (!more.ok() || !*more) return directions;
    TcpSegment segment;
    if (ParseTcp(packet, &segment) != Parsed::kTcp) continue;
    const bool request = segment.destination_port == flags.port;
    if (!request && segment.source_port != flags.port) continue;
    if (packet.type == PacketType::kOther) continue;
    const bool out = packet.type == PacketType::kOutgoing;
    ++(out == request ? directions.client : directions.server);
  }
}

absl::StatusOr<Reported> ReadCapture(const Flags& flags) {
  std::optional<View> view = ViewOf(flags.view);
  if (!view.has_value()) {
    ASSIGN_OR_RETURN(const Directions directions, CountDirections(flags));
    if (directions.client > 0 && directions.server > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(flags.capture, " shows both sides of port ", flags.port, " (",
                       directions.client, " packets of the client's, ", directions.server,
                       " of the server's): say which with --view client or --view server"));
    }
    if (directions.client > 0) view = View::kClient;
    if (directions.server > 0) view = View::kServer;
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<CaptureReader> reader, CaptureReader::Open(flags.capture));
  Analysis analysis({.port = flags.port, .view = view, .records_max = flags.records_max});
  Packet packet;
  absl::StatusOr<bool> more = true;
  while ((more = reader->Next(&packet)).ok() && *more) analysis.Take(packet);
  if (!more.ok()) {
    std::fprintf(stderr, "kbench-observe: %s; what follows is of those\n",
                 std::string(more.status().message()).c_str());
  }
  Reported reported = {
      .port = flags.port, .from = flags.capture, .view = view, .other_way = analysis.other_way()};
  reported.observation = analysis.Conclude(std::nullopt, kAll);
  return reported;
}

int Main(int argc, char** argv) {
  CLI::App app("What passes between clients and a Kinetic server, and when, from packets");
  app.name("kbench-observe");
  app.set_version_flag("--version",
                       std::string(ReleaseVersion()) + " (" + std::string(BuildId()) + ")");
  Flags flags;
  app.add_option("--port", flags.port, "The server's TCP port")
      ->required()
      ->check(CLI::Range(1, 65535));
  app.add_option(
         "--view", flags.view,
         "Whose host this is: requests come in and answers go out (server, the default), or "
         "the other way (client)")
      ->check(CLI::IsMember({"client", "server"}));
  CLI::Option* duration =
      app.add_option("--duration", flags.duration, "How long, like 10s; else until Ctrl-C");
  CLI::Option* write = app.add_option("--write", flags.write,
                                      "Also keep the packets in this file (pcap), for --pcap");
  app.add_option("--pcap", flags.capture, "Read a capture file (pcap, pcapng) instead of packets")
      ->excludes(duration)
      ->excludes(write);
  app.add_option("--format", flags.format, "text: a summary; csv, json: a record of each request")
      ->check(CLI::IsMember({"text", "csv", "json"}))
      ->capture_default_str();
  app.add_option("--records-max", flags.records_max, "Requests that have a record; 88 bytes each")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const absl::StatusOr<Reported> reported =
      flags.capture.empty() ? ObserveLive(flags) : ReadCapture(flags);
  if (!reported.ok()) {
    std::fprintf(stderr, "kbench-observe: %s\n", std::string(reported.status().message()).c_str());
    const bool usage =
        absl::IsInvalidArgument(reported.status()) || absl::IsNotFound(reported.status());
    return usage ? kExitUsage : kExitFailed;
  }
  if (flags.format == "csv") {
    WriteCsv(*reported, stdout);
  } else if (flags.format == "json") {
    WriteJson(*reported, stdout);
  } else {
    std::fputs(TextReport(*reported).c_str(), stdout);
  }
  if (flags.format == "csv") {
    for (const std::string& doubt : Doubts(*reported)) {
      std::fprintf(stderr, "kbench-observe: %s\n", doubt.c_str());
    }
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("kbench-observe: stdout cannot be written\n", stderr);
    return kExitFailed;
  }
  return reported->observation.counters.requests > 0 ? kExitOk : kExitNothing;
}

}  // namespace
}  // namespace kbench::observer

int main(int argc, char** argv) { return kbench::observer::Main(argc, argv); }
