// Row 12 of the table of acceptance: stamps that are left in the sockets' error queues turn a
// client that sleeps into one that spins, with a lower latency for it. Such a run has to say so.
// Leaving them there is nothing that a campaign can ask for, so the agent's runner is driven here
// directly.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/run/runner.h"
#include "base/address.h"
#include "kinetic/hmac.h"
#include "tests/base/foreign_cpu.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"

namespace kbench::e2e {
namespace {

bool Refuses(const RunOutcome& outcome) {
  return std::any_of(outcome.caveats.begin(), outcome.caveats.end(),
                     [](const auto& caveat) { return caveat.code == "stamps_undrained"; });
}

double WaitsPerAnswer(const RunOutcome& outcome) {
  return static_cast<double>(outcome.use.transport.waits) /
         static_cast<double>(outcome.totals().answered);
}

class Guards : public LabTest {};

TEST_F(Guards, Row12StampsThatAreLeftInTheErrorQueueAreNoticed) {
  // An answer that takes its time leaves the client time to spin.
  const LabServer server(*lab_, {"--service-time", "get=1ms"});
  for (const auto& [transport, name] :
       {std::pair(TransportKind::kEpoll, "epoll"), {TransportKind::kUring, "uring"}}) {
    double right = 0, drained = 0, left = 0;
    const ForeignCpu others;
    for (const bool leave : {false, true}) {
      RunSpec spec;
      spec.run_id = "guard";
      spec.server = *ParseHostPort(server.direct());
      spec.hmac_key = std::string(kinetic::kFactoryKey);
      spec.transport = transport;
      spec.ops = {{.kind = OpKind::kGet, .weight = 1}};
      spec.keys = 20;
      spec.value_bytes = 1024;
      spec.load = true;
      spec.duration = Seconds(60);
      spec.max_ops_per_flow = 50;  // of 200 and more the error queue fills the receive buffer
      spec.sample_every = 1;
      spec.samples_max = 1000;
      spec.leave_stamps = leave;
      lab_->In(Host::kClient, [&] {
        Runner runner(spec);
        ASSERT_TRUE(runner.Prepare().ok());
        ASSERT_TRUE(runner.Load().ok());
        const auto outcome = runner.Run(MonoNow() + Millis(30), [](const Interval&) {});
        ASSERT_TRUE(outcome.ok()) << outcome.status();
        right += Refuses(*outcome) == leave ? 0.5 : 0;
        (leave ? left : drained) = WaitsPerAnswer(*outcome);
      });
    }
    const double foreign = others.Cpus();
    const auto accept = [&](const char* quantity, double value, double least, double most) {
      Accept({.row = "12",
              .injection = absl::StrCat("stamps left in the error queue, ", name),
              .quantity = quantity,
              .measured = {value, value, value},
              .least = least,
              .most = most,
              .unit = "",
              .foreign_cpus = foreign});
    };
    accept("share of runs that are refused if, and only if, stamps were left", right, 1, 1);
    // A ring is not woken by the error queue of a socket that it receives from.
    if (transport == TransportKind::kEpoll) {
      accept("waits per answer, times those without", left / drained, 2, 1e12);
    }
  }
}

}  // namespace
}  // namespace kbench::e2e
