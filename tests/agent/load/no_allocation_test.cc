// In the measured window a worker allocates nothing. operator new is counted, for the one thread
// that runs the loop, from the start of the window to its end. Answers to ranges and logs are left
// out: they are lists. Those to batches may be, but not this server's.
#include <gtest/gtest.h>

#include "agent/load/pump.h"
#include "agent/load/session.h"
#include "tests/agent/recording_server.h"
#include "tests/base/counted_heap.h"
#include "transport/transport.h"

namespace kbench {
namespace {

struct Case {
  TransportKind transport = TransportKind::kNull;
  bool open = false;
  bool varied = false;  // a ramp, skewed keys, values of many sizes
  std::optional<kinetic::TagAlgorithm> tag = kinetic::TagAlgorithm::kCrc32c;
};

// Lets everything grow that grows with use.
void WarmUp(Pump* pump, const std::vector<std::unique_ptr<Session>>& sessions,
            const std::vector<OpWeight>& ops, uint64_t ops_per_flow) {
  Recorder recorder({.ops = ops.size()});
  OpStream stream({.ops = ops, .keys = 50, .seed = 77});
  for (const auto& session : sessions) {
    session->Begin({.ops = &stream, .depth = 4, .max_ops = ops_per_flow, .recorder = &recorder});
  }
  const std::atomic<int64_t> end_ns = INT64_MAX;
  pump->Run({.end_ns = &end_ns, .recorder = &recorder});
}

void RunArmed(const Case& c) {
  constexpr uint32_t kFlows = 3, kDepth = 4, kValueBytes = 1000, kKeys = 50, kBatchOps = 3;
  constexpr uint32_t kFramesOfOne = kBatchOps + 1;
  constexpr uint64_t kWarmUpOps =
      300;  // of each flow: every kind of request comes, most often many
  std::unique_ptr<RecordingServer> server;
  SocketAddress address;
  if (c.transport != TransportKind::kNull) {
    server = std::make_unique<RecordingServer>(RecordingServer::Options{.record = false});
    address = *Resolve(server->address());
  }
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  const ValuePool values(1, c.varied ? *ValueSizes::Parse("uniform least 40B most 1000B")
                                     : ValueSizes::Fixed(kValueBytes));
  std::vector<std::unique_ptr<Session>> sessions;
  auto transport =
      MakeTransport(c.transport, {.flows_max = kFlows,
                                  .frames_max = kFlows * kFramesOfOne * SlotTable::SizeFor(kDepth),
                                  .kernel_stamps = true,
                                  .null_value_bytes = kValueBytes});
  if (!transport.ok()) GTEST_SKIP() << transport.status();
  for (uint32_t i = 0; i < kFlows; ++i) {
    const FlowId flow = (*transport)->Connect(address, Seconds(5)).value();
    sessions.push_back(
        std::make_unique<Session>(Session::Options{.flow = flow,
                                                   .depth_max = kDepth,
                                                   .sample_every = 8,
                                                   .batch_parts = kBatchOps,
                                                   .verify = c.transport != TransportKind::kNull,
                                                   .value_bytes = kValueBytes,
                                                   .requests = {.tag = c.tag,
                                                                .keys = KeyGenerator(1, 0, 24),
                                                                .key_count = kKeys,
                                                                .batch_ops = kBatchOps,
                                                                .key = &key,
                                                                .values = &values}},
                                  transport->get()));
  }
  Pump pump({}, transport->get(), &sessions);
  const std::atomic<bool> stop = false;
  pump.AwaitHandshakes(MonoNow() + Seconds(5), stop);

  std::vector<OpWeight> ops = {{.kind = OpKind::kPut},     {.kind = OpKind::kGet},
                               {.kind = OpKind::kDelete},  {.kind = OpKind::kPutConditional},
                               {.kind = OpKind::kNext},    {.kind = OpKind::kPrevious},
                               {.kind = OpKind::kVersion}, {.kind = OpKind::kPutNew},
                               {.kind = OpKind::kFlush},   {.kind = OpKind::kNoop}};
  if (c.transport != TransportKind::kNull) ops.push_back({.kind = OpKind::kBatch});
  WarmUp(&pump, sessions, ops, kWarmUpOps);
  Recorder recorder({.ops = ops.size(), .samples_max = 500, .clocks = ReadClockPair()});
  const MonoTime start = MonoNow();
  const MonoTime measure_from = start + Millis(50);
  const std::atomic<int64_t> end_ns = (measure_from + Millis(200)).ns();
  std::vector<std::unique_ptr<OpStream>> streams;
  std::vector<std::unique_ptr<Arrival>> arrivals;
  for (uint32_t i = 0; i < kFlows; ++i) {
    streams.push_back(std::make_unique<OpStream>(
        OpStream::Options{.ops = ops,
                          .keys = kKeys,
                          .order = c.varied ? KeyOrder::kLatest : KeyOrder::kUniform,
                          .seed = SessionSeed(1, 0, i)}));
    if (c.varied) {
      arrivals.push_back(
          std::make_unique<Arrival>(Arrival::Options{.kind = ArrivalKind::kRamp,
                                                     .start = start,
                                                     .first = i,
                                                     .stride = kFlows,
                                                     .stretches = {{3000, 15'000, Millis(250)}}}));
    } else if (c.open) {
      arrivals.push_back(std::make_unique<Arrival>(Arrival::Options{
          .kind = ArrivalKind::kPoisson, .rate = 3000, .seed = i, .start = start}));
    }
    sessions[i]->Begin({.ops = streams.back().get(),
                        .arrival = c.open ? arrivals.back().get() : nullptr,
                        .depth = kDepth,
                        .start = start,
                        .measure_from = measure_from,
                        .recorder = &recorder});
  }
  SharedProgress progress;
  HeapCounts before, after;
  pump.Run({.start = start,
            .measure_from = measure_from,
            .end_ns = &end_ns,
            .recorder = &recorder,
            .progress = &progress,
            .on_measure = [&] { before = Heap(); },
            .on_end = [&] { after = Heap(); }});
  EXPECT_GT(before.allocations, 0u) << "the window never began";
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.releases, before.releases);
  EXPECT_GT(recorder.totals().answered, 50u);
  EXPECT_GT(recorder.totals().failed + recorder.samples().size(), 0u);
  transport->reset();
}

TEST(NoAllocation, TheCounterCounts) {
  const HeapCounts before = Heap();
  // Called, not by an expression: the compiler may leave out the pair of a new and its delete.
  ::operator delete(::operator new(8));
  EXPECT_EQ(Heap().allocations, before.allocations + 1);
  EXPECT_EQ(Heap().releases, before.releases + 1);
}

TEST(NoAllocation, NullClosed) { RunArmed({.transport = TransportKind::kNull}); }
TEST(NoAllocation, SocketClosed) { RunArmed({.transport = TransportKind::kSocket}); }
TEST(NoAllocation, EpollClosed) { RunArmed({.transport = TransportKind::kEpoll}); }
TEST(NoAllocation, EpollOpen) { RunArmed({.transport = TransportKind::kEpoll, .open = true}); }
TEST(NoAllocation, EpollVaried) {
  RunArmed({.transport = TransportKind::kEpoll, .open = true, .varied = true});
}
TEST(NoAllocation, EpollClosedWithTagsThatAreMadeInTheWindow) {
  for (const kinetic::TagAlgorithm tag :
       {kinetic::TagAlgorithm::kSha1, kinetic::TagAlgorithm::kSha2}) {
    RunArmed({.transport = TransportKind::kEpoll, .tag = tag});
  }
}
TEST(NoAllocation, UringClosed) { RunArmed({.transport = TransportKind::kUring}); }

}  // namespace
}  // namespace kbench
