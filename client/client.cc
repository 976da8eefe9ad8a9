#include "client/client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/requests.h"
#include "client/socket_stream.h"
#include "client/transport_stream.h"

namespace kbench::client {
namespace {

constexpr size_t kReceiveBytes = 256 * 1024;

bool Offers(kinetic::StatusCode greeting) {
  return greeting == kinetic::StatusCode::kSuccess ||
         greeting == kinetic::StatusCode::kDeviceLocked;
}

absl::StatusOr<std::unique_ptr<Stream>> OpenStream(const Client::Options& options,
                                                   MonoTime deadline) {
  if (options.transport.has_value()) {
    return TransportStream::Connect(*options.transport, options.server, options.server_name,
                                    options.tls, deadline, options.cancelled);
  }
  return SocketStream::Connect(options.server, options.server_name, options.tls, deadline,
                               options.cancelled);
}

}  // namespace

Client::Client(const Options& options, std::unique_ptr<Stream> stream)
    : identity_(options.identity),
      timeout_(options.timeout),
      stream_(std::move(stream)),
      dialogue_({.identity = options.identity,
                 .hmac_key = options.hmac_key,
                 .limits = {},
                 .cluster_version = options.cluster_version}),
      buffer_(kReceiveBytes) {}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const Options& options) {
  const MonoTime deadline = MonoNow() + options.timeout;
  ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, OpenStream(options, deadline));
  std::unique_ptr<Client> client(new Client(options, std::move(stream)));
  absl::StatusOr<Reply> greeting = client->Receive(deadline);
  if (!greeting.ok()) {
    return Annotate(greeting.status(), "waiting for the Kinetic handshake");
  }
  if (!greeting->unsolicited) return absl::UnavailableError("the first PDU is no handshake");
  if (!Offers(greeting->status)) {
    return absl::PermissionDeniedError(
        absl::StrCat("the server refused the connection: ", greeting->Describe()));
  }
  client->greeting_ = *std::move(greeting);
  return client;
}

absl::StatusOr<Reply> Client::Call(const kinetic::Command& command, absl::string_view value) {
  const MonoTime deadline = MonoNow() + timeout_;
  ASSIGN_OR_RETURN(const uint64_t sequence, Send(command, value));
  return AwaitUntil(sequence, deadline, /*by_pin=*/false);
}

absl::StatusOr<Reply> Client::CallByPin(const kinetic::Command& command, absl::string_view pin) {
  const MonoTime deadline = MonoNow() + timeout_;
  std::string pdu;
  const uint64_t sequence = dialogue_.AskByPin(command, pin, &pdu);
  RETURN_IF_ERROR(Annotate(stream_->Send(pdu, deadline), "sending the request"));
  return AwaitUntil(sequence, deadline, /*by_pin=*/true);
}

absl::StatusOr<uint64_t> Client::Send(const kinetic::Command& command, absl::string_view value) {
  const MonoTime deadline = MonoNow() + timeout_;
  std::string pdu;
  const uint64_t sequence = dialogue_.Ask(command, static_cast<uint32_t>(value.size()), &pdu);
  RETURN_IF_ERROR(Annotate(stream_->Send(pdu, deadline), "sending the request"));
  RETURN_IF_ERROR(Annotate(stream_->Send(value, deadline), "sending the value"));
  return sequence;
}

absl::Status Client::SendUnanswered(const kinetic::Command& command, absl::string_view value) {
  ASSIGN_OR_RETURN(const uint64_t sequence, Send(command, value));
  dialogue_.ExpectNoReply(sequence);
  return absl::OkStatus();
}

absl::StatusOr<Reply> Client::Await(uint64_t sequence) {
  return AwaitUntil(sequence, MonoNow() + timeout_, /*by_pin=*/false);
}

absl::StatusOr<Reply> Client::AwaitUntil(uint64_t sequence, MonoTime deadline, bool by_pin) {
  std::optional<Reply> found;
  for (auto it = kept_.begin(); it != kept_.end() && !found.has_value(); ++it) {
    if (it->sequence != sequence) continue;
    found = std::move(*it);
    kept_.erase(it);
    break;
  }
  while (!found.has_value()) {
    absl::StatusOr<Reply> reply = Receive(deadline);
    if (!reply.ok()) {
      const absl::Status status = Annotate(reply.status(), "waiting for the reply");
      if (last_words_.empty()) return status;
      return absl::Status(status.code(),
                          absl::StrCat(status.message(), "; it had said ", last_words_));
    }
    if (reply->unsolicited && reply->sequence != sequence) {
      last_words_ = reply->Describe();
      last_word_ = reply->status;
    }
    if (reply->sequence == sequence) {
      found = *std::move(reply);
    } else if (reply->sequence != 0) {
      kept_.push_back(*std::move(reply));
    }
  }
  RETURN_IF_ERROR(Check(*found, by_pin));
  return *std::move(found);
}

