#include "agent/observer/port_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <utility>

#include "absl/strings/string_view.h"
#include "kinetic/frame.h"

namespace kbench::observer {
namespace {

constexpr uint32_t kWhole = 0x7fffffff;  // bytes to copy
constexpr uint32_t kTcp = 6;
// Of frames that are believed to be one.
constexpr uint32_t kMessageMax = 64u << 10, kValueMax = 8u << 20;

// Instructions with labels for distances. A and X are the filter machine's registers.
class Program {
 public:
  void Do(int code, uint32_t k = 0) {
    code_.push_back({.code = static_cast<uint16_t>(code), .k = k});
  }
  void Load8(uint32_t at) { Do(BPF_LD | BPF_B | BPF_ABS, at); }
  void Load16(uint32_t at) { Do(BPF_LD | BPF_H | BPF_ABS, at); }
  void LoadPacketType() { Do(BPF_LD | BPF_W | BPF_ABS, uint32_t(SKF_AD_OFF) + SKF_AD_PKTTYPE); }
  void LoadProtocol() { Do(BPF_LD | BPF_W | BPF_ABS, uint32_t(SKF_AD_OFF) + SKF_AD_PROTOCOL); }
  // Goes to `label` when it holds of A, else on.
  void IfEqual(uint32_t k, absl::string_view label) { Jump(BPF_JEQ | BPF_K, k, label); }
  void IfAnyBit(uint32_t k, absl::string_view label) { Jump(BPF_JSET | BPF_K, k, label); }
  void IfGreater(uint32_t k, absl::string_view label) { Jump(BPF_JGT | BPF_K, k, label); }
  void IfNotBelowX(absl::string_view label) { Jump(BPF_JGE | BPF_X, 0, label); }
  void Go(absl::string_view label) { Jump(BPF_JA, 0, label); }
  void Return(uint32_t bytes) { Do(BPF_RET | BPF_K, bytes); }
  void Label(absl::string_view label) { labels_.emplace_back(label, code_.size()); }

  std::vector<sock_filter> Finish() {
    for (const auto& [label, from] : jumps_) {
      for (const auto& [name, at] : labels_) {
        if (name != label) continue;
        const size_t distance = at - from - 1;
        if (code_[from].code == (BPF_JMP | BPF_JA)) {
          code_[from].k = static_cast<uint32_t>(distance);
        } else {
          code_[from].jt = static_cast<uint8_t>(distance);
        }
      }
    }
    return std::move(code_);
  }

 private:
  void Jump(int how, uint32_t k, absl::string_view label) {
    jumps_.emplace_back(label, code_.size());
    Do(BPF_JMP | how, k);
  }

  std::vector<sock_filter> code_;
  std::vector<std::pair<absl::string_view, size_t>> jumps_, labels_;
};

// X: where the TCP header is. Passes a segment of the port in the view's directions.
void CheckPort(uint16_t port, View view, Program* p) {
  constexpr uint32_t kSource = 0, kDestination = 2;
  const bool client = view == View::kClient;
  p->LoadPacketType();
  p->IfEqual(PACKET_OUTGOING, "outgoing");
  p->IfEqual(PACKET_HOST, "incoming");
  p->Return(0);
  p->Label("incoming");
  p->Do(BPF_LD | BPF_H | BPF_IND, client ? kSource : kDestination);
  p->IfEqual(port, "tcp");
  p->Return(0);
  p->Label("outgoing");
  p->Do(BPF_LD | BPF_H | BPF_IND, client ? kDestination : kSource);
  p->IfEqual(port, "tcp");
  p->Return(0);
}

// X: where the TCP header is, of a segment to be passed.
void PassSegment(Program* p) {
  constexpr uint32_t kPayload = 0, kMessage = 1, kPlace = 2;  // words of the filter's memory
  p->Do(BPF_LD | BPF_B | BPF_IND, 12);                        // header's length in words, times 16
  p->Do(BPF_ALU | BPF_AND | BPF_K, 0xf0);
  p->Do(BPF_ALU | BPF_RSH | BPF_K, 2);
  p->Do(BPF_ALU | BPF_ADD | BPF_X);
  p->Do(BPF_MISC | BPF_TAX);  // X: where the payload is
  p->Do(BPF_STX, kPlace);
  p->Do(BPF_LD | BPF_W | BPF_LEN);
  p->IfNotBelowX("has payload");
  p->Return(kWhole);
  p->Label("has payload");
  p->Do(BPF_ALU | BPF_SUB | BPF_X);
  // Loading beyond the packet would drop it.
  p->IfGreater(kinetic::kFrameHeaderSize, "has frame header");
  p->Return(kWhole);
  p->Label("has frame header");
  p->Do(BPF_ST, kPayload);
  p->Do(BPF_LD | BPF_B | BPF_IND, 0);
  p->IfEqual(kinetic::kFrameMagic, "frame");
  p->Return(kWhole);
  p->Label("frame");
  p->Do(BPF_LD | BPF_W | BPF_IND, 1);
  p->IfGreater(kMessageMax, "pass");
  p->Do(BPF_ST, kMessage);
  p->Do(BPF_LD | BPF_W | BPF_IND, 5);
  p->IfGreater(kValueMax, "pass");
  p->Do(BPF_LDX | BPF_W | BPF_MEM, kMessage);
  p->Do(BPF_ALU | BPF_ADD | BPF_X);
  p->Do(BPF_ALU | BPF_ADD | BPF_K, kinetic::kFrameHeaderSize);
  p->Do(BPF_LDX | BPF_W | BPF_MEM, kPayload);
  p->IfNotBelowX("nothing behind");
  p->Return(kWhole);
  p->Label("nothing behind");
  p->Do(BPF_LD | BPF_W | BPF_MEM, kPlace);
  p->Do(BPF_LDX | BPF_W | BPF_MEM, kMessage);
  p->Do(BPF_ALU | BPF_ADD | BPF_X);
  p->Do(BPF_ALU | BPF_ADD | BPF_K, kinetic::kFrameHeaderSize);
  p->Do(BPF_RET | BPF_A);
}

}  // namespace

std::vector<sock_filter> PortFilter(uint16_t port, View view) {
  Program p;
  p.LoadProtocol();
  p.IfEqual(ETH_P_IP, "ipv4");
  p.IfEqual(ETH_P_IPV6, "ipv6");
  p.IfEqual(ETH_P_8021Q, "pass");
  p.IfEqual(ETH_P_8021AD, "pass");
  p.Return(0);
  p.Label("ipv4");
  p.Load8(9);
  p.IfEqual(kTcp, "ipv4 tcp");
  p.Return(0);
  p.Label("ipv4 tcp");
  p.Load16(6);
  p.IfAnyBit(0x1fff, "drop");          // a later fragment: it has no ports
  p.Do(BPF_LDX | BPF_B | BPF_MSH, 0);  // X: the IP header's length
  p.Go("port");
  p.Label("ipv6");
  p.Load8(6);
  p.Do(BPF_LDX | BPF_W | BPF_IMM, 40);
  p.IfEqual(kTcp, "port");
  for (const uint32_t extension : {0, 43, 44, 51, 60}) p.IfEqual(extension, "pass");
  p.Label("drop");
  p.Return(0);
  p.Label("port");
  CheckPort(port, view, &p);
  p.Label("tcp");
  PassSegment(&p);
  p.Label("pass");
  p.Return(kWhole);
  return p.Finish();
}

}  // namespace kbench::observer
