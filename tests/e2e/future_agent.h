// An agent that speaks control protocol 99, in this process.
#pragma once

#include <memory>
#include <string>

#include "tests/base/certificate.h"

namespace kbench::e2e {

class FutureAgent {
 public:
  FutureAgent();  // without TLS, on a free port of 127.0.0.1
  FutureAgent(const std::string& listen, const std::string& ca_file, const CertificateFiles& files);
  ~FutureAgent();
  const std::string& address() const { return address_; }

 private:
  struct Server;
  std::string address_;
  std::unique_ptr<Server> server_;
};

}  // namespace kbench::e2e
