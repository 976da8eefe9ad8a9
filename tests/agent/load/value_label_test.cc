#include "agent/load/value_label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kbench {
namespace {

using testing::HasSubstr;

constexpr uint64_t kKey = 0x0123456789abcdef;

std::string Labelled(const std::string& body, uint64_t key = kKey) {
  std::string value(kValueLabelSize, '\0');
  EncodeValueLabel({.length = static_cast<uint32_t>(kValueLabelSize + body.size()),
                    .key = key,
                    .version = 7,
                    .body_crc = ValueCrc(0, AsBytes(body))},
                   reinterpret_cast<uint8_t*>(value.data()));
  return value + body;
}

std::string Fault(const std::string& value, size_t piece = 1000) {
  ValueCheck check;
  check.Begin();
  for (size_t i = 0; i < value.size(); i += piece) {
    check.Take(AsBytes(absl::string_view(value).substr(i, piece)));
  }
  return std::string(check.Fault(kKey));
}

// The bytes are laid down here once, by hand; the checksums are those of zlib's crc32 (Python).
TEST(ValueLabel, HasItsBytesWhereTheyAreDocumented) {
  const std::string value = Labelled("123456789");
  EXPECT_EQ(value.substr(0, 4), "kbv1");
  EXPECT_EQ(value.substr(4, 4), std::string("\0\0\0\x29", 4));
  EXPECT_EQ(value.substr(8, 8), "\x01\x23\x45\x67\x89\xab\xcd\xef");
  EXPECT_EQ(value.substr(16, 8), std::string("\0\0\0\0\0\0\0\x07", 8));
  EXPECT_EQ(value.substr(24, 4), "\xcb\xf4\x39\x26") << "CRC-32's check value";
  EXPECT_EQ(value.substr(28, 4), "\x5c\x36\xee\x8c");
}

TEST(ValueCheck, AcceptsAValueInAnyPieces) {
  for (const std::string& body : {std::string(), std::string("x"), std::string(5000, 'b')}) {
    for (size_t piece : {1, 7, 31, 32, 33, 10'000}) EXPECT_EQ(Fault(Labelled(body), piece), "");
  }
}

TEST(ValueCheck, FindsEveryFlippedBit) {
  const std::string whole = Labelled("some bytes");
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string value = whole;
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(Fault(value), "") << "bit " << bit;
  }
}

TEST(ValueCheck, SaysWhatIsWrong) {
  EXPECT_THAT(Fault(Labelled("body", kKey + 1)), HasSubstr("under another key"));
  EXPECT_THAT(Fault(Labelled("body").substr(0, 34)), HasSubstr("another length"));
  EXPECT_THAT(Fault(Labelled("body") + "more"), HasSubstr("another length"));
  EXPECT_THAT(Fault("somebody else's value, and not a short one"), HasSubstr("no value that"));
  EXPECT_THAT(Fault("short"), HasSubstr("no value that"));
  EXPECT_THAT(Fault(""), HasSubstr("no value that"));
  std::string damaged = Labelled("body");
  damaged.back() = 'Y';
  EXPECT_THAT(Fault(damaged), HasSubstr("not those written"));
  damaged = Labelled("body");
  damaged[16] = 'v';
  EXPECT_THAT(Fault(damaged), HasSubstr("label is damaged"));
}

TEST(ValueCheck, BeginsAnew) {
  ValueCheck check;
  for (const char* body : {"one", "two"}) {
    check.Begin();
    const std::string value = Labelled(body);
    check.Take(AsBytes(value));
    EXPECT_EQ(check.Fault(kKey), "");
  }
}

}  // namespace
}  // namespace kbench
