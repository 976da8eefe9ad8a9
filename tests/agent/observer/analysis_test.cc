// Whole conversations, with everything that happens to packets, against the oracle.
#include "agent/observer/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/agent/observer/synthetic.h"

namespace kbench::observer {
namespace {

using kinetic::MessageType;

Analysis::Options Watch(std::optional<View> view = std::nullopt) {
  return {.port = kPort, .view = view};
}

void ExpectSame(const WireRecord& got, const WireRecord& want, bool shared_too = false) {
  EXPECT_EQ(got.connection_id, want.connection_id);
  EXPECT_EQ(got.request_first, want.request_first);
  EXPECT_EQ(got.request_last, want.request_last);
  EXPECT_EQ(got.response_first, want.response_first);
  EXPECT_EQ(got.response_last, want.response_last);
  EXPECT_EQ(got.before_last, want.before_last);
  EXPECT_EQ(got.request_last_again, want.request_last_again);
  EXPECT_EQ(got.response_last_again, want.response_last_again);
  EXPECT_EQ(got.service, want.service);
  EXPECT_EQ(got.inside, want.inside);
  const uint32_t mask = shared_too ? ~0u : ~uint32_t{WireRecord::kSharedPacket};
  EXPECT_EQ(got.flags & mask, want.flags & mask);
}

void ExpectOracle(const Conversation& conversation, const WireObservation& got) {
  const std::vector<WireRecord> want = Oracle(conversation);
  ASSERT_EQ(got.records.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("request ", i));
    ASSERT_EQ(got.records[i].sequence, want[i].sequence);
    ExpectSame(got.records[i], want[i]);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(got.counters.requests, want.size());
  EXPECT_EQ(got.counters.answered, want.size());
  EXPECT_EQ(got.counters.unmatched_answers, 0u);
  EXPECT_EQ(got.counters.gaps, 0u);
  EXPECT_EQ(got.counters.resynchronized, 0u);
  EXPECT_EQ(got.sums.departures, want.size());
  Nanos service, inside;
  for (const WireRecord& one : want) {
    service += one.service;
    inside += one.response_first - one.request_last;
  }
  EXPECT_EQ(got.sums.service_sum, service);
  EXPECT_EQ(got.sums.inside, inside);
  EXPECT_EQ(got.sums.service.count(), want.size());
}

TEST(Analysis, EverySegmentationOfAPipelinedStream) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const Conversation conversation = Converse(
        {.requests = 100, .depth = 1 + random.Below(32), .segment_max = 1 + random.Below(900)},
        &random);
    Analysis analysis(Watch());
    Play(conversation, {.ipv6 = seed % 2 == 1}, &analysis);
    ExpectOracle(conversation, Conclude(&analysis));
    if (HasFailure()) return;
  }
}

TEST(Analysis, OneByteAPacket) {
  Random random(1);
  const Conversation conversation =
      Converse({.requests = 12, .depth = 4, .segment_max = 1, .value_max = 20}, &random);
  Analysis analysis(Watch());
  Play(conversation, {}, &analysis);
  ExpectOracle(conversation, Conclude(&analysis));
}

TEST(Analysis, ReorderedAndRepeatedPackets) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const Conversation conversation = Converse({.requests = 60,
                                                .depth = 1 + random.Below(16),
                                                .segment_max = 1 + random.Below(300),
                                                .reordered = 0.3,
                                                .sent_again = 0.2},
                                               &random);
    Analysis analysis(Watch());
    Play(conversation, {.client_isn = 0xffffff00, .server_isn = 0xfffff000}, &analysis);
    const WireObservation got = Conclude(&analysis);
    ExpectOracle(conversation, got);
    EXPECT_GT(got.counters.retransmitted_packets, 0u);
    EXPECT_GT(got.counters.reordered_packets, 0u);
    EXPECT_EQ(analysis.held_bytes(), 0u);
    if (HasFailure()) return;
  }
}

