#include "tests/server/wire_answer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "kinetic/codec.h"
#include "proto/kinetic.pb.h"

namespace kbench::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

// The published names: ackSequence, connectionID.
std::string Published(absl::string_view name) {
  if (absl::EndsWith(name, "_id")) {
    return absl::StrCat(Published(absl::StripSuffix(name, "_id")), "ID");
  }
  std::string out;
  bool capital = false;
  for (const char c : name) {
    if (c != '_') out += capital ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
    capital = c == '_';
  }
  return out;
}

std::string Quoted(absl::string_view bytes) {
  const bool text = std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '"';
  });
  return text ? absl::StrCat("\"", bytes, "\"") : absl::StrCat("0x", absl::BytesToHexString(bytes));
}

std::string Named(const FieldDescriptor* field, int32_t number) {
  if (field->name() == "auth_type") return Name(static_cast<kinetic::AuthType>(number));
  if (field->name() == "message_type") return Name(static_cast<kinetic::MessageType>(number));
  if (field->name() == "code") return Name(static_cast<kinetic::StatusCode>(number));
  return absl::StrCat(number);
}

class Walk {
 public:
  explicit Walk(WireFields* out) : out_(out) {}

  void Message(const google::protobuf::Message& message, const std::string& path) {
    const Reflection* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    const auto& unknown = reflection->GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i) {
      (*out_)[absl::StrCat(path, ".unknown", unknown.field(i).number())] = "?";
    }
    if (fields.empty() && unknown.field_count() == 0 && !path.empty()) (*out_)[path] = "{}";
    for (const FieldDescriptor* field : fields) {
      const std::string at = absl::StrCat(path, path.empty() ? "" : ".", Published(field->name()));
      if (!field->is_repeated()) {
        Field(message, field, -1, at);
        continue;
      }
      const int count = reflection->FieldSize(message, field);
      for (int i = 0; i < count; ++i) Field(message, field, i, absl::StrCat(at, "[", i, "]"));
    }
  }

 private:
  // One value; `index` below 0: of a field that is not repeated.
  void Field(const google::protobuf::Message& message, const FieldDescriptor* field, int index,
             const std::string& path) {
    const Reflection* r = message.GetReflection();
    const bool one = index < 0;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Message(
            one ? r->GetMessage(message, field) : r->GetRepeatedMessage(message, field, index),
            path);
      case FieldDescriptor::CPPTYPE_STRING:
        (*out_)[path] = Quoted(one ? r->GetString(message, field)
                                   : r->GetRepeatedString(message, field, index));
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        (*out_)[path] = Named(
            field, one ? r->GetInt32(message, field) : r->GetRepeatedInt32(message, field, index));
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        (*out_)[path] = absl::StrCat(one ? r->GetInt64(message, field)
                                         : r->GetRepeatedInt64(message, field, index));
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        (*out_)[path] = absl::StrCat(one ? r->GetUInt32(message, field)
                                         : r->GetRepeatedUInt32(message, field, index));
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        (*out_)[path] = absl::StrCat(one ? r->GetUInt64(message, field)
                                         : r->GetRepeatedUInt64(message, field, index));
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        (*out_)[path] =
            (one ? r->GetBool(message, field) : r->GetRepeatedBool(message, field, index))
                ? "true"
                : "false";
        return;
      case FieldDescriptor::CPPTYPE_FLOAT:
        (*out_)[path] = absl::StrCat(one ? r->GetFloat(message, field)
                                         : r->GetRepeatedFloat(message, field, index));
        return;
      default:
        (*out_)[path] = "of a type that this test does not know";
    }
  }

  WireFields* out_;
};

constexpr absl::string_view kHeader = "command.header";
constexpr absl::string_view kStatus = "command.status";

std::optional<std::string> Take(WireFields* fields, absl::string_view path) {
  const auto it = fields->find(std::string(path));
  if (it == fields->end()) return std::nullopt;
  std::string value = std::move(it->second);
  fields->erase(it);
  return value;
}

// What of the header is not as in every answer.
void TellHeader(WireFields* rest, std::vector<std::string>* odd) {
  if (Take(rest, kHeader).has_value()) return odd->push_back("header {}");
  const bool any = std::any_of(rest->begin(), rest->end(), [](const auto& field) {
    return absl::StartsWith(field.first, "command.header.");
  });
  if (!any) return odd->push_back("no header");
  for (const char* name : {"connectionID", "ackSequence", "messageType"}) {
    if (!Take(rest, absl::StrCat(kHeader, ".", name)).has_value()) {
      odd->push_back(absl::StrCat("no ", name));
    }
  }
}

