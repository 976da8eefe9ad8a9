// PEER2PEERPUSH: this server as a client of another. The objects are looked up on the server's
// thread; a thread of the courier's carries them, one push after another on a connection of its
// own, with the identity and key of whoever asked.
//
//   operation   key (here), newKey (there, by default the same), version, force, nested push
//   version     absent: the object is put whatever is there. Present and no force: it is put if the
//               peer's stored version is this one.
//   nested      sent to the peer after its operation has succeeded, to be done by the peer
//
// The answer repeats every operation with its own status. Those of a push whose peer cannot be
// reached are not there: the whole push is REMOTE_CONNECTION_ERROR. A failed operation leaves the
// push a SUCCESS with allChildOperationsSucceeded false, as the simulator does and kinetic-java and
// kinetic-c need (specification: NESTED_OPERATION_ERRORS; Dialect::push_failure_is_error).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "client/dialogue.h"
#include "kinetic/types.h"
#include "server/caller.h"
#include "server/entry.h"
#include "server/limits.h"
#include "server/refusal.h"
#include "server/store.h"
#include "server/task.h"

namespace kbench::server {

// A push with memory of its own.
struct OwnedPush {
  struct Operation {
    std::string key;
    std::optional<std::string> version;
    std::optional<std::string> new_key;
    bool force = false;
    std::vector<OwnedPush> nested;  // none or one
    // Of a push that this server does itself: what it carries, or why it does not.
    EntryRef entry;
    Refusal outcome;  // code kSuccess: done
    std::optional<client::Reply> nested_reply;
  };
  explicit OwnedPush(const kinetic::P2pOperation& push);
  kinetic::P2pOperation ToKinetic() const;  // a request; views into this

  std::string hostname;
  int32_t port = 0;
  bool tls = false;
  std::vector<Operation> operations;
};

// One push under way. Shared by the courier's thread and the task that waits for it.
struct PushJob {
  explicit PushJob(const kinetic::P2pOperation& what) : push(what) {}

  OwnedPush push;
  int64_t identity = 0;
  std::string hmac_key;  // secret
  Nanos timeout;
  std::atomic<bool> cancelled = false;
  std::atomic<bool> done = false;  // the rest is the task's once this is true
  std::optional<Refusal> failed;   // the push as a whole
};

class Courier {
 public:
  // `wake` is called from a courier's thread after a job is done.
  explicit Courier(std::function<void()> wake) : wake_(std::move(wake)) {}
  // Cancels what is on its way and waits for it.
  ~Courier();

  static constexpr size_t kPushesMax = 16;  // at once

  // False: too many are on their way.
  bool Carry(std::shared_ptr<PushJob> job);

 private:
  struct Trip {
    std::shared_ptr<PushJob> job;
    std::thread thread;
  };

  std::function<void()> wake_;
  std::vector<Trip> trips_;
};

// Looks the objects up, a few at a time, hands the job to the courier, and waits for it.
class PushTask final : public Task {
 public:
  struct Options {
    std::shared_ptr<PushJob> job;
    std::shared_ptr<const Identity> identity;  // who asked, and may read
    bool tls = false;
    const Store* store = nullptr;
    Courier* courier = nullptr;     // null: nothing is carried (SERVICE_BUSY)
    bool failure_is_error = false;  // Dialect::push_failure_is_error
  };
  explicit PushTask(const Options& options) : options_(options) {}
  ~PushTask() override { options_.job->cancelled = true; }

  bool Step() override;
  bool waiting() const override { return handed_over_ && !options_.job->done; }
  Objection Finish(kinetic::Command* response) override;

 private:
  void LookUp(OwnedPush::Operation* operation);

  Options options_;
  size_t looked_up_ = 0;
  uint64_t bytes_ = 0;
  bool handed_over_ = false;
};

// Checks a PEER2PEERPUSH and copies it to *job.
Objection PreparePush(const kinetic::Command& request, const Caller& caller, const Limits& limits,
                      std::shared_ptr<PushJob>* job);

}  // namespace kbench::server
