// What a person sees while a campaign runs. On a terminal one live line, redrawn in place; in a
// pipe one plain line per run, and one every few seconds of a long run. All of it goes to stderr:
// stdout is the result's.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "controller/store/live_status.h"
#include "proto/result.pb.h"

namespace kbench {

struct ProgressOptions {
  std::FILE* out = stderr;
  bool quiet = false;  // notes only
  bool live = false;   // `out` is a terminal
  bool color = false;
  int width = 80;
};

// From the process's environment: is stderr a terminal, how wide, NO_COLOR, TERM=dumb.
ProgressOptions ProgressForStderr(bool quiet);

class Progress {
 public:
  explicit Progress(ProgressOptions options) : options_(options) {}
  ~Progress() { ClearLine(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void CampaignStarted(absl::string_view name, size_t runs, Nanos measuring);
  // From now on also for other terminals, in this directory (controller/store/live_status.h).
  void PublishIn(const std::string& partial_dir, const std::string& run_id);
  void Absent(std::vector<std::string> agents);
  // Until the first run starts.
  void BaselinesStarted();
  // `left` is warm-up and measurement of this run and of those behind it.
  void RunStarted(int ordinal, absl::string_view label, int repetition, absl::string_view pass,
                  Nanos left);
  void Phase(absl::string_view phase);
  void Interval(size_t agent, const result::Interval& interval);
  // `summary` is what the run came to: "12,345 ops/s" or why it failed.
  void RunEnded(absl::string_view summary);
  // Always shown: warnings, what an interrupt leads to.
  void Note(absl::string_view text);

 private:
  std::string Line() const;
  void Redraw();
  void Publish();
  void ClearLine();

  const ProgressOptions options_;
  size_t runs_ = 0;
  std::string head_;  // "[3/54] transport=uring rep 0 bare"
  std::string phase_;
  std::map<size_t, double> ops_per_second_;  // per agent, from its last interval
  Nanos next_plain_line_;                    // into the measured window
  bool drawn_ = false;
  std::string published_in_;  // empty: nowhere
  LiveStatus status_;
  MonoTime published_;
  MonoTime run_started_;
  int64_t left_at_start_ms_ = 0;
};

}  // namespace kbench
