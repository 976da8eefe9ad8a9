// TLS 1.2 and 1.3.
//
//   TlsContext   what all connections of one side share: certificate, trust, versions
//   TlsStream    one connection over a socket that somebody else owns, blocking or not; the
//                handshake happens inside the first Receive() or Send()
//   TlsEngine    one client's connection without a socket: bytes in, bytes out
//
// A stream or an engine belongs to one thread. A stream never raises SIGPIPE.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

// OpenSSL's own names; its headers stay in tls.cc.
struct ssl_ctx_st;
struct ssl_st;

namespace kbench {

class TlsContext {
 public:
  // PEM files: a certificate with its chain, and the private key.
  static absl::StatusOr<TlsContext> Server(const std::string& certificate_file,
                                           const std::string& key_file);
  // A new RSA key (which clients of all ages take) and a certificate of its own for `name`, good
  // for ten years; in memory only.
  static absl::StatusOr<TlsContext> SelfSigned(absl::string_view name);
  // A client that trusts the authorities of `ca_file` (PEM) and checks the server's name; with an
  // empty file it takes any certificate: encrypted, but whoever answers is believed. Drives come
  // with self-signed certificates, so Kinetic clients commonly do the latter.
  static absl::StatusOr<TlsContext> Client(const std::string& ca_file);
  // The same with the authorities themselves: PEM text, one certificate or more.
  static absl::StatusOr<TlsContext> ClientOfPem(absl::string_view ca_pem);

  // Another handle on the same context, which lives as long as the last of them.
  TlsContext Share() const;

  TlsContext(TlsContext&&) noexcept = default;
  TlsContext& operator=(TlsContext&&) noexcept = default;

  bool verifies() const { return verifies_; }

 private:
  friend class TlsEngine;
  friend class TlsStream;
  struct Freed {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(std::unique_ptr<ssl_ctx_st, Freed> context) : context_(std::move(context)) {}
  static absl::StatusOr<TlsContext> Make(bool server);

  std::unique_ptr<ssl_ctx_st, Freed> context_;
  bool verifies_ = false;
};

class TlsStream {
 public:
  enum class Side { kServer, kClient };
  enum class Kind {
    kDone,       // `bytes` were moved
    kWantRead,   // not without reading from the socket first: wait until it is readable
    kWantWrite,  // not without writing to it first
    kEnded,      // the peer said good-bye, or closed the connection
    kFailed,     // see error()
  };
  struct Outcome {
    Kind kind = Kind::kDone;
    size_t bytes = 0;
  };

  // `fd` stays open while the stream lives; `context` is no longer needed after this. A client that
  // verifies expects a certificate for `server_name`.
  TlsStream(Side side, const TlsContext& context, int fd, const std::string& server_name = "");

  // Nothing but the handshake, for who must know when it is over. After kWantRead or kWantWrite
  // call again.
  Outcome Handshake();
  // After kWantRead or kWantWrite call again, Send() with the same bytes first.
  Outcome Receive(MutableBytes room);
  Outcome Send(Bytes bytes);  // may move less than all
  // Decrypted bytes that the socket no longer holds: epoll does not know of them.
  size_t pending() const;
  // Says good-bye, as far as the socket takes it without waiting.
  void Shutdown();

  // Why the last call failed; a sentence.
  const std::string& error() const { return error_; }
  std::string version() const;  // "TLSv1.3"

 private:
  friend class TlsEngine;
  struct Freed {
    void operator()(ssl_st* ssl) const;
  };

  std::unique_ptr<ssl_st, Freed> ssl_;
  std::string error_;
};

// Takes ciphertext from spans and appends ciphertext to vectors: whoever carries the bytes decides
// when and how. What a call appends must go to the peer before what later calls append. Nothing of
// ours is allocated but what `out` grows by.
class TlsEngine {
 public:
  using Kind = TlsStream::Kind;
  using Outcome = TlsStream::Outcome;
  static constexpr size_t kRecordBytes = 16 * 1024;  // of plaintext, at most
  static constexpr size_t kRecordOverhead = 256;     // of ciphertext beyond that, at most

  // A client's; `context` is no longer needed after this. One that verifies expects a certificate
  // for `server_name`.
  TlsEngine(const TlsContext& context, const std::string& server_name);
  ~TlsEngine();

  // Takes of `*in` what the handshake needs: kDone, kWantRead (it took all), kEnded or kFailed.
  Outcome Handshake(Bytes* in, std::vector<uint8_t>* out);
  // Takes of `*in` until there are bytes for `room` (kDone) or nothing is left (kWantRead). What
  // was decrypted and found no room comes with the next call. `out`: TLS's own answers, if any.
  Outcome Receive(Bytes* in, MutableBytes room, std::vector<uint8_t>* out);
  // All of `bytes`, or kFailed. Only after the handshake.
  Outcome Send(Bytes bytes, std::vector<uint8_t>* out);

  const std::string& error() const { return error_; }
  // The server's certificate is the reason.
  bool untrusted() const;
  std::string version() const;  // "TLSv1.3"
  std::string cipher() const;   // "TLS_AES_256_GCM_SHA384"

 private:
  struct Wires;

  std::unique_ptr<Wires> wires_;  // what the running call reads from and writes to
  std::unique_ptr<ssl_st, TlsStream::Freed> ssl_;
  std::string error_;
};

}  // namespace kbench
