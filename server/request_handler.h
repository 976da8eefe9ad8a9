// What a request does: a Command in, a Command and perhaps a value out. The conversation has
// already checked who asks, on which connection and in which sequence; what is left is permission,
// contents and the store.
//
// Three kinds of requests are not answered here and now: changes within a batch (not at all), scans
// and pushes (by a Task, later), and what breaks the connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kinetic/types.h"
#include "server/admin_requests.h"
#include "server/batch_book.h"
#include "server/caller.h"
#include "server/changes.h"
#include "server/dialect.h"
#include "server/entry.h"
#include "server/limits.h"
#include "server/log_request.h"
#include "server/outbox.h"
#include "server/push.h"
#include "server/reads.h"
#include "server/store.h"
#include "server/task.h"

namespace kbench::server {

// One request whose sender is known.
struct IncomingRequest {
  const kinetic::Command* command = nullptr;  // its header has a message type of an even number
  std::shared_ptr<const Identity> identity;
  Caller caller;
  uint64_t skipped_size = 0;     // bytes of a value that was too large to be kept
  BatchBook* batches = nullptr;  // of its connection
};

class RequestHandler {
 public:
  // Borrowed; outlive this object.
  struct Parts {
    const Limits* limits = nullptr;
    const Dialect* dialect = &KbenchDialect();
    Store* store = nullptr;
    Device* device = nullptr;
    OpCounters* counters = nullptr;
    LogRequests* logs = nullptr;
    Courier* courier = nullptr;  // null: no push is carried (SERVICE_BUSY)
    std::function<void()> wake;  // called from threads that have finished a task's work
    kinetic::Synchronization default_synchronization = kinetic::Synchronization::kInvalid;
  };
  explicit RequestHandler(const Parts& parts);
  RequestHandler(const RequestHandler&) = delete;
  RequestHandler& operator=(const RequestHandler&) = delete;

  struct Result {
    Payload payload;                  // the answer's value
    bool answered = true;             // false: a change within a batch, whose fate END_BATCH tells
    std::unique_ptr<Task> task;       // the answer is made by its Finish()
    Ending ending = Ending::kAnswer;  // else the connection ends, and the status is its last word
  };
  // Fills body and status of *response, which comes without either; its views are valid until the
  // next call, or as long as the task.
  Result Handle(const IncomingRequest& request, Value value, kinetic::Command* response);
  // A PIN operation: authenticated by the PIN that it carries, and by nothing else.
  Ending HandlePin(const kinetic::Command& command, kinetic::Text pin, bool tls,
                   kinetic::Command* response);
  // The end of a task.
  Ending Finish(Task* task, kinetic::Command* response);

  BatchRules* batch_rules() { return &batch_rules_; }

 private:
  using Command = kinetic::Command;
  using KeyValue = kinetic::KeyValue;

  // What is not a matter of the batch it names, if it names one.
  Result HandleInBatch(const IncomingRequest& request, Value value, Command* response);
  // Whether the dialect knows such a request at all, and has it any fields missing.
  Objection CheckShape(const IncomingRequest& request, uint64_t value_size) const;
  Objection Dispatch(const IncomingRequest& request, Value value, Command* response,
                     Result* result);
  Objection Change(const IncomingRequest& request, Value value);
  Objection Flush();
  Objection Scan(const IncomingRequest& request, Result* result);
  Objection Optimize(const IncomingRequest& request, Result* result);
  Objection Push(const IncomingRequest& request, Result* result);
  Ending Conclude(Objection objection, Command* response);

  Parts parts_;
  Changes changes_;
  Reads reads_;
  AdminRequests admin_;
  BatchRules batch_rules_;
  std::string why_;  // what the status message of the last answer points to
};

}  // namespace kbench::server
