#include "base/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

constexpr int64_t kTenYears = int64_t{10} * 365 * 24 * 3600;

// The oldest error in OpenSSL's queue; the others are consequences of it.
std::string TakeError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason was given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : absl::StrCat("OpenSSL error ", code);
}

// OpenSSL's socket BIO writes without MSG_NOSIGNAL, and a peer that has gone would end the process.
int FdOf(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))); }

bool Again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int WriteToSocket(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = send(FdOf(bio), bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && Again()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int ReadFromSocket(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = recv(FdOf(bio), bytes, static_cast<size_t>(size), 0);
  if (n < 0 && Again()) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}

long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int Create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, WriteToSocket);
    BIO_meth_set_read(made, ReadFromSocket);
    BIO_meth_set_ctrl(made, Control);
    BIO_meth_set_create(made, Create);
    return made;
  }();
  return method;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

bool Describe(X509* certificate, absl::string_view name) {
  uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) != 1) return false;
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), kTenYears) != nullptr &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

// Why a call of OpenSSL came back; right after it, on the same thread.
TlsStream::Outcome Explain(SSL* ssl, int result, std::string* error) {
  using Kind = TlsStream::Kind;
  if (result > 0) return {.kind = Kind::kDone, .bytes = static_cast<size_t>(result)};
  const int system_error = errno;
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return {.kind = Kind::kWantRead};
    case SSL_ERROR_WANT_WRITE:
      return {.kind = Kind::kWantWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {.kind = Kind::kEnded};
    case SSL_ERROR_SYSCALL:
      if (ERR_peek_error() == 0) {
        if (system_error == 0) return {.kind = Kind::kEnded};
        *error = absl::StrCat("TLS: ", std::strerror(system_error));
        return {.kind = Kind::kFailed};
      }
      break;
    default:
      break;
  }
  // A close without TLS's good-bye: the framing above it notices when something is missing.
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return {.kind = Kind::kEnded};
  }
  const long verdict = SSL_get_verify_result(ssl);
  *error = absl::StrCat("TLS: ", TakeError());
  if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
    absl::StrAppend(error, ": ", X509_verify_cert_error_string(verdict));
  }
  return {.kind = Kind::kFailed};
}

void ExpectCertificateFor(SSL* ssl, const std::string& server_name) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, server_name.c_str()) != 1) {
    SSL_set1_host(ssl, server_name.c_str());
  }
  ERR_clear_error();
}

}  // namespace

void TlsContext::Freed::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

absl::StatusOr<TlsContext> TlsContext::Make(bool server) {
  TlsContext made{std::unique_ptr<ssl_ctx_st, Freed>(
      SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()))};
  SSL_CTX* context = made.context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return absl::InternalError(absl::StrCat("cannot make a TLS context: ", TakeError()));
  }
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return made;
}

absl::StatusOr<TlsContext> TlsContext::Server(const std::string& certificate_file,
                                              const std::string& key_file) {
  ASSIGN_OR_RETURN(TlsContext made, Make(/*server=*/true));
  SSL_CTX* context = made.context_.get();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use the certificate in ", certificate_file, " (PEM): ", TakeError()));
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("cannot use the private key in ", key_file,
                                                   " (PEM) with the certificate in ",
                                                   certificate_file, ": ", TakeError()));
  }
  return made;
}

absl::StatusOr<TlsContext> TlsContext::SelfSigned(absl::string_view name) {
  ASSIGN_OR_RETURN(TlsContext made, Make(/*server=*/true));
  const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_RSA_gen(2048));
  const std::unique_ptr<X509, FreeCertificate> certificate(X509_new());
  if (key == nullptr || certificate == nullptr || !Describe(certificate.get(), name) ||
      X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0 ||
      SSL_CTX_use_certificate(made.context_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(made.context_.get(), key.get()) != 1) {
    return absl::InternalError(
        absl::StrCat("cannot make a self-signed certificate: ", TakeError()));
  }
  return made;
}

absl::StatusOr<TlsContext> TlsContext::Client(const std::string& ca_file) {
  ASSIGN_OR_RETURN(TlsContext made, Make(/*server=*/false));
  if (ca_file.empty()) return made;
  if (SSL_CTX_load_verify_locations(made.context_.get(), ca_file.c_str(), nullptr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use the authorities in ", ca_file, " (PEM): ", TakeError()));
  }
  SSL_CTX_set_verify(made.context_.get(), SSL_VERIFY_PEER, nullptr);
  made.verifies_ = true;
  return made;
}

absl::StatusOr<TlsContext> TlsContext::ClientOfPem(absl::string_view ca_pem) {
  ASSIGN_OR_RETURN(TlsContext made, Make(/*server=*/false));
  if (ca_pem.empty()) return made;
  const std::unique_ptr<BIO, FreeBio> text(
      BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())));
  X509_STORE* store = SSL_CTX_get_cert_store(made.context_.get());
  while (text != nullptr) {
    const std::unique_ptr<X509, FreeCertificate> authority(
        PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    if (authority == nullptr) break;
    if (X509_STORE_add_cert(store, authority.get()) != 1) break;
    made.verifies_ = true;
  }
  // What ends the reading is the text's end, or a certificate that is none.
  if (!made.verifies_ || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use the authorities given (PEM): ", TakeError()));
  }
  ERR_clear_error();
  SSL_CTX_set_verify(made.context_.get(), SSL_VERIFY_PEER, nullptr);
  return made;
}

