// What makes this server a device: its cluster version, identities, PINs, lock and power. All but
// the power level is kept in the store's settings and survives a restart; a device with a lock PIN
// comes up locked.
//
// The settings' bytes are those of a Kinetic message (unsolicited, never sent): SECURITY with ACLs
// and PINs beside SETUP with the cluster version.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kinetic/types.h"
#include "server/access.h"
#include "server/store.h"

namespace kbench::server {

class Device {
 public:
  struct State {
    int64_t cluster_version = 0;
    AccessTable access;
    std::string lock_pin;   // secret; empty: none is set
    std::string erase_pin;  // secret; empty: none is set
  };

  // With `factory` when the store has no settings. The store outlives the device.
  static absl::StatusOr<Device> Open(Store* store, State factory);

  const State& state() const { return state_; }
  uint64_t erasures() const { return erasures_; }
  bool restored() const { return restored_; }  // from the store's settings
  bool locked() const { return locked_; }
  void set_locked(bool locked) { locked_ = locked; }
  kinetic::PowerLevel power() const { return power_; }
  void set_power(kinetic::PowerLevel level) { power_ = level; }

  // Takes effect when it is durable; with an error nothing has changed.
  absl::Status Change(State state);
  // Forgets all objects and goes back to the factory's settings: no PINs, cluster version 0, and
  // the identities that the server was started with.
  absl::Status Erase();

 private:
  Device(Store* store, const State& factory) : store_(store), factory_(factory), state_(factory) {}

  Store* store_;
  State factory_;
  State state_;
  uint64_t erasures_ = 0;
  bool restored_ = false;
  bool locked_ = false;
  kinetic::PowerLevel power_ = kinetic::PowerLevel::kOperational;
};

// For the store, and back. DataLoss when the bytes are no settings.
std::string EncodeSettings(const Device::State& state);
absl::StatusOr<Device::State> DecodeSettings(absl::string_view bytes);

}  // namespace kbench::server
