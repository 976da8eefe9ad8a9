#include "kinetic/residence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench::kinetic {
namespace {

ResidenceLog TwoRecords() {
  ResidenceLog log;
  log.overwritten = 0x0102030405060708;
  log.clock_step = Nanos(-250);
  log.service_spec = "GET=500us";
  log.records = {{.sequence = 7,
                  .received = ServerTime(1'795'407'083'369'000'001),
                  .sent = ServerTime(1'795'407'083'369'500'004),
                  .flags = Residence::kKernelReceived | Residence::kSharedStamp},
                 {.sequence = UINT64_MAX, .received = ServerTime(-5), .sent = ServerTime(-9)}};
  return log;
}

void ExpectEqual(const ResidenceLog& a, const ResidenceLog& b) {
  EXPECT_EQ(a.overwritten, b.overwritten);
  EXPECT_EQ(a.clock_step, b.clock_step);
  EXPECT_EQ(a.service_spec, b.service_spec);
  ASSERT_EQ(a.records.size(), b.records.size());
  for (size_t i = 0; i < a.records.size(); ++i) {
    EXPECT_EQ(a.records[i].sequence, b.records[i].sequence) << i;
    EXPECT_EQ(a.records[i].received, b.records[i].received) << i;
    EXPECT_EQ(a.records[i].sent, b.records[i].sent) << i;
    EXPECT_EQ(a.records[i].flags, b.records[i].flags) << i;
  }
}

TEST(ResidenceLog, SurvivesTheWire) {
  const ResidenceLog log = TwoRecords();
  const auto decoded = DecodeResidenceLog(AsBytes(EncodeResidenceLog(log)));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ExpectEqual(*decoded, log);
  EXPECT_EQ(decoded->records[0].duration(), Nanos(500'003));
}

TEST(ResidenceLog, MayBeEmpty) {
  const auto decoded = DecodeResidenceLog(AsBytes(EncodeResidenceLog({})));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ExpectEqual(*decoded, {});
}

TEST(ResidenceLog, IsLittleEndianInTheDocumentedOrder) {
  ResidenceLog log;
  log.overwritten = 2;
  log.clock_step = Nanos(-1);
  log.service_spec = "ab";
  log.records = {{.sequence = 0x0807060504030201,
                  .received = ServerTime(16),
                  .sent = ServerTime(17),
                  .flags = 0x01020304}};
  using namespace std::string_literals;
  EXPECT_EQ(EncodeResidenceLog(log),
            "\x01\0\0\0\x20\0\0\0"s
            "\x02\0\0\0\0\0\0\0"s
            "\xff\xff\xff\xff\xff\xff\xff\xff"s
            "\x02\0\0\0ab"s
            "\x01\x02\x03\x04\x05\x06\x07\x08"s
            "\x10\0\0\0\0\0\0\0"s
            "\x11\0\0\0\0\0\0\0"s
            "\x04\x03\x02\x01\0\0\0\0"s);
}

TEST(ResidenceLog, CutAnywhereIsRefusedExceptBetweenRecords) {
  const ResidenceLog log = TwoRecords();
  const std::string bytes = EncodeResidenceLog(log);
  const size_t head = 28 + log.service_spec.size();
  ASSERT_EQ(bytes.size(), head + 64);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = DecodeResidenceLog(AsBytes(bytes).first(size));
    if (size == head || size == head + 32) {
      ASSERT_TRUE(decoded.ok()) << size;
      EXPECT_EQ(decoded->records.size(), (size - head) / 32);
    } else {
      EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << size;
    }
  }
}

TEST(ResidenceLog, OfAnotherVersionIsRefusedByNumber) {
  std::string bytes = EncodeResidenceLog(TwoRecords());
  bytes[0] = 2;
  const auto decoded = DecodeResidenceLog(AsBytes(bytes));
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(decoded.status().message()), testing::HasSubstr("version 2"));
}

TEST(ResidenceLog, SkipsWhatALaterServerAppendsToEachRecord) {
  ResidenceLog log = TwoRecords();
  log.service_spec.clear();
  std::string bytes = EncodeResidenceLog(log);
  bytes[4] = 40;
  bytes.insert(28 + 64, "12345678");
  bytes.insert(28 + 32, "12345678");
  const auto decoded = DecodeResidenceLog(AsBytes(bytes));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ExpectEqual(*decoded, log);
}

TEST(ResidenceLog, RefusesRecordsTooShortToHoldOne) {
  std::string bytes = EncodeResidenceLog(TwoRecords());
  for (char size : {0, 31}) {  // 0 would divide by zero
    bytes[4] = size;
    EXPECT_EQ(DecodeResidenceLog(AsBytes(bytes)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(ResidenceLog, RefusesAServiceSpecLongerThanTheLog) {
  std::string bytes = EncodeResidenceLog({});
  for (size_t i = 24; i < 28; ++i) bytes[i] = '\xff';
  EXPECT_EQ(DecodeResidenceLog(AsBytes(bytes)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kbench::kinetic
