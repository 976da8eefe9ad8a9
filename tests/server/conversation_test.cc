// The rules of conversation.h's table, row by row, and framing through the whole conversation.
#include "server/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/server/desk_fixture.h"

namespace kbench::server {
namespace {

using kinetic::AuthType;
using kinetic::Command;
using kinetic::MessageType;
using kinetic::StatusCode;
using ::testing::HasSubstr;

class ConversationTest : public ::testing::Test {
 protected:
  static std::string Signed(const Command& command, absl::string_view value = "") {
    return RequestBytes(command, kinetic::kFactoryIdentity, kinetic::kFactoryKey, value);
  }
  Answer Only(const std::vector<Answer>& answers) {
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? Answer() : answers[0];
  }
  void ExpectAlive() { EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kNoop)).status, kOk); }
  // The conversation says why, unsigned, and ends; nothing after it is answered.
  void ExpectClosed(const Answer& answer, absl::string_view why,
                    StatusCode status = StatusCode::kInvalidRequest) {
    EXPECT_EQ(answer.auth_type, AuthType::kUnsolicitedStatus);
    EXPECT_EQ(answer.status, status);
    EXPECT_FALSE(answer.connection_id.has_value()) << "kinetic-c would see a new handshake";
    EXPECT_FALSE(answer.ack_sequence.has_value());
    EXPECT_THAT(answer.status_message, HasSubstr(std::string(why)));
    EXPECT_TRUE(talk_.closing());
    EXPECT_TRUE(talk_.Send(Signed(talk_.Next(MessageType::kNoop))).empty());
  }

  static constexpr StatusCode kOk = StatusCode::kSuccess;
  DeskFixture fixture_;
  Talk talk_{&fixture_};
};

TEST_F(ConversationTest, OpensWithConnectionConfigurationAndLimits) {
  const Answer& greeting = talk_.greeting();
  EXPECT_EQ(greeting.auth_type, AuthType::kUnsolicitedStatus);
  EXPECT_EQ(greeting.status, kOk);
  EXPECT_EQ(greeting.connection_id, Talk::kConnection);
  EXPECT_EQ(greeting.cluster_version, 0);
  EXPECT_EQ(greeting.vendor, "kbench");
  ASSERT_TRUE(greeting.limits.has_value());
  EXPECT_EQ(greeting.limits->max_key_size, 4096u);
  EXPECT_EQ(greeting.limits->max_value_size, 1048576u);
  EXPECT_EQ(greeting.limits->max_version_size, 2048u);
  EXPECT_EQ(greeting.limits->max_key_range_count, 200u);
}

TEST_F(ConversationTest, SignsAnAnswerForTheOneWhoAsked) {
  const Answer answer =
      Only(talk_.Send(RequestBytes(talk_.Next(MessageType::kNoop), 2, "secret2")));
  EXPECT_EQ(answer.status, kOk);
  EXPECT_EQ(answer.identity, 2);
  EXPECT_FALSE(answer.signature_good) << "not with the factory key";
  const Answer factory = talk_.Ask(talk_.Next(MessageType::kNoop));
  EXPECT_TRUE(factory.signature_good);
  EXPECT_EQ(factory.auth_type, AuthType::kHmac);
  EXPECT_EQ(factory.type, MessageType::kNoopResponse);
  EXPECT_EQ(factory.ack_sequence, 2u);
  EXPECT_EQ(factory.connection_id, Talk::kConnection);
  EXPECT_FALSE(factory.cluster_version.has_value());
}

TEST_F(ConversationTest, AWrongKeyIsAnHmacFailureSignedForTheIdentity) {
  const Answer answer = Only(talk_.Send(RequestBytes(talk_.Next(MessageType::kNoop), 1, "wrong")));
  EXPECT_EQ(answer.status, StatusCode::kHmacFailure);
  EXPECT_EQ(answer.type, MessageType::kNoopResponse);
  EXPECT_EQ(answer.ack_sequence, 1u);
  EXPECT_TRUE(answer.signature_good);
  ExpectAlive();
}

