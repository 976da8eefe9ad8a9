// Answers GETLOG: what this device says about itself, in numbers that were measured on this host.
// What the host does not tell has a name and no number (kinetic-java and kinetic-c want the names
// to be there), never a made-up one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kinetic/types.h"
#include "server/device.h"
#include "server/dialect.h"
#include "server/host_report.h"
#include "server/limits.h"
#include "server/op_counters.h"
#include "server/outbox.h"
#include "server/refusal.h"
#include "server/residence_trace.h"
#include "server/store.h"

namespace kbench::server {

class LogRequests {
 public:
  // The pointers are borrowed and outlive this object.
  LogRequests(const Limits* limits, const Dialect* dialect, const Store* store,
              const OpCounters* counters, ResidenceTrace* trace, const Device* device);

  // 0: the server does not listen there.
  void set_ports(uint16_t port, uint16_t tls_port);

  // Fills the body of *response. Its views stay valid until the next call.
  Objection Answer(const kinetic::Command& request, kinetic::Command* response, Payload* payload);

  // Configuration and limits, as a handshake carries them.
  void FillGreeting(kinetic::GetLog* log);

 private:
  using Type = kinetic::GetLog::Type;
  Objection Fill(Type type, const kinetic::Command& request, kinetic::GetLog* log,
                 Payload* payload);
  Objection FillDevice(kinetic::Text name, kinetic::GetLog* log, Payload* payload);
  void FillConfiguration(kinetic::GetLog* log);
  void FillLimits(kinetic::GetLog* log) const;
  void FillUtilizations(kinetic::GetLog* log);
  void FillTemperatures(kinetic::GetLog* log) const;
  void FillCapacity(kinetic::GetLog* log) const;
  void FillStatistics(kinetic::GetLog* log) const;
  void FillMessages(kinetic::GetLog* log);

  const Limits* limits_;
  const Dialect* dialect_;
  const Store* store_;
  const OpCounters* counters_;
  ResidenceTrace* trace_;
  const Device* device_;
  uint16_t port_ = 0;
  uint16_t tls_port_ = 0;
  std::string model_;
  std::string serial_number_;
  std::string world_wide_name_;
  std::vector<HostInterface> interfaces_;
  std::optional<CpuTicks> ticks_at_start_;
  std::optional<Nanos> disk_busy_at_start_;
  MonoTime started_;
  std::string messages_, device_name_;  // what views of the last answer point to
};

}  // namespace kbench::server
