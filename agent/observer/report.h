// What kbench-observe prints: a summary for people, or a record of each request for programs.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "agent/observer/packet_observer.h"

namespace kbench::observer {

struct Reported {
  uint16_t port = 0;
  std::string from;  // what was watched: this host, or a file
  std::optional<View> view;
  WireObservation observation;
  uint64_t other_way = 0;  // packets of the port in the directions of the other view
};

// Share of the requests of which an answer was expected that have one, 0 to 1; 1 without requests.
double MatchRate(const WireCounters& counters);

// Why the numbers may not mean what they say; a sentence each.
std::vector<std::string> Doubts(const Reported& reported);

std::string TextReport(const Reported& reported);
// One line a request after a line of names; stamps in nanoseconds of CLOCK_REALTIME, 0: not seen.
void WriteCsv(const Reported& reported, std::FILE* out);
// One object: counters, sums, doubts, records.
void WriteJson(const Reported& reported, std::FILE* out);

}  // namespace kbench::observer