TEST_F(ConversationTest, AnUnknownIdentityEndsTheConversation) {
  ExpectClosed(Only(talk_.Send(RequestBytes(talk_.Next(MessageType::kNoop), 99, "asdfasdf"))),
               "identity 99", StatusCode::kHmacFailure);
}

TEST_F(ConversationTest, ALargeCommandIsUnpackedForThoseWhoCanSignItOnly) {
  Command large = talk_.Next(MessageType::kGetKeyRange);
  const std::string key(20'000, 'k');
  large.range = {.start_key = key};
  const Answer answer = talk_.Ask(large);
  EXPECT_EQ(answer.status, StatusCode::kInvalidRequest) << "a key above the limit";
  large.header = talk_.Next(MessageType::kGetKeyRange).header;
  ExpectClosed(Only(talk_.Send(RequestBytes(large, 1, "wrong"))), "not signed",
               StatusCode::kHmacFailure);
}

TEST_F(ConversationTest, AFailedSignatureChangesNothing) {
  Command put = talk_.Next(MessageType::kPut);
  put.key_value = {.key = "k", .synchronization = kinetic::Synchronization::kWriteBack};
  EXPECT_EQ(Only(talk_.Send(RequestBytes(put, 1, "wrong", "v"))).status, StatusCode::kHmacFailure);
  EXPECT_EQ(*fixture_.store.Find("k"), nullptr);
  EXPECT_EQ(talk_.Ask(put, "v").status, kOk) << "nor was its sequence used up";
}

TEST_F(ConversationTest, APinVouchesForPinOperationsOnlyAndOverTlsOnly) {
  Answer answer = talk_.AskByPin(talk_.Next(MessageType::kNoop), "123");
  EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
  EXPECT_EQ(answer.auth_type, AuthType::kPin);
  Command lock = talk_.Next(MessageType::kPinOp);
  lock.pin_op_type = static_cast<int32_t>(kinetic::PinOp::kLock);
  answer = talk_.AskByPin(lock, "123");
  EXPECT_EQ(answer.auth_type, AuthType::kPin);
  EXPECT_EQ(answer.type, MessageType::kPinOpResponse);
  EXPECT_EQ(answer.ack_sequence, 2u);
  EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
  EXPECT_THAT(answer.status_message, HasSubstr("TLS"));
  ExpectAlive();
}

TEST_F(ConversationTest, AnUnsignedRequestEndsTheConversation) {
  std::string bytes;
  kinetic::Encoder().Append(talk_.Next(MessageType::kNoop), kinetic::Signature::Unsolicited(), 0,
                            &bytes);
  ExpectClosed(Only(talk_.Send(bytes)), "HMACAUTH");
}

TEST_F(ConversationTest, AnEmptyMessageEndsTheConversation) {
  ExpectClosed(Only(talk_.Send(FrameBytes(""))), "none");
}

TEST_F(ConversationTest, GarbageEndsTheConversation) {
  ExpectClosed(Only(talk_.Send(FrameBytes(std::string(20, '\xff')))), "");
}

TEST_F(ConversationTest, AWrongMagicEndsTheConversation) {
  ExpectClosed(Only(talk_.Send("GET / HTTP/1.1\r\n\r\n")), "");
}

TEST_F(ConversationTest, AMessageLengthAboveTheLimitEndsTheConversationAtItsHeader) {
  ExpectClosed(Only(talk_.Send(absl::string_view("F\x7f\xff\xff\xff\0\0\0\0", 9))), "");
}

TEST_F(ConversationTest, AValueLengthBeyondReasonEndsTheConversationAtItsHeader) {
  ExpectClosed(Only(talk_.Send(absl::string_view("F\0\0\0\x01\xff\xff\xff\xff", 9))), "");
}

TEST_F(ConversationTest, ACommandWithoutHeaderIsAskedForOne) {
  const Answer answer = Only(talk_.Send(Signed(Command())));
  EXPECT_EQ(answer.status, StatusCode::kHeaderRequired);
  EXPECT_TRUE(answer.signature_good);
  EXPECT_FALSE(answer.ack_sequence.has_value());
  ExpectAlive();
}

TEST_F(ConversationTest, AnotherClusterVersionIsToldTheRightOne) {
  Device::State state = fixture_.device.state();
  state.cluster_version = 7;
  ASSERT_TRUE(fixture_.device.Change(state).ok());
  const Answer answer = talk_.Ask(talk_.Next(MessageType::kNoop));
  EXPECT_EQ(answer.status, StatusCode::kVersionFailure);
  EXPECT_EQ(answer.cluster_version, 7);
  EXPECT_EQ(answer.ack_sequence, 1u);
  Command right = talk_.Next(MessageType::kNoop);
  right.header.cluster_version = 7;
  EXPECT_EQ(talk_.Ask(right).status, kOk);
}

// Each changes a good request in one way that makes it INVALID_REQUEST, answered and survived.
TEST_F(ConversationTest, RefusesRequestsThatBreakARuleAndGoesOn) {
  const struct {
    const char* name;
    std::function<void(Command*)> change;
    const char* says;
  } cases[] = {
      {"another connectionID", [](Command* c) { c->header.connection_id = 1; }, "connectionID"},
      {"no connectionID", [](Command* c) { c->header.connection_id.reset(); }, "connectionID"},
      {"no message type", [](Command* c) { c->header.message_type.reset(); }, "no message type"},
      {"a response", [](Command* c) { c->header.message_type = MessageType::kNoopResponse; },
       "NOOP_RESPONSE is no request"},
      {"INVALID", [](Command* c) { c->header.message_type = MessageType::kInvalid; },
       "is no request"},
      {"an unknown type", [](Command* c) { c->header.message_type = MessageType{98}; },
       "UNKNOWN(98)"},
      {"the same sequence", [](Command* c) { c->header.sequence = 1; }, "sequence 1"},
      {"a smaller sequence", [](Command* c) { c->header.sequence = 0; }, "sequence 0"},
      {"no sequence", [](Command* c) { c->header.sequence.reset(); }, "sequence 0"},
  };
  ExpectAlive();
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Command command = talk_.Next(MessageType::kNoop);
    c.change(&command);
    const Answer answer = talk_.Ask(command);
    EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
    EXPECT_THAT(answer.status_message, HasSubstr(c.says));
    EXPECT_EQ(answer.ack_sequence, command.header.sequence);
    EXPECT_TRUE(answer.signature_good);
    ExpectAlive();
  }
}

