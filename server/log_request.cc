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
using kinetic::MessageType;
using kinetic::StatusCode;
using Type = kinetic::GetLog::Type;

LogRequests::LogRequests(const Limits* limits, const Dialect* dialect, const Store* store,
                         const OpCounters* counters, ResidenceTrace* trace, const Device* device)
    : limits_(limits),
      dialect_(dialect),
      store_(store),
      counters_(counters),
      trace_(trace),
      device_(device),
      model_(absl::StrCat("kbench-server, ", std::string(store->name()), " store",
                          dialect == &KbenchDialect() ? "" : ", dialect ",
                          dialect == &KbenchDialect() ? "" : std::string(dialect->name))),
      interfaces_(ReadInterfaces()),
      ticks_at_start_(ReadCpuTicks()),
      disk_busy_at_start_(ReadDiskBusy()),
      started_(MonoNow()) {
  set_ports(0, 0);
}

void LogRequests::set_ports(uint16_t port, uint16_t tls_port) {
  port_ = port;
  tls_port_ = tls_port;
  serial_number_ = absl::StrCat(ReadHostName(), ":", port != 0 ? port : tls_port);
  world_wide_name_ = absl::StrCat("org.kbench:", serial_number_);
}

Objection LogRequests::Answer(const Command& request, Command* response, Payload* payload) {
  if (!request.get_log.has_value() || request.get_log->types.empty()) {
    return Invalid("GETLOG names no type of log");
  }
  const std::vector<Type>& types = request.get_log->types;
  constexpr size_t kTypesThereAre = 8;
  if (types.size() > kTypesThereAre) return Invalid("GETLOG names more types than there are");
  for (auto it = types.begin(); it != types.end(); ++it) {
    if (std::find(types.begin(), it, *it) != it) return Invalid("GETLOG names a type of log twice");
  }
  kinetic::GetLog& log = response->get_log.emplace();
  log.types = types;
  for (const Type type : types) {
    Objection refused = Fill(type, request, &log, payload);
    if (!refused.has_value()) continue;
    response->get_log.emplace().types = types;  // what was asked, and none of it
    *payload = {};
    return refused;
  }
  return std::nullopt;
}

Objection LogRequests::Fill(Type type, const Command& request, kinetic::GetLog* log,
                            Payload* payload) {
  switch (type) {
    case Type::kUtilizations:
      FillUtilizations(log);
      return std::nullopt;
    case Type::kTemperatures:
      FillTemperatures(log);
      return std::nullopt;
    case Type::kCapacities:
      FillCapacity(log);
      return std::nullopt;
    case Type::kConfiguration:
      FillConfiguration(log);
      return std::nullopt;
    case Type::kStatistics:
      FillStatistics(log);
      return std::nullopt;
    case Type::kMessages:
      FillMessages(log);
      return std::nullopt;
    case Type::kLimits:
      FillLimits(log);
      return std::nullopt;
    case Type::kDevice:
      return FillDevice(request.get_log->device_name.value_or(""), log, payload);
    case Type::kInvalid:
      break;
  }
  return Invalid(absl::StrCat("there is no log of type ", static_cast<int32_t>(type)));
}

Objection LogRequests::FillDevice(kinetic::Text name, kinetic::GetLog* log, Payload* payload) {
  std::optional<std::string> bytes = trace_->Read(name, limits_->value_size);
  if (!bytes.has_value()) {
    return Refusal{
        .code = StatusCode::kNotFound,
        .why = trace_->records_per_connection() == 0
                   ? std::string("this server was started without residence records")
                   : absl::StrCat("there is no device log \"", name, "\"; this server has ",
                                  kinetic::kResidenceLogPrefix, "<connectionID>"),
        .in_detail = dialect_->unknown_log_in_detail};
  }
  auto owner = std::make_shared<const std::string>(*std::move(bytes));
  payload->bytes = AsBytes(*owner);
  payload->owner = std::move(owner);
  device_name_ = std::string(name);
  log->device_name = device_name_;
  return std::nullopt;
}

void LogRequests::FillGreeting(kinetic::GetLog* log) {
  FillConfiguration(log);
  FillLimits(log);
}

void LogRequests::FillConfiguration(kinetic::GetLog* log) {
  kinetic::GetLog::Configuration& configuration = log->configuration.emplace();
  configuration.vendor = "kbench";
  configuration.model = model_;
  configuration.serial_number = serial_number_;
  configuration.world_wide_name = world_wide_name_;
  configuration.version = ReleaseVersion();
  configuration.compilation_date = BuildDate();
  configuration.source_hash = BuildId();
  configuration.protocol_version = dialect_->protocol_version;
  configuration.protocol_compilation_date = BuildDate();  // the schema is part of this build
  configuration.protocol_source_hash = BuildId();
  for (const HostInterface& interface : interfaces_) {
    configuration.interfaces.push_back({.name = interface.name,
                                        .mac = interface.mac,
                                        .ipv4_address = interface.ipv4,
                                        .ipv6_address = interface.ipv6});
  }
  configuration.port = port_;
  configuration.tls_port = tls_port_;
  if (dialect_->tells_power_level) {
    configuration.current_power_level = static_cast<int32_t>(device_->power());
  }
}

