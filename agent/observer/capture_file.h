// Packets in files: pcap and pcapng are read, nanosecond pcap is written. The home of libpcap.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/observer/link_layer.h"
#include "agent/observer/packet.h"

struct pcap;
struct pcap_dumper;

namespace kbench::observer {

class CaptureReader {
 public:
  // NotFound: no such file. InvalidArgument: no capture, or of a link that is not read.
  static absl::StatusOr<std::unique_ptr<CaptureReader>> Open(const std::string& path);
  ~CaptureReader();
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;

  // The next packet that may be IP, valid until the next call. False: that was all. DataLoss when
  // the file ends within a packet.
  absl::StatusOr<bool> Next(Packet* packet);
  // Whether packets say if they came or went.
  bool directions_known() const {
    return link_ == LinkType::kLinuxSll || link_ == LinkType::kLinuxSll2;
  }

 private:
  CaptureReader() = default;

  std::string path_;
  pcap* pcap_ = nullptr;
  LinkType link_ = LinkType::kEthernet;
  uint64_t packets_ = 0;
};

// Cooked frames (LINUX_SLL), so that a reader knows directions. Packets that were captured longer
// than a capture file takes (256 KiB) are cut to that.
class CaptureWriter {
 public:
  static absl::StatusOr<std::unique_ptr<CaptureWriter>> Open(const std::string& path);
  ~CaptureWriter();
  CaptureWriter(const CaptureWriter&) = delete;
  CaptureWriter& operator=(const CaptureWriter&) = delete;

  void Write(const Packet& packet);
  // Whether everything is in the file.
  absl::Status Close();

 private:
  CaptureWriter() = default;

  std::string path_;
  pcap* pcap_ = nullptr;
  pcap_dumper* dumper_ = nullptr;
  std::string frame_;
};

}  // namespace kbench::observer