TEST_F(ConversationTest, ALockedDeviceSaysSoAtOnceAndToEveryRequest) {
  fixture_.device.set_locked(true);
  EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kNoop)).status, StatusCode::kDeviceLocked);
  Talk late(&fixture_, 4712);
  EXPECT_EQ(late.greeting().status, StatusCode::kDeviceLocked);
  EXPECT_EQ(late.greeting().connection_id, 4712);
  EXPECT_EQ(Talk(&fixture_, 4713, /*tls=*/true).greeting().status, StatusCode::kSuccess)
      << "over TLS it is let in to unlock it";
  fixture_.device.set_locked(false);
  ExpectAlive();
}

TEST_F(ConversationTest, ADeviceThatSleepsAnswersOnlyToThePowerSwitch) {
  const auto set_power = [&](kinetic::PowerLevel level) {
    Command command = talk_.Next(MessageType::kSetPowerLevel);
    command.power_level = static_cast<int32_t>(level);
    return talk_.Ask(command).status;
  };
  EXPECT_EQ(set_power(kinetic::PowerLevel::kHibernate), kOk);
  EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kNoop)).status, StatusCode::kHibernate);
  EXPECT_EQ(set_power(kinetic::PowerLevel::kShutdown), kOk);
  EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kNoop)).status, StatusCode::kShutdown);
  EXPECT_EQ(set_power(kinetic::PowerLevel::kOperational), kOk);
  ExpectAlive();
  EXPECT_EQ(set_power(kinetic::PowerLevel::kFail), StatusCode::kNotAttempted);
  EXPECT_EQ(set_power(kinetic::PowerLevel{17}), StatusCode::kInvalidRequest);
}

