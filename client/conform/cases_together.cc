// Cases: requests that are sent together. In which order they are answered, and what happens to
// more of them than the server says that it takes.
#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"
#include "client/requests.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::Synchronization;
using kinetic::Text;

namespace {

constexpr uint32_t kMostTogether = 100;
constexpr uint32_t kAbove = 4;  // requests beyond the limit

void Join(std::vector<Step>* steps, size_t from) {
  for (size_t i = from; i + 1 < steps->size(); ++i) (*steps)[i].joined = true;
}

void AddOrder(CaseBook* book) {
  const Text held = book->Key("order"), other = book->Key("order-other");
  const auto put = [&](Text key, Synchronization how, Expected expected) {
    return book->Put(key, "one", {.next = "1", .force = true, .synchronization = how},
                     std::move(expected));
  };
  const std::string found = absl::StrCat("SUCCESS ", book->Object(held, "one"));
  const auto get = [&](Expected expected) {
    return book->OfKey(MessageType::kGet, held, std::move(expected));
  };
  const Expected done = InAnyOrder("SUCCESS ?keyValue");
  Case* writes = book->Add("order.writes",
                           "answers come in the order of their requests, or say whose they are");
  writes->steps = {book->Given(held, "one"), put(held, Synchronization::kWriteThrough, done),
                   get(InAnyOrder(found)), put(other, Synchronization::kWriteThrough, done),
                   put(other, Synchronization::kWriteBack, {.usual = "SUCCESS ?keyValue"})};
  Join(&writes->steps, 1);
  Case* flush =
      book->Add("order.flush",
                "a flush (#4) is not answered before the writes that came before it (where a "
                "dialect promises it); shown is the answer to the write (#2)");
  Expected before_flush = done;
  before_flush.kineticd = "SUCCESS ?keyValue ?after=#3|after=#5|after=#3,#5";
  flush->steps = {book->Given(held, "one"), put(held, Synchronization::kWriteThrough, before_flush),
                  get(InAnyOrder(found)), book->Ask(client::FlushRequest(), InAnyOrder("SUCCESS")),
                  get({.usual = found})};
  flush->telling = 1;
  Join(&flush->steps, 1);
}

// Why so many cannot be sent together; empty: they can.
std::string Untold(const std::optional<uint32_t>& depth, absl::string_view what) {
  if (!depth.has_value()) return absl::StrCat("the server tells no limit of unanswered ", what);
  if (*depth == UINT32_MAX) {
    return absl::StrCat("the server tells that unanswered ", what, " have no limit");
  }
  if (*depth == 0 || *depth > kMostTogether) {
    return absl::StrCat("the limit of unanswered ", what, ", ", *depth,
                        ", is beyond what is tried");
  }
  return "";
}

// Whoever is quick enough never has that many unanswered: SERVICE_BUSY is allowed above the limit,
// and not asked for. The vendor's server tells the limits and enforces neither.
void AddDepth(CaseBook* book, absl::string_view what, const std::optional<uint32_t>& depth) {
  Case* c = book->Add(absl::StrCat("limits.", what, "-unanswered"),
                      absl::StrCat("as many ", what,
                                   " as the limit are done, more are done or "
                                   "refused as SERVICE_BUSY"));
  c->not_tried = Untold(depth, what);
  if (!c->not_tried.empty()) return;
  const Text key = book->Key(absl::StrCat("unanswered-", what));
  const bool reads = what == "reads";
  const std::string answer = reads ? "SUCCESS " + book->Object(key, "one") : "SUCCESS keyValue";
  const Expected done = InAnyOrder(answer);
  Expected busy = done;
  busy.usual = absl::StrCat(answer, " or SERVICE_BUSY");
  busy.spec = absl::StrCat(*done.spec, " or SERVICE_BUSY ?keyValue ?after=*");
  c->steps = {book->Given(key, "one")};
  for (uint32_t i = 0; i < *depth + kAbove; ++i) {
    const Expected& expected = i < *depth ? done : busy;
    c->steps.push_back(
        reads ? book->OfKey(MessageType::kGet, key, expected)
              : book->Put(
                    key, "one",
                    {.next = "1", .force = true, .synchronization = Synchronization::kWriteBack},
                    expected));
  }
  Join(&c->steps, 1);
}

}  // namespace

void AddTogetherCases(CaseBook* book) {
  AddOrder(book);
  AddDepth(book, "reads", book->limits().max_outstanding_read_requests);
  AddDepth(book, "writes", book->limits().max_outstanding_write_requests);
}

}  // namespace kbench::conform
