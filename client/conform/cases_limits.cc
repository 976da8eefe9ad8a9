// Cases: lengths at the limits that the server tells, and one above.
#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::Text;

namespace {

constexpr uint32_t kMostTried = 8u << 20;
Expected Done() { return {.usual = "SUCCESS keyValue"}; }

// Why a length cannot be tried; empty: it can.
std::string Untold(const std::optional<uint32_t>& limit, absl::string_view what, uint32_t least) {
  if (!limit.has_value()) return absl::StrCat("the server tells no limit of ", what);
  if (*limit == UINT32_MAX) return absl::StrCat("the server tells that ", what, " has no limit");
  if (*limit > kMostTried || *limit < least) {
    return absl::StrCat("the limit of ", what, ", ", *limit, " bytes, is beyond what is tried");
  }
  return "";
}

// A pair of cases, of the longest and of one byte more; each has its steps unless it is not tried.
struct Pair {
  Case* longest = nullptr;
  Case* above = nullptr;
  bool tried = false;
};

Pair AddPair(CaseBook* book, absl::string_view what, const std::optional<uint32_t>& limit,
             uint32_t least = 1) {
  Pair pair = {.longest = book->Add(absl::StrCat("limits.", what, "-longest"),
                                    absl::StrCat("a ", what, " as long as the limit is taken")),
               .above = book->Add(absl::StrCat("limits.", what, "-one-above"),
                                  absl::StrCat("a ", what, " of one byte more is refused"))};
  const std::string untold = Untold(limit, absl::StrCat("a ", what), least);
  pair.tried = untold.empty();
  pair.longest->not_tried = pair.above->not_tried = untold;
  return pair;
}

void AddKeys(CaseBook* book, uint32_t least) {
  const auto& limit = book->limits().max_key_size;
  const Pair pair = AddPair(book, "key", limit, least);
  Case* range =
      book->Add("limits.range-key-one-above", "a range's key of one byte more is refused");
  Case* get = book->Add("limits.get-key-one-above", "a key of one byte more is refused to readers");
  range->not_tried = get->not_tried = pair.above->not_tried;
  if (!pair.tried) return;
  const Text longest = book->NamedKey("longest", *limit, "longest-key");
  const Text above = book->NamedKey("longest", *limit + 1, "key-one-above");
  pair.longest->steps = {book->Put(longest, "one", {.next = "1"}, Done()),
                         book->OfKey(MessageType::kGet, longest,
                                     {.usual = "SUCCESS " + book->Object(longest, "one")})};
  pair.above->steps = {book->Put(above, "one", {.next = "1"}, Refused("INVALID_REQUEST keyValue"))};
  get->steps = {book->OfKey(MessageType::kGet, above, Refused("INVALID_REQUEST keyValue"))};
  kinetic::Command command;
  command.has_header = true;
  command.header.message_type = MessageType::kGetKeyRange;
  command.range = {.start_key = above, .end_key = above, .max_returned = 1};
  range->steps = {book->Ask(command, {.usual = "INVALID_REQUEST",
                                      .simulator = "SUCCESS or INVALID_REQUEST",
                                      .kineticd = kDriveRefuses})};
}

void AddValues(CaseBook* book) {
  const auto& limit = book->limits().max_value_size;
  const Pair pair = AddPair(book, "value", limit);
  if (!pair.tried) return;
  const Text longest = book->Named(std::string(*limit, 'v'), "longest-value");
  const Text above = book->Named(std::string(*limit + 1, 'v'), "value-one-above");
  const Text key = book->Key("longest-value");
  pair.longest->steps = {
      book->Put(key, longest, {.next = "1"}, Done()),
      book->OfKey(MessageType::kGet, key, {.usual = "SUCCESS " + book->Object(key, longest)})};
  // Who closes before the value is read loses its last word with the connection.
  pair.above->steps = {book->Put(
      key, above, {.next = "1", .force = true},
      {.usual = "INVALID_REQUEST keyValue",
       .spec = "closes or unsolicited INVALID_REQUEST closes",
       .kineticd =
           "closes or unsolicited INVALID_REQUEST ?type ?ackSequence connectionID closes"})};
}

void AddVersionsAndTags(CaseBook* book) {
  const auto& limits = book->limits();
  Pair pair = AddPair(book, "version", limits.max_version_size);
  const Text key = book->Key("longest-version");
  if (pair.tried) {
    const uint32_t size = *limits.max_version_size;
    const Text longest = book->Named(std::string(size, 'n'), "longest-version");
    const Text above = book->Named(std::string(size + 1, 'n'), "version-one-above");
    pair.longest->steps = {book->Put(key, "one", {.next = longest, .force = true}, Done()),
                           book->OfKey(MessageType::kGet, key,
                                       {.usual = "SUCCESS " + book->Object(key, "one", longest)})};
    pair.above->steps = {
        book->Put(key, "one", {.next = above, .force = true}, Refused("INVALID_REQUEST keyValue"))};
  }
  pair = AddPair(book, "tag", limits.max_tag_size);
  if (!pair.tried) return;
  // A message has its limit too.
  constexpr uint32_t kMostTag = 512 * 1024;
  if (*limits.max_tag_size > kMostTag) {
    pair.longest->not_tried = pair.above->not_tried = "a tag of that limit fits into no message";
    return;
  }
  const Text tag_key = book->Key("longest-tag");
  const Text longest = book->Named(std::string(*limits.max_tag_size, 't'), "longest-tag");
  const Text above = book->Named(std::string(*limits.max_tag_size + 1, 't'), "tag-one-above");
  const auto put = [&](Text tag, Expected expected) {
    Step step = book->Put(tag_key, "one", {.next = "1", .force = true, .tagged = false},
                          std::move(expected));
    step.command.key_value->tag = tag;
    step.command.key_value->algorithm = 1;  // of no digest's length: nobody can check it
    return step;
  };
  pair.longest->steps = {
      put(longest, Done()),
      book->OfKey(MessageType::kGet, tag_key,
                  {.usual = absl::StrCat("SUCCESS keyValue key=", book->Show(tag_key),
                                         " dbVersion=1 tag=@longest-tag algorithm=1 value=one")})};
  pair.above->steps = {put(above, Refused("INVALID_REQUEST keyValue"))};
}

}  // namespace

void AddLimitCases(CaseBook* book) {
  const auto prefix = static_cast<uint32_t>(book->Key("").size());
  AddKeys(book, prefix + 16);
  AddValues(book);
  AddVersionsAndTags(book);
}

}  // namespace kbench::conform
