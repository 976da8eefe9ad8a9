#include "agent/load/server_limits.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "kinetic/frame.h"

namespace kbench {
namespace {

bool IsAboutTags(absl::string_view words) {
  if (!absl::StrContains(words, kinetic::Name(kinetic::StatusCode::kInvalidRequest))) return false;
  const auto is_letter = [](char c) { return absl::ascii_isalpha(c); };
  for (auto at = words.begin(); at != words.end();) {
    const auto from = std::find_if(at, words.end(), is_letter);
    at = std::find_if_not(from, words.end(), is_letter);
    const std::string word = absl::AsciiStrToLower(absl::string_view(from, at - from));
    if (word == "tag" || word == "tags" || word == "algorithm") return true;
  }
  return false;
}

class Limits {
 public:
  Limits(const RunSpec& spec, const kinetic::GetLog::Limits& limits)
      : spec_(spec), limits_(limits) {}

  absl::Status CheckAll() const;

 private:
  absl::Status CheckDepth() const;
  absl::Status CheckBatches() const;
  absl::Status CheckTag() const;
  uint64_t tag_size() const { return spec_.tag ? kinetic::TagSize(*spec_.tag) : 0; }
  absl::Status CheckLimit(absl::string_view what, uint64_t asked,
                          const std::optional<uint32_t>& limit, absl::string_view field) const;

  const RunSpec& spec_;
  const kinetic::GetLog::Limits& limits_;
};

absl::Status Limits::CheckAll() const {
  const auto uses = [this](bool (*trait)(OpKind)) {
    return std::any_of(spec_.ops.begin(), spec_.ops.end(),
                       [trait](const OpWeight& op) { return trait(op.kind); });
  };
  if (spec_.load || uses(&HasKey)) {
    RETURN_IF_ERROR(CheckLimit("key sizes in bytes", spec_.key_bytes, limits_.max_key_size,
                               "workload.key_size"));
  }
  if (spec_.load || uses(&WritesValue)) {
    RETURN_IF_ERROR(CheckLimit("value sizes in bytes", spec_.value_bytes, limits_.max_value_size,
                               "workload.value_size"));
    RETURN_IF_ERROR(CheckTag());
  }
  RETURN_IF_ERROR(CheckDepth());
  if (spec_.batch_parts() > 0) RETURN_IF_ERROR(CheckBatches());
  const bool ranges = uses([](OpKind kind) { return kind == OpKind::kRange; });
  // A key of an answer stands behind its tag and its length, and all of them beside the rest.
  constexpr uint64_t kRest = 1024, kBesideKey = 4;
  if (ranges &&
      spec_.range_keys * (spec_.key_bytes + kBesideKey) + kRest > kinetic::kSpecMaxMessageSize) {
    return absl::FailedPreconditionError(
        absl::StrCat("an answer of ", spec_.range_keys, " keys of ", spec_.key_bytes,
                     " bytes does not fit into a message; lower workload.range_keys"));
  }
  if (!ranges) return absl::OkStatus();
  return CheckLimit("range sizes in keys", spec_.range_keys, limits_.max_key_range_count,
                    "workload.range_keys");
}

absl::Status Limits::CheckDepth() const {
  const auto any = [this](std::initializer_list<OpKind> kinds) {
    return std::any_of(spec_.ops.begin(), spec_.ops.end(), [kinds](const OpWeight& op) {
      return std::find(kinds.begin(), kinds.end(), op.kind) != kinds.end();
    });
  };
  if (any({OpKind::kGet, OpKind::kGetMiss, OpKind::kNext, OpKind::kPrevious, OpKind::kVersion,
           OpKind::kRange})) {
    RETURN_IF_ERROR(CheckLimit("unanswered reads on a connection", spec_.depth,
                               limits_.max_outstanding_read_requests, "load.depth"));
  }
  // The load's window is its own, and keeps to the limit by itself.
  if (!any({OpKind::kPut, OpKind::kPutNew, OpKind::kPutConditional, OpKind::kDelete,
            OpKind::kBatch})) {
    return absl::OkStatus();
  }
  return CheckLimit("unanswered writes on a connection", spec_.depth,
                    limits_.max_outstanding_write_requests, "load.depth");
}

absl::Status Limits::CheckBatches() const {
  RETURN_IF_ERROR(CheckLimit("changes in a batch", spec_.batch_ops,
                             limits_.max_operation_count_per_batch, "workload.batch_ops"));
  RETURN_IF_ERROR(
      CheckLimit("bytes in a batch",
                 uint64_t{spec_.batch_ops} * (spec_.key_bytes + spec_.value_bytes + tag_size()),
                 limits_.max_batch_size, "workload.batch_ops"));
  return CheckLimit("open batches", spec_.depth, limits_.max_batch_count_per_device, "load.depth");
}

absl::Status Limits::CheckTag() const {
  const uint32_t limit = limits_.max_tag_size.value_or(0);
  if (limit == 0 || tag_size() <= limit) return absl::OkStatus();
  const bool short_fits = kinetic::TagSize(kinetic::TagAlgorithm::kCrc32c) <= limit;
  return absl::FailedPreconditionError(
      absl::StrCat("server ", spec_.server.ToString(), " takes tags of up to ", limit,
                   " bytes, and ", kinetic::TagName(*spec_.tag), " makes ", tag_size(),
                   "; set workload.tag to ", short_fits ? "crc32c or none" : "none"));
}

absl::Status Limits::CheckLimit(absl::string_view what, uint64_t asked,
                                const std::optional<uint32_t>& limit,
                                absl::string_view field) const {
  // Zero is how some servers say that there is none.
  if (limit.value_or(0) == 0 || asked <= *limit) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("server ", spec_.server.ToString(), " takes ", what, " up to ", *limit,
                   ", and the workload asks for ", asked, "; lower ", field));
}

}  // namespace

std::string TagRemedy(const RunSpec& spec, absl::string_view words) {
  if (!IsAboutTags(words)) return "";
  if (!spec.tag.has_value()) {
    return "; the run's puts carry no tag: set workload.tag to crc32c for a server that wants one";
  }
  return absl::StrCat("; the run's puts carry a tag (workload.tag is ", kinetic::TagName(*spec.tag),
                      "): set it to another algorithm, or to none for a server that takes none");
}

absl::Status CheckServerLimits(const RunSpec& spec, const kinetic::GetLog::Limits& limits) {
  return Limits(spec, limits).CheckAll();
}

}  // namespace kbench
