// Placeholders are filled in, braces can be written, and a misspelt name is an error.
#include "base/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Words kWords = {{"host", "10.0.0.1"}, {"port", "8123"}, {"empty", ""}};

TEST(Placeholders, AreFilledIn) {
  const auto filled = FillIn({"--host={host}:{port}", "", "plain", "{empty}", "a{{b}}c"}, kWords);
  ASSERT_TRUE(filled.ok()) << filled.status();
  EXPECT_THAT(*filled, ElementsAre("--host=10.0.0.1:8123", "", "plain", "", "a{b}c"));
}

// What a value holds is not read again.
TEST(Placeholders, AreFilledInOnce) {
  const auto filled = FillIn({"{a}"}, {{"a", "{b}"}, {"b", "no"}});
  ASSERT_TRUE(filled.ok());
  EXPECT_THAT(*filled, ElementsAre("{b}"));
}

TEST(Placeholders, ThatAreUnknownNameThoseThatAreKnown) {
  EXPECT_THAT(std::string(FillIn({"{prot}"}, kWords).status().message()),
              HasSubstr("{prot} is no placeholder; there are host, port"));
  for (const char* text : {"{", "}", "{host", "a}b", "{}", "{{host}"}) {
    EXPECT_FALSE(FillIn({text}, kWords).ok()) << text;
  }
}

}  // namespace
}  // namespace kbench
