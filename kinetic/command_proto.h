// Plain commands to protobuf and back: the only place that knows both vocabularies.
//
// An optional member is present on one side exactly when it is present on the other. Members of
// repeated log entries that are not optional have no "absent": a name is sent unless it is empty,
// a statistics entry's message type unless it is kInvalid, a number always. A body, pinOp or power
// that says nothing is as good as absent: such a message is read, and written without it.
#pragma once

#include "kinetic/types.h"

namespace kbench::wire {
class Command;
}

namespace kbench::kinetic {

// Writes into a cleared *proto; what it allocated before is used again.
void ToProto(const Command& command, wire::Command* proto);

// Replaces *command. Its views point into `proto`. Every proto has a meaning: unknown enumeration
// numbers pass through, so there is nothing to refuse.
void FromProto(const wire::Command& proto, Command* command);

}  // namespace kbench::kinetic