TEST(Analysis, SequenceNumbersGoRoundAtEveryPlaceOfAStream) {
  Random random(3);
  const Conversation conversation =
      Converse({.requests = 10, .depth = 3, .segment_max = 60, .reordered = 0.2}, &random);
  const auto size = static_cast<uint32_t>(conversation.bytes[0].size());
  for (uint32_t back = 0; back < size; back += 7) {
    Analysis analysis(Watch());
    Play(conversation, {.client_isn = 0u - back, .server_isn = 0u - back - 5}, &analysis);
    ExpectOracle(conversation, Conclude(&analysis));
    if (HasFailure()) return;
  }
}

// What the observer missed is missing, and nothing else is wrong.
TEST(Analysis, MissedPacketsLoseWhatTheyCarriedAndLittleElse) {
  size_t all = 0, whole = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const Conversation conversation = Converse(
        {.requests = 300, .depth = 8, .segment_max = 1500, .value_max = 3000, .missed = 0.02},
        &random);
    Analysis analysis(Watch());
    Play(conversation, {}, &analysis);
    const WireObservation got = Conclude(&analysis);
    std::map<uint64_t, WireRecord> want;
    for (const WireRecord& one : Oracle(conversation)) want[one.sequence] = one;
    all += want.size();
    for (const WireRecord& one : got.records) {
      ASSERT_TRUE(want.contains(one.sequence)) << one.sequence;
      const WireRecord& true_one = want[one.sequence];
      for (const auto stamp : {&WireRecord::request_first, &WireRecord::request_last,
                               &WireRecord::response_first, &WireRecord::response_last}) {
        if (!(one.*stamp).is_set()) continue;
        EXPECT_EQ(one.*stamp, true_one.*stamp) << one.sequence;
      }
      if (one.request_last.is_set() && one.response_last.is_set()) ++whole;
    }
    EXPECT_GT(got.counters.gaps, 0u);
    EXPECT_EQ(analysis.held_bytes(), 0u);
    if (HasFailure()) return;
  }
  EXPECT_GT(whole, all * 8 / 10);
  EXPECT_LT(whole, all);
}

TEST(Analysis, AConnectionThatBeganBefore) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    Conversation conversation = Converse({.requests = 100, .depth = 4}, &random);
    const std::vector<WireRecord> want = Oracle(conversation);
    // The observer comes in the middle.
    const size_t missed = conversation.sent.size() / 2;
    for (size_t i = 0; i < missed; ++i) conversation.sent[i].missed = true;
    Analysis analysis(Watch());
    Play(conversation, {}, &analysis, /*with_syn=*/false);
    const WireObservation got = Conclude(&analysis);
    EXPECT_EQ(got.counters.flows, 1u);
    EXPECT_EQ(got.counters.resynchronized, 2u);
    EXPECT_GT(got.records.size(), 30u);
    const WireRecord& last = got.records.back();
    EXPECT_EQ(last.sequence, want.back().sequence);
    EXPECT_EQ(last.connection_id, kConnectionId);
    EXPECT_EQ(last.response_last, want.back().response_last);
    EXPECT_EQ(last.request_first, want.back().request_first);
  }
}

// A few packets by hand.
class ByHand {
 public:
  explicit ByHand(Analysis::Options options = Watch(), Wire wire = {})
      : analysis_(options), wire_(wire) {}
  void Open() {
    See(wire_.Syn(Side::kRequests));
    See(wire_.Syn(Side::kAnswers));
    offset_[0] = offset_[1] = 0;
    Put(Side::kAnswers, GreetingPdu());
  }
  // As one packet.
  RealTime Put(Side side, const std::string& payload) {
    const auto i = static_cast<size_t>(side);
    const RealTime at = See(wire_.Data(side, offset_[i], payload, offset_[1 - i]));
    offset_[i] += payload.size();
    return at;
  }
  RealTime Ask(uint64_t sequence, MessageType type = MessageType::kNoop, size_t value = 0) {
    return Put(Side::kRequests, RequestPdu(type, sequence, value));
  }
  RealTime Answer(uint64_t sequence, MessageType type = MessageType::kNoop, size_t value = 0) {
    return Put(Side::kAnswers, AnswerPdu(type, sequence, value));
  }
  void Miss(Side side, size_t bytes) { offset_[static_cast<size_t>(side)] += bytes; }
  RealTime See(const std::string& bytes) {
    now_ = now_ + Micros(10);
    analysis_.Take(PacketOf(bytes, now_));
    return now_;
  }
  void Wait(Nanos time) { now_ = now_ + time; }
  uint64_t offset(Side side) const { return offset_[static_cast<size_t>(side)]; }
  Wire& wire() { return wire_; }
  Analysis& analysis() { return analysis_; }
  WireObservation Finish() { return Conclude(&analysis_); }

