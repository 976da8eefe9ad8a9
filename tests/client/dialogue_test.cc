// The client's side of the protocol against servers of every manner, in bytes.
#include "client/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/requests.h"

namespace kbench::client {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::StatusCode;

std::string Pdu(const Command& command, const kinetic::Signature& signature,
                absl::string_view value = "") {
  std::string out;
  kinetic::Encoder().Append(command, signature, static_cast<uint32_t>(value.size()), &out);
  out.append(value.data(), value.size());
  return out;
}

Command Greeting(StatusCode status = StatusCode::kSuccess) {
  Command command;
  command.has_header = true;
  command.header.connection_id = 4711;
  command.header.cluster_version = 3;
  command.get_log.emplace().limits.emplace().max_key_range_count = 55;
  command.status = {.code = status};
  return command;
}

Command Answer(uint64_t sequence, StatusCode status = StatusCode::kSuccess) {
  Command command;
  command.has_header = true;
  command.header.ack_sequence = sequence;
  command.header.message_type = MessageType::kNoopResponse;
  command.status = {.code = status, .message = "words"};
  return command;
}

class DialogueTest : public ::testing::Test {
 protected:
  DialogueTest() { Take(Pdu(Greeting(), kinetic::Signature::Unsolicited())); }

  std::vector<Reply> Take(absl::string_view bytes) {
    std::vector<Reply> replies;
    Bytes in = AsBytes(bytes);
    while (true) {
      absl::StatusOr<std::optional<Reply>> reply = dialogue_.Next(&in);
      EXPECT_TRUE(reply.ok()) << reply.status();
      if (!reply.ok() || !reply->has_value()) return replies;
      replies.push_back(**std::move(reply));
    }
  }
  uint64_t Ask() {
    std::string bytes;
    return dialogue_.Ask(NoopRequest(), 0, &bytes);
  }
  kinetic::Signature Signed() { return kinetic::Signature::Hmac(1, &key_); }

  kinetic::HmacKey key_{kinetic::kFactoryKey};
  Dialogue dialogue_{Dialogue::Options{}};
};

TEST_F(DialogueTest, TakesItsIdentityFromTheGreeting) {
  EXPECT_TRUE(dialogue_.greeted());
  EXPECT_EQ(dialogue_.connection_id(), 4711);
  EXPECT_EQ(dialogue_.limits().max_key_range_count, 55u);
  std::string bytes;
  EXPECT_EQ(dialogue_.Ask(GetRequest("k"), 0, &bytes), 1u);
  EXPECT_EQ(dialogue_.Ask(GetRequest("k"), 0, &bytes), 2u);
  kinetic::FrameReader frames;
  Bytes in = AsBytes(bytes);
  ASSERT_TRUE(*frames.Consume(&in));
  kinetic::Decoder decoder;
  ASSERT_TRUE(decoder.Decode(frames.message()).ok());
  EXPECT_TRUE(kinetic::VerifyHmac(decoder.message(), key_));
  EXPECT_EQ(decoder.message().command.header.connection_id, 4711);
  EXPECT_EQ(decoder.message().command.header.cluster_version, 3);
  EXPECT_EQ(decoder.message().command.header.sequence, 1u);
}

TEST_F(DialogueTest, AttributesRepliesInAnyOrder) {
  const uint64_t first = Ask(), second = Ask();
  const std::vector<Reply> replies =
      Take(Pdu(Answer(second), Signed(), "value") + Pdu(Answer(first), Signed()));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].sequence, second);
  EXPECT_EQ(replies[0].value, "value");
  EXPECT_TRUE(replies[0].authentic);
  EXPECT_EQ(replies[1].sequence, first);
  EXPECT_EQ(dialogue_.unanswered(), 0u);
}

TEST_F(DialogueTest, ReadsRepliesInEverySplit) {
  const std::string bytes = Pdu(Answer(Ask()), Signed(), "a value");
  std::vector<Reply> replies;
  for (const char byte : bytes) {
    for (Reply& reply : Take(absl::string_view(&byte, 1))) replies.push_back(std::move(reply));
  }
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].value, "a value");
  EXPECT_EQ(replies[0].text, "words");
}

