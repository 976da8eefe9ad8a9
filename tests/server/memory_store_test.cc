#include "server/memory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace kbench::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<Entry> Sized(size_t value_size) {
  auto entry = std::make_shared<Entry>();
  entry->value = Value(value_size);
  return entry;
}

class MemoryStoreTest : public ::testing::Test {
 protected:
  void Fill(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) store_.Put(key, Sized(0));
  }
  std::vector<std::string> Scan(Store::Bound first, Store::Bound last, bool reverse = false,
                                size_t max = 100) {
    std::vector<std::string> keys;
    store_.Scan(first, last, reverse, [&](absl::string_view key) {
      keys.emplace_back(key);
      return keys.size() < max;
    });
    return keys;
  }
  MemoryStore store_;
};

TEST_F(MemoryStoreTest, OrdersKeysAsUnsignedBytesAndAPrefixFirst) {
  const std::string nul("\0", 1), high = "\x80", ff = "\xff";
  Fill({ff, "a", high, nul, "ab", "", "\x7f"});
  EXPECT_THAT(Scan({"", true}, {"\xff\xff", true}),
              ElementsAre("", nul, "a", "ab", "\x7f", high, ff));
}

TEST_F(MemoryStoreTest, ScansEveryCombinationOfInclusiveEnds) {
  Fill({"a", "b", "c", "d"});
  EXPECT_THAT(Scan({"b", true}, {"c", true}), ElementsAre("b", "c"));
  EXPECT_THAT(Scan({"b", false}, {"c", true}), ElementsAre("c"));
  EXPECT_THAT(Scan({"b", true}, {"c", false}), ElementsAre("b"));
  EXPECT_THAT(Scan({"b", false}, {"c", false}), IsEmpty());
  EXPECT_THAT(Scan({"b", true}, {"b", true}), ElementsAre("b"));
  EXPECT_THAT(Scan({"b", false}, {"b", true}), IsEmpty());
  EXPECT_THAT(Scan({"b", true}, {"b", false}), IsEmpty());
  EXPECT_THAT(Scan({"b", false}, {"b", false}), IsEmpty());
}

TEST_F(MemoryStoreTest, ScansDownFromTheLastKeyWhenReversed) {
  Fill({"k0", "k1", "k2"});
  EXPECT_THAT(Scan({"j", true}, {"k9", true}, true, 2), ElementsAre("k2", "k1"));
  EXPECT_THAT(Scan({"k0", false}, {"k2", false}, true), ElementsAre("k1"));
}

TEST_F(MemoryStoreTest, AnInvertedRangeHasNoKeys) {
  Fill({"a", "b", "c"});
  EXPECT_THAT(Scan({"c", true}, {"a", true}), IsEmpty());
  EXPECT_THAT(Scan({"c", true}, {"a", true}, true), IsEmpty());
}

TEST_F(MemoryStoreTest, FindsNeighboursOfKeysThatAreNotStored) {
  Fill({"b", "d"});
  EXPECT_EQ(store_.Next("")->key, "b");
  EXPECT_EQ(store_.Next("b")->key, "d");
  EXPECT_EQ(store_.Next("c")->key, "d");
  EXPECT_FALSE(store_.Next("d").has_value());
  EXPECT_FALSE(store_.Previous("b").has_value());
  EXPECT_EQ(store_.Previous("c")->key, "b");
  EXPECT_EQ(store_.Previous("\xff")->key, "d");
}

TEST_F(MemoryStoreTest, AnEntryInUseSurvivesItsReplacement) {
  auto first = Sized(3);
  store_.Put("k", first);
  const EntryRef held = store_.Find("k");
  store_.Put("k", Sized(5));
  EXPECT_EQ(held->value.size(), 3u);
  EXPECT_EQ(store_.Find("k")->value.size(), 5u);
}

TEST_F(MemoryStoreTest, CountsTheBytesOfKeysAndValues) {
  store_.Put("abc", Sized(100));
  EXPECT_EQ(store_.bytes(), 103u);
  store_.Put("abc", Sized(10));
  EXPECT_EQ(store_.bytes(), 13u);
  store_.Put("d", Sized(1));
  store_.Erase("abc");
  store_.Erase("was never there");
  EXPECT_EQ(store_.bytes(), 2u);
  EXPECT_EQ(store_.Find("abc"), nullptr);
}

TEST(VersionRule, AgreesOnlyWithTheStoredVersionUnlessForced) {
  Entry stored;
  stored.version = "v1";
  EXPECT_TRUE(VersionAgrees(&stored, "v1", false));
  EXPECT_FALSE(VersionAgrees(&stored, "v2", false));
  EXPECT_FALSE(VersionAgrees(&stored, "", false));
  EXPECT_TRUE(VersionAgrees(&stored, "v2", true));
  EXPECT_TRUE(VersionAgrees(nullptr, "", false));
  EXPECT_FALSE(VersionAgrees(nullptr, "v1", false));
  EXPECT_TRUE(VersionAgrees(nullptr, "v1", true));
}

}  // namespace
}  // namespace kbench::server
