#include "server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kinetic/types.h"

namespace kbench::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint8_t kCommand[] = {1, 2, 3};

TEST(AccessTable, KnowsTheFactoryIdentityAndNoOther) {
  const AccessTable table = AccessTable::Factory();
  ASSERT_NE(table.Find(1), nullptr);
  EXPECT_EQ(table.Find(1)->key.Sign(kCommand), kinetic::HmacKey("asdfasdf").Sign(kCommand));
  EXPECT_EQ(table.Find(2), nullptr);
  EXPECT_EQ(table.Find(-1), nullptr);
}

TEST(AccessTable, ReadsOneIdentityALineAndSkipsComments) {
  const auto table = AccessTable::Parse("# two users\n\n7  key with blanks\r\n-3\tother\n");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 2u);
  EXPECT_EQ(table->Find(7)->key.Sign(kCommand), kinetic::HmacKey("key with blanks").Sign(kCommand));
  EXPECT_EQ(table->Find(-3)->key.Sign(kCommand), kinetic::HmacKey("other").Sign(kCommand));
  EXPECT_EQ(table->Find(1), nullptr);
}

TEST(AccessTable, ReadsAKeyOfAnyBytesInHexadecimal) {
  const auto table = AccessTable::Parse("1 hex:00200a20ff\n2 hexagon\n");
  ASSERT_TRUE(table.ok()) << table.status();
  const std::string bytes("\0 \n \xff", 5);
  EXPECT_EQ(table->Find(1)->key.Sign(kCommand), kinetic::HmacKey(bytes).Sign(kCommand));
  EXPECT_EQ(table->Find(2)->key.Sign(kCommand), kinetic::HmacKey("hexagon").Sign(kCommand));
  for (const char* text : {"1 hex:", "1 hex:abc", "1 hex:0g", "1 hex: 00"}) {
    EXPECT_FALSE(AccessTable::Parse(text).ok()) << text;
  }
}

TEST(AccessTable, NamesTheBadLineButNeverTheKey) {
  for (const char* text : {"1 sesame\nx sesame\n", "1 sesame\n2\n", "1 sesame\n1 sesame\n"}) {
    const auto table = AccessTable::Parse(text);
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_THAT(std::string(table.status().message()), HasSubstr("line 2"));
    EXPECT_THAT(std::string(table.status().message()), Not(HasSubstr("sesame")));
  }
  EXPECT_FALSE(AccessTable::Parse("# nobody\n").ok());
}

TEST(AccessTable, SaysWhichFileItCannotRead) {
  const auto table = AccessTable::ReadFile("/nonexistent/keys");
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(std::string(table.status().message()), HasSubstr("/nonexistent/keys"));
}

using kinetic::Permission;

TEST(Scope, FitsKeysThatHoldItsValueAtItsOffset) {
  const Scope scope = {.offset = 2, .value = "ab"};
  EXPECT_TRUE(scope.Fits("xxab"));
  EXPECT_TRUE(scope.Fits("xxabyy"));
  EXPECT_FALSE(scope.Fits("xxa"));
  EXPECT_FALSE(scope.Fits("x"));
  EXPECT_FALSE(scope.Fits("abxx"));
  EXPECT_TRUE(Scope().Fits("")) << "no value fits every key";
}

TEST(Identity, IsAllowedWhatAnyOfItsScopesGives) {
  Identity identity("key");
  identity.scopes = {{.value = "a", .permissions = {Permission::kRead}},
                     {.value = "b", .permissions = {Permission::kWrite}, .tls_required = true}};
  EXPECT_TRUE(identity.Allows(Permission::kRead, "apple", false));
  EXPECT_FALSE(identity.Allows(Permission::kRead, "banana", false));
  EXPECT_FALSE(identity.Allows(Permission::kWrite, "apple", true));
  EXPECT_FALSE(identity.Allows(Permission::kWrite, "banana", false)) << "needs TLS";
  EXPECT_TRUE(identity.Allows(Permission::kWrite, "banana", true));
  EXPECT_TRUE(identity.AllowsAny(Permission::kRead, false));
  EXPECT_FALSE(identity.AllowsAny(Permission::kWrite, false));
  EXPECT_FALSE(identity.AllowsAny(Permission::kGetLog, true));
}

}  // namespace
}  // namespace kbench::server
