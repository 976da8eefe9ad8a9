// In which words a server of which make says the same things: the rules on which known Kinetic
// servers differ, as data. A dialect is chosen by `kbench-server --dialect`; docs/protocol.md has
// the table of what each does, and tests/server/dialect_test.cc makes that table by asking.
//
//   kbench     the specification, else the simulator, unless an independent client cannot work with
//              it: what this server has always done
//   spec       the text of the specification, also where clients fail at it
//   simulator  kinetic-java's simulator, protocol 3.0.7
//   kineticd   the vendor's server for drives, protocol 4.0.1
//
// Every member's default is kbench's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "kinetic/types.h"
#include "server/limits.h"
#include "server/refusal.h"

namespace kbench::server {

struct Dialect {
  using StatusCode = kinetic::StatusCode;

  absl::string_view name = "kbench";
  absl::string_view protocol_version = "4.0.1";
  Limits limits;
  bool enforces_depths = true;  // more unanswered than the limits is SERVICE_BUSY

  // Who asks.
  Ending bad_frame = Ending::kTell;  // magic, lengths, no protobuf
  Ending bad_hmac = Ending::kAnswer;
  absl::string_view bad_hmac_text;    // empty: this server's own words
  bool unknown_identity_ends = true;  // false: answered by a message without a command
  bool auth_type_needed = true;       // false: done, and answered unsigned
  StatusCode no_header = StatusCode::kHeaderRequired;
  bool checks_connection_id = true;  // false: the answer repeats the request's
  bool acknowledges_bad_sequence = true;
  bool unknown_type_succeeds = false;  // and has no messageType
  Ending locked = Ending::kAnswer;
  bool greets_locked = true;  // DEVICE_LOCKED in the greeting of a connection without TLS
  Ending pin_without_tls = Ending::kAnswer;
  bool every_scope_must_give = false;  // where no key is concerned; else any scope suffices

  // What ends the connection.
  bool invalid_ends = false;  // INVALID_REQUEST, and INVALID_BATCH but for END and ABORT
  enum class LastWord : uint8_t { kEmptyHeader, kNoHeader, kNamesConnection };
  LastWord last_word = LastWord::kEmptyHeader;
  StatusCode too_many_connections = StatusCode::kServiceBusy;

  // Objects.
  bool tag_needed = false;
  kinetic::Synchronization without_synchronization = kinetic::Synchronization::kInvalid;
  bool empty_key_refused = false;
  bool other_value_refused = false;  // of a request that is neither PUT nor SETUP
  Ending oversized_value = Ending::kAnswer;
  bool reads_name_key = false;  // failed ones, and GETVERSION
  bool repeats_metadata_only = false;
  bool tag_always = false;           // also of an object that was put without one
  int32_t algorithm_of_none = 0;     // of an object that was put without one; 0: absent
  absl::string_view not_found_text;  // of GET
  bool mismatch_says_why = true;
  bool empty_text_absent = false;  // a refusal without words has no statusMessage

  // Ranges and media.
  enum class NoKeys : uint8_t { kInvalidRequest, kInternalError, kSuccess };
  NoKeys max_returned_zero = NoKeys::kInvalidRequest;  // kInternalError: when it is absent, too
  NoKeys inverted_range = NoKeys::kSuccess;
  bool range_end_needed = false;
  bool skips_unreadable_neighbours = false;
  enum class ScanTells : uint8_t { kHowFar, kRequestedEnd, kWholeRange };
  ScanTells scan_tells = ScanTells::kHowFar;
  bool has_media_optimize = true;
  bool has_power_levels = true;

  // Batches.
  StatusCode unknown_batch = StatusCode::kInvalidBatch;
  bool end_of_unknown_batch_ends = false;
  bool anything_of_unknown_batch_ends = false;
  bool only_changes_in_batch = true;  // false: another request with a batchID is done
  Ending reopened_batch = Ending::kAnswer;
  Ending too_many_batches = Ending::kAnswer;
  Ending too_many_changes = Ending::kAnswer;  // kAnswer: by END_BATCH
  StatusCode too_many_changes_code = StatusCode::kInvalidBatch;
  bool failed_batch_is_invalid = true;  // false: it has the status of the change that failed
  bool failed_batch_lists_changes = true;
  enum class BatchCount : uint8_t { kIfGiven, kIgnored, kNeeded };
  BatchCount batch_count = BatchCount::kIfGiven;
  bool empty_batch_fails = false;
  bool batch_answers_name_it = false;  // header.batchID of START_BATCH and END_BATCH

  // Administration and pushes.
  bool acls_replace_all = false;
  bool unlocking_twice_fails = false;
  bool push_failure_is_error = false;  // NESTED_OPERATION_ERRORS

  // Logs.
  bool tells_power_level = true;
  bool counts_messages = false;  // statistics: protobuf and value, both ways; else value bytes
  bool tells_latency = false;    // statistics.maxLatency
  bool unknown_log_in_detail = false;  // detailedMessage instead of statusMessage

  // SUCCESS of a WRITETHROUGH change and of END_BATCH is held back so long, and overtaken by what
  // is answered meanwhile; until a FLUSH, a last word, or so many are held, if that is sooner.
  Nanos write_hold;
  size_t held_max = 0;

  // Whether there is such a request.
  bool Knows(kinetic::MessageType request) const;
};

// The dialects by name; null: there is none. They live as long as the program.
const Dialect* FindDialect(absl::string_view name);
const Dialect& KbenchDialect();
// "kbench, spec, simulator, kineticd", in the order of docs/protocol.md.
std::vector<std::string> DialectNames();

}  // namespace kbench::server
