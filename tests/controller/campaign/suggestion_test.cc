#include "controller/campaign/suggestion.h"

#include <gtest/gtest.h>

namespace kbench {
namespace {

TEST(EditDistance, CountsSlipsOfTheFingers) {
  EXPECT_EQ(EditDistance("epoll", "epoll"), 0);
  EXPECT_EQ(EditDistance("epoll", "epol"), 1);           // one left out
  EXPECT_EQ(EditDistance("epoll", "epooll"), 1);         // one too many
  EXPECT_EQ(EditDistance("epoll", "epoli"), 1);          // one beside it
  EXPECT_EQ(EditDistance("transport", "transprot"), 1);  // two the wrong way round
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(EditDistance, OfNothingIsTheOthersLength) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", ""), 3);
}

TEST(EditDistance, HasNoDirection) {
  for (const char* a : {"", "ab", "ba", "uring", "urnig", "null"}) {
    for (const char* b : {"", "ab", "ba", "uring", "urnig", "null"}) {
      EXPECT_EQ(EditDistance(a, b), EditDistance(b, a)) << a << " " << b;
    }
  }
}

// The restricted distance: a swapped pair is not edited again, so CA -> ABC costs three.
TEST(EditDistance, EditsASwappedPairOnce) { EXPECT_EQ(EditDistance("ca", "abc"), 3); }

TEST(NearestWord, IsTheNearestAndTheFirstOfEquals) {
  EXPECT_EQ(NearestWord("urnig", {"epoll", "uring"}), "uring");
  EXPECT_EQ(NearestWord("gat", {"put", "get"}), "get");
  EXPECT_EQ(NearestWord("pot", {"put", "pat"}), "put");
}

TEST(NearestWord, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(NearestWord("zzz", {"epoll", "uring"}), "");
  EXPECT_EQ(NearestWord("uring", {}), "");
  // A third of the word may be wrong, and no more: three of nine letters, not four.
  EXPECT_EQ(NearestWord("xxxnsport", {"transport"}), "transport");
  EXPECT_EQ(NearestWord("xxxxsport", {"transport"}), "");
}

TEST(NearestWord, AllowsOneSlipInTheShortestWord) {
  EXPECT_EQ(NearestWord("gt", {"get"}), "get");
  EXPECT_EQ(NearestWord("x", {"get"}), "");
}

}  // namespace
}  // namespace kbench
