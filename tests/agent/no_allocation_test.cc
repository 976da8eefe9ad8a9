// In the measured window a worker allocates nothing. operator new is counted, for the one thread
// that runs the loop, from the start of the window to its end.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "agent/pump.h"
#include "agent/session.h"
#include "agent/transport.h"
#include "tests/agent/recording_server.h"

namespace {

thread_local bool armed = false;
thread_local uint64_t allocations = 0;
thread_local uint64_t releases = 0;

void* Allocate(std::size_t size, std::size_t alignment) {
  if (armed) ++allocations;
  void* p = alignment == 0 ? std::malloc(size) : std::aligned_alloc(alignment, size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void Release(void* p) {
  if (armed && p != nullptr) ++releases;
  std::free(p);
}

std::size_t RoundUp(std::size_t size, std::align_val_t alignment) {
  const auto a = static_cast<std::size_t>(alignment);
  return (size + a - 1) / a * a;
}

}  // namespace

void* operator new(std::size_t size) { return Allocate(size, 0); }
void* operator new[](std::size_t size) { return Allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t a) {
  return Allocate(RoundUp(size, a), static_cast<std::size_t>(a));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return Allocate(RoundUp(size, a), static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { Release(p); }
void operator delete[](void* p) noexcept { Release(p); }
void operator delete(void* p, std::size_t) noexcept { Release(p); }
void operator delete[](void* p, std::size_t) noexcept { Release(p); }
void operator delete(void* p, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { Release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { Release(p); }

namespace kbench {
namespace {

struct Case {
  TransportKind transport = TransportKind::kNull;
  bool open = false;
};

void RunArmed(const Case& c) {
  constexpr uint32_t kFlows = 3, kDepth = 4, kValueBytes = 1000;
  std::unique_ptr<RecordingServer> server;
  SocketAddress address;
  if (c.transport != TransportKind::kNull) {
    server = std::make_unique<RecordingServer>(RecordingServer::Options{.record = false});
    address = *Resolve(server->address());
  }
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  const ValuePool values(1, kValueBytes);
  std::vector<std::unique_ptr<Session>> sessions;
  auto transport = MakeTransport(c.transport, {.flows_max = kFlows,
                                               .frames_max = kFlows * SlotTable::SizeFor(kDepth),
                                               .kernel_stamps = true,
                                               .null_value_bytes = kValueBytes});
  if (!transport.ok()) GTEST_SKIP() << transport.status();
  for (uint32_t i = 0; i < kFlows; ++i) {
    const FlowId flow = (*transport)->Connect(address, Seconds(5)).value();
    sessions.push_back(std::make_unique<Session>(
        Session::Options{
            .flow = flow,
            .depth_max = kDepth,
            .sample_every = 8,
            .value_bytes = kValueBytes,
            .requests = {.keys = KeyGenerator(1, 0, 24), .key = &key, .values = &values}},
        transport->get()));
  }
  Pump pump({}, transport->get(), &sessions);
  const std::atomic<bool> stop = false;
  pump.AwaitHandshakes(MonoNow() + Seconds(5), stop);

  const std::vector<OpWeight> ops = {{.kind = OpKind::kPut},
                                     {.kind = OpKind::kGet},
                                     {.kind = OpKind::kDelete},
                                     {.kind = OpKind::kNoop}};
  Recorder recorder({.ops = ops.size(), .samples_max = 500, .clocks = ReadClockPair()});
  const MonoTime start = MonoNow();
  const MonoTime measure_from = start + Millis(50);
  const std::atomic<int64_t> end_ns = (measure_from + Millis(200)).ns();
  std::vector<std::unique_ptr<OpStream>> streams;
  std::vector<std::unique_ptr<Arrival>> arrivals;
  for (uint32_t i = 0; i < kFlows; ++i) {
    streams.push_back(std::make_unique<OpStream>(
        OpStream::Options{.ops = ops, .keys = 50, .seed = SessionSeed(1, 0, i)}));
    if (c.open) {
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
  allocations = releases = 0;
  pump.Run({.start = start,
            .measure_from = measure_from,
            .end_ns = &end_ns,
            .recorder = &recorder,
            .progress = &progress,
            .on_measure = [] { armed = true; },
            .on_end = [] { armed = false; }});
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(releases, 0u);
  EXPECT_GT(recorder.totals().answered, 50u);
  EXPECT_GT(recorder.totals().failed + recorder.samples().size(), 0u);
  transport->reset();
}

TEST(NoAllocation, TheCounterCounts) {
  armed = true;
  auto p = std::make_unique<int>(1);
  p.reset();
  armed = false;
  EXPECT_EQ(allocations, 1u);
  EXPECT_EQ(releases, 1u);
}

TEST(NoAllocation, NullClosed) { RunArmed({.transport = TransportKind::kNull}); }
TEST(NoAllocation, SocketClosed) { RunArmed({.transport = TransportKind::kSocket}); }
TEST(NoAllocation, EpollClosed) { RunArmed({.transport = TransportKind::kEpoll}); }
TEST(NoAllocation, EpollOpen) { RunArmed({.transport = TransportKind::kEpoll, .open = true}); }
TEST(NoAllocation, UringClosed) { RunArmed({.transport = TransportKind::kUring}); }

}  // namespace
}  // namespace kbench
