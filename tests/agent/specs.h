// A small, valid run for tests to bend.
#pragma once

#include "agent/load/run_spec.h"
#include "base/address.h"

namespace kbench {

inline RunSpec SmallSpec(const HostPort& server) {
  RunSpec spec;
  spec.run_id = "test-run";
  spec.server = server;
  spec.hmac_key = std::string(kinetic::kFactoryKey);
  spec.transport = TransportKind::kEpoll;
  spec.ops = {{.kind = OpKind::kGet, .weight = 1}, {.kind = OpKind::kPut, .weight = 1}};
  spec.keys = 20;
  spec.value_bytes = 100;
  spec.seed = 42;
  spec.key_seed = 43;
  spec.duration = Millis(100);
  spec.op_timeout = Seconds(2);
  spec.connect_timeout = Seconds(30);
  return spec;
}

}  // namespace kbench
