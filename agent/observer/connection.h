// One TCP connection between a client and the server's port: both streams, and which answer belongs
// to which request. Answers name the sequence of their request; most often it is the oldest that
// waits.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/observer/ledger.h"
#include "agent/observer/packet.h"
#include "agent/observer/pdu_reader.h"
#include "agent/observer/stream.h"

namespace kbench::observer {

class Connection : public PduSink {
 public:
  // Requests that may wait for answers; the oldest is given up for one more.
  static constexpr size_t kWaitingMax = 2048;

  explicit Connection(Ledger* ledger, uint16_t client_port = 0);
  ~Connection() override = default;

  void Take(Side side, const TcpSegment& segment, RealTime stamp);
  // A host with bridges shows a packet on several interfaces: only those of the interface that
  // showed this direction first are taken, until it falls silent.
  bool TakesFrom(Side side, int interface, RealTime stamp);
  // The connection is over: what waits is given up.
  void GiveUpAll();
  // The observation is over. What waits may still be answered, but for what is answered with its
  // batch.
  void Conclude();

  RealTime latest() const { return latest_; }
  bool ended() const { return ended_; }

  void OnHead(Side side, Pdu* pdu) override;
  void OnEnd(Side side, const Pdu& pdu) override;
  void OnAgain(Side side, uint32_t tag, bool last_byte, RealTime stamp) override;
  void OnLost(Side side) override;
  void OnFound(Side side) override;

 private:
  struct Waiting {
    uint64_t sequence = 0;
    RealTime request_last;
    uint32_t record = Ledger::kNoRecord;
    bool in_batch = false;  // answered with its batch, if at all
    bool answered = false;
    bool doubtful = false;  // its answer may have been among bytes that were lost
  };
  struct Pin {
    int interface = 0;
    RealTime latest;
  };

  void StartAnew();
  void OnSyn(Side side, const TcpSegment& segment);
  void OnRequest(Pdu* pdu);
  void OnAnswer(Pdu* pdu);
  Waiting& waiting_at(uint64_t position) { return ring_[position & (ring_.size() - 1)]; }
  void Push(const Waiting& one);
  void GiveUp(const Waiting& one);

  Ledger* ledger_;
  const uint16_t client_port_;
  Stream requests_;
  Stream answers_;
  Pin pins_[2];
  int64_t connection_id_ = 0;  // as the server's greeting said
  RealTime latest_;
  bool ended_ = false;
  RealTime before_last_;  // last byte of the newest whole request
  // Those that wait have the positions [head_, tail_), in a ring of a power of two.
  std::vector<Waiting> ring_;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace kbench::observer
