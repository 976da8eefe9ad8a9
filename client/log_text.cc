#include "client/log_text.h"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace kbench::client {
namespace {

using kinetic::GetLog;
using nlohmann::ordered_json;

template <typename T>
using Named = std::vector<std::pair<const char*, std::optional<T>>>;

Named<kinetic::Text> Texts(const GetLog::Configuration& c) {
  return {{"vendor", c.vendor},
          {"model", c.model},
          {"serial_number", c.serial_number},
          {"world_wide_name", c.world_wide_name},
          {"version", c.version},
          {"protocol_version", c.protocol_version}};
}

Named<uint32_t> Numbers(const GetLog::Limits& l) {
  return {{"max_key_size", l.max_key_size},
          {"max_value_size", l.max_value_size},
          {"max_version_size", l.max_version_size},
          {"max_tag_size", l.max_tag_size},
          {"max_connections", l.max_connections},
          {"max_outstanding_read_requests", l.max_outstanding_read_requests},
          {"max_outstanding_write_requests", l.max_outstanding_write_requests},
          {"max_message_size", l.max_message_size},
          {"max_key_range_count", l.max_key_range_count},
          {"max_identity_count", l.max_identity_count},
          {"max_pin_size", l.max_pin_size},
          {"max_operation_count_per_batch", l.max_operation_count_per_batch},
          {"max_batch_count_per_device", l.max_batch_count_per_device}};
}

std::string Limit(uint32_t limit) {
  return limit == UINT32_MAX ? "unlimited" : std::to_string(limit);
}

}  // namespace

void ShowLog(const GetLog& log, std::ostream* out) {
  for (const GetLog::Utilization& u : log.utilizations) {
    *out << "utilization " << u.name << " ";
    u.value.has_value() ? *out << *u.value << "\n" : *out << "unknown\n";
  }
  for (const GetLog::Temperature& t : log.temperatures) {
    *out << "temperature " << t.name << " ";
    t.current.has_value() ? *out << *t.current << "\n" : *out << "unknown\n";
  }
  if (log.capacity.has_value()) {
    *out << "capacity_bytes " << log.capacity->nominal_capacity_bytes.value_or(0)
         << "\nportion_full " << log.capacity->portion_full.value_or(0) << "\n";
  }
  if (log.configuration.has_value()) {
    for (const auto& [name, text] : Texts(*log.configuration)) {
      if (text.has_value()) *out << name << " " << *text << "\n";
    }
    *out << "port " << log.configuration->port.value_or(0) << "\ntls_port "
         << log.configuration->tls_port.value_or(0) << "\n";
  }
  for (const GetLog::Statistics& s : log.statistics) {
    *out << "statistics " << kinetic::Name(s.message_type) << " count " << s.count << " bytes "
         << s.bytes << "\n";
  }
  if (log.messages.has_value()) *out << *log.messages;
  if (log.limits.has_value()) {
    for (const auto& [name, limit] : Numbers(*log.limits)) {
      if (limit.has_value()) *out << name << " " << Limit(*limit) << "\n";
    }
  }
}

ordered_json LogJson(const GetLog& log) {
  ordered_json json = ordered_json::object();
  for (const GetLog::Utilization& u : log.utilizations) {
    if (u.value.has_value()) json["utilizations"][std::string(u.name)] = *u.value;
  }
  for (const GetLog::Temperature& t : log.temperatures) {
    if (t.current.has_value()) json["temperatures"][std::string(t.name)] = *t.current;
  }
  if (log.capacity.has_value()) {
    json["capacity_bytes"] = log.capacity->nominal_capacity_bytes.value_or(0);
    json["portion_full"] = log.capacity->portion_full.value_or(0);
  }
  if (log.configuration.has_value()) {
    ordered_json& told = json["configuration"] = ordered_json::object();
    for (const auto& [name, text] : Texts(*log.configuration)) {
      if (text.has_value()) told[name] = std::string(*text);
    }
    told["port"] = log.configuration->port.value_or(0);
    told["tls_port"] = log.configuration->tls_port.value_or(0);
  }
  for (const GetLog::Statistics& s : log.statistics) {
    json["statistics"][kinetic::Name(s.message_type)] = {{"count", s.count}, {"bytes", s.bytes}};
  }
  if (log.messages.has_value()) json["messages"] = std::string(*log.messages);
  if (log.limits.has_value()) {
    ordered_json& told = json["limits"] = ordered_json::object();
    for (const auto& [name, limit] : Numbers(*log.limits)) {
      if (limit.has_value())
        told[name] = *limit == UINT32_MAX ? ordered_json() : ordered_json(*limit);
    }
  }
  return json;
}

}  // namespace kbench::client
