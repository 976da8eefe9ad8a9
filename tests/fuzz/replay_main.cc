// Runs a fuzz target without libFuzzer: every file of the corpus, then mutations of them from a
// fixed seed, the same on every machine. Built with every compiler, so that no target rots.
//
//   fuzz_frame_reader CORPUS_DIR
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

constexpr uint64_t kMutations = 5000;

// What is running, ready for the signal handler to write in one call.
char running[512] = "";

void Announce(const char* what) { std::snprintf(running, sizeof running, "crashed on %s\n", what); }

void Crashed(int signal_number) {
  std::signal(signal_number, SIG_DFL);
  if (write(STDERR_FILENO, running, std::char_traits<char>::length(running)) < 0) std::_Exit(1);
  std::raise(signal_number);
}

void Run(const Input& input) {
  // A copy of the exact size: reading past the end is reading past an allocation.
  const Input exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void MutateOnce(const std::vector<Input>& corpus, kbench::Random* random, Input* input) {
  static constexpr uint8_t kTelling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 'F', 0x0a, 0x12, 0x3a};
  const size_t at = random->Below(input->size() + 1);
  const auto here = input->begin() + static_cast<ptrdiff_t>(at);
  switch (random->Below(6)) {
    case 0:
      if (at < input->size()) (*input)[at] ^= static_cast<uint8_t>(1u << random->Below(8));
      return;
    case 1:
      if (at < input->size()) (*input)[at] = kTelling[random->Below(std::size(kTelling))];
      return;
    case 2:
      input->erase(here, input->end());
      return;
    case 3:
      input->insert(here, kTelling[random->Below(std::size(kTelling))]);
      return;
    case 4:
      if (at < input->size()) input->erase(here);
      return;
    default: {
      const Input& other = corpus[random->Below(corpus.size())];
      const size_t from = random->Below(other.size() + 1);
      input->erase(here, input->end());
      input->insert(input->end(), other.begin() + static_cast<ptrdiff_t>(from), other.end());
    }
  }
}

Input Mutation(const std::vector<Input>& corpus, uint64_t seed) {
  kbench::Random random(seed);
  Input input = corpus[random.Below(corpus.size())];
  for (uint64_t n = 1 + random.Below(4); n > 0; --n) MutateOnce(corpus, &random, &input);
  return input;
}

std::vector<std::filesystem::path> FilesIn(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS_DIR (a folder of inputs)\n", argv[0]);
    return 2;
  }
  for (int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE}) std::signal(number, Crashed);

  std::vector<Input> corpus;
  for (const std::filesystem::path& path : FilesIn(argv[1])) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    Announce(path.c_str());
    Run(corpus.back());
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "%s holds no inputs: nothing was tested\n", argv[1]);
    return 1;
  }
  for (uint64_t seed = 0; seed < kMutations; ++seed) {
    Announce(("mutation " + std::to_string(seed)).c_str());
    Run(Mutation(corpus, seed));
  }
  std::printf("%zu corpus files and %llu mutations ran\n", corpus.size(),
              static_cast<unsigned long long>(kMutations));
  return 0;
}
