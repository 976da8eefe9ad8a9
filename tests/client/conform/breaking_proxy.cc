#include "tests/client/conform/breaking_proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench::conform {

using kinetic::MessageType;

struct BreakingProxy::Pair {
  Fd client, server;
  std::string waiting;  // of the server: no whole PDU yet
};

BreakingProxy::BreakingProxy(const HostPort& server, Rewrite rewrite)
    : server_(*Resolve(server)),
      rewrite_(std::move(rewrite)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  const SocketAddress any = *Resolve({.host = "127.0.0.1", .port = 0});
  ::bind(listener_.get(), any.get(), any.length);
  ::listen(listener_.get(), 16);
  thread_ = std::thread([this] { Run(); });
}

BreakingProxy::~BreakingProxy() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void BreakingProxy::Run() {
  while (true) {
    std::vector<pollfd> waited = {{.fd = stop_.get(), .events = POLLIN},
                                  {.fd = listener_.get(), .events = POLLIN}};
    for (const auto& pair : pairs_) {
      waited.push_back({.fd = pair->client.get(), .events = POLLIN});
      waited.push_back({.fd = pair->server.get(), .events = POLLIN});
    }
    ::poll(waited.data(), waited.size(), -1);
    if (waited[0].revents != 0) return;
    std::vector<std::unique_ptr<Pair>> alive;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const bool client = waited[2 + 2 * i].revents != 0, server = waited[3 + 2 * i].revents != 0;
      if (Carry(pairs_[i].get(), client, server)) alive.push_back(std::move(pairs_[i]));
    }
    pairs_ = std::move(alive);
    if (waited[1].revents != 0) Accept();
  }
}

void BreakingProxy::Accept() {
  auto pair = std::make_unique<Pair>();
  pair->client = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  pair->server = Fd(::socket(server_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (pair->client.valid() && ::connect(pair->server.get(), server_.get(), server_.length) == 0) {
    pairs_.push_back(std::move(pair));
  }
}

bool BreakingProxy::Carry(Pair* pair, bool from_client, bool from_server) {
  std::vector<char> room(256 * 1024);
  const auto send = [](int fd, absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  };
  if (from_client) {
    const ssize_t n = ::recv(pair->client.get(), room.data(), room.size(), 0);
    if (n <= 0 || !send(pair->server.get(), {room.data(), static_cast<size_t>(n)})) return false;
  }
  if (!from_server) return true;
  const ssize_t n = ::recv(pair->server.get(), room.data(), room.size(), 0);
  if (n <= 0) return false;
  pair->waiting.append(room.data(), static_cast<size_t>(n));
  while (pair->waiting.size() >= kinetic::kFrameHeaderSize) {
    const auto header = kinetic::DecodeFrameHeader(AsBytes(pair->waiting).data(), {});
    if (!header.ok()) return false;
    const size_t size = kinetic::kFrameHeaderSize + header->message_size + header->value_size;
    if (pair->waiting.size() < size) break;
    const std::string pdu = pair->waiting.substr(0, size);
    pair->waiting.erase(0, size);
    kinetic::Decoder decoder;
    const Bytes message = AsBytes(pdu).subspan(kinetic::kFrameHeaderSize, header->message_size);
    if (!decoder.Decode(message).ok()) return false;
    if (!send(pair->client.get(), rewrite_(decoder.message(), pdu))) return false;
  }
  return true;
}

std::string Resigned(const kinetic::Message& message, const kinetic::Command& command,
                     absl::string_view pdu) {
  const auto header = *kinetic::DecodeFrameHeader(AsBytes(pdu).data(), {});
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  std::string made;
  kinetic::Encoder().Append(command, kinetic::Signature::Hmac(message.identity.value_or(1), &key),
                            header.value_size, &made);
  return absl::StrCat(made, pdu.substr(pdu.size() - header.value_size));
}

std::string WithoutKeyValue(const kinetic::Message& message, absl::string_view pdu) {
  kinetic::Command command = message.command;
  if (command.header.message_type != MessageType::kPutResponse) return std::string(pdu);
  command.key_value.reset();
  return Resigned(message, command, pdu);
}

std::string WithAnotherAck(const kinetic::Message& message, absl::string_view pdu) {
  kinetic::Command command = message.command;
  if (command.header.message_type != MessageType::kNoopResponse) return std::string(pdu);
  command.header.ack_sequence = command.header.ack_sequence.value_or(0) + 1'000'000;
  return Resigned(message, command, pdu);
}

std::string WithoutCommand(const kinetic::Message& message, absl::string_view pdu) {
  if (!message.command.header.ack_sequence.has_value()) return std::string(pdu);
  return std::string("F\0\0\0\x02\0\0\0\0\x20\x01", 11);  // authType HMACAUTH, no more
}

std::string WithAForgedSignature(const kinetic::Message& message, absl::string_view pdu) {
  std::string forged(pdu);
  if (message.command.header.message_type != MessageType::kGetResponse) return forged;
  const size_t at = forged.find(std::string(*message.hmac));
  if (at != std::string::npos) forged[at] = static_cast<char>(forged[at] ^ 1);
  return forged;
}

}  // namespace kbench::conform
