// What `kbench probe` prints: measured paths as a table for people or as JSON, whose keys carry
// units. What was not measured is "-" or null, never zero.
#pragma once

#include <string>
#include <vector>

#include "proto/result.pb.h"

namespace kbench {

std::string PathsText(const std::vector<result::NetworkBaseline>& paths, int width);
std::string PathsJson(const std::vector<result::NetworkBaseline>& paths);

}  // namespace kbench