TEST_F(ConversationTest, APriorityAboveTheIdentitysIsNotAuthorized) {
  Device::State state = fixture_.device.state();
  auto identity = std::make_shared<Identity>("asdfasdf");
  identity->scopes = {EverythingScope()};
  identity->max_priority = 5;
  state.access.Set(1, identity);
  ASSERT_TRUE(fixture_.device.Change(state).ok());
  for (int32_t priority = 1; priority <= 9; ++priority) {
    Command command = talk_.Next(MessageType::kNoop);
    command.header.priority = priority;
    EXPECT_EQ(talk_.Ask(command).status, priority <= 5 ? kOk : StatusCode::kNotAuthorized);
  }
}

TEST_F(ConversationTest, ARequestWhoseTimeoutHasPassedIsExpiredAndNotDone) {
  Command put = talk_.Next(MessageType::kPut);
  put.header.timeout_ms = 5;
  put.key_value = {.key = "k", .synchronization = kinetic::Synchronization::kWriteBack};
  std::string bytes = Signed(put, "v");
  Bytes in = AsBytes(bytes);
  talk_.conversation().Consume(&in, RealNow() - Millis(6));  // it had to wait
  EXPECT_EQ(Only(talk_.Send("")).status, StatusCode::kExpired);
  EXPECT_EQ(*fixture_.store.Find("k"), nullptr);

  fixture_.service = *ServiceTime::Parse("put=20ms", 1);
  put.header.sequence = 10;
  bytes = Signed(put, "v");
  in = AsBytes(bytes);
  const Conversation::Step step = talk_.conversation().Consume(&in, RealNow());
  EXPECT_LE(step.service, Millis(5)) << "said when the timeout passes, not later";
  EXPECT_EQ(Only(talk_.Send("")).status, StatusCode::kExpired);
  put.header.sequence = 11;
  put.header.timeout_ms = 60'000;
  EXPECT_EQ(Only(talk_.Send(Signed(put, "v"))).status, kOk);
}

TEST_F(ConversationTest, MoreUnansweredThanTheLimitsIsServiceBusy) {
  fixture_.limits.read_depth = 2;
  fixture_.limits.write_depth = 1;
  std::string bytes;
  for (const MessageType type :
       {MessageType::kGet, MessageType::kGet, MessageType::kGet, MessageType::kFlushAllData,
        MessageType::kFlushAllData, MessageType::kNoop}) {
    bytes += Signed(talk_.Next(type));
  }
  std::vector<StatusCode> statuses;
  for (const Answer& answer : talk_.Send(bytes)) statuses.push_back(answer.status);
  EXPECT_THAT(statuses,
              ::testing::ElementsAre(StatusCode::kNotFound, StatusCode::kNotFound,
                                     StatusCode::kServiceBusy, kOk, StatusCode::kServiceBusy, kOk));
  EXPECT_EQ(talk_.Ask(talk_.Next(MessageType::kGet)).status, StatusCode::kNotFound)
      << "they have been sent";
}

TEST_F(ConversationTest, AnyFirstSequenceIsGoodAndGapsAreToo) {
  for (const uint64_t sequence : {uint64_t{0}, uint64_t{100}, UINT64_MAX}) {
    const Answer answer = talk_.Ask(Request(MessageType::kNoop, Talk::kConnection, sequence));
    EXPECT_EQ(answer.status, kOk);
    EXPECT_EQ(answer.ack_sequence, sequence);
  }
}

