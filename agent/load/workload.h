// What is asked for, from a seed: which operation is next, on which key, with which value.
//
// Operation number n of a session is a function of (seed, agent, flow, n) and of nothing else: no
// clock, no answer, no transport. So any slice of a workload can be made again, and every client
// stack is given the same bytes to send.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/load/key_order.h"
#include "agent/load/value_label.h"
#include "base/bytes.h"
#include "base/random.h"
#include "base/value_sizes.h"
#include "kinetic/crc32c.h"
#include "kinetic/types.h"

namespace kbench {

enum class OpKind : uint8_t {
  kGet,
  kGetMiss,         // GET of a key that is never written: answered with NOT_FOUND
  kPut,             // forced: whatever is there is replaced
  kPutNew,          // of a key that no run wrote before
  kPutConditional,  // not forced: the server compares the stored version with this run's
  kDelete,
  kNext,      // GETNEXT that finds the key itself, and its value
  kPrevious,  // GETPREVIOUS, the same
  kVersion,
  kRange,  // GETKEYRANGE from the key on
  kBatch,  // START_BATCH, puts of the key and those behind it, END_BATCH: one operation
  kFlush,
  kGetLog,  // of the server's statistics
  kNoop,
};
absl::StatusOr<OpKind> ParseOpKind(absl::string_view name);
// "get", "get_miss", "put_new", ...: as campaigns write it.
absl::string_view Name(OpKind kind);
bool HasKey(OpKind kind);
bool WritesValue(OpKind kind);
// A good answer carries the value that the load, or a put of this run, wrote.
bool ReadsValue(OpKind kind);
// What a server that works says to it: SUCCESS, or NOT_FOUND to what is to miss.
kinetic::StatusCode ExpectedStatus(OpKind kind);

struct OpWeight {
  OpKind kind = OpKind::kNoop;
  double weight = 1;
};

// Key number i of one agent. Keys of all agents of a run are distinct by construction: (agent, i)
// is one 64-bit word, mixed with the seed by a bijection, and written in front of the key: as 16
// hexadecimal digits, or as 8 raw bytes where the key is too short for them.
class KeyGenerator {
 public:
  static constexpr uint32_t kSmallestKey = 8;
  static constexpr uint64_t kMostKeys = uint64_t{1} << 39;
  static constexpr uint32_t kMostAgents = 1u << 24;

  // `run` tells runs apart, for keys that are to be new in each.
  KeyGenerator(uint64_t seed, uint32_t agent_index, uint32_t key_bytes, uint64_t run = 0);

  uint32_t size() const { return key_bytes_; }
  // The word of key number `index`. Precondition: index < kMostKeys.
  uint64_t Word(uint64_t index) const { return Mix64((agent_ | index) ^ salt_); }
  // The word of a key that is no agent's key number `index` for any index.
  uint64_t AbsentWord(uint64_t index) const { return Word(kMostKeys | index); }
  // The word of the run's new key number `index`: distinct within the run, and from all other keys
  // as far as chance goes (of 10^9 keys two are alike with a probability of 1 in 37).
  uint64_t NewWord(uint64_t index) const { return Mix64((agent_ | index) ^ new_salt_); }

  // Writes the key of a word, size() bytes, at `out`.
  void Write(uint64_t word, char* out) const;
  // Back again; nothing for a text that is no key of ours.
  std::optional<uint64_t> WordOf(absl::string_view key) const;

 private:
  bool is_text() const { return key_bytes_ >= kTextSize; }

  static constexpr uint32_t kTextSize = 16, kRawSize = 8;

  uint64_t salt_;
  uint64_t new_salt_;
  uint64_t agent_;
  uint32_t key_bytes_;
};

// Values, made once and never written again: frames point into it. The value of a key is its label
// (agent/load/value_label.h), which goes into the frame's head, and then a window into seeded
// noise. The window begins a label's length behind one of a few page boundaries, so that keys
// differ; its length is the key's own. Values too short for a label are noise alone.
//
// Of what is behind the label a share may be zeros, so that a server finds something to compress:
// in each block of 256 bytes the first ones.
class ValuePool {
 public:
  static constexpr size_t kAlignment = 4096;
  static constexpr uint64_t kVariants = 16;
  static constexpr size_t kBlock = 256;

