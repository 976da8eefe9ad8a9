#include "agent/run/client_caveats.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr double kMissedMost =
    0.005;  // of its requests; as of sampled ones in analysis/split/boundaries
constexpr size_t kWordsMost = 300;
constexpr double kWholeWindow = 0.95;  // of the duration; a program's own clock begins elsewhere

std::string Human(Nanos d) { return HumanDuration(static_cast<double>(d.count())); }

class Judge {
 public:
  Judge(const RunSpec& spec, const RunOutcome& outcome)
      : spec_(spec), outcome_(outcome), client_(*outcome.client) {}

  std::vector<Caveat> Verdicts() {
    Ending();
    if (client_.whole == 0 || outcome_.ops.empty()) {
      if (!outcome_.aborted) NoRequests();
    } else {
      Requests();
    }
    Packets();
    Figures();
    return std::move(found_);
  }

 private:
  void Add(std::string code, std::string text) {
    found_.push_back({.code = std::move(code), .text = std::move(text)});
  }

  std::string Name() const { return absl::StrCat("the client program ", client_.name); }

  std::string HowItEnded() const {
    if (client_.signal != 0) {
      return absl::StrCat("ended by signal ", client_.signal, " (", strsignal(client_.signal), ")");
    }
    return absl::StrCat("ended with exit code ", client_.exit_code);
  }

  // "; the last of its standard error: ...", or of its output.
  std::string LastWords() const {
    const std::string& said = !client_.errors_end.empty()   ? client_.errors_end
                              : !client_.output_end.empty() ? client_.output_end
                                                            : client_.output_begin;
    std::string words(absl::StripAsciiWhitespace(said));
    if (words.size() > kWordsMost) words = "..." + words.substr(words.size() - kWordsMost);
    if (words.empty()) return "; it said nothing";
    return absl::StrCat("; its last words: ", absl::StrReplaceAll(words, {{"\n", " | "}}));
  }

  void Ending() {
    using End = ClientOutcome::End;
    const Nanos bound = spec_.warmup + spec_.duration + spec_.client->grace;
    switch (client_.end) {
      case End::kByItself:
        if (client_.exit_code == 0 && client_.signal == 0) break;
        Add("client_failed",
            absl::StrCat(Name(), " ", HowItEnded(), " after ", Human(client_.wall), LastWords()));
        break;
      case End::kToldToStop:
        Add("client_stopped",
            absl::StrCat(Name(), " was still running ", FormatDuration(bound),
                         " after its start (warm-up, duration and client.grace) and was told to "
                         "stop; it ",
                         HowItEnded()));
        break;
      case End::kKilled:
        Add("client_killed",
            absl::StrCat(Name(), " was still running ", FormatDuration(bound),
                         " after its start, did not end when it was told to, and was killed"));
        break;
      case End::kMemory:
        Add("client_killed",
            absl::StrFormat("%s had %d MiB in memory, above client.memory (%d MiB), after %s and "
                            "was killed",
                            Name(), client_.most_memory_bytes >> 20,
                            spec_.client->memory_bytes >> 20, Human(client_.wall)));
        break;
      case End::kRunStopped:
        break;  // `aborted` says it
    }
    if (client_.left_behind > 0 && client_.end == End::kByItself) {
      Add("client_left_processes",
          absl::StrCat(Name(), " left ", client_.left_behind,
                       " processes behind when it ended, which were killed"));
    }
  }

  void NoRequests() {
    const std::string where = spec_.server.ToString();
    Add("client_no_requests",
        client_.whole == 0
            ? absl::StrCat("no packet of this host shows a request in the clear of ", Name(),
                           " to ", where,
                           ": is that where it was told to connect to ({host} and {port} in "
                           "client.command)? It ",
                           HowItEnded(), LastWords())
            : absl::StrCat("all of the ", client_.whole, " requests of ", Name(),
                           " were over before run.warmup was: give it more to do, or a shorter "
                           "warm-up"));
  }

  void Requests() {
    if (client_.ended_early &&
        outcome_.measured.seconds() < kWholeWindow * spec_.duration.seconds()) {
      Add("client_window_short",
          absl::StrCat(Name(), " ended by itself: ", Human(outcome_.measured), " of ",
                       FormatDuration(spec_.duration), " were measured, up to its last answer"));
    }
    if (client_.pipelined) {
      const Counts totals = outcome_.totals();
      Add("client_pipelined",
          absl::StrFormat("only %d of %d requests of %s left when nothing else was unanswered on "
                          "their connection, with an answer before them: response times are those "
                          "on the wire, what the program took for a request is not known, and it "
                          "is not compared with transports",
                          client_.gaps_known, totals.answered + totals.failed, Name()));
    }
    const Counts totals = outcome_.totals();
    if (totals.lost > 0) {
      Add("requests_lost",
          absl::StrFormat("%d of %d requests of %s had no answer that was seen; no response time "
                          "holds them",
                          totals.lost, totals.sent, Name()));
    }
  }

  void Packets() {
    if (client_.foreign > 0) {
      Add("client_others",
          absl::StrCat(client_.foreign,
                       " requests to the same port were made by other processes "
                       "of this host and are in no number; what they did to the server and to the "
                       "path is"));
    }
    const std::string fault = PacketsFault(outcome_.wire.seen);
    if (fault.empty()) return;
    Add("client_unseen", absl::StrCat("packets on this host do not show enough of the requests of ",
                                      Name(), " to separate them: ", fault));
  }

  void Figures() {
    if (client_.output_cut) {
      Add("client_output_cut",
          absl::StrCat(Name(), " wrote ", client_.output_bytes,
                       " bytes; figures were looked for in the first 16 MiB of standard output"));
    }
    if (!client_.own.figures.empty() || client_.own.problem.empty()) return;
    Add("client_figures_unread",
        absl::StrCat("what ", Name(), " says of itself was not recognised: ", client_.own.problem,
                     "; client.output: none does not ask for it"));
  }

  const RunSpec& spec_;
  const RunOutcome& outcome_;
  const ClientOutcome& client_;
  std::vector<Caveat> found_;
};

}  // namespace

std::string PacketsFault(const observer::WireObservation& seen) {
  const observer::WireCounters& c = seen.counters;
  const uint64_t missed =
      c.unanswered + c.unmatched_answers + c.ring_drops + c.resynchronized + c.records_lost;
  const auto requests = static_cast<double>(std::max<uint64_t>(c.requests, 1));
  if (static_cast<double>(missed) <= kMissedMost * requests) return "";
  return absl::StrFormat(
      "of %d requests %d had no answer and %d answers no request, the kernel dropped %d packets, "
      "%d times a connection had to be found again, and for %d requests there was no room",
      c.requests, c.unanswered, c.unmatched_answers, c.ring_drops, c.resynchronized,
      c.records_lost);
}

std::vector<Caveat> JudgeClient(const RunSpec& spec, const RunOutcome& outcome) {
  return Judge(spec, outcome).Verdicts();
}

}  // namespace kbench