void LogRequests::FillLimits(kinetic::GetLog* log) const {
  kinetic::GetLog::Limits& limits = log->limits.emplace();
  const auto told = [this](LimitFlag flag, uint32_t limit) -> std::optional<uint32_t> {
    if ((limits_->untold & flag) != 0) return std::nullopt;
    return (limits_->unlimited & flag) != 0 ? kUnlimited : limit;
  };
  limits.max_key_size = told(kKeyLimit, limits_->key_size);
  limits.max_value_size = told(kValueLimit, limits_->value_size);
  limits.max_version_size = told(kVersionLimit, limits_->version_size);
  limits.max_tag_size = told(kTagLimit, limits_->tag_size);
  limits.max_connections = told(kConnectionsLimit, limits_->connections);
  limits.max_outstanding_read_requests = told(kReadDepthLimit, limits_->read_depth);
  limits.max_outstanding_write_requests = told(kWriteDepthLimit, limits_->write_depth);
  limits.max_message_size = told(kMessageLimit, limits_->message_size);
  limits.max_key_range_count = told(kRangeLimit, limits_->range_keys);
  limits.max_identity_count = told(kIdentitiesLimit, limits_->identities);
  limits.max_pin_size = told(kPinLimit, limits_->pin_size);
  limits.max_operation_count_per_batch = told(kBatchOperationsLimit, limits_->batch_operations);
  limits.max_batch_count_per_device = told(kBatchesLimit, limits_->batches);
  limits.max_batch_size = told(kBatchSizeLimit, limits_->batch_size);
  limits.max_deletes_per_batch = told(kBatchDeletesLimit, limits_->batch_operations);
}

void LogRequests::FillUtilizations(kinetic::GetLog* log) {
  // All since this server started, but for the memory, which is as of now.
  const auto add = [log](kinetic::Text name, std::optional<double> value) {
    kinetic::GetLog::Utilization& utilization = log->utilizations.emplace_back();
    utilization.name = name;
    if (value.has_value()) utilization.value = static_cast<float>(std::clamp(*value, 0.0, 1.0));
  };
  const double alive_ns = std::max(static_cast<double>((MonoNow() - started_).count()), 1.0);
  std::optional<double> disk, cpu, memory;
  if (const auto busy = ReadDiskBusy(); busy.has_value() && disk_busy_at_start_.has_value()) {
    disk = static_cast<double>((*busy - *disk_busy_at_start_).count()) / alive_ns;
  }
  const std::optional<CpuTicks> now = ReadCpuTicks();
  if (now.has_value() && ticks_at_start_.has_value() && now->total > ticks_at_start_->total) {
    cpu = static_cast<double>(now->busy - ticks_at_start_->busy) /
          static_cast<double>(now->total - ticks_at_start_->total);
  }
  if (const std::optional<Memory> read = ReadMemory(); read.has_value()) {
    memory =
        1 - static_cast<double>(read->available_bytes) / static_cast<double>(read->total_bytes);
  }
  add("HDA", disk);  // the host's busiest disk
  add("CPU", cpu);   // all of the host's processors
  add("MEMORY", memory);
  // Of one processor, by this process.
  add("SERVER_CPU", static_cast<double>(ReadClockNs(CLOCK_PROCESS_CPUTIME_ID)) / alive_ns);
}

void LogRequests::FillTemperatures(kinetic::GetLog* log) const {
  const HostTemperatures host = ReadTemperatures();
  log->temperatures.push_back({.name = "HDA", .current = host.disk});
  log->temperatures.push_back({.name = "CPU", .current = host.cpu});
}

void LogRequests::FillCapacity(kinetic::GetLog* log) const {
  Store::Room room = store_->room();
  if (room.capacity_bytes == UINT64_MAX) {  // no limit but the host's memory
    room.capacity_bytes = ReadMemory().value_or(Memory()).total_bytes;
  }
  if (room.capacity_bytes == 0) return;
  log->capacity = {.nominal_capacity_bytes = room.capacity_bytes,
                   .portion_full = static_cast<float>(static_cast<double>(room.used_bytes) /
                                                      static_cast<double>(room.capacity_bytes))};
}

void LogRequests::FillStatistics(kinetic::GetLog* log) const {
  // Every request that there is, asked for or not: kinetic-java wants the list not to be empty.
  for (int type = 0; type < OpCounters::kTypes; ++type) {
    const OpCounters::Count& count = counters_->of(type);
    if (count.count == 0 && !dialect_->Knows(static_cast<MessageType>(type))) continue;
    kinetic::GetLog::Statistics& told = log->statistics.emplace_back();
    told = {
        .message_type = static_cast<MessageType>(type), .count = count.count, .bytes = count.bytes};
    if (dialect_->tells_latency) told.max_latency_ms = count.max_latency_ms;
  }
}

void LogRequests::FillMessages(kinetic::GetLog* log) {
  uint64_t requests = 0;
  for (int type = 0; type < OpCounters::kTypes; ++type) requests += counters_->of(type).count;
  messages_ = absl::StrCat("kbench-server ", BuildId(), " has answered ", requests, " requests in ",
                           HumanDuration(static_cast<double>((MonoNow() - started_).count())), "; ",
                           std::string(store_->name()), " store, ", store_->room().used_bytes,
                           " bytes used\n");
  log->messages = messages_;
}

}  // namespace kbench::server
