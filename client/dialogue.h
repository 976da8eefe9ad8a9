// The client's side of one Kinetic connection, bytes in and bytes out: it signs and numbers
// requests, and reads what comes as replies to them. It knows no socket and no clock.
//
//   Ask()   command -> PDU head, with connectionID, cluster version and sequence filled in
//   Next()  bytes   -> the greeting, replies in any order, unsolicited statuses
//
// It believes no more than it must: a reply may come out of order, unsigned, without an ackSequence
// or without any command at all (servers that do each of these exist); what is missing is absent in
// the Reply, and a reply that cannot be anybody's is said to be so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "kinetic/answer.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::client {

// One PDU from the server, in memory of its own.
class Reply {
 public:
  bool unsolicited = false;  // a status that answers nothing: the greeting, or a last word
  bool authentic = false;    // signed with our key; unsolicited and PIN replies never are
  // The request that this answers; 0 when that cannot be known.
  uint64_t sequence = 0;
  // Of that request; kInvalid where it is not known. Why this is no answer to it, if it is none.
  kinetic::MessageType request = kinetic::MessageType::kInvalid;
  kinetic::AnswerFault fault = kinetic::AnswerFault::kNone;
  kinetic::StatusCode status = kinetic::StatusCode::kInvalid;
  std::string text;   // the server's own words
  std::string value;  // raw

  // Bytes of the command, as they came.
  size_t size() const { return decoder_->message().command_bytes.size(); }
  // Everything else that the server said; views live as long as the Reply does.
  const kinetic::Command& command() const { return decoder_->message().command; }
  // "NOT_FOUND" or "NOT_FOUND: its words".
  std::string Describe() const;

 private:
  friend class Dialogue;
  std::shared_ptr<kinetic::Decoder> decoder_;
};

class Dialogue {
 public:
  struct Options {
    int64_t identity = kinetic::kFactoryIdentity;
    std::string hmac_key = std::string(kinetic::kFactoryKey);
    kinetic::FrameLimits limits;  // of what is accepted
    // Of every request; none: what the server's greeting says.
    std::optional<int64_t> cluster_version;
  };

  explicit Dialogue(const Options& options);

  // Appends frame header and message of a request to *out; its value, `value_size` bytes, is the
  // caller's to send after it. Returns the request's sequence. The cluster version is the server's
  // unless the command has one.
  uint64_t Ask(kinetic::Command command, uint32_t value_size, std::string* out);
  // The same for a PIN operation, which is vouched for by the PIN instead of a signature.
  uint64_t AskByPin(kinetic::Command command, absl::string_view pin, std::string* out);
  // The request will not be answered (a PUT or DELETE inside a batch).
  void ExpectNoReply(uint64_t sequence) { unanswered_.erase(sequence); }

  // The next complete reply in *in, moving *in past it; nothing when *in holds no more. An error
  // means that this is no Kinetic stream (any more): every later call repeats it.
  absl::StatusOr<std::optional<Reply>> Next(Bytes* in);

  // From the greeting.
  bool greeted() const { return greeted_; }
  int64_t connection_id() const { return connection_id_; }
  const kinetic::GetLog::Limits& limits() const { return limits_; }
  // Options::cluster_version; else from the greeting, and from any VERSION_FAILURE since, which
  // carries the right one.
  int64_t cluster_version() const { return fixed_cluster_version_.value_or(cluster_version_); }
  // What the last request said.
  int64_t said_cluster_version() const { return said_cluster_version_; }

  size_t unanswered() const { return unanswered_.size(); }

 private:
  uint64_t Number(kinetic::Command* command);
  void Attribute(Reply* reply);
  // The reply is to this request, or should be.
  void Match(std::map<uint64_t, kinetic::MessageType>::iterator request, Reply* reply);

  int64_t identity_;
  kinetic::HmacKey key_;
  kinetic::Encoder encoder_;
  kinetic::FrameReader frames_;
  bool greeted_ = false;
  int64_t connection_id_ = 0;
  std::optional<int64_t> fixed_cluster_version_;
  int64_t cluster_version_ = 0;
  int64_t said_cluster_version_ = 0;
  kinetic::GetLog::Limits limits_;
  uint64_t sequence_ = 0;
  std::map<uint64_t, kinetic::MessageType> unanswered_;
};

}  // namespace kbench::client
