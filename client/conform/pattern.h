// What is expected, as a pattern of the text of what came.
//
//   pattern := outcome (" or " outcome)*        any of them
//   outcome := word (" " word)*                 in this order
//   word    := "..."                            any words, or none
//            | ["?"] choice ("|" choice)*       with "?": may be missing
//   choice  := text, or the beginning of one and "*"
#pragma once

#include "absl/strings/string_view.h"

namespace kbench::conform {

bool Matches(absl::string_view pattern, absl::string_view text);

}  // namespace kbench::conform