std::string Client::HintFor(const Reply& reply) const {
  using kinetic::StatusCode;
  if (reply.status == StatusCode::kHmacFailure) {
    return absl::StrCat("is the HMAC key of identity ", identity_, " right?");
  }
  if (reply.status != StatusCode::kVersionFailure) return "";
  const auto& servers = reply.command().header.cluster_version;
  return absl::StrCat(servers.has_value()
                          ? absl::StrCat("the server's cluster version is ", *servers)
                          : "the answer does not name the server's cluster version",
                      ", and the request said ", dialogue_.said_cluster_version());
}

absl::Status Client::Check(const Reply& reply, bool by_pin) const {
  using kinetic::AnswerFault;
  if (reply.fault == AnswerFault::kNoCommand) {
    return absl::PermissionDeniedError(
        absl::StrCat("the server's answer has no command, which is what some say to an identity "
                     "that they do not know: does the server know identity ",
                     identity_, "?"));
  }
  if (reply.fault != AnswerFault::kNone) {
    const auto& type = reply.command().header.message_type;
    return absl::DataLossError(absl::StrCat(
        kinetic::Describe(reply.fault), ": the reply to ", kinetic::Name(reply.request), " has ",
        type.has_value() ? kinetic::Name(*type) : "no message type", ", ", reply.value.size(),
        " bytes of value and the status ", reply.Describe(), "; it is not believed"));
  }
  if (reply.status == kinetic::StatusCode::kSuccess && !by_pin && !reply.authentic) {
    return absl::UnauthenticatedError("the reply's HMAC is not of our key");
  }
  return absl::OkStatus();
}

absl::StatusOr<Reply> Client::Receive(MonoTime deadline) {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Reply> reply, dialogue_.Next(&unread_));
    if (reply.has_value()) return *std::move(reply);
    // A server that never stops talking is no reason to wait longer.
    if (MonoNow() >= deadline) return absl::DeadlineExceededError("nothing within the time-out");
    ASSIGN_OR_RETURN(unread_, stream_->Receive(buffer_, deadline));
  }
}

std::string Client::LastKey() const {
  // The smallest and the largest limit that servers are known to say.
  constexpr uint32_t kSmallest = 1024, kLargest = 4096;
  const uint32_t limit = limits().max_key_size.value_or(0);
  return std::string(limit == 0 ? kSmallest : std::min(limit, kLargest), '\xff');
}

uint32_t Client::KeysInPage() const {
  constexpr uint32_t kUnlimited = UINT32_MAX;  // on the wire
  constexpr uint32_t kPage = 200;
  const uint32_t allowed = limits().max_key_range_count.value_or(kPage);
  return allowed == 0 || allowed == kUnlimited ? kPage : allowed;
}

absl::StatusOr<Reply> Client::VisitKeys(absl::string_view first, absl::string_view last,
                                        const std::function<bool(absl::string_view key)>& visit) {
  const uint32_t page = KeysInPage();
  const std::string end = last.empty() ? LastKey() : std::string(last);
  std::string from(first);
  for (bool inclusive = true;; inclusive = false) {
    ASSIGN_OR_RETURN(Reply reply, Call(KeyRangeRequest({.start_key = from,
                                                        .end_key = end,
                                                        .start_key_inclusive = inclusive,
                                                        .end_key_inclusive = true,
                                                        .max_returned = page})));
    const auto& range = reply.command().range;
    // A page that is not full may still be cut short: only an empty one is the end.
    if (reply.status != kinetic::StatusCode::kSuccess || !range.has_value() ||
        range->keys.empty()) {
      return reply;
    }
    for (const kinetic::Text key : range->keys) {
      if (inclusive ? key < from : key <= from) {
        return absl::DataLossError("the server gives keys that are not in the range asked for");
      }
      if (!visit(key)) return reply;
    }
    from = std::string(range->keys.back());
  }
}

absl::StatusOr<Batch> Batch::Start(Client* client, uint32_t id) {
  ASSIGN_OR_RETURN(const Reply reply, client->Call(StartBatchRequest(id)));
  if (reply.status != kinetic::StatusCode::kSuccess) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server opens no batch: ", reply.Describe()));
  }
  return Batch(client, id);
}

absl::Status Batch::Add(kinetic::Command change, absl::string_view value) {
  change.has_header = true;
  change.header.batch_id = id_;
  ++count_;
  return client_->SendUnanswered(change, value);
}

absl::StatusOr<Reply> Batch::Commit() { return client_->Call(EndBatchRequest(id_, count_)); }

absl::StatusOr<Reply> Batch::Abort() { return client_->Call(AbortBatchRequest(id_)); }

}  // namespace kbench::client
