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

TEST(Resolve, KnowsLoopback) {
  const auto address = Resolve({.host = "127.0.0.1", .port = 1});
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_TRUE(IsLoopback(*address));
}

}  // namespace
}  // namespace kbench
