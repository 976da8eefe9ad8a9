// Where the time of a request went: contiguous segments of the client's clock, cut where there is
// evidence that can be trusted, and the server's residence taken out of the one that contains it.
//
//  intended   a0
//     |  wait
//  started    a1
//     |  client_encode
//  encoded    a2
//     |  client_submit
//  submitted  a3
//     |  client_send
//  first byte out (packets), or last byte given to the device (kernel stamps)
//     |  wire and server  =  network + server's residence
//  last byte in (packets), or last packet received (kernel stamps)
//     |  client_receive
//  received   a5
//     |  client_decode
//  decoded    a6
//
// All parts are integer nanoseconds and those of one request sum to its response time exactly; no
// clock of another host is involved but as the length of the residence. Where a boundary cannot be
// trusted, the parts on its two sides are merged and named so ("client_send+network"); a value is
// never guessed and never clamped. Definitions and rules: docs/measurement.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/split/boundaries.h"

namespace kbench::analysis {

// Of a client program of another make: from an answer's last byte in to the next request's first
// byte out.
inline constexpr char kClientPart[] = "client";

inline constexpr double kNegativeShareMax = 0.01;  // of requests with a negative part
inline constexpr double kResidualShareMax = 0.05;  // of the mean response
inline constexpr uint64_t kFewSamples = 100;

struct PartStats {
  std::string name;
  int64_t sum_ns = 0;  // exact, over the samples used
  double mean_ns = 0;
  int64_t p50_ns = 0;  // the part's own percentiles: they do not add up over parts
  int64_t p99_ns = 0;
  double share = 0;       // of the mean response of the samples used; shares add up to 1
  uint64_t negative = 0;  // samples in which the part is below zero
  // Means over the samples whose response is near the median and near p99; these add up.
  double near_p50_ns = 0;
  double near_p99_ns = 0;
  double near_p99_share = 0;  // of the mean response of these; adds up to 1 over the parts
};

struct Decomposition {
  std::string op;  // "all" for the run
  Boundaries boundaries;
  std::vector<PartStats> parts;  // in the order of time
  // The same time by cause instead of place (analysis/split/causes.h); empty when the evidence does
  // not carry it.
  std::vector<PartStats> causes;
  // What lies inside a part and is no part of the sum: "request_transfer" (first to last byte out),
  // "response_transfer" (first to last byte in), "server_emission" (the server's first to last byte
  // out). Only from packets.
  std::vector<PartStats> inside;
  uint64_t samples_seen = 0;
  uint64_t samples_used = 0;
  uint64_t near_p50_samples = 0;
  uint64_t near_p99_samples = 0;
  // Reason -> samples that could not be used; each sample under its first reason only.
  std::map<std::string, uint64_t> excluded;
  uint64_t residences_wanted = 0;   // answered samples of the population
  uint64_t residences_matched = 0;  // seen whole on the server's host, or in the server's record
  uint64_t edges_matched = 0;       // seen whole on the client's host; of kernel stamps: with both
  uint64_t retransmitted = 0;
  double mean_sampled_ns = 0;
  double mean_all_ns = 0;  // of every request, from the response histogram
  double residual_ns = 0;  // mean_all - mean_sampled: what the samples do not represent
  std::vector<result::Caveat> caveats;

  double match_rate() const;         // of the server's evidence
  double client_match_rate() const;  // of the client's
  double residual_share() const;     // of mean_all
};

// By the best evidence that the run has, at the cuts that it supports.
Decomposition Decompose(const RunEvidence& run, const RunSummary& summary, const std::string& op);

// Makes the cuts that both the run and `allowed` support, by evidence no better than its rungs. The
// cells of a report pass what all their repetitions support, so that parts of the same name mean
// the same.
Decomposition Decompose(const RunEvidence& run, const RunSummary& summary, const std::string& op,
                        const Boundaries& allowed);

// The names of the parts, in the order of time.
std::vector<std::string> PartNames(Boundaries boundaries);

// Whether a part, merged ones included, contains time of the client's own stack (which `wait` is
// not: it is load, not work).
bool HasClientStack(const std::string& part);

}  // namespace kbench::analysis
