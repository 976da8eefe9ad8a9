// What is asked for, from a seed: which operation is next, on which key, with which value.
//
// Operation number n of a session is a function of (seed, agent, flow, n) and of nothing else: no
// clock, no answer, no transport. So any slice of a workload can be made again, and every client
// stack is given the same bytes to send.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/random.h"
#include "kinetic/types.h"

namespace kbench {

enum class OpKind : uint8_t {
  kGet,
  kGetMiss,         // GET of a key that is never written: answered with NOT_FOUND
  kPut,             // forced: whatever is there is replaced
  kPutConditional,  // not forced: the server compares the stored version with this run's
  kDelete,
  kNext,      // GETNEXT that finds the key itself, and its value
  kPrevious,  // GETPREVIOUS, the same
  kVersion,
  kRange,  // GETKEYRANGE from the key on
  kFlush,
  kGetLog,  // of the server's statistics
  kNoop,
};
absl::StatusOr<OpKind> ParseOpKind(absl::string_view name);
// "get", "get_miss", "put_conditional", ...: as campaigns write it.
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

enum class KeyOrder : uint8_t { kUniform, kSequential };
absl::StatusOr<KeyOrder> ParseKeyOrder(absl::string_view name);

// Key number i of one agent. Keys of all agents of a run are distinct by construction: (agent, i)
// is one 64-bit word, mixed with the seed by a bijection, and written in front of the key: as 16
// hexadecimal digits, or as 8 raw bytes where the key is too short for them.
class KeyGenerator {
 public:
  static constexpr uint32_t kSmallestKey = 8;
  static constexpr uint64_t kMostKeys = uint64_t{1} << 39;
  static constexpr uint32_t kMostAgents = 1u << 24;

  KeyGenerator(uint64_t seed, uint32_t agent_index, uint32_t key_bytes);

  uint32_t size() const { return key_bytes_; }
  // Writes size() bytes at `out`. Precondition: index < kMostKeys.
  void Write(uint64_t index, char* out) const { WriteWord(index, out); }
  // A key of the same form that is no agent's key number `index` for any index.
  void WriteAbsent(uint64_t index, char* out) const { WriteWord(kMostKeys | index, out); }

 private:
  void WriteWord(uint64_t number, char* out) const;

  uint64_t salt_;
  uint64_t agent_;
  uint32_t key_bytes_;
};

// Values, made once and never written again: frames point into it. The value of a key is a window
// of `value_bytes` into seeded noise that starts at one of a few page boundaries, so that keys
// differ, and every value has the alignment that a copy likes best.
class ValuePool {
 public:
  static constexpr size_t kAlignment = 4096;
  static constexpr uint64_t kVariants = 16;

  ValuePool(uint64_t seed, uint32_t value_bytes);

  uint32_t value_size() const { return value_bytes_; }
  // Valid as long as the pool.
  Bytes ValueOf(uint64_t key_index) const {
    return {start_ + (key_index % kVariants) * kAlignment, value_bytes_};
  }

 private:
  uint32_t value_bytes_;
  std::unique_ptr<uint8_t[]> storage_;
  uint8_t* start_;
};

struct Op {
  uint32_t index = 0;  // into the op list
  OpKind kind = OpKind::kNoop;
  uint64_t key = 0;  // number of the key; meaningless where !HasKey(kind)
};

// The stream of operations of one session.
class OpStream {
 public:
  struct Options {
    std::vector<OpWeight> ops;
    uint64_t keys = 1;
    KeyOrder order = KeyOrder::kUniform;
    uint64_t seed = 0;       // of this session: see SessionSeed()
    uint64_t first_key = 0;  // sequential order begins here
  };

  explicit OpStream(const Options& options);
  Op Next();

 private:
  Options options_;
  std::vector<double> upto_;  // cumulative weights, the last one 1
  Random random_;
  uint64_t next_key_;
};

// Seed of flow `flow` of agent `agent`: unrelated streams for related numbers.
uint64_t SessionSeed(uint64_t seed, uint32_t agent, uint32_t flow);

}  // namespace kbench
