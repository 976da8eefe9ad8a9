// One run on one agent, resolved: nothing is left to choose. The plain twin of control::RunSpec;
// run_proto makes and checks it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/load/arrival.h"
#include "agent/load/external_client.h"
#include "agent/load/workload.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/value_sizes.h"
#include "kinetic/tag.h"
#include "kinetic/types.h"
#include "transport/transport.h"

namespace kbench {

// Delays of known size, to prove the attribution and to find sensitivities.
struct Inject {
  Nanos encode;             // burned while a request is encoded
  Nanos decode;             // burned while an answer is decoded
  bool relay = false;       // a relay on this host stands between the flows and the server ...
  Nanos relay_delay;        // ... holds everything for so long, each way ...
  int64_t relay_rate = 0;   // ... and is a link of so many bit/s, each way; 0: no bound
  bool keep_awake = false;  // no delay: CPUs stay out of their idle states

  bool any() const { return encode > Nanos() || decode > Nanos() || relay; }
};

struct RunSpec {
  std::string run_id;
  uint32_t agent_index = 0;
  uint32_t agent_count = 1;
  HostPort server;
  int64_t identity = kinetic::kFactoryIdentity;
  std::string hmac_key;  // secret: never logged, never in a result
  TransportKind transport = TransportKind::kSocket;
  uint32_t workers = 1;
  std::optional<TlsOptions> tls;      // none: plain TCP
  std::vector<uint32_t> worker_cpus;  // one per worker, or empty: not pinned
  uint32_t flows = 1;                 // flow f belongs to worker f mod workers
  uint32_t depth = 1;
  std::optional<OpenLoop> open;  // none: a closed loop
  std::vector<OpWeight> ops;
  uint64_t keys = 1;
  KeyOrder key_order = KeyOrder::kUniform;
  double zipf_theta = 0.99;  // zipf, latest
  double hot_keys = 0.2;     // hotspot: share of the keys, and of the requests to them
  double hot_requests = 0.8;
  bool load = false;    // the keys are to be there
  bool reuse = false;   // ... so look first, and write them only when they are not
  bool verify = false;  // look at every value that is read
  std::optional<kinetic::TagAlgorithm> tag;  // of puts; none: they carry none
  uint32_t key_bytes = 16;
  uint32_t value_bytes = 0;               // of the largest value
  std::optional<ValueSizes> value_sizes;  // none: all of value_bytes
  double compressible = 0;                // share of the bytes behind a value's label
  uint32_t range_keys = 100;
  uint32_t batch_ops = 10;  // puts of a batch
  uint64_t seed = 0;
  uint64_t key_seed = 0;  // of the keys' names
  Nanos warmup;
  Nanos duration;
  Nanos op_timeout = Seconds(10);
  Nanos connect_timeout = Seconds(5);
  uint32_t reconnects = 0;  // attempts to open a flow again that is lost in the window, per flow
  PollMode poll = PollMode::kBlock;
  FlushMode flush = FlushMode::kBatch;
  uint32_t sample_every = 0;
  uint32_t samples_max = 0;
  int send_buffer_bytes = 0;
  int receive_buffer_bytes = 0;
  kinetic::Synchronization synchronization = kinetic::Synchronization::kWriteBack;
  std::string congestion_control;
  bool observe = false;  // watch the packets of the run's flows on this host
  Inject inject;
  std::optional<ExternalClient> client;  // makes the load, and this agent none

  // Not on the wire, by this agent's owner: of each flow, two puts of the load are due at least so
  // far apart; how long the load may take. Zero: no bound.
  Nanos load_pace;
  Nanos load_most;

  // Not on the wire, for tests: each flow stops after this many requests (0: at the window's end),
  // and each system call moves at most so many bytes (0: no limit).
  uint64_t max_ops_per_flow = 0;
  uint32_t max_bytes_per_call = 0;
  bool leave_stamps = false;  // TransportOptions::leave_stamps

  ValueSizes sizes() const { return value_sizes ? *value_sizes : ValueSizes::Fixed(value_bytes); }

  // Frames of a batch but the last; 0 when the mix has none.
  uint32_t batch_parts() const {
    const auto is_batch = [](const OpWeight& op) { return op.kind == OpKind::kBatch; };
    return std::any_of(ops.begin(), ops.end(), is_batch) ? batch_ops : 0;
  }
};

}  // namespace kbench