TEST_F(ConversationTest, AcceptsThePrioritiesOfBothProtocolGenerations) {
  for (int32_t priority = 1; priority <= 9; ++priority) {
    Command command = talk_.Next(MessageType::kNoop);
    command.header.priority = priority;
    EXPECT_EQ(talk_.Ask(command).status, kOk);
  }
}

TEST_F(ConversationTest, IgnoresUnknownFieldsOfTheMessage) {
  std::string pdu = Signed(talk_.Next(MessageType::kNoop));
  const std::string message = pdu.substr(9) + std::string("\xa2\x06\x03xyz", 6);  // field 100
  EXPECT_EQ(Only(talk_.Send(FrameBytes(message))).status, kOk);
}

TEST_F(ConversationTest, AValueAboveTheLimitIsReadPastAndRefused) {
  Command put = talk_.Next(MessageType::kPut);
  put.key_value = {.key = "big", .synchronization = kinetic::Synchronization::kWriteBack};
  const Answer answer = talk_.Ask(put, std::string(1024 * 1024 + 1, 'v'));
  EXPECT_EQ(answer.status, StatusCode::kInvalidRequest);
  EXPECT_EQ(answer.ack_sequence, 1u);
  EXPECT_THAT(answer.status_message, HasSubstr("1048577"));
  EXPECT_EQ(*fixture_.store.Find("big"), nullptr);
  put = talk_.Next(MessageType::kPut);
  put.key_value = {.key = "big", .synchronization = kinetic::Synchronization::kWriteBack};
  EXPECT_EQ(talk_.Ask(put, std::string(1024 * 1024, 'v')).status, kOk);
}

TEST_F(ConversationTest, AnswersTheSameInEverySplitAndInOrder) {
  std::string stream;
  for (int i = 0; i < 5; ++i) {
    Command put = talk_.Next(MessageType::kPut);
    const std::string key = "key" + std::to_string(i);
    put.key_value = {.key = key, .synchronization = kinetic::Synchronization::kWriteBack};
    stream += Signed(put, std::string(static_cast<size_t>(i) * 100, 'v'));
    Command get = talk_.Next(MessageType::kGet);
    get.key_value = {.key = key};
    stream += Signed(get);
  }
  for (const size_t size : {size_t{1}, size_t{7}, size_t{64}, stream.size()}) {
    Talk talk(&fixture_);
    std::vector<Answer> answers;
    for (size_t at = 0; at < stream.size(); at += size) {
      for (Answer& answer : talk.Send(absl::string_view(stream).substr(at, size))) {
        answers.push_back(std::move(answer));
      }
    }
    ASSERT_EQ(answers.size(), 10u) << "in pieces of " << size;
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(answers[i].ack_sequence, i + 1);
      EXPECT_EQ(answers[i].status, kOk);
      if (i % 2 == 1) {
        EXPECT_EQ(answers[i].value.size(), i / 2 * 100);
      }
    }
  }
}

TEST_F(ConversationTest, TheServiceTimeIsThatOfTheRequestsType) {
  fixture_.service = *ServiceTime::Parse("get=500us", 1);
  const std::string bytes = Signed(talk_.Next(MessageType::kGet)) +
                            Signed(talk_.Next(MessageType::kNoop)) +
                            RequestBytes(talk_.Next(MessageType::kGet), 1, "wrong");
  Bytes in = AsBytes(bytes);
  EXPECT_EQ(talk_.conversation().Consume(&in, RealNow()).service, Micros(500));
  EXPECT_EQ(talk_.conversation().Consume(&in, RealNow()).service, Nanos(0));
  EXPECT_EQ(talk_.conversation().Consume(&in, RealNow()).service, Nanos(0))
      << "turned away at the door";
}

}  // namespace
}  // namespace kbench::server
