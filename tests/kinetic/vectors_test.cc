// What independent implementations put on the wire, read and written again by ours.
#include "tests/kinetic/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "tests/kinetic/hex.h"

namespace kbench::kinetic {
namespace {

constexpr size_t kVectorCount = 236;
constexpr size_t kSignedCount = 192;

Signature SignatureOf(const Message& message) {
  if (message.auth_type == AuthType::kUnsolicitedStatus) return Signature::Unsolicited();
  return Signature::Hmac(*message.identity, &KeyOf(*message.identity));
}

std::string Encode(const Message& message, uint32_t value_size) {
  Encoder encoder;
  std::string out;
  encoder.Append(message.command, SignatureOf(message), value_size, &out);
  return out;
}

TEST(Vectors, AreAllThere) {
  ASSERT_EQ(Vectors().size(), kVectorCount);
  std::set<std::string> types;
  for (const Vector& vector : Vectors()) {
    if (vector.expect.contains("messageType")) types.insert(vector.expect["messageType"]);
  }
  EXPECT_THAT(types, testing::IsSupersetOf({"GET", "PUT_RESPONSE", "GETLOG", "GETKEYRANGE",
                                            "PEER2PEERPUSH", "END_BATCH_RESPONSE", "SETUP"}));
}

TEST(Vectors, DecodeToWhatGoogleProtobufSaid) {
  Decoder decoder;
  for (const Vector& vector : Vectors()) {
    ASSERT_TRUE(decoder.Decode(AsBytes(vector.message())).ok()) << vector.name;
    EXPECT_EQ(Describe(decoder.message()), vector.expect) << vector.name;
  }
}

TEST(Vectors, EveryHmacIsRecomputedAndOnlyTheWrongKeyDiffers) {
  Decoder decoder;
  size_t equal = 0;
  std::vector<std::string> different;
  for (const Vector& vector : Vectors()) {
    ASSERT_TRUE(decoder.Decode(AsBytes(vector.message())).ok()) << vector.name;
    const Message& message = decoder.message();
    if (!message.hmac) continue;
    const HmacDigest hmac = KeyOf(*message.identity).Sign(AsBytes(message.command_bytes));
    if (AsText(hmac) == *message.hmac) {
      ++equal;
    } else {
      different.push_back(vector.name);
    }
  }
  EXPECT_EQ(equal, kSignedCount - 1);
  EXPECT_THAT(different, testing::ElementsAre("java_badkey[1]"));
}

TEST(Vectors, FrameReaderGivesBackMessageAndValue) {
  FrameReader reader({.max_message_size = kSpecMaxMessageSize, .max_value_size = 2u << 20});
  for (const Vector& vector : Vectors()) {
    Bytes in = AsBytes(vector.pdu);
    ASSERT_TRUE(reader.Consume(&in).value_or(false)) << vector.name;
    EXPECT_TRUE(in.empty()) << vector.name;
    EXPECT_EQ(reader.size(), vector.pdu.size()) << vector.name;
    EXPECT_EQ(AsText(reader.message()), vector.message()) << vector.name;
    EXPECT_TRUE(AsText(reader.value()) == vector.value()) << vector.name;
  }
}

// Whose bytes we do not write, and why. All others we write as they did.
const std::set<std::string>& OtherBytes() {
  static const auto* const names = new std::set<std::string>{
      "java_badkey[1]",  // signed with a wrong key on purpose; we sign with the right one
      "kctl_batch[27]",  // these carry a body without content; we leave it out
      "kctl_flush[1]",  "kctl_ping3[1]", "kctl_ping3[3]", "kctl_ping3[5]",
  };
  return *names;
}

TEST(Vectors, ReencodedBytesAreTheirsButForSixNamedPdus) {
  Decoder decoder;
  std::set<std::string> other_bytes;
  size_t identical = 0;
  for (const Vector& vector : Vectors()) {
    ASSERT_TRUE(decoder.Decode(AsBytes(vector.message())).ok()) << vector.name;
    const std::string head = Encode(decoder.message(), vector.value_size);
    if (head == absl::string_view(vector.pdu).substr(0, 9 + vector.message_size)) {
      ++identical;
    } else {
      other_bytes.insert(vector.name);
    }
  }
  EXPECT_EQ(identical, kVectorCount - 6);
  EXPECT_EQ(other_bytes, OtherBytes());
}

TEST(Vectors, ReencodedPdusMeanTheSameAndAreSigned) {
  Decoder theirs;
  Decoder ours;
  size_t verified = 0;
  for (const Vector& vector : Vectors()) {
    ASSERT_TRUE(theirs.Decode(AsBytes(vector.message())).ok()) << vector.name;
    const std::string pdu =
        Encode(theirs.message(), vector.value_size) + std::string(vector.value());
    FrameReader reader({.max_message_size = kSpecMaxMessageSize, .max_value_size = 2u << 20});
    Bytes in = AsBytes(pdu);
    ASSERT_TRUE(reader.Consume(&in).value_or(false)) << vector.name;
    ASSERT_TRUE(ours.Decode(reader.message()).ok()) << vector.name;
    EXPECT_TRUE(ours.message().command == theirs.message().command) << vector.name;

    nlohmann::json expect = vector.expect;
    if (OtherBytes().count(vector.name) > 0) {
      expect["hmac"] = ToHex(*ours.message().hmac);
      expect["hmac_ok"] = true;
    }
    EXPECT_EQ(Describe(ours.message()), expect) << vector.name;
    if (ours.message().hmac) {
      verified += VerifyHmac(ours.message(), KeyOf(*ours.message().identity));
    }
  }
  EXPECT_EQ(verified, kSignedCount);
}

TEST(Vectors, AMessageCutAnywhereIsRefusedOrCarriesNoCommand) {
  Decoder decoder;
  size_t refused = 0;
  size_t without_command = 0;
  for (const Vector& vector : Vectors()) {
    for (size_t size = 0; size < vector.message_size; ++size) {
      if (!decoder.Decode(AsBytes(vector.message().substr(0, size))).ok()) {
        ++refused;
      } else {
        ASSERT_FALSE(decoder.message().has_command) << vector.name << " cut to " << size;
        ++without_command;
      }
    }
  }
  EXPECT_GT(refused, 20'000u);
  // Cut to nothing, after authType, and (when signed) after the HMAC.
  EXPECT_EQ(without_command, 2 * kVectorCount + kSignedCount);
}

TEST(Vectors, ACommandCutAnywhereIsRefusedOrFailsItsHmac) {
  Decoder decoder;
  size_t cuts = 0;
  for (const Vector& vector : Vectors()) {
    ASSERT_TRUE(decoder.Decode(AsBytes(vector.message())).ok()) << vector.name;
    if (vector.expect.value("hmac_ok", false) == false) continue;
    const std::string command(decoder.message().command_bytes);
    const std::string hmac(*decoder.message().hmac);
    const HmacKey& key = KeyOf(*decoder.message().identity);
    for (size_t size = 0; size < command.size(); ++size, ++cuts) {
      ASSERT_FALSE(key.Verify(AsBytes(command).first(size), hmac)) << vector.name << " " << size;
    }
  }
  EXPECT_GT(cuts, 4'000u);
}

// The value of java_bigvalue is kept as a digest only; it is a PUT of one byte more than 1 MiB.
TEST(Vectors, TheLongValueIsAboveTheSpecificationsLimitAndRefusedUnread) {
  const Vector* big = nullptr;
  for (const Vector& vector : Vectors()) {
    if (vector.value_size > kSpecMaxValueSize) big = &vector;
  }
  ASSERT_NE(big, nullptr);
  FrameReader reader;
  Bytes head = AsBytes(big->pdu).first(kFrameHeaderSize);
  EXPECT_EQ(reader.Consume(&head).status().code(), absl::StatusCode::kOutOfRange);

  FrameReader wide({.max_message_size = 1024, .max_value_size = big->value_size},
                   FrameReader::ValuePolicy::kCount);
  Bytes in = AsBytes(big->pdu);
  ASSERT_TRUE(wide.Consume(&in).value_or(false));
  EXPECT_EQ(wide.value_size(), 1'048'577u);
  Decoder decoder;
  ASSERT_TRUE(decoder.Decode(wide.message()).ok());
  EXPECT_EQ(Describe(decoder.message()), big->expect);
}

}  // namespace
}  // namespace kbench::kinetic
