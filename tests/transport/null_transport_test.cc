// The transport without a kernel answers as a well-meaning server would.
#include "transport/null_transport.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench {
namespace {

using kinetic::MessageType;
using kinetic::StatusCode;

class NullTransportTest : public testing::Test {
 protected:
  void Start(TransportOptions options) {
    options.frames_max = 8;
    transport_ = MakeTransport(TransportKind::kNull, options).value();
    ASSERT_EQ(Index(transport_->Connect({}, Seconds(1)).value()), 0u);
  }

  void Send(kinetic::Command command, uint64_t sequence, size_t value_bytes = 0) {
    command.has_header = true;
    command.header.sequence = sequence;
    Frame& frame = frames_.emplace_back();
    frame.value.assign(value_bytes, 'v');
    encoder_.Append(command, kinetic::Signature::Hmac(7, &key_), static_cast<uint32_t>(value_bytes),
                    &frame.head);
    transport_->Send(FlowId(0), {.head = AsBytes(frame.head),
                                 .value = AsBytes(frame.value),
                                 .token = static_cast<uint32_t>(sequence),
                                 .stamps = &frame.stamps});
  }

  // The answers of one Poll(), with the size of each one's value.
  struct Answer {
    MessageType type;
    StatusCode status;
    uint64_t ack_sequence;
    uint32_t value_size;
    bool signed_by_requester;
  };
  std::vector<Answer> Poll() {
    std::vector<Answer> answers;
    sent_.clear();
    for (const TransportEvent& event : transport_->Poll(MonoNow())) {
      if (event.kind == TransportEvent::Kind::kSent) sent_.push_back(event.token);
      Bytes in = event.bytes;
      while (!in.empty()) {
        if (!reader_.Consume(&in).value()) continue;
        EXPECT_TRUE(decoder_.Decode(reader_.message()).ok());
        const kinetic::Message& message = decoder_.message();
        const kinetic::Command& command = message.command;
        answers.push_back({command.header.message_type.value_or(MessageType::kInvalid),
                           command.status->code.value(), command.header.ack_sequence.value_or(0),
                           reader_.value_size(),
                           message.identity == 7 && kinetic::VerifyHmac(message, key_)});
      }
    }
    return answers;
  }

  struct Frame {
    std::string head, value;
    SendStamps stamps;
  };
  kinetic::HmacKey key_{kinetic::kFactoryKey};
  kinetic::Encoder encoder_;
  kinetic::Decoder decoder_;
  kinetic::FrameReader reader_;
  std::unique_ptr<Transport> transport_;
  std::deque<Frame> frames_;
  std::vector<uint32_t> sent_;
};

kinetic::Command Of(MessageType type) {
  kinetic::Command command;
  command.header.message_type = type;
  return command;
}

TEST_F(NullTransportTest, GreetsOnce) {
  Start({});
  const auto events = transport_->Poll(MonoNow());
  ASSERT_EQ(events.size(), 1u);
  Bytes in = events[0].bytes;
  ASSERT_TRUE(reader_.Consume(&in).value());
  ASSERT_TRUE(decoder_.Decode(reader_.message()).ok());
  EXPECT_EQ(decoder_.message().auth_type, kinetic::AuthType::kUnsolicitedStatus);
  EXPECT_TRUE(decoder_.message().command.header.connection_id.has_value());
  EXPECT_TRUE(decoder_.message().command.get_log->limits.has_value());
  EXPECT_TRUE(transport_->Poll(MonoNow()).empty());
}

TEST_F(NullTransportTest, AnswersEverythingInOrderAndSigned) {
  Start({.null_value_bytes = 1000});
  Poll();
  Send(Of(MessageType::kPut), 4, 300);
  Send(Of(MessageType::kGet), 5);
  Send(Of(MessageType::kNoop), 6);
  const std::vector<Answer> answers = Poll();
  EXPECT_EQ(sent_, (std::vector<uint32_t>{4, 5, 6}));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].type, MessageType::kPutResponse);
  EXPECT_EQ(answers[0].value_size, 0u);
  EXPECT_EQ(answers[1].type, MessageType::kGetResponse);
  EXPECT_EQ(answers[1].value_size, 1000u);
  EXPECT_EQ(answers[2].type, MessageType::kNoopResponse);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(answers[i].ack_sequence, 4 + i);
    EXPECT_EQ(answers[i].status, StatusCode::kSuccess);
    EXPECT_TRUE(answers[i].signed_by_requester);
  }
  EXPECT_TRUE(frames_[0].stamps.submitted.is_set());
}

TEST_F(NullTransportTest, KnowsNoDeviceLog) {
  Start({});
  Poll();
  kinetic::Command command = Of(MessageType::kGetLog);
  command.get_log.emplace().device_name = "org.kbench.residence/1";
  command.get_log->types = {kinetic::GetLog::Type::kDevice};
  Send(command, 1);
  const std::vector<Answer> answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, StatusCode::kNotFound);
}

TEST_F(NullTransportTest, AnswersNoPutInsideABatch) {
  Start({});
  Poll();
  kinetic::Command put = Of(MessageType::kPut);
  put.header.batch_id = 3;
  Send(put, 1);
  kinetic::Command end = Of(MessageType::kEndBatch);
  end.header.batch_id = 3;
  Send(end, 2);
  const std::vector<Answer> answers = Poll();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].type, MessageType::kEndBatchResponse);
  EXPECT_EQ(sent_, (std::vector<uint32_t>{1, 2}));
}

TEST_F(NullTransportTest, SignsWithTheKeyOfItsOptions) {
  Start({.null_hmac_key = "another key"});
  Poll();
  Send(Of(MessageType::kNoop), 1);
  EXPECT_FALSE(Poll().at(0).signed_by_requester);
  key_ = kinetic::HmacKey("another key");
  Send(Of(MessageType::kNoop), 2);
  EXPECT_TRUE(Poll().at(0).signed_by_requester);
}

TEST_F(NullTransportTest, ClosesOnBytesThatAreNoMessage) {
  Start({});
  Poll();
  SendStamps stamps;
  const std::string garbage(20, '\xff');
  transport_->Send(FlowId(0), {.head = AsBytes(garbage), .stamps = &stamps});
  const auto events = transport_->Poll(MonoNow());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].kind, TransportEvent::Kind::kClosed);
  EXPECT_EQ(events[1].error, EBADMSG);
}

TEST_F(NullTransportTest, AClosedFlowSaysNothing) {
  Start({});
  transport_->Close(FlowId(0));
  Send(Of(MessageType::kNoop), 1);
  const MonoTime deadline = MonoNow() + Millis(2);
  EXPECT_TRUE(transport_->Poll(deadline).empty());
  EXPECT_GE(MonoNow(), deadline);
}

}  // namespace
}  // namespace kbench
