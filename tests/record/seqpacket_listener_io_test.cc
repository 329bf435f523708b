#include "record/seqpacket_listener_io.h"

#include <sys/un.h>

#include <fstream>

#include "probe.h"
#include "record/descriptor_packet_io.h"

namespace opelog::record {
namespace {

using namespace test;

mode_t mode_of(const std::string& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0 ? about.st_mode : 0;
}

TEST(SeqpacketListener, HasTheModeAndGroupAskedForWhateverTheUmask) {
  const ScratchDirectory scratch;
  const auto path = scratch / "s";
  const auto old = ::umask(0777);
  const auto listener = listen_seqpacket({path, 0660, 64998, 4});
  ::umask(old);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(mode_of(path), static_cast<mode_t>(S_IFSOCK | 0660));
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_gid, 64998u);
}

TEST(SeqpacketListener, TakesTheSocketOfADeadOneButNotOfALivingOne) {
  const ScratchDirectory scratch;
  const auto path = scratch / "s";
  auto first = listen_seqpacket({path, 0600, {}, 4});
  ASSERT_TRUE(first);
  const auto second = listen_seqpacket({path, 0600, {}, 4});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExists);
  first->reset();
  EXPECT_TRUE(S_ISSOCK(mode_of(path))) << "left behind";
  const auto third = listen_seqpacket({path, 0600, {}, 4});
  EXPECT_TRUE(third) << third.error().message;
}

TEST(SeqpacketListener, ALivingOneWithAFullBacklogIsStillAlive) {
  const ScratchDirectory scratch;
  const auto path = scratch / "s";
  const auto first = listen_seqpacket({path, 0600, {}, 0});
  ASSERT_TRUE(first);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  std::vector<Fd> waiting;
  for (bool full = false; !full && waiting.size() < 10;) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    full = ::connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0;
  }
  EXPECT_FALSE(listen_seqpacket({path, 0600, {}, 4}));
}

TEST(SeqpacketListener, NeverRemovesWhatIsNotASocket) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "file") << "precious";
  std::filesystem::create_symlink(scratch / "file", scratch / "link");
  for (const char* name : {"file", "link", "."}) {
    const auto listener = listen_seqpacket({scratch / name, 0600, {}, 4});
    ASSERT_FALSE(listener) << name;
    EXPECT_EQ(listener.error().code, Code::kExists) << name;
  }
  EXPECT_EQ(*read_file(scratch / "file", 100), "precious");
}

TEST(SeqpacketListener, AnImpossiblePathIsAnError) {
  EXPECT_EQ(listen_seqpacket({"", 0600, {}, 4}).error().code, Code::kInvalid);
  EXPECT_EQ(listen_seqpacket({"/tmp/" + std::string(200, 'x'), 0600, {}, 4}).error().code, Code::kInvalid);
  EXPECT_EQ(listen_seqpacket({"/nonexistent/s", 0600, {}, 4}).error().code, Code::kNotFound);
}

TEST(SeqpacketListener, WhatNeedsNoDescriptorsTakesNoneFromItsFirstConnectionOn) {
  for (const bool descriptors : {true, false}) {
    const ScratchDirectory scratch;
    const auto path = scratch / "s";
    ListenerOptions options;
    options.path = path;
    options.descriptors = descriptors;
    const auto listener = listen_seqpacket(options);
    ASSERT_TRUE(listener) << listener.error().message;
    int passes = 0;
    socklen_t length = sizeof passes;
    if (::getsockopt(listener->get(), SOL_SOCKET, 83, &passes, &length) != 0)
      GTEST_SKIP() << "this kernel is older than SO_PASSRIGHTS (6.16)";
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    Fd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    std::vector<Fd> sent;
    sent.push_back(std::move(duplicate(0)).value());
    EXPECT_EQ(send_packet(client.get(), "x", sent), descriptors) << "nobody has accepted it yet";
  }
}

}  // namespace
}  // namespace opelog::record
