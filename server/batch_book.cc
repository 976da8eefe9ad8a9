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

Refusal Unknown(const kinetic::Header& header) {
  return BadBatch(header.batch_id.has_value()
                      ? absl::StrCat("batch ", *header.batch_id, " is not open")
                      : std::string("the command names no batchID"));
}

}  // namespace

Objection BatchBook::Start(const kinetic::Header& header) {
  if (!header.batch_id.has_value()) return Invalid("START_BATCH names no batchID");
  if (Has(*header.batch_id)) {
    return BadBatch(absl::StrCat("batch ", *header.batch_id, " is open already"));
  }
  if (batches_.size() >= rules_->limits->batches) {
    return Invalid(absl::StrCat("this connection has its limit of ", rules_->limits->batches,
                                " open batches"));
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

void BatchBook::Add(const Command& change, Value value, uint64_t skipped_size) {
  static const KeyValue kNothing;
  Open* open = &batches_.at(*change.header.batch_id);
  const KeyValue& key_value = change.key_value.has_value() ? *change.key_value : kNothing;
  const uint64_t sequence = change.header.sequence.value_or(0);
  const bool put = *change.header.message_type == MessageType::kPut;
  const Limits& limits = *rules_->limits;
  if (open->sequences.size() >= limits.batch_operations) {
    // Only the first one too many is told of, or a batch without end would grow without end.
    if (open->sequences.size() == limits.batch_operations) open->sequences.push_back(sequence);
    return Fail(
        open, sequence,
        BadBatch(absl::StrCat("a batch holds at most ", limits.batch_operations, " changes")));
  }
  open->sequences.push_back(sequence);
  const uint64_t value_size = value.size() + skipped_size;
  if (Objection wrong = rules_->changes->WithinLimits(key_value, value_size)) {
    return Fail(open, sequence, *std::move(wrong));
  }
  Synchronization synchronization = Synchronization::kInvalid;
  if (Objection wrong = rules_->changes->Synchronization(key_value, &synchronization)) {
    return Fail(open, sequence, *std::move(wrong));
  }
  if (open->failed.has_value()) return;
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
  if (!header.batch_id.has_value() || !Has(*header.batch_id)) return Unknown(header);
  const auto it = batches_.find(*header.batch_id);
  Open open = std::move(it->second);
  batches_.erase(it);  // whatever happens now, it has ended
  const absl::Cleanup release = [&] { Release(&open); };
  kinetic::Batch& told = response->batch.emplace();
  told.sequences = open.sequences;
  if (request.batch.has_value() && request.batch->count.has_value() &&
      *request.batch->count != open.sequences.size() && !open.failed.has_value()) {
    return BadBatch(absl::StrCat("END_BATCH counts ", *request.batch->count, " changes, ",
                                 open.sequences.size(), " came"));
  }
  if (open.erasures != rules_->device->erasures()) {
    return BadBatch("the device was erased while the batch was open");
  }
  Objection refused = Judge(caller, &open);
  if (refused.has_value()) {
    told.failed_sequence = open.failed_sequence;
    refused->code = StatusCode::kInvalidBatch;
    return refused;
  }
  const absl::Status applied = Apply(open);
  if (!applied.ok()) return OfStore(applied);
  return std::nullopt;
}

Objection BatchBook::Judge(const Caller& caller, Open* open) {
  for (const Waiting& waiting : open->changes) {
    Objection wrong = rules_->changes->MayApply({.key = waiting.key,
                                                 .db_version = waiting.db_version,
                                                 .force = waiting.force,
                                                 .entry = waiting.entry},
                                                caller);
    if (wrong.has_value()) {
      if (wrong->why.empty()) wrong->why = kinetic::Name(wrong->code);
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
  if (!header.batch_id.has_value() || !Has(*header.batch_id)) return Unknown(header);
  Release(&batches_.at(*header.batch_id));
  batches_.erase(*header.batch_id);
  return std::nullopt;
}

}  // namespace kbench::server
