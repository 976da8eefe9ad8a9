// The reference server's own record of how long each request was inside it, and its bytes.
//
// Kinetic carries no per-operation server time, so kbench-server offers its records as a device
// log: GETLOG of type DEVICE with the name kResidenceLogPrefix followed by a decimal connectionID
// returns, as the PDU's value, the records of that connection that are still kept, oldest first, as
// many as fit; with "/SEQUENCE" after the connectionID, those from that request sequence on.
// A server of another make answers NOT_FOUND, and the split is then "not available".
//
//   value := version:u32le record_size:u32le overwritten:u64le clock_step_ns:i64le
//            service_spec_size:u32le service_spec:bytes record*
//   record := sequence:u64le received:i64le sent:i64le flags:u32le reserved:u32le   (32 bytes)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace kbench::kinetic {

inline constexpr absl::string_view kResidenceLogPrefix = "org.kbench.residence/";

struct Residence {
  enum Flags : uint32_t {
    // `received` is the kernel's stamp of the request's last packet; without it, the instant at
    // which the server's receive call returned (wake-up and queueing before it not included).
    kKernelReceived = 1u << 0,
    // The stamp belongs to a later packet too: other requests were read in the same call.
    kSharedStamp = 1u << 1,
  };
  uint64_t sequence = 0;
  ServerTime received;  // last byte of the request in
  ServerTime sent;      // just before the response's first byte was handed to the kernel
  uint32_t flags = 0;

  Nanos duration() const { return sent - received; }
};

struct ResidenceLog {
  uint64_t overwritten = 0;  // records of this connection that the ring no longer holds
  // Largest change seen since this connection opened between the server host's realtime and
  // monotonic clocks; records mix kernel and user stamps of the realtime clock, so a step makes
  // them worthless.
  Nanos clock_step;
  std::string service_spec;  // the service time that was injected, as given on the command line
  std::vector<Residence> records;
};

std::string EncodeResidenceLog(const ResidenceLog& log);
absl::StatusOr<ResidenceLog> DecodeResidenceLog(Bytes value);

}  // namespace kbench::kinetic
