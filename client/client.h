// A Kinetic client for everything but load: one connection, plain or TLS, every wait bounded, every
// operation of the protocol. Blocks its thread. Requests to build: client/requests.h.
//
//   ASSIGN_OR_RETURN(const auto client, Client::Connect({.server = address}));
//   ASSIGN_OR_RETURN(const Reply reply, client->Call(GetRequest("key")));
//   if (reply.status == kinetic::StatusCode::kSuccess) Use(reply.value);
//
// A reply that is not SUCCESS is a Reply. An error means that there is none:
//   DeadlineExceeded   the time-out passed (the connection is of no use any more)
//   Unavailable        the connection ended; with the server's last words, if it had any
//   PermissionDenied   the server refuses us: the connection by its greeting, or the identity by an
//                      answer without a command
//   Unauthenticated    the reply is a SUCCESS that our key does not confirm
//   DataLoss           the reply is none to the request: kinetic/answer.h
//   InvalidArgument    what came is no Kinetic
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/tls.h"
#include "client/dialogue.h"
#include "client/stream.h"
#include "kinetic/types.h"
#include "transport/transport.h"

namespace kbench::client {

class Client {
 public:
  struct Options {
    SocketAddress server;
    std::string server_name;          // for the certificate check; empty: none is expected
    const TlsContext* tls = nullptr;  // null: plain TCP; needed during Connect() only
    int64_t identity = kinetic::kFactoryIdentity;
    std::string hmac_key = std::string(kinetic::kFactoryKey);
    Nanos timeout = Seconds(10);  // of connecting with the greeting, and of every call
    const std::atomic<bool>* cancelled = nullptr;  // once true, every wait ends soon, Cancelled
    // Over one of the load's transports; none: over system calls of the client's own.
    std::optional<TransportKind> transport;
    // That every request says; none: the server's own.
    std::optional<int64_t> cluster_version;
  };

  // Connects and takes the greeting. A greeting of DEVICE_LOCKED is a connection all the same, for
  // only a PIN operation over it can unlock the device: see greeting().
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const Options& options);

  // Of the calls from now on.
  void set_timeout(Nanos timeout) { timeout_ = timeout; }

  const Reply& greeting() const { return greeting_; }
  const kinetic::GetLog::Limits& limits() const { return dialogue_.limits(); }
  int64_t connection_id() const { return dialogue_.connection_id(); }
  int64_t cluster_version() const { return dialogue_.cluster_version(); }
  // The last status that came unasked after the greeting; none: kInvalid.
  kinetic::StatusCode last_word() const { return last_word_; }
  bool tls() const { return stream_->tls(); }

  // What to look at after the reply to the last request, by its status: "is the HMAC key of
  // identity 1 right?". Empty for a status that says it all.
  std::string HintFor(const Reply& reply) const;

  // One request, and its reply.
  absl::StatusOr<Reply> Call(const kinetic::Command& command, absl::string_view value = "");
  // A PIN operation (PinRequest), vouched for by `pin`.
  absl::StatusOr<Reply> CallByPin(const kinetic::Command& command, absl::string_view pin);

  // Pipelining: sends without waiting, and waits for the reply to one of the requests sent. Replies
  // to others that come meanwhile are kept for their own Await().
  absl::StatusOr<uint64_t> Send(const kinetic::Command& command, absl::string_view value = "");
  absl::StatusOr<Reply> Await(uint64_t sequence);
  // Sends a request that the server does not answer: a PUT or DELETE within a batch.
  absl::Status SendUnanswered(const kinetic::Command& command, absl::string_view value = "");

  // No key is behind it, and no server refuses it for its length: 0xff as often as the greeting
  // says that a key may be long. A range without an end is refused, or empty, on many servers.
  std::string LastKey() const;
  // What the server gives at once, as the greeting says.
  uint32_t KeysInPage() const;
  // Every key from `first` to `last` (empty: the last), both included, in pages of what the server
  // allows; stops early when `visit` returns false. Keys that come or go meanwhile may or may not
  // be seen. Gives the last reply: SUCCESS, or the server's refusal.
  absl::StatusOr<Reply> VisitKeys(absl::string_view first, absl::string_view last,
                                  const std::function<bool(absl::string_view key)>& visit);

 private:
  Client(const Options& options, std::unique_ptr<Stream> stream);

  absl::StatusOr<Reply> Receive(MonoTime deadline);
  absl::StatusOr<Reply> AwaitUntil(uint64_t sequence, MonoTime deadline, bool by_pin);
  // Whether it can be taken for what was asked for.
  absl::Status Check(const Reply& reply, bool by_pin) const;

  int64_t identity_;
  Nanos timeout_;
  std::unique_ptr<Stream> stream_;
  Dialogue dialogue_;
  std::vector<uint8_t> buffer_;
  Bytes unread_;
  Reply greeting_;
  std::deque<Reply> kept_;
  std::string last_words_;  // of an unsolicited status
  kinetic::StatusCode last_word_ = kinetic::StatusCode::kInvalid;
};

// A batch on its way: changes that become visible together, or not at all.
//
//   ASSIGN_OR_RETURN(Batch batch, Batch::Start(client.get(), 1));
//   RETURN_IF_ERROR(batch.Add(PutRequest(...), value));
//   ASSIGN_OR_RETURN(const Reply reply, batch.Commit());   // VERSION_MISMATCH: nothing was done
class Batch {
 public:
  // `id` must not be that of another open batch of this connection. The client outlives the batch.
  // FailedPrecondition, with the server's words, when it opens none.
  static absl::StatusOr<Batch> Start(Client* client, uint32_t id);

  // A PUT or a DELETE. Not answered: what is wrong with it is said when the batch ends.
  absl::Status Add(kinetic::Command change, absl::string_view value = "");
  absl::StatusOr<Reply> Commit();
  absl::StatusOr<Reply> Abort();

 private:
  Batch(Client* client, uint32_t id) : client_(client), id_(id) {}

  Client* client_;
  uint32_t id_;
  uint32_t count_ = 0;
};

}  // namespace kbench::client
