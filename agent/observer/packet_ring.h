// The kernel's ring of packets (AF_PACKET, TPACKET_V3) for one port: packets are read where the
// kernel put them.
//
// What a stamp is: an incoming packet has that of netif_receive, where the driver handed it to the
// stack, before any queue of ours; an outgoing one that of its hand-off to the driver, behind the
// queueing discipline. Both are software's, also on loopback and veth, where the hand-off of one
// end is the receipt of the other. What happens between a driver and the wire is not in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "agent/observer/packet.h"
#include "agent/observer/packet_observer.h"
#include "base/fd.h"

struct tpacket_block_desc;

namespace kbench::observer {

class PacketRing {
 public:
  struct Options {
    uint16_t port = 0;
    View view = View::kClient;
    size_t blocks = 64;  // of kBlockBytes
  };
  static constexpr size_t kBlockBytes = 1u << 20;
  // A block that has packets in it is handed over after so long, full or not.
  static constexpr Nanos kRetire = Millis(20);

  // From here on packets come in. PermissionDenied without CAP_NET_RAW.
  static absl::StatusOr<std::unique_ptr<PacketRing>> Open(const Options& options);
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  int fd() const { return fd_.get(); }  // readable: there is a block
  // Gives every packet of the blocks that are there to `take`; true: there was one.
  bool Drain(const std::function<void(const Packet&)>& take);
  // Packets that the kernel had no room for, since it was opened.
  uint64_t Drops();

 private:
  PacketRing() = default;
  absl::Status SetUp(const Options& options);
  void DrainBlock(const tpacket_block_desc& block,
                  const std::function<void(const Packet&)>& take) const;

  Fd fd_;
  size_t blocks_ = 0;
  size_t next_ = 0;
  uint8_t* memory_ = nullptr;
  uint64_t drops_ = 0;
};

}  // namespace kbench::observer
