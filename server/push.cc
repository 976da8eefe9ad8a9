#include "server/push.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/tls.h"
#include "client/client.h"
#include "client/requests.h"
#include "server/changes.h"

namespace kbench::server {

using kinetic::P2pOperation;
using kinetic::Permission;
using kinetic::StatusCode;

namespace {

constexpr Nanos kPatience = Seconds(10);     // when the request has no timeout
constexpr uint64_t kMostBytes = 256u << 20;  // of one push's values
constexpr Nanos kSlice = Micros(500);
constexpr size_t kAnswerRoom = 256 * 1024;  // for the answers of nested pushes

size_t CountOperations(const P2pOperation& push) {
  size_t count = push.operations.size();
  for (const P2pOperation::Operation& operation : push.operations) {
    for (const P2pOperation& nested : operation.nested) count += CountOperations(nested);
  }
  return count;
}

// A peer's own words, as far as they go into our answer.
std::string Shortened(std::string text) {
  constexpr size_t kWords = 200;
  if (text.size() > kWords) text.resize(kWords);
  return text;
}

Refusal Unreachable(const PushJob& job, const absl::Status& status) {
  return {
      .code = absl::IsCancelled(status)          ? StatusCode::kNotAttempted
              : absl::IsDeadlineExceeded(status) ? StatusCode::kExpired
                                                 : StatusCode::kRemoteConnectionError,
      .why = absl::StrCat("peer ", job.push.hostname, ":", job.push.port, ": ", status.message())};
}

absl::StatusOr<std::unique_ptr<client::Client>> ConnectToPeer(const PushJob& job) {
  const OwnedPush& push = job.push;
  if (push.port <= 0 || push.port > UINT16_MAX) {
    return absl::UnavailableError("that is no port");
  }
  absl::StatusOr<SocketAddress> address =
      Resolve({.host = push.hostname, .port = static_cast<uint16_t>(push.port)});
  if (!address.ok()) return absl::UnavailableError(address.status().message());
  std::optional<TlsContext> tls;
  if (push.tls) {
    absl::StatusOr<TlsContext> context = TlsContext::Client("");
    if (!context.ok()) return context.status();
    tls = *std::move(context);
  }
  return client::Client::Connect({.server = *address,
                                  .server_name = push.hostname,
                                  .tls = tls.has_value() ? &*tls : nullptr,
                                  .identity = job.identity,
                                  .hmac_key = job.hmac_key,
                                  .timeout = job.timeout,
                                  .cancelled = &job.cancelled});
}

kinetic::Command PutOf(const OwnedPush::Operation& operation) {
  const Entry& entry = *operation.entry;
  const bool force = operation.force || !operation.version.has_value();
  kinetic::Command put = client::PutRequest(
      operation.new_key.has_value() ? *operation.new_key : operation.key,
      {.expected = operation.version.has_value() ? kinetic::Text(*operation.version) : "",
       .next = entry.version,
       .force = force});
  if (entry.tag.has_value()) put.key_value->tag = *entry.tag;
  put.key_value->algorithm = entry.algorithm;
  return put;
}

// Does one operation; an error is the connection's, not the operation's.
absl::Status DoOne(client::Client* peer, OwnedPush::Operation* operation, size_t* room) {
  const absl::StatusOr<client::Reply> reply =
      peer->Call(PutOf(*operation), AsText(operation->entry->value.bytes()));
  if (!reply.ok()) return reply.status();
  operation->outcome = {.code = reply->status, .why = Shortened(reply->text)};
  if (reply->status != StatusCode::kSuccess || operation->nested.empty()) return absl::OkStatus();
  absl::StatusOr<client::Reply> nested =
      peer->Call(client::PushRequest(operation->nested.front().ToKinetic()));
  if (!nested.ok()) return nested.status();
  const std::optional<P2pOperation>& told = nested->command().p2p;
  const bool all = nested->status == StatusCode::kSuccess && told.has_value() &&
                   told->all_child_operations_succeeded.value_or(true);
  if (!all) {
    operation->outcome = {
        .code = StatusCode::kNestedOperationErrors,
        .why = nested->status == StatusCode::kSuccess
                   ? std::string("an operation of the nested push failed")
                   : Shortened(absl::StrCat("the nested push: ", nested->Describe()))};
  }
  // What does not fit into an answer is left out of it.
  if (nested->size() <= *room) {
    *room -= nested->size();
    operation->nested_reply = *std::move(nested);
  }
  return absl::OkStatus();
}

void DoAll(PushJob* job) {
  const MonoTime deadline = MonoNow() + job->timeout;  // of everything together
  absl::StatusOr<std::unique_ptr<client::Client>> peer = ConnectToPeer(*job);
  if (!peer.ok()) {
    job->failed = Unreachable(*job, peer.status());
    return;
  }
  size_t room = kAnswerRoom;
  for (OwnedPush::Operation& operation : job->push.operations) {
    if (operation.entry == nullptr) continue;
    const Nanos left = deadline - MonoNow();
    (*peer)->set_timeout(left);
    const absl::Status done = left > Nanos(0)
                                  ? DoOne(peer->get(), &operation, &room)
                                  : absl::DeadlineExceededError("the push's timeout has passed");
    if (done.ok()) continue;
    // What was done is told; the rest was not attempted.
    operation.outcome = Unreachable(*job, done);
    return;
  }
}

}  // namespace

OwnedPush::OwnedPush(const P2pOperation& from) {
  if (from.peer.has_value()) {
    hostname = std::string(OrEmpty(from.peer->hostname));
    port = from.peer->port.value_or(0);
    tls = from.peer->tls.value_or(false);
  }
  for (const P2pOperation::Operation& in : from.operations) {
    Operation& out = operations.emplace_back();
    out.key = std::string(OrEmpty(in.key));
    if (in.version.has_value()) out.version = std::string(*in.version);
    if (in.new_key.has_value()) out.new_key = std::string(*in.new_key);
    out.force = in.force.value_or(false);
    out.outcome = {.code = StatusCode::kNotAttempted, .why = ""};
    for (const P2pOperation& nested : in.nested) out.nested.emplace_back(nested);
  }
}

P2pOperation OwnedPush::ToKinetic() const {
  P2pOperation out;
  out.peer = {.hostname = hostname, .port = port, .tls = tls};
  for (const Operation& in : operations) {
    P2pOperation::Operation& operation = out.operations.emplace_back();
    operation.key = in.key;
    if (in.version.has_value()) operation.version = *in.version;
    if (in.new_key.has_value()) operation.new_key = *in.new_key;
    if (in.force) operation.force = true;
    for (const OwnedPush& nested : in.nested) operation.nested.push_back(nested.ToKinetic());
  }
  return out;
}

Courier::~Courier() {
  for (Trip& trip : trips_) trip.job->cancelled = true;
  for (Trip& trip : trips_) trip.thread.join();
}

bool Courier::Carry(std::shared_ptr<PushJob> job) {
  const auto over = std::stable_partition(trips_.begin(), trips_.end(),
                                          [](const Trip& trip) { return !trip.job->done; });
  for (auto it = over; it != trips_.end(); ++it) it->thread.join();
  trips_.erase(over, trips_.end());
  if (trips_.size() >= kPushesMax) return false;
  std::thread thread([job, wake = wake_] {
    DoAll(job.get());
    job->done = true;
    wake();
  });
  trips_.push_back({.job = std::move(job), .thread = std::move(thread)});
  return true;
}

void PushTask::LookUp(OwnedPush::Operation* operation) {
  if (!options_.identity->Allows(Permission::kRead, operation->key, options_.tls)) {
    operation->outcome = NotAuthorized();
    return;
  }
  absl::StatusOr<EntryRef> entry = options_.store->Find(operation->key);
  if (!entry.ok()) {
    operation->outcome = OfStore(entry.status());
  } else if (*entry == nullptr) {
    operation->outcome = {.code = StatusCode::kNotFound, .why = "this server has no such key"};
  } else {
    operation->entry = *std::move(entry);
    bytes_ += operation->entry->value.size();
  }
}

bool PushTask::Step() {
  PushJob& job = *options_.job;
  if (handed_over_) return job.done;
  const MonoTime begin = MonoNow();
  while (looked_up_ < job.push.operations.size()) {
    LookUp(&job.push.operations[looked_up_++]);
    if (bytes_ > kMostBytes) {
      job.failed = Invalid(absl::StrCat("a push carries at most ", kMostBytes, " bytes of values"));
      return true;
    }
    if (MonoNow() - begin > kSlice) return false;
  }
  if (options_.courier == nullptr || !options_.courier->Carry(options_.job)) {
    job.failed = Refusal{
        .code = StatusCode::kServiceBusy,
        .why = absl::StrCat("this server carries ", Courier::kPushesMax, " pushes already")};
    return true;
  }
  handed_over_ = true;
  return job.done;
}

Objection PushTask::Finish(kinetic::Command* response) {
  const PushJob& job = *options_.job;
  if (job.failed.has_value()) return job.failed;
  P2pOperation& out = response->p2p.emplace();
  bool all = true;
  for (const OwnedPush::Operation& in : job.push.operations) {
    P2pOperation::Operation& operation = out.operations.emplace_back();
    operation.key = in.key;
    if (in.version.has_value()) operation.version = *in.version;
    if (in.new_key.has_value()) operation.new_key = *in.new_key;
    if (in.force) operation.force = true;
    P2pOperation::Status& status = operation.status.emplace();
    status.code = in.outcome.code;
    if (!in.outcome.why.empty()) status.message = in.outcome.why;
    if (in.nested_reply.has_value() && in.nested_reply->command().p2p.has_value()) {
      operation.nested.push_back(*in.nested_reply->command().p2p);
    }
    all = all && in.outcome.code == StatusCode::kSuccess;
  }
  out.all_child_operations_succeeded = all;
  if (all || !options_.failure_is_error) return std::nullopt;
  return Refusal{.code = StatusCode::kNestedOperationErrors,
                 .why = "an operation of the push failed"};
}

Objection PreparePush(const kinetic::Command& request, const Caller& caller, const Limits& limits,
                      std::shared_ptr<PushJob>* job) {
  RETURN_IF_REFUSED(caller.MaySomewhere(Permission::kPeerToPeer));
  if (!request.p2p.has_value() || !request.p2p->peer.has_value() ||
      OrEmpty(request.p2p->peer->hostname).empty()) {
    return Invalid("PEER2PEERPUSH names no peer");
  }
  // Before anything of it is copied.
  if (CountOperations(*request.p2p) > limits.push_operations) {
    return Invalid(absl::StrCat("a push has at most ", limits.push_operations, " operations"));
  }
  auto made = std::make_shared<PushJob>(*request.p2p);
  made->identity = caller.id;
  made->hmac_key = caller.identity->key_text;
  const uint64_t timeout_ms = request.header.timeout_ms.value_or(0);
  made->timeout = timeout_ms == 0
                      ? kPatience
                      : Millis(static_cast<int64_t>(std::min<uint64_t>(timeout_ms, 3'600'000)));
  *job = std::move(made);
  return std::nullopt;
}

}  // namespace kbench::server
