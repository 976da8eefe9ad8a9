#include "analysis/evidence/loading.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

uint64_t Fact(const result::RunResult& agent, const char* name) {
  const auto& facts = agent.transport().facts();
  const auto found = facts.find(name);
  uint64_t value = 0;
  return found != facts.end() && absl::SimpleAtoi(found->second, &value) ? value : 0;
}

struct Sums {
  size_t writing = 0;  // runs
  size_t finding = 0;
  size_t missing = 0;  // runs that looked, and then wrote
  std::string why;     // of the first of them
  uint64_t written = 0;
  uint64_t longest_ns = 0;  // of each run the slowest agent, summed
  uint64_t depth = 0;
  uint64_t sent_again = 0;
  uint64_t looked = 0;  // most keys that one agent read
};

void Add(const RunEvidence& run, Sums* sums) {
  bool asks = false, writes = false, missed = false;
  uint64_t slowest = 0;
  for (const result::RunResult& agent : run.agents) {
    const uint64_t written = Fact(agent, "load_written");
    asks |= Fact(agent, "load_keys") > 0;
    writes |= written > 0;
    sums->written += written;
    sums->depth = std::max(sums->depth, Fact(agent, "load_depth"));
    sums->sent_again += Fact(agent, "load_sent_again");
    sums->looked = std::max(sums->looked, Fact(agent, "load_looked"));
    if (written > 0) slowest = std::max(slowest, Fact(agent, "load_ns"));
    const auto missing = agent.transport().facts().find("load_missing");
    if (missing == agent.transport().facts().end()) continue;
    missed = true;
    if (sums->why.empty()) sums->why = missing->second;
  }
  sums->longest_ns += slowest;
  sums->missing += missed;
  sums->writing += writes;
  sums->finding += asks && !writes;
}

}  // namespace

std::string LoadingLine(const CampaignEvidence& campaign) {
  Sums sums;
  for (const RunEvidence& run : campaign.runs) Add(run, &sums);
  if (sums.writing + sums.finding == 0) return "";
  std::string text =
      absl::StrFormat("Keys: written before %d of %d runs", sums.writing, campaign.runs.size());
  if (sums.writing > 0) {
    absl::StrAppend(&text, " (", sums.written, " puts in ",
                    HumanDuration(static_cast<double>(sums.longest_ns)), ", up to ", sums.depth,
                    " in flight on a connection",
                    sums.sent_again == 0
                        ? ""
                        : absl::StrCat(", ", sums.sent_again, " sent again after SERVICE_BUSY"),
                    ")");
  }
  if (sums.missing > 0) {
    absl::StrAppend(&text, ", before ", sums.missing,
                    " of these because a look did not find them: ", sums.why);
  }
  if (sums.finding > 0) {
    absl::StrAppend(&text, "; found there by ", sums.finding, ", whose agents read up to ",
                    sums.looked, " of them and found all as written");
  }
  return text;
}

}  // namespace kbench::analysis
