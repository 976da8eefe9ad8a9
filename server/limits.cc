#include "server/limits.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench::server {
namespace {

struct Named {
  absl::string_view name;
  uint32_t Limits::*field;
  uint32_t least;
  uint32_t most;
  bool size;  // bytes, may have a unit
  uint32_t flags;
};
constexpr uint32_t kMost = 1u << 30;
constexpr std::array<Named, 14> kNamed = {{
    {"key", &Limits::key_size, 1, 1 << 16, true, kKeyLimit},
    {"value", &Limits::value_size, 1, 64 << 20, true, kValueLimit},
    {"version", &Limits::version_size, 1, 1 << 16, true, kVersionLimit},
    {"tag", &Limits::tag_size, 0, 1 << 20, true, kTagLimit},
    {"message", &Limits::message_size, 4096, 64 << 20, true, kMessageLimit},
    {"range", &Limits::range_keys, 1, 100'000, false, kRangeLimit},
    {"connections", &Limits::connections, 1, 1 << 20, false, kConnectionsLimit},
    {"identities", &Limits::identities, 1, 1 << 20, false, kIdentitiesLimit},
    {"pin", &Limits::pin_size, 1, 4096, true, kPinLimit},
    {"read-depth", &Limits::read_depth, 1, kMost, false, kReadDepthLimit},
    {"write-depth", &Limits::write_depth, 1, kMost, false, kWriteDepthLimit},
    {"batch-operations", &Limits::batch_operations, 1, 1 << 20, false,
     kBatchOperationsLimit | kBatchDeletesLimit},
    {"batches", &Limits::batches, 1, 1 << 16, false, kBatchesLimit},
    {"batch-size", &Limits::batch_size, 1, kMost, true, kBatchSizeLimit},
}};

// The vendor's server a8c0c701, as far as it has the limit.
constexpr absl::string_view kDrive =
    "key=1024,tag=128,range=800,connections=100,identities=1000,pin=32,read-depth=30,"
    "write-depth=20,batch-operations=24000,batches=1000,batch-size=64MiB";

absl::StatusOr<int64_t> ParseNumber(const Named& named, absl::string_view text) {
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number)) return number;
  if (named.size) return ParseSize(text);
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no number"));
}

std::string AllNames() {
  return absl::StrJoin(
      kNamed, ", ", [](std::string* out, const Named& named) { absl::StrAppend(out, named.name); });
}

absl::Status Apply(absl::string_view part, Limits* limits) {
  const std::pair<absl::string_view, absl::string_view> pair =
      absl::StrSplit(part, absl::MaxSplits('=', 1));
  for (const Named& named : kNamed) {
    if (named.name != pair.first) continue;
    const absl::StatusOr<int64_t> number = ParseNumber(named, pair.second);
    if (!number.ok()) return Annotate(number.status(), absl::StrCat("limit ", named.name));
    if (*number < named.least || *number > named.most) {
      return absl::InvalidArgumentError(absl::StrCat("limit ", named.name, ": ", *number,
                                                     " is not between ", named.least, " and ",
                                                     named.most));
    }
    limits->*named.field = static_cast<uint32_t>(*number);
    limits->unlimited &= ~named.flags;
    limits->untold &= ~named.flags;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", part, "' is no limit; write NAME=NUMBER with ", AllNames(), ", or drive"));
}

}  // namespace

absl::StatusOr<Limits> ParseLimits(absl::string_view text, const Limits& base) {
  Limits limits = base;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    if (part == "drive") {
      ASSIGN_OR_RETURN(limits, ParseLimits(kDrive, limits));
      limits.untold |= kBatchOperationsLimit | kBatchesLimit;
      continue;
    }
    RETURN_IF_ERROR(Apply(part, &limits));
  }
  if (uint64_t{limits.range_keys} * (limits.key_size + 8) + 1024 > limits.message_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("limits range ", limits.range_keys, " x key ", limits.key_size,
                     " do not fit into a message of ", limits.message_size, " bytes"));
  }
  return limits;
}

std::string LimitsHelp() {
  return absl::StrCat("What is accepted and advertised: NAME=NUMBER[,...] with ", AllNames(),
                      "; or drive, which stands for ", kDrive,
                      " and tells neither batch-operations nor batches, as a drive");
}

}  // namespace kbench::server
