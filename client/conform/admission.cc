#include "client/conform/admission.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kbench::conform {
namespace {

bool Says(absl::string_view text, absl::string_view word) {
  return absl::c_linear_search(absl::StrSplit(text, ' '), word);
}

// PINs go over TLS alone, whose port a server tells in its greeting.
std::string UnlockCommand(const Target& target, const Greeting& greeting) {
  const std::string unlock = absl::StrCat(" --tls", target.flags, " pin unlock --pin-file FILE");
  HostPort door = target.address;
  if (target.tls != nullptr) return absl::StrCat("kbench kv --server ", door.ToString(), unlock);
  const int32_t told = greeting.configuration().tls_port.value_or(0);
  if (told > 0 && told <= UINT16_MAX) {
    door.port = static_cast<uint16_t>(told);
    return absl::StrCat("kbench kv --server ", door.ToString(), unlock);
  }
  return absl::StrCat("kbench kv --server HOST:PORT", unlock,
                      " with its port for TLS, which it does not tell");
}

}  // namespace

absl::Status Admitted(const Target& target, const Greeting& greeting, const std::string& noop,
                      bool chosen) {
  if (Says(greeting.text, "DEVICE_LOCKED") || Says(noop, "DEVICE_LOCKED")) {
    return absl::FailedPreconditionError(
        absl::StrCat("the device is locked and answers to its PIN alone, so no case was tried; "
                     "unlock it: ",
                     UnlockCommand(target, greeting)));
  }
  if (Says(noop, "HIBERNATE")) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the device sleeps (HIBERNATE), so no case was tried; wake it: kbench kv --server ",
        target.address.ToString(), target.tls != nullptr ? " --tls" : "", target.flags,
        " power operational"));
  }
  constexpr absl::string_view kLookAt =
      "; does it know that identity (--identity), and is its HMAC key right (--key-file)?";
  if (Says(noop, "HMAC_FAILURE")) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server takes no request of identity ", target.identity,
                     " (HMAC_FAILURE), so no case was tried", kLookAt));
  }
  if (Says(noop, "no-command") && !chosen) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server's answer to a NOOP has no command: it takes no request of identity ",
        target.identity, ", or its answers have no command at all, so no case was tried", kLookAt,
        " Cases that --only names are tried in spite of it"));
  }
  return absl::OkStatus();
}

}  // namespace kbench::conform
