// Operations to PDUs, for one flow. It keeps one Command whose constant parts are set once, so that
// in the steady state making a request allocates nothing.
#pragma once

#include <cstdint>
#include <string>

#include "agent/workload.h"
#include "base/bytes.h"
#include "kinetic/codec.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench {

// What the server said of a flow when it accepted it: every request repeats it.
struct FlowIdentity {
  int64_t connection_id = 0;
  int64_t cluster_version = 0;
};

class RequestMaker {
 public:
  struct Options {
    int64_t identity = kinetic::kFactoryIdentity;
    kinetic::Synchronization synchronization = kinetic::Synchronization::kWriteBack;
    KeyGenerator keys;
    uint32_t range_keys = 100;              // most keys that a GETKEYRANGE asks for
    const kinetic::HmacKey* key = nullptr;  // outlives the maker; of this thread alone
    const ValuePool* values = nullptr;      // outlives the maker
  };

  explicit RequestMaker(const Options& options);

  void set_flow(const FlowIdentity& flow) { flow_ = flow; }

  // Writes frame header and message to *head, replacing what is there, and gives the value that
  // follows them (empty but for a PUT). Puts and deletes are forced, unless the operation is to be
  // conditional: a version of an earlier run must not make this run's writes fail.
  Bytes Make(const Op& op, uint64_t sequence, std::string* head);

 private:
  Options options_;
  FlowIdentity flow_;
  // Sets command_.key_value or command_.range.
  void AddKey(const Op& op);

  std::string key_text_;
  kinetic::Command command_;
  kinetic::Command log_command_;  // made once: its list of types is the only one of any request
  kinetic::Encoder encoder_;
};

}  // namespace kbench
