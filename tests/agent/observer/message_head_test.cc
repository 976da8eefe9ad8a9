// The puller beside the room that decodes whole messages: both must say the same.
#include "agent/observer/message_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "tests/agent/observer/synthetic.h"

namespace kbench::observer {
namespace {

using kinetic::MessageType;

std::string MessageOfPdu(const std::string& pdu, size_t value_size = 0) {
  return pdu.substr(kinetic::kFrameHeaderSize, pdu.size() - kinetic::kFrameHeaderSize - value_size);
}

std::vector<std::string> Samples() {
  return {MessageOfPdu(RequestPdu(MessageType::kPut, 77)),
          MessageOfPdu(RequestPdu(MessageType::kPut, UINT64_MAX, 0, 5)),
          MessageOfPdu(RequestPdu(MessageType::kNoop, 0)),
          MessageOfPdu(AnswerPdu(MessageType::kGet, 300)), MessageOfPdu(GreetingPdu())};
}

TEST(MessageHead, SaysWhatTheDecoderSays) {
  kinetic::Decoder decoder;
  for (const std::string& message : Samples()) {
    ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
    const kinetic::Message& want = decoder.message();
    MessageHead head;
    ASSERT_TRUE(ParseMessageHead(AsBytes(message), message.size(), &head));
    EXPECT_EQ(head.auth_type, want.auth_type);
    EXPECT_EQ(head.has_header, want.command.has_header);
    EXPECT_EQ(head.connection_id, want.command.header.connection_id);
    EXPECT_EQ(head.ack_sequence, want.command.header.ack_sequence);
    EXPECT_EQ(head.sequence, want.command.header.sequence.value_or(0));
    EXPECT_EQ(head.type, want.command.header.message_type.value_or(MessageType::kInvalid));
    EXPECT_EQ(head.in_batch, want.command.header.batch_id.has_value());
    const bool answer = !kinetic::IsRequest(head.type);
    ASSERT_EQ(head.status.has_value(), answer);
    if (answer) {
      EXPECT_EQ(*head.status, static_cast<int32_t>(*want.command.status->code));
    }
  }
}

TEST(MessageHead, OfACutMessageIsRightOrNotThere) {
  for (const std::string& message : Samples()) {
    MessageHead whole;
    ASSERT_TRUE(ParseMessageHead(AsBytes(message), message.size(), &whole));
    size_t good = 0;
    for (size_t n = 0; n < message.size(); ++n) {
      const std::string cut = message.substr(0, n);
      MessageHead head;
      if (ParseMessageHead(AsBytes(cut), message.size(), &head)) {
        ++good;
        EXPECT_EQ(head.sequence, whole.sequence) << n;
        EXPECT_EQ(head.ack_sequence, whole.ack_sequence) << n;
        EXPECT_EQ(head.connection_id, whole.connection_id) << n;
        EXPECT_EQ(head.type, whole.type) << n;
        EXPECT_EQ(head.in_batch, whole.in_batch) << n;
      }
      // Were it whole, its lengths would be wrong, or there would be no command in it.
      EXPECT_FALSE(ParseMessageHead(AsBytes(cut), n, &head) && head.has_header) << n;
    }
    if (whole.type == MessageType::kPut) {
      EXPECT_GT(good, 0u) << "its key is not needed";
    }
  }
}

TEST(MessageHead, NoKinetic) {
  MessageHead head;
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string(20, '\0'), std::string(20, '\xff'),
        std::string("\x20\x01"), std::string("\x3a\x05hello")}) {
    EXPECT_FALSE(ParseMessageHead(AsBytes(bytes), bytes.size(), &head) && head.has_header) << bytes;
  }
}

TEST(MessageHead, FieldsInAnyOrderAndUnknownOnes) {
  // commandBytes before authType, each with an unknown field of every wire type.
  const std::string header =
      std::string("\x38\x1e\xa2\x06\x01x\x20\x07", 8);  // type 30, sequence 7
  const std::string command = std::string("\x0a", 1) + static_cast<char>(header.size()) + header;
  const std::string message = std::string("\x3a", 1) + static_cast<char>(command.size()) + command +
                              std::string("\xf9\x01zzzzzzzz\xfd\x01zzzz\xf0\x01\x05", 19) +
                              std::string("\x20\x01", 2);
  MessageHead head;
  ASSERT_TRUE(ParseMessageHead(AsBytes(message), message.size(), &head));
  EXPECT_EQ(head.type, MessageType::kNoop);
  EXPECT_EQ(head.sequence, 7u);
  EXPECT_EQ(head.auth_type, kinetic::AuthType::kHmac);
}

}  // namespace
}  // namespace kbench::observer
