// Certificates for tests: one that signs itself, and an authority of a test's own, which signs them
// for agents and controllers and takes them back.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace kbench {

// Signed by itself, for the host `name` (a DNS name or an IPv4 address); PEM files are written at
// the two paths.
void WriteCertificate(const std::string& name, const std::string& certificate_file,
                      const std::string& key_file);

struct CertificateWish {
  std::string common_name = "test";
  // "DNS:localhost", "IP:127.0.0.1", "URI:urn:kbench:role:controller"
  std::vector<std::string> alternative_names;
  long from_seconds = -60;  // relative to now
  long to_seconds = 3600;
};

// PEM files of one certificate.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

class Authority {
 public:
  // Files go into `directory`, which exists; its own certificate is ca.pem there.
  explicit Authority(std::string directory);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string ca_file() const;
  // What agents and controllers take to prove themselves by `files`, and to believe this authority.
  std::vector<std::string> TlsOptions(const CertificateFiles& files) const;
  // NAME.pem and NAME.key.pem.
  CertificateFiles Issue(const std::string& name, const CertificateWish& wish);
  // Writes a list that revokes these, and no others, into crl_directory(), named by hash.
  void Revoke(const std::vector<CertificateFiles>& revoked);
  std::string crl_directory() const;

 private:
  struct Secrets;
  const std::string directory_;
  std::unique_ptr<Secrets> secrets_;
};

}  // namespace kbench
