// Cases that change what is not the run's own: only with --destructive, after all others. Each puts
// back what it changed as far as the protocol can; what cannot be put back stands in --help.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"
#include "client/requests.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::PinOp;
using kinetic::PowerLevel;
using kinetic::Text;

namespace {

constexpr char kPin[] = "kbench-conform";
constexpr char kNeedsTls[] = "SECURITY needs TLS: see --tls";
constexpr int64_t kGuest = 4711;
constexpr char kGuestKey[] = "guest of kbench conform";

void AddEmptyKey(CaseBook* book) {
  const Expected refused = Refused("SUCCESS keyValue");
  Case* c = book->AddDestructive("put.empty-key", "a key may be empty");
  c->steps = {book->Put("", "one", {.next = "1", .force = true}, refused),
              book->OfKey(MessageType::kGet, "", {.usual = "SUCCESS " + book->Object("", "one")}),
              book->Delete("", {.force = true}, {.usual = "SUCCESS keyValue"})};
}

void AddSetup(CaseBook* book) {
  const int64_t version = book->cluster_version();
  Case* c =
      book->AddDestructive("setup.cluster-version", "a new cluster version is everybody's at once");
  c->steps = {book->Ask(client::SetClusterVersionRequest(version + 1), {.usual = "SUCCESS"}),
              book->Noop({.usual = absl::StrCat("VERSION_FAILURE clusterVersion=", version + 1)})};
  c->restore = {book->Ask(client::SetClusterVersionRequest(version), {.usual = "SUCCESS"})};
  kinetic::Command nothing = client::SetClusterVersionRequest(0);
  nothing.setup.reset();
  c = book->AddDestructive("setup.nothing", "a SETUP says what it sets");
  c->steps = {book->Ask(
      nothing,
      {.usual = "INVALID_REQUEST", .simulator = "SUCCESS or INVALID_REQUEST", .kineticd = "..."})};
  c->restore = {book->Ask(client::SetClusterVersionRequest(version), {.usual = "SUCCESS"})};
}

void AddPower(CaseBook* book) {
  Case* c = book->AddDestructive("power.hibernate", "a device that sleeps answers to nothing else");
  c->steps = {book->Ask(client::PowerRequest(PowerLevel::kHibernate),
                        {.usual = "SUCCESS", .simulator = "SUCCESS no-messageType"}),
              book->Noop({.usual = "HIBERNATE",
                          .simulator = "SUCCESS",
                          .kineticd = "HIBERNATE or unsolicited HIBERNATE ... closes"}),
              book->Ask(client::PowerRequest(PowerLevel::kOperational),
                        {.usual = "SUCCESS", .simulator = "SUCCESS no-messageType"}),
              book->Noop({.usual = "SUCCESS"})};
  c->restore = {book->Ask(client::PowerRequest(PowerLevel::kOperational),
                          {.usual = "SUCCESS ?no-messageType"})};
}

kinetic::Security::Acl Acl(int64_t identity, Text key, Text scope, std::vector<int32_t> may) {
  kinetic::Security::Acl acl = {
      .identity = identity, .key = key, .hmac_algorithm = kinetic::kHmacSha1};
  acl.scopes.push_back({.offset = 0, .value = scope, .permissions = std::move(may)});
  return acl;
}

// Of whoever asks, so that a server that replaces the list does not lock us out.
kinetic::Security::Acl Everything(const CaseBook& book) {
  return Acl(book.target().identity, book.target().key, "", {0, 1, 2, 3, 4, 5, 7, 8, 9});
}

Step AsGuest(Step step) {
  step.auth = Auth::kOther;
  step.identity = kGuest;
  step.key = kGuestKey;
  return step;
}

// The simulator reads no priority; by the specification, one above the identity's is not allowed.
void AddPriorities(CaseBook* book, const kinetic::Security::Acl& everything,
                   kinetic::Security::Acl guest) {
  const auto noop = [book](std::optional<int32_t> priority, Expected expected) {
    Step step = AsGuest(book->Noop(std::move(expected)));
    step.command.header.priority = priority;
    return step;
  };
  guest.max_priority = 5;
  Case* limit = book->AddDestructive("security.max-priority",
                                     "a request's priority is at most its identity's maxPriority");
  limit->steps = {book->Ask(client::SetAclsRequest({everything, guest}), {.usual = "SUCCESS"}),
                  noop(std::nullopt, {.usual = "SUCCESS"}), noop(5, {.usual = "SUCCESS"}),
                  noop(9, {.usual = "NOT_AUTHORIZED",
                           .simulator = "SUCCESS or NOT_AUTHORIZED",
                           .kineticd = "NOT_AUTHORIZED or unsolicited NOT_AUTHORIZED ... closes"})};
  guest.max_priority = 10;
  Case* unknown = book->AddDestructive("security.max-priority-unknown",
                                       "a maxPriority that nobody defined is refused");
  unknown->steps = {book->Ask(
      client::SetAclsRequest({everything, guest}),
      {.usual = "INVALID_REQUEST", .spec = "...", .simulator = "...", .kineticd = "..."})};
  if (!book->tls()) limit->not_tried = unknown->not_tried = kNeedsTls;
}

void AddAcls(CaseBook* book) {
  const kinetic::Security::Acl guest = Acl(kGuest, kGuestKey, book->Key(""), {0});
  const auto& own = book->target();
  const Text own_key = book->Keep(own.key);
  kinetic::Security::Acl everything = Everything(*book);
  everything.key = own_key;
  const Text key = book->Key("acl");
  Case* c =
      book->AddDestructive("security.acl", "an identity may do what its ACL says, and no more");
  c->steps = {book->Given(key, "one"),
              book->Ask(client::SetAclsRequest({everything, guest}), {.usual = "SUCCESS"}),
              AsGuest(book->OfKey(MessageType::kGet, key,
                                  {.usual = "SUCCESS " + book->Object(key, "one")})),
              AsGuest(book->Put(key, "two", {.next = "2", .force = true},
                                {.usual = "NOT_AUTHORIZED keyValue"})),
              AsGuest(book->OfKey(MessageType::kGet, "elsewhere",
                                  {.usual = "NOT_AUTHORIZED keyValue",
                                   .kineticd = "NOT_AUTHORIZED keyValue ?key=*"}))};
  kinetic::Security::Acl odd = guest;
  odd.hmac_algorithm = 2;
  Case* algorithm =
      book->AddDestructive("security.acl-algorithm", "HmacSHA1 is the only algorithm there is");
  algorithm->steps = {book->Ask(client::SetAclsRequest({everything, odd}),
                                {.usual = "NO_SUCH_HMAC_ALGORITHM", .kineticd = "..."})};
  AddPriorities(book, everything, guest);
  Case* plain = book->AddDestructive("security.plain", "keys do not go over a plain connection");
  plain->steps = {book->Ask(client::SetAclsRequest({everything}), Refused("INVALID_REQUEST"))};
  if (book->tls()) {
    plain->not_tried = "this connection is over TLS";
  } else {
    c->not_tried = algorithm->not_tried = kNeedsTls;
  }
}

Step ByPin(CaseBook* book, PinOp op, std::string pin, Expected expected) {
  Step step = book->Ask(client::PinRequest(op), std::move(expected));
  step.auth = Auth::kPin;
  step.pin = std::move(pin);
  return step;
}

Expected WrongPin() {
  return {.usual = "pin NOT_AUTHORIZED",
          .kineticd = "pin NOT_AUTHORIZED or unsolicited NOT_AUTHORIZED ... closes"};
}

void AddLock(CaseBook* book) {
  Case* c = book->AddDestructive("pin.lock", "a locked device answers to its PIN alone");
  c->steps = {
      book->Ask(client::SetLockPinRequest("", kPin), {.usual = "SUCCESS"}),
      ByPin(book, PinOp::kLock, kPin, {.usual = "pin SUCCESS"}),
      book->Noop({.usual = "DEVICE_LOCKED",
                  .kineticd = "unsolicited DEVICE_LOCKED ?type ?ackSequence connectionID closes"}),
      ByPin(book, PinOp::kUnlock, "another", WrongPin()),
      ByPin(book, PinOp::kUnlock, kPin, {.usual = "pin SUCCESS"}),
      book->Noop({.usual = "SUCCESS"})};
  c->restore = {ByPin(book, PinOp::kUnlock, kPin, {.usual = "pin SUCCESS|DEVICE_ALREADY_UNLOCKED"}),
                book->Ask(client::SetLockPinRequest(kPin, ""), {.usual = "SUCCESS"})};
  Case* open = book->AddDestructive("pin.unlock-open", "a device that is not locked");
  open->steps = {book->Ask(client::SetLockPinRequest("", kPin), {.usual = "SUCCESS"}),
                 ByPin(book, PinOp::kUnlock, kPin,
                       {.usual = "pin SUCCESS", .spec = "pin DEVICE_ALREADY_UNLOCKED"})};
  open->restore = {book->Ask(client::SetLockPinRequest(kPin, ""), {.usual = "SUCCESS"})};
  const std::string told = " connectionID clusterVersion getLog configuration ... limits ...";
  Case* greeting = book->AddDestructive(
      "pin.locked-greeting",
      "over TLS a locked device greets like any: who has the PIN comes to unlock it");
  greeting->prepare = {book->Ask(client::SetLockPinRequest("", kPin), {.usual = "SUCCESS"}),
                       ByPin(book, PinOp::kLock, kPin, {.usual = "pin SUCCESS"})};
  greeting->greeting = {.usual = "unsolicited SUCCESS|DEVICE_LOCKED" + told};
  greeting->restore = c->restore;
  if (!book->tls()) {
    c->not_tried = open->not_tried = greeting->not_tried = "PINs need TLS: see --tls";
  }
}

void AddWrongErasePin(CaseBook* book) {
  Case* c = book->AddDestructive("pin.erase-wrong", "another PIN erases nothing");
  const Text key = book->Key("not-erased");
  c->steps = {
      book->Given(key, "one"),
      book->Ask(client::SetErasePinRequest("", kPin), {.usual = "SUCCESS"}),
      ByPin(book, PinOp::kErase, "another", WrongPin()),
      book->OfKey(MessageType::kGet, key, {.usual = "SUCCESS " + book->Object(key, "one")})};
  c->restore = {book->Ask(client::SetErasePinRequest(kPin, ""), {.usual = "SUCCESS"})};
  if (!book->tls()) c->not_tried = "PINs need TLS: see --tls";
}

void AddErase(CaseBook* book) {
  const int64_t version = book->cluster_version();
  for (const PinOp op : {PinOp::kErase, PinOp::kSecureErase}) {
    const char* name = op == PinOp::kErase ? "pin.erase" : "pin.secure-erase";
    Case* c = book->AddDestructive(name, "an erased device has nothing, and cluster version 0");
    const Text key = book->Key("erased");
    c->steps = {book->Given(key, "one"),
                book->Ask(client::SetErasePinRequest("", kPin), {.usual = "SUCCESS"}),
                ByPin(book, op, kPin, {.usual = "pin SUCCESS"}),
                book->OfKey(MessageType::kGet, key,
                            version == 0 ? NotFound(*book, key)
                                         : Expected{.usual = "VERSION_FAILURE clusterVersion=0"})};
    c->restore = {book->Ask(client::SetClusterVersionRequest(version), {.usual = "SUCCESS"}),
                  book->Ask(client::SetErasePinRequest(kPin, ""), {.usual = "SUCCESS"})};
    if (!book->tls()) c->not_tried = "PINs need TLS: see --tls";
  }
}

}  // namespace

void AddDestructiveCases(CaseBook* book) {
  AddEmptyKey(book);
  AddSetup(book);
  AddPower(book);
  AddAcls(book);
  AddLock(book);
  AddWrongErasePin(book);
  AddErase(book);
  const Text key = book->Key("afterwards");
  book->AddDestructive("afterwards", "after all this, the device stores and finds objects")->steps =
      {book->Put(key, "one", {.next = "1"}, {.usual = "SUCCESS keyValue"}),
       book->OfKey(MessageType::kGet, key, {.usual = "SUCCESS " + book->Object(key, "one")}),
       book->Delete(key, {.expected = "1"}, {.usual = "SUCCESS keyValue"})};
}

}  // namespace kbench::conform
