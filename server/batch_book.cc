#include "server/batch_book.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::StatusCode;
using kinetic::Synchronization;

namespace {

Refusal BadBatch(std::string why) {
  return {.code = StatusCode::kInvalidBatch, .why = std::move(why)};
}

}  // namespace

Refusal BatchBook::NotOpen(const kinetic::Header& header, bool is_change) const {
  if (!header.batch_id.has_value()) return BadBatch("the command names no batchID");
  // Nobody waits for an answer to a change: only the end of the connection can tell.
  const bool ends = is_change || rules_->dialect->end_of_unknown_batch_ends;
  return {.code = ends ? rules_->dialect->unknown_batch : StatusCode::kInvalidBatch,
          .why = absl::StrCat("batch ", *header.batch_id, " is not open"),
          .ending = ends ? Ending::kTell : Ending::kAnswer};
}

Objection BatchBook::Start(const kinetic::Header& header) {
  if (!header.batch_id.has_value()) return Invalid("START_BATCH names no batchID");
  if (Has(*header.batch_id)) {
    return Refusal{.code = StatusCode::kInvalidBatch,
                   .why = absl::StrCat("batch ", *header.batch_id, " is open already"),
                   .ending = rules_->dialect->reopened_batch};
  }
  if (batches_.size() >= rules_->limits->batches) {
    return Refusal{.code = StatusCode::kInvalidRequest,
                   .why = absl::StrCat("this connection has its limit of ", rules_->limits->batches,
                                       " open batches"),
                   .ending = rules_->dialect->too_many_batches};
  }
  batches_[*header.batch_id].erasures = rules_->device->erasures();
  return std::nullopt;
}

void BatchBook::Fail(Open* open, uint64_t sequence, Refusal refusal) {
  if (open->failed.has_value()) return;
  open->failed = std::move(refusal);
  open->failed_sequence = sequence;
  // Nothing of it will happen: no need to keep it.
  Release(open);
}

void BatchBook::Release(Open* open) {
  rules_->waiting_bytes -= open->bytes;
  open->bytes = 0;
  open->changes.clear();
}

void BatchBook::Clear() {
  for (auto& [id, open] : batches_) Release(&open);
  batches_.clear();
}

bool BatchBook::Refuse(const Command& change, const Refusal& refusal) {
  const kinetic::Header& header = change.header;
  const bool is_change =
      header.message_type == MessageType::kPut || header.message_type == MessageType::kDelete;
  if (!is_change || !header.batch_id.has_value() || !Has(*header.batch_id)) return false;
  Open* open = &batches_.at(*header.batch_id);
  const uint64_t sequence = header.sequence.value_or(0);
  if (open->sequences.size() <= rules_->limits->batch_operations) {
    open->sequences.push_back(sequence);
  }
  Fail(open, sequence, refusal);
  return true;
}

Objection BatchBook::Add(const Command& change, Value value, uint64_t skipped_size) {
  static const KeyValue kNothing;
  Open* open = &batches_.at(*change.header.batch_id);
  const KeyValue& key_value = change.key_value.has_value() ? *change.key_value : kNothing;
  const uint64_t sequence = change.header.sequence.value_or(0);
  const Limits& limits = *rules_->limits;
  if (*change.header.message_type == MessageType::kPut) {
    if (Objection wrong = rules_->changes->HasWhatItNeeds(key_value)) {
      wrong->ending = Ending::kTell;
      return wrong;
    }
  }
  if (open->sequences.size() >= limits.batch_operations) {
    Refusal full = {
        .code = rules_->dialect->too_many_changes_code,
        .why = absl::StrCat("a batch holds at most ", limits.batch_operations, " changes"),
        .ending = rules_->dialect->too_many_changes};
    if (full.ending != Ending::kAnswer) return full;
    // Only the first one too many is told of, or a batch without end would grow without end.
    if (open->sequences.size() == limits.batch_operations) open->sequences.push_back(sequence);
    Fail(open, sequence, std::move(full));
    return std::nullopt;
  }
  open->sequences.push_back(sequence);
  const uint64_t value_size = value.size() + skipped_size;
  Synchronization synchronization = Synchronization::kInvalid;
  Objection wrong = rules_->changes->WithinLimits(key_value, value_size);
  if (!wrong.has_value()) wrong = rules_->changes->Synchronization(key_value, &synchronization);
  if (wrong.has_value()) {
    Fail(open, sequence, *std::move(wrong));
  } else if (!open->failed.has_value()) {
    Keep(change, std::move(value), value_size, open);
  }
  return std::nullopt;
}

