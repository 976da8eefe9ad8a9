// A whole run of conformance: the dialect recognised, every case run, the run's keys removed.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/conform/case_book.h"
#include "client/conform/dialect.h"
#include "client/conform/interpreter.h"

namespace kbench::conform {

struct SurveyOptions {
  Target target;
  std::optional<Dialect> dialect;  // none: that which the greeting is recognised as
  bool destructive = false;
  std::vector<std::string> only;               // beginnings of names; none: all cases
  const std::atomic<bool>* stopped = nullptr;  // once true, no further case begins
};

struct Survey {
  Target target;
  Dialect dialect = Dialect::kKbench;
  std::string recognised_by;  // the greeting's words; empty: it was not, or the dialect was given
  std::string unrecognised;   // the greeting's words, when they are of no known server
  bool destructive = false;
  std::string greeting;
  std::string prefix;  // of every key of the run
  // Results point into it.
  std::unique_ptr<Names> names;
  std::unique_ptr<CaseBook> book;
  std::vector<CaseResult> results;
  std::string left_behind;  // keys that could not be removed, and why
  std::string cut_short;    // why the last cases were not tried; empty: all were
  bool lost = false;        // ... because the server gave no connection or no answer any more
  bool stopped = false;     // ... because somebody stopped it

  enum class Verdict { kAgrees, kDiffers, kNotTried };
  Verdict VerdictOf(const CaseResult& result) const;
  int Count(Verdict verdict) const;
  // Nothing differs, nothing is left behind, nothing was lost.
  bool clean() const;
};

// Unavailable: the server gives no greeting. FailedPrecondition: it does nothing for who asks, as a
// locked device (client/conform/admission.h). InvalidArgument: no case has a name that begins so,
// or none of those that have can be tried with these options.
absl::StatusOr<Survey> RunSurvey(const SurveyOptions& options);

// The book for a server with this project's own limits, of which nothing is asked: for a list.
std::unique_ptr<CaseBook> ImaginedBook(Names* names);

}  // namespace kbench::conform
