#include "tests/server/loopback_client.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench::server {

RunningServer::RunningServer(ServerOptions options) : stop_(eventfd(0, EFD_CLOEXEC)) {
  options.listen = HostPort{.host = "127.0.0.1", .port = 0};
  if (options.tls_listen.has_value()) options.tls_listen = options.listen;
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Open(std::move(options));
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  thread_ = std::thread([this] { result_ = server_->Run(stop_.get()); });
}

RunningServer::~RunningServer() { EXPECT_TRUE(Stop().ok()); }

absl::Status RunningServer::Stop() {
  if (thread_.joinable()) {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  return result_;
}

LoopbackClient::LoopbackClient(const HostPort& address, bool greet) : buffer_(64 * 1024, '\0') {
  const absl::StatusOr<SocketAddress> target = Resolve(address);
  EXPECT_TRUE(target.ok()) << target.status();
  fd_ = Fd(socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd_.get(), target->get(), target->length), 0) << strerror(errno);
  if (!greet) return;
  const std::optional<Answer> greeting = Receive();
  EXPECT_TRUE(greeting.has_value());
  greeting_ = greeting.value_or(Answer());
  connection_id_ = greeting_.connection_id.value_or(0);
}

kinetic::Command LoopbackClient::Next(kinetic::MessageType type) {
  return Request(type, connection_id_, ++sequence_);
}

std::string LoopbackClient::NextBytes(kinetic::MessageType type) {
  return RequestBytes(Next(type), kinetic::kFactoryIdentity, kinetic::kFactoryKey);
}

void LoopbackClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(n, 0) << strerror(errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

std::optional<Answer> LoopbackClient::Receive() {
  while (true) {
    if (unread_.empty()) {
      const ssize_t n = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
      if (n <= 0) return std::nullopt;
      unread_ = AsBytes(absl::string_view(buffer_.data(), static_cast<size_t>(n)));
    }
    const absl::StatusOr<bool> complete = reader_.Consume(&unread_);
    EXPECT_TRUE(complete.ok()) << complete.status();
    if (!complete.ok()) return std::nullopt;
    if (*complete) return ParseAnswer(reader_.message(), reader_.value(), kinetic::kFactoryKey);
  }
}

Answer LoopbackClient::Ask(const kinetic::Command& command, absl::string_view value) {
  Send(RequestBytes(command, kinetic::kFactoryIdentity, kinetic::kFactoryKey, value));
  const std::optional<Answer> answer = Receive();
  EXPECT_TRUE(answer.has_value());
  return answer.value_or(Answer());
}

kinetic::ResidenceLog LoopbackClient::Residences(int64_t connection_id, uint64_t from) {
  const std::string name = absl::StrCat(kinetic::kResidenceLogPrefix, connection_id, "/", from);
  kinetic::Command get_log = Next(kinetic::MessageType::kGetLog);
  get_log.get_log.emplace().types = {kinetic::GetLog::Type::kDevice};
  get_log.get_log->device_name = name;
  const Answer answer = Ask(get_log);
  EXPECT_EQ(answer.status, kinetic::StatusCode::kSuccess) << answer.status_message;
  absl::StatusOr<kinetic::ResidenceLog> log = kinetic::DecodeResidenceLog(AsBytes(answer.value));
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *std::move(log) : kinetic::ResidenceLog();
}

void LoopbackClient::CloseWrite() { shutdown(fd_.get(), SHUT_WR); }

}  // namespace kbench::server
