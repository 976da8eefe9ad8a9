#include "tests/base/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace kbench {
namespace {

void Check(bool good) {
  if (!good) std::abort();
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

void WriteCertificate(const std::string& name, const std::string& certificate_file,
                      const std::string& key_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  Check(key != nullptr && certificate != nullptr);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("kbench test"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_set_pubkey(certificate, key);
  const bool address = std::isdigit(static_cast<unsigned char>(name.front())) != 0;
  AddExtension(certificate, NID_subject_alt_name, (address ? "IP:" : "DNS:") + name);
  AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  Check(X509_sign(certificate, key, EVP_sha256()) > 0);
  FILE* out = std::fopen(certificate_file.c_str(), "w");
  Check(out != nullptr && PEM_write_X509(out, certificate) == 1);
  std::fclose(out);
  out = std::fopen(key_file.c_str(), "w");
  Check(out != nullptr &&
        PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

}  // namespace kbench
