// A bidirectional stream of the agent, served by a thread of its own: grpc's threads bring commands
// and only queue them; the stream's thread takes them one by one and is the only one that writes.
//
//   grpc:    OnReadDone  ->  Arrived(), queue          end of the stream  ->  Ended(why)
//   thread:  Converse(): NextCommand() ... Send() ...  ->  Leave()  ->  Finish
//
// The stream deletes itself when grpc is done with it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/service/agent_service.h"
#include "agent/service/caller_service.h"
#include "base/mutex.h"

namespace kbench {

inline constexpr size_t kResultChunkBytes = 1024 * 1024;

template <typename Command, typename Event>
class ServedStream : public grpc::ServerBidiReactor<Command, Event> {
 public:
  // Once, after construction. The thread is stored before OnDone can want it: that needs Finish(),
  // and Serve() calls it only after the stream's mutex was free.
  void Begin() {
    MutexLock lock(&mutex_);
    thread_ = std::thread([this] { Serve(); });
    this->StartRead(&incoming_);
  }

  void OnReadDone(bool ok) final {
    if (!ok) {
      Ended("the controller closed the stream");
      MutexLock lock(&mutex_);
      over_ = true;
      changed_.NotifyAll();
      return;
    }
    Arrived(incoming_);
    {
      MutexLock lock(&mutex_);
      commands_.push_back(incoming_);
      changed_.NotifyAll();
    }
    this->StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) final {
    MutexLock lock(&mutex_);
    write_ = ok ? Write::kDone : Write::kFailed;
    changed_.NotifyAll();
  }
  void OnCancel() final { Ended("the controller cancelled the stream"); }
  void OnDone() final {
    service_->Retire(std::move(thread_));
    delete this;
  }

 protected:
  // `service` outlives the stream. Who is no controller is told so, and nothing else is done.
  ServedStream(AgentService* service, const grpc::ServerContextBase& context)
      : service_(service),
        allowed_(RequireRole(context, CallerRole::kController)),
        caller_(CallerName(context)) {}

  // On the stream's thread: the whole conversation, and what follows it before grpc may delete.
  virtual grpc::Status Converse() = 0;
  virtual void Leave() {}
  // On grpc's threads: a command that is about to be queued; no more of them will come.
  virtual void Arrived(const Command&) {}
  virtual void Ended(const std::string& /*why*/) {}

  // The next command; nothing when the stream is over.
  std::optional<Command> NextCommand() {
    MutexLock lock(&mutex_);
    while (!over_ && commands_.empty()) changed_.Wait(&mutex_);
    if (commands_.empty()) return std::nullopt;
    Command command = std::move(commands_.front());
    commands_.pop_front();
    return command;
  }

  // As if it had come from the controller.
  void Inject(Command command) {
    MutexLock lock(&mutex_);
    commands_.push_back(std::move(command));
    changed_.NotifyAll();
  }

  // Blocks until grpc has taken it. False: the controller is gone.
  bool Send(const Event& event) {
    {
      MutexLock lock(&mutex_);
      if (write_ == Write::kFailed) return false;
      write_ = Write::kPending;
    }
    this->StartWrite(&event);
    MutexLock lock(&mutex_);
    while (write_ == Write::kPending) changed_.Wait(&mutex_);
    return write_ == Write::kDone;
  }

  // Sends `bytes` as ResultChunks of at most 1 MiB, each put where `chunk_of(&event)` says.
  template <typename ChunkOf>
  bool SendInChunks(const std::string& bytes, ChunkOf chunk_of) {
    size_t from = 0;
    do {
      Event event;
      auto* chunk = chunk_of(&event);
      chunk->set_data(bytes.substr(from, kResultChunkBytes));
      chunk->set_last(from + kResultChunkBytes >= bytes.size());
      if (!Send(event)) return false;
      from += kResultChunkBytes;
    } while (from < bytes.size());
    return true;
  }

  // `owner`, as a command says it, with the name that its certificate proves.
  std::string Named(const std::string& owner) const {
    return caller_.empty() ? owner : absl::StrCat(owner, " (certificate ", caller_, ")");
  }

  AgentService* const service_;

 private:
  void Serve() {
    { MutexLock lock(&mutex_); }
    grpc::Status status = allowed_;
    try {
      if (status.ok()) status = Converse();
    } catch (const std::exception& error) {
      // Only memory can run out here: more was asked for than this host has.
      status = {grpc::StatusCode::INTERNAL, absl::StrCat("this cannot be made: ", error.what())};
    }
    Leave();
    this->Finish(status);  // nothing of this may be touched from here on
  }

  const grpc::Status allowed_;
  const std::string caller_;
  Command incoming_;  // of the read that is under way
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Command> commands_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // no more commands
  enum class Write {
    kIdle,
    kPending,
    kDone,
    kFailed
  } write_ ABSL_GUARDED_BY(mutex_) = Write::kIdle;
};

}  // namespace kbench
