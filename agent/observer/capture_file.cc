#include "agent/observer/capture_file.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kbench::observer {
namespace {

constexpr int kLongest = 262'144;  // what readers of capture files take
constexpr size_t kSllHeader = 16;
constexpr uint16_t kSllEthernet = 1;  // the kind of address that is not told

std::optional<LinkType> LinkOf(int dlt) {
  switch (dlt) {
    case DLT_EN10MB:
      return LinkType::kEthernet;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return LinkType::kRawIp;
    case DLT_LINUX_SLL:
      return LinkType::kLinuxSll;
    case DLT_LINUX_SLL2:
      return LinkType::kLinuxSll2;
    case DLT_LOOP:
      return LinkType::kLoopback;
    case DLT_NULL:
      return LinkType::kNull;
    default:
      return std::nullopt;
  }
}

void Append16(uint16_t v, std::string* out) {
  out->push_back(static_cast<char>(v >> 8));
  out->push_back(static_cast<char>(v));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CaptureReader>> CaptureReader::Open(const std::string& path) {
  if (std::FILE* file = std::fopen(path.c_str(), "rb"); file != nullptr) {
    std::fclose(file);
  } else {
    const std::string text = absl::StrCat("cannot read ", path, ": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
  }
  std::unique_ptr<CaptureReader> reader(new CaptureReader);
  reader->path_ = path;
  char why[PCAP_ERRBUF_SIZE] = "";
  reader->pcap_ =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, why);
  if (reader->pcap_ == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no capture file (pcap or pcapng): ", why));
  }
  const int dlt = pcap_datalink(reader->pcap_);
  const std::optional<LinkType> link = LinkOf(dlt);
  if (!link.has_value()) {
    const char* name = pcap_datalink_val_to_name(dlt);
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds packets of the link type ", name == nullptr ? "" : name, " (",
                     dlt, "); read are Ethernet, raw IP, Linux cooked (SLL, SLL2) and loopback"));
  }
  reader->link_ = *link;
  return reader;
}

CaptureReader::~CaptureReader() {
  if (pcap_ != nullptr) pcap_close(pcap_);
}

absl::StatusOr<bool> CaptureReader::Next(Packet* packet) {
  for (;;) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int result = pcap_next_ex(pcap_, &header, &bytes);
    if (result == PCAP_ERROR_BREAK) return false;
    if (result != 1) {
      return absl::DataLossError(
          absl::StrCat(path_, " ends badly after ", packets_, " packets: ", pcap_geterr(pcap_)));
    }
    ++packets_;
    if (!ParseLink(link_, Bytes(bytes, header->caplen), header->len, packet)) continue;
    // With this precision tv_usec holds nanoseconds.
    packet->stamp = RealTime(int64_t{header->ts.tv_sec} * 1'000'000'000 + header->ts.tv_usec);
    return true;
  }
}

absl::StatusOr<std::unique_ptr<CaptureWriter>> CaptureWriter::Open(const std::string& path) {
  std::unique_ptr<CaptureWriter> writer(new CaptureWriter);
  writer->path_ = path;
  writer->pcap_ =
      pcap_open_dead_with_tstamp_precision(DLT_LINUX_SLL, kLongest, PCAP_TSTAMP_PRECISION_NANO);
  if (writer->pcap_ == nullptr) return absl::ResourceExhaustedError("no memory for a capture file");
  writer->dumper_ = pcap_dump_open(writer->pcap_, path.c_str());
  if (writer->dumper_ == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write a capture: ", pcap_geterr(writer->pcap_)));
  }
  return writer;
}

CaptureWriter::~CaptureWriter() {
  if (dumper_ != nullptr) pcap_dump_close(dumper_);
  if (pcap_ != nullptr) pcap_close(pcap_);
}

void CaptureWriter::Write(const Packet& packet) {
  if (dumper_ == nullptr) return;
  frame_.clear();
  Append16(packet.type == PacketType::kOutgoing ? 4 : 0, &frame_);
  Append16(kSllEthernet, &frame_);
  frame_.append(10, '\0');  // no address
  Append16(packet.ethertype, &frame_);
  const size_t captured = std::min(packet.network.size(), kLongest - kSllHeader);
  frame_.append(reinterpret_cast<const char*>(packet.network.data()), captured);
  pcap_pkthdr header = {};
  header.ts.tv_sec = packet.stamp.ns() / 1'000'000'000;
  header.ts.tv_usec = packet.stamp.ns() % 1'000'000'000;
  header.caplen = static_cast<bpf_u_int32>(frame_.size());
  header.len = static_cast<bpf_u_int32>(kSllHeader + packet.network_size);
  pcap_dump(reinterpret_cast<u_char*>(dumper_), &header,
            reinterpret_cast<const u_char*>(frame_.data()));
}

absl::Status CaptureWriter::Close() {
  const bool whole = pcap_dump_flush(dumper_) == 0 && std::ferror(pcap_dump_file(dumper_)) == 0;
  const std::string why = std::strerror(errno);
  pcap_dump_close(dumper_);
  dumper_ = nullptr;
  if (whole) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path_, " could not be written whole: ", why));
}

}  // namespace kbench::observer
