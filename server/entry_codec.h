// An entry as bytes, for stores that keep it outside of memory:
//
//   record := format:u8 = 1, flags:u8, varint version_size, version,
//             [varint tag_size, tag]          flags & 1
//             [zigzag varint algorithm]       flags & 2
//             value                           the rest
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/entry.h"

namespace kbench::server {

// Everything but the value, which follows it.
std::string EncodeEntryHead(const Entry& entry);

// DataLoss when these bytes are no record.
absl::StatusOr<EntryRef> DecodeEntry(absl::string_view record);

}  // namespace kbench::server
