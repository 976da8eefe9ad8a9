// Work on one request that takes longer than one turn of the server's loop: a scan of the medium, a
// push to another server. Meanwhile its connection's next requests wait, and all others go on.
#pragma once

#include "kinetic/types.h"
#include "server/refusal.h"

namespace kbench::server {

class Task {
 public:
  virtual ~Task() = default;

  // Works for about a millisecond at most. True: finished.
  virtual bool Step() = 0;
  // Nothing to do until another thread wakes the server.
  virtual bool waiting() const { return false; }
  // What it came to: fills the response's body; views in it live as long as the task.
  virtual Objection Finish(kinetic::Command* response) = 0;
};

}  // namespace kbench::server
