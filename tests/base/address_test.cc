#include "base/address.h"

#include <gtest/gtest.h>

namespace kbench {
namespace {

TEST(HostPort, ReadsNamesAddressesAndBracketedIpv6) {
  EXPECT_EQ(ParseHostPort("localhost:8123")->host, "localhost");
  EXPECT_EQ(ParseHostPort("127.0.0.1:0")->port, 0);
  EXPECT_EQ(ParseHostPort("[::1]:7100")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:7100")->ToString(), "[::1]:7100");
}

TEST(HostPort, RefusesWhatIsNoAddress) {
  for (const char* bad : {"", "host", ":80", "host:", "host:70000", "host:x", "::1:80", "h:-1"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

TEST(Network, HoldsItsAddressesAndNoOthers) {
  const auto holds = [](const char* network, const char* address) {
    const auto parsed = ParseNetwork(network);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed->Contains(*Resolve({.host = address, .port = 1}));
  };
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(holds("192.0.2.64/27", "192.0.2.95"));
  EXPECT_FALSE(holds("192.0.2.64/27", "192.0.2.96"));
  EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(holds("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_FALSE(holds("::/0", "127.0.0.1"));
  EXPECT_TRUE(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* bad : {"", "10", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.5/8",
                          "host", "::/129", "2001:db8::1/32", "10.0.0.0/"}) {
    EXPECT_FALSE(ParseNetwork(bad).ok()) << bad;
  }
}

TEST(Resolve, KnowsLoopback) {
  const auto address = Resolve({.host = "127.0.0.1", .port = 1});
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_TRUE(IsLoopback(*address));
}

}  // namespace
}  // namespace kbench
