#include "agent/load/workload.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kbench {

namespace {

struct OpTraits {
  absl::string_view name;
  OpKind kind;
  bool has_key;
  bool writes_value;
  bool reads_value;
};

// In the order of OpKind.
constexpr OpTraits kOps[] = {
    {"get", OpKind::kGet, true, false, true},
    {"get_miss", OpKind::kGetMiss, true, false, false},
    {"put", OpKind::kPut, true, true, false},
    {"put_new", OpKind::kPutNew, true, true, false},
    {"put_conditional", OpKind::kPutConditional, true, true, false},
    {"delete", OpKind::kDelete, true, false, false},
    {"next", OpKind::kNext, true, false, true},
    {"previous", OpKind::kPrevious, true, false, true},
    {"version", OpKind::kVersion, true, false, false},
    {"range", OpKind::kRange, true, false, false},
    {"batch", OpKind::kBatch, true, true, false},
    {"flush", OpKind::kFlush, false, false, false},
    {"getlog", OpKind::kGetLog, false, false, false},
    {"noop", OpKind::kNoop, false, false, false},
};

constexpr const OpTraits& Traits(OpKind kind) { return kOps[static_cast<size_t>(kind)]; }

constexpr bool EveryOpStandsInItsPlace() {
  for (size_t i = 0; i < std::size(kOps); ++i) {
    if (static_cast<size_t>(kOps[i].kind) != i) return false;
  }
  return std::size(kOps) == static_cast<size_t>(OpKind::kNoop) + 1;
}
static_assert(EveryOpStandsInItsPlace());

bool IsSkewed(KeyOrder order) {
  return order != KeyOrder::kUniform && order != KeyOrder::kSequential;
}

}  // namespace

absl::StatusOr<OpKind> ParseOpKind(absl::string_view name) {
  for (const OpTraits& op : kOps) {
    if (name == op.name) return op.kind;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no operation; there are ",
      absl::StrJoin(kOps, ", ",
                    [](std::string* out, const OpTraits& op) { absl::StrAppend(out, op.name); })));
}

absl::string_view Name(OpKind kind) { return Traits(kind).name; }
bool HasKey(OpKind kind) { return Traits(kind).has_key; }
bool WritesValue(OpKind kind) { return Traits(kind).writes_value; }
bool ReadsValue(OpKind kind) { return Traits(kind).reads_value; }

kinetic::StatusCode ExpectedStatus(OpKind kind) {
  return kind == OpKind::kGetMiss ? kinetic::StatusCode::kNotFound : kinetic::StatusCode::kSuccess;
}

KeyGenerator::KeyGenerator(uint64_t seed, uint32_t agent_index, uint32_t key_bytes, uint64_t run)
    : salt_(Mix64(seed)),
      new_salt_(Mix64(salt_ ^ Mix64(run ^ 0x6e6577))),  // "new"
      agent_(uint64_t{agent_index} << 40),
      key_bytes_(key_bytes) {}

void KeyGenerator::Write(uint64_t word, char* out) const {
  static constexpr char kDigits[] = "0123456789abcdef";
  const uint32_t used = is_text() ? kTextSize : kRawSize;
  for (uint32_t i = 0; i < used; ++i) {
    out[i] = is_text() ? kDigits[(word >> (60 - 4 * i)) & 0xf]
                       : static_cast<char>((word >> (56 - 8 * i)) & 0xff);
  }
  std::memset(out + used, '.', key_bytes_ - used);
}

std::optional<uint64_t> KeyGenerator::WordOf(absl::string_view key) const {
  if (key.size() != key_bytes_) return std::nullopt;
  uint64_t word = 0;
  if (is_text()) {
    if (!absl::SimpleHexAtoi(key.substr(0, kTextSize), &word)) return std::nullopt;
    return word;
  }
  for (uint32_t i = 0; i < kRawSize; ++i) word = word << 8 | static_cast<uint8_t>(key[i]);
  return word;
}

