// Operations to PDUs, for one flow. It keeps one Command whose constant parts are set once, so that
// in the steady state making a request allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/load/value_tag.h"
#include "agent/load/workload.h"
#include "base/bytes.h"
#include "kinetic/codec.h"
#include "kinetic/hmac.h"
#include "kinetic/tag.h"
#include "kinetic/types.h"

namespace kbench {

// Of the message whose answer ends the operation.
kinetic::MessageType MessageTypeOf(OpKind kind);

// What the server said of a flow when it accepted it: every request repeats it.
struct FlowIdentity {
  int64_t connection_id = 0;
  int64_t cluster_version = 0;
};

class RequestMaker {
 public:
  struct Options {
    int64_t identity = kinetic::kFactoryIdentity;
    kinetic::Synchronization synchronization = kinetic::Synchronization::kWriteBack;
    std::optional<kinetic::TagAlgorithm> tag;  // of puts; none: they carry none
    KeyGenerator keys;
    uint32_t range_keys = 100;              // most keys that a GETKEYRANGE asks for
    uint64_t key_count = 1;                 // a batch goes on with key 0 behind the last one
    uint32_t batch_ops = 1;                 // puts of a batch
    uint32_t flow = 0;                      // in the agent's numbering: part of values' versions
    const kinetic::HmacKey* key = nullptr;  // outlives the maker; of this thread alone
    const ValuePool* values = nullptr;      // outlives the maker
  };

  explicit RequestMaker(const Options& options);

  void set_flow(const FlowIdentity& flow) { flow_ = flow; }

  // Writes frame header, message and the value's label to *head, replacing what is there, and gives
  // what follows them (empty but for a PUT). Puts and deletes are forced, unless the operation is
  // to be conditional: a version of an earlier run must not make this run's writes fail.
  // Precondition: op is no batch.
  Bytes Make(const Op& op, uint64_t sequence, std::string* head);

  // A batch in frames: its puts in order, number 0 with START_BATCH (of the sequence number
  // `start`) in front of it, and END_BATCH. `id` is that of no other batch in flight on the flow.
  Bytes MakeBatchPut(const Op& op, uint32_t number, uint32_t id, uint64_t start, uint64_t sequence,
                     std::string* head);
  void MakeBatchEnd(uint32_t id, uint64_t sequence, std::string* head);
  uint32_t batch_ops() const { return options_.batch_ops; }

  // The word of the key that an operation reads or writes.
  uint64_t WordOf(const Op& op) const;
  const KeyGenerator& keys() const { return options_.keys; }

 private:
  void SetHeader(kinetic::Command* command, kinetic::MessageType type, uint64_t sequence);
  // Sets command_.key_value or command_.range.
  void AddKey(OpKind kind, uint64_t word);
  // Appends the PDU of command_ with the value of a put, as far as its label.
  Bytes AppendPut(uint64_t word, std::string* head);
  void Append(const kinetic::Command& command, uint32_t value_size, std::string* head);

  Options options_;
  FlowIdentity flow_;
  uint64_t writes_ = 0;

  std::string key_text_;
  kinetic::Command command_;
  kinetic::Command batch_command_;  // START_BATCH and END_BATCH
  kinetic::Command log_command_;    // made once: its list of types is the only one of any request
  std::optional<ValueTagger> tagger_;
  kinetic::Tag tag_;  // of the put that is being made
  kinetic::Encoder encoder_;
};

}  // namespace kbench
