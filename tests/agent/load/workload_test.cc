#include "agent/load/workload.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/load/value_tag.h"

namespace kbench {
namespace {

std::string KeyOf(const KeyGenerator& keys, uint64_t index) {
  std::string key(keys.size(), '?');
  keys.Write(keys.Word(index), key.data());
  return key;
}

std::string TextOf(const KeyGenerator& keys, uint64_t word) {
  std::string key(keys.size(), '?');
  keys.Write(word, key.data());
  return key;
}

TEST(KeyGenerator, GivesEveryAgentAndIndexAKeyOfItsOwn) {
  for (uint32_t size : {8u, 15u, 16u, 40u}) {
    std::set<std::string> seen;
    for (uint32_t agent = 0; agent < 4; ++agent) {
      const KeyGenerator keys(7, agent, size);
      for (uint64_t i = 0; i < 5000; ++i) {
        const std::string key = KeyOf(keys, i);
        EXPECT_EQ(key.size(), size);
        EXPECT_TRUE(seen.insert(key).second) << "size " << size << " agent " << agent << " " << i;
      }
    }
  }
}

TEST(KeyGenerator, IsAFunctionOfSeedAgentAndIndex) {
  EXPECT_EQ(KeyOf(KeyGenerator(1, 2, 20), 3), KeyOf(KeyGenerator(1, 2, 20), 3));
  EXPECT_NE(KeyOf(KeyGenerator(1, 2, 20), 3), KeyOf(KeyGenerator(2, 2, 20), 3));
  EXPECT_NE(KeyOf(KeyGenerator(1, 2, 20), 3), KeyOf(KeyGenerator(1, 1, 20), 3));
  EXPECT_NE(KeyOf(KeyGenerator(1, 2, 20), 3), KeyOf(KeyGenerator(1, 2, 20), 4));
}

TEST(KeyGenerator, ReadsItsKeysBack) {
  for (uint32_t size : {8u, 15u, 16u, 40u}) {
    const KeyGenerator keys(7, 3, size, 1);
    for (const uint64_t word :
         {keys.Word(0), keys.Word(17), keys.NewWord(17), keys.AbsentWord(1)}) {
      EXPECT_EQ(keys.WordOf(TextOf(keys, word)), word) << size;
    }
  }
  EXPECT_EQ(KeyGenerator(7, 3, 16).WordOf("no hexadecimal.."), std::nullopt);
  EXPECT_EQ(KeyGenerator(7, 3, 16).WordOf("0123"), std::nullopt);
}

TEST(KeyGenerator, NewKeysAreNewInEveryRun) {
  std::set<std::string> seen;
  for (uint64_t run : {1u, 2u}) {
    for (uint32_t agent : {0u, 1u}) {
      const KeyGenerator keys(7, agent, 16, run);
      for (uint64_t i = 0; i < 1000; ++i) {
        EXPECT_TRUE(seen.insert(TextOf(keys, keys.NewWord(i))).second);
        const uint64_t old = keys.Word(i);
        EXPECT_EQ(seen.insert(TextOf(keys, old)).second, run == 1);
      }
    }
  }
}

TEST(ValuePool, KeepsValuesApartAndOfTheirLength) {
  for (uint32_t size : {0u, 1u, 31u, 32u, 4096u, 1u << 20}) {
    const ValuePool pool(5, size);
    const uint32_t label = ValuePool::labelled(size) ? kValueLabelSize : 0;
    EXPECT_EQ(ValuePool::labelled(size), size >= kValueLabelSize);
    for (uint64_t word = 0; word < 2 * ValuePool::kVariants; ++word) {
      EXPECT_EQ(pool.BodyOf(word).size() + label, size);
      EXPECT_EQ(pool.LabelOf(word, 9).length, size);
    }
    if (size >= 4096) {
      EXPECT_NE(AsText(pool.BodyOf(0)), AsText(pool.BodyOf(1)));
    }
  }
}

TEST(ValuePool, IsAFunctionOfItsSeed) {
  EXPECT_EQ(AsText(ValuePool(5, 5000).BodyOf(3)), AsText(ValuePool(5, 5000).BodyOf(3)));
  EXPECT_NE(AsText(ValuePool(5, 5000).BodyOf(3)), AsText(ValuePool(6, 5000).BodyOf(3)));
}

TEST(ValuePool, ValuesOfAllLengthsSayWhatTheyAre) {
  const ValuePool values(3, *ValueSizes::Parse("uniform least 0B most 20KiB"));
  std::set<uint32_t> lengths;
  for (uint64_t word = 0; word < 4000; ++word) {
    const uint32_t size = values.SizeOf(word);
    lengths.insert(size);
    if (!ValuePool::labelled(size)) {
      EXPECT_EQ(values.BodyOf(word).size(), size);
      continue;
    }
    EXPECT_EQ(values.BodyOf(word).size() + kValueLabelSize, size);
    uint8_t label[kValueLabelSize];
    EncodeValueLabel(values.LabelOf(word, 7), label);
    ValueCheck check;
    check.Begin();
    check.Take(Bytes(label, kValueLabelSize));
    check.Take(values.BodyOf(word));
    ASSERT_EQ(check.Fault(word), "") << word << " of " << size;
    check.Begin();
    check.Take(Bytes(label, kValueLabelSize));
    check.Take(values.BodyOf(word).subspan(1));
    EXPECT_NE(check.Fault(word), "");
  }
  EXPECT_GT(lengths.size(), 900u);
}

TEST(ValueTagger, MakesTheTagOfTheWholeValue) {
  for (const char* sizes :
       {"0B", "1B", "31B", "32B", "33B", "1MiB", "uniform least 0B most 20KiB"}) {
    const ValuePool values(3, *ValueSizes::Parse(sizes));
    for (const auto algorithm : {kinetic::TagAlgorithm::kCrc32c, kinetic::TagAlgorithm::kSha1,
                                 kinetic::TagAlgorithm::kSha2}) {
      ValueTagger tagger(algorithm, &values);
      for (uint64_t word = 0; word < 40; ++word) {
        std::string value;
        if (ValuePool::labelled(values.SizeOf(word))) {
          value.resize(kValueLabelSize);
          EncodeValueLabel(values.LabelOf(word, word + 1),
                           reinterpret_cast<uint8_t*>(value.data()));
        }
        const kinetic::Tag tag = tagger.Make(word, AsBytes(value));
        absl::StrAppend(&value, AsText(values.BodyOf(word)));
        ASSERT_EQ(tag.text(), kinetic::MakeTag(algorithm, AsBytes(value)).text())
            << kinetic::TagName(algorithm) << " of " << value.size();
      }
      EXPECT_GE(TagCost(algorithm, values), Nanos());
    }
  }
}

TEST(ValuePool, AShareOfTheBytesIsZeros) {
  for (const double share : {0.0, 0.25, 0.5, 1.0}) {
    const ValuePool values(3, ValueSizes::Fixed(64 * 1024 + 32), share);
    for (uint64_t word = 0; word < ValuePool::kVariants; ++word) {
      double zeros = 0;
      for (const uint8_t byte : values.BodyOf(word)) zeros += byte == 0;
      // Noise has a zero in 256 bytes, too; four deviations.
      const double expected = share + (1 - share) / 256;
      EXPECT_NEAR(zeros / (64 * 1024), expected, 4 * 0.0625 / 256);
    }
  }
}

TEST(OpStream, MixesOperationsByWeightWithinFourDeviations) {
  constexpr int kDraws = 100'000;
  OpStream stream({.ops = {{.kind = OpKind::kGet, .weight = 70},
                           {.kind = OpKind::kPut, .weight = 20},
                           {.kind = OpKind::kDelete, .weight = 10}},
                   .keys = 10,
                   .seed = 3});
  int seen[3] = {};
  for (int i = 0; i < kDraws; ++i) ++seen[stream.Next().index];
  const double shares[3] = {0.7, 0.2, 0.1};
  for (int i = 0; i < 3; ++i) {
    const double deviation = std::sqrt(kDraws * shares[i] * (1 - shares[i]));
    EXPECT_NEAR(seen[i], kDraws * shares[i], 4 * deviation);
  }
}

TEST(OpStream, WalksKeysInOrderFromItsFirstAndRoundTheEnd) {
  OpStream stream(
      {.ops = {{.kind = OpKind::kPut}}, .keys = 5, .order = KeyOrder::kSequential, .first_key = 3});
  for (uint64_t expected : {3, 4, 0, 1, 2, 3}) EXPECT_EQ(stream.Next().key, expected);
}

TEST(OpStream, MovesOnByTheKeysOfABatch) {
  OpStream stream({.ops = {{.kind = OpKind::kBatch}},
                   .keys = 7,
                   .order = KeyOrder::kSequential,
                   .batch_ops = 3});
  for (uint64_t expected : {0, 3, 6, 2}) EXPECT_EQ(stream.Next().key, expected);
}

TEST(OpStream, NumbersNewKeysOverAllFlows) {
  std::set<uint64_t> seen;
  for (uint32_t flow : {0u, 1u, 2u}) {
    OpStream stream(
        {.ops = {{.kind = OpKind::kPutNew}}, .keys = 5, .seed = flow, .flow = flow, .flows = 3});
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(seen.insert(stream.Next().key).second);
  }
  EXPECT_EQ(*seen.rbegin(), 29u);
}

TEST(OpStream, UsesAllKeysInUniformOrder) {
  OpStream stream({.ops = {{.kind = OpKind::kGet}}, .keys = 50, .seed = 9});
  std::set<uint64_t> seen;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t key = stream.Next().key;
    EXPECT_LT(key, 50u);
    seen.insert(key);
  }
  EXPECT_EQ(seen.size(), 50u);
}

TEST(KeyGenerator, AbsentKeysAreNobodysKeys) {
  std::set<std::string> keys;
  const auto text = [](const KeyGenerator& generator, bool absent, uint64_t index) {
    return TextOf(generator, absent ? generator.AbsentWord(index) : generator.Word(index));
  };
  for (uint32_t agent : {0u, 1u, KeyGenerator::kMostAgents - 1}) {
    const KeyGenerator generator(5, agent, 20);
    for (uint64_t index : {uint64_t{0}, uint64_t{1}, KeyGenerator::kMostKeys - 1}) {
      for (bool absent : {false, true}) {
        EXPECT_TRUE(keys.insert(text(generator, absent, index)).second);
      }
    }
  }
}

TEST(OpKind, NamesAreRead) {
  for (auto kind = OpKind::kGet; kind <= OpKind::kNoop;
       kind = static_cast<OpKind>(static_cast<int>(kind) + 1)) {
    EXPECT_EQ(*ParseOpKind(Name(kind)), kind);
  }
  EXPECT_FALSE(ParseOpKind("GET").ok());
}

}  // namespace
}  // namespace kbench
