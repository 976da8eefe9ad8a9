// What an expected outcome matches, and what it does not.
#include "client/conform/pattern.h"

#include <gtest/gtest.h>

namespace kbench::conform {
namespace {

TEST(Pattern, IsTheTextItself) {
  EXPECT_TRUE(Matches("SUCCESS keyValue", "SUCCESS keyValue"));
  EXPECT_FALSE(Matches("SUCCESS keyValue", "SUCCESS"));
  EXPECT_FALSE(Matches("SUCCESS", "SUCCESS keyValue"));
  EXPECT_FALSE(Matches("SUCCESS keyValue", "keyValue SUCCESS"));
  EXPECT_FALSE(Matches("SUCCESS", ""));
  EXPECT_TRUE(Matches("", ""));
}

TEST(Pattern, LetsAWordBeMissing) {
  EXPECT_TRUE(Matches("SUCCESS ?batch", "SUCCESS"));
  EXPECT_TRUE(Matches("SUCCESS ?batch", "SUCCESS batch"));
  EXPECT_FALSE(Matches("SUCCESS ?batch", "SUCCESS range"));
  EXPECT_TRUE(Matches("a ?b c", "a c"));
  EXPECT_FALSE(Matches("a ?b c", "a b"));
}

TEST(Pattern, ChoosesAmongWordsAndOutcomes) {
  EXPECT_TRUE(Matches("A|B keyValue", "B keyValue"));
  EXPECT_FALSE(Matches("A|B keyValue", "C keyValue"));
  EXPECT_TRUE(Matches("closes or unsolicited X closes", "unsolicited X closes"));
  EXPECT_TRUE(Matches("closes or unsolicited X closes", "closes"));
  EXPECT_FALSE(Matches("closes or unsolicited X closes", "unsolicited X"));
}

TEST(Pattern, TakesTheBeginningOfAWordAndAnyWords) {
  EXPECT_TRUE(Matches("SUCCESS endKey=*", "SUCCESS endKey=~s1"));
  EXPECT_FALSE(Matches("SUCCESS endKey=*", "SUCCESS startKey=~s1"));
  EXPECT_TRUE(Matches("...", ""));
  EXPECT_TRUE(Matches("...", "anything at all"));
  EXPECT_TRUE(Matches("SUCCESS ...", "SUCCESS"));
  EXPECT_TRUE(Matches("a ... z", "a b c z"));
  EXPECT_FALSE(Matches("a ... z", "a b c"));
}

}  // namespace
}  // namespace kbench::conform