// The nested form of what begins with `prefix`: keyValue{dbVersion="1"}.
std::string Body(WireFields* rest) {
  constexpr absl::string_view kBody = "command.body.";
  std::map<std::string, std::vector<std::string>> parts;
  std::vector<std::string> order;
  for (auto it = rest->begin(); it != rest->end();) {
    if (!absl::StartsWith(it->first, kBody)) {
      ++it;
      continue;
    }
    const absl::string_view path = absl::string_view(it->first).substr(kBody.size());
    const size_t dot = path.find('.');
    const std::string part(path.substr(0, dot));
    if (!parts.contains(part)) order.push_back(part);
    std::vector<std::string>& inside = parts[part];
    if (dot != absl::string_view::npos) {
      inside.push_back(absl::StrCat(path.substr(dot + 1), "=", it->second));
    }
    it = rest->erase(it);
  }
  std::string out;
  for (const std::string& part : order) {
    absl::StrAppend(&out, " ", part, "{", absl::StrJoin(parts[part], " "), "}");
  }
  return out;
}

}  // namespace

WireFields FieldsOf(Bytes message, Bytes value, absl::string_view key) {
  WireFields out;
  wire::Message proto;
  const std::string bytes(AsText(message));
  if (!proto.ParseFromString(bytes)) return {{"message", "no protobuf"}};
  const bool has_command = proto.has_command_bytes();
  wire::Command command;
  if (has_command && !command.ParseFromString(std::string(proto.command_bytes()))) {
    out["command"] = "no protobuf";
  } else if (has_command) {
    Walk(&out).Message(command, "command");
  }
  if (proto.has_hmac_auth() && proto.hmac_auth().has_hmac()) {
    const bool good =
        kinetic::HmacKey(key).Verify(AsBytes(proto.command_bytes()), proto.hmac_auth().hmac());
    proto.mutable_hmac_auth()->set_hmac(good ? "good" : "wrong");
  }
  proto.clear_command_bytes();
  Walk(&out).Message(proto, "");
  if (const auto it = out.find("hmacAuth.hmac"); it != out.end()) {
    it->second = it->second.substr(1, it->second.size() - 2);
  }
  if (!value.empty()) out["value"] = Quoted(AsText(value));
  return out;
}

std::string Summary(const WireFields& fields, bool texts) {
  WireFields rest = fields;
  std::vector<std::string> odd;
  const std::string auth = Take(&rest, "authType").value_or("no authType");
  const std::string hmac = Take(&rest, "hmacAuth.hmac").value_or("none");
  const bool identity = Take(&rest, "hmacAuth.identity").has_value();
  if (auth == "UNSOLICITEDSTATUS") {
    odd.push_back("unsolicited");
  } else if (auth == "PINAUTH") {
    odd.push_back("unsigned, by PIN");
  } else if (auth != "HMACAUTH") {
    odd.push_back(auth);
  } else if (hmac == "none") {
    odd.push_back("unsigned");
  } else if (hmac != "good" || !identity) {
    odd.push_back(absl::StrCat("hmac ", hmac, identity ? "" : " without identity"));
  }
  const bool command = std::any_of(rest.begin(), rest.end(), [](const auto& field) {
    return absl::StartsWith(field.first, "command");
  });
  if (!command) {
    return absl::StrCat("no command", odd.empty() ? "" : ", ", absl::StrJoin(odd, ", "));
  }
  std::string out = Take(&rest, absl::StrCat(kStatus, ".code")).value_or("no status");
  if (const auto text = Take(&rest, absl::StrCat(kStatus, ".statusMessage"))) {
    absl::StrAppend(&out, " ", *text == "\"\"" || texts ? *text : "\"...\"");
  }
  TellHeader(&rest, &odd);
  out += Body(&rest);
  if (const auto value = Take(&rest, "value")) absl::StrAppend(&out, " value ", *value);
  for (const auto& [path, what] : rest) {
    odd.push_back(absl::StrCat(
        absl::StripPrefix(absl::StripPrefix(path, "command.header."), "command."), " ", what));
  }
  if (!odd.empty()) absl::StrAppend(&out, ", ", absl::StrJoin(odd, ", "));
  return out;
}

}  // namespace kbench::server