  ValuePool(uint64_t seed, ValueSizes sizes, double compressible = 0);
  ValuePool(uint64_t seed, uint32_t value_bytes)
      : ValuePool(seed, ValueSizes::Fixed(value_bytes)) {}

  const ValueSizes& sizes() const { return sizes_; }
  uint32_t SizeOf(uint64_t word) const { return sizes_.Of(word); }
  static bool labelled(uint32_t size) { return size >= kValueLabelSize; }
  // What follows the label of the value with this word. Valid as long as the pool.
  Bytes BodyOf(uint64_t word) const {
    const uint32_t size = SizeOf(word);
    return Bytes(start_ + (word % kVariants) * kAlignment, size)
        .subspan(labelled(size) ? kValueLabelSize : 0);
  }
  // Precondition: its size is that of one with a label.
  ValueLabel LabelOf(uint64_t word, uint64_t version) const {
    const size_t index = sizes_.IndexOf(word);
    return {.length = sizes_.sizes()[index],
            .key = word,
            .version = version,
            .body_crc = body_crcs_[Place(word, index)]};
  }
  // CRC32C of the whole value with this word and this label (empty: its size is that of one
  // without), in a time that does not depend on its size.
  uint32_t Crc32cOf(uint64_t word, Bytes label) const {
    const size_t index = sizes_.IndexOf(word);
    return joins_[index].Of(kinetic::Crc32c(0, label), body_crc32cs_[Place(word, index)]);
  }
  // What is wrong with a value that was read under the key of `word`, if it is to be one of these,
  // whichever write it is of; empty: nothing.
  absl::string_view FaultOf(const ValueCheck& read, uint64_t word) const;

 private:
  void SumBodies();
  size_t Place(uint64_t word, size_t index) const {
    return (word % kVariants) * sizes_.sizes().size() + index;
  }

  ValueSizes sizes_;
  // Of what follows the label, if there is one; by variant, then by size.
  std::vector<uint32_t> body_crcs_;
  std::vector<uint32_t> body_crc32cs_;
  std::vector<kinetic::Crc32cJoin> joins_;  // by size
  std::unique_ptr<uint8_t[]> storage_;
  uint8_t* start_;
};

struct Op {
  uint32_t index = 0;  // into the op list
  OpKind kind = OpKind::kNoop;
  // Number of the key, or of the new key of a kPutNew; meaningless where !HasKey(kind).
  uint64_t key = 0;
};

// The stream of operations of one session.
class OpStream {
 public:
  struct Options {
    std::vector<OpWeight> ops;
    uint64_t keys = 1;
    KeyOrder order = KeyOrder::kUniform;
    double zipf_theta = 0.99;  // zipf, latest
    double hot_keys = 0.2;     // hotspot
    double hot_requests = 0.8;
    uint64_t seed = 0;       // of this session: see SessionSeed()
    uint64_t first_key = 0;  // what goes in sequence begins here
    uint32_t batch_ops = 1;  // keys that a batch takes
    // New keys are numbered by all flows together: flow, flow + flows, flow + 2 flows, ...
    uint32_t flow = 0;
    uint32_t flows = 1;
    // Of a load, with one operation: gives the numbers of the keys, one after another; empty: they
    // follow from the rest.
    std::function<uint64_t()> next_key;
  };

  explicit OpStream(const Options& options);
  Op Next();

 private:
  bool InSequence(OpKind kind) const;

  Options options_;
  std::optional<SkewedKeys> skewed_;
  std::vector<double> upto_;  // cumulative weights, the last one 1
  Random random_;
  uint64_t next_key_;
  uint64_t next_new_;
};

// Seed of flow `flow` of agent `agent`: unrelated streams for related numbers.
uint64_t SessionSeed(uint64_t seed, uint32_t agent, uint32_t flow);

}  // namespace kbench
