#include "kinetic/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "tests/kinetic/vectors.h"

namespace kbench::kinetic {
namespace {

using ValuePolicy = FrameReader::ValuePolicy;

struct Pdu {
  std::string message;
  std::string value;
  uint32_t value_size = 0;
  size_t size = 0;
  bool operator==(const Pdu&) const = default;
};

std::string Frame(absl::string_view message, absl::string_view value) {
  std::string out(kFrameHeaderSize, '\0');
  EncodeFrameHeader({.message_size = static_cast<uint32_t>(message.size()),
                     .value_size = static_cast<uint32_t>(value.size())},
                    reinterpret_cast<uint8_t*>(out.data()));
  return out.append(message.data(), message.size()).append(value.data(), value.size());
}

std::string Header(uint32_t message_size, uint32_t value_size) {
  std::string out(kFrameHeaderSize, '\0');
  EncodeFrameHeader({.message_size = message_size, .value_size = value_size},
                    reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

// Feeds one piece, in memory of its own that is gone afterwards, as a receive buffer would be.
absl::Status Feed(FrameReader* reader, absl::string_view piece, std::vector<Pdu>* pdus) {
  const std::vector<uint8_t> memory(piece.begin(), piece.end());
  Bytes in = memory;
  while (!in.empty()) {
    absl::StatusOr<bool> complete = reader->Consume(&in);
    if (!complete.ok()) return complete.status();
    if (*complete) {
      pdus->push_back({.message = std::string(AsText(reader->message())),
                       .value = std::string(AsText(reader->value())),
                       .value_size = reader->value_size(),
                       .size = reader->size()});
    } else {
      EXPECT_TRUE(in.empty());
    }
  }
  return absl::OkStatus();
}

// A stream of all vectors but the 1 MiB one, an empty PDU and PDUs with only one part.
struct Stream {
  std::string bytes;
  std::vector<Pdu> pdus;

  void Add(absl::string_view message, absl::string_view value) {
    bytes += Frame(message, value);
    pdus.push_back({std::string(message), std::string(value), static_cast<uint32_t>(value.size()),
                    kFrameHeaderSize + message.size() + value.size()});
  }
};

Stream TestStream() {
  Stream stream;
  for (const Vector& vector : Vectors()) {
    if (vector.value_size > kSpecMaxValueSize) continue;
    stream.Add(vector.message(), vector.value());
  }
  stream.Add("", "");
  stream.Add("message only", "");
  stream.Add("", "value only");
  stream.Add("", "");
  stream.Add("F", std::string(3000, 'F'));
  return stream;
}

std::vector<Pdu> WithoutValues(std::vector<Pdu> pdus) {
  for (Pdu& pdu : pdus) pdu.value.clear();
  return pdus;
}

TEST(FrameHeader, IsMagicAndTwoBigEndianLengths) {
  EXPECT_EQ(Header(0x01020304, 0xa0b0c0d0), "F\x01\x02\x03\x04\xa0\xb0\xc0\xd0");
  const std::string bytes = Header(0x01020304, 0xa0b0c0d0);
  const auto header = DecodeFrameHeader(
      AsBytes(bytes).data(), {.max_message_size = UINT32_MAX, .max_value_size = UINT32_MAX});
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->message_size, 0x01020304u);
  EXPECT_EQ(header->value_size, 0xa0b0c0d0u);
}

TEST(FrameHeader, AcceptsTheLimitItselfAndRefusesOneMore) {
  const FrameLimits limits = {.max_message_size = 100, .max_value_size = 200};
  auto code = [&](uint32_t message_size, uint32_t value_size) {
    return DecodeFrameHeader(AsBytes(Header(message_size, value_size)).data(), limits)
        .status()
        .code();
  };
  EXPECT_EQ(code(100, 200), absl::StatusCode::kOk);
  EXPECT_EQ(code(101, 200), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(code(100, 201), absl::StatusCode::kOutOfRange);
}

TEST(FrameReader, CutsOnePieceIntoItsPdus) {
  const Stream stream = TestStream();
  FrameReader reader;
  std::vector<Pdu> pdus;
  ASSERT_TRUE(Feed(&reader, stream.bytes, &pdus).ok());
  EXPECT_TRUE(pdus == stream.pdus);
  EXPECT_TRUE(reader.at_boundary());
}

TEST(FrameReader, ReadsOneByteAtATime) {
  const Stream stream = TestStream();
  for (ValuePolicy policy : {ValuePolicy::kKeep, ValuePolicy::kCount}) {
    FrameReader reader({}, policy);
    std::vector<Pdu> pdus;
    size_t end_of_pdu = 0;
    for (size_t i = 0; i < stream.bytes.size(); ++i) {
      const size_t before = pdus.size();
      ASSERT_TRUE(Feed(&reader, {&stream.bytes[i], 1}, &pdus).ok());
      if (pdus.size() > before) end_of_pdu += pdus.back().size;
      ASSERT_EQ(reader.at_boundary(), i + 1 == end_of_pdu) << i;
    }
    EXPECT_TRUE(pdus == (policy == ValuePolicy::kKeep ? stream.pdus : WithoutValues(stream.pdus)));
  }
}

TEST(FrameReader, GivesTheSamePdusForAnySplit) {
  const Stream stream = TestStream();
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const uint64_t longest = 1 + random.Below(seed % 2 == 0 ? 40 : 2000);
    const auto policy = seed % 3 == 0 ? ValuePolicy::kCount : ValuePolicy::kKeep;
    FrameReader reader({}, policy);
    std::vector<Pdu> pdus;
    for (absl::string_view rest = stream.bytes; !rest.empty();) {
      const size_t size = std::min<size_t>(rest.size(), 1 + random.Below(longest));
      ASSERT_TRUE(Feed(&reader, rest.substr(0, size), &pdus).ok()) << "seed " << seed;
      rest.remove_prefix(size);
    }
    EXPECT_TRUE(pdus == (policy == ValuePolicy::kKeep ? stream.pdus : WithoutValues(stream.pdus)))
        << "seed " << seed;
    EXPECT_TRUE(reader.at_boundary()) << "seed " << seed;
  }
}

TEST(FrameReader, WaitsOnEveryTruncationAndThenCompletes) {
  size_t truncations = 0;
  for (const Vector& vector : Vectors()) {
    if (vector.value_size > kSpecMaxValueSize) continue;
    for (size_t size = 1; size < vector.pdu.size(); ++size, ++truncations) {
      FrameReader reader;
      std::vector<Pdu> pdus;
      ASSERT_TRUE(Feed(&reader, absl::string_view(vector.pdu).substr(0, size), &pdus).ok());
      ASSERT_TRUE(pdus.empty()) << vector.name << " cut to " << size;
      ASSERT_FALSE(reader.at_boundary()) << vector.name << " cut to " << size;
      ASSERT_TRUE(Feed(&reader, absl::string_view(vector.pdu).substr(size), &pdus).ok());
      ASSERT_EQ(pdus.size(), 1u) << vector.name << " cut to " << size;
      ASSERT_EQ(pdus[0].message, vector.message()) << vector.name << " cut to " << size;
      ASSERT_EQ(pdus[0].value, vector.value()) << vector.name << " cut to " << size;
    }
  }
  EXPECT_GT(truncations, 20'000u);
}

TEST(FrameReader, LeavesTheNextPdusBytesUntouched) {
  const std::string bytes = Frame("one", "1") + Frame("two", "22");
  FrameReader reader;
  Bytes in = AsBytes(bytes);
  ASSERT_TRUE(reader.Consume(&in).value_or(false));
  EXPECT_EQ(AsText(reader.message()), "one");
  EXPECT_EQ(AsText(in), Frame("two", "22"));
  ASSERT_TRUE(reader.Consume(&in).value_or(false));
  EXPECT_EQ(AsText(reader.message()), "two");
  EXPECT_EQ(AsText(reader.value()), "22");
  EXPECT_TRUE(in.empty());
}

TEST(FrameReader, CopiesNothingThatThePieceHoldsWhole) {
  const std::string bytes = Frame("message", "value");
  FrameReader reader;
  Bytes in = AsBytes(bytes);
  ASSERT_TRUE(reader.Consume(&in).value_or(false));
  EXPECT_EQ(reader.message().data(), AsBytes(bytes).data() + kFrameHeaderSize);
  EXPECT_EQ(reader.value().data(), AsBytes(bytes).data() + kFrameHeaderSize + 7);

  Bytes head = AsBytes(bytes).first(kFrameHeaderSize + 7);
  Bytes tail = AsBytes(bytes).subspan(kFrameHeaderSize + 7);
  ASSERT_FALSE(reader.Consume(&head).value_or(true));
  ASSERT_TRUE(reader.Consume(&tail).value_or(false));
  EXPECT_NE(reader.message().data(), AsBytes(bytes).data() + kFrameHeaderSize) << "may be gone";
  EXPECT_EQ(AsText(reader.message()), "message");
  EXPECT_EQ(reader.value().data(), AsBytes(bytes).data() + kFrameHeaderSize + 7);
}

TEST(FrameReader, CountsAValueWithoutKeepingIt) {
  const std::string bytes = Frame("m", std::string(5000, 'v'));
  FrameReader reader({}, ValuePolicy::kCount);
  std::vector<Pdu> pdus;
  ASSERT_TRUE(Feed(&reader, absl::string_view(bytes).substr(0, 1234), &pdus).ok());
  ASSERT_TRUE(Feed(&reader, absl::string_view(bytes).substr(1234), &pdus).ok());
  EXPECT_THAT(pdus, testing::ElementsAre(Pdu{"m", "", 5000, kFrameHeaderSize + 1 + 5000}));
}

TEST(FrameReader, ShowsEveryPieceOfAValueThatItCountsOnce) {
  const std::string value = "a value that comes in pieces";
  const std::string bytes = Frame("message", value) + Frame("m", "") + Frame("m", value);
  for (size_t piece = 1; piece < bytes.size(); ++piece) {
    FrameReader reader({}, ValuePolicy::kCount);
    std::string seen;
    for (absl::string_view rest = bytes; !rest.empty();) {
      const absl::string_view taken = rest.substr(0, piece);
      rest.remove_prefix(taken.size());
      for (Bytes in = AsBytes(taken); !in.empty();) {
        ASSERT_TRUE(reader.Consume(&in).ok());
        seen += std::string(AsText(reader.value_piece()));
        EXPECT_TRUE(reader.value().empty());
      }
    }
    EXPECT_EQ(seen, value + value) << "pieces of " << piece;
  }
}

TEST(FrameReader, IsAtABoundaryOnlyBetweenPdus) {
  FrameReader reader;
  EXPECT_TRUE(reader.at_boundary());
  Bytes nothing;
  EXPECT_FALSE(reader.Consume(&nothing).value_or(true));
  EXPECT_TRUE(reader.at_boundary());
  std::vector<Pdu> pdus;
  ASSERT_TRUE(Feed(&reader, Header(0, 0), &pdus).ok());
  EXPECT_EQ(pdus.size(), 1u);
  EXPECT_TRUE(reader.at_boundary());
  ASSERT_TRUE(Feed(&reader, Header(0, 1), &pdus).ok());
  EXPECT_EQ(pdus.size(), 1u);
  EXPECT_FALSE(reader.at_boundary()) << "a value of one byte is missing";
}

TEST(FrameReader, ForgetsTheLastPduWhenTheNextOneBegins) {
  FrameReader reader;
  const std::string bytes = Frame("message", "value");
  Bytes in = AsBytes(bytes);
  ASSERT_TRUE(reader.Consume(&in).value_or(false));
  const std::string next = Header(3, 0);
  Bytes begun = AsBytes(next);
  ASSERT_FALSE(reader.Consume(&begun).value_or(true));
  EXPECT_TRUE(reader.message().empty());
  EXPECT_TRUE(reader.value().empty());
}

TEST(FrameReader, RefusesLengthsAboveItsLimitsAndSaysWhich) {
  for (uint32_t size : {kSpecMaxMessageSize + 1, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    FrameReader message_reader;
    std::vector<Pdu> pdus;
    const absl::Status message = Feed(&message_reader, Header(size, 0), &pdus);
    EXPECT_EQ(message.code(), absl::StatusCode::kOutOfRange) << size;
    EXPECT_THAT(std::string(message.message()), testing::HasSubstr(std::to_string(size)));
    EXPECT_THAT(std::string(message.message()), testing::HasSubstr("message"));

    FrameReader value_reader;
    const absl::Status value = Feed(&value_reader, Header(0, size), &pdus);
    EXPECT_EQ(value.code(), absl::StatusCode::kOutOfRange) << size;
    EXPECT_THAT(std::string(value.message()), testing::HasSubstr("value"));
    EXPECT_TRUE(pdus.empty());
  }
}

TEST(FrameReader, RefusesAnotherMagicWithItsFirstByte) {
  FrameReader reader;
  std::vector<Pdu> pdus;
  const absl::Status status = Feed(&reader, "G", &pdus);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("0x47"));
}

TEST(FrameReader, RepeatsItsFirstErrorForEver) {
  FrameReader reader;
  std::vector<Pdu> pdus;
  const absl::Status first = Feed(&reader, Header(0xffffffff, 0), &pdus);
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(Feed(&reader, Frame("good", "good"), &pdus), first);
  EXPECT_EQ(Feed(&reader, "G", &pdus), first);
  EXPECT_TRUE(pdus.empty());
}

TEST(FrameReader, GivesThePdusBeforeAnError) {
  FrameReader reader;
  std::vector<Pdu> pdus;
  EXPECT_FALSE(Feed(&reader, Frame("good", "") + "HTTP/1.1 400", &pdus).ok());
  EXPECT_EQ(pdus.size(), 1u);
}

}  // namespace
}  // namespace kbench::kinetic
