// The interface towards the server: what it carried, what it dropped, and whether packets stood in
// its egress queue.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/bytes.h"
#include "base/fd.h"

namespace kbench {

struct LinkUse {
  std::string interface;
  std::string qdisc;        // kind of its root queue: "fq", "mq", "noqueue"; empty: not known
  uint64_t sent_bytes = 0;  // frames with their headers
  uint64_t received_bytes = 0;
  uint64_t sent_packets = 0;
  uint64_t received_packets = 0;
  uint64_t drops = 0;  // by the device, either way, and by its root queue
  uint32_t backlog_samples = 0;
  uint32_t backlog_nonempty = 0;
  uint64_t backlog_most_bytes = 0;
};

// By which interface this host reaches `peer`; "lo" for an address of its own.
absl::StatusOr<std::string> InterfaceTowards(const SocketAddress& peer);

// A queueing discipline in the kernel's answer to RTM_GETQDISC.
struct Qdisc {
  int interface = 0;  // index
  std::string kind;
  bool root = false;
  uint64_t backlog_bytes = 0;
  uint64_t drops = 0;
};
// Those in one datagram; `*done`: the answer ends with it. What is cut off or of another kind is
// passed over.
std::vector<Qdisc> ParseQdiscs(Bytes datagram, bool* done);

// Reads one interface again and again.
class LinkWatch {
 public:
  explicit LinkWatch(std::string interface);

  // A look: the first begins what use() adds up.
  void Look();
  LinkUse use() const;

 private:
  struct Counters {
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    uint64_t sent_packets = 0;
    uint64_t received_packets = 0;
    uint64_t drops = 0;
    uint64_t queue_drops = 0;
  };

  uint64_t ReadCounter(const char* name) const;
  std::optional<Qdisc> ReadRootQdisc();

  const std::string interface_;
  const int index_;
  Fd netlink_;
  uint32_t sequence_ = 0;
  bool begun_ = false;
  Counters first_;
  Counters last_;
  LinkUse use_;  // of the queue
};

}  // namespace kbench
