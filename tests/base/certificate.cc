#include "tests/base/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace kbench {
namespace {

constexpr long kDay = 86'400;  // seconds

void Check(bool good) {
  if (!good) std::abort();
}

template <typename Write>
void WriteFile(const std::string& path, Write write) {
  FILE* out = std::fopen(path.c_str(), "w");
  Check(out != nullptr && write(out) == 1);
  std::fclose(out);
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  WriteFile(path, [key](FILE* out) {
    return PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

X509* NewCertificate(EVP_PKEY* key, const CertificateWish& wish, long serial) {
  X509* certificate = X509_new();
  Check(key != nullptr && certificate != nullptr);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.to_seconds);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                             -1, 0);
  X509_set_pubkey(certificate, key);
  return certificate;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

void WriteCertificate(const std::string& name, const std::string& certificate_file,
                      const std::string& key_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(key, {.common_name = "kbench test"}, 1);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  const bool address = std::isdigit(static_cast<unsigned char>(name.front())) != 0;
  AddExtension(certificate, certificate, NID_subject_alt_name, (address ? "IP:" : "DNS:") + name);
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  Check(X509_sign(certificate, key, EVP_sha256()) > 0);
  WriteFile(certificate_file,
            [certificate](FILE* out) { return PEM_write_X509(out, certificate); });
  WriteKey(key_file, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

struct Authority::Secrets {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = nullptr;
  long issued = 1;
};

Authority::Authority(std::string directory)
    : directory_(std::move(directory)), secrets_(std::make_unique<Secrets>()) {
  secrets_->certificate = NewCertificate(secrets_->key,
                                         {.common_name = "kbench test authority",
                                          .from_seconds = -30 * kDay,
                                          .to_seconds = 30 * kDay},  // outlasts whatever it signs
                                         secrets_->issued);
  X509* const ca = secrets_->certificate;
  X509_set_issuer_name(ca, X509_get_subject_name(ca));
  AddExtension(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(ca, ca, NID_subject_key_identifier, "hash");
  Check(X509_sign(ca, secrets_->key, EVP_sha256()) > 0);
  WriteFile(ca_file(), [ca](FILE* out) { return PEM_write_X509(out, ca); });
  std::filesystem::create_directory(crl_directory());
}

Authority::~Authority() {
  X509_free(secrets_->certificate);
  EVP_PKEY_free(secrets_->key);
}

std::string Authority::ca_file() const { return directory_ + "/ca.pem"; }
std::string Authority::crl_directory() const { return directory_ + "/crl"; }

CertificateFiles Authority::Issue(const std::string& name, const CertificateWish& wish) {
  const CertificateFiles files = {.certificate = absl::StrCat(directory_, "/", name, ".pem"),
                                  .key = absl::StrCat(directory_, "/", name, ".key.pem")};
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(key, wish, ++secrets_->issued);
  X509_set_issuer_name(certificate, X509_get_subject_name(secrets_->certificate));
  if (!wish.alternative_names.empty()) {
    AddExtension(certificate, secrets_->certificate, NID_subject_alt_name,
                 absl::StrJoin(wish.alternative_names, ","));
  }
  Check(X509_sign(certificate, secrets_->key, EVP_sha256()) > 0);
  WriteFile(files.certificate,
            [certificate](FILE* out) { return PEM_write_X509(out, certificate); });
  WriteKey(files.key, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

std::vector<std::string> Authority::TlsOptions(const CertificateFiles& files) const {
  return {"--tls-ca", ca_file(), "--tls-certificate", files.certificate, "--tls-key", files.key};
}

void Authority::Revoke(const std::vector<CertificateFiles>& revoked) {
  X509_CRL* list = X509_CRL_new();
  Check(list != nullptr && X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(secrets_->certificate));
  ASN1_TIME* now = X509_gmtime_adj(nullptr, -30 * kDay);
  ASN1_TIME* later = X509_gmtime_adj(nullptr, 30 * kDay);
  X509_CRL_set1_lastUpdate(list, now);
  X509_CRL_set1_nextUpdate(list, later);
  for (const CertificateFiles& files : revoked) {
    FILE* in = std::fopen(files.certificate.c_str(), "r");
    Check(in != nullptr);
    X509* certificate = PEM_read_X509(in, nullptr, nullptr, nullptr);
    std::fclose(in);
    Check(certificate != nullptr);
    X509_REVOKED* one = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(certificate));
    X509_REVOKED_set_revocationDate(one, now);
    Check(X509_CRL_add0_revoked(list, one) == 1);
    X509_free(certificate);
  }
  X509_CRL_sort(list);
  Check(X509_CRL_sign(list, secrets_->key, EVP_sha256()) > 0);
  // As `openssl rehash` names it.
  const unsigned long hash =
      X509_NAME_hash_ex(X509_get_subject_name(secrets_->certificate), nullptr, nullptr, nullptr);
  WriteFile(absl::StrFormat("%s/%08x.r0", crl_directory(), hash),
            [list](FILE* out) { return PEM_write_X509_CRL(out, list); });
  ASN1_TIME_free(now);
  ASN1_TIME_free(later);
  X509_CRL_free(list);
}

}  // namespace kbench