 private:
  Analysis analysis_;
  Wire wire_;
  RealTime now_ = kStart;
  uint64_t offset_[2] = {0, 0};
};

TEST(Analysis, TheSamePortsAgainAreAnotherConnection) {
  ByHand hand;
  hand.Open();
  hand.Ask(1);
  hand.Answer(1);
  hand.Ask(2);  // never answered: the server is killed and comes back
  hand.See(hand.wire().End(Side::kAnswers, TcpSegment::kRst, hand.offset(Side::kAnswers)));
  hand.wire().client_isn += 77'000;
  hand.wire().server_isn -= 123'456;
  hand.Open();
  hand.Ask(1);
  hand.Answer(1);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.flows, 2u);
  EXPECT_EQ(got.counters.requests, 3u);
  EXPECT_EQ(got.counters.answered, 2u);
  EXPECT_EQ(got.counters.unanswered, 1u);
  EXPECT_EQ(got.counters.resynchronized, 0u);
  ASSERT_EQ(got.records.size(), 3u);
  EXPECT_FALSE(got.records[1].response_first.is_set());
  EXPECT_EQ(got.records[2].inside, 0u) << "one that is given up is not inside for ever";
  EXPECT_FALSE(got.records[2].before_last.is_set()) << "that was another connection";
}

TEST(Analysis, ConnectionsThatEndAreForgotten) {
  ByHand hand({.port = kPort, .flows_max = 3});
  for (int i = 0; i < 50; ++i) {
    hand.wire().client_port = static_cast<uint16_t>(50'000 + i);
    hand.Open();
    hand.Ask(1);
    hand.Answer(1);
    hand.See(hand.wire().End(Side::kRequests, TcpSegment::kFin | TcpSegment::kAck,
                             hand.offset(Side::kRequests)));
    hand.See(hand.wire().End(Side::kAnswers, TcpSegment::kFin | TcpSegment::kAck,
                             hand.offset(Side::kAnswers)));
    hand.Wait(Seconds(2));
  }
  EXPECT_LE(hand.analysis().flows_open(), 3u);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.flows, 50u);
  EXPECT_EQ(got.counters.answered, 50u);
  EXPECT_EQ(got.counters.flows_refused, 0u);
}

TEST(Analysis, MoreConnectionsThanThereIsRoomForAreCounted) {
  ByHand hand({.port = kPort, .flows_max = 3});
  for (int i = 0; i < 5; ++i) {
    hand.wire().client_port = static_cast<uint16_t>(50'000 + i);
    hand.See(hand.wire().Syn(Side::kRequests));
  }
  EXPECT_EQ(hand.analysis().flows_open(), 3u);
  EXPECT_EQ(hand.Finish().counters.flows_refused, 2u);
}

TEST(Analysis, RequestsOfABatchAreAnsweredWithItAndNeverInside) {
  ByHand hand;
  hand.Open();
  hand.Put(Side::kRequests, RequestPdu(MessageType::kStartBatch, 1, 0, 7));
  for (uint64_t i = 2; i <= 9; ++i) {
    hand.Put(Side::kRequests, RequestPdu(MessageType::kPut, i, 50, 7));
  }
  hand.Put(Side::kRequests, RequestPdu(MessageType::kEndBatch, 10, 0, 7));
  hand.Answer(10, MessageType::kEndBatch);
  hand.Ask(11);
  hand.Answer(11);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.requests, 11u);
  EXPECT_EQ(got.counters.in_batches, 9u);
  EXPECT_EQ(got.counters.answered, 2u);
  EXPECT_EQ(got.counters.unanswered, 0u);
  ASSERT_EQ(got.records.size(), 11u);
  EXPECT_EQ(got.records[9].inside, 0u);
  EXPECT_EQ(got.records[10].inside, 0u);
  EXPECT_EQ(got.sums.departures, 2u);
}

