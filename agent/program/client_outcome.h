// How an external client's run went, beside what the packets say of its requests. The plain twin
// of result::ExternalClient.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/program/own_figures.h"
#include "base/clock.h"

namespace kbench {

struct ClientOutcome {
  enum class End {
    kByItself,
    kToldToStop,  // it was still running when its time was over, and ended when it was told to
    kKilled,      // it did not
    kMemory,      // it had more memory than it may
    kRunStopped,  // with its run
  };

  std::string name;
  std::vector<std::string> command;
  End end = End::kByItself;
  int exit_code = 0;  // of End::kByItself and kToldToStop
  int signal = 0;     // that ended it; 0: none
  Nanos wall;         // from its start to its end
  Nanos user;         // CPU time, over its life
  Nanos system;
  uint64_t most_memory_bytes = 0;  // seen, all of its processes together
  uint32_t left_behind = 0;        // processes that outlived it
  uint64_t output_bytes = 0;       // of both streams
  bool output_cut = false;         // more than was read for figures
  std::string output_begin;        // of standard output
  std::string output_end;          // when it was longer than that
  std::string errors_end;          // of standard error
  OwnFigures own;
  bool own_of_window =
      false;  // figures are of the window's requests, each matched with its packets

  // Of its requests (agent/run/client_requests.h).
  bool pipelined = false;
  uint64_t gaps_known = 0;
  uint64_t whole = 0;
  uint64_t foreign = 0;
  uint64_t connections = 0;
  Nanos to_first_request;  // from its start
  bool ended_early = false;
};

}  // namespace kbench
