#include "tests/client/conform/odd_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"

namespace kbench::conform {
namespace {

std::string Status(kinetic::StatusCode code, absl::string_view words, bool greeting) {
  kinetic::Command command;
  command.has_header = true;
  if (greeting) {
    command.header.connection_id = 77;
    command.header.cluster_version = 0;
    command.get_log.emplace().limits.emplace().max_key_size = 4096;
  }
  command.status = {.code = code, .message = words};
  std::string pdu;
  kinetic::Encoder().Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  return pdu;
}

bool Say(int fd, absl::string_view bytes) {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// SUCCESS to a whole request; nothing to bytes that are none.
std::string Answer(Bytes bytes) {
  if (bytes.size() < kinetic::kFrameHeaderSize) return "";
  const auto header = kinetic::DecodeFrameHeader(bytes.data(), {});
  if (!header.ok()) return "";
  const size_t size = kinetic::kFrameHeaderSize + header->message_size + header->value_size;
  kinetic::Decoder request;
  if (bytes.size() != size ||
      !request.Decode(bytes.subspan(kinetic::kFrameHeaderSize, header->message_size)).ok()) {
    return "";
  }
  const kinetic::Header& asked = request.message().command.header;
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = asked.connection_id;
  command.header.ack_sequence = asked.sequence;
  command.header.message_type = kinetic::ResponseOf(*asked.message_type);
  command.status = {.code = kinetic::StatusCode::kSuccess};
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  std::string pdu;
  kinetic::Encoder().Append(command, kinetic::Signature::Hmac(kinetic::kFactoryIdentity, &key), 0,
                            &pdu);
  return pdu;
}

}  // namespace

OddServer::OddServer(Manner manner)
    : manner_(manner),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  address_ = *Resolve({.host = "127.0.0.1", .port = 0});
  ::bind(listener_.get(), address_.get(), address_.length);
  ::listen(listener_.get(), 16);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_.storage), &address_.length);
  thread_ = std::thread([this] { Run(); });
}

OddServer::~OddServer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

uint16_t OddServer::port() const {
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address_.storage)->sin_port);
}

bool OddServer::Wait(int fd, int timeout_ms, bool* readable) const {
  std::array<pollfd, 2> waited = {
      {{.fd = fd, .events = POLLIN}, {.fd = stop_.get(), .events = POLLIN}}};
  ::poll(waited.data(), waited.size(), timeout_ms);
  *readable = waited[0].revents != 0;
  return waited[1].revents == 0;
}

void OddServer::Run() {
  for (int connection = 0;; ++connection) {
    bool readable = false;
    if (!Wait(listener_.get(), -1, &readable)) return;
    const Fd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted.valid()) continue;
    if (manner_ == Manner::kOnlyOnce) listener_.Reset();
    Serve(accepted.get(), connection);
    if (manner_ == Manner::kOnlyOnce) return;
  }
}

void OddServer::Serve(int fd, int connection) {
  using kinetic::StatusCode;
  const bool busy =
      manner_ == Manner::kAlwaysBusy || (manner_ == Manner::kBusyTwice && connection < 2);
  if (manner_ == Manner::kClosesAtOnce) return;
  if (busy) {
    Say(fd, Status(StatusCode::kServiceBusy, "too many", true));
    return;
  }
  const bool greets = manner_ != Manner::kSaysNothing && manner_ != Manner::kDribbles &&
                      manner_ != Manner::kNoKinetic;
  if (greets) Say(fd, Status(StatusCode::kSuccess, "", true));
  if (manner_ == Manner::kNoKinetic) Say(fd, "\x1b[2JHTTP/1.1 400 Bad Request\r\n\r\n");
  if (manner_ == Manner::kDribbles)
    Say(fd, absl::string_view("F\x00\x0f\x00\x00\x00\x00\x00\x00", 9));
  const bool talks = manner_ == Manner::kDribbles || manner_ == Manner::kNeverSilent;
  const std::string rude = Status(StatusCode::kSuccess, "\x1b[31m\r\nred", false);
  for (bool readable = false; Wait(fd, talks ? 1 : -1, &readable);) {
    std::array<char, 65536> room;
    const ssize_t n = readable ? ::recv(fd, room.data(), room.size(), 0) : 1;
    if (n <= 0) return;
    if (manner_ == Manner::kWaitsForMore && readable) {
      Say(fd, Answer(AsBytes(absl::string_view(room.data(), static_cast<size_t>(n)))));
    }
    if (manner_ == Manner::kDribbles && !Say(fd, "x")) return;
    if (manner_ == Manner::kNeverSilent && !Say(fd, rude)) return;
    if (manner_ == Manner::kRude && readable) {
      Say(fd, rude);
      return;
    }
  }
}

}  // namespace kbench::conform
