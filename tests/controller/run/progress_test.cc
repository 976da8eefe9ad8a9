#include "controller/run/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace kbench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What is written to a stream of its own.
class Screen {
 public:
  Screen() : file_(open_memstream(&text_, &size_)) {}
  ~Screen() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() const { return file_; }
  std::string text() const {
    std::fflush(file_);
    return std::string(text_, size_);
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> lines = absl::StrSplit(text(), '\n');
    EXPECT_EQ(lines.back(), "") << "the last line has its end";
    lines.pop_back();
    return lines;
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

result::Interval SecondOf(int64_t n, uint64_t completed) {
  result::Interval interval;
  interval.set_start_offset_ns(Seconds(n).count());
  interval.set_length_ns(Seconds(1).count());
  interval.set_completed(completed);
  return interval;
}

// One campaign of one run of `seconds`, with everything that can be said.
void Play(const ProgressOptions& options, int seconds) {
  Progress progress(options);
  progress.CampaignStarted("transports", 54, Seconds(324));
  progress.RunStarted(2, "transport=uring", 1, "full", Seconds(3));
  progress.Phase("connect");
  progress.Phase("warm-up");
  for (int i = 0; i < seconds; ++i) {
    progress.Interval(0, SecondOf(i, 1000));
    progress.Interval(1, SecondOf(i, 500));
  }
  progress.RunEnded("1500 ops/s");
}

TEST(Progress, InAPipeAShortRunIsOnePlainLine) {
  Screen screen;
  Play({.out = screen.file()}, /*seconds=*/1);
  EXPECT_THAT(screen.lines(),
              ::testing::ElementsAre("transports: 54 runs, 324.0 s of warm-up and measurement",
                                     "[3/54] transport=uring rep 1 full: 1500 ops/s"));
}

TEST(Progress, InAPipeALongRunTellsNowAndThen) {
  Screen screen;
  Play({.out = screen.file()}, /*seconds=*/30);
  // After 2, 12 and 22 seconds; the second agent's first interval is not there yet after 2.
  const std::vector<std::string> lines = screen.lines();
  ASSERT_EQ(lines.size(), 5u) << screen.text();
  EXPECT_THAT(lines[1], HasSubstr("[3/54] transport=uring rep 1 full  measure"));
  EXPECT_EQ(lines[2], "[3/54] transport=uring rep 1 full  measure  1500 ops/s");
}

TEST(Progress, InAPipeThereAreNoControlCharacters) {
  Screen screen;
  ProgressOptions options{.out = screen.file(), .width = 10};
  Play(options, /*seconds=*/30);
  Progress(options).Note("careful");
  const std::string text = screen.text();
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || c >= ' '; }))
      << text;
  EXPECT_THAT(text, HasSubstr("careful\n"));
}

TEST(Progress, OnATerminalOneLineIsRedrawnAndClearedAtTheEnd) {
  Screen screen;
  Play({.out = screen.file(), .live = true}, /*seconds=*/3);
  const std::string text = screen.text();
  EXPECT_THAT(text, HasSubstr("\r[3/54] transport=uring rep 1 full  connect\x1b[K\r"));
  EXPECT_THAT(text, HasSubstr("\r[3/54] transport=uring rep 1 full  measure  1500 ops/s\x1b[K"));
  // The result's line stands on a line that was wiped.
  EXPECT_THAT(text, ::testing::EndsWith("\r\x1b[K[3/54] transport=uring rep 1 full: 1500 ops/s\n"));
}

TEST(Progress, ANarrowTerminalIsNeverWrapped) {
  for (int width : {1, 2, 20, 60}) {
    Screen screen;
    {
      Progress progress({.out = screen.file(), .live = true, .width = width});
      progress.RunStarted(0, "transport=uring,value_size=4KiB,op=get", 0, "bare", Seconds(2));
      progress.Interval(0, SecondOf(0, 123'456'789));
    }
    for (absl::string_view drawn : absl::StrSplit(screen.text(), '\r')) {
      EXPECT_LE(drawn.substr(0, drawn.find('\x1b')).size(), static_cast<size_t>(width - 1))
          << width;
    }
  }
}

