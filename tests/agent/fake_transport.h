// A server and its network in simulated time. Poll() moves the clock: to the next answer that is
// due, or to the deadline. Nothing else moves it but Stall(), and nothing reads the real one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "kinetic/codec.h"
#include "kinetic/hmac.h"
#include "transport/transport.h"

namespace kbench {

class SimClock {
 public:
  static MonoTime Now() { return MonoTime(now_ns_); }
  static void Set(MonoTime t) { now_ns_ = t.ns(); }
  static void Advance(Nanos d) { now_ns_ += d.count(); }

 private:
  static inline thread_local int64_t now_ns_ = 0;
};

class FakeTransport final : public Transport {
 public:
  // What becomes of one request.
  struct Fate {
    Nanos delay;           // until its answer
    bool answered = true;  // false: never
    kinetic::StatusCode status = kinetic::StatusCode::kSuccess;
    std::string text;
    std::optional<uint32_t> value_size;  // none: as loaded for a GET, else 0
    bool wrong_key = false;              // signs the answer with another key
    bool without_ack = false;
    // Of the answer, instead of the one that answers the request; kInvalid: none at all.
    std::optional<kinetic::MessageType> type;
    bool without_status = false;
    bool without_command = false;
    std::optional<int64_t> cluster_version;
    bool unsolicited = false;  // the answer is an UNSOLICITEDSTATUS that acknowledges the request
    bool sent_late = false;    // its kSent comes after its answer
  };
  struct Request {
    uint64_t number = 0;  // from 0, over all flows, the handshake's NOOPs included
    FlowId flow = {};
    kinetic::MessageType type = kinetic::MessageType::kInvalid;
    uint64_t sequence = 0;
    std::string key;
    std::optional<uint32_t> batch_id;
    MonoTime at;
  };
  using Judge = std::function<Fate(const Request&)>;

  FakeTransport(uint32_t get_value_bytes, Judge judge);

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override;
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void ProbesAnswered(FlowId flow) override;
  void Close(FlowId) override {}
  TransportCounters counters() const override { return {}; }
  FactList facts() const override { return {}; }

  // The server closes the flow at `at`.
  void CloseAt(FlowId flow, MonoTime at);
  // An UNSOLICITEDSTATUS at `at`.
  void SayAt(FlowId flow, MonoTime at, kinetic::StatusCode status, const std::string& text);
  // The whole client stands still once, for `length`, in the first Poll() at or after `at`.
  void StallAt(MonoTime at, Nanos length);
  // All answers that are due at the same instant come in one receive call.
  void set_coalesce(bool coalesce) { coalesce_ = coalesce; }

  const std::vector<Request>& requests() const { return requests_; }
  // How often receiving got cheaper again: no probed request of the flow was unanswered any more.
  uint32_t probes_answered() const { return probes_answered_; }
  // Most requests that were ever unanswered at once (of all flows).
  uint32_t most_unanswered() const { return most_unanswered_; }

 private:
  struct Coming {
    TransportEvent::Kind kind = TransportEvent::Kind::kReceived;
    FlowId flow = {};
    uint32_t token = 0;
    std::string bytes;
    bool answer = false;
    const uint8_t* head = nullptr;  // of a kSent: its frame's
  };
  std::string Greeting(int64_t connection_id);
  std::string Answer(const Request& request, const Fate& fate);
  // The server reads one PDU, and answers it if it is one that is answered. True: its frame's kSent
  // comes after the answer, at the instant when that comes.
  std::optional<MonoTime> Take(FlowId flow, const kinetic::Command& command);

  uint32_t get_value_bytes_;
  Judge judge_;
  kinetic::HmacKey key_;
  kinetic::HmacKey wrong_key_;
  kinetic::Encoder encoder_;
  kinetic::Decoder decoder_;
  std::vector<Request> requests_;
  std::set<const uint8_t*> unsent_;         // heads of frames without their kSent
  std::deque<Coming> sent_;                 // kSent events of the next Poll()
  std::multimap<MonoTime, Coming> coming_;  // by the instant at which they come
  std::vector<std::string> bytes_;          // of the last Poll()
  std::vector<TransportEvent> events_;
  uint32_t flows_ = 0;
  uint32_t unanswered_ = 0;
  std::map<FlowId, std::set<const SendStamps*>> probed_;  // in flight, by their records
  uint32_t probes_answered_ = 0;
  uint32_t most_unanswered_ = 0;
  bool coalesce_ = false;
  std::optional<std::pair<MonoTime, Nanos>> stall_;
};

}  // namespace kbench
