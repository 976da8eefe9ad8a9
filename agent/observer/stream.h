// One direction of one connection, from segments in the order of the wire to successive bytes.
//
//   sequence   ----[ taken ]----|gap|[held]--[held]----->
//                               next
//
// The first sight of a byte counts; what is seen again is a retransmission. Segments behind a gap
// are held, and their bytes kept where the reader may want them. A gap is given up when the
// receiver acknowledges it (it has what we missed), or when it holds too much or too long. A stamp
// is that of the packet, or of an earlier byte that came later: then could the receiver use it.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/observer/packet.h"
#include "agent/observer/pdu_reader.h"

namespace kbench::observer {

// Of all streams together.
struct StreamTotals {
  uint64_t retransmitted_packets = 0;
  uint64_t reordered_packets = 0;  // that came after later ones
  uint64_t gaps = 0;               // given up
  uint64_t held_bytes = 0;         // now
};

class Stream {
 public:
  static constexpr size_t kHeldSegments = 4096;
  static constexpr uint64_t kHeldBytes = 4u << 20;       // of one stream
  static constexpr uint64_t kAllHeldBytes = 128u << 20;  // of all
  static constexpr Nanos kGapAge = Seconds(5);

  Stream(Side side, PduSink* sink, StreamTotals* totals) : reader_(side, sink), totals_(totals) {}
  ~Stream() { Drop(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The connection begins: the first byte has sequence number `isn` + 1.
  void Begin(uint32_t isn);
  // Forgets the connection; what comes next begins somewhere within another.
  void Reset();
  bool BeganWith(uint32_t isn) const { return began_ && first_sequence_ == isn + 1; }
  bool started() const { return started_; }

  void Take(const TcpSegment& segment, RealTime stamp);
  // The other side says that it has everything before this sequence number.
  void Acknowledged(uint32_t acknowledged);

  // Nothing comes any more: what is held behind gaps is taken.
  void Conclude();

  bool finished() const { return finished_; }  // the sender has said that it ends

 private:
  struct Held {
    uint64_t begin = 0;
    uint64_t end = 0;
    RealTime stamp;
    RealTime again;
    std::vector<uint8_t> bytes;  // from `bytes_from` on
    uint64_t bytes_from = 0;
  };

  uint32_t NextSequence() const { return first_sequence_ + static_cast<uint32_t>(next_); }
  void Deliver(uint64_t begin, uint32_t size, Bytes bytes, RealTime stamp, RealTime again,
               bool early);
  void Hold(uint64_t begin, uint64_t end, Bytes bytes, RealTime stamp);
  void Insert(size_t at, uint64_t begin, uint64_t end, Bytes bytes, RealTime stamp);
  // held_[at] becomes two, the second from `offset` on.
  void Split(size_t at, uint64_t offset);
  void DeliverHeld();
  void GiveUpTo(uint64_t offset);
  void Drop();

  PduReader reader_;
  StreamTotals* totals_;
  bool started_ = false;
  bool began_ = false;  // its begin was seen
  bool finished_ = false;
  uint32_t first_sequence_ = 0;  // of offset 0
  uint64_t next_ = 0;            // offset of the first byte that was not taken
  uint32_t stale_ = 0;           // segments in a row that brought nothing new
  RealTime latest_;              // of the bytes that were taken
  std::vector<Held> held_;       // by offset, apart from each other
  uint64_t held_bytes_ = 0;
};

}  // namespace kbench::observer