TEST(Analysis, ARefusedStartOfABatchIsAnswered) {
  ByHand hand;
  hand.Open();
  hand.Put(Side::kRequests, RequestPdu(MessageType::kStartBatch, 1, 0, 7));
  const RealTime answered = hand.Answer(1, MessageType::kStartBatch);
  const WireObservation got = hand.Finish();
  ASSERT_EQ(got.records.size(), 1u);
  EXPECT_EQ(got.records[0].response_first, answered);
}

TEST(Analysis, AnswersInAnyOrder) {
  ByHand hand;
  hand.Open();
  for (uint64_t i = 1; i <= 4; ++i) hand.Ask(i);
  RealTime answered[5];
  for (const uint64_t i : {3, 1, 4, 2}) answered[i] = hand.Answer(i);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.answered, 4u);
  EXPECT_EQ(got.counters.unmatched_answers, 0u);
  ASSERT_EQ(got.records.size(), 4u);
  for (uint64_t i = 1; i <= 4; ++i) EXPECT_EQ(got.records[i - 1].response_first, answered[i]);
}

TEST(Analysis, SharedPacketsAreMarked) {
  ByHand hand;
  hand.Open();
  hand.Ask(1);
  hand.Put(Side::kRequests, RequestPdu(MessageType::kNoop, 2) + RequestPdu(MessageType::kNoop, 3));
  hand.Answer(1);
  hand.Answer(2);
  hand.Answer(3);
  hand.Ask(4);
  hand.Ask(5);
  hand.Put(Side::kAnswers, AnswerPdu(MessageType::kNoop, 4) + AnswerPdu(MessageType::kNoop, 5));
  const WireObservation got = hand.Finish();
  ASSERT_EQ(got.records.size(), 5u);
  const uint32_t want[] = {0, WireRecord::kSharedPacket, WireRecord::kSharedPacket,
                           WireRecord::kSharedPacket, WireRecord::kSharedPacket};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(got.records[i].flags, want[i]) << i;
}

