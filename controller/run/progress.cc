#include "controller/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kbench {
namespace {

// In a pipe: short runs have their one line only.
constexpr Nanos kFirstPlainLine = Seconds(2);
constexpr Nanos kPlainLineEvery = Seconds(10);
constexpr Nanos kPublishEvery = Millis(500);

}  // namespace

ProgressOptions ProgressForStderr(bool quiet) {
  ProgressOptions options{.out = stderr, .quiet = quiet};
  const char* term = std::getenv("TERM");
  options.live = isatty(STDERR_FILENO) == 1 && (term == nullptr || strcmp(term, "dumb") != 0);
  const char* no_color = std::getenv("NO_COLOR");
  options.color = options.live && (no_color == nullptr || *no_color == '\0');
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.width = size.ws_col;
  return options;
}

void Progress::CampaignStarted(absl::string_view name, size_t runs, Nanos measuring) {
  runs_ = runs;
  status_.campaign = std::string(name);
  status_.runs = runs;
  status_.left_ms = measuring.count() / 1'000'000;
  if (options_.quiet) return;
  absl::FPrintF(options_.out, "%s: %d runs, %.1f s of warm-up and measurement\n", name, runs,
                measuring.seconds());
  std::fflush(options_.out);
}

void Progress::PublishIn(const std::string& partial_dir, const std::string& run_id) {
  status_.run_id = run_id;
  published_in_ = partial_dir;
  status_.controller = ThisController();
  Publish();
}

void Progress::Absent(std::vector<std::string> agents) {
  status_.absent = std::move(agents);
  Publish();
}

void Progress::BaselinesStarted() {
  head_ = "network baselines";
  phase_.clear();
  status_.what = head_;
  Publish();
  Redraw();
}

void Progress::RunStarted(int ordinal, absl::string_view label, int repetition,
                          absl::string_view pass, Nanos left) {
  status_.run = static_cast<uint64_t>(ordinal) + 1;
  status_.what = absl::StrCat(label, " rep ", repetition, " ", pass);
  left_at_start_ms_ = left.count() / 1'000'000;
  run_started_ = MonoNow();
  head_ = absl::StrCat("[", status_.run, "/", runs_, "] ", status_.what);
  phase_.clear();
  ops_per_second_.clear();
  next_plain_line_ = kFirstPlainLine;
  Redraw();
}

void Progress::Phase(absl::string_view phase) {
  phase_ = std::string(phase);
  Publish();
  Redraw();
}

void Progress::Interval(size_t agent, const result::Interval& interval) {
  if (interval.length_ns() <= 0) return;
  phase_ = "measure";
  ops_per_second_[agent] =
      static_cast<double>(interval.completed()) * 1e9 / static_cast<double>(interval.length_ns());
  if (MonoNow() - published_ >= kPublishEvery) Publish();
  Redraw();
  const Nanos into_window(interval.start_offset_ns() + interval.length_ns());
  if (options_.live || options_.quiet || into_window < next_plain_line_) return;
  next_plain_line_ = into_window + kPlainLineEvery;
  absl::FPrintF(options_.out, "%s\n", Line());
  std::fflush(options_.out);
}

void Progress::Publish() {
  if (published_in_.empty()) return;
  published_ = MonoNow();
  status_.updated_unix_ms = RealNow().ns() / 1'000'000;
  status_.phase = phase_;
  if (run_started_.is_set()) {
    const int64_t passed = (MonoNow() - run_started_).count() / 1'000'000;
    status_.left_ms = std::max(int64_t{0}, left_at_start_ms_ - passed);
  }
  status_.ops_per_s = 0;
  for (const auto& [agent, rate] : ops_per_second_) status_.ops_per_s += rate;
  WriteLiveStatus(published_in_, status_);
}

void Progress::RunEnded(absl::string_view summary) {
  if (options_.quiet) return;
  ClearLine();
  absl::FPrintF(options_.out, "%s: %s\n", head_, summary);
  std::fflush(options_.out);
}

void Progress::Note(absl::string_view text) {
  ClearLine();
  absl::FPrintF(options_.out, "%s%s%s\n", options_.color ? "\x1b[33m" : "", text,
                options_.color ? "\x1b[0m" : "");
  std::fflush(options_.out);
}

std::string Progress::Line() const {
  std::string line = absl::StrCat(head_, "  ", phase_);
  double total = 0;
  for (const auto& [agent, rate] : ops_per_second_) total += rate;
  if (total > 0) absl::StrAppendFormat(&line, "  %.0f ops/s", total);
  return line;
}

void Progress::Redraw() {
  if (!options_.live || options_.quiet) return;
  std::string line = Line();
  // One column stays free: a full line would wrap and could not be redrawn.
  if (static_cast<int>(line.size()) >= options_.width) {
    line.resize(static_cast<size_t>(options_.width > 1 ? options_.width - 1 : 0));
  }
  absl::FPrintF(options_.out, "\r%s\x1b[K", line);
  std::fflush(options_.out);
  drawn_ = true;
}

void Progress::ClearLine() {
  if (drawn_) absl::FPrintF(options_.out, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace kbench
