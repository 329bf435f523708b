#include "record/exec_event.h"

#include <gtest/gtest.h>

#include <cstring>

#include "record/exec_ring.h"

namespace opelog::record {
namespace {

struct RingExec {
  opelog_ring_exec entry{};
  std::string arguments, file, exe, directory;

  RingExec() {
    entry.head.kind = OPELOG_RING_EXEC;
    entry.head.session = 0xfedcba9876543210U;
    entry.head.time_ns = 5000999;
    entry.head.pid = 12;
    entry.head.parent = 11;
    entry.uid = 1000;
    entry.argc = 2;
    entry.terminal = 136U << 8 | 3;
    arguments = std::string("ls\0-l\0", 6);
    file = "./ls";
    exe = "ls/bin/usr/";
    directory = "alice/home/";
  }
  [[nodiscard]] std::string bytes() {
    entry.arguments = static_cast<unsigned>(arguments.size());
    if (entry.arguments_true < entry.arguments) entry.arguments_true = entry.arguments;
    entry.file = static_cast<unsigned>(file.size());
    entry.exe = static_cast<unsigned>(exe.size());
    entry.directory = static_cast<unsigned>(directory.size());
    const std::string strings = arguments + file + exe + directory;
    entry.head.size = static_cast<unsigned>(sizeof entry + strings.size());
    return std::string(reinterpret_cast<const char*>(&entry), sizeof entry) + strings;
  }
};

std::string exit_bytes(unsigned status) {
  opelog_ring_exit entry{};
  entry.head = {OPELOG_RING_EXIT, sizeof entry, 7, 2000, 12, 11};
  entry.status = status;
  entry.execs = 1;
  entry.duration_ns = 1500000;
  return {reinterpret_cast<const char*>(&entry), sizeof entry};
}

format::ExecInfo exec_in(const std::string& bytes) {
  const auto event = decode_ring_entry(bytes);
  EXPECT_TRUE(event);
  return event ? std::get<format::ExecInfo>(event->what) : format::ExecInfo{};
}

TEST(ExecEvent, AnExecIsDecodedInFull) {
  const auto event = decode_ring_entry(RingExec().bytes());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->session, 0xfedcba9876543210U);
  EXPECT_EQ(event->when, 5000);
  const auto& info = std::get<format::ExecInfo>(event->what);
  EXPECT_EQ(info.pid, 12);
  EXPECT_EQ(info.parent, 11);
  EXPECT_EQ(info.uid, 1000U);
  EXPECT_EQ(info.tty, "/dev/pts/3");
  EXPECT_EQ(info.file, "./ls");
  EXPECT_EQ(info.exe, "/usr/bin/ls");
  EXPECT_EQ(info.cwd, "/home/alice");
  EXPECT_EQ(info.argv, (std::vector<std::string>{"ls", "-l"}));
  EXPECT_EQ(info.argc, 2U);
  EXPECT_EQ(info.argument_bytes, 6U);
  EXPECT_FALSE(info.argv_cut || info.argv_missing || info.exe_cut || info.cwd_cut);
}

TEST(ExecEvent, PathsAreTurnedUpright) {
  struct Case {
    const char* reversed;
    bool cut;
    const char* path;
  };
  for (const Case& one : {Case{"", false, "/"}, Case{"a/", false, "/a"}, Case{"c/b/a/", false, "/a/b/c"},
                          Case{"c/b/", true, "b/c"}, Case{"\n/ /", false, "/ /\n"}, Case{"", true, "/"}}) {
    RingExec entry;
    entry.exe = entry.directory = one.reversed;
    entry.entry.flags = one.cut ? OPELOG_RING_EXE_CUT | OPELOG_RING_DIRECTORY_CUT : 0;
    const auto info = exec_in(entry.bytes());
    EXPECT_EQ(info.exe, one.path);
    EXPECT_EQ(info.cwd, one.path);
    EXPECT_EQ(info.exe_cut, one.cut);
    EXPECT_EQ(info.cwd_cut, one.cut);
  }
}

TEST(ExecEvent, ANameInNoDirectoryKeepsItsSlashes) {
  RingExec entry;
  entry.exe = "memfd:a/b/";
  entry.entry.flags = OPELOG_RING_EXE_BARE;
  EXPECT_EQ(exec_in(entry.bytes()).exe, "/memfd:a/b");
}

TEST(ExecEvent, ArgumentsThatAreCutOrUnreadableSaySo) {
  RingExec cut;
  cut.arguments = std::string("a\0bcd", 5);
  cut.entry.arguments_true = 100000;
  cut.entry.argc = 77;
  auto info = exec_in(cut.bytes());
  EXPECT_TRUE(info.argv_cut);
  EXPECT_EQ(info.argv, (std::vector<std::string>{"a", "bcd"}));
  EXPECT_EQ(info.argc, 77U);
  EXPECT_EQ(info.argument_bytes, 100000U);
  RingExec unreadable;
  unreadable.arguments.clear();
  unreadable.entry.arguments_true = 6;
  unreadable.entry.flags = OPELOG_RING_NO_ARGUMENTS;
  info = exec_in(unreadable.bytes());
  EXPECT_TRUE(info.argv_missing);
  EXPECT_FALSE(info.argv_cut);
  EXPECT_EQ(info.argc, 2U);
  RingExec empty;
  empty.arguments = std::string("\0\0", 2);
  EXPECT_EQ(exec_in(empty.bytes()).argv, (std::vector<std::string>{"", ""}));
}

TEST(ExecEvent, AnEndHasACodeOrASignal) {
  struct Case {
    unsigned status;
    int code, signal;  // -1: none
  };
  for (const Case& one : {Case{0, 0, -1}, Case{37U << 8, 37, -1}, Case{255U << 8, 255, -1}, Case{9, -1, 9},
                          Case{0x80 | 11, -1, 11}}) {
    const auto event = decode_ring_entry(exit_bytes(one.status));
    ASSERT_TRUE(event);
    const auto& info = std::get<format::ExitInfo>(event->what);
    EXPECT_EQ(info.exit_code.value_or(-1), one.code);
    EXPECT_EQ(info.signal.value_or(-1), one.signal);
    EXPECT_EQ(info.duration_us, 1500);
    EXPECT_EQ(info.execs, 1U);
    EXPECT_EQ(event->session, 7U);
  }
}

TEST(ExecEvent, EveryCutLengthAndEveryExcessIsRefused) {
  for (const std::string& whole : {RingExec().bytes(), exit_bytes(0)}) {
    ASSERT_TRUE(decode_ring_entry(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      std::string cut = whole.substr(0, size);
      EXPECT_FALSE(decode_ring_entry(cut)) << size;
      // … even if the entry itself claims that length.
      const auto claimed = static_cast<unsigned>(size);
      if (size >= 8) std::memcpy(&cut[4], &claimed, sizeof claimed);
      EXPECT_FALSE(decode_ring_entry(cut)) << size;
    }
    EXPECT_FALSE(decode_ring_entry(whole + "x"));
  }
}

TEST(ExecEvent, LengthsThatLieAreRefused) {
  const std::string whole = RingExec().bytes();
  // The four lengths of the strings.
  for (std::size_t at = sizeof(opelog_ring_exec) - 16; at < sizeof(opelog_ring_exec); at += 4) {
    for (const unsigned lie : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU, 4097U, 8193U}) {
      std::string bytes = whole;
      std::memcpy(&bytes[at], &lie, sizeof lie);
      EXPECT_FALSE(decode_ring_entry(bytes)) << at << " " << lie;
    }
  }
  // Two that lie so that the sum is right by wrapping around.
  RingExec wrapped;
  std::string bytes = wrapped.bytes();
  const unsigned file = wrapped.entry.file + 0x80000000U;
  const unsigned exe = wrapped.entry.exe + 0x80000000U;
  std::memcpy(&bytes[offsetof(opelog_ring_exec, file)], &file, sizeof file);
  std::memcpy(&bytes[offsetof(opelog_ring_exec, exe)], &exe, sizeof exe);
  EXPECT_FALSE(decode_ring_entry(bytes));
}

TEST(ExecEvent, StringsThatAreNoPathsAreRefused) {
  for (const std::string& path : {std::string("no slash"), std::string("a\0b/", 4)}) {
    RingExec entry;
    entry.exe = path;
    EXPECT_FALSE(decode_ring_entry(entry.bytes()));
    entry = RingExec();
    entry.directory = path;
    EXPECT_FALSE(decode_ring_entry(entry.bytes()));
  }
  RingExec kind;
  kind.entry.head.kind = 3;
  EXPECT_FALSE(decode_ring_entry(kind.bytes()));
}

}  // namespace
}  // namespace opelog::record
