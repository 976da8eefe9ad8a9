// kbench-kv: one request to a Kinetic server from the command line. What the server says is printed
// on stdout, its status on stderr when it is not SUCCESS. Exit codes: client/kv_exit.h. `kbench kv
// ...` runs it.

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/version.h"
#include "client/kv.h"
#include "client/kv_exit.h"
#include "client/requests.h"

namespace kbench::client {
namespace {

std::string ExitCodesFooter() {
  std::string text = "Exit codes:\n";
  for (const KvExitMeaning& one : kKvExits) {
    absl::StrAppendFormat(&text, "  %3d  %s\n", static_cast<int>(one.code), one.meaning);
  }
  return text;
}

class CommandLine {
 public:
  CommandLine() : app_("One request to a Kinetic server") {
    app_.add_option("--server", flags_.server, "HOST:PORT")->capture_default_str();
    app_.add_flag("--tls", flags_.tls, "Over TLS (Kinetic's own port for it is 8443)");
    app_.add_option("--ca", flags_.ca_file,
                    "PEM file of the authorities to trust; without it any certificate will do");
    app_.add_option("--identity", flags_.identity)->capture_default_str();
    app_.add_option("--key-file", flags_.key_file,
                    "File of the identity's HMAC key (- is stdin); without it, the factory key");
    app_.add_option("--timeout", flags_.timeout, "Of connecting and of the request")
        ->capture_default_str();
    app_.add_option("--transport", flags_.transport,
                    "The client stack, one of those that kbench-agent drives its load with")
        ->check(CLI::IsMember({"socket", "epoll", "uring"}))
        ->capture_default_str();
    app_.add_option("--cluster-version", flags_.said_cluster_version,
                    "That the request says; without it, the one of the server's greeting");
    app_.add_flag("--hex", flags_.hex, "Print keys, versions and values in hexadecimal");
    app_.add_option("--format", flags_.format)
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    app_.fallthrough();  // these options may come after the subcommand as well
    app_.set_version_flag("--version",
                          std::string(ReleaseVersion()) + " (" + std::string(BuildId()) + ")");
    app_.footer(ExitCodesFooter());
    app_.require_subcommand(1);
    AddObjects();
    AddAdministration();
  }

  KvExit Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? KvExit::kSuccess : KvExit::kUsage;
    }
    KvSession session(&flags_);
    absl::Status status = session.Connect();
    if (status.ok()) status = action_(flags_, &session);
    if (status.ok()) {
      session.Conclude();
      status = session.doubt();
      if (!std::cout.flush()) status = absl::InternalError("stdout cannot be written");
      if (status.ok()) return ExitOf(session.outcome());
    }
    std::cerr << absl::StrCat("kbench-kv: ", status.message(), "\n");
    return ExitOf(status);
  }

