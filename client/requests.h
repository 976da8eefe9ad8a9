// A Command for every request of the protocol. The views in them are the caller's; connectionID,
// cluster version, sequence and signature are the Dialogue's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kinetic/tag.h"
#include "kinetic/types.h"

namespace kbench::client {

// Changes. `versions` compare and set: the change happens if the stored version is `expected`
// (empty: nothing is stored), or in any case with `force`.
struct Versions {
  kinetic::Text expected;
  kinetic::Text next;  // of a PUT
  bool force = false;
};
kinetic::Command PutRequest(
    kinetic::Text key, const Versions& versions = {.force = true},
    kinetic::Synchronization synchronization = kinetic::Synchronization::kWriteThrough);
// The tag of the value, beside it. `tag` is borrowed like all views of a Command.
void SetTag(const kinetic::Tag& tag, kinetic::Command* put);
kinetic::Command DeleteRequest(
    kinetic::Text key, const Versions& versions = {.force = true},
    kinetic::Synchronization synchronization = kinetic::Synchronization::kWriteThrough);

// Looking.
kinetic::Command GetRequest(kinetic::Text key, bool metadata_only = false);
kinetic::Command GetNextRequest(kinetic::Text key);
kinetic::Command GetPreviousRequest(kinetic::Text key);
kinetic::Command GetVersionRequest(kinetic::Text key);
kinetic::Command KeyRangeRequest(const kinetic::Range& range);
kinetic::Command GetLogRequest(const std::vector<kinetic::GetLog::Type>& types);
kinetic::Command DeviceLogRequest(kinetic::Text name);

// The connection and the medium.
kinetic::Command NoopRequest();
kinetic::Command FlushRequest();
kinetic::Command MediaScanRequest(const kinetic::Range& range);
kinetic::Command MediaOptimizeRequest(const kinetic::Range& range);

// Batches: client/client.h has the class that sends these.
kinetic::Command StartBatchRequest(uint32_t id);
kinetic::Command EndBatchRequest(uint32_t id, uint32_t count);
kinetic::Command AbortBatchRequest(uint32_t id);

// Objects from this server to another.
kinetic::Command PushRequest(const kinetic::P2pOperation& push);

// Administration; most of it needs TLS.
kinetic::Command SetClusterVersionRequest(int64_t version);
kinetic::Command FirmwareRequest();  // the image is the value
kinetic::Command SetAclsRequest(const std::vector<kinetic::Security::Acl>& acls);
kinetic::Command SetLockPinRequest(kinetic::Text old_pin, kinetic::Text new_pin);
kinetic::Command SetErasePinRequest(kinetic::Text old_pin, kinetic::Text new_pin);
kinetic::Command PinRequest(kinetic::PinOp op);
kinetic::Command PowerRequest(kinetic::PowerLevel level);

}  // namespace kbench::client
