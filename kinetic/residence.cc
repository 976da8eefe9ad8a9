#include "kinetic/residence.h"

#include <concepts>

#include "absl/strings/str_cat.h"
#include "kinetic/byte_order.h"

namespace kbench::kinetic {
namespace {

constexpr uint32_t kVersion = 1;
constexpr uint32_t kRecordSize = 32;
constexpr size_t kFixedSize = 4 + 4 + 8 + 8 + 4;

template <std::unsigned_integral UInt>
void Append(UInt v, std::string* out) {
  for (unsigned i = 0; i < sizeof(UInt); ++i) out->push_back(static_cast<char>(v >> (8 * i)));
}

template <std::unsigned_integral UInt>
UInt Take(Bytes* in) {
  const UInt v = LoadLittleEndian<UInt>(in->data());
  *in = in->subspan(sizeof(UInt));
  return v;
}

void StoreRecord(const Residence& record, uint8_t* out) {
  StoreLittleEndian(record.sequence, out);
  StoreLittleEndian(static_cast<uint64_t>(record.received.ns()), out + 8);
  StoreLittleEndian(static_cast<uint64_t>(record.sent.ns()), out + 16);
  StoreLittleEndian(record.flags, out + 24);
  StoreLittleEndian(uint32_t{0}, out + 28);
}

Residence TakeRecord(Bytes* in, uint32_t record_size) {
  Bytes bytes = in->first(record_size);
  *in = in->subspan(record_size);
  Residence record;
  record.sequence = Take<uint64_t>(&bytes);
  record.received = ServerTime(static_cast<int64_t>(Take<uint64_t>(&bytes)));
  record.sent = ServerTime(static_cast<int64_t>(Take<uint64_t>(&bytes)));
  record.flags = Take<uint32_t>(&bytes);
  return record;
}

absl::Status CutShort(absl::string_view what, size_t wanted, size_t came) {
  return absl::InvalidArgumentError(absl::StrCat("the residence log is cut short: ", what,
                                                 " needs ", wanted, " bytes, ", came, " came"));
}

}  // namespace

std::string EncodeResidenceLog(const ResidenceLog& log) {
  std::string out;
  out.reserve(kFixedSize + log.service_spec.size() + log.records.size() * kRecordSize);
  Append(kVersion, &out);
  Append(kRecordSize, &out);
  Append(log.overwritten, &out);
  Append(static_cast<uint64_t>(log.clock_step.count()), &out);
  Append(static_cast<uint32_t>(log.service_spec.size()), &out);
  out.append(log.service_spec);
  size_t at = out.size();
  out.resize(at + log.records.size() * kRecordSize);
  for (const Residence& record : log.records) {
    StoreRecord(record, reinterpret_cast<uint8_t*>(out.data()) + at);
    at += kRecordSize;
  }
  return out;
}

absl::StatusOr<ResidenceLog> DecodeResidenceLog(Bytes value) {
  if (value.size() < kFixedSize) return CutShort("its head", kFixedSize, value.size());
  const auto version = Take<uint32_t>(&value);
  const auto record_size = Take<uint32_t>(&value);
  if (version != kVersion || record_size < kRecordSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("the residence log has version ", version, " and records of ", record_size,
                     " bytes; this build reads version ", kVersion, " with records of at least ",
                     kRecordSize, " bytes. Is the server of another release?"));
  }
  ResidenceLog log;
  log.overwritten = Take<uint64_t>(&value);
  log.clock_step = Nanos(static_cast<int64_t>(Take<uint64_t>(&value)));
  const auto spec_size = Take<uint32_t>(&value);
  if (value.size() < spec_size) return CutShort("its service spec", spec_size, value.size());
  log.service_spec = std::string(AsText(value.first(spec_size)));
  value = value.subspan(spec_size);
  if (value.size() % record_size != 0) {
    return CutShort("the last record", record_size, value.size() % record_size);
  }
  log.records.reserve(value.size() / record_size);
  while (!value.empty()) log.records.push_back(TakeRecord(&value, record_size));
  return log;
}

}  // namespace kbench::kinetic
