#include "server/entry.h"

namespace kbench::server {

Value::Value(size_t size) : size_(size) {
  if (size > 0) data_.reset(static_cast<uint8_t*>(::operator new (size, std::align_val_t{64})));
}

}  // namespace kbench::server
