// What a server tells the network about itself, heard on loopback.
#include "server/announcer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/process.h"

namespace kbench::server {
namespace {

// A listener in the group, on the loopback interface alone.
class Ear {
 public:
  Ear() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
    sockaddr_in address = *reinterpret_cast<const sockaddr_in*>(any->get());
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      std::abort();
    }
    ip_mreq membership = {};
    membership.imr_multiaddr.s_addr = htonl(0xef010203);  // 239.1.2.3
    membership.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    joined_ =
        setsockopt(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) == 0;
    const timeval patience = {.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  bool joined() const { return joined_; }
  std::string group() const { return absl::StrCat("239.1.2.3:", LocalAddress(fd_.get())->port); }
  std::string Hear() {
    std::string text(65536, '\0');
    const ssize_t n = recv(fd_.get(), text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
  }

 private:
  Fd fd_;
  bool joined_ = false;
};

TEST(Announcer, TellsWhereTheServerListens) {
  Ear ear;
  if (!ear.joined()) GTEST_SKIP() << "the loopback interface takes no multicast here";
  e2e::Daemon server("kbench-server", {"--announce", ear.group(), "--tls-listen", "127.0.0.1:0"});
  const std::string text = ear.Hear();
  ASSERT_FALSE(text.empty()) << "nothing was heard in ten seconds";
  const nlohmann::json told = nlohmann::json::parse(text);
  EXPECT_EQ(told.at("port"), ParseHostPort(server.address())->port);
  EXPECT_GT(told.at("tlsPort"), 0);
  EXPECT_EQ(told.at("manufacturer"), "kbench");
  EXPECT_FALSE(told.at("network_interfaces").empty());
  for (const char* field :
       {"model", "firmware_version", "protocol_version", "serial_number", "world_wide_name"}) {
    EXPECT_FALSE(told.at(field).get<std::string>().empty()) << field;
  }
}

TEST(Announcer, TakesMulticastGroupsOnly) {
  const SocketAddress from = *Resolve(*ParseHostPort("127.0.0.1:1"));
  EXPECT_FALSE(Announcer::Open(*ParseHostPort("127.0.0.1:8123"), from).ok());
  EXPECT_TRUE(Announcer::Open(*ParseHostPort("239.1.2.3:8123"), from).ok());
}

}  // namespace
}  // namespace kbench::server
