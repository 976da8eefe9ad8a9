// A Kinetic server for tests that keeps what it was sent: a store, an honest answer to everything,
// and for each connection the stream of requests, normalised: decoded, connectionID and sequence
// set to zero, a batchID to one, encoded and signed anew, each followed by its value. Also able to
// misbehave.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "kinetic/codec.h"
#include "kinetic/types.h"

namespace kbench {

class RecordingServer {
 public:
  struct Options {
    std::string hmac_key = std::string(kinetic::kFactoryKey);
    bool silent = false;       // accepts and says nothing
    bool garbage = false;      // greets with what is no PDU
    bool record = true;        // keep the streams
    uint64_t close_after = 0;  // requests of one connection; 0: never
    // Requests of one connection, then an unsolicited status that says why, and its end.
    std::optional<uint64_t> refuse_after;
    kinetic::StatusCode refusal = kinetic::StatusCode::kInvalidRequest;
    int64_t wordless = 0;             // connections, the first ones, that end so without the status
    uint64_t warn_at = 0;             // request of one connection: `refusal`, and it goes on
    uint64_t refuse_puts_after = 0;   // of one connection: NO_SPACE from then on; 0: never
    uint64_t swallow_after = 0;       // requests of one connection: read, never answered; 0: never
    bool corrupt_values = false;      // answers with the last bit of every value flipped
    bool corrupt_tags = false;        // answers with the first bit of every tag flipped
    bool forget_tags = false;         // answers without them
    bool want_tags = false;           // refuses a PUT without one
    uint64_t greetings = UINT64_MAX;  // connections after so many are closed at once
    bool locked = false;              // DEVICE_LOCKED in the greeting; to the wordless: their end
    bool commandless = false;         // answers without a command
    // Changes every answer before it is signed.
    std::function<void(kinetic::Command* answer)> twist;
    bool answers_together = false;  // all that one receive call brought, with one send
    uint64_t busy_puts = 0;         // the first ones, of all connections: SERVICE_BUSY
    uint32_t write_limit = 0;       // unanswered writes of a connection, as the greeting says
  };

  RecordingServer() : RecordingServer(Options{}) {}
  explicit RecordingServer(Options options);
  ~RecordingServer();

  const HostPort& address() const { return address_; }
  // By order of accepting. Call when the clients are done.
  std::vector<std::string> streams() const;
  std::map<std::string, std::string> store() const;
  struct StoredTag {
    std::optional<std::string> tag;
    std::optional<int32_t> algorithm;
  };
  std::map<std::string, StoredTag> tags() const;
  uint64_t requests() const;
  uint64_t open_connections() const;
  uint64_t accepted() const;
  // Most requests that one receive call of the server brought: so many were unanswered, at least.
  uint64_t most_at_once() const;
  // As if it had been started anew, with a store that keeps nothing; or one key was lost.
  void Forget();
  void Forget(const std::string& key);

 private:
  struct Connection {
    Fd fd;
    std::string stream;
    std::thread thread;
    bool open = true;
  };
  void Accept();
  void Serve(Connection* connection, int64_t connection_id);
  void Greet(int fd, int64_t connection_id);
  // What nobody asked for: a greeting, or why the connection ends.
  std::string Unasked(kinetic::Command* command, int64_t connection_id) const;
  std::string Refusal(int64_t connection_id) const;
  bool IsWordless(int64_t connection_id) const;
  std::string Answer(const kinetic::Message& request, Bytes value, uint64_t number);
  // What the store does with a request, and the answer but for its header. Needs mutex_.
  kinetic::StatusCode Do(const kinetic::Command& request, Bytes value, bool full,
                         kinetic::Command* answer, std::string* answered);

  const Options options_;
  HostPort address_;
  Fd listener_;
  Fd wake_;
  mutable std::mutex mutex_;
  std::list<Connection> connections_;         // guarded by mutex_
  std::map<std::string, std::string> store_;  // guarded by mutex_
  std::map<std::string, StoredTag> tags_;     // guarded by mutex_
  std::string answered_tag_;                  // guarded by mutex_
  uint64_t requests_ = 0;                     // guarded by mutex_
  uint64_t accepted_ = 0;                     // guarded by mutex_
  uint64_t busy_answers_ = 0;                 // guarded by mutex_
  uint64_t most_at_once_ = 0;                 // guarded by mutex_
  std::thread thread_;
};

}  // namespace kbench