 private:
  CLI::App* Add(const std::string& name, const std::string& help, KvAction action) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->callback([this, action = std::move(action)] { action_ = action; });
    return command;
  }
  CLI::App* WithKey(CLI::App* command) {
    command->add_option("KEY", flags_.key)->required();
    return command;
  }
  CLI::App* Versioned(CLI::App* command) {
    command->add_option("--expected-version", flags_.expected, "What must be stored now");
    command->add_flag("--force", flags_.force, "Whatever is stored now");
    command->add_option("--sync", flags_.synchronization)
        ->check(CLI::IsMember({"writethrough", "writeback", "flush"}))
        ->capture_default_str();
    return command;
  }
  void AddObjects() {
    Add("noop", "Nothing, there and back",
        [](const KvFlags&, KvSession* s) { return s->Ask(NoopRequest()); });
    CLI::App* get = WithKey(Add("get", "Print a value", [](const KvFlags& f, KvSession* s) {
      return ShowObject(f, s, GetRequest(f.key, f.metadata_only), /*key=*/false);
    }));
    get->add_flag("--metadata", flags_.metadata_only,
                  "Version and tag (in hexadecimal) instead of the value");
    for (const bool next : {true, false}) {
      WithKey(Add(next ? "next" : "prev", "Print the neighbour's key and value",
                  [next](const KvFlags& f, KvSession* s) {
                    return ShowObject(
                        f, s, next ? GetNextRequest(f.key) : GetPreviousRequest(f.key), true);
                  }));
    }
    WithKey(Add("version", "Print a key's version", ShowVersion));
    CLI::App* put = Versioned(WithKey(Add("put", "Store a value", Put)));
    put->add_option("--new-version", flags_.next);
    put->add_option("--algorithm", flags_.tag.algorithm,
                    "What makes the tag that goes beside the value: crc32c (so without it), sha1, "
                    "sha2; none: neither of them goes. With --tag also sha3, crc64, crc32 or a "
                    "number");
    put->add_option("--tag", flags_.tag.tag,
                    "The tag itself, in hexadecimal, made by --algorithm; auto: of the value");
    CLI::Option* value = put->add_option("VALUE", flags_.value, "The value itself");
    put->add_option("--value-file", flags_.value_file, "File of the value; - is stdin")
        ->excludes(value);
    Versioned(WithKey(Add("del", "Delete a key", Delete)));
    CLI::App* keys = Add("range", "Print keys from FIRST to LAST, all pages", Keys);
    AddRange(keys);
    keys->add_option("--max", flags_.max, "One page of at most so many");
    keys->add_flag("--reverse", flags_.reverse, "One page, from the last key down");
    Add("flush", "Make everything durable",
        [](const KvFlags&, KvSession* s) { return s->Ask(FlushRequest()); });
    CLI::App* push = WithKey(Add("p2p", "Have the server put a key on a peer", Push));
    push->add_option("--peer", flags_.peer, "HOST:PORT")->required();
    push->add_flag("--peer-tls", flags_.peer_tls);
    push->add_option("--new-key", flags_.new_key, "The key there");
    push->add_option("--expected-version", flags_.expected, "What must be stored there");
    push->add_flag("--force", flags_.force);
  }
  void AddRange(CLI::App* command) {
    command->add_option("FIRST", flags_.key, "empty: from the first key");
    command->add_option("LAST", flags_.last_key, "empty: to the last key");
  }
  void AddAdministration() {
    CLI::App* log = Add("log", "Print what the server says of itself", Log);
    log->add_option("TYPE", flags_.logs)
        ->required()
        ->check(CLI::IsMember({"utilizations", "temperatures", "capacities", "configuration",
                               "statistics", "messages", "limits"}));
    Add("device-log", "Print a named device log", DeviceLog)
        ->add_option("NAME", flags_.name)
        ->required();
    AddRange(Add("scan", "Check the medium; print the keys that cannot be trusted", Scan));
    AddRange(Add("optimize", "Compact the medium", [](const KvFlags& f, KvSession* s) {
      return s->Ask(MediaOptimizeRequest({.start_key = f.key, .end_key = f.last_key}));
    }));
    CLI::App* setup = Add("setup", "Change the device", Setup);
    setup->add_option("--cluster-version", flags_.cluster_version,
                      "To set; what the request says stands before the word setup");
    setup->add_option("--firmware", flags_.value_file, "File of an image");
    CLI::App* acl = Add("acl", "Give an identity a key and permissions (TLS)", SetAcl);
    acl->add_option("IDENTITY", flags_.identity_to_set)->required();
    acl->add_option("PERMISSION", flags_.permissions,
                    "read write delete range setup p2p getlog security power")
        ->required();
    acl->add_option("--acl-key-file", flags_.acl_key_file, "File of its HMAC key")->required();
    acl->add_option("--scope", flags_.scope, "For keys that begin with this");
    CLI::App* pin = Add("pin", "Set a PIN, or operate the device by it (TLS)", Pin);
    pin->add_option("OP", flags_.pin_op)
        ->required()
        ->check(
            CLI::IsMember({"set-lock", "set-erase", "lock", "unlock", "erase", "secure-erase"}));
    pin->add_option("--pin-file", flags_.pin_file, "File of the PIN, or of the new one to set");
    pin->add_option("--old-pin-file", flags_.old_pin_file, "set: file of the PIN that is set now");
    Add("power", "Set the power level", Power)
        ->add_option("LEVEL", flags_.level)
        ->required()
        ->check(CLI::IsMember({"operational", "hibernate", "shutdown"}));
  }

  CLI::App app_;
  KvFlags flags_;
  KvAction action_;
};

}  // namespace
}  // namespace kbench::client

int main(int argc, char** argv) {
  return static_cast<int>(kbench::client::CommandLine().Run(argc, argv));
}
