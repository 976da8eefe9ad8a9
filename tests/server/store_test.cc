// What every store that keeps things must do, in RAM and on disk; then what each does by itself.
#include "server/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/entry_codec.h"
#include "server/memory_store.h"
#include "server/null_store.h"
#include "server/rocks_store.h"
#include "tests/e2e/process.h"

namespace kbench::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Durability = Store::Durability;

EntryRef Of(absl::string_view value, absl::string_view version = "") {
  auto entry = std::make_shared<Entry>();
  entry->version = std::string(version);
  entry->value = Value(value.size());
  if (!value.empty()) std::memcpy(entry->value.data(), value.data(), value.size());
  return entry;
}

absl::Status Put(Store* store, absl::string_view key, EntryRef entry) {
  const Store::Change change[] = {{.key = key, .entry = std::move(entry)}};
  return store->Apply(change, Durability::kLater);
}
absl::Status Erase(Store* store, absl::string_view key) { return Put(store, key, nullptr); }

std::string ValueOf(const Store& store, absl::string_view key) {
  const absl::StatusOr<EntryRef> entry = store.Find(key);
  if (!entry.ok()) return std::string(entry.status().message());
  return *entry == nullptr ? "(none)" : std::string(AsText((*entry)->value.bytes()));
}

enum class Kind { kMemory, kRocks };

class StoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    store_.reset();
    if (GetParam() == Kind::kMemory) {
      store_ = std::make_unique<MemoryStore>();
      return;
    }
    absl::StatusOr<std::unique_ptr<RocksStore>> opened = RocksStore::Open(dir_.path() + "/db");
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  void Fill(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) ASSERT_TRUE(Put(store_.get(), key, Of("")).ok());
  }
  std::vector<std::string> Scan(Store::Bound first, Store::Bound last, bool reverse = false,
                                size_t max = 100) {
    std::vector<std::string> keys;
    EXPECT_TRUE(store_
                    ->Scan(first, last, reverse,
                           [&](absl::string_view key) {
                             keys.emplace_back(key);
                             return keys.size() < max;
                           })
                    .ok());
    return keys;
  }
  std::string Next(absl::string_view key) {
    const auto item = store_->Next(key);
    return item.ok() && item->has_value() ? (*item)->key : "(none)";
  }
  std::string Previous(absl::string_view key) {
    const auto item = store_->Previous(key);
    return item.ok() && item->has_value() ? (*item)->key : "(none)";
  }

  e2e::TempDir dir_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(All, StoreTest, ::testing::Values(Kind::kMemory, Kind::kRocks),
                         [](const auto& of) {
                           return of.param == Kind::kMemory ? "Memory" : "Rocks";
                         });

TEST_P(StoreTest, OrdersKeysAsUnsignedBytesAndAPrefixFirst) {
  const std::string nul("\0", 1), high = "\x80", ff = "\xff";
  Fill({ff, "a", high, nul, "ab", "", "\x7f"});
  ASSERT_TRUE(store_->SaveSettings("settings are no object").ok());
  EXPECT_THAT(Scan({.open = true}, {.open = true}),
              ElementsAre("", nul, "a", "ab", "\x7f", high, ff));
  EXPECT_THAT(Scan({.open = true}, {.open = true}, true),
              ElementsAre(ff, high, "\x7f", "ab", "a", nul, ""));
  EXPECT_THAT(Scan({"a", false}, {.open = true}), ElementsAre("ab", "\x7f", high, ff));
  EXPECT_THAT(Scan({.open = true}, {"a", false}, true), ElementsAre(nul, ""));
}

