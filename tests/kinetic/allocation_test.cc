// In the measured window nothing is allocated: counted at operator new, not believed.
#include <gtest/gtest.h>

#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"
#include "tests/base/counted_heap.h"

namespace kbench::kinetic {
namespace {

// Longer than any small-string buffer, so that a hidden copy would allocate.
constexpr absl::string_view kKey = "a key that is longer than a small string can hold in place";
constexpr absl::string_view kTag = "a tag that is longer than a small string can hold in place";
constexpr absl::string_view kText = "a status text that is longer than a small string's place";

Command Request(MessageType type, uint64_t sequence) {
  Command command;
  command.has_header = true;
  command.header.cluster_version = 0;
  command.header.connection_id = 1'795'407'083'369;
  command.header.sequence = sequence;
  command.header.message_type = type;
  if (type == MessageType::kNoop) return command;
  KeyValue& key_value = command.key_value.emplace();
  key_value.key = kKey;
  if (type == MessageType::kGet) return command;
  key_value.db_version = kTag;
  key_value.synchronization = Synchronization::kWriteBack;
  if (type == MessageType::kDelete) return command;
  key_value.new_version = kTag;
  key_value.tag = kTag;
  key_value.algorithm = 1;
  key_value.force = true;
  return command;
}

Command Response(MessageType request, uint64_t sequence) {
  Command command;
  command.has_header = true;
  command.header.connection_id = 1'795'407'083'369;
  command.header.ack_sequence = sequence;
  command.header.message_type = ResponseOf(request);
  command.status = CommandStatus{.code = StatusCode::kSuccess, .message = kText};
  if (request == MessageType::kGet) {
    command.key_value = KeyValue{.key = kKey, .db_version = kTag, .tag = kTag, .algorithm = 1};
  }
  return command;
}

constexpr MessageType kHotOperations[] = {MessageType::kNoop, MessageType::kPut, MessageType::kGet,
                                          MessageType::kDelete};

// Both ends of a connection: what a round allocates is what agent and server would.
class Loop {
 public:
  void Round(uint64_t sequence) {
    for (MessageType type : kHotOperations) {
      Pass(Request(type, sequence));
      Pass(Response(type, sequence));
    }
  }
  size_t verified() const { return verified_; }

 private:
  void Pass(const Command& command) {
    wire_.clear();
    encoder_.Append(command, Signature::Hmac(kFactoryIdentity, &key_), kValueSize, &wire_);
    wire_.append(kValueSize, 'v');
    // Split inside the message and inside the value: both buffers of the reader are used.
    const size_t pieces[] = {20, wire_.size() - 20 - 100, 100};
    Bytes rest = AsBytes(wire_);
    for (size_t size : pieces) {
      Bytes piece = rest.first(size);
      rest = rest.subspan(size);
      if (!reader_.Consume(&piece).value_or(false)) continue;
      if (!decoder_.Decode(reader_.message()).ok()) continue;
      verified_ += VerifyHmac(decoder_.message(), key_) && decoder_.message().command == command;
    }
  }

  static constexpr uint32_t kValueSize = 4096;
  size_t verified_ = 0;
  HmacKey key_{kFactoryKey};
  Encoder encoder_;
  Decoder decoder_;
  FrameReader reader_;
  std::string wire_ = std::string(2 * kValueSize, '\0');
};

TEST(Allocation, IsCountedAtAll) {
  const uint64_t before = Heap().allocations;
  const auto text = std::make_unique<std::string>(100, 'x');
  EXPECT_EQ(Heap().allocations, before + 2) << text->size();
}

// Also when the sequence grows from one byte on the wire to ten.
TEST(Allocation, EndsAfterTheFirstRoundOfTheHotOperations) {
  Loop loop;
  loop.Round(1);
  const uint64_t before = Heap().allocations;
  for (int bits = 1; bits <= 64; ++bits) {
    for (int i = 0; i < 10; ++i) loop.Round(UINT64_MAX >> (64 - bits));
  }
  EXPECT_EQ(Heap().allocations, before);
  EXPECT_EQ(loop.verified(), 641u * 2 * std::size(kHotOperations));
}

TEST(Allocation, NeverHappensInSignOrVerify) {
  const HmacKey key(kFactoryKey);
  const std::string command(1000, 'c');
  const uint64_t before = Heap().allocations;
  const HmacDigest digest = key.Sign(AsBytes(command));
  const bool verified = key.Verify(AsBytes(command), AsText(digest));
  EXPECT_EQ(Heap().allocations, before);
  EXPECT_TRUE(verified);
}

TEST(Allocation, OfAValueBufferHappensOnceForItsLargestSize) {
  FrameReader reader;
  auto pass = [&](uint32_t value_size) {
    std::array<uint8_t, kFrameHeaderSize> header;
    EncodeFrameHeader({.message_size = 0, .value_size = value_size}, header.data());
    Bytes in = header;
    EXPECT_FALSE(reader.Consume(&in).value_or(true));
    static const std::vector<uint8_t> value(1 << 20);
    Bytes first = Bytes(value).first(value_size / 2);
    Bytes second = Bytes(value).subspan(value_size / 2, value_size - value_size / 2);
    EXPECT_FALSE(reader.Consume(&first).value_or(true));
    EXPECT_TRUE(reader.Consume(&second).value_or(false));
    EXPECT_EQ(reader.value().size(), value_size);
  };
  pass(1 << 20);
  const uint64_t before = Heap().allocations;
  for (uint32_t size : {1u << 20, 2u, 4096u, 1u << 20}) pass(size);
  EXPECT_EQ(Heap().allocations, before);
}

// Limits are checked first: a hostile length costs an error's text, not memory.
TEST(Allocation, IsNeverAsLargeAsARefusedLength) {
  for (FrameHeader hostile : {FrameHeader{.message_size = kSpecMaxMessageSize + 1},
                              FrameHeader{.message_size = 0x7fffffff},
                              FrameHeader{.message_size = 10, .value_size = 0xffffffff}}) {
    std::array<uint8_t, kFrameHeaderSize> header;
    EncodeFrameHeader(hostile, header.data());
    FrameReader reader;
    Bytes in = header;
    Heap().largest = 0;
    const absl::Status status = reader.Consume(&in).status();
    EXPECT_LT(Heap().largest, 1024u);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  }
}

}  // namespace
}  // namespace kbench::kinetic
