// Follows the Kinetic frames of one direction of one connection. It reads the frame header and the
// message of each PDU and steps over its value by its length: where the next header is, the last
// one told. When bytes are missing that it needs, it is lost, and looks for a place where a frame
// begins.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/observer/message_head.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace kbench::observer {

enum class Side : uint8_t { kRequests = 0, kAnswers = 1 };

// Successive bytes of a stream, of one packet. Offsets count from the begin of the stream.
struct Piece {
  uint64_t begin = 0;
  uint32_t size = 0;
  Bytes bytes;         // as far as they were captured
  RealTime stamp;      // when all bytes of the stream up to here had been seen
  bool early = false;  // seen before earlier bytes of the stream
  RealTime again;      // when it was seen for the last time; zero: once only
  uint64_t end() const { return begin + size; }
};

struct Pdu {
  static constexpr uint32_t kNoTag = UINT32_MAX;
  uint64_t begin = 0;
  uint64_t end = 0;
  MessageHead head;
  RealTime first;
  RealTime last;  // zero: its last byte was never seen
  RealTime last_again;
  bool reordered = false;
  bool seen_twice = false;
  bool first_shared = false;  // the packet of its first byte carried bytes of others
  bool last_shared = false;
  uint32_t tag = kNoTag;  // of the taker
};

class PduSink {
 public:
  virtual ~PduSink() = default;
  // Its message is known: first, first_shared and head are final.
  virtual void OnHead(Side side, Pdu* pdu) = 0;
  // All of it has passed.
  virtual void OnEnd(Side side, const Pdu& pdu) = 0;
  // Bytes of a PDU that had passed were seen again, and its last byte among them or not.
  virtual void OnAgain(Side side, uint32_t tag, bool last_byte, RealTime stamp) = 0;
  virtual void OnLost(Side side) = 0;   // bytes that were needed will not come
  virtual void OnFound(Side side) = 0;  // after that, or after a late begin
};

class PduReader {
 public:
  static constexpr uint32_t kMessageMax = 4u << 20;
  static constexpr uint32_t kValueMax = 64u << 20;
  // Of a message, what is looked at; headers stand near the begin.
  static constexpr uint32_t kMessageKept = 4096;
  // PDUs that are remembered for OnAgain.
  static constexpr size_t kRecent = 128;

  PduReader(Side side, PduSink* sink) : side_(side), sink_(sink) {}

  // The next piece begins with a frame.
  void StartFrames();
  // Nobody knows where the next frame begins.
  void StartSearching();
  bool searching() const { return phase_ == Phase::kSearch; }

  // Pieces must be successive.
  void Take(const Piece& piece);
  // The bytes up to `offset` will not come.
  void Skip(uint64_t offset);
  // Where frames begin is not known any more.
  void Lose();
  // Bytes that were taken were seen again.
  void Again(uint64_t begin, uint64_t end, RealTime stamp);
  // Bytes before this offset are only counted: it is enough to know that they came.
  uint64_t WantsFrom() const { return phase_ == Phase::kValue ? pdu_.end : 0; }

 private:
  enum class Phase : uint8_t {
    kSearch,
    kBetween,  // the next byte is a frame's first
    kHead,     // frame header and message
    kValue,    // what is stepped over
  };
  struct Recent {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint32_t tag = Pdu::kNoTag;
  };

  void Open(const Piece& piece, uint64_t at);
  uint64_t TakeHead(const Piece& piece, uint64_t at);
  uint64_t TakeValue(const Piece& piece);
  uint64_t Find(const Piece& piece, uint64_t at);
  bool FrameAt(Bytes bytes, uint64_t whole_size) const;
  // False: no frame header, or lengths that cannot be.
  bool Lengths(const uint8_t* header);
  // False: no Kinetic message.
  bool Headed(Bytes message);
  void Close(RealTime last, bool shared);
  void Touch(const Piece& piece);

  Side side_;
  PduSink* sink_;
  Phase phase_ = Phase::kSearch;
  Pdu pdu_;
  uint64_t first_piece_begin_ = 0;  // of the packet of its first byte
  uint64_t first_piece_end_ = 0;
  uint32_t message_size_ = 0;
  std::vector<uint8_t> head_;  // of a PDU whose head came in several pieces
  std::vector<Recent> recent_;
  size_t recent_next_ = 0;
};

}  // namespace kbench::observer
