#include "agent/observer/packet.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/observer/link_layer.h"
#include "tests/agent/observer/synthetic.h"

namespace kbench::observer {
namespace {

std::string Sample(bool ipv6 = false, const std::string& payload = "payload") {
  return Wire{.ipv6 = ipv6}.Data(Side::kRequests, 100, payload, 50);
}

void ExpectSample(const TcpSegment& segment, size_t payload = 7) {
  EXPECT_EQ(segment.source_port, 40000);
  EXPECT_EQ(segment.destination_port, kPort);
  EXPECT_EQ(segment.sequence, 1101u);
  EXPECT_EQ(segment.acknowledged, 2051u);
  EXPECT_EQ(segment.flags, TcpSegment::kAck);
  EXPECT_EQ(segment.payload_size, payload);
  EXPECT_EQ(segment.source[15], 1);
  EXPECT_EQ(segment.destination[15], 2);
  EXPECT_NE(segment.source, segment.destination);
}

Parsed Parse(const std::string& bytes, TcpSegment* segment) {
  return ParseTcp(PacketOf(bytes, kStart), segment);
}

TEST(ParseTcp, Ipv4AndIpv6) {
  for (const bool ipv6 : {false, true}) {
    TcpSegment segment;
    const std::string bytes = Sample(ipv6);
    ASSERT_EQ(Parse(bytes, &segment), Parsed::kTcp);
    ExpectSample(segment);
    EXPECT_EQ(AsText(segment.payload), "payload");
  }
}

TEST(ParseTcp, PaddingIsNoPayload) {
  TcpSegment segment;
  ASSERT_EQ(Parse(Sample(false, "") + std::string(6, '\0'), &segment), Parsed::kTcp);
  EXPECT_EQ(segment.payload_size, 0u);
  EXPECT_TRUE(segment.payload.empty());
}

TEST(ParseTcp, Ipv4Options) {
  std::string bytes = Sample();
  bytes[0] = '\x47';
  bytes[3] = static_cast<char>(bytes[3] + 8);
  bytes.insert(20, std::string("\x94\x04\0\0\x01\x01\x01\0", 8));
  TcpSegment segment;
  ASSERT_EQ(Parse(bytes, &segment), Parsed::kTcp);
  ExpectSample(segment);
}

TEST(ParseTcp, Ipv6ExtensionHeaders) {
  std::string bytes = Sample(true);
  const std::string options = std::string("\x2b\x00\x01\x04\0\0\0\0", 8);  // hop-by-hop, then 43
  const std::string routing = std::string("\x33\x01", 2) + std::string(14, '\0');  // then 51
  const std::string authentication = std::string("\x06\x04", 2) + std::string(22, '\0');
  bytes[6] = 0;
  bytes[5] = static_cast<char>(bytes[5] + 8 + 16 + 24);
  bytes.insert(40, options + routing + authentication);
  TcpSegment segment;
  ASSERT_EQ(Parse(bytes, &segment), Parsed::kTcp);
  ExpectSample(segment);
  // Another protocol at the end of the chain.
  bytes[64] = 17;
  EXPECT_EQ(Parse(bytes, &segment), Parsed::kOther);
}

TEST(ParseTcp, VlanTagsBeforeTheHeader) {
  const std::string bytes = std::string("\0\x05\x81\0\0\x06\x08\0", 8) + Sample();
  Packet packet = PacketOf(bytes, kStart);
  packet.ethertype = 0x88a8;
  TcpSegment segment;
  ASSERT_EQ(ParseTcp(packet, &segment), Parsed::kTcp);
  ExpectSample(segment);
}

TEST(ParseTcp, FragmentsAreNotSegments) {
  TcpSegment segment;
  std::string first = Sample();
  first[6] = 0x20;  // more follow
  EXPECT_EQ(Parse(first, &segment), Parsed::kFragment);
  std::string later = Sample();
  later[7] = 0x10;  // an offset
  EXPECT_EQ(Parse(later, &segment), Parsed::kFragment);
  std::string six = Sample(true);
  six[6] = 44;
  six[5] = static_cast<char>(six[5] + 8);
  six.insert(40, std::string("\x06\0\0\x01\0\0\0\x01", 8));
  EXPECT_EQ(Parse(six, &segment), Parsed::kFragment);
  six[43] = 0;  // the only one there is
  EXPECT_EQ(Parse(six, &segment), Parsed::kTcp);
}

TEST(ParseTcp, EveryCutOfAPacketIsMalformedOrHasItsTrueSize) {
  for (const bool ipv6 : {false, true}) {
    const std::string whole = Sample(ipv6, std::string(100, 'p'));
    const size_t headers = whole.size() - 100;
    for (size_t captured = 0; captured <= whole.size(); ++captured) {
      const std::string cut = whole.substr(0, captured);
      Packet packet = PacketOf(whole, kStart);
      packet.network = AsBytes(cut);
      TcpSegment segment;
      const Parsed parsed = ParseTcp(packet, &segment);
      // The TCP options are looked at by nobody.
      if (captured < headers - 12) {
        EXPECT_EQ(parsed, Parsed::kMalformed) << captured;
        continue;
      }
      ASSERT_EQ(parsed, Parsed::kTcp) << captured;
      EXPECT_EQ(segment.payload_size, 100u);
      EXPECT_EQ(segment.payload.size(), captured < headers ? 0 : captured - headers);
    }
  }
}

TEST(ParseTcp, LengthsThatContradictEachOther) {
  TcpSegment segment;
  std::string bytes = Sample();
  bytes[3] = static_cast<char>(bytes[3] + 1);  // longer than the packet
  EXPECT_EQ(Parse(bytes, &segment), Parsed::kMalformed);
  bytes = Sample();
  bytes[0] = '\x44';  // a header of 16 bytes
  EXPECT_EQ(Parse(bytes, &segment), Parsed::kMalformed);
  bytes = Sample();
  bytes[32] = '\xf0';  // a TCP header longer than the rest
  EXPECT_EQ(Parse(bytes, &segment), Parsed::kMalformed);
  bytes[32] = '\x40';
  EXPECT_EQ(Parse(bytes, &segment), Parsed::kMalformed);
  bytes = Sample();
  bytes[0] = '\x65';  // says six, is four
  EXPECT_EQ(ParseTcp({.network = AsBytes(bytes),
                      .network_size = static_cast<uint32_t>(bytes.size()),
                      .ethertype = kEthertypeIpv4},
                     &segment),
            Parsed::kMalformed);
}

TEST(ParseLink, EveryLinkThatIsRead) {
  const std::string ip = Sample(), six = Sample(true);
  const std::string mac(12, 'm');
  struct Case {
    LinkType type;
    std::string frame;
    PacketType packet = PacketType::kUnknown;
    int interface = 0;
  };
  const std::vector<Case> cases = {
      {LinkType::kEthernet, mac + std::string("\x08\0", 2) + ip},
      {LinkType::kEthernet, mac + std::string("\x81\0\0\x07\x86\xdd", 6) + six},
      {LinkType::kRawIp, ip},
      {LinkType::kRawIp, six},
      {LinkType::kLinuxSll,
       std::string("\0\0\0\1\0\6", 6) + std::string(8, 'a') + std::string("\x08\0", 2) + ip,
       PacketType::kIncoming},
      {LinkType::kLinuxSll,
       std::string("\0\4\0\1\0\6", 6) + std::string(8, 'a') + std::string("\x08\0", 2) + ip,
       PacketType::kOutgoing},
      {LinkType::kLinuxSll,
       std::string("\0\3\0\1\0\6", 6) + std::string(8, 'a') + std::string("\x86\xdd", 2) + six,
       PacketType::kOther},
      {LinkType::kLinuxSll2,
       std::string("\x08\0\0\0\0\0\0\x09\0\1\4\6", 12) + std::string(8, 'a') + ip,
       PacketType::kOutgoing, 9},
      {LinkType::kLoopback, std::string("\0\0\0\2", 4) + ip},
      {LinkType::kLoopback, std::string("\0\0\0\x18", 4) + six},
      {LinkType::kNull, std::string("\2\0\0\0", 4) + ip},
      {LinkType::kNull, std::string("\0\0\0\x1e", 4) + six},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Case& c = cases[i];
    Packet packet;
    ASSERT_TRUE(
        ParseLink(c.type, AsBytes(c.frame), static_cast<uint32_t>(c.frame.size()), &packet));
    EXPECT_EQ(packet.type, c.packet);
    EXPECT_EQ(packet.interface, c.interface);
    TcpSegment segment;
    ASSERT_EQ(ParseTcp(packet, &segment), Parsed::kTcp);
    ExpectSample(segment);
  }
}

TEST(ParseLink, FramesThatEndInTheirHeader) {
  const std::string bytes(40, '\0');
  Packet packet;
  for (const auto& [type, header] :
       std::vector<std::pair<LinkType, size_t>>{{LinkType::kEthernet, 14},
                                                {LinkType::kLinuxSll, 16},
                                                {LinkType::kLinuxSll2, 20},
                                                {LinkType::kNull, 4},
                                                {LinkType::kRawIp, 0}}) {
    for (size_t n = 0; n <= header; ++n) {
      EXPECT_FALSE(ParseLink(type, AsBytes(bytes).first(n), 40, &packet)) << n;
    }
    EXPECT_TRUE(ParseLink(type, AsBytes(bytes).first(header + 1), 40, &packet));
  }
}

}  // namespace
}  // namespace kbench::observer
