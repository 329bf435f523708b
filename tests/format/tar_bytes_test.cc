#include "format/tar_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support_io.h"

namespace opelog::format {
namespace {

using testing::run;
using testing::slurp;
using testing::spill;
using testing::TempDir;

using Members = std::vector<std::pair<std::string, std::string>>;

// Names and bytes of all members, or the error.
Result<Members> unpacked(const std::string& bytes) {
  const ReadAt read = [&](char* data, std::size_t size, std::uint64_t at) -> Result<std::size_t> {
    if (at >= bytes.size()) return std::size_t{0};
    return bytes.copy(data, size, at);
  };
  auto tar = TarReader::open(read, bytes.size());
  if (!tar) return std::move(tar).error();
  Members members;
  for (;;) {
    auto member = tar->next();
    if (!member) return std::move(member).error();
    if (!*member) return members;
    members.emplace_back((*member)->name, bytes.substr((*member)->offset, (*member)->size));
  }
}

std::string packed(const Members& members) {
  std::string bytes;
  TarWriter tar([&](std::string_view piece) {
    bytes += piece;
    return Status{};
  });
  for (const auto& [name, content] : members) {
    EXPECT_TRUE(tar.begin(name, content.size(), 1795356309000000).ok());
    EXPECT_TRUE(tar.write(content).ok());
  }
  EXPECT_TRUE(tar.finish().ok());
  return bytes;
}

Members sample_members() {
  // Whole blocks and parts of them, more than a buffer, nothing; a name that needs a pax header.
  return {{"a", "x"},
          {std::string(240, 'n'), std::string(512, 'y')},
          {"empty", ""},
          {"large", std::string(300001, 'z')},
          {"last", std::string(511, 'w')}};
}

TEST(TarBytes, HoldsWhatWasPutInto) {
  const std::string bytes = packed(sample_members());
  EXPECT_EQ(bytes.size() % 512, 0U);
  const auto members = unpacked(bytes);
  ASSERT_TRUE(members.ok()) << members.error().message;
  EXPECT_EQ(*members, sample_members());
  EXPECT_EQ(bytes, packed(sample_members()));
}

TEST(TarBytes, IsTarsOwn) {
  const TempDir dir;
  spill(dir.file("x.tar"), packed(sample_members()));
  EXPECT_EQ(run({"tar", "-C", dir.path(), "-xf", dir.file("x.tar")}).err, "");
  for (const auto& [name, content] : sample_members()) EXPECT_EQ(slurp(dir.file(name)), content);
  // And the other way, in each of its formats.
  for (const char* format : {"--format=gnu", "--format=ustar", "--format=pax"}) {
    ASSERT_EQ(run({"tar", "-C", dir.path(), format, "-cf", dir.file("y.tar"), "a", "large", "empty"}).status,
              0);
    const auto members = unpacked(slurp(dir.file("y.tar")));
    ASSERT_TRUE(members.ok()) << members.error().message;
    EXPECT_EQ(members->size(), 3U);
    EXPECT_EQ((*members)[1].second, sample_members()[3].second) << format;
  }
}

TEST(TarBytes, RefusesWhatIsNoPlainFile) {
  const TempDir dir;
  spill(dir.file("f"), "text");
  ASSERT_EQ(run({"sh", "-c",
                 "cd \"$1\" && ln -s f link && ln f hard && mkdir d && truncate -s 1M sparse && "
                 "echo x >> sparse",
                 "sh", dir.path()})
                .status,
            0);
  for (const char* files :
       {"link", "d", "f hard", "-S sparse", "--format=pax -S sparse", "-z f", "--zstd f"}) {
    ASSERT_EQ(run({"sh", "-c", "cd \"$1\" && tar cf x.tar " + std::string(files), "sh", dir.path()}).status,
              0);
    const auto members = unpacked(slurp(dir.file("x.tar")));
    ASSERT_FALSE(members.ok()) << files;
    EXPECT_EQ(members.error().code, Code::kInvalid) << files;
  }
}

TEST(TarBytes, NamesACutAndDamage) {
  const std::string bytes = packed({{"a", std::string(700, 'x')}, {"b", "y"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto members = unpacked(bytes.substr(0, size));
    ASSERT_FALSE(members.ok()) << size;
    ASSERT_EQ(members.error().code, Code::kInvalid) << size;
  }
  std::string damaged = bytes;
  damaged[512 + 1024] ^= 1;  // the name of the second
  EXPECT_EQ(unpacked(damaged).error().code, Code::kInvalid);
}

TEST(TarBytes, TakesExactlyWhatWasSaid) {
  std::string bytes;
  TarWriter tar([&](std::string_view piece) {
    bytes += piece;
    return Status{};
  });
  ASSERT_TRUE(tar.begin("a", 3, 0).ok());
  EXPECT_EQ(tar.write("four").error().code, Code::kInvalid);
  ASSERT_TRUE(tar.write("tw").ok());
  EXPECT_EQ(tar.finish().error().code, Code::kInvalid);
  EXPECT_EQ(tar.begin("b", 1, 0).error().code, Code::kInvalid);
}

TEST(TarBytes, ARefusedByteIsTheError) {
  {
    TarWriter tar([](std::string_view) { return Status{Error{Code::kIo, "disk full", 28}}; });
    ASSERT_TRUE(tar.begin("a", 1, 0).ok());
    ASSERT_TRUE(tar.write("x").ok());
    const auto finished = tar.finish();
    ASSERT_FALSE(finished.ok());
    EXPECT_EQ(finished.error().message, "disk full");
  }
  const ReadAt broken = [](char*, std::size_t, std::uint64_t) -> Result<std::size_t> {
    return Error{Code::kIo, "bad disk", 5};
  };
  EXPECT_EQ(TarReader::open(broken, 10000).error().message, "bad disk");
}

}  // namespace
}  // namespace opelog::format
