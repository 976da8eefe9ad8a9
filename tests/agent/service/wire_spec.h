// A valid spec as a controller sends it, for tests to bend.
#pragma once

#include <string>

#include "kinetic/types.h"
#include "proto/agent.pb.h"

namespace kbench {

inline control::RunSpec WireSpec(const std::string& server) {
  control::RunSpec spec;
  spec.set_run_id("run-1");
  spec.set_agent_count(1);
  spec.set_server(server);
  spec.set_identity(kinetic::kFactoryIdentity);
  spec.set_hmac_key(std::string(kinetic::kFactoryKey));
  spec.set_transport("epoll");
  spec.set_workers(1);
  spec.set_flows(2);
  spec.set_depth(2);
  spec.mutable_closed();
  control::OpShare* put = spec.add_ops();
  put->set_op("put");
  put->set_weight(1);
  spec.set_keys(10);
  spec.set_key_order("uniform");
  spec.set_key_bytes(16);
  spec.set_value_bytes(100);
  spec.set_range_keys(7);
  spec.set_batch_ops(3);
  spec.set_seed(1);
  spec.set_duration_ns(100'000'000);
  spec.set_op_timeout_ns(2'000'000'000);
  spec.set_connect_timeout_ns(30'000'000'000);
  spec.set_poll("block");
  spec.set_flush("batch");
  spec.set_samples_max(1000);
  spec.set_synchronization("writeback");
  return spec;
}

}  // namespace kbench
