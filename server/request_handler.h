// What a request does: a Command in, a Command and perhaps a value out. The conversation has
// already checked who asks, on which connection and in which sequence.
#pragma once

#include <string>

#include "kinetic/types.h"
#include "server/entry.h"
#include "server/limits.h"
#include "server/log_request.h"
#include "server/outbox.h"
#include "server/store.h"

namespace kbench::server {

class RequestHandler {
 public:
  // The pointers are borrowed and outlive this object.
  RequestHandler(const Limits* limits, Store* store, OpCounters* counters, LogRequests* logs)
      : limits_(limits), store_(store), counters_(counters), logs_(logs) {}

  // Answers `request`, whose header has a message type of an even number. Fills body and status of
  // *response, which comes without either; its views are valid until the next call. The result
  // is the answer's value.
  Payload Handle(const kinetic::Command& request, Value value, kinetic::Command* response);

 private:
  using Command = kinetic::Command;
  using KeyValue = kinetic::KeyValue;

  Payload Dispatch(const Command& request, Value value, Command* response);
  void Put(const KeyValue& put, Value value, Command* response);
  void Delete(const KeyValue& erase, Command* response);
  Payload Get(const KeyValue& get, Command* response);
  Payload GetNeighbour(const KeyValue& get, bool next, Command* response);
  void GetVersion(const KeyValue& get, Command* response);
  void GetKeyRange(const Command& request, Command* response);

  // Fails the request with a sentence for its sender.
  void Refuse(kinetic::StatusCode code, std::string why, Command* response);
  // Whether the lengths are within the limits; if not, the request is refused.
  bool WithinLimits(const KeyValue& key_value, Command* response);
  // Whether a change says when it shall be durable and is no part of a batch.
  bool MayChange(const Command& request, Command* response);

  const Limits* limits_;
  Store* store_;
  OpCounters* counters_;
  LogRequests* logs_;
  std::string why_;  // what the status message of the last answer points to
};

}  // namespace kbench::server
