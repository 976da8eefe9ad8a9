#include "client/conform/case_book.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"

namespace kbench::conform {

using kinetic::Command;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::Text;

namespace {

constexpr int32_t kSha2 = 2;

Command OfType(MessageType type) {
  Command command;
  command.has_header = true;
  command.header.message_type = type;
  return command;
}

}  // namespace

CaseBook::CaseBook(const Target& target, const Greeting& greeting, Names* names)
    : target_(target),
      limits_(greeting.limits()),
      cluster_version_(greeting.cluster_version()),
      names_(names) {
  AddSessionCases(this);
  AddObjectCases(this);
  AddLimitCases(this);
  AddRangeCases(this);
  AddBatchCases(this);
  AddTogetherCases(this);
  AddDeviceCases(this);
  AddDestructiveCases(this);
}

absl::Status CaseBook::Choose(const std::vector<std::string>& only) {
  if (only.empty()) return absl::OkStatus();
  const auto begins = [](const Case& one, const std::string& text) {
    return absl::StartsWith(one.name, text);
  };
  for (const std::string& text : only) {
    if (absl::c_any_of(cases_, [&](const Case& one) { return begins(one, text); })) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--only ", Printable(text), ": no case has a name that begins so; --list has all"));
  }
  std::erase_if(cases_, [&](const Case& one) {
    return absl::c_none_of(only, [&](const std::string& text) { return begins(one, text); });
  });
  return absl::OkStatus();
}

Case* CaseBook::Add(std::string name, std::string asks) {
  cases_.push_back({.name = std::move(name), .asks = std::move(asks)});
  return &cases_.back();
}

Case* CaseBook::AddDestructive(std::string name, std::string asks) {
  Case* added = Add(std::move(name), std::move(asks));
  added->destructive = true;
  return added;
}

Text CaseBook::Keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }

Text CaseBook::Key(absl::string_view end) {
  std::string key = absl::StrCat(names_->prefix(), end);
  keys_.insert(key);
  return Keep(std::move(key));
}

Text CaseBook::Named(std::string bytes, std::string name) {
  names_->Add(bytes, std::move(name));
  return Keep(std::move(bytes));
}

Text CaseBook::NamedKey(absl::string_view end, size_t size, std::string name) {
  std::string key = absl::StrCat(names_->prefix(), end);
  key.resize(size, 'k');
  keys_.insert(key);
  return Named(std::move(key), std::move(name));
}

Text CaseBook::Tag(absl::string_view value) {
  return Named(absl::HexStringToBytes(Sha256Hex(value)), absl::StrCat("sha2(", Show(value), ")"));
}

Step CaseBook::Put(Text key, absl::string_view value, const PutFields& fields, Expected expected) {
  Step step = {.command = OfType(MessageType::kPut),
               .value = std::string(value),
               .expected = std::move(expected)};
  KeyValue& kv = step.command.key_value.emplace();
  kv.key = key;
  kv.new_version = fields.next;
  kv.db_version = fields.expected;
  if (fields.force) kv.force = true;
  kv.synchronization = fields.synchronization;
  if (fields.tagged) {
    kv.tag = Tag(value);
    kv.algorithm = kSha2;
  }
  return step;
}

Step CaseBook::Given(Text key, absl::string_view value, absl::string_view version) {
  return Put(key, value, {.next = Keep(std::string(version)), .force = true},
             {.usual = "SUCCESS ..."});
}

Step CaseBook::Delete(Text key, const PutFields& fields, Expected expected) {
  Step step = {.command = OfType(MessageType::kDelete), .expected = std::move(expected)};
  KeyValue& kv = step.command.key_value.emplace();
  kv.key = key;
  kv.db_version = fields.expected;
  if (fields.force) kv.force = true;
  kv.synchronization = fields.synchronization;
  return step;
}

Step CaseBook::Ask(Command command, Expected expected) {
  return {.command = std::move(command), .expected = std::move(expected)};
}

Step CaseBook::OfKey(MessageType type, Text key, Expected expected) {
  Step step = {.command = OfType(type), .expected = std::move(expected)};
  step.command.key_value.emplace().key = key;
  return step;
}

Step CaseBook::Noop(Expected expected) {
  return {.command = OfType(MessageType::kNoop), .expected = std::move(expected)};
}

std::string CaseBook::Object(Text key, absl::string_view value, absl::string_view version,
                             absl::string_view more, bool with_value) {
  std::string text = absl::StrCat("keyValue key=", Show(key), " dbVersion=", Show(version),
                                  " tag=", Show(Tag(value)), " algorithm=", kSha2);
  if (!more.empty()) absl::StrAppend(&text, " ", more);
  if (with_value && !value.empty()) absl::StrAppend(&text, " value=", Show(value));
  return text;
}

Expected NotFound(const CaseBook& book, Text key) {
  return {.usual = "NOT_FOUND keyValue",
          .kineticd = absl::StrCat("NOT_FOUND keyValue key=", book.Show(key))};
}

Expected Refused(std::string answer) {
  return {.usual = std::move(answer), .kineticd = kDriveRefuses};
}

Expected InAnyOrder(std::string answer) {
  const std::string any = absl::StrCat(answer, " ?after=*");
  return {.usual = std::move(answer), .spec = any, .kineticd = any};
}

}  // namespace kbench::conform
