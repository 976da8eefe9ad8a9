// With twice_there.cc what one_definition_test has to find.
#include <string>

namespace kbench {

struct DefinedTwice {
  std::string Say() const;
  std::string word = "here";
};

[[gnu::used]] inline std::string DefinedTwice::Say() const { return word; }

std::string SayHere() { return DefinedTwice{}.Say(); }

}  // namespace kbench
