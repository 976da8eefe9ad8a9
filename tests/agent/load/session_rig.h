// Sessions and their loop over the fake transport, in simulated time.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/load/arrival.h"
#include "agent/load/pump.h"
#include "agent/load/recorder.h"
#include "agent/load/session.h"
#include "agent/load/workload.h"
#include "tests/agent/fake_transport.h"

namespace kbench {

struct RigOptions {
  uint32_t flows = 1;
  uint32_t depth = 1;
  std::optional<Arrival::Options> open;  // of each flow
  std::vector<OpWeight> ops = {{.kind = OpKind::kNoop}};
  uint64_t max_ops = UINT64_MAX;
  Nanos pace = Nanos();
  Nanos warmup;
  Nanos duration = Seconds(1);
  MonoTime again_until;
  bool widens = false;
  Nanos op_timeout = Seconds(10);
  uint32_t sample_every = 0;
  size_t samples_max = 1000;
  uint32_t value_bytes = 100;
  uint64_t seed = 1;
  uint32_t batch_ops = 0;  // of the operation batch
  bool verify = false;
  bool reopens = false;  // at the tick after its loss
};

class Rig {
 public:
  static constexpr MonoTime kStart = MonoTime(1'000'000'000);

  Rig(const RigOptions& options, FakeTransport::Judge judge)
      : options_(options),
        transport_(options.value_bytes, std::move(judge)),
        key_(kinetic::kFactoryKey),
        values_(options.seed, options.value_bytes) {
    SimClock::Set(MonoTime(1));
    for (uint32_t i = 0; i < options.flows; ++i) {
      const FlowId flow = *transport_.Connect({}, Seconds(1));
      sessions_.push_back(std::make_unique<Session>(
          Session::Options{.flow = flow,
                           .depth_max = options.depth,
                           .op_timeout = options.op_timeout,
                           .sample_every = options.sample_every,
                           .sample_seed = options.seed,
                           .batch_parts = options.batch_ops,
                           .verify = options.verify,
                           .value_bytes = options.value_bytes,
                           .requests = {.keys = KeyGenerator(options.seed, 0, 16),
                                        .key_count = 100,
                                        .batch_ops = options.batch_ops,
                                        .key = &key_,
                                        .values = &values_},
                           .now = &SimClock::Now},
          &transport_));
    }
    pump_ = std::make_unique<Pump>(Pump::Options{.now = &SimClock::Now}, &transport_, &sessions_);
    std::atomic<bool> stop = false;
    pump_->AwaitHandshakes(MonoTime(1) + Seconds(1), stop);
  }

  // Runs the stage from kStart to its end and gives the record.
  const Recorder& Run() {
    recorder_ = std::make_unique<Recorder>(
        Recorder::Options{.ops = options_.ops.size(),
                          .samples_max = options_.samples_max,
                          .clocks = {},
                          .window_from = kStart + options_.warmup,
                          .window_until = kStart + options_.warmup + options_.duration});
    for (uint32_t i = 0; i < options_.flows; ++i) {
      streams_.push_back(std::make_unique<OpStream>(OpStream::Options{
          .ops = options_.ops, .keys = 100, .seed = SessionSeed(options_.seed, 0, i)}));
      if (options_.open.has_value()) {
        Arrival::Options arrival = *options_.open;
        arrival.start = kStart;
        arrival.seed += i;
        arrivals_.push_back(std::make_unique<Arrival>(arrival));
      }
      sessions_[i]->Begin({.ops = streams_.back().get(),
                           .arrival = arrivals_.empty() ? nullptr : arrivals_.back().get(),
                           .depth = options_.depth,
                           .reopens = options_.reopens,
                           .max_ops = options_.max_ops,
                           .pace = options_.pace,
                           .again_until = options_.again_until,
                           .widens = options_.widens,
                           .start = kStart,
                           .measure_from = kStart + options_.warmup,
                           .recorder = recorder_.get()});
    }
    end_ns_ = (kStart + options_.warmup + options_.duration).ns();
    pump_->Run({.start = kStart,
                .measure_from = kStart + options_.warmup,
                .end_ns = &end_ns_,
                .recorder = recorder_.get(),
                .progress = &progress_,
                .on_lost = on_lost,
                .on_tick = [this](MonoTime) { Reopen(); }});
    return *recorder_;
  }

  void EndNow() { end_ns_ = SimClock::Now().ns(); }
  FakeTransport& transport() { return transport_; }
  Session& session(uint32_t i = 0) { return *sessions_[i]; }
  const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
  const SharedProgress& progress() const { return progress_; }
  std::function<void()> on_lost;

 private:
  void Reopen() {
    for (const auto& session : sessions_) {
      if (!options_.reopens || !session->closed()) continue;
      EXPECT_TRUE(transport_.Reopen(session->flow(), {}, Seconds(1)).ok());
      session->Reopened();
    }
  }

  RigOptions options_;
  FakeTransport transport_;
  kinetic::HmacKey key_;
  ValuePool values_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<std::unique_ptr<OpStream>> streams_;
  std::vector<std::unique_ptr<Arrival>> arrivals_;
  std::atomic<int64_t> end_ns_ = 0;
  SharedProgress progress_;
};

inline const Histogram& PhaseOf(const OpStats& stats, Phase phase) {
  return stats.phases[static_cast<int>(phase)];
}

}  // namespace kbench
