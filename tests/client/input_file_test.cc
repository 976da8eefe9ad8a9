// What kbench kv and kbench conform read from the files that their command lines name.
#include "client/input_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "tests/base/scratch_files.h"

namespace kbench::client {
namespace {

using ::testing::HasSubstr;

std::string Written(const TempDir& dir, const std::string& bytes) {
  const std::string path = dir / "input";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(InputFile, AnInputIsEveryByteOfItsFile) {
  const TempDir dir;
  const std::string bytes("\n a\0b\xff\r\n\n", 9);
  EXPECT_EQ(*ReadInput(Written(dir, bytes)), bytes);
  EXPECT_EQ(*ReadInput(Written(dir, "")), "");
}

TEST(InputFile, ASecretIsWithoutItsLastNewlineAndNoMore) {
  const TempDir dir;
  EXPECT_EQ(*ReadSecret(Written(dir, "a key\n")), "a key");
  EXPECT_EQ(*ReadSecret(Written(dir, "a key")), "a key");
  EXPECT_EQ(*ReadSecret(Written(dir, " a\nkey \n\n")), " a\nkey \n");
  EXPECT_EQ(*ReadSecret(Written(dir, "\n")), "");
  EXPECT_EQ(*ReadSecret(Written(dir, "")), "");
  EXPECT_EQ(*ReadSecret(""), "") << "no file was named";
}

TEST(InputFile, ADashIsStdin) {
  std::istringstream in("typed\n");
  std::streambuf* const own = std::cin.rdbuf(in.rdbuf());
  const auto secret = ReadSecret("-");
  std::cin.rdbuf(own);
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(*secret, "typed");
}

TEST(InputFile, WhatCannotBeReadIsNamedWithTheReason) {
  const TempDir dir;
  const std::string absent = dir / "absent";
  for (const auto& status : {ReadInput(absent).status(), ReadSecret(absent).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absent + ": No such file"));
  }
  EXPECT_THAT(std::string(ReadSecret(dir.path()).status().message()), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace kbench::client
