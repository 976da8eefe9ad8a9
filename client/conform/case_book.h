// The cases of one run, and the memory that their requests point into.
//
// Keys are made of the run's prefix, lengths of the limits that the server tells, so that the same
// table fits every server. A case whose limit is not told, or is none, is in the book and says why
// it is not tried.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/conform/answer_text.h"
#include "client/conform/case.h"
#include "client/conform/interpreter.h"
#include "kinetic/types.h"

namespace kbench::conform {

// A PUT's fields; the tag is the SHA-256 of the value.
struct PutFields {
  std::optional<kinetic::Text> next;      // newVersion
  std::optional<kinetic::Text> expected;  // dbVersion
  bool force = false;
  bool tagged = true;
  std::optional<kinetic::Synchronization> synchronization = kinetic::Synchronization::kWriteThrough;
};

// What a drive with the vendor's server says before it closes: of a request whose signature was
// good, and of one whose signature was not looked at.
inline constexpr char kDriveRefuses[] =
    "unsolicited INVALID_REQUEST type ackSequence connectionID closes";
inline constexpr char kDriveRefusesUnread[] = "unsolicited INVALID_REQUEST connectionID closes";

class CaseBook {
 public:
  // `names` takes the run's prefix and long strings; `target` and `greeting` are looked at now
  // only.
  CaseBook(const Target& target, const Greeting& greeting, Names* names);

  // Leaves the cases whose names begin with one of these; none: all. InvalidArgument: with one of
  // them no name begins.
  absl::Status Choose(const std::vector<std::string>& only);

  // Every case, those that are destructive last.
  const std::deque<Case>& cases() const { return cases_; }
  // Every key that a case may have stored.
  const std::set<std::string>& keys() const { return keys_; }

  // For the files of cases.
  Case* Add(std::string name, std::string asks);
  Case* AddDestructive(std::string name, std::string asks);
  kinetic::Text Keep(std::string bytes);
  // The run's key with this end.
  kinetic::Text Key(absl::string_view end);
  kinetic::Text NamedKey(absl::string_view end, size_t size, std::string name);
  kinetic::Text Named(std::string bytes, std::string name);
  std::string Show(absl::string_view bytes) const { return names_->Show(bytes); }

  Step Put(kinetic::Text key, absl::string_view value, const PutFields& fields, Expected expected);
  // A PUT or DELETE that only prepares: of what it is answered, no more than SUCCESS is looked at.
  Step Given(kinetic::Text key, absl::string_view value, absl::string_view version = "1");
  Step Delete(kinetic::Text key, const PutFields& fields, Expected expected);
  Step Ask(kinetic::Command command, Expected expected);
  // A request of this type on one key.
  Step OfKey(kinetic::MessageType type, kinetic::Text key, Expected expected);
  Step Noop(Expected expected);
  // "keyValue key=~a dbVersion=1 tag=@sha2(one) algorithm=2" with the value: of an object as Put()
  // and Given() make it.
  std::string Object(kinetic::Text key, absl::string_view value, absl::string_view version = "1",
                     absl::string_view more = "", bool with_value = true);

  const Target& target() const { return target_; }
  bool tls() const { return target_.tls != nullptr; }
  const kinetic::GetLog::Limits& limits() const { return limits_; }
  int64_t cluster_version() const { return cluster_version_; }

 private:
  kinetic::Text Tag(absl::string_view value);

  const Target target_;
  const kinetic::GetLog::Limits limits_;
  const int64_t cluster_version_;
  Names* names_;
  std::deque<Case> cases_;
  std::deque<std::string> kept_;
  std::set<std::string> keys_;
};

// NOT_FOUND; the vendor's server names the key of what it does not find.
Expected NotFound(const CaseBook& book, kinetic::Text key);
// Refused and answered; by the vendor's server with its last word.
Expected Refused(std::string answer);
// Of requests that are sent together. This server and the simulator answer in their order; by the
// specification answers may come in any, and those of the vendor's server do.
Expected InAnyOrder(std::string answer);

// By area.
void AddSessionCases(CaseBook* book);
void AddObjectCases(CaseBook* book);
void AddLimitCases(CaseBook* book);
void AddRangeCases(CaseBook* book);
void AddBatchCases(CaseBook* book);
void AddTogetherCases(CaseBook* book);
void AddDeviceCases(CaseBook* book);
void AddDestructiveCases(CaseBook* book);

}  // namespace kbench::conform
