#include "controller/run/lost_agents.h"

#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace kbench {
namespace {

constexpr Nanos kPatience = Seconds(10);
constexpr std::chrono::milliseconds kAskEvery(200);

}  // namespace

void LostAgents::Lost(const absl::Status& how) {
  progress_->Note(absl::StrCat(how.message(), "; the campaign goes on"));
  if (first_loss_.ok()) first_loss_ = absl::DataLossError(how.message());
  some_ = true;
}

absl::Status LostAgents::LookForThem(const std::string& our_run) {
  if (!some_) return absl::OkStatus();
  const MonoTime deadline = MonoNow() + kPatience;
  std::vector<std::string> problems = fleet_->AskAgain(our_run);
  while (fleet_->present().empty() && MonoNow() < deadline && !interrupts_->stop()) {
    std::this_thread::sleep_for(kAskEvery);
    problems = fleet_->AskAgain(our_run);
  }
  for (const std::string& problem : problems) {
    if (said_.insert(problem).second) progress_->Note(problem);
  }
  const std::vector<std::string> absent = fleet_->absent();
  progress_->Absent(absent);
  some_ = !absent.empty();
  if (!fleet_->present().empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("no agent is left; the first that was lost: ", first_loss_.message()));
}

}  // namespace kbench
