// A test of conformance as data: requests, and what each dialect answers to them.
//
// Answers are compared as text of one line: the whole answer, presence of every field included, as
// client/conform/answer_text.h writes it. What is expected is a pattern of such lines
// (client/conform/pattern.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/conform/dialect.h"
#include "kinetic/types.h"

namespace kbench::conform {

// What is wrong with a request on purpose: who vouches for it ...
enum class Auth {
  kOwn,              // HMACAUTH, as the identity of the run
  kWrongKey,         // HMACAUTH, as the identity of the run, with another key
  kUnknownIdentity,  // HMACAUTH, as an identity that no server has
  kNoIdentity,       // HMACAUTH, without hmacAuth
  kNone,             // no authType; hmacAuth as it should be
  kUnsolicited,      // UNSOLICITEDSTATUS
  kPin,              // PINAUTH, with the step's PIN
  kOther,            // HMACAUTH, as the step's identity with the step's key
};

// ... its header ...
struct HeaderChanges {
  enum class Sequence { kNext, kSame, kSmaller, kAbsent, kFarAhead };
  enum class Value { kRight, kWrong, kAbsent };
  Sequence sequence = Sequence::kNext;
  Value connection_id = Value::kRight;
  Value cluster_version = Value::kRight;
};

// ... and its bytes.
enum class Form {
  kWell,
  kUnknownFields,   // of Message and Command: fields that no schema has
  kNoCommand,       // a Message without commandBytes
  kEmptyMessage,    // a Message of no bytes
  kGarbageMessage,  // bytes that are no protobuf
  kGarbageCommand,  // a signed Message whose commandBytes are no protobuf
  kWrongMagic,      // another first byte
  kMessageTooLong,  // a frame header that announces a message above every limit
  kValueTooLong,    // a frame header that announces a value above every limit
  kNegativeLength,  // a frame header whose message's length is 0xffffffff
};

struct Expected {
  std::string usual;  // of all dialects that have none of their own
  std::optional<std::string> kbench, spec, simulator, kineticd;

  const std::string& of(Dialect dialect) const;
};

struct Step {
  // Views are into the CaseBook.
  kinetic::Command command;
  std::string value;
  Auth auth = Auth::kOwn;
  std::string pin;
  int64_t identity = 0;  // kOther
  std::string key;       // kOther
  HeaderChanges header;
  Form form = Form::kWell;
  size_t piece = 0;      // bytes that are sent at a time; 0: all
  bool joined = false;   // sent in one piece with the next step; their answers are awaited together
  bool answered = true;  // false: what comes is waited for only as long as a NOOP behind it takes
  Expected expected;
};

struct Case {
  std::string name;  // "put.version-mismatch": the area, and what is tried
  std::string asks;  // the rule, as a sentence
  bool destructive = false;
  std::string not_tried;             // why it is not, if it is not
  std::optional<Expected> greeting;  // if it is what is looked at
  // Of steps, the one whose answer tells the dialects apart; none: where each parts from ours.
  std::optional<size_t> telling;
  // Before, on a connection of its own; when that fails, the case differs.
  std::vector<Step> prepare;
  std::vector<Step> steps;
  // Afterwards, on a connection of its own, whatever came.
  std::vector<Step> restore;
};

}  // namespace kbench::conform
