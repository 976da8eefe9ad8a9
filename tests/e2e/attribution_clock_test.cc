// Row 8 of the table of acceptance: the server's clock is edited in recorded evidence, by an offset
// and a rate, and no part moves by more than 1 us. The namespaces of one machine share a clock, so
// that this can only be done afterwards.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "analysis/evidence/run_summary.h"
#include "analysis/split/decomposition.h"
#include "tests/analysis/synthetic.h"
#include "tests/e2e/acceptance.h"

namespace kbench::analysis {
namespace {

constexpr int64_t kRealtimeAhead = 1'700'000'000'000'000'000;  // of the host's monotonic clock

struct ClockEdit {
  std::string name;
  int64_t offset_ns = 0;
  double ppm = 0;
};

// Requests of very different residences; their wire records on both hosts, whose clocks agree.
RunEvidence Recorded() {
  std::vector<Request> requests;
  for (int i = 0; i < 300; ++i) {
    Request request;
    request.network += 97 * i;
    request.server = i % 10 == 0 ? 4'000'000 : 30'000 + 311 * i;
    requests.push_back(request);
  }
  RunEvidence run = MakeRun({MakeAgent({.requests = requests})});
  result::RunResult& agent = run.agents[0];
  result::WireTrace& client = *agent.mutable_wire();
  result::WireTrace server;
  for (result::WireTrace* trace : {&client, &server}) {
    trace->set_available(true);
    trace->set_place(trace == &client ? result::WireTrace::CLIENT : result::WireTrace::SERVER);
    trace->set_monotonic(1);
    trace->set_realtime(1 + kRealtimeAhead);
    trace->set_requests(requests.size());
    trace->set_answered(requests.size());
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const result::OpSample& sample = agent.samples(static_cast<int>(i));
    const auto add = [&](result::WireTrace* to, int64_t request_at, int64_t response_at) {
      result::WireRecord& record = *to->add_records();
      record.set_connection_id(sample.connection_id());
      record.set_sequence(sample.sequence());
      record.set_request_first(kRealtimeAhead + request_at);
      record.set_request_last(kRealtimeAhead + request_at + 100);
      record.set_response_first(kRealtimeAhead + response_at - 100);
      record.set_response_last(kRealtimeAhead + response_at);
    };
    const int64_t sent = sample.kernel_sent(), received = sample.kernel_received();
    const int64_t each_way = requests[i].network / 2;
    add(&client, sent, received);
    add(&server, sent + each_way, sent + each_way + requests[i].server);
  }
  run.server_wire = server;
  return run;
}

// What the same run would have left if the server's clock had been another. Its observer's pair of
// both clocks moves along: to that host it was right.
RunEvidence Edited(RunEvidence run, const ClockEdit& edit) {
  const auto other = [&](int64_t ns) {
    const double since = static_cast<double>(ns - kRealtimeAhead);
    return ns + edit.offset_ns + std::llround(since * edit.ppm * 1e-6);
  };
  run.server_wire->set_realtime(other(run.server_wire->realtime()));
  for (result::WireRecord& record : *run.server_wire->mutable_records()) {
    record.set_request_first(other(record.request_first()));
    record.set_request_last(other(record.request_last()));
    record.set_response_first(other(record.response_first()));
    record.set_response_last(other(record.response_last()));
  }
  for (result::RunResult& agent : run.agents) {
    for (auto& record : *agent.mutable_server_trace()->mutable_records()) {
      record.set_residence_ns(
          std::llround(static_cast<double>(record.residence_ns()) * (1 + edit.ppm * 1e-6)));
    }
  }
  return run;
}

Decomposition Parts(const RunEvidence& run) { return Decompose(run, Summarize(run), "get"); }

TEST(AttributionClock, Row8TheServersClockIsNobodysBusiness) {
  const RunEvidence recorded = Recorded();
  const Decomposition before = Parts(recorded);
  ASSERT_EQ(before.parts.size(), 8u);
  for (const ClockEdit& edit :
       {ClockEdit{"+3.7 ms", 3'700'000, 0}, ClockEdit{"-250 ms", -250'000'000, 0},
        ClockEdit{"50 ppm", 0, 50}, ClockEdit{"-250 ms and 200 ppm", -250'000'000, 200}}) {
    const Decomposition after = Parts(Edited(recorded, edit));
    ASSERT_EQ(after.parts.size(), before.parts.size()) << edit.name;
    EXPECT_EQ(after.samples_used, before.samples_used) << edit.name;
    double most = 0;
    for (size_t i = 0; i < before.parts.size(); ++i) {
      EXPECT_EQ(after.parts[i].name, before.parts[i].name);
      for (const double moved :
           {after.parts[i].mean_ns - before.parts[i].mean_ns,
            static_cast<double>(after.parts[i].p50_ns - before.parts[i].p50_ns),
            static_cast<double>(after.parts[i].p99_ns - before.parts[i].p99_ns)}) {
        most = std::max(most, std::abs(moved) / 1e3);
      }
    }
    e2e::Accept({.row = "8",
                 .injection = "server's clock " + edit.name + ", in the evidence",
                 .quantity = "most that any part moved",
                 .measured = {most, most, most},
                 .least = 0,
                 .most = 1,
                 .unit = "us"});
  }
}

// The edit does reach what is computed: a rate makes residences longer, and only that.
TEST(AttributionClock, ARateIsInTheResidenceAlone) {
  const RunEvidence recorded = Recorded();
  const auto server_mean = [](const Decomposition& d) {
    for (const PartStats& part : d.parts) {
      if (part.name == "server") return part.mean_ns;
    }
    return 0.0;
  };
  const double before = server_mean(Parts(recorded));
  const double after = server_mean(Parts(Edited(recorded, {"", 0, 10'000})));
  EXPECT_NEAR(after / before, 1.01, 1e-5);
}

}  // namespace
}  // namespace kbench::analysis
