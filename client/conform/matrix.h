// A survey as a compatibility matrix: for a person, a program, and a document. All of it is
// printable ASCII, whatever the server sent.
#pragma once

#include <string>

#include "client/conform/case_book.h"
#include "client/conform/survey.h"

namespace kbench::conform {

// A case a line: whether it agrees, what the server did, and which dialects would do so. Then the
// differences, step by step.
std::string MatrixText(const Survey& survey);
std::string MatrixJson(const Survey& survey);
std::string MatrixMarkdown(const Survey& survey);

// All cases, and what each dialect does, without any server.
std::string ListText(const CaseBook& book);
std::string ListJson(const CaseBook& book);
std::string ListMarkdown(const CaseBook& book);

}  // namespace kbench::conform
