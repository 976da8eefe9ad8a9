// A certificate and its key as PEM files, made for one test.
#pragma once

#include <string>

namespace kbench {

// Signed by itself, for the host `name` (a DNS name or an IPv4 address); files are written at the
// two paths.
void WriteCertificate(const std::string& name, const std::string& certificate_file,
                      const std::string& key_file);

}  // namespace kbench
