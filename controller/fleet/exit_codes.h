// How kbench ends, for the script that started it. The codes are part of the interface: a test
// asserts each one.
//
// Inside the controller an absl::Status carries the code up, so that annotating a status on the
// way keeps it. For that, each absl code below has this one meaning here:
//
//   kInvalidArgument, kNotFound   the command line or the campaign is wrong        2
//   kFailedPrecondition           an agent of another protocol version             7
//   kUnavailable                  the Kinetic server is unreachable or said no     8
//   kDataLoss                     an agent is lost or silent, the server half-way  6
//   kAborted                      values that were read are not those written      9
//   kDeadlineExceeded             a phase did not end, though its agents answer    11
//   kCancelled                    the person stopped it                            130 or 143
//   anything else                 this program failed: a bug, a full disk          1
//
// 12 to 14 are those of `kbench kv` (client/kv_exit.h).
#pragma once

#include <array>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kbench {

enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kGatesFailed = 3,
  kRegression = 4,
  kInconclusive = 5,
  kIncomplete = 6,
  kVersionMismatch = 7,
  kServerUnreachable = 8,
  kWrongData = 9,
  kSuspect = 10,
  kPhaseTimeout = 11,
  kInterrupted = 130,
  kTerminated = 143,
};

struct ExitCodeMeaning {
  ExitCode code;
  absl::string_view meaning;
};

// Printed by --help.
inline constexpr std::array<ExitCodeMeaning, 14> kExitCodes = {{
    {ExitCode::kDone, "done"},
    {ExitCode::kInternal, "internal error, or the results could not be written"},
    {ExitCode::kUsage, "wrong command line or campaign"},
    {ExitCode::kGatesFailed,
     "a gate failed (the campaign is complete and kept); search: no rate holds"},
    {ExitCode::kRegression, "compare: significant regression"},
    {ExitCode::kInconclusive, "inconclusive: compare, a gate, a search that nothing confirmed"},
    {ExitCode::kIncomplete, "agent lost or run incomplete; finished runs are kept"},
    {ExitCode::kVersionMismatch, "an agent speaks another protocol version"},
    {ExitCode::kServerUnreachable, "Kinetic server unreachable or refused us"},
    {ExitCode::kWrongData, "data verification failed; the campaign is complete and kept"},
    {ExitCode::kSuspect,
     "suspect: a run under `run.suspect: fail`, a search whose client was the limit, a selftest"},
    {ExitCode::kPhaseTimeout, "a phase timed out"},
    {ExitCode::kInterrupted, "interrupted (Ctrl-C); partial results are kept, marked aborted"},
    {ExitCode::kTerminated, "terminated (SIGTERM); partial results are kept, marked aborted"},
}};

inline ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return ExitCode::kUsage;
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kVersionMismatch;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kServerUnreachable;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kIncomplete;
    case absl::StatusCode::kAborted:
      return ExitCode::kWrongData;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kPhaseTimeout;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kInternal;
  }
}

}  // namespace kbench
