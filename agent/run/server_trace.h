// The server's own account of our requests: the residence records of the reference server (see
// kinetic/residence.h), fetched when the load is over, over a connection of its own. Another make
// of server has none; then the split of network and server is "not available", with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/load/op_record.h"
#include "base/address.h"
#include "base/clock.h"
#include "kinetic/residence.h"
#include "transport/transport.h"

namespace kbench {

struct ServerTrace {
  struct Record {
    int64_t connection_id = 0;
    kinetic::Residence residence;
  };
  bool available = false;
  std::string reason;        // why not
  uint64_t overwritten = 0;  // records that the server no longer had, over all connections
  Nanos clock_step;
  std::string service_spec;
  std::vector<Record> records;  // of the sampled requests only
};

struct TraceRequest {
  SocketAddress server;
  int64_t identity = 0;
  std::string hmac_key;
  std::optional<TlsOptions> tls;
  Nanos timeout;  // of each request
};

// Records of those requests of which `samples` has a record.
ServerTrace FetchServerTrace(const TraceRequest& request, const std::vector<OpRecord>& samples);

}  // namespace kbench
