// What the analysis of packets costs per request, without the kernel's part. For comparing builds
// with each other by hand; as a test it only proves that it still runs.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "agent/observer/analysis.h"
#include "agent/observer/message_head.h"
#include "tests/agent/observer/synthetic.h"

namespace kbench::observer {
namespace {

using kinetic::MessageType;

struct Stream {
  std::vector<std::string> packets;
  size_t requests = 0;
};

// Rounds of `depth` requests and their answers, each round's bytes in packets of `packet` bytes.
Stream Rounds(MessageType type, size_t depth, size_t rounds, size_t value, size_t packet) {
  const Wire wire;
  Stream stream = {.packets = {wire.Syn(Side::kRequests), wire.Syn(Side::kAnswers)}};
  uint64_t offset[2] = {0, 0};
  uint64_t sequence = 0;
  const auto send = [&](Side side, const std::string& bytes) {
    const auto i = static_cast<size_t>(side);
    for (size_t at = 0; at < bytes.size(); at += packet) {
      stream.packets.push_back(
          wire.Data(side, offset[i] + at, bytes.substr(at, packet), offset[1 - i]));
    }
    offset[i] += bytes.size();
  };
  for (size_t round = 0; round < rounds; ++round) {
    std::string requests, answers;
    for (size_t i = 0; i < depth; ++i) {
      requests += RequestPdu(type, ++sequence, value);
      answers += AnswerPdu(type, sequence);
    }
    send(Side::kRequests, requests);
    send(Side::kAnswers, answers);
  }
  stream.requests = depth * rounds;
  return stream;
}

// Without records: their memory is touched once, and what that costs is the kernel's.
void Run(benchmark::State& state, const Stream& stream, size_t records_max = 1) {
  for (auto _ : state) {
    Analysis analysis({.port = kPort, .records_max = records_max});
    RealTime now = kStart;
    for (const std::string& packet : stream.packets) {
      analysis.Take(PacketOf(packet, now = now + Micros(1)));
    }
  }
  state.SetItemsProcessed(
      static_cast<int64_t>(stream.requests * static_cast<size_t>(state.iterations())));
  state.counters["packets"] = benchmark::Counter(
      static_cast<double>(stream.packets.size() * static_cast<size_t>(state.iterations())),
      benchmark::Counter::kIsRate);
}

void BM_NoopDepth32Coalesced(benchmark::State& state) {
  Run(state, Rounds(MessageType::kNoop, 32, 600, 0, 64'000));
}
BENCHMARK(BM_NoopDepth32Coalesced)->Unit(benchmark::kMillisecond);

void BM_NoopDepth32CoalescedWithRecords(benchmark::State& state) {
  Run(state, Rounds(MessageType::kNoop, 32, 600, 0, 64'000), 100'000);
}
BENCHMARK(BM_NoopDepth32CoalescedWithRecords)->Unit(benchmark::kMillisecond);

void BM_NoopDepth32InSegments(benchmark::State& state) {
  Run(state, Rounds(MessageType::kNoop, 32, 600, 0, 1448));
}
BENCHMARK(BM_NoopDepth32InSegments)->Unit(benchmark::kMillisecond);

void BM_NoopDepth1(benchmark::State& state) {
  Run(state, Rounds(MessageType::kNoop, 1, 20'000, 0, 64'000));
}
BENCHMARK(BM_NoopDepth1)->Unit(benchmark::kMillisecond);

void BM_Put64KiBMerged(benchmark::State& state) {
  Run(state, Rounds(MessageType::kPut, 8, 50, 64 << 10, 64'000));
}
BENCHMARK(BM_Put64KiBMerged)->Unit(benchmark::kMillisecond);

void BM_Put64KiBInSegments(benchmark::State& state) {
  Run(state, Rounds(MessageType::kPut, 8, 50, 64 << 10, 1448));
}
BENCHMARK(BM_Put64KiBInSegments)->Unit(benchmark::kMillisecond);

void BM_MessageHead(benchmark::State& state) {
  const std::string pdu = RequestPdu(MessageType::kNoop, 123'456);
  const Bytes message = AsBytes(pdu).subspan(9);
  MessageHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseMessageHead(message, message.size(), &head));
  }
}
BENCHMARK(BM_MessageHead);

}  // namespace
}  // namespace kbench::observer

BENCHMARK_MAIN();