ValuePool::ValuePool(uint64_t seed, ValueSizes sizes, double compressible)
    : sizes_(std::move(sizes)) {
  const size_t used = sizes_.largest() + (kVariants - 1) * kAlignment;
  const size_t words = used / 8 + 1;
  storage_.reset(new uint8_t[words * 8 + kAlignment]);
  const auto address = reinterpret_cast<uintptr_t>(storage_.get());
  start_ = storage_.get() + (kAlignment - address % kAlignment) % kAlignment;
  Random random(Mix64(seed ^ 0x76616c756573));  // "values": apart from the streams of keys
  for (size_t i = 0; i < words; ++i) {
    const uint64_t word = random.Next();
    std::memcpy(start_ + 8 * i, &word, 8);
  }
  // Bodies begin a label's length behind a boundary, so zeros do, too.
  const auto zeros = static_cast<size_t>(std::lround(compressible * kBlock));
  for (size_t i = kValueLabelSize; zeros > 0 && i < words * 8; i += kBlock) {
    std::memset(start_ + i, 0, std::min(zeros, words * 8 - i));
  }
  SumBodies();
}

void ValuePool::SumBodies() {
  const std::vector<uint32_t>& sizes = sizes_.sizes();
  for (const uint32_t size : sizes) {
    joins_.emplace_back(labelled(size) ? size - kValueLabelSize : size);
  }
  for (uint64_t variant = 0; variant < kVariants; ++variant) {
    const uint8_t* value = start_ + variant * kAlignment;
    // Of each length in ascending order, going on from the one before.
    uint32_t crc = 0, crc32c = 0;
    size_t done = kValueLabelSize;
    for (const uint32_t size : sizes) {
      if (labelled(size)) {
        const Bytes more(value + done, size - done);
        crc = ValueCrc(crc, more);
        crc32c = kinetic::Crc32c(crc32c, more);
        done = size;
      }
      body_crcs_.push_back(crc);
      body_crc32cs_.push_back(labelled(size) ? crc32c : kinetic::Crc32c(0, {value, size}));
    }
  }
}

absl::string_view ValuePool::FaultOf(const ValueCheck& read, uint64_t word) const {
  if (!labelled(SizeOf(word))) return read.Is(BodyOf(word)) ? "" : "it is another value";
  const absl::string_view fault = read.Fault(word);
  if (!fault.empty()) return fault;
  return read.body_crc() == LabelOf(word, 0).body_crc ? "" : "it is another value";
}

OpStream::OpStream(const Options& options)
    : options_(options),
      random_(options.seed),
      next_key_(options.first_key),
      next_new_(options.flow) {
  if (IsSkewed(options_.order)) {
    skewed_.emplace(SkewedKeys::Options{.order = options_.order,
                                        .keys = options_.keys,
                                        .zipf_theta = options_.zipf_theta,
                                        .hot_keys = options_.hot_keys,
                                        .hot_requests = options_.hot_requests,
                                        .seed = Mix64(options_.seed ^ 0x736b6577)});  // "skew"
  }
  double total = 0;
  for (const OpWeight& op : options_.ops) total += op.weight;
  double sum = 0;
  for (const OpWeight& op : options_.ops) upto_.push_back((sum += op.weight) / total);
  upto_.back() = 1;
}

Op OpStream::Next() {
  if (options_.next_key) return {.kind = options_.ops[0].kind, .key = options_.next_key()};
  // Both draws are made whatever they decide, so that the keys do not depend on the weights.
  const double pick = random_.Uniform();
  const uint64_t drawn_key = skewed_ ? skewed_->Draw(next_key_) : random_.Below(options_.keys);
  const auto it = std::upper_bound(upto_.begin(), upto_.end(), pick);
  Op op;
  op.index = static_cast<uint32_t>(
      std::min<ptrdiff_t>(it - upto_.begin(), static_cast<ptrdiff_t>(upto_.size()) - 1));
  op.kind = options_.ops[op.index].kind;
  if (op.kind == OpKind::kPutNew) {
    op.key = next_new_;
    next_new_ += options_.flows;
  } else if (!InSequence(op.kind)) {
    op.key = drawn_key;
  } else if (HasKey(op.kind)) {
    op.key = next_key_;
    next_key_ = (next_key_ + (op.kind == OpKind::kBatch ? options_.batch_ops : 1)) % options_.keys;
  }
  return op;
}

bool OpStream::InSequence(OpKind kind) const {
  return options_.order == KeyOrder::kSequential ||
         (options_.order == KeyOrder::kLatest && WritesValue(kind));
}

uint64_t SessionSeed(uint64_t seed, uint32_t agent, uint32_t flow) {
  return Mix64(Mix64(seed) ^ (uint64_t{agent} << 32 | flow));
}

}  // namespace kbench
