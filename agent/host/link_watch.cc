#include "agent/host/link_watch.h"

#include <ifaddrs.h>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

bool SameHost(const sockaddr* a, const sockaddr* b) {
  if (a == nullptr || a->sa_family != b->sa_family) return false;
  if (a->sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in*>(b)->sin_addr.s_addr;
  }
  return a->sa_family == AF_INET6 &&
         std::memcmp(&reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr,
                     &reinterpret_cast<const sockaddr_in6*>(b)->sin6_addr, sizeof(in6_addr)) == 0;
}

// Attributes in a row: visit(type, payload) for each that is whole.
template <typename Visit>
void ForEachAttribute(Bytes bytes, Visit visit) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, bytes.data(), sizeof(attribute));
    if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > bytes.size()) return;
    visit(attribute.rta_type & NLA_TYPE_MASK,
          bytes.subspan(RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)));
    bytes = bytes.subspan(std::min<size_t>(RTA_ALIGN(attribute.rta_len), bytes.size()));
  }
}

Qdisc ParseQdisc(const tcmsg& message, Bytes attributes) {
  Qdisc qdisc = {
      .interface = message.tcm_ifindex, .kind = {}, .root = message.tcm_parent == TC_H_ROOT};
  ForEachAttribute(attributes, [&](int type, Bytes payload) {
    if (type == TCA_KIND) {
      const char* text = reinterpret_cast<const char*>(payload.data());
      qdisc.kind.assign(text, strnlen(text, payload.size()));
    }
    if (type != TCA_STATS2) return;
    ForEachAttribute(payload, [&](int inner, Bytes stats) {
      gnet_stats_queue queue;
      if (inner != TCA_STATS_QUEUE || stats.size() < sizeof(queue)) return;
      std::memcpy(&queue, stats.data(), sizeof(queue));
      qdisc.backlog_bytes = queue.backlog;
      qdisc.drops = queue.drops;
    });
  });
  return qdisc;
}

}  // namespace

absl::StatusOr<std::string> InterfaceTowards(const SocketAddress& peer) {
  // Connecting a datagram socket looks the route up, and sends nothing.
  const Fd probe(socket(peer.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SocketAddress local;
  local.length = sizeof(local.storage);
  if (!probe.valid() || connect(probe.get(), peer.get(), peer.length) != 0 ||
      getsockname(probe.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0) {
    return absl::UnavailableError(absl::StrCat("no route to the server: ", strerror(errno)));
  }
  if (SameHost(local.get(), peer.get())) return "lo";
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) {
    return absl::UnavailableError(absl::StrCat("getifaddrs: ", strerror(errno)));
  }
  std::string found;
  for (const ifaddrs* one = all; one != nullptr && found.empty(); one = one->ifa_next) {
    if (SameHost(one->ifa_addr, local.get())) found = one->ifa_name;
  }
  freeifaddrs(all);
  if (found.empty()) return absl::NotFoundError("no interface has the address of the route");
  return found;
}

std::vector<Qdisc> ParseQdiscs(Bytes datagram, bool* done) {
  std::vector<Qdisc> qdiscs;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) break;
    const Bytes payload = datagram.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) *done = true;
    if (header.nlmsg_type == RTM_NEWQDISC && payload.size() >= sizeof(tcmsg)) {
      tcmsg message;
      std::memcpy(&message, payload.data(), sizeof(message));
      qdiscs.push_back(ParseQdisc(message, payload.subspan(NLMSG_ALIGN(sizeof(tcmsg)))));
    }
    datagram = datagram.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
  return qdiscs;
}

LinkWatch::LinkWatch(std::string interface)
    : interface_(std::move(interface)),
      index_(static_cast<int>(if_nametoindex(interface_.c_str()))),
      netlink_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  // The kernel answers at once; should it ever not, the run must not wait for it.
  const timeval limit = {.tv_sec = 0, .tv_usec = 100'000};
  if (netlink_.valid()) {
    setsockopt(netlink_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
}

uint64_t LinkWatch::ReadCounter(const char* name) const {
  std::ifstream in(absl::StrCat("/sys/class/net/", interface_, "/statistics/", name));
  uint64_t value = 0;
  in >> value;
  return value;
}

std::optional<Qdisc> LinkWatch::ReadRootQdisc() {
  struct {
    nlmsghdr header;
    tcmsg message;
  } request = {};
  request.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(tcmsg)),
                    .nlmsg_type = RTM_GETQDISC,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                    .nlmsg_seq = ++sequence_,
                    .nlmsg_pid = 0};
  request.message.tcm_family = AF_UNSPEC;
  request.message.tcm_ifindex = index_;
  if (!netlink_.valid() || send(netlink_.get(), &request, request.header.nlmsg_len, 0) !=
                               static_cast<ssize_t>(request.header.nlmsg_len)) {
    return std::nullopt;
  }
  std::optional<Qdisc> root;
  alignas(nlmsghdr) uint8_t buffer[32768];
  for (bool done = false; !done;) {
    const ssize_t got = recv(netlink_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (Qdisc& qdisc : ParseQdiscs(Bytes(buffer, static_cast<size_t>(got)), &done)) {
      if (qdisc.interface == index_ && qdisc.root) root = std::move(qdisc);
    }
  }
  return root;
}

void LinkWatch::Look() {
  last_ = {.sent_bytes = ReadCounter("tx_bytes"),
           .received_bytes = ReadCounter("rx_bytes"),
           .sent_packets = ReadCounter("tx_packets"),
           .received_packets = ReadCounter("rx_packets"),
           .drops = ReadCounter("tx_dropped") + ReadCounter("rx_dropped")};
  if (const std::optional<Qdisc> qdisc = ReadRootQdisc(); qdisc.has_value()) {
    last_.queue_drops = qdisc->drops;
    use_.qdisc = qdisc->kind;
    ++use_.backlog_samples;
    use_.backlog_nonempty += qdisc->backlog_bytes > 0;
    use_.backlog_most_bytes = std::max(use_.backlog_most_bytes, qdisc->backlog_bytes);
  }
  if (!std::exchange(begun_, true)) first_ = last_;
}

LinkUse LinkWatch::use() const {
  LinkUse use = use_;
  use.interface = interface_;
  use.sent_bytes = last_.sent_bytes - first_.sent_bytes;
  use.received_bytes = last_.received_bytes - first_.received_bytes;
  use.sent_packets = last_.sent_packets - first_.sent_packets;
  use.received_packets = last_.received_packets - first_.received_packets;
  use.drops = last_.drops - first_.drops + last_.queue_drops - first_.queue_drops;
  return use;
}

}  // namespace kbench