TEST_F(DialogueTest, AReplyWithoutAckBelongsToTheOnlyRequestThereIs) {
  const uint64_t only = Ask();
  Command refusal = Answer(0, StatusCode::kInvalidRequest);
  refusal.header.ack_sequence.reset();
  EXPECT_EQ(Take(Pdu(refusal, Signed()))[0].sequence, only);
  Ask();
  Ask();
  EXPECT_EQ(Take(Pdu(refusal, Signed()))[0].sequence, 0u) << "of two it cannot be known";
}

TEST_F(DialogueTest, SurvivesAReplyWithoutACommandOrASignature) {
  const uint64_t only = Ask();
  // authType HMACAUTH and nothing else: what the simulator says to an unknown identity.
  const std::string bare("F\0\0\0\x02\0\0\0\0\x20\x01", 11);
  const std::vector<Reply> replies = Take(bare);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].sequence, only);
  EXPECT_EQ(replies[0].status, StatusCode::kInvalid);
  EXPECT_FALSE(replies[0].authentic);
}

TEST_F(DialogueTest, TellsAReplySignedWithAnotherKey) {
  const kinetic::HmacKey other("other");
  const uint64_t sequence = Ask();
  const std::vector<Reply> replies =
      Take(Pdu(Answer(sequence), kinetic::Signature::Hmac(1, &other)));
  EXPECT_EQ(replies[0].sequence, sequence);
  EXPECT_FALSE(replies[0].authentic);
}

TEST_F(DialogueTest, TakesTheClusterVersionFromARefusal) {
  Command refusal = Answer(Ask(), StatusCode::kVersionFailure);
  refusal.header.cluster_version = 9;
  Take(Pdu(refusal, Signed()));
  EXPECT_EQ(dialogue_.cluster_version(), 9);
}

TEST_F(DialogueTest, KnowsWhichRequestAReplyIsToAndWhetherItIsOne) {
  std::string bytes;
  const uint64_t get = dialogue_.Ask(GetRequest("k"), 0, &bytes), noop = Ask();
  const std::vector<Reply> replies = Take(Pdu(Answer(get), Signed()) + Pdu(Answer(noop), Signed()));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].request, MessageType::kGet);
  EXPECT_EQ(replies[0].fault, kinetic::AnswerFault::kOtherType) << "a NOOP's answer";
  EXPECT_EQ(replies[1].request, MessageType::kNoop);
  EXPECT_EQ(replies[1].fault, kinetic::AnswerFault::kNone);
}

TEST_F(DialogueTest, AStatusThatNobodyAskedForIsNobodysReply) {
  Ask();
  Command status = Answer(0, StatusCode::kConnectionTerminated);
  status.header = {};
  const std::vector<Reply> replies = Take(Pdu(status, kinetic::Signature::Unsolicited()));
  EXPECT_TRUE(replies[0].unsolicited);
  EXPECT_EQ(replies[0].sequence, 0u);
  EXPECT_EQ(replies[0].Describe(), "CONNECTION_TERMINATED: words");
  EXPECT_EQ(dialogue_.unanswered(), 1u);
}

TEST_F(DialogueTest, WhatIsNoKineticIsAnErrorFromThenOn) {
  Bytes in = AsBytes("HTTP/1.1 400 Bad Request");
  EXPECT_FALSE(dialogue_.Next(&in).ok());
  const std::string good = Pdu(Answer(1), Signed());
  in = AsBytes(good);
  EXPECT_FALSE(dialogue_.Next(&in).ok());
}

TEST(Dialogue, ALockedDeviceGreetsAllTheSame) {
  Dialogue dialogue{Dialogue::Options{}};
  const std::string bytes =
      Pdu(Greeting(StatusCode::kDeviceLocked), kinetic::Signature::Unsolicited());
  Bytes in = AsBytes(bytes);
  EXPECT_EQ((*dialogue.Next(&in))->status, StatusCode::kDeviceLocked);
  EXPECT_TRUE(dialogue.greeted());
}

}  // namespace
}  // namespace kbench::client
