#include "kinetic/hmac.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <utility>

#include "kinetic/types.h"
#include "tests/kinetic/hex.h"

namespace kbench::kinetic {
namespace {

// The protocol's formula by OpenSSL's one-shot call: nothing shared with the code under test.
std::string OneShot(absl::string_view key, absl::string_view command) {
  const auto n = static_cast<uint32_t>(command.size());
  std::string message;
  if (n > 0) {
    message = {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
               static_cast<char>(n)};
    message.append(command.data(), command.size());
  }
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), AsBytes(message).data(),
       message.size(), out, &size);
  return ToHex({reinterpret_cast<char*>(out), size});
}

TEST(HmacKey, ReproducesTheNoopSeenOnTheWire) {
  const std::string request = FromHex("0a0d080018e9eee7b4a0342032381e");
  const std::string response = FromHex("0a0b18e9eee7b4a0343032381d1a020801");
  const HmacKey key(kFactoryKey);
  EXPECT_EQ(ToHex(AsText(key.Sign(AsBytes(request)))), "ee379b71e19229f5e461b0208a2dd8f37e1d70b1");
  EXPECT_EQ(ToHex(AsText(key.Sign(AsBytes(response)))), "d504af13bdf7b64056f456ed8dbc2f8f51942839");
}

TEST(HmacKey, AgreesWithOpenSslForEveryLengthAroundTheHashsBlocks) {
  const HmacKey key("secret2");
  std::string command;
  for (int size = 0; size <= 300; ++size) {
    EXPECT_EQ(ToHex(AsText(key.Sign(AsBytes(command)))), OneShot("secret2", command)) << size;
    command.push_back(static_cast<char>(size * 37));
  }
}

TEST(HmacKey, AgreesWithOpenSslForEveryKeyLength) {
  std::string text;
  for (int size = 0; size <= 130; ++size) {  // above 64 bytes a key is hashed first
    EXPECT_EQ(ToHex(AsText(HmacKey(text).Sign(AsBytes("command")))), OneShot(text, "command"))
        << size;
    text.push_back(static_cast<char>(200 - size));
  }
}

TEST(HmacKey, SignsAnEmptyCommandWithoutALengthPrefix) {
  EXPECT_EQ(ToHex(AsText(HmacKey(kFactoryKey).Sign({}))), OneShot("asdfasdf", ""));
}

TEST(HmacKey, WritesAllFourBytesOfALongCommandsLength) {
  std::string command;
  command.resize(0x01020304, 'c');
  EXPECT_EQ(ToHex(AsText(HmacKey("k").Sign(AsBytes(command)))), OneShot("k", command));
}

TEST(HmacKey, GivesTheSameAnswerAfterOtherCommandsAndAfterAMove) {
  HmacKey key(kFactoryKey);
  const HmacDigest first = key.Sign(AsBytes("one"));
  EXPECT_NE(key.Sign(AsBytes("two")), first);
  EXPECT_EQ(key.Sign(AsBytes("one")), first);
  HmacKey moved = std::move(key);
  EXPECT_EQ(moved.Sign(AsBytes("one")), first);
}

TEST(HmacKey, VerifiesOnlyTheExactDigest) {
  const HmacKey key(kFactoryKey);
  const HmacDigest digest = key.Sign(AsBytes("command"));
  const std::string good(AsText(digest));
  EXPECT_TRUE(key.Verify(AsBytes("command"), good));
  EXPECT_FALSE(key.Verify(AsBytes("commane"), good));
  EXPECT_FALSE(HmacKey("asdfasdg").Verify(AsBytes("command"), good));
  for (size_t bit = 0; bit < 8 * kHmacSize; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(key.Verify(AsBytes("command"), bad)) << bit;
  }
}

TEST(HmacKey, RefusesADigestOfAnotherLength) {
  const HmacKey key(kFactoryKey);
  const HmacDigest digest = key.Sign(AsBytes("command"));
  const std::string good(AsText(digest));
  EXPECT_FALSE(key.Verify(AsBytes("command"), ""));
  EXPECT_FALSE(key.Verify(AsBytes("command"), good.substr(0, 19)));
  EXPECT_FALSE(key.Verify(AsBytes("command"), good + '\0'));
}

}  // namespace
}  // namespace kbench::kinetic
