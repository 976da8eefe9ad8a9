// What a request costs the reference server: CPU time of its one thread per operation, under a
// client that does no more than it must. For comparing builds and stores by hand; as a test it
// proves that every answer comes and is a good one.
//
//   server_bench --flows 16 --depth 64 --op get --value-bytes 64 --ops 2000000
//
// The figure to quote is operations per second of server CPU: it does not depend on how fast the
// client is, except by how many requests the server finds at each wake-up (flows and depth).
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "kinetic/codec.h"
#include "server/server.h"

namespace kbench::server {
namespace {

struct Flags {
  uint32_t flows = 16;
  uint32_t depth = 1;
  uint64_t ops = 1'000'000;
  std::string op = "noop";
  std::string store = "memory";
  uint32_t value_bytes = 64;
  int client_cpu = -1;
  int server_cpu = -1;
};

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "server_bench: %s\n", why.c_str());
  std::exit(1);
}

void PinSelf(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) Fail("cannot pin to a CPU");
}

class Flow {
 public:
  Flow(const HostPort& address, const Flags* flags, const kinetic::HmacKey* key)
      : flags_(flags), key_(key), value_(flags->value_bytes, 'v') {
    const absl::StatusOr<SocketAddress> target = Resolve(address);
    if (!target.ok()) Fail(std::string(target.status().message()));
    fd_ = Fd(socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd_.get(), target->get(), target->length) != 0) Fail(strerror(errno));
    while (connection_id_ == 0) Receive(0);
    command_.has_header = true;
    command_.header.connection_id = connection_id_;
  }

  int fd() const { return fd_.get(); }
  uint64_t answered() const { return answered_; }

  // Queues requests until `depth` are unanswered, and sends what the socket takes.
  void Ask() {
    while (asked_ < flags_->ops && asked_ - answered_ < flags_->depth) {
      const bool put = flags_->op == "put" || asked_ == 0;  // the first one makes what GETs find
      Append(put                   ? kinetic::MessageType::kPut
             : flags_->op == "get" ? kinetic::MessageType::kGet
                                   : kinetic::MessageType::kNoop,
             put ? value_ : std::string());
      ++asked_;
    }
    Push();
  }

  void Push() {
    while (sent_ < out_.size()) {
      const ssize_t n =
          send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) Fail(strerror(errno));
      sent_ += static_cast<size_t>(n);
    }
    out_.clear();
    sent_ = 0;
  }
  bool blocked() const { return !out_.empty(); }

  // Takes what one receive call brings. False: with MSG_DONTWAIT in `flags`, nothing was there.
  bool Receive(int flags) {
    static std::array<uint8_t, 256 * 1024> buffer;
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), flags);
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) Fail("the server closed a connection");
    Bytes in(buffer.data(), static_cast<size_t>(n));
    while (!in.empty()) {
      const absl::StatusOr<bool> complete = reader_.Consume(&in);
      if (!complete.ok()) Fail(std::string(complete.status().message()));
      if (!*complete) break;
      if (asked_ > 0) ++answered_;
      // Decoding every answer would make the client the bottleneck; the first ones are proof.
      if (answered_ <= 100) Look();
    }
    return true;
  }

 private:
  void Append(kinetic::MessageType type, const std::string& value) {
    command_.header.sequence = ++sequence_;
    command_.header.message_type = type;
    command_.key_value.reset();
    if (type != kinetic::MessageType::kNoop) {
      command_.key_value = {.key = "kbench/bench"};
      if (type == kinetic::MessageType::kPut) {
        command_.key_value->force = true;
        command_.key_value->synchronization = kinetic::Synchronization::kWriteBack;
      }
    }
    encoder_.Append(command_, kinetic::Signature::Hmac(kinetic::kFactoryIdentity, key_),
                    static_cast<uint32_t>(value.size()), &out_);
    out_ += value;
  }

  void Look() {
    const absl::Status decoded = decoder_.Decode(reader_.message());
    if (!decoded.ok()) Fail(std::string(decoded.message()));
    const kinetic::Command& answer = decoder_.message().command;
    if (!answer.status.has_value() || answer.status->code != kinetic::StatusCode::kSuccess) {
      Fail("an answer is not SUCCESS");
    }
    if (connection_id_ == 0) connection_id_ = answer.header.connection_id.value_or(0);
  }

  const Flags* flags_;
  const kinetic::HmacKey* key_;
  std::string value_;
  Fd fd_;
  kinetic::Encoder encoder_;
  kinetic::Decoder decoder_;
  kinetic::FrameReader reader_{{}, kinetic::FrameReader::ValuePolicy::kCount};
  kinetic::Command command_;
  int64_t connection_id_ = 0;
  uint64_t sequence_ = 0;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  std::string out_;
  size_t sent_ = 0;
};