TEST(Analysis, LossInsideAValueCostsNothingElse) {
  ByHand hand;
  hand.Open();
  const std::string put = RequestPdu(MessageType::kPut, 1, 100'000);
  const RealTime first = hand.Put(Side::kRequests, put.substr(0, 1000));
  hand.Miss(Side::kRequests, 64'000);
  const RealTime last = hand.Put(Side::kRequests, put.substr(65'000));
  hand.Answer(1, MessageType::kPut);
  hand.Ask(2);
  hand.Answer(2);
  const WireObservation got = hand.Finish();
  ASSERT_EQ(got.records.size(), 2u);
  EXPECT_EQ(got.records[0].request_first, first);
  EXPECT_EQ(got.records[0].request_last, last);
  EXPECT_EQ(got.counters.gaps, 1u);
  EXPECT_EQ(got.counters.resynchronized, 0u);
  EXPECT_EQ(got.counters.answered, 2u);
}

TEST(Analysis, AGapThatNobodyAcknowledgesIsGivenUpInTime) {
  ByHand hand;
  hand.Open();
  hand.Miss(Side::kRequests, 100);
  hand.Ask(2);
  hand.Wait(Seconds(6));
  hand.Ask(3);
  hand.Ask(4);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.gaps, 1u);
  EXPECT_EQ(got.counters.requests, 3u);
  EXPECT_EQ(got.counters.resynchronized, 1u);
}

TEST(Analysis, LostAnswersDoNotStayInside) {
  ByHand hand;
  hand.Open();
  for (uint64_t i = 1; i <= 3; ++i) hand.Ask(i);
  hand.Miss(Side::kAnswers,
            (AnswerPdu(MessageType::kNoop, 1) + AnswerPdu(MessageType::kNoop, 2)).size());
  hand.Answer(3);
  hand.Ask(4);
  hand.Answer(4);
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.unanswered, 2u);
  EXPECT_EQ(got.counters.answered, 2u);
  ASSERT_EQ(got.records.size(), 4u);
  EXPECT_EQ(got.records[3].inside, 0u);
}

TEST(Analysis, LongValuesAndMergedPackets) {
  ByHand hand;
  hand.Open();
  const std::string put = RequestPdu(MessageType::kPut, 1, 1 << 20);
  RealTime first, last;
  for (size_t at = 0; at < put.size(); at += 65'000) {
    last = hand.Put(Side::kRequests, put.substr(at, 65'000));
    if (at == 0) first = last;
  }
  hand.Answer(1, MessageType::kPut);
  hand.Ask(2, MessageType::kGet);
  const RealTime got_it = hand.Answer(2, MessageType::kGet, 200'000);  // longer than IPv4 can say
  const WireObservation got = hand.Finish();
  ASSERT_EQ(got.records.size(), 2u);
  EXPECT_EQ(got.records[0].request_first, first);
  EXPECT_EQ(got.records[0].request_last, last);
  EXPECT_EQ(got.records[1].response_last, got_it);
}

TEST(Analysis, CutCapturesAreEnoughWhereHeadersAreWhole) {
  Analysis analysis(Watch());
  const Wire wire;
  RealTime now = kStart;
  const auto see = [&](const std::string& bytes, size_t captured) {
    Packet packet = PacketOf(bytes, now);
    packet.network = packet.network.first(std::min(captured, bytes.size()));
    now = now + Micros(1);
    analysis.Take(packet);
  };
  see(wire.Syn(Side::kRequests), 200);
  see(wire.Syn(Side::kAnswers), 200);
  const std::string put = RequestPdu(MessageType::kPut, 1, 5000);
  see(wire.Data(Side::kRequests, 0, put), 250);
  see(wire.Data(Side::kRequests, put.size(), put), 250);
  const std::string two = RequestPdu(MessageType::kPut, 3, 400) + RequestPdu(MessageType::kNoop, 4);
  see(wire.Data(Side::kRequests, 2 * put.size(), two), 250);  // the second header is cut off
  const WireObservation got = Conclude(&analysis);
  EXPECT_EQ(got.counters.requests, 3u);
  ASSERT_EQ(got.records.size(), 3u);
}

TEST(Analysis, AViewTakesItsDirectionsOnly) {
  for (const View view : {View::kClient, View::kServer}) {
    Analysis analysis(Watch(view));
    const Wire wire;
    const auto see = [&](const std::string& bytes, PacketType type, int64_t at) {
      Packet packet = PacketOf(bytes, kStart + Micros(at));
      packet.type = type;
      return analysis.Take(packet);
    };
    int64_t at = 0;
    for (const auto& [side, bytes] : std::vector<std::pair<Side, std::string>>{
             {Side::kRequests, wire.Syn(Side::kRequests)},
             {Side::kAnswers, wire.Syn(Side::kAnswers)},
             {Side::kRequests, wire.Data(Side::kRequests, 0, RequestPdu(MessageType::kNoop, 1))},
             {Side::kAnswers, wire.Data(Side::kAnswers, 0, AnswerPdu(MessageType::kNoop, 1))}}) {
      // As loopback shows it: out, then in.
      const bool out_first = (side == Side::kRequests) == (view == View::kClient);
      EXPECT_EQ(see(bytes, PacketType::kOutgoing, at += 10), out_first);
      EXPECT_EQ(see(bytes, PacketType::kIncoming, at += 1), !out_first);
      EXPECT_FALSE(see(bytes, PacketType::kOther, at));
    }
    const WireObservation got = Conclude(&analysis);
    EXPECT_EQ(got.counters.packets, 4u);
    EXPECT_EQ(got.counters.retransmitted_packets, 0u);
    EXPECT_EQ(analysis.other_way(), 8u);
    ASSERT_EQ(got.records.size(), 1u);
    const bool client = view == View::kClient;
    EXPECT_EQ(got.records[0].request_last, kStart + Micros(client ? 32 : 33)) << client;
    EXPECT_EQ(got.records[0].response_first, kStart + Micros(client ? 44 : 43)) << client;
  }
}

TEST(Analysis, ADirectionIsPinnedToTheInterfaceThatShowedItFirst) {
  Analysis analysis(Watch());
  const Wire wire;
  const auto see = [&](const std::string& bytes, int interface, Nanos at) {
    Packet packet = PacketOf(bytes, kStart + at);
    packet.interface = interface;
    return analysis.Take(packet);
  };
  const std::string one = RequestPdu(MessageType::kNoop, 1);
  EXPECT_TRUE(see(wire.Syn(Side::kRequests), 3, Micros(1)));
  EXPECT_FALSE(see(wire.Syn(Side::kRequests), 4, Micros(2)));
  EXPECT_TRUE(see(wire.Syn(Side::kAnswers), 4, Micros(3)));
  EXPECT_FALSE(see(wire.Syn(Side::kAnswers), 3, Micros(4)));
  EXPECT_TRUE(see(wire.Data(Side::kRequests, 0, one), 3, Micros(5)));
  EXPECT_FALSE(see(wire.Data(Side::kRequests, 0, one), 4, Micros(6)));
  // The route changes.
  EXPECT_TRUE(see(wire.Data(Side::kRequests, one.size(), RequestPdu(MessageType::kNoop, 2)), 4,
                  Seconds(2)));
  const WireObservation got = Conclude(&analysis);
  EXPECT_EQ(got.counters.requests, 2u);
  EXPECT_EQ(got.counters.retransmitted_packets, 0u);
}

TEST(Analysis, WhatNoRecordHasRoomForIsCountedAndSummedAllTheSame) {
  ByHand hand({.port = kPort, .records_max = 3});
  hand.Open();
  for (uint64_t i = 1; i <= 10; ++i) {
    hand.Ask(i);
    hand.Answer(i);
  }
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.records.size(), 3u);
  EXPECT_EQ(got.counters.records_lost, 7u);
  EXPECT_EQ(got.counters.answered, 10u);
  EXPECT_EQ(got.sums.departures, 10u);
  EXPECT_EQ(got.sums.busy, Micros(100));
}

TEST(Analysis, AWindowCutsSumsAndNotRecords) {
  ByHand hand;
  hand.Open();
  std::vector<RealTime> asked, answered;
  for (uint64_t i = 1; i <= 10; ++i) {
    asked.push_back(hand.Ask(i));
    answered.push_back(hand.Answer(i));
  }
  // From within the third to within the sixth.
  const auto got = hand.analysis().Conclude(std::pair(asked[2] + Micros(4), asked[5] + Micros(3)),
                                            [](int64_t, uint64_t s) { return s % 2 == 0; });
  EXPECT_EQ(got.records.size(), 5u);
  EXPECT_EQ(got.sums.window, Micros(59));
  EXPECT_EQ(got.sums.departures, 3u);
  EXPECT_EQ(got.sums.service_sum, Micros(30));
  EXPECT_EQ(got.sums.busy, Micros(6 + 10 + 10 + 3));
  EXPECT_EQ(got.sums.inside, got.sums.busy);
}

TEST(Analysis, OtherPortsAndProtocolsAreNothing) {
  Analysis analysis(Watch());
  Wire wire;
  std::string udp = wire.Syn(Side::kRequests);
  udp[9] = 17;
  EXPECT_FALSE(analysis.Take(PacketOf(udp, kStart)));
  std::string other = wire.Syn(Side::kRequests);
  other[23] = 1;
  EXPECT_FALSE(analysis.Take(PacketOf(other, kStart)));
  const WireObservation got = Conclude(&analysis);
  EXPECT_EQ(got.counters.packets, 0u);
  EXPECT_EQ(got.sums.window, Nanos());
}

TEST(Analysis, AnotherProtocolOnThePortIsNeverFound) {
  ByHand hand;
  hand.Open();
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    std::string noise(1000, '\0');
    for (char& c : noise) c = static_cast<char>(random.Next());
    hand.Put(i % 2 == 0 ? Side::kRequests : Side::kAnswers, noise);
  }
  const WireObservation got = hand.Finish();
  EXPECT_EQ(got.counters.requests, 0u);
  EXPECT_EQ(got.counters.resynchronized, 0u);
}

}  // namespace
}  // namespace kbench::observer
