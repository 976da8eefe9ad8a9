#include "agent/path/path_probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/path/echo_port.h"
#include "base/status_macros.h"
#include "base/tls.h"
#include "base/units.h"
#include "client/client.h"
#include "client/requests.h"
#include "transport/flow_socket.h"

namespace kbench {
namespace {

// Bulk: requests, or replies, of this size, so many on their way at once.
constexpr uint32_t kPieceBytes = 128 * 1024;
constexpr uint64_t kPiecesAhead = 128;
constexpr double kDiscard = 0.2;  // of the bulk's time
constexpr uint32_t kStampBytes = 8;

Nanos At(const std::vector<Nanos>& sorted, double share) {
  const auto rank = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(rank, sorted.size() - 1)];
}

void TakeEchoes(std::vector<Nanos> times, PathBaseline* baseline) {
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  baseline->echoes = times.size();
  baseline->echo_floor = At(times, 0.001);
  baseline->echo_p50 = At(times, 0.5);
  baseline->echo_p99 = At(times, 0.99);
}

void AddReason(absl::string_view what, const absl::Status& why, PathBaseline* baseline) {
  absl::StrAppend(&baseline->reason, baseline->reason.empty() ? "" : "; ", what, ": ",
                  why.message());
}

// How many bytes of a steady stream had come by when, on one clock or another.
class Arrivals {
 public:
  explicit Arrivals(Nanos whole) : whole_(whole) {}

  void Add(Nanos at, uint64_t bytes) {
    if (first_ == Nanos()) first_ = at;
    // What came until the discarded time was over belongs to it.
    if (static_cast<double>((at - first_).count()) <
        kDiscard * static_cast<double>(whole_.count())) {
      return;
    }
    if (from_ == Nanos()) {
      from_ = at;
      return;
    }
    bytes_ += bytes;
    until_ = at;
  }
  double BytesPerSecond() const {
    return until_ > from_ ? static_cast<double>(bytes_) / (until_ - from_).seconds() : 0;
  }

 private:
  const Nanos whole_;
  Nanos first_, from_, until_;
  uint64_t bytes_ = 0;
};

// A connection to an echo port.
class EchoClient {
 public:
  EchoClient(const PathProbe& probe, MonoTime deadline) : probe_(probe), deadline_(deadline) {}

