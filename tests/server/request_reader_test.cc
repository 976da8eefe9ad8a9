#include "server/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace kbench::server {
namespace {

std::string Pdu(absl::string_view message, uint32_t value_size, absl::string_view value) {
  uint8_t header[kinetic::kFrameHeaderSize];
  kinetic::EncodeFrameHeader(
      {.message_size = static_cast<uint32_t>(message.size()), .value_size = value_size}, header);
  return absl::StrCat(AsText(header), message, value);
}
std::string Pdu(absl::string_view message, absl::string_view value) {
  return Pdu(message, static_cast<uint32_t>(value.size()), value);
}

// Everything that the reader made of the bytes: "message|value;" for each request.
class Transcript {
 public:
  explicit Transcript(const Limits* limits) : reader_(limits) {}

  // As one receive call would: first into the value's own memory, the rest into a buffer that
  // does not live on.
  void Receive(absl::string_view bytes) {
    const MutableBytes room = reader_.room();
    const size_t direct = std::min(room.size(), bytes.size());
    if (direct > 0) std::memcpy(room.data(), bytes.data(), direct);
    reader_.Filled(direct);
    std::string buffer(bytes.substr(direct));
    Bytes in = AsBytes(buffer);
    while (true) {
      const auto complete = reader_.Consume(&in);
      if (!complete.ok()) {
        absl::StrAppend(&text_, "error;");
        return;
      }
      if (!*complete) break;
      absl::StrAppend(&text_, AsText(reader_.message()), "|");
      if (reader_.value_skipped()) {
        absl::StrAppend(&text_, "skipped ", reader_.value_size(), ";");
      } else {
        absl::StrAppend(&text_, AsText(reader_.TakeValue().bytes()), ";");
      }
    }
    EXPECT_TRUE(in.empty());
    buffer.assign(buffer.size(), '#');  // whoever still points here shows it
  }
  const std::string& text() const { return text_; }
  RequestReader& reader() { return reader_; }

 private:
  RequestReader reader_;
  std::string text_;
};

class RequestReaderTest : public ::testing::Test {
 protected:
  Limits limits_{.value_size = 100, .message_size = 50, .skipped_value_size = 200};
};

TEST_F(RequestReaderTest, CutsAStreamTheSameWayInEverySplit) {
  const std::string stream = Pdu("first", "") + Pdu("second", "value two") + Pdu("", "") +
                             Pdu("third", std::string(150, 's')) + Pdu("fourth", "v4");
  const std::string expected = "first|;second|value two;|;third|skipped 150;fourth|v4;";
  for (size_t size = 1; size <= stream.size(); ++size) {
    Transcript transcript(&limits_);
    for (size_t at = 0; at < stream.size(); at += size) {
      transcript.Receive(absl::string_view(stream).substr(at, size));
    }
    EXPECT_EQ(transcript.text(), expected) << "in pieces of " << size;
    EXPECT_TRUE(transcript.reader().at_boundary()) << "nothing is pending";
  }
  Random random(3);
  for (int round = 0; round < 1000; ++round) {
    Transcript transcript(&limits_);
    for (size_t at = 0; at < stream.size();) {
      const size_t size = 1 + random.Below(40);
      transcript.Receive(absl::string_view(stream).substr(at, size));
      at += size;
    }
    ASSERT_EQ(transcript.text(), expected);
  }
}

TEST_F(RequestReaderTest, RefusesLengthsAboveTheLimitsAtTheHeader) {
  const std::string cases[] = {
      Pdu(std::string(51, 'm'), "").substr(0, 9),
      Pdu("", 201, ""),
      Pdu("", 0xffffffff, ""),
      absl::StrCat("F", std::string(4, '\xff'), std::string(4, '\0')),
      "G23456789",
  };
  for (const std::string& bytes : cases) {
    Transcript transcript(&limits_);
    transcript.Receive(bytes);
    EXPECT_EQ(transcript.text(), "error;");
    EXPECT_TRUE(transcript.reader().room().empty()) << "nothing was allocated";
    transcript.Receive(Pdu("fine", ""));
    EXPECT_EQ(transcript.text(), "error;error;") << "framing is lost for good";
  }
}

TEST_F(RequestReaderTest, OffersTheMissingPartOfAValueAsRoom) {
  RequestReader reader(&limits_);
  const std::string pdu = Pdu("m", "0123456789");
  Bytes in = AsBytes(pdu).first(9 + 1 + 4);
  ASSERT_FALSE(*reader.Consume(&in));
  EXPECT_EQ(reader.room().size(), 6u);
  std::memcpy(reader.room().data(), "456789", 6);
  reader.Filled(6);
  in = {};
  ASSERT_TRUE(*reader.Consume(&in));
  EXPECT_EQ(AsText(reader.TakeValue().bytes()), "0123456789");
  EXPECT_TRUE(reader.room().empty());
}

TEST_F(RequestReaderTest, IsAtABoundaryOnlyBetweenRequests) {
  RequestReader reader(&limits_);
  EXPECT_TRUE(reader.at_boundary());
  Bytes in = AsBytes("F");
  ASSERT_FALSE(*reader.Consume(&in));
  EXPECT_FALSE(reader.at_boundary());
}

}  // namespace
}  // namespace kbench::server
