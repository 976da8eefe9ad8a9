// A client program of another make, by packets and by its own clock, beside each other: do the
// parts add up to what the program says of itself?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

inline constexpr double kOwnClockShare = 0.05;  // within which the two agree, of the sum ...
inline constexpr double kOwnClockNs = 20'000;   // ... or this, whichever is more

enum class OwnClock {
  kNoFigures,  // it says nothing that is recognised
  kNotKnown,   // what the program took between requests is not known
  kAgrees,     // the parts add up to what it says
  kSaysLess,   // time between its requests is outside of its clock
  kLeavesOut,  // it says less than the requests were on the wire
  kSaysMore,   // its clock holds more than lies between two answers
};
absl::string_view Name(OwnClock verdict);  // "no_figures", ...

struct ProgramView {
  std::string name;
  std::string ended;      // "by itself, exit code 0"
  uint64_t requests = 0;  // answered in the window, all repetitions
  // Medians over repetitions; none: not known. Of the window, or with of_whole of all it did.
  std::optional<double> wire_ns;    // mean, first byte out to last byte in
  std::optional<double> client_ns;  // mean, from an answer's last byte to the next one's first
  std::optional<double> sum_ns;     // mean of both
  std::optional<double> sum_p50_ns;
  std::optional<double> own_mean_ns;
  std::optional<double> own_p50_ns;
  std::optional<double> own_p99_ns;
  std::optional<double> outside_ns;  // sum - own, of the means
  std::optional<double> inside_ns;   // own - wire, where the sum is not known and it says more
  uint64_t own_count = 0;            // requests that it says it made, where it says so
  // What packets show of these: of the window with of_window, else of all that it did.
  uint64_t answers_seen = 0;
  std::string source;  // "csv, latency_us of each request"
  // Packets and its own clock are of the same requests: of the window, each with its own, or of
  // all that it did, of which both count as many. Else packets are of the window, its own of all.
  bool of_window = false;
  bool of_whole = false;
  OwnClock verdict = OwnClock::kNoFigures;

  std::string Says() const;  // a few words
  std::string Sentence() const;
};

// What an agent's program says of an op; one figure that names none is of all that it did, when it
// did one thing. Null: nothing.
const result::ExternalClient::Figure* FigureOf(const result::RunResult& agent,
                                               const std::string& op);

// None: the row is of no client program.
std::optional<ProgramView> ProgramViewOf(const CellOp& row);

}  // namespace kbench::analysis
