// What a PDU says, as one line of words in a fixed order: so that whole answers are compared, the
// presence of every field included, and a difference can be read.
//
//   SUCCESS keyValue key=~a dbVersion=1 tag=@sha2(one) algorithm=2 value=one
//   unsolicited INVALID_REQUEST
//   INVALID_REQUEST no-ack unsigned
//
// What is as it should be has no word: HMACAUTH with the good signature of the asker's identity,
// the type that answers the request's, its sequence acknowledged, this connection's id. Everything
// else in the answer has one, in the order in which answer_text.cc lists them; the server's own
// sentence is no part of it. Every byte of the text is printable ASCII, whatever the server sent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::conform {

// How byte strings are shown: those of the run by their names, so that two runs give the same text.
class Names {
 public:
  // Keys that begin with `prefix` are shown with "~" for it.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  const std::string& prefix() const { return prefix_; }
  // `bytes` are shown as "@name".
  void Add(absl::string_view bytes, std::string name);

  // One word without blanks and commas; bytes that are no letters as %XX; of long ones the length.
  std::string Show(absl::string_view bytes) const;

 private:
  std::string prefix_;
  std::map<std::string, std::string, std::less<>> names_;
};

// For people: `text` with everything that is not printable ASCII as \xXX, and not longer than
// `most`.
std::string Printable(absl::string_view text, size_t most = 200);

// What is known of the request that a PDU may answer, and of the connection.
struct Expecting {
  const Names* names = nullptr;
  const kinetic::HmacKey* key = nullptr;  // that answers are to be signed with
  int64_t identity = 0;
  std::optional<int64_t> connection_id;  // none: the greeting is still to come
  int64_t cluster_version = 0;
  std::optional<kinetic::MessageType> response_type;  // that answers the request; may be none
  std::optional<uint64_t> sequence;                   // of the request; none: it has none
  // Requests of the connection by their sequences: the first is #1.
  const std::map<uint64_t, int>* numbers = nullptr;
  const kinetic::GetLog::Limits* limits = nullptr;  // of the greeting
};

std::string AnswerText(const kinetic::Message& message, absl::string_view value,
                       const Expecting& expecting);
// The body's words alone, of a request or an answer.
std::string BodyText(const kinetic::Command& command, const Expecting& expecting);

}  // namespace kbench::conform
