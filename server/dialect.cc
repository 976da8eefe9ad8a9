#include "server/dialect.h"

#include <array>

#include "absl/strings/match.h"

namespace kbench::server {
namespace {

using kinetic::StatusCode;

Dialect Spec() {
  Dialect d;
  d.name = "spec";
  d.bad_frame = Ending::kSilence;
  d.pin_without_tls = Ending::kTell;
  d.without_synchronization = kinetic::Synchronization::kWriteThrough;
  d.oversized_value = Ending::kTell;
  d.range_end_needed = true;
  d.failed_batch_is_invalid = false;
  d.acls_replace_all = true;
  d.unlocking_twice_fails = true;
  d.push_failure_is_error = true;
  return d;
}

// Source: kinetic-java's simulator, and what it answered (tests/data/kinetic/vectors.jsonl).
Dialect Simulator() {
  Dialect d;
  d.name = "simulator";
  d.protocol_version = "3.0.7";
  d.limits.tag_size = kUnlimited;
  d.limits.identities = 1 << 20;
  d.limits.unlimited = kTagLimit | kConnectionsLimit | kMessageLimit | kIdentitiesLimit;
  d.limits.untold = kPinLimit | kBatchSizeLimit | kBatchDeletesLimit;
  d.bad_frame = Ending::kSilence;
  d.unknown_identity_ends = false;
  d.auth_type_needed = false;
  d.checks_connection_id = false;
  d.acknowledges_bad_sequence = false;
  d.unknown_type_succeeds = true;
  d.greets_locked = false;
  d.every_scope_must_give = true;
  d.last_word = Dialect::LastWord::kNoHeader;
  d.tag_always = true;
  d.mismatch_says_why = false;
  d.max_returned_zero = Dialect::NoKeys::kInternalError;
  d.inverted_range = Dialect::NoKeys::kInternalError;
  d.scan_tells = Dialect::ScanTells::kRequestedEnd;
  d.has_power_levels = false;
  d.unknown_batch = StatusCode::kInvalidRequest;
  d.end_of_unknown_batch_ends = true;
  d.anything_of_unknown_batch_ends = true;
  d.only_changes_in_batch = false;
  d.reopened_batch = Ending::kSilence;
  d.too_many_batches = Ending::kTell;
  d.too_many_changes = Ending::kTell;
  d.too_many_changes_code = StatusCode::kInvalidRequest;
  d.batch_count = Dialect::BatchCount::kIgnored;
  d.empty_batch_fails = true;
  d.tells_power_level = false;
  d.counts_messages = true;
  return d;
}

// Source: the vendor's server, a8c0c701, read; and the limits of a drive's record.
Dialect Kineticd() {
  Dialect d;
  d.name = "kineticd";
  d.limits.key_size = 1024;
  d.limits.tag_size = 128;
  d.limits.range_keys = 800;
  d.limits.connections = 100;
  d.limits.identities = 1000;
  d.limits.pin_size = 32;
  d.limits.read_depth = 30;
  d.limits.write_depth = 20;
  d.limits.batch_operations = 24'000;
  d.limits.batches = 1000;
  // The source sets neither; a drive's record, read by a client that takes absent for 0, shows 0
  // and 0. Either way it says that nothing is told, not that nothing is allowed.
  d.limits.untold = kBatchOperationsLimit | kBatchesLimit;
  d.enforces_depths = false;
  d.bad_hmac = Ending::kTell;
  d.bad_hmac_text = "Incorrect or missing HMAC";
  d.no_header = StatusCode::kInvalidRequest;
  d.locked = Ending::kTell;
  d.greets_locked = false;
  d.pin_without_tls = Ending::kTell;
  d.invalid_ends = true;
  d.last_word = Dialect::LastWord::kNamesConnection;
  d.too_many_connections = StatusCode::kInvalidRequest;
  d.tag_needed = true;
  d.empty_key_refused = true;
  d.other_value_refused = true;
  d.reads_name_key = true;
  d.repeats_metadata_only = true;
  d.tag_always = true;
  d.algorithm_of_none = 1;  // SHA1
  d.not_found_text = "Key not found";
  d.mismatch_says_why = false;
  d.empty_text_absent = true;
  d.max_returned_zero = Dialect::NoKeys::kSuccess;
  d.inverted_range = Dialect::NoKeys::kInvalidRequest;
  d.skips_unreadable_neighbours = true;
  d.scan_tells = Dialect::ScanTells::kWholeRange;
  d.has_media_optimize = false;
  d.end_of_unknown_batch_ends = true;
  d.only_changes_in_batch = false;
  d.too_many_batches = Ending::kTell;
  d.too_many_changes = Ending::kTell;
  d.failed_batch_is_invalid = false;
  d.failed_batch_lists_changes = false;
  d.batch_count = Dialect::BatchCount::kNeeded;
  d.batch_answers_name_it = true;
  d.acls_replace_all = true;
  d.push_failure_is_error = true;
  d.tells_latency = true;
  d.unknown_log_in_detail = true;
  d.write_hold = Millis(1);
  d.held_max = 976;
  return d;
}

const std::array<Dialect, 4>& All() {
  static const std::array<Dialect, 4> all = {Dialect(), Spec(), Simulator(), Kineticd()};
  return all;
}

}  // namespace

bool Dialect::Knows(kinetic::MessageType request) const {
  if (request == kinetic::MessageType::kSetPowerLevel && !has_power_levels) return false;
  return kinetic::IsRequest(request) && !absl::StartsWith(kinetic::Name(request), "UNKNOWN");
}

const Dialect* FindDialect(absl::string_view name) {
  for (const Dialect& dialect : All()) {
    if (dialect.name == name) return &dialect;
  }
  return nullptr;
}

const Dialect& KbenchDialect() { return All()[0]; }

std::vector<std::string> DialectNames() {
  std::vector<std::string> names;
  for (const Dialect& dialect : All()) names.emplace_back(dialect.name);
  return names;
}

}  // namespace kbench::server