TEST(Progress, ARunDoesNotInheritTheRateOfTheOneBefore) {
  Screen screen;
  Progress progress({.out = screen.file(), .live = true});
  progress.RunStarted(0, "a", 0, "bare", Seconds(2));
  progress.Interval(0, SecondOf(0, 1000));
  progress.RunStarted(1, "b", 0, "sampled", Seconds(1));
  progress.Phase("connect");
  EXPECT_THAT(screen.text(), ::testing::EndsWith("[2/0] b rep 0 sampled  connect\x1b[K"));
}

TEST(Progress, ANoteIsShownEvenWhenQuietAndColouredOnlyWhenAsked) {
  Screen plain, coloured;
  Play({.out = plain.file(), .quiet = true}, /*seconds=*/30);
  Progress({.out = plain.file(), .quiet = true}).Note("disk is full");
  EXPECT_EQ(plain.text(), "disk is full\n");
  Progress({.out = coloured.file(), .live = true, .color = true}).Note("disk is full");
  EXPECT_EQ(coloured.text(), "\x1b[33mdisk is full\x1b[0m\n");
}

TEST(Progress, AnEmptyIntervalIsNoRate) {
  Screen screen;
  Progress progress({.out = screen.file(), .live = true});
  progress.RunStarted(0, "a", 0, "bare", Seconds(2));
  progress.Interval(0, result::Interval());
  EXPECT_THAT(screen.text(), Not(HasSubstr("ops/s")));
}

// Sets one variable of the environment for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = std::make_unique<std::string>(before);
    setenv(name, value, 1);
  }
  ~Variable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::unique_ptr<std::string> before_;
};

// stderr as a pseudo terminal while it lives.
class TerminalStderr {
 public:
  TerminalStderr() : saved_(dup(STDERR_FILENO)), master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (grantpt(master_) != 0 || unlockpt(master_) != 0) std::abort();
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    const winsize size{.ws_row = 24, .ws_col = 33, .ws_xpixel = 0, .ws_ypixel = 0};
    if (ioctl(slave_, TIOCSWINSZ, &size) != 0) std::abort();
    dup2(slave_, STDERR_FILENO);
  }
  ~TerminalStderr() {
    dup2(saved_, STDERR_FILENO);
    for (int fd : {saved_, slave_, master_}) close(fd);
  }

 private:
  int saved_, master_, slave_ = -1;
};

TEST(ProgressForStderr, FollowsTheTerminalAndTheEnvironment) {
  const TerminalStderr terminal;
  const Variable term("TERM", "xterm");
  const Variable no_color("NO_COLOR", "");
  const ProgressOptions here = ProgressForStderr(/*quiet=*/false);
  EXPECT_TRUE(here.live);
  EXPECT_TRUE(here.color);
  EXPECT_EQ(here.width, 33);
  {
    const Variable asked("NO_COLOR", "1");
    EXPECT_TRUE(ProgressForStderr(false).live);
    EXPECT_FALSE(ProgressForStderr(false).color);
  }
  const Variable dumb("TERM", "dumb");
  EXPECT_FALSE(ProgressForStderr(false).live);
  EXPECT_FALSE(ProgressForStderr(false).color);
  EXPECT_TRUE(ProgressForStderr(true).quiet);
}

TEST(ProgressForStderr, IsPlainInAPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int saved = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  const Variable term("TERM", "xterm");
  const ProgressOptions options = ProgressForStderr(false);
  dup2(saved, STDERR_FILENO);
  for (int fd : {ends[0], ends[1], saved}) close(fd);
  EXPECT_FALSE(options.live);
  EXPECT_FALSE(options.color);
}

}  // namespace
}  // namespace kbench
