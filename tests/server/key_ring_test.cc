#include "server/key_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kinetic/types.h"

namespace kbench::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint8_t kCommand[] = {1, 2, 3};

TEST(KeyRing, KnowsTheFactoryIdentityAndNoOther) {
  const KeyRing ring = KeyRing::Factory();
  ASSERT_NE(ring.Find(1), nullptr);
  EXPECT_EQ(ring.Find(1)->Sign(kCommand), kinetic::HmacKey("asdfasdf").Sign(kCommand));
  EXPECT_EQ(ring.Find(2), nullptr);
  EXPECT_EQ(ring.Find(-1), nullptr);
}

TEST(KeyRing, ReadsOneIdentityALineAndSkipsComments) {
  const auto ring = KeyRing::Parse("# two users\n\n7  key with blanks\r\n-3\tother\n");
  ASSERT_TRUE(ring.ok()) << ring.status();
  ASSERT_EQ(ring->size(), 2u);
  EXPECT_EQ(ring->Find(7)->Sign(kCommand), kinetic::HmacKey("key with blanks").Sign(kCommand));
  EXPECT_EQ(ring->Find(-3)->Sign(kCommand), kinetic::HmacKey("other").Sign(kCommand));
  EXPECT_EQ(ring->Find(1), nullptr);
}

TEST(KeyRing, ReadsAKeyOfAnyBytesInHexadecimal) {
  const auto ring = KeyRing::Parse("1 hex:00200a20ff\n2 hexagon\n");
  ASSERT_TRUE(ring.ok()) << ring.status();
  const std::string bytes("\0 \n \xff", 5);
  EXPECT_EQ(ring->Find(1)->Sign(kCommand), kinetic::HmacKey(bytes).Sign(kCommand));
  EXPECT_EQ(ring->Find(2)->Sign(kCommand), kinetic::HmacKey("hexagon").Sign(kCommand));
  for (const char* text : {"1 hex:", "1 hex:abc", "1 hex:0g", "1 hex: 00"}) {
    EXPECT_FALSE(KeyRing::Parse(text).ok()) << text;
  }
}

TEST(KeyRing, NamesTheBadLineButNeverTheKey) {
  for (const char* text : {"1 sesame\nx sesame\n", "1 sesame\n2\n", "1 sesame\n1 sesame\n"}) {
    const auto ring = KeyRing::Parse(text);
    ASSERT_FALSE(ring.ok()) << text;
    EXPECT_THAT(std::string(ring.status().message()), HasSubstr("line 2"));
    EXPECT_THAT(std::string(ring.status().message()), Not(HasSubstr("sesame")));
  }
  EXPECT_FALSE(KeyRing::Parse("# nobody\n").ok());
}

TEST(KeyRing, SaysWhichFileItCannotRead) {
  const auto ring = KeyRing::ReadFile("/nonexistent/keys");
  ASSERT_FALSE(ring.ok());
  EXPECT_THAT(std::string(ring.status().message()), HasSubstr("/nonexistent/keys"));
}

}  // namespace
}  // namespace kbench::server
