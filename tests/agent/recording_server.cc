#include "tests/agent/recording_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "kinetic/frame.h"
#include "kinetic/hmac.h"

namespace kbench {
namespace {

constexpr int64_t kFirstConnection = 5000;

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
  if (command.header.batch_id.has_value()) command.header.batch_id = 1;
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
  for (int64_t id = kFirstConnection;; ++id) {
    pollfd waited[2] = {{.fd = listener_.get(), .events = POLLIN},
                        {.fd = wake_.get(), .events = POLLIN}};
    ::poll(waited, 2, -1);
    if (waited[1].revents != 0) return;
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) continue;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::lock_guard lock(mutex_);
    if (accepted_++ >= options_.greetings) continue;
    Connection* connection = &connections_.emplace_back();
    connection->fd = std::move(fd);
    connection->thread = std::thread([this, connection, id] { Serve(connection, id); });
  }
}

void RecordingServer::Greet(int fd, int64_t connection_id) {
  if (options_.silent) return;
  if (options_.locked && IsWordless(connection_id)) {
    ::shutdown(fd, SHUT_RDWR);
    return;
  }
  if (options_.garbage) {
    SendAll(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    return;
  }
  kinetic::Command command;
  command.status.emplace();
  command.status->code =
      options_.locked ? kinetic::StatusCode::kDeviceLocked : kinetic::StatusCode::kSuccess;
  if (options_.write_limit > 0) {
    command.get_log.emplace().limits.emplace().max_outstanding_write_requests =
        options_.write_limit;
  }
  SendAll(fd, Unasked(&command, connection_id));
}

std::string RecordingServer::Unasked(kinetic::Command* command, int64_t connection_id) const {
  command->has_header = true;
  command->header.connection_id = connection_id;
  command->header.cluster_version = 0;
  std::string pdu;
  kinetic::Encoder().Append(*command, kinetic::Signature::Unsolicited(), 0, &pdu);
  return pdu;
}

std::string RecordingServer::Refusal(int64_t connection_id) const {
  kinetic::Command command;
  command.status.emplace();
  command.status->code = options_.refusal;
  command.status->message = "not from you";
  return Unasked(&command, connection_id);
}

bool RecordingServer::IsWordless(int64_t connection_id) const {
  return connection_id - kFirstConnection < options_.wordless;
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
    std::string answers;
    uint64_t at_once = 0;
    while (open && !in.empty()) {
      const auto complete = frames.Consume(&in);
      if (!complete.ok()) open = false;
      if (!complete.ok() || !*complete) break;
      if (!decoder.Decode(frames.message()).ok()) std::abort();
      ++number;
      ++at_once;
      if (options_.close_after != 0 && number > options_.close_after) {
        open = false;
        break;
      }
      if (number == options_.warn_at) answers += Refusal(connection_id);
      if (options_.refuse_after && number > *options_.refuse_after) {
        SendAll(fd, IsWordless(connection_id) ? answers : answers + Refusal(connection_id));
        open = false;
        break;
      }
      if (options_.swallow_after != 0 && number > options_.swallow_after) continue;
      const kinetic::Message& message = decoder.message();
      if (options_.record) {
        connection->stream +=
            Normalised(message.command, message.identity.value_or(-1), frames.value());
      }
      answers += Answer(message, frames.value(), number);
      if (options_.answers_together && !in.empty()) continue;
      open = SendAll(fd, answers);
      answers.clear();
    }
    open = open && SendAll(fd, answers);  // those before a request that has come in part
    std::lock_guard lock(mutex_);
    most_at_once_ = std::max(most_at_once_, at_once);
  }
  ::shutdown(fd, SHUT_RDWR);
  std::lock_guard lock(mutex_);
  connection->open = false;
}

