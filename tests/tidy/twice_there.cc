// With twice_here.cc what one_definition_test has to find.
#include <string>

namespace kbench {

struct DefinedTwice {
  std::string Say() const;
  int number = 0;
};

[[gnu::used]] inline std::string DefinedTwice::Say() const { return std::to_string(number); }

std::string SayThere() { return DefinedTwice{}.Say(); }

}  // namespace kbench
