#include "watch/inotify_decode.h"

#include <gtest/gtest.h>

#include <cstring>

namespace opelog::watch {
namespace {

/// One event as the kernel lays it out; `length` may lie.
std::string raw(int wd, std::uint32_t bits, std::uint32_t cookie, const std::string& padded,
                std::uint32_t length) {
  const std::uint32_t words[4] = {static_cast<std::uint32_t>(wd), bits, cookie, length};
  return std::string(reinterpret_cast<const char*>(words), sizeof words) + padded;
}
std::string raw(int wd, std::uint32_t bits, std::uint32_t cookie, std::string name) {
  if (!name.empty())
    name.resize((name.size() / 16 + 1) * 16, '\0');  // NUL and padding to 16, as the kernel does
  const auto length = static_cast<std::uint32_t>(name.size());
  return raw(wd, bits, cookie, name, length);
}

TEST(InotifyDecode, EmptyReadHasNoEventsAndNoFault) {
  const DecodedEvents d = decode_inotify("");
  EXPECT_TRUE(d.events.empty());
  EXPECT_EQ(d.fault, DecodeFault::kNone);
}

TEST(InotifyDecode, EventsOfEveryShapeAreTakenApart) {
  const std::vector<InotifyEvent> wanted = {
      {1, mask::kCreate, 0, "a"},
      {1, mask::kCreate | mask::kIsDirectory, 0, "fifteen-bytes-x"},
      {2, mask::kMovedFrom, 77, "exactly-16-bytes"},
      {2, mask::kMovedTo, 77, std::string(255, 'n')},
      {2, mask::kCreate, 0, "line\nbreak \xff\x1b[0m"},
      {-1, mask::kOverflow, 0, ""},
      {3, mask::kIgnored, 0, ""},
      {3, mask::kDeleteSelf, 0, ""},
      {3, mask::kUnmount, 0, ""},
  };
  std::string bytes;
  for (const InotifyEvent& e : wanted) bytes += raw(e.wd, e.mask, e.cookie, e.name);
  const DecodedEvents d = decode_inotify(bytes);
  EXPECT_EQ(d.fault, DecodeFault::kNone);
  EXPECT_EQ(d.offset, bytes.size());
  EXPECT_EQ(d.events, wanted);
}

TEST(InotifyDecode, NameOfOnlyPaddingIsTheDirectoryItself) {
  const DecodedEvents d = decode_inotify(raw(1, mask::kAttrib, 0, std::string(16, '\0'), 16));
  ASSERT_EQ(d.events.size(), 1U);
  EXPECT_EQ(d.events[0].name, "");
}

TEST(InotifyDecode, MalformationsAreNamedAndWhatCameBeforeStands) {
  const std::string good = raw(1, mask::kCreate, 0, "good");
  const struct {
    const char* what;
    std::string bytes;
    DecodeFault fault;
  } cases[] = {
      {"one byte", "x", DecodeFault::kTruncatedHeader},
      {"15 bytes", std::string(15, '\0'), DecodeFault::kTruncatedHeader},
      {"name cut", raw(1, mask::kCreate, 0, std::string("ab\0", 3), 16), DecodeFault::kNameBeyondEnd},
      {"length of all ones", raw(1, mask::kCreate, 0, "abc", 0xFFFFFFFF), DecodeFault::kNameBeyondEnd},
      {"no NUL", raw(1, mask::kCreate, 0, "0123456789abcdef", 16), DecodeFault::kNameUnterminated},
      {"a path", raw(1, mask::kCreate, 0, "../etc/x"), DecodeFault::kNameNotAnEntry},
      {"dot", raw(1, mask::kCreate, 0, "."), DecodeFault::kNameNotAnEntry},
      {"dot dot", raw(1, mask::kCreate, 0, ".."), DecodeFault::kNameNotAnEntry},
  };
  for (const auto& c : cases) {
    const DecodedEvents d = decode_inotify(good + c.bytes);
    EXPECT_EQ(d.fault, c.fault) << c.what;
    EXPECT_EQ(d.offset, good.size()) << c.what;
    ASSERT_EQ(d.events.size(), 1U) << c.what;
    EXPECT_EQ(d.events[0].name, "good") << c.what;
  }
}

TEST(InotifyDecode, EveryTruncationGivesTheWholeEventsBeforeItAndNeverReadsBeyond) {
  const std::string first = raw(1, mask::kCreate, 0, "first"), second = raw(1, mask::kMovedTo, 9, "second");
  const std::string all = first + second;
  for (std::size_t n = 0; n <= all.size(); ++n) {
    const std::unique_ptr<char[]> exact(new char[n]);  // so that a sanitizer sees a read past the end
    std::memcpy(exact.get(), all.data(), n);
    const DecodedEvents d = decode_inotify(std::string_view(exact.get(), n));
    EXPECT_EQ(d.events.size(), n < first.size() ? 0U : n < all.size() ? 1U : 2U) << n;
    const bool whole = n == 0 || n == first.size() || n == all.size();
    EXPECT_EQ(d.fault == DecodeFault::kNone, whole) << n;
  }
}

TEST(InotifyDecode, UnalignedBufferIsDecodedAlike) {
  const std::string bytes = "x" + raw(5, mask::kDelete, 3, "name");
  const DecodedEvents d = decode_inotify(std::string_view(bytes).substr(1));
  ASSERT_EQ(d.events.size(), 1U);
  EXPECT_EQ(d.events[0], (InotifyEvent{5, mask::kDelete, 3, "name"}));
}

TEST(InotifyDecode, MaskWordsNameKnownBitsAndShowUnknownOnes) {
  EXPECT_EQ(mask_words(mask::kCreate | mask::kIsDirectory), "create|isdir");
  EXPECT_EQ(mask_words(mask::kOverflow), "overflow");
  EXPECT_EQ(mask_words(0), "0x0");
  EXPECT_EQ(mask_words(mask::kModify | 0x00100000), "modify|0x100000");
}

}  // namespace
}  // namespace opelog::watch
