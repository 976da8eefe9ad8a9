// Every field of an answer is a word of its text, or is as it should be.
#include "client/conform/answer_text.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench::conform {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::StatusCode;

class AnswerTextTest : public ::testing::Test {
 protected:
  AnswerTextTest() {
    names_.set_prefix("run/");
    answer_.has_header = true;
    answer_.header = {
        .connection_id = 5, .ack_sequence = 3, .message_type = MessageType::kGetResponse};
    answer_.status = {.code = StatusCode::kSuccess};
  }

  std::string Text(absl::string_view value = "", std::string key = "key") {
    const kinetic::HmacKey own("key"), used(key);
    std::string pdu;
    kinetic::Signature signature = signature_;
    if (signature.kind == kinetic::Signature::Kind::kHmac) signature.key = &used;
    kinetic::Encoder().Append(answer_, signature, 0, &pdu);
    kinetic::Decoder decoder;
    EXPECT_TRUE(decoder.Decode(AsBytes(pdu).subspan(kinetic::kFrameHeaderSize)).ok());
    const std::map<uint64_t, int> numbers = {{3, 1}, {4, 2}};
    return AnswerText(decoder.message(), value,
                      {.names = &names_,
                       .key = &own,
                       .identity = 1,
                       .connection_id = 5,
                       .cluster_version = 7,
                       .response_type = MessageType::kGetResponse,
                       .sequence = 3,
                       .numbers = &numbers});
  }

  Names names_;
  Command answer_;
  kinetic::Signature signature_;
};

TEST_F(AnswerTextTest, SaysNothingOfWhatIsAsItShouldBe) { EXPECT_EQ(Text(), "SUCCESS"); }

TEST_F(AnswerTextTest, NamesEveryWrongFieldOfTheHeader) {
  answer_.header.ack_sequence = 4;
  EXPECT_EQ(Text(), "SUCCESS ackSequence=#2");
  answer_.header.ack_sequence = 9;
  EXPECT_EQ(Text(), "SUCCESS ackSequence=9");
  answer_.header.ack_sequence.reset();
  EXPECT_EQ(Text(), "SUCCESS no-ackSequence");
  answer_.header.message_type = MessageType::kPutResponse;
  answer_.header.connection_id = 6;
  EXPECT_EQ(Text(), "SUCCESS type=PUT_RESPONSE no-ackSequence connectionID=another");
  answer_.header = {.cluster_version = 7, .sequence = 1, .priority = 2, .batch_id = 8};
  EXPECT_EQ(Text(),
            "SUCCESS no-messageType no-ackSequence no-connectionID clusterVersion sequence=1 "
            "priority=2 batchID=8");
  answer_.header = {.cluster_version = 8};
  answer_.status.reset();
  EXPECT_EQ(Text(), "no-status no-messageType no-ackSequence no-connectionID clusterVersion=8");
}

TEST_F(AnswerTextTest, SaysWhoVouchesForIt) {
  EXPECT_EQ(Text("", "another key"), "SUCCESS wrong-signature");
  signature_.identity = 2;
  EXPECT_EQ(Text(), "SUCCESS identity=2");
  signature_ = {.kind = kinetic::Signature::Kind::kPinAnswer};
  EXPECT_EQ(Text(), "pin SUCCESS");
  signature_ = kinetic::Signature::Unsolicited();
  EXPECT_EQ(Text(), "unsolicited SUCCESS type ackSequence connectionID");
  answer_.has_header = false;
  EXPECT_EQ(Text(), "unsolicited SUCCESS no-header");
}

TEST_F(AnswerTextTest, TellsAbsentFromEmpty) {
  answer_.key_value.emplace();
  EXPECT_EQ(Text(), "SUCCESS keyValue");
  answer_.key_value->key = "run/a";
  answer_.key_value->db_version = "";
  EXPECT_EQ(Text(), "SUCCESS keyValue key=~a dbVersion=");
  answer_.key_value->tag = "t";
  answer_.key_value->algorithm = 4;
  answer_.key_value->metadata_only = false;
  EXPECT_EQ(Text("v"),
            "SUCCESS keyValue key=~a dbVersion= tag=t algorithm=4 metadataOnly=false value=v");
  answer_.key_value.reset();
  answer_.range.emplace();
  EXPECT_EQ(Text(), "SUCCESS range");
  answer_.range->keys = {"run/a", "run/b"};
  answer_.range->end_key = "run/b";
  EXPECT_EQ(Text(), "SUCCESS range endKey=~b keys=~a,~b");
}

TEST_F(AnswerTextTest, NamesTheRequestsOfABatchByTheirPlace) {
  answer_.batch.emplace();
  answer_.batch->sequences = {3, 4, 99};
  answer_.batch->failed_sequence = 4;
  EXPECT_EQ(Text(), "SUCCESS batch sequences=#1,#2,99 failedSequence=#2");
}

TEST_F(AnswerTextTest, IsPrintableAndShortWhateverTheServerSends) {
  const std::string rude = "\x1b[2J a,b\n|\xff";
  answer_.key_value.emplace();
  answer_.key_value->key = rude;
  EXPECT_EQ(Text(), "SUCCESS keyValue key=%1B%5B2J%20a%2Cb%0A%7C%FF");
  answer_.range.emplace().keys.assign(10'000, rude);
  const std::string text = Text(std::string(1 << 20, '\x1b'));
  EXPECT_LT(text.size(), 1000u);
  for (const char c : text) EXPECT_TRUE(absl::ascii_isprint(static_cast<unsigned char>(c)));
  EXPECT_NE(text.find("value=(1048576-bytes)"), std::string::npos) << text;
  EXPECT_EQ(Printable("red \x1b[31m\n", 100), "red \\x1b[31m\\x0a");
  EXPECT_EQ(Printable(std::string(500, 'x'), 10), "xxxxxxxxxx...");
}

TEST_F(AnswerTextTest, ShowsWhatTheRunMadeByItsName) {
  names_.Add(std::string(4096, 'k'), "longest-key");
  answer_.key_value.emplace().key = kinetic::Text();
  const std::string longest(4096, 'k');
  answer_.key_value->key = longest;
  EXPECT_EQ(Text(), "SUCCESS keyValue key=@longest-key");
}

}  // namespace
}  // namespace kbench::conform