kinetic::StatusCode RecordingServer::Do(const kinetic::Command& request, Bytes value, bool full,
                                        kinetic::Command* answer, std::string* answered) {
  using kinetic::MessageType;
  using kinetic::StatusCode;
  const std::string name =
      request.key_value.has_value() ? std::string(request.key_value->key.value_or("")) : "";
  auto found = store_.end();
  switch (request.header.message_type.value_or(MessageType::kInvalid)) {
    case MessageType::kPut: {
      const kinetic::KeyValue& put = *request.key_value;
      if (options_.want_tags && !put.tag.has_value()) {
        answer->status.emplace().message = "Tag required";
        return StatusCode::kInvalidRequest;
      }
      if (busy_answers_ < options_.busy_puts) {
        ++busy_answers_;
        return StatusCode::kServiceBusy;
      }
      if (full) return StatusCode::kNoSpace;
      store_[name] = std::string(AsText(value));
      StoredTag& stored = tags_[name] = {.algorithm = put.algorithm};
      if (put.tag.has_value()) stored.tag = std::string(*put.tag);
      return StatusCode::kSuccess;
    }
    case MessageType::kDelete:
      store_.erase(name);
      return StatusCode::kSuccess;
    case MessageType::kGetLog:
      return StatusCode::kNotFound;
    case MessageType::kGetKeyRange: {
      kinetic::Range& keys = answer->range.emplace();
      for (auto it = store_.lower_bound(std::string(*request.range->start_key));
           it != store_.end() && keys.keys.size() < *request.range->max_returned; ++it) {
        keys.keys.emplace_back(it->first);
      }
      return StatusCode::kSuccess;
    }
    case MessageType::kGet:
      found = store_.find(name);
      break;
    case MessageType::kGetNext:
      found = store_.upper_bound(name);
      break;
    case MessageType::kGetPrevious:
      found = store_.lower_bound(name);
      found = found == store_.begin() ? store_.end() : std::prev(found);
      break;
    default:
      return StatusCode::kSuccess;
  }
  if (found == store_.end()) return StatusCode::kNotFound;
  answer->key_value.emplace().key = found->first;
  *answered = found->second;
  StoredTag& stored = tags_[found->first];
  if (stored.tag.has_value() && !options_.forget_tags) {
    answered_tag_ = *stored.tag;
    if (options_.corrupt_tags) answered_tag_[0] ^= 1;
    answer->key_value->tag = answered_tag_;
  }
  answer->key_value->algorithm = stored.algorithm;
  if (options_.corrupt_values && !answered->empty()) answered->back() ^= 1;
  return StatusCode::kSuccess;
}

std::string RecordingServer::Answer(const kinetic::Message& request, Bytes value, uint64_t number) {
  using kinetic::StatusCode;
  static thread_local kinetic::Encoder encoder;
  const kinetic::HmacKey key(options_.hmac_key);
  const kinetic::Header& header = request.command.header;
  std::string answered;
  std::string pdu;
  kinetic::Command command;
  std::lock_guard lock(mutex_);
  ++requests_;
  const bool full = options_.refuse_puts_after != 0 && number > options_.refuse_puts_after;
  const StatusCode status = kinetic::VerifyHmac(request, key)
                                ? Do(request.command, value, full, &command, &answered)
                                : StatusCode::kHmacFailure;
  // A change within a batch is not answered.
  if (header.batch_id.has_value() && *header.message_type == kinetic::MessageType::kPut) return "";
  command.has_header = true;
  command.header.connection_id = header.connection_id;
  command.header.ack_sequence = header.sequence;
  command.header.message_type = kinetic::ResponseOf(*header.message_type);
  if (!command.status.has_value()) command.status.emplace();
  command.status->code = status;
  if (options_.commandless) return std::string("F\0\0\0\x02\0\0\0\0\x20\x01", 11);
  if (options_.twist) options_.twist(&command);
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

std::map<std::string, RecordingServer::StoredTag> RecordingServer::tags() const {
  std::lock_guard lock(mutex_);
  return tags_;
}

std::map<std::string, std::string> RecordingServer::store() const {
  std::lock_guard lock(mutex_);
  return store_;
}

uint64_t RecordingServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

uint64_t RecordingServer::accepted() const {
  std::lock_guard lock(mutex_);
  return accepted_;
}

uint64_t RecordingServer::open_connections() const {
  std::lock_guard lock(mutex_);
  uint64_t open = 0;
  for (const Connection& connection : connections_) open += connection.open ? 1 : 0;
  return open;
}

uint64_t RecordingServer::most_at_once() const {
  std::lock_guard lock(mutex_);
  return most_at_once_;
}

void RecordingServer::Forget() {
  std::lock_guard lock(mutex_);
  store_.clear();
}

void RecordingServer::Forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  store_.erase(key);
}

}  // namespace kbench
