#include "server/log_request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/units.h"
#include "base/version.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::CommandStatus;
using kinetic::MessageType;
using kinetic::StatusCode;

LogRequests::LogRequests(const Limits* limits, const Store* store, const OpCounters* counters,
                         ResidenceTrace* trace)
    : limits_(limits),
      store_(store),
      counters_(counters),
      trace_(trace),
      interfaces_(ReadInterfaces()),
      ticks_at_start_(ReadCpuTicks()),
      started_(MonoNow()) {
  set_port(0);
}

void LogRequests::set_port(uint16_t port) {
  port_ = port;
  serial_number_ = absl::StrCat(ReadHostName(), ":", port);
}

Payload LogRequests::Answer(const Command& request, Command* response) {
  CommandStatus& status = response->status.emplace();
  if (!request.get_log.has_value() || request.get_log->types.empty()) {
    status = {.code = StatusCode::kInvalidRequest, .message = "GETLOG names no type of log"};
    return {};
  }
  const std::vector<kinetic::GetLog::Type>& types = request.get_log->types;
  for (auto it = types.begin(); it != types.end(); ++it) {
    if (std::find(types.begin(), it, *it) == it) continue;
    status = {.code = StatusCode::kInvalidRequest, .message = "GETLOG names a type of log twice"};
    return {};
  }
  kinetic::GetLog& log = response->get_log.emplace();
  log.types = types;
  status.code = StatusCode::kSuccess;
  Payload payload;
  for (const kinetic::GetLog::Type type : log.types) {
    switch (type) {
      case kinetic::GetLog::Type::kUtilizations:
        FillUtilizations(&log);
        continue;
      case kinetic::GetLog::Type::kTemperatures:
        continue;
      case kinetic::GetLog::Type::kCapacities:
        FillCapacity(&log);
        continue;
      case kinetic::GetLog::Type::kConfiguration:
        FillConfiguration(&log);
        continue;
      case kinetic::GetLog::Type::kStatistics:
        FillStatistics(&log);
        continue;
      case kinetic::GetLog::Type::kMessages:
        FillMessages(&log);
        continue;
      case kinetic::GetLog::Type::kLimits:
        FillLimits(&log);
        continue;
      case kinetic::GetLog::Type::kDevice: {
        const absl::string_view name = request.get_log->device_name.value_or("");
        std::optional<std::string> bytes = trace_->Read(name, limits_->value_size);
        if (!bytes.has_value()) {
          error_ = trace_->records_per_connection() == 0
                       ? std::string("this server was started without residence records")
                       : absl::StrCat("there is no device log \"", name, "\"; this server has ",
                                      kinetic::kResidenceLogPrefix, "<connectionID>");
          status = {.code = StatusCode::kNotFound, .message = error_};
          response->get_log.reset();
          return {};
        }
        auto owner = std::make_shared<const std::string>(*std::move(bytes));
        payload.bytes = AsBytes(*owner);
        payload.owner = std::move(owner);
        continue;
      }
      case kinetic::GetLog::Type::kInvalid:
        break;
    }
    error_ = absl::StrCat("there is no log of type ", static_cast<int32_t>(type));
    status = {.code = StatusCode::kInvalidRequest, .message = error_};
    response->get_log.reset();
    return {};
  }
  return payload;
}

void LogRequests::FillGreeting(kinetic::GetLog* log) {
  log->types = {kinetic::GetLog::Type::kConfiguration, kinetic::GetLog::Type::kLimits};
  FillConfiguration(log);
  FillLimits(log);
}

void LogRequests::FillConfiguration(kinetic::GetLog* log) {
  kinetic::GetLog::Configuration& configuration = log->configuration.emplace();
  configuration.vendor = "kbench";
  configuration.model = "kbench-server, memory store";
  configuration.serial_number = serial_number_;
  configuration.version = ReleaseVersion();
  configuration.source_hash = BuildId();
  configuration.protocol_version = "4.0.1";
  for (const HostInterface& interface : interfaces_) {
    configuration.interfaces.push_back({.name = interface.name,
                                        .mac = interface.mac,
                                        .ipv4_address = interface.ipv4,
                                        .ipv6_address = interface.ipv6});
  }
  configuration.port = port_;
  configuration.current_power_level = 1;  // operational
}

void LogRequests::FillLimits(kinetic::GetLog* log) const {
  kinetic::GetLog::Limits& limits = log->limits.emplace();
  limits.max_key_size = limits_->key_size;
  limits.max_value_size = limits_->value_size;
  limits.max_version_size = limits_->version_size;
  limits.max_tag_size = limits_->tag_size;
  limits.max_connections = limits_->connections;
  limits.max_outstanding_read_requests = kUnlimited;
  limits.max_outstanding_write_requests = kUnlimited;
  limits.max_message_size = limits_->message_size;
  limits.max_key_range_count = limits_->range_keys;
  limits.max_identity_count = limits_->identities;
}

void LogRequests::FillUtilizations(kinetic::GetLog* log) {
  const std::optional<CpuTicks> now = ReadCpuTicks();
  if (now.has_value() && ticks_at_start_.has_value() && now->total > ticks_at_start_->total) {
    const uint64_t busy = now->busy - ticks_at_start_->busy;
    const uint64_t total = now->total - ticks_at_start_->total;
    log->utilizations.push_back(
        {.name = "CPU",  // of the host, since this server started
         .value = static_cast<float>(static_cast<double>(busy) / static_cast<double>(total))});
  }
  if (const std::optional<Memory> memory = ReadMemory(); memory.has_value()) {
    const double available = static_cast<double>(memory->available_bytes);
    log->utilizations.push_back(
        {.name = "MEMORY",
         .value = static_cast<float>(1 - available / static_cast<double>(memory->total_bytes))});
  }
  const double alive_ns = static_cast<double>((MonoNow() - started_).count());
  const double cpu_ns = static_cast<double>(ReadClockNs(CLOCK_PROCESS_CPUTIME_ID));
  log->utilizations.push_back(
      {.name = "SERVER_CPU",  // of one processor, by this process, since it started
       .value = static_cast<float>(alive_ns > 0 ? cpu_ns / alive_ns : 0)});
}

void LogRequests::FillCapacity(kinetic::GetLog* log) const {
  const std::optional<Memory> memory = ReadMemory();
  if (!memory.has_value()) return;
  const double stored = static_cast<double>(store_->bytes());
  log->capacity = {
      .nominal_capacity_bytes = memory->total_bytes,
      .portion_full = static_cast<float>(stored / static_cast<double>(memory->total_bytes))};
}

void LogRequests::FillStatistics(kinetic::GetLog* log) const {
  for (int type = 0; type < OpCounters::kTypes; ++type) {
    const OpCounters::Count& count = counters_->of(type);
    if (count.count == 0) continue;
    log->statistics.push_back({.message_type = static_cast<MessageType>(type),
                               .count = count.count,
                               .bytes = count.bytes});
  }
}

void LogRequests::FillMessages(kinetic::GetLog* log) {
  uint64_t requests = 0;
  for (int type = 0; type < OpCounters::kTypes; ++type) requests += counters_->of(type).count;
  messages_ = absl::StrCat("kbench-server ", BuildId(), " has answered ", requests, " requests in ",
                           HumanDuration(static_cast<double>((MonoNow() - started_).count())),
                           " and stores ", FormatSize(static_cast<int64_t>(store_->bytes())), "\n");
  log->messages = messages_;
}

}  // namespace kbench::server
