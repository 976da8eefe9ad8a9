#include "agent/observer/packet_ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/observer/port_filter.h"
#include "base/status_macros.h"

namespace kbench::observer {
namespace {

absl::Status Failed(absl::string_view what) {
  const std::string why = std::strerror(errno);
  if (errno == EPERM || errno == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(
        "observing packets needs the capability CAP_NET_RAW (", what, ": ", why,
        "); give it to the program with `setcap cap_net_raw+ep PROGRAM`, or run it as root"));
  }
  if (errno == ENOMEM) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for the packet ring (", what, ")"));
  }
  return absl::UnavailableError(absl::StrCat("packets cannot be observed: ", what, ": ", why));
}

template <typename T>
absl::Status Set(int fd, int level, int option, const T& value, absl::string_view name) {
  if (setsockopt(fd, level, option, &value, sizeof value) == 0) return absl::OkStatus();
  return Failed(name);
}

PacketType TypeOf(uint8_t type) {
  switch (type) {
    case PACKET_OUTGOING:
      return PacketType::kOutgoing;
    case PACKET_HOST:
      return PacketType::kIncoming;
    default:
      return PacketType::kOther;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketRing>> PacketRing::Open(const Options& options) {
  std::unique_ptr<PacketRing> ring(new PacketRing);
  RETURN_IF_ERROR(ring->SetUp(options));
  return ring;
}

absl::Status PacketRing::SetUp(const Options& options) {
  // Protocol 0: nothing comes in before bind(), so nothing comes in that the filter has not seen.
  fd_ = Fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.valid()) return Failed("socket");
  const int fd = fd_.get();
  std::vector<sock_filter> filter = PortFilter(options.port, options.view);
  const sock_fprog program = {.len = static_cast<uint16_t>(filter.size()), .filter = filter.data()};
  RETURN_IF_ERROR(Set(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, "SO_ATTACH_FILTER"));
  RETURN_IF_ERROR(Set(fd, SOL_PACKET, PACKET_VERSION, int{TPACKET_V3}, "PACKET_VERSION"));
  // The first makes the kernel stamp packets where they come in, the second makes the ring take
  // that stamp and not the time at which it was written.
  RETURN_IF_ERROR(Set(fd, SOL_SOCKET, SO_TIMESTAMPING,
                      int{SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE},
                      "SO_TIMESTAMPING"));
  RETURN_IF_ERROR(
      Set(fd, SOL_PACKET, PACKET_TIMESTAMP, int{SOF_TIMESTAMPING_SOFTWARE}, "PACKET_TIMESTAMP"));
  constexpr unsigned kFrameBytes = 2048;  // only a divisor for TPACKET_V3
  blocks_ = options.blocks;
  const tpacket_req3 request = {
      .tp_block_size = kBlockBytes,
      .tp_block_nr = static_cast<unsigned>(blocks_),
      .tp_frame_size = kFrameBytes,
      .tp_frame_nr = static_cast<unsigned>(kBlockBytes / kFrameBytes * blocks_),
      .tp_retire_blk_tov = static_cast<unsigned>(kRetire.count() / 1'000'000)};
  RETURN_IF_ERROR(Set(fd, SOL_PACKET, PACKET_RX_RING, request, "PACKET_RX_RING"));
  void* memory = mmap(nullptr, kBlockBytes * blocks_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Failed("mmap");
  memory_ = static_cast<uint8_t*>(memory);
  const sockaddr_ll every_interface = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  if (bind(fd, reinterpret_cast<const sockaddr*>(&every_interface), sizeof every_interface) != 0) {
    return Failed("bind");
  }
  return absl::OkStatus();
}

PacketRing::~PacketRing() {
  if (memory_ != nullptr) munmap(memory_, kBlockBytes * blocks_);
}

bool PacketRing::Drain(const std::function<void(const Packet&)>& take) {
  bool any = false;
  // Once round at most, so that whoever waits for the end of it gets a turn.
  for (size_t i = 0; i < blocks_; ++i) {
    auto* block = reinterpret_cast<tpacket_block_desc*>(memory_ + next_ * kBlockBytes);
    std::atomic_ref<uint32_t> status(block->hdr.bh1.block_status);
    if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) break;
    DrainBlock(*block, take);
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % blocks_;
    any = true;
  }
  return any;
}

void PacketRing::DrainBlock(const tpacket_block_desc& block,
                            const std::function<void(const Packet&)>& take) const {
  const auto* at = reinterpret_cast<const uint8_t*>(&block) + block.hdr.bh1.offset_to_first_pkt;
  for (uint32_t i = 0; i < block.hdr.bh1.num_pkts; ++i) {
    const auto* header = reinterpret_cast<const tpacket3_hdr*>(at);
    const auto* link =
        reinterpret_cast<const sockaddr_ll*>(at + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
    take({.stamp = RealTime(int64_t{header->tp_sec} * 1'000'000'000 + header->tp_nsec),
          .network = Bytes(at + header->tp_net, header->tp_snaplen),
          .network_size = header->tp_len,
          .ethertype = ntohs(link->sll_protocol),
          .type = TypeOf(link->sll_pkttype),
          .interface = link->sll_ifindex});
    at += header->tp_next_offset;
  }
}

uint64_t PacketRing::Drops() {
  tpacket_stats_v3 stats = {};
  socklen_t size = sizeof stats;
  // Reading it sets it back.
  if (getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) {
    drops_ += stats.tp_drops;
  }
  return drops_;
}

}  // namespace kbench::observer
