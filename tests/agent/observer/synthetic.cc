#include "tests/agent/observer/synthetic.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kinetic/byte_order.h"
#include "kinetic/codec.h"

namespace kbench::observer {
namespace {

using kinetic::MessageType;

std::string Encode(const kinetic::Command& command, const kinetic::Signature& signature,
                   size_t value_size) {
  std::string out;
  kinetic::Encoder().Append(command, signature, static_cast<uint32_t>(value_size), &out);
  // Values that look like frames would: no place is safe from being searched.
  while (value_size-- > 0) out.push_back(static_cast<char>(value_size % 7 == 0 ? 'F' : value_size));
  return out;
}

const kinetic::HmacKey& Key() {
  static const auto* const key = new kinetic::HmacKey(kinetic::kFactoryKey);
  return *key;
}

void Append16(uint32_t v, std::string* out) {
  out->push_back(static_cast<char>(v >> 8));
  out->push_back(static_cast<char>(v));
}
void Append32(uint32_t v, std::string* out) {
  Append16(v >> 16, out);
  Append16(v, out);
}

}  // namespace

std::string RequestPdu(MessageType type, uint64_t sequence, size_t value_size,
                       std::optional<uint32_t> batch) {
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = kConnectionId;
  command.header.sequence = sequence;
  command.header.message_type = type;
  command.header.batch_id = batch;
  if (type == MessageType::kPut) command.key_value = kinetic::KeyValue{.key = "key", .tag = ""};
  return Encode(command, kinetic::Signature::Hmac(1, &Key()), value_size);
}

std::string AnswerPdu(MessageType request, uint64_t ack_sequence, size_t value_size) {
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = kConnectionId;
  command.header.ack_sequence = ack_sequence;
  command.header.message_type = kinetic::ResponseOf(request);
  command.status = kinetic::CommandStatus{.code = kinetic::StatusCode::kSuccess};
  return Encode(command, kinetic::Signature::Hmac(1, &Key()), value_size);
}

std::string GreetingPdu() {
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = kConnectionId;
  command.status = kinetic::CommandStatus{.code = kinetic::StatusCode::kSuccess};
  return Encode(command, kinetic::Signature::Unsolicited(), 0);
}

std::string Wire::Bytes(const Segment& segment) const {
  const bool request = segment.side == Side::kRequests;
  std::string tcp;
  Append16(request ? client_port : kPort, &tcp);
  Append16(request ? kPort : client_port, &tcp);
  Append32(segment.sequence, &tcp);
  Append32(segment.acknowledged, &tcp);
  tcp.push_back('\x80');  // eight words: with timestamps, as Linux sends
  tcp.push_back(static_cast<char>(segment.flags));
  tcp += std::string(6, '\0') + std::string("\x01\x01\x08\x0a", 4) + std::string(8, 't');
  tcp += segment.payload;
  std::string ip;
  const uint8_t from = request ? 1 : 2, to = request ? 2 : 1;
  if (ipv6) {
    ip = std::string("\x60\0\0\0", 4);
    Append16(static_cast<uint32_t>(tcp.size()), &ip);
    ip += std::string("\x06\x40", 2);
    ip += std::string(15, '\xfd') + static_cast<char>(from);
    ip += std::string(15, '\xfd') + static_cast<char>(to);
  } else {
    ip = std::string("\x45\0", 2);
    const size_t total = tcp.size() + 20;
    Append16(total > 0xffff ? 0 : static_cast<uint32_t>(total), &ip);
    ip += std::string("\0\0\x40\0\x40\x06\0\0", 8);
    ip += std::string("\x0a\0\0", 3) + static_cast<char>(from);
    ip += std::string("\x0a\0\0", 3) + static_cast<char>(to);
  }
  return ip + tcp;
}

std::string Wire::Data(Side side, uint64_t offset, const std::string& payload,
                       uint64_t acknowledged_offset) const {
  const Side other = side == Side::kRequests ? Side::kAnswers : Side::kRequests;
  return Bytes({.side = side,
                .sequence = isn(side) + 1 + static_cast<uint32_t>(offset),
                .acknowledged = isn(other) + 1 + static_cast<uint32_t>(acknowledged_offset),
                .payload = payload});
}

std::string Wire::Syn(Side side) const {
  const bool request = side == Side::kRequests;
  return Bytes(
      {.side = side,
       .sequence = isn(side),
       .acknowledged = request ? 0 : client_isn + 1,
       .flags = static_cast<uint8_t>(TcpSegment::kSyn | (request ? 0 : TcpSegment::kAck))});
}

std::string Wire::End(Side side, uint8_t flags, uint64_t offset) const {
  return Bytes(
      {.side = side, .sequence = isn(side) + 1 + static_cast<uint32_t>(offset), .flags = flags});
}

Packet PacketOf(const std::string& bytes, RealTime stamp) {
  return {.stamp = stamp,
          .network = AsBytes(bytes),
          .network_size = static_cast<uint32_t>(bytes.size()),
          .ethertype = (bytes[0] & 0xf0) == 0x60 ? kEthertypeIpv6 : kEthertypeIpv4};
}

Conversation Converse(const Schedule& schedule, Random* random) {
  Conversation made;
  made.bytes[1] = GreetingPdu();
  made.sent.push_back({.side = Side::kAnswers, .begin = 0, .end = made.bytes[1].size()});
  std::vector<Conversation::Sent> late;  // sent again at some later time
  size_t asked = 0, answered = 0;
  while (answered < schedule.requests) {
    const bool ask = asked < schedule.requests && asked - answered < schedule.depth &&
                     (asked == answered || random->Below(2) == 0);
    const auto side = ask ? Side::kRequests : Side::kAnswers;
    std::string& stream = made.bytes[static_cast<size_t>(side)];
    const uint64_t from = stream.size();
    const size_t count = 1 + random->Below(ask ? std::min(schedule.depth - (asked - answered),
                                                          schedule.requests - asked)
                                               : asked - answered);
    for (size_t i = 0; i < count; ++i) {
      size_t& number = ask ? asked : answered;
      const uint64_t sequence = 10 + number++;
      const bool put = sequence % 3 == 0, get = sequence % 3 == 1;
      const MessageType type =
          put ? MessageType::kPut : (get ? MessageType::kGet : MessageType::kNoop);
      const size_t value = random->Below(schedule.value_max + 1);
      const uint64_t begin = stream.size();
      stream += ask ? RequestPdu(type, sequence, put ? value : 0)
                    : AnswerPdu(type, sequence, get ? value : 0);
      made.units[static_cast<size_t>(side)].push_back(
          {.begin = begin, .end = stream.size(), .sequence = sequence});
    }
    std::vector<Conversation::Sent> burst;
    for (uint64_t at = from; at < stream.size();) {
      const uint64_t end =
          std::min<uint64_t>(at + 1 + random->Below(schedule.segment_max), stream.size());
      burst.push_back(
          {.side = side, .begin = at, .end = end, .missed = random->Uniform() < schedule.missed});
      at = end;
    }
    for (size_t i = 0; i + 1 < burst.size(); ++i) {
      if (random->Uniform() >= schedule.reordered) continue;
      std::swap(burst[i], burst[i + 1 + random->Below(burst.size() - i - 1)]);
    }
    for (const Conversation::Sent& one : burst) {
      made.sent.push_back(one);
      if (random->Uniform() < schedule.sent_again) late.push_back(one);
      if (!late.empty() && random->Below(3) == 0) {
        Conversation::Sent again = late.back();
        late.pop_back();
        if (random->Below(2) == 0 && again.end - again.begin > 2) {  // cut in another way
          again.begin += random->Below(again.end - again.begin - 1);
        }
        made.sent.push_back(again);
      }
    }
  }
  return made;
}

void Play(const Conversation& conversation, const Wire& wire, Analysis* analysis, bool with_syn) {
  RealTime now = kStart;
  if (with_syn) {
    analysis->Take(PacketOf(wire.Syn(Side::kRequests), now - Micros(30)));
    analysis->Take(PacketOf(wire.Syn(Side::kAnswers), now - Micros(20)));
  }
  std::vector<bool> has[2] = {std::vector<bool>(conversation.bytes[0].size() + 1),
                              std::vector<bool>(conversation.bytes[1].size() + 1)};
  uint64_t acknowledged[2] = {0, 0};  // of that side's bytes, by the other
  for (const Conversation::Sent& one : conversation.sent) {
    const auto side = static_cast<size_t>(one.side);
    if (!one.missed) {
      const std::string bytes = wire.Data(
          one.side, one.begin, conversation.bytes[side].substr(one.begin, one.end - one.begin),
          acknowledged[1 - side]);
      analysis->Take(PacketOf(bytes, now));
    }
    for (uint64_t i = one.begin; i < one.end; ++i) has[side][i] = true;
    while (has[side][acknowledged[side]]) ++acknowledged[side];
    now = now + Micros(1);
  }
}

std::vector<WireRecord> Oracle(const Conversation& conversation) {
  constexpr size_t kNever = std::numeric_limits<size_t>::max();
  const auto stamp_of = [](size_t packet) { return kStart + Micros(static_cast<int64_t>(packet)); };
  std::vector<size_t> first[2], usable[2];  // of each byte: the packet that showed it, and the
                                            // packet that completed the stream up to it
  std::vector<size_t> again[2];             // the last packet that showed it once more
  for (size_t side : {0, 1}) {
    first[side].assign(conversation.bytes[side].size(), kNever);
    again[side] = first[side];
  }
  for (size_t packet = 0; packet < conversation.sent.size(); ++packet) {
    const Conversation::Sent& one = conversation.sent[packet];
    if (one.missed) continue;
    const auto side = static_cast<size_t>(one.side);
    for (uint64_t i = one.begin; i < one.end; ++i) {
      (first[side][i] == kNever ? first : again)[side][i] = packet;
    }
  }
  std::vector<size_t> latest_before[2];  // of all earlier bytes, the packet that came last
  for (size_t side : {0, 1}) {
    size_t latest = 0;
    for (size_t packet : first[side]) {
      latest_before[side].push_back(latest);
      if (packet != kNever) latest = std::max(latest, packet);
      usable[side].push_back(packet == kNever ? kNever : latest);
    }
  }
  const auto at = [&](size_t packet) { return packet == kNever ? RealTime() : stamp_of(packet); };
  std::vector<WireRecord> records;
  for (const Conversation::Unit& unit : conversation.units[0]) {
    WireRecord record = {.connection_id = kConnectionId, .sequence = unit.sequence};
    record.before_last = records.empty() ? RealTime() : records.back().request_last;
    const auto look = [&](size_t side, const Conversation::Unit& u, uint32_t twice) {
      for (uint64_t i = u.begin; i < u.end; ++i) {
        if (again[side][i] != kNever) record.flags |= twice;
        if (first[side][i] < latest_before[side][i]) record.flags |= WireRecord::kReordered;
      }
    };
    record.request_first = at(usable[0][unit.begin]);
    record.request_last = at(usable[0][unit.end - 1]);
    record.request_last_again = at(again[0][unit.end - 1]);
    look(0, unit, WireRecord::kRequestSeenTwice);
    for (const Conversation::Unit& answer : conversation.units[1]) {
      if (answer.sequence != unit.sequence) continue;
      record.response_first = at(usable[1][answer.begin]);
      record.response_last = at(usable[1][answer.end - 1]);
      record.response_last_again = at(again[1][answer.end - 1]);
      look(1, answer, WireRecord::kResponseSeenTwice);
    }
    records.push_back(record);
  }
  for (size_t i = 0; i < records.size(); ++i) {
    RealTime before;
    uint32_t inside = 0;
    for (size_t j = 0; j < records.size(); ++j) {
      const bool earlier_arrival = records[j].request_last < records[i].request_last ||
                                   (records[j].request_last == records[i].request_last && j < i);
      if (earlier_arrival && records[j].response_first > records[i].request_last) ++inside;
      const bool earlier_departure =
          records[j].response_first < records[i].response_first ||
          (records[j].response_first == records[i].response_first && j < i);
      if (earlier_departure) before = std::max(before, records[j].response_first);
    }
    records[i].inside = inside;
    records[i].service = records[i].response_first - std::max(before, records[i].request_last);
  }
  return records;
}

WireObservation Conclude(Analysis* analysis) {
  return analysis->Conclude(std::nullopt, [](int64_t, uint64_t) { return true; });
}

}  // namespace kbench::observer
