#include "tests/agent/recording_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstdlib>
#include <utility>

#include "kinetic/frame.h"
#include "kinetic/hmac.h"

namespace kbench {
namespace {

bool SendAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// The same request as if every connection and every moment were the same.
std::string Normalised(kinetic::Command command, int64_t identity, Bytes value) {
  static thread_local kinetic::Encoder encoder;
  static thread_local const kinetic::HmacKey key("normal");
  command.header.connection_id = 0;
  command.header.sequence = 0;
  std::string out;
  encoder.Append(command, kinetic::Signature::Hmac(identity, &key),
                 static_cast<uint32_t>(value.size()), &out);
  return out.append(AsText(value).data(), value.size());
}

}  // namespace

RecordingServer::RecordingServer(Options options) : options_(std::move(options)) {
  listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)) != 0) std::abort();
  if (::listen(listener_.get(), 128) != 0) std::abort();
  address_ = *LocalAddress(listener_.get());
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { Accept(); });
}

RecordingServer::~RecordingServer() {
  const uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
  thread_.join();
  for (Connection& connection : connections_) {
    ::shutdown(connection.fd.get(), SHUT_RDWR);
    connection.thread.join();
  }
}

void RecordingServer::Accept() {
  for (int64_t id = 5000;; ++id) {
    pollfd waited[2] = {{.fd = listener_.get(), .events = POLLIN},
                        {.fd = wake_.get(), .events = POLLIN}};
    ::poll(waited, 2, -1);
    if (waited[1].revents != 0) return;
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) continue;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::lock_guard lock(mutex_);
    Connection* connection = &connections_.emplace_back();
    connection->fd = std::move(fd);
    connection->thread = std::thread([this, connection, id] { Serve(connection, id); });
  }
}

void RecordingServer::Greet(int fd, int64_t connection_id) {
  if (options_.silent) return;
  if (options_.garbage) {
    SendAll(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    return;
  }
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = connection_id;
  command.header.cluster_version = 0;
  command.status.emplace();
  command.status->code =
      options_.locked ? kinetic::StatusCode::kDeviceLocked : kinetic::StatusCode::kSuccess;
  kinetic::Encoder encoder;
  std::string pdu;
  encoder.Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  SendAll(fd, pdu);
}

void RecordingServer::Serve(Connection* connection, int64_t connection_id) {
  const int fd = connection->fd.get();
  Greet(fd, connection_id);
  kinetic::FrameReader frames;
  kinetic::Decoder decoder;
  std::vector<char> buffer(256 * 1024);
  uint64_t number = 0;
  bool open = true;
  while (open) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    Bytes in = AsBytes({buffer.data(), static_cast<size_t>(n)});
    while (open && !in.empty()) {
      const auto complete = frames.Consume(&in);
      if (!complete.ok()) open = false;
      if (!complete.ok() || !*complete) break;
      if (!decoder.Decode(frames.message()).ok()) std::abort();
      ++number;
      if (options_.close_after != 0 && number > options_.close_after) {
        open = false;
        break;
      }
      if (options_.swallow_after != 0 && number > options_.swallow_after) continue;
      const kinetic::Message& message = decoder.message();
      if (options_.record) {
        connection->stream +=
            Normalised(message.command, message.identity.value_or(-1), frames.value());
      }
      open = SendAll(fd, Answer(message, frames.value(), number));
    }
  }
  ::shutdown(fd, SHUT_RDWR);
  std::lock_guard lock(mutex_);
  connection->open = false;
}

std::string RecordingServer::Answer(const kinetic::Message& request, Bytes value, uint64_t number) {
  using kinetic::MessageType;
  using kinetic::StatusCode;
  static thread_local kinetic::Encoder encoder;
  const kinetic::HmacKey key(options_.hmac_key);
  const MessageType type = *request.command.header.message_type;
  StatusCode status = StatusCode::kSuccess;
  std::string answered;
  {
    std::lock_guard lock(mutex_);
    ++requests_;
    const std::string name = request.command.key_value.has_value()
                                 ? std::string(request.command.key_value->key.value_or(""))
                                 : "";
    if (!kinetic::VerifyHmac(request, key)) {
      status = StatusCode::kHmacFailure;
    } else if (type == MessageType::kPut) {
      const bool full = options_.refuse_puts_after != 0 && number > options_.refuse_puts_after;
      status = full ? StatusCode::kNoSpace : StatusCode::kSuccess;
      if (!full) store_[name] = std::string(AsText(value));
    } else if (type == MessageType::kGet) {
      const auto it = store_.find(name);
      status = it == store_.end() ? StatusCode::kNotFound : StatusCode::kSuccess;
      if (it != store_.end()) answered = it->second;
    } else if (type == MessageType::kDelete) {
      store_.erase(name);
    } else if (type == MessageType::kGetLog) {
      status = StatusCode::kNotFound;
    }
  }
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = request.command.header.connection_id;
  command.header.ack_sequence = request.command.header.sequence;
  command.header.message_type = kinetic::ResponseOf(type);
  command.status.emplace();
  command.status->code = status;
  std::string pdu;
  encoder.Append(command, kinetic::Signature::Hmac(request.identity.value_or(1), &key),
                 static_cast<uint32_t>(answered.size()), &pdu);
  return pdu + answered;
}

std::vector<std::string> RecordingServer::streams() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const Connection& connection : connections_) all.push_back(connection.stream);
  return all;
}

std::map<std::string, std::string> RecordingServer::store() const {
  std::lock_guard lock(mutex_);
  return store_;
}

uint64_t RecordingServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

uint64_t RecordingServer::open_connections() const {
  std::lock_guard lock(mutex_);
  uint64_t open = 0;
  for (const Connection& connection : connections_) open += connection.open ? 1 : 0;
  return open;
}

}  // namespace kbench
