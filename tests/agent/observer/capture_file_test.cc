// Files: what is written is read back, to the nanosecond; what others write is read; what is no
// capture is said to be none.
#include "agent/observer/capture_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "kinetic/byte_order.h"
#include "tests/agent/observer/synthetic.h"
#include "tests/e2e/process.h"

namespace kbench::observer {
namespace {

using e2e::TempDir;
using ::testing::HasSubstr;

void AppendLittle32(uint32_t v, std::string* out) {
  uint8_t bytes[4];
  kinetic::StoreLittleEndian(v, bytes);
  out->append(reinterpret_cast<const char*>(bytes), 4);
}

TEST(CaptureFile, WhatIsWrittenIsReadBack) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.pcap";
  const Wire wire;
  const std::string four =
      wire.Data(Side::kRequests, 0, RequestPdu(kinetic::MessageType::kPut, 1, 900));
  const std::string six = Wire{.ipv6 = true}.Data(Side::kAnswers, 0, std::string(70'000, 'x'));
  {
    auto writer = CaptureWriter::Open(path);
    ASSERT_TRUE(writer.ok()) << writer.status();
    Packet packet = PacketOf(four, kStart + Nanos(123'456'789));
    packet.type = PacketType::kOutgoing;
    packet.network = packet.network.first(200);
    (*writer)->Write(packet);
    packet = PacketOf(six, kStart + Seconds(2) + Nanos(1));
    packet.type = PacketType::kIncoming;
    (*writer)->Write(packet);
    ASSERT_TRUE((*writer)->Close().ok());
  }
  auto reader = CaptureReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->directions_known());
  Packet packet;
  ASSERT_TRUE(*(*reader)->Next(&packet));
  EXPECT_EQ(packet.stamp, kStart + Nanos(123'456'789));
  EXPECT_EQ(packet.type, PacketType::kOutgoing);
  EXPECT_EQ(packet.network_size, four.size());
  EXPECT_EQ(AsText(packet.network), four.substr(0, 200));
  ASSERT_TRUE(*(*reader)->Next(&packet));
  EXPECT_EQ(packet.stamp, kStart + Seconds(2) + Nanos(1));
  EXPECT_EQ(packet.type, PacketType::kIncoming);
  EXPECT_EQ(packet.ethertype, kEthertypeIpv6);
  EXPECT_EQ(AsText(packet.network), six);
  EXPECT_FALSE(*(*reader)->Next(&packet));
}

TEST(CaptureFile, Pcapng) {
  const std::string ip =
      Wire().Data(Side::kRequests, 0, RequestPdu(kinetic::MessageType::kNoop, 1));
  std::string frame = std::string(12, 'm') + std::string("\x08\0", 2) + ip;
  std::string file;
  const auto block = [&](uint32_t type, std::string body) {
    body.resize((body.size() + 3) / 4 * 4, '\0');
    const auto size = static_cast<uint32_t>(body.size() + 12);
    AppendLittle32(type, &file);
    AppendLittle32(size, &file);
    file += body;
    AppendLittle32(size, &file);
  };
  std::string section;
  AppendLittle32(0x1a2b3c4d, &section);
  section += std::string("\1\0\0\0", 4) + std::string(8, '\xff');
  block(0x0a0d0d0a, section);
  std::string interface("\1\0\0\0", 4);  // Ethernet
  AppendLittle32(0, &interface);
  interface += std::string("\x09\0\1\0\x09\0\0\0", 8) + std::string(4, '\0');  // nanoseconds
  block(1, interface);
  std::string packet_block;
  AppendLittle32(0, &packet_block);
  const auto ns = static_cast<uint64_t>((kStart + Nanos(77)).ns());
  AppendLittle32(static_cast<uint32_t>(ns >> 32), &packet_block);
  AppendLittle32(static_cast<uint32_t>(ns), &packet_block);
  AppendLittle32(static_cast<uint32_t>(frame.size()), &packet_block);
  AppendLittle32(static_cast<uint32_t>(frame.size()), &packet_block);
  block(6, packet_block + frame);
  const TempDir dir;
  auto reader = CaptureReader::Open(dir.Write("a.pcapng", file));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_FALSE((*reader)->directions_known());
  Packet packet;
  const auto more = (*reader)->Next(&packet);
  ASSERT_TRUE(more.ok()) << more.status();
  ASSERT_TRUE(*more);
  EXPECT_EQ(packet.stamp, kStart + Nanos(77));
  EXPECT_EQ(AsText(packet.network), ip);
  EXPECT_FALSE(*(*reader)->Next(&packet));
}

TEST(CaptureFile, SaysWhatIsWrongWithAFile) {
  const TempDir dir;
  const auto missing = CaptureReader::Open(dir.path() + "/none");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("/none: No such file"));
  const auto text = CaptureReader::Open(dir.Write("text", "no packets in here, only words"));
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text.status().message(), HasSubstr("is no capture file"));
  std::string usb("\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0", 16);
  AppendLittle32(65535, &usb);
  AppendLittle32(220, &usb);
  const auto link = CaptureReader::Open(dir.Write("usb", usb));
  EXPECT_THAT(link.status().message(), HasSubstr("link type"));
  const auto nowhere = CaptureWriter::Open(dir.path() + "/none/a.pcap");
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CaptureFile, AFileThatEndsWithinAPacketSaysSo) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.pcap";
  {
    auto writer = CaptureWriter::Open(path);
    const std::string bytes = Wire().Data(Side::kRequests, 0, std::string(500, 'x'));
    for (int i = 0; i < 3; ++i) (*writer)->Write(PacketOf(bytes, kStart));
    ASSERT_TRUE((*writer)->Close().ok());
  }
  const std::string whole = e2e::ReadFile(path);
  auto reader = CaptureReader::Open(dir.Write("cut", whole.substr(0, whole.size() - 10)));
  Packet packet;
  EXPECT_TRUE(*(*reader)->Next(&packet));
  EXPECT_TRUE(*(*reader)->Next(&packet));
  const auto third = (*reader)->Next(&packet);
  EXPECT_EQ(third.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(third.status().message(), HasSubstr("after 2 packets"));
}

TEST(CaptureFile, AFullDiskIsNotSilent) {
  auto writer = CaptureWriter::Open("/dev/full");
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::string bytes = Wire().Data(Side::kRequests, 0, std::string(500, 'x'));
  for (int i = 0; i < 300; ++i) (*writer)->Write(PacketOf(bytes, kStart));
  EXPECT_EQ((*writer)->Close().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kbench::observer
