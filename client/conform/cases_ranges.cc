// Cases: GETKEYRANGE and the medium's own MEDIASCAN and MEDIAOPTIMIZE, over the run's keys.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::Text;

namespace {

// As many as a server gives that gives up to a hundred.
constexpr uint32_t kEnough = UINT32_MAX - 1;

struct Bounds {
  absl::string_view first = "r1", last = "r5";
  bool first_inclusive = true, last_inclusive = true;
  std::optional<uint32_t> most = kEnough;
  bool reverse = false;
};

Step Range(CaseBook* book, const Bounds& bounds, Expected expected,
           MessageType type = MessageType::kGetKeyRange) {
  kinetic::Command command;
  command.has_header = true;
  command.header.message_type = type;
  kinetic::Range& range = command.range.emplace();
  range.start_key = book->Key(bounds.first);
  range.end_key = book->Key(bounds.last);
  range.start_key_inclusive = bounds.first_inclusive;
  range.end_key_inclusive = bounds.last_inclusive;
  range.max_returned = bounds.most;
  const uint32_t told = book->limits().max_key_range_count.value_or(0);
  if (bounds.most == kEnough) range.max_returned = told == 0 ? 100 : std::min(told, 100u);
  if (bounds.reverse) range.reverse = true;
  return book->Ask(command, std::move(expected));
}

std::vector<Step> Five(CaseBook* book, Step last) {
  std::vector<Step> steps;
  for (const char* key : {"r1", "r2", "r3", "r4", "r5"}) {
    steps.push_back(book->Given(book->Key(key), key));
    steps.back().joined = true;
  }
  steps.back().joined = false;
  steps.push_back(std::move(last));
  return steps;
}

Expected Keys(absl::string_view keys) {
  return {.usual = absl::StrCat("SUCCESS range keys=", keys)};
}

void AddOrder(CaseBook* book) {
  const auto add = [book](const char* name, const char* asks, const Bounds& bounds,
                          Expected expected) {
    book->Add(absl::StrCat("range.", name), asks)->steps =
        Five(book, Range(book, bounds, std::move(expected)));
  };
  add("inclusive", "both ends belong to a range that says so", {}, Keys("~r1,~r2,~r3,~r4,~r5"));
  add("exclusive", "neither end belongs to a range that says so",
      {.first_inclusive = false, .last_inclusive = false}, Keys("~r2,~r3,~r4"));
  add("first-exclusive", "each end has its own word", {.first_inclusive = false},
      Keys("~r2,~r3,~r4,~r5"));
  add("max-returned", "no more keys than asked for, the first ones", {.most = 2}, Keys("~r1,~r2"));
  add("reverse", "reverse gives the keys from the last down", {.reverse = true},
      Keys("~r5,~r4,~r3,~r2,~r1"));
  add("reverse-max-returned", "no more keys than asked for, the last ones",
      {.most = 2, .reverse = true}, Keys("~r5,~r4"));
  add("of-one", "a range may be one key", {.last = "r1"}, Keys("~r1"));
  add("absent-ends", "the ends need not be there", {.first = "r15", .last = "r35"},
      Keys("~r2,~r3"));
}

void AddEdges(CaseBook* book) {
  book->Add("range.empty", "an answer without keys has no range")->steps = {
      Range(book, {.first = "q1", .last = "q2"}, {.usual = "SUCCESS"})};
  book->Add("range.inverted", "between a last key and a first one there is none")->steps =
      Five(book, Range(book, {.first = "r5", .last = "r1"},
                       {.usual = "SUCCESS",
                        .simulator = "INTERNAL_ERROR or SUCCESS",
                        .kineticd = kDriveRefuses}));
  book->Add("range.max-0", "a range of no keys is no question")->steps = Five(
      book,
      Range(book, {.most = 0},
            {.usual = "INVALID_REQUEST", .simulator = "INTERNAL_ERROR", .kineticd = "SUCCESS"}));
  Expected all = Keys("~r1,~r2,~r3,~r4,~r5");
  all.simulator = "INTERNAL_ERROR";
  book->Add("range.max-absent", "without maxReturned the server's limit is meant")->steps =
      Five(book, Range(book, {.most = std::nullopt}, all));
  Case* above = book->Add("range.max-one-above", "maxReturned above the limit is refused");
  const uint32_t limit = book->limits().max_key_range_count.value_or(0);
  if (limit == 0 || limit == UINT32_MAX) {
    above->not_tried = "the server tells no limit of keys in a range";
  } else {
    above->steps = Five(book, Range(book, {.most = limit + 1}, Refused("INVALID_REQUEST")));
  }
  Step endless = Range(book, {.first = "r4", .most = 2}, Keys("~r4,~r5"));
  endless.command.range->end_key.reset();
  endless.expected.spec = "INVALID_REQUEST";
  endless.expected.simulator = "SUCCESS range keys=~r4,~r5 or SUCCESS";
  book->Add("range.no-end", "a range without an end goes to the last key")->steps =
      Five(book, endless);
}

void AddMedia(CaseBook* book) {
  const Text good = book->Key("s1");
  const auto scan = [book](MessageType type, Expected expected) {
    return Range(book, {.first = "s1", .last = "s9"}, std::move(expected), type);
  };
  const Expected scanned = {
      .usual = "SUCCESS range ?startKey=* endKey=*",
      .kineticd = "SUCCESS range startKey=* endKey=* startKeyInclusive=* endKeyInclusive=*"};
  book->Add("mediascan.range", "a scan says how far it came, and names no good object")->steps = {
      book->Given(good, "one"), scan(MessageType::kMediaScan, scanned)};
  book->Add("mediaoptimize.range", "the medium is put in order")->steps = {
      book->Given(good, "one"),
      scan(MessageType::kMediaOptimize, {.usual = "SUCCESS range ?startKey=* endKey=*",
                                         .simulator = "SUCCESS range endKey=* or INVALID_REQUEST",
                                         .kineticd = kDriveRefuses})};
}

}  // namespace

void AddRangeCases(CaseBook* book) {
  AddOrder(book);
  AddEdges(book);
  AddMedia(book);
}

}  // namespace kbench::conform