void BatchBook::Keep(const Command& change, Value value, uint64_t value_size, Open* open) {
  static const KeyValue kNothing;
  const KeyValue& key_value = change.key_value.has_value() ? *change.key_value : kNothing;
  const uint64_t sequence = change.header.sequence.value_or(0);
  const bool put = *change.header.message_type == MessageType::kPut;
  const Limits& limits = *rules_->limits;
  const uint64_t bytes = value_size + OrEmpty(key_value.key).size() +
                         OrEmpty(key_value.new_version).size() +
                         OrEmpty(key_value.db_version).size() + OrEmpty(key_value.tag).size();
  open->bytes += bytes;
  rules_->waiting_bytes += bytes;
  if (open->bytes > limits.batch_size) {
    return Fail(open, sequence,
                BadBatch(absl::StrCat("a batch has at most ", limits.batch_size, " bytes")));
  }
  if (rules_->waiting_bytes > limits.waiting_bytes) {
    return Fail(open, sequence,
                {.code = StatusCode::kNoSpace,
                 .why = absl::StrCat("the open batches of all connections hold ",
                                     limits.waiting_bytes, " bytes")});
  }
  open->changes.push_back(
      {.sequence = sequence,
       .key = std::string(OrEmpty(key_value.key)),
       .db_version = std::string(OrEmpty(key_value.db_version)),
       .force = key_value.force.value_or(false),
       .entry = put ? Changes::MakeEntry(key_value, std::move(value)) : EntryRef()});
}

Objection BatchBook::End(const Command& request, const Caller& caller, Command* response) {
  const kinetic::Header& header = request.header;
  if (!header.batch_id.has_value() || !Has(*header.batch_id)) return NotOpen(header, false);
  const Dialect& dialect = *rules_->dialect;
  const auto it = batches_.find(*header.batch_id);
  Open open = std::move(it->second);
  batches_.erase(it);  // whatever happens now, it has ended
  const absl::Cleanup release = [&] { Release(&open); };
  if (open.sequences.empty() && dialect.empty_batch_fails) return BadBatch("the batch is empty");
  kinetic::Batch& told = response->batch.emplace();
  told.sequences = open.sequences;
  if (Objection wrong = CheckCount(request, open)) return wrong;
  if (open.erasures != rules_->device->erasures()) {
    return BadBatch("the device was erased while the batch was open");
  }
  Objection refused = Judge(caller, &open);
  if (refused.has_value()) {
    told.failed_sequence = open.failed_sequence;
    if (!dialect.failed_batch_lists_changes) told.sequences.clear();
    if (dialect.failed_batch_is_invalid) refused->code = StatusCode::kInvalidBatch;
    return refused;
  }
  const absl::Status applied = Apply(open);
  if (!applied.ok()) return OfStore(applied);
  return std::nullopt;
}

Objection BatchBook::CheckCount(const Command& request, const Open& open) const {
  const bool given = request.batch.has_value() && request.batch->count.has_value();
  const uint32_t count = given ? *request.batch->count : 0;
  const Dialect::BatchCount rule = rules_->dialect->batch_count;
  if (rule == Dialect::BatchCount::kIgnored || open.failed.has_value()) return std::nullopt;
  if (rule == Dialect::BatchCount::kIfGiven && !given) return std::nullopt;
  if (count == open.sequences.size()) return std::nullopt;
  return BadBatch(
      absl::StrCat("END_BATCH counts ", count, " changes, ", open.sequences.size(), " came"));
}

Objection BatchBook::Judge(const Caller& caller, Open* open) {
  for (const Waiting& waiting : open->changes) {
    Objection wrong = rules_->changes->MayApply({.key = waiting.key,
                                                 .db_version = waiting.db_version,
                                                 .force = waiting.force,
                                                 .entry = waiting.entry},
                                                caller);
    if (wrong.has_value()) {
      if (wrong->why.empty() && rules_->dialect->failed_batch_is_invalid) {
        wrong->why = kinetic::Name(wrong->code);
      }
      Fail(open, waiting.sequence, *std::move(wrong));
      break;
    }
  }
  return open->failed;
}

absl::Status BatchBook::Apply(const Open& open) const {
  std::vector<Store::Change> changes;
  changes.reserve(open.changes.size());
  for (const Waiting& waiting : open.changes) {
    changes.push_back({.key = waiting.key, .entry = waiting.entry});
  }
  return rules_->store->Apply(changes, Store::Durability::kNow);
}

Objection BatchBook::Abort(const kinetic::Header& header) {
  if (!header.batch_id.has_value() || !Has(*header.batch_id)) return NotOpen(header, false);
  Release(&batches_.at(*header.batch_id));
  batches_.erase(*header.batch_id);
  return std::nullopt;
}

}  // namespace kbench::server