void DriveToTheEnd(const Flags& flags, std::vector<std::unique_ptr<Flow>>* flows) {
  const Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  for (auto& flow : *flows) {
    epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = flow.get()}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, flow->fd(), &event);
    flow->Ask();
  }
  size_t open = flows->size();
  while (open > 0) {
    std::array<epoll_event, 64> events;
    const int n = epoll_wait(epoll.get(), events.data(), events.size(), 10'000);
    if (n == 0) Fail("no answer for 10 s");
    for (int i = 0; i < n; ++i) {
      auto* flow = static_cast<Flow*>(events[static_cast<size_t>(i)].data.ptr);
      if (flow->blocked()) flow->Push();
      while (flow->answered() < flags.ops && flow->Receive(MSG_DONTWAIT)) {
        if (flow->answered() == flags.ops) --open;
        flow->Ask();
      }
    }
  }
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("What a request costs the reference server");
  app.add_option("--flows", flags.flows, "Connections")->check(CLI::Range(1, 9000));
  app.add_option("--depth", flags.depth, "Requests unanswered per flow")
      ->check(CLI::Range(1, 4096));
  app.add_option("--ops", flags.ops, "Requests per flow")->check(CLI::PositiveNumber);
  app.add_option("--op", flags.op)->check(CLI::IsMember({"noop", "get", "put"}));
  app.add_option("--store", flags.store)->check(CLI::IsMember({"memory", "null"}));
  app.add_option("--value-bytes", flags.value_bytes)->check(CLI::Range(0, 1 << 20));
  app.add_option("--client-cpu", flags.client_cpu, "Pin the client");
  app.add_option("--server-cpu", flags.server_cpu, "Pin the server");
  CLI11_PARSE(app, argc, argv);

  ServerOptions options;
  options.listen = HostPort{.host = "127.0.0.1", .port = 0};
  options.store = flags.store;
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Open(std::move(options));
  if (!server.ok()) Fail(std::string(server.status().message()));
  const Fd stop(eventfd(0, EFD_CLOEXEC));
  std::thread thread([&] {
    PinSelf(flags.server_cpu);
    if (!(*server)->Run(stop.get()).ok()) Fail("the server failed");
  });
  PinSelf(flags.client_cpu);
  clockid_t server_clock;
  pthread_getcpuclockid(thread.native_handle(), &server_clock);

  const kinetic::HmacKey key(kinetic::kFactoryKey);
  std::vector<std::unique_ptr<Flow>> flows;
  for (uint32_t i = 0; i < flags.flows; ++i) {
    flows.push_back(std::make_unique<Flow>((*server)->address(), &flags, &key));
  }
  const int64_t server_before = ReadClockNs(server_clock);
  const int64_t client_before = ReadClockNs(CLOCK_THREAD_CPUTIME_ID);
  const MonoTime start = MonoNow();
  DriveToTheEnd(flags, &flows);
  const double elapsed_ns = static_cast<double>((MonoNow() - start).count());
  const double server_ns = static_cast<double>(ReadClockNs(server_clock) - server_before);
  const double client_ns =
      static_cast<double>(ReadClockNs(CLOCK_THREAD_CPUTIME_ID) - client_before);
  eventfd_write(stop.get(), 1);
  thread.join();

  const double ops = static_cast<double>(flags.ops) * flags.flows;
  std::printf(
      "%s store, %s %u B, %u flows x depth %u: %.0f ops/s; server %.0f ns of CPU an op = %.0f ops "
      "per server "
      "core-second; client %.0f ns an op\n",
      flags.store.c_str(), flags.op.c_str(), flags.value_bytes, flags.flows, flags.depth,
      ops / elapsed_ns * 1e9, server_ns / ops, ops / server_ns * 1e9, client_ns / ops);
  return 0;
}

}  // namespace
}  // namespace kbench::server

int main(int argc, char** argv) { return kbench::server::Main(argc, argv); }
