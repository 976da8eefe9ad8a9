// A whole PDU as a list of what is on the wire: one entry for every field that is present, whoever
// thought of it, so that comparing two lists compares presence as well as contents.
//
//   command.header.ackSequence        7
//   command.body.keyValue             {}            a message without fields is present, too
//   command.status.statusMessage      ""
//   hmacAuth.hmac                     good
//   value                             "..."         of the PDU; absent when its length is 0
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace kbench::server {

using WireFields = std::map<std::string, std::string>;  // path -> value

// `key` is that of the identity with which an answer should be signed. Bytes that are no protobuf
// are an entry, too; so are fields that the schema does not know.
WireFields FieldsOf(Bytes message, Bytes value, absl::string_view key);

// One line that says all of `fields`, in the words of docs/protocol.md: what is as in every answer
// (signed, a header of connectionID, ackSequence and messageType, no statusMessage) is not
// mentioned; everything else is.
//
//   SUCCESS keyValue{}                       NOT_FOUND "" keyValue{}
//   INVALID_REQUEST "..." (no messageType)   HMAC_FAILURE "..." unsolicited, header {}
//
// `texts`: with the words of statusMessage, else "...".
std::string Summary(const WireFields& fields, bool texts = false);

}  // namespace kbench::server
