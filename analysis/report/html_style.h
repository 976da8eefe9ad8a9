// What the HTML report brings along: its style, light and dark by the reader's preference, and the
// few lines of script that sort its tables. Nothing is fetched from anywhere.
//
// Colours: Okabe and Ito's set, distinguishable with the common colour-vision deficiencies; lines
// differ in dash and mark as well.
#pragma once

namespace kbench::analysis {

extern const char kHtmlStyle[];
extern const char kHtmlScript[];

}  // namespace kbench::analysis
