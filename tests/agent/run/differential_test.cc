// Every transport gives the server the same bytes for the same seed, at every size, with short
// reads and writes forced: the seed project's driver broke at 512 KiB.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/load/value_label.h"
#include "agent/load/workload.h"
#include "agent/run/runner.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"
#include "transport/transport.h"

namespace kbench {
namespace {

struct Cell {
  uint32_t value_bytes = 0;
  uint32_t max_bytes_per_call = 0;  // 0: no limit
  int socket_buffer_bytes = 0;      // 0: the kernel's default
  std::optional<kinetic::TagAlgorithm> tag = kinetic::TagAlgorithm::kCrc32c;
};

std::ostream& operator<<(std::ostream& out, const Cell& cell) {
  return out << cell.value_bytes << " B, at most " << cell.max_bytes_per_call
             << " B a call, socket buffers of " << cell.socket_buffer_bytes << " B, tagged by "
             << (cell.tag ? kinetic::TagName(*cell.tag) : "nothing");
}

struct Seen {
  std::vector<std::string> streams;
  std::map<std::string, std::string> store;
  std::map<std::string, RecordingServer::StoredTag> tags;
  Counts counts;
  uint64_t short_sends = 0;
};

constexpr uint64_t kOpsPerFlow = 12;
constexpr uint32_t kFlows = 2;

Seen RunOver(TransportKind transport, const Cell& cell) {
  RecordingServer server;
  RunSpec spec = SmallSpec(server.address());
  spec.transport = transport;
  spec.flows = kFlows;
  spec.depth = 3;
  spec.keys = 8;
  spec.load = true;
  spec.value_bytes = cell.value_bytes;
  spec.max_bytes_per_call = cell.max_bytes_per_call;
  spec.send_buffer_bytes = cell.socket_buffer_bytes;
  spec.receive_buffer_bytes = cell.socket_buffer_bytes;
  spec.duration = Seconds(60);  // ended by the number of requests
  spec.op_timeout = Seconds(30);
  spec.max_ops_per_flow = kOpsPerFlow;
  for (OpKind kind : {OpKind::kPutNew, OpKind::kNext, OpKind::kPrevious, OpKind::kBatch}) {
    spec.ops.push_back({.kind = kind, .weight = 0.5});
  }
  spec.batch_ops = 2;
  spec.verify = cell.value_bytes >= kValueLabelSize;
  spec.tag = cell.tag;
  Runner runner(spec);
  absl::Status status = runner.Prepare();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(runner.Load().ok());
  const auto outcome = runner.Run(MonoNow() + Millis(50), [](const Interval&) {});
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return {.streams = server.streams(),
          .store = server.store(),
          .tags = server.tags(),
          .counts = outcome->totals(),
          .short_sends = outcome->use.transport.short_sends};
}

constexpr int kSmall = 16 * 1024;
constexpr int kMedium = 64 * 1024;

// A value far larger than the kernel's buffer cannot be taken in one call.
bool MustSplit(const Cell& cell) {
  return cell.max_bytes_per_call == 0 && cell.socket_buffer_bytes > 0 &&
         cell.value_bytes >= 8u * static_cast<uint32_t>(cell.socket_buffer_bytes);
}

// Which flow wrote a key last is a matter of luck, and its value's label says which one it was.
void ExpectWholeValues(const std::map<std::string, std::string>& store, uint32_t value_bytes) {
  const ValuePool values(43, value_bytes);
  const KeyGenerator keys(43, 0, 16);
  for (const auto& [key, value] : store) {
    ASSERT_EQ(value.size(), value_bytes);
    const uint64_t word = keys.WordOf(key).value();
    const size_t label = ValuePool::labelled(value_bytes) ? kValueLabelSize : 0;
    EXPECT_TRUE(absl::string_view(value).substr(label) == AsText(values.BodyOf(word)));
    if (!ValuePool::labelled(value_bytes)) continue;
    ValueCheck check;
    check.Begin();
    check.Take(AsBytes(value));
    EXPECT_EQ(check.Fault(word), "");
  }
}

// Of every kind of put: the load's, the run's, new keys' and a batch's.
void ExpectTags(const Seen& seen, const std::optional<kinetic::TagAlgorithm>& algorithm) {
  for (const auto& [key, value] : seen.store) {
    const RecordingServer::StoredTag& stored = seen.tags.at(key);
    ASSERT_EQ(stored.tag.has_value(), algorithm.has_value());
    if (!algorithm.has_value()) {
      EXPECT_FALSE(stored.algorithm.has_value());
      continue;
    }
    EXPECT_EQ(stored.algorithm, static_cast<int32_t>(*algorithm));
    EXPECT_EQ(*stored.tag, kinetic::MakeTag(*algorithm, AsBytes(value)).text());
  }
}

std::vector<std::string> KeysOf(const std::map<std::string, std::string>& store) {
  std::vector<std::string> keys;
  keys.reserve(store.size());
  for (const auto& [key, value] : store) keys.push_back(key);
  return keys;
}

class Differential : public testing::TestWithParam<Cell> {};

TEST_P(Differential, EveryTransportSendsTheSameBytes) {
  const Cell cell = GetParam();
  const Seen reference = RunOver(TransportKind::kSocket, cell);
  ASSERT_GE(reference.streams.size(), kFlows);
  EXPECT_EQ(reference.counts.answered, kFlows * kOpsPerFlow) << "GETs and PUTs of this size work";
  if (MustSplit(cell)) {
    EXPECT_GT(reference.short_sends, 0u);
  }
  EXPECT_GT(reference.store.size(), 8u) << "the keys of the load, and new ones";
  ExpectWholeValues(reference.store, cell.value_bytes);
  ExpectTags(reference, cell.tag);
  for (TransportKind transport : {TransportKind::kEpoll, TransportKind::kUring}) {
    SCOPED_TRACE(std::string(Name(transport)));
    if (transport == TransportKind::kUring) {
      const auto usable = MakeTransport(transport, {});
      if (!usable.ok()) GTEST_SKIP() << usable.status();
    }
    const Seen seen = RunOver(transport, cell);
    EXPECT_EQ(seen.counts.answered, kFlows * kOpsPerFlow);
    if (MustSplit(cell)) {
      EXPECT_GT(seen.short_sends, 0u);
    }
    EXPECT_EQ(KeysOf(seen.store), KeysOf(reference.store));
    ExpectWholeValues(seen.store, cell.value_bytes);
    ExpectTags(seen, cell.tag);
    ASSERT_EQ(seen.streams.size(), reference.streams.size());
    // Of each flow: the connection that proved the path, that of the load, and that of the run.
    ASSERT_GE(seen.streams.size(), 3 * kFlows);
    for (size_t i = 0; i < seen.streams.size(); ++i) {
      EXPECT_TRUE(seen.streams[i] == reference.streams[i]) << "connection " << i;
    }
    for (uint32_t flow = 0; flow < kFlows; ++flow) {
      EXPECT_GT(seen.streams[2 * kFlows + flow].size(), seen.streams[flow].size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Differential,
                         testing::Values(Cell{0, 0}, Cell{0, 7}, Cell{1, 0}, Cell{1, 5},
                                         Cell{4096, 0}, Cell{4096, 100, kSmall},
                                         Cell{512 * 1024, 0}, Cell{512 * 1024, 0, kMedium},
                                         Cell{512 * 1024, 5000, kSmall}, Cell{1 << 20, 0},
                                         Cell{1 << 20, 0, kMedium}, Cell{1 << 20, 9973, kSmall},
                                         Cell{4096, 0, 0, std::nullopt},
                                         Cell{1, 0, 0, kinetic::TagAlgorithm::kSha1},
                                         Cell{4096, 100, kSmall, kinetic::TagAlgorithm::kSha1},
                                         Cell{4096, 0, 0, kinetic::TagAlgorithm::kSha2},
                                         Cell{512 * 1024, 5000, 0, kinetic::TagAlgorithm::kSha2}));

}  // namespace
}  // namespace kbench