TEST_P(StoreTest, ScansEveryCombinationOfInclusiveEnds) {
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

TEST_P(StoreTest, ScansDownFromTheLastKeyWhenReversed) {
  Fill({"k0", "k1", "k2"});
  EXPECT_THAT(Scan({"j", true}, {"k9", true}, true, 2), ElementsAre("k2", "k1"));
  EXPECT_THAT(Scan({"k0", false}, {"k2", false}, true), ElementsAre("k1"));
}

TEST_P(StoreTest, AnInvertedRangeHasNoKeys) {
  Fill({"a", "b", "c"});
  EXPECT_THAT(Scan({"c", true}, {"a", true}), IsEmpty());
  EXPECT_THAT(Scan({"c", true}, {"a", true}, true), IsEmpty());
}

TEST_P(StoreTest, FindsNeighboursOfKeysThatAreNotStored) {
  Fill({"b", "d"});
  EXPECT_EQ(Next(""), "b");
  EXPECT_EQ(Next("b"), "d");
  EXPECT_EQ(Next("c"), "d");
  EXPECT_EQ(Next("d"), "(none)");
  EXPECT_EQ(Previous("b"), "(none)");
  EXPECT_EQ(Previous("c"), "b");
  EXPECT_EQ(Previous("\xff"), "d");
}

TEST_P(StoreTest, GivesBackWhatWasPutToTheLastByte) {
  for (const size_t size : {0, 1, 100, 4095, 4096, 70'000, 1 << 20}) {
    auto entry = std::make_shared<Entry>();
    entry->version = std::string("v\0ersion", 8);
    entry->tag = std::string("\xff\0tag", 5);
    entry->algorithm = -7;
    entry->value = Value(size);
    for (size_t i = 0; i < size; ++i) entry->value.data()[i] = static_cast<uint8_t>(i * 7 >> 2);
    ASSERT_TRUE(Put(store_.get(), "k", entry).ok());
    const EntryRef found = *store_->Find("k");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->version, entry->version);
    EXPECT_EQ(found->tag, entry->tag);
    EXPECT_EQ(found->algorithm, entry->algorithm);
    EXPECT_TRUE(AsText(found->value.bytes()) == AsText(entry->value.bytes())) << size;
  }
  ASSERT_TRUE(Put(store_.get(), "bare", Of("")).ok());
  EXPECT_FALSE((*store_->Find("bare"))->tag.has_value());
  EXPECT_FALSE((*store_->Find("bare"))->algorithm.has_value());
}

TEST_P(StoreTest, AppliesSeveralChangesTogetherAndTheLastOneOfAKeyCounts) {
  Fill({"old", "stays"});
  const Store::Change changes[] = {{.key = "new", .entry = Of("1")},
                                   {.key = "old", .entry = nullptr},
                                   {.key = "new", .entry = Of("2")},
                                   {.key = "gone", .entry = Of("x")},
                                   {.key = "gone", .entry = nullptr}};
  ASSERT_TRUE(store_->Apply(changes, Durability::kNow).ok());
  EXPECT_THAT(Scan({.open = true}, {.open = true}), ElementsAre("new", "stays"));
  EXPECT_EQ(ValueOf(*store_, "new"), "2");
}

TEST_P(StoreTest, AnEntryInUseSurvivesItsReplacement) {
  ASSERT_TRUE(Put(store_.get(), "k", Of("one")).ok());
  const EntryRef held = *store_->Find("k");
  ASSERT_TRUE(Put(store_.get(), "k", Of("other")).ok());
  EXPECT_EQ(AsText(held->value.bytes()), "one");
  EXPECT_EQ(ValueOf(*store_, "k"), "other");
}

TEST_P(StoreTest, EraseAllForgetsObjectsAndReplacesTheSettings) {
  Fill({"a", "b"});
  EXPECT_EQ(*store_->LoadSettings(), "");
  ASSERT_TRUE(store_->SaveSettings("first").ok());
  EXPECT_EQ(*store_->LoadSettings(), "first");
  ASSERT_TRUE(store_->EraseAll("second").ok());
  EXPECT_THAT(Scan({.open = true}, {.open = true}), IsEmpty());
  EXPECT_EQ(*store_->LoadSettings(), "second");
  Fill({"c"});
  ASSERT_TRUE(store_->Compact({.open = true}, {.open = true}).ok());
  EXPECT_THAT(Scan({.open = true}, {.open = true}), ElementsAre("c"));
}

TEST_P(StoreTest, AgreesWithAMapOverAThousandRandomSteps) {
  Random random(5);
  std::map<std::string, std::string> model;
  for (int step = 0; step < 1000; ++step) {
    const std::string key(1, static_cast<char>(random.Below(16) * 17));
    if (random.Below(3) == 0) {
      ASSERT_TRUE(Erase(store_.get(), key).ok());
      model.erase(key);
    } else {
      const std::string value = std::to_string(step);
      ASSERT_TRUE(Put(store_.get(), key, Of(value)).ok());
      model[key] = value;
    }
    const std::string probe(1, static_cast<char>(random.Below(256)));
    const auto above = model.upper_bound(probe);
    ASSERT_EQ(Next(probe), above == model.end() ? "(none)" : above->first) << step;
    const auto at = model.find(probe);
    ASSERT_EQ(ValueOf(*store_, probe), at == model.end() ? "(none)" : at->second);
  }
  // std::map orders char as signed where char is signed: compare as sets.
  std::vector<std::string> keys;
  keys.reserve(model.size());
  for (const auto& [key, value] : model) keys.push_back(key);
  EXPECT_THAT(Scan({.open = true}, {.open = true}), ::testing::UnorderedElementsAreArray(keys));
}

TEST(MemoryStore, HasRoomForItsCapacityAndCountsWhatIsGivenBack) {
  MemoryStore store(10'000);
  const uint64_t empty = store.room().used_bytes;
  EXPECT_GT(empty, 0u);
  ASSERT_TRUE(Put(&store, "k", Of(std::string(4000, 'v'))).ok());
  const absl::Status full = Put(&store, "l", Of(std::string(4000, 'v')));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(ValueOf(store, "l"), "(none)");
  EXPECT_TRUE(Put(&store, "k", Of(std::string(5000, 'w'))).ok()) << "what it replaces counts";
  // All of a batch or nothing.
  const Store::Change batch[] = {{.key = "m", .entry = Of("small")},
                                 {.key = "n", .entry = Of(std::string(9000, 'v'))}};
  EXPECT_TRUE(absl::IsResourceExhausted(store.Apply(batch, Durability::kNow)));
  EXPECT_EQ(ValueOf(store, "m"), "(none)");
  ASSERT_TRUE(Erase(&store, "k").ok());
  ASSERT_TRUE(Erase(&store, "was never there").ok());
  EXPECT_EQ(store.room().used_bytes, empty);
}

TEST(NullStore, GivesTheEntryThatWasPutLastForEveryKey) {
  NullStore store;
  EXPECT_EQ(ValueOf(store, "k"), "(none)");
  ASSERT_TRUE(Put(&store, "a", Of("first")).ok());
  ASSERT_TRUE(Put(&store, "b", Of("second")).ok());
  ASSERT_TRUE(Erase(&store, "b").ok());
  EXPECT_EQ(ValueOf(store, "anything"), "second");
  EXPECT_FALSE(store.keeps_versions());
}

TEST(RocksStore, KeepsObjectsAndSettingsOverARestart) {
  const e2e::TempDir dir;
  const std::string path = dir.path() + "/deep/er";
  {
    std::filesystem::create_directories(dir.path() + "/deep");
    auto store = *RocksStore::Open(path);
    ASSERT_TRUE(Put(store.get(), "k", Of("value", "v1")).ok());
    ASSERT_TRUE(store->SaveSettings("settings").ok());
    const auto second = RocksStore::Open(path);
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("another kbench-server"));
  }
  auto store = *RocksStore::Open(path);
  EXPECT_EQ(ValueOf(*store, "k"), "value");
  EXPECT_EQ((*store->Find("k"))->version, "v1");
  EXPECT_EQ(*store->LoadSettings(), "settings");
  EXPECT_GT(store->room().capacity_bytes, store->room().used_bytes);
}

TEST(RocksStore, SyncsTheDiskWhenDurabilityIsAskedForAndOnlyThen) {
  const e2e::TempDir dir;
  auto store = *RocksStore::Open(dir.path() + "/db");
  const uint64_t before = store->syncs();
  ASSERT_TRUE(Put(store.get(), "k", Of("later")).ok());
  EXPECT_EQ(store->syncs(), before);
  const Store::Change change[] = {{.key = "k", .entry = Of("now")}};
  ASSERT_TRUE(store->Apply(change, Durability::kNow).ok());
  EXPECT_EQ(store->syncs(), before + 1);
  ASSERT_TRUE(Put(store.get(), "k", Of("later again")).ok());
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_EQ(store->syncs(), before + 2);
  ASSERT_TRUE(store->SaveSettings("s").ok());
  EXPECT_EQ(store->syncs(), before + 3);
}

TEST(RocksStore, SaysWhichDirectoryItCannotUse) {
  const e2e::TempDir dir;
  const std::string file = dir.Write("file", "no directory");
  const auto store = RocksStore::Open(file);
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(std::string(store.status().message()), HasSubstr(file));
}

TEST(EntryCodec, RefusesEveryTruncationOfTheHead) {
  auto entry = std::make_shared<Entry>();
  entry->version = "version";
  entry->tag = "tag";
  entry->algorithm = 300;
  const std::string head = EncodeEntryHead(*entry);
  for (size_t size = 0; size < head.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeEntry(head.substr(0, size)).status())) << size;
  }
  EXPECT_EQ((*DecodeEntry(head + "value"))->value.size(), 5u);
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry("\x02" + head.substr(1)).status())) << "another format";
}

}  // namespace
}  // namespace kbench::server
