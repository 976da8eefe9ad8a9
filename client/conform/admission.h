// Whether a server that greets does anything for who asks: a device that is locked or asleep, and
// one that does not know the asker, gives one answer to all requests, which says nothing of them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/conform/interpreter.h"

namespace kbench::conform {

// `noop` is what a first NOOP was answered, as AskNoop() says it. FailedPrecondition: no case can
// be tried; the message says why, and what to do. What was not answered at all is Ok here: only
// further cases tell a server that is silent from one that lost a request. So is, where `chosen`
// cases alone are to be tried, an answer without a command: it is the simulator's to strangers, and
// a broken server's to everybody.
absl::Status Admitted(const Target& target, const Greeting& greeting, const std::string& noop,
                      bool chosen);

}  // namespace kbench::conform