TlsContext TlsContext::Share() const {
  SSL_CTX_up_ref(context_.get());
  TlsContext shared{std::unique_ptr<ssl_ctx_st, Freed>(context_.get())};
  shared.verifies_ = verifies_;
  return shared;
}

void TlsStream::Freed::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(Side side, const TlsContext& context, int fd, const std::string& server_name)
    : ssl_(SSL_new(context.context_.get())) {
  BIO* bio = BIO_new(SocketMethod());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  SSL_set_bio(ssl_.get(), bio, bio);
  if (side == Side::kServer) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  if (context.verifies() && !server_name.empty()) ExpectCertificateFor(ssl_.get(), server_name);
}

TlsStream::Outcome TlsStream::Handshake() {
  ERR_clear_error();
  errno = 0;
  return Explain(ssl_.get(), SSL_do_handshake(ssl_.get()), &error_);
}

TlsStream::Outcome TlsStream::Receive(MutableBytes room) {
  ERR_clear_error();
  errno = 0;
  const int size = static_cast<int>(std::min<size_t>(room.size(), INT_MAX));
  return Explain(ssl_.get(), SSL_read(ssl_.get(), room.data(), size), &error_);
}

TlsStream::Outcome TlsStream::Send(Bytes bytes) {
  ERR_clear_error();
  errno = 0;
  const int size = static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX));
  return Explain(ssl_.get(), SSL_write(ssl_.get(), bytes.data(), size), &error_);
}

size_t TlsStream::pending() const { return static_cast<size_t>(SSL_pending(ssl_.get())); }

void TlsStream::Shutdown() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_.get()) != 0) SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string TlsStream::version() const { return SSL_get_version(ssl_.get()); }

struct TlsEngine::Wires {
  Bytes* in = nullptr;
  std::vector<uint8_t>* out = nullptr;

  static Wires& Of(BIO* bio) { return *static_cast<Wires*>(BIO_get_data(bio)); }

  static int Write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const auto* from = reinterpret_cast<const uint8_t*>(bytes);
    Of(bio).out->insert(Of(bio).out->end(), from, from + size);
    return size;
  }

  static int Read(BIO* bio, char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    Bytes& in = *Of(bio).in;
    const size_t taken = std::min(static_cast<size_t>(size), in.size());
    if (taken == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(bytes, in.data(), taken);
    in = in.subspan(taken);
    return static_cast<int>(taken);
  }

  static BIO_METHOD* Method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wires");
      BIO_meth_set_write(made, Write);
      BIO_meth_set_read(made, Read);
      BIO_meth_set_ctrl(made, Control);
      BIO_meth_set_create(made, Create);
      return made;
    }();
    return method;
  }
};

TlsEngine::TlsEngine(const TlsContext& context, const std::string& server_name)
    : wires_(std::make_unique<Wires>()), ssl_(SSL_new(context.context_.get())) {
  BIO* bio = BIO_new(Wires::Method());
  BIO_set_data(bio, wires_.get());
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  // A flow under load would give its buffers back after every record, and take them again.
  SSL_clear_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
  // TLS 1.2 only, and it would stop Send() until the peer has answered.
  SSL_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION);
  if (context.verifies() && !server_name.empty()) ExpectCertificateFor(ssl_.get(), server_name);
}

TlsEngine::~TlsEngine() = default;

TlsEngine::Outcome TlsEngine::Handshake(Bytes* in, std::vector<uint8_t>* out) {
  ERR_clear_error();
  errno = 0;
  *wires_ = {.in = in, .out = out};
  return Explain(ssl_.get(), SSL_do_handshake(ssl_.get()), &error_);
}

TlsEngine::Outcome TlsEngine::Receive(Bytes* in, MutableBytes room, std::vector<uint8_t>* out) {
  ERR_clear_error();
  errno = 0;
  *wires_ = {.in = in, .out = out};
  const int size = static_cast<int>(std::min<size_t>(room.size(), INT_MAX));
  return Explain(ssl_.get(), SSL_read(ssl_.get(), room.data(), size), &error_);
}

TlsEngine::Outcome TlsEngine::Send(Bytes bytes, std::vector<uint8_t>* out) {
  Bytes none;
  *wires_ = {.in = &none, .out = out};
  Outcome outcome;
  for (size_t done = 0; done < bytes.size(); done += outcome.bytes) {
    ERR_clear_error();
    errno = 0;
    const int size = static_cast<int>(std::min<size_t>(bytes.size() - done, INT_MAX));
    outcome = Explain(ssl_.get(), SSL_write(ssl_.get(), bytes.data() + done, size), &error_);
    if (outcome.kind != Kind::kDone) return {.kind = Kind::kFailed};
  }
  return {.kind = Kind::kDone, .bytes = bytes.size()};
}

bool TlsEngine::untrusted() const {
  return SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE &&
         SSL_get_verify_result(ssl_.get()) != X509_V_OK;
}

std::string TlsEngine::version() const { return SSL_get_version(ssl_.get()); }

std::string TlsEngine::cipher() const {
  const char* name = SSL_get_cipher_name(ssl_.get());
  return name == nullptr ? "" : name;
}

}  // namespace kbench