  absl::Status Connect(const SocketAddress& to, PathBaseline* baseline) {
    const MonoTime begun = MonoNow();
    TransportOptions options;
    options.cancelled = probe_.cancelled;
    ASSIGN_OR_RETURN(FlowSocket socket, ConnectFlow(to, deadline_ - begun, options));
    baseline->connect = MonoNow() - begun;
    fd_ = std::move(socket.fd);
    const timeval slice = {.tv_sec = 0, .tv_usec = kCancelSlice.count() / 1'000};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
    return absl::OkStatus();
  }

  absl::Status Echo(std::vector<Nanos>* times) {
    std::vector<uint8_t> out(echo::kHeaderBytes + PathProbe::kEchoBytes);
    std::vector<uint8_t> in(PathProbe::kEchoBytes);
    echo::PutHeader(PathProbe::kEchoBytes, PathProbe::kEchoBytes, out.data());
    times->reserve(probe_.echoes);
    for (uint32_t i = 0; i < probe_.echoes; ++i) {
      const MonoTime begun = MonoNow();
      RETURN_IF_ERROR(Send(out));
      RETURN_IF_ERROR(Receive(in));
      if (std::any_of(in.begin() + kStampBytes, in.end(), [](uint8_t byte) { return byte != 0; })) {
        return absl::UnavailableError("what answers there is no agent's echo port");
      }
      times->push_back(MonoNow() - begun);
    }
    return absl::OkStatus();
  }

  // Sends requests as fast as they go; the port's stamps in the replies say when each had come.
  absl::StatusOr<double> Upload() { return Bulk(kPieceBytes, kStampBytes, /*upload=*/true); }
  // Asks for replies, always some ahead of what has come.
  absl::StatusOr<double> Download() { return Bulk(0, kPieceBytes, /*upload=*/false); }

  Nanos MinRtt() const {
    TcpReading reading;
    return ReadTcpInfo(fd_.get(), &reading) ? reading.min_rtt : Nanos();
  }

 private:
  absl::StatusOr<double> Bulk(uint32_t request_bytes, uint32_t reply_bytes, bool upload) {
    std::vector<uint8_t> piece(echo::kHeaderBytes + request_bytes);
    echo::PutHeader(request_bytes, reply_bytes, piece.data());
    std::vector<uint8_t> in(kPieceBytes);
    Arrivals arrivals(probe_.bulk);
    uint64_t asked = 0, answered = 0;
    size_t sent = 0, got = 0;  // of the piece, and of the reply, under way
    const MonoTime end = MonoNow() + probe_.bulk;
    // What was asked for is taken in to its end, so that the connection is clean for the next.
    for (bool over = false; !over || answered < asked;) {
      RETURN_IF_ERROR(Check());
      over = over || (MonoNow() >= end && sent == 0);
      const bool may_send = !over && (sent > 0 || asked - answered < kPiecesAhead);
      pollfd wanted = {.fd = fd_.get(),
                       .events = static_cast<short>(POLLIN | (may_send ? POLLOUT : 0)),
                       .revents = 0};
      if (over && answered == asked) break;
      poll(&wanted, 1, static_cast<int>(kCancelSlice.count() / 1'000'000));
      if (may_send && (wanted.revents & POLLOUT) != 0) {
        const ssize_t n =
            send(fd_.get(), piece.data() + sent, piece.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return Gone(errno);
        sent += static_cast<size_t>(std::max<ssize_t>(n, 0));
        if (sent == piece.size()) {
          sent = 0;
          ++asked;
        }
      }
      if ((wanted.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      const ssize_t n = recv(fd_.get(), in.data() + got, reply_bytes - got, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0) return Gone(n == 0 ? 0 : errno);
      got += static_cast<size_t>(n);
      if (!upload) arrivals.Add(Nanos(MonoNow().ns()), static_cast<uint64_t>(n));
      if (got < reply_bytes) continue;
      got = 0;
      ++answered;
      if (upload) arrivals.Add(StampOf(in), request_bytes);
    }
    const double rate = arrivals.BytesPerSecond();
    if (rate > 0) return rate;
    return absl::UnavailableError("too little arrived to be measured; give it more time");
  }

  // On the clock of the port's host.
  static Nanos StampOf(const std::vector<uint8_t>& reply) {
    uint64_t ns = 0;
    for (uint32_t i = 0; i < kStampBytes; ++i) ns = ns << 8 | reply[i];
    return Nanos(static_cast<int64_t>(ns));
  }

  absl::Status Check() const {
    if (probe_.cancelled != nullptr && probe_.cancelled->load()) {
      return absl::CancelledError("cancelled");
    }
    if (MonoNow() < deadline_) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat("not done within ", FormatDuration(probe_.timeout)));
  }

  static absl::Status Gone(int error) {
    return absl::UnavailableError(
        error == 0 ? std::string("the echo port closed the connection; is it an agent's?")
                   : absl::StrCat("the connection was lost: ", strerror(error)));
  }

  template <typename Call>
  absl::Status Move(size_t bytes, Call call) {
    for (size_t done = 0; done < bytes;) {
      const ssize_t n = call(done, bytes - done);
      if (n > 0) {
        done += static_cast<size_t>(n);
      } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        RETURN_IF_ERROR(Check());
      } else {
        return Gone(n == 0 ? 0 : errno);
      }
    }
    return Check();
  }
  absl::Status Send(const std::vector<uint8_t>& bytes) {
    return Move(bytes.size(), [&](size_t from, size_t count) {
      return send(fd_.get(), bytes.data() + from, count, MSG_NOSIGNAL);
    });
  }
  absl::Status Receive(std::vector<uint8_t>& bytes) {
    return Move(bytes.size(), [&](size_t from, size_t count) {
      return recv(fd_.get(), bytes.data() + from, count, 0);
    });
  }

  const PathProbe& probe_;
  const MonoTime deadline_;
  Fd fd_;
};

absl::StatusOr<PathBaseline> ProbeAgent(const PathProbe& probe, const SocketAddress& to,
                                        MonoTime deadline) {
  PathBaseline baseline;
  EchoClient client(probe, deadline);
  RETURN_IF_ERROR(client.Connect(to, &baseline));
  std::vector<Nanos> times;
  absl::Status status = client.Echo(&times);
  TakeEchoes(std::move(times), &baseline);
  if (!status.ok() && baseline.echoes == 0) return status;
  if (!status.ok()) AddReason("echoes", status, &baseline);
  if (probe.bulk > Nanos() && status.ok()) {
    const absl::StatusOr<double> sent = client.Upload();
    if (sent.ok()) baseline.sent_bytes_per_s = *sent;
    if (!sent.ok()) AddReason("bulk sent", sent.status(), &baseline);
    status = sent.status();
    const absl::StatusOr<double> received = status.ok() ? client.Download() : status;
    if (received.ok()) baseline.received_bytes_per_s = *received;
    if (!received.ok()) AddReason("bulk received", received.status(), &baseline);
  }
  baseline.min_rtt = client.MinRtt();
  return baseline;
}

// A server that cannot be believed is the target's fault, not the request's nor this agent's.
absl::Status OfTarget(const absl::Status& why) {
  const bool unbelievable =
      absl::IsInvalidArgument(why) || absl::IsUnauthenticated(why) || absl::IsDataLoss(why);
  return unbelievable ? absl::PermissionDeniedError(why.message()) : why;
}

absl::StatusOr<PathBaseline> ProbeServer(const PathProbe& probe, const SocketAddress& to,
                                         MonoTime deadline) {
  PathBaseline baseline;
  {
    // A connection of its own: the client's connecting contains TLS and the server's greeting.
    EchoClient bare(probe, deadline);
    RETURN_IF_ERROR(bare.Connect(to, &baseline));
    baseline.min_rtt = bare.MinRtt();
  }
  std::optional<TlsContext> context;
  if (probe.tls.has_value()) {
    ASSIGN_OR_RETURN(context, TlsContext::ClientOfPem(probe.tls->ca_pem));
  }
  const absl::StatusOr<std::unique_ptr<client::Client>> connected = client::Client::Connect(
      {.server = to,
       .server_name = context.has_value() ? probe.tls->server_name : std::string(),
       .tls = context.has_value() ? &*context : nullptr,
       .identity = probe.identity,
       .hmac_key = probe.hmac_key,
       .timeout = deadline - MonoNow(),
       .cancelled = probe.cancelled});
  if (!connected.ok()) return OfTarget(connected.status());
  client::Client* const server = connected->get();
  std::vector<Nanos> times;
  times.reserve(probe.echoes);
  absl::Status status;
  for (uint32_t i = 0; i < probe.echoes && status.ok(); ++i) {
    const MonoTime begun = MonoNow();
    if (begun >= deadline) {
      status = absl::DeadlineExceededError(
          absl::StrCat("not done within ", FormatDuration(probe.timeout)));
      break;
    }
    server->set_timeout(deadline - begun);
    const absl::StatusOr<client::Reply> reply = server->Call(client::NoopRequest());
    if (!reply.ok()) {
      status = OfTarget(reply.status());
    } else if (reply->status != kinetic::StatusCode::kSuccess) {
      const std::string hint = server->HintFor(*reply);
      status = absl::PermissionDeniedError(absl::StrCat(
          "the server answered a NOOP with ", reply->Describe(), hint.empty() ? "" : "; ", hint));
    } else {
      times.push_back(MonoNow() - begun);
    }
  }
  TakeEchoes(std::move(times), &baseline);
  if (!status.ok() && baseline.echoes == 0) return status;
  if (!status.ok()) AddReason("echoes", status, &baseline);
  if (probe.bulk > Nanos()) {
    AddReason("bulk", absl::UnimplementedError("a Kinetic server is sent none"), &baseline);
  }
  return baseline;
}

}  // namespace

absl::StatusOr<PathBaseline> ProbePath(const PathProbe& probe) {
  const MonoTime deadline = MonoNow() + probe.timeout;
  const absl::StatusOr<SocketAddress> to = Resolve(probe.target);
  if (!to.ok()) {
    return absl::UnavailableError(
        absl::StrCat("target ", probe.target.ToString(), ": ", to.status().message()));
  }
  absl::StatusOr<PathBaseline> baseline = probe.kind == PathProbe::Kind::kAgent
                                              ? ProbeAgent(probe, *to, deadline)
                                              : ProbeServer(probe, *to, deadline);
  if (baseline.ok()) return baseline;
  return Annotate(baseline.status(), absl::StrCat("target ", probe.target.ToString()));
}

}  // namespace kbench
