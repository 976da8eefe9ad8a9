// The open batches of one connection. Changes wait in them, unanswered and invisible, until the
// batch ends; then all of them happen or none does, judged against what is stored at that moment
// and not against each other.
//
//   START_BATCH          opens, if the connection has fewer than its limit
//   PUT, DELETE          waits; what is wrong with it is said when the batch ends
//   END_BATCH            SUCCESS with the sequences of all changes; or INVALID_BATCH with them, the
//                        sequence that failed, and why (specification: the change's own status; the
//                        simulator's INVALID_BATCH is what kinetic-java asks for)
//   ABORT_BATCH, close   forgets
//
// What an ended batch did is durable before the answer, whatever its changes asked for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kinetic/types.h"
#include "server/caller.h"
#include "server/changes.h"
#include "server/device.h"
#include "server/dialect.h"
#include "server/limits.h"
#include "server/refusal.h"
#include "server/store.h"

namespace kbench::server {

// What the batches of all connections share; borrowed.
struct BatchRules {
  const Limits* limits = nullptr;
  const Dialect* dialect = nullptr;
  const Changes* changes = nullptr;
  Store* store = nullptr;
  const Device* device = nullptr;
  uint64_t waiting_bytes = 0;  // of the changes of all open batches
};

class BatchBook {
 public:
  explicit BatchBook(BatchRules* rules) : rules_(rules) {}
  ~BatchBook() { Clear(); }
  BatchBook(const BatchBook&) = delete;
  BatchBook& operator=(const BatchBook&) = delete;

  bool Has(uint32_t id) const { return batches_.contains(id); }

  Objection Start(const kinetic::Header& header);
  // Precondition: Has(*header.batch_id). `skipped_size`: the value was too large to be kept. An
  // objection ends the connection; what is wrong otherwise is said when the batch ends.
  Objection Add(const kinetic::Command& change, Value value, uint64_t skipped_size);
  // Of a command that names a batch which is not open.
  Refusal NotOpen(const kinetic::Header& header, bool is_change) const;
  // A change that was refused before it came here. False: it is none of an open batch.
  bool Refuse(const kinetic::Command& change, const Refusal& refusal);
  // Fills the response's batch in either case.
  Objection End(const kinetic::Command& request, const Caller& caller, kinetic::Command* response);
  Objection Abort(const kinetic::Header& header);
  void Clear();

 private:
  struct Waiting {
    uint64_t sequence = 0;
    std::string key;
    std::string db_version;
    bool force = false;
    EntryRef entry;  // null: a DELETE
  };
  struct Open {
    std::vector<Waiting> changes;
    std::vector<uint64_t> sequences;  // of every change that came, kept or not
    uint64_t bytes = 0;               // of its changes, keys and versions and tags included
    uint64_t erasures = 0;            // of the device when it was opened
    Objection failed;                 // the first change that cannot be
    uint64_t failed_sequence = 0;
  };

  void Keep(const kinetic::Command& change, Value value, uint64_t value_size, Open* open);
  void Fail(Open* open, uint64_t sequence, Refusal refusal);
  Objection CheckCount(const kinetic::Command& request, const Open& open) const;
  Objection Judge(const Caller& caller, Open* open);
  absl::Status Apply(const Open& open) const;

  void Release(Open* open);

  BatchRules* rules_;
  std::map<uint32_t, Open> batches_;
};

}  // namespace kbench::server
