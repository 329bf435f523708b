#include "watch/file_index.h"

#include <gtest/gtest.h>

namespace opelog::watch {
namespace {

File flagged(const std::string& name, std::uint64_t inode) {
  File file;
  file.name = name;
  file.inode = inode;
  file.birth_ns = 1000;
  file.state = FileState::kFlagged;
  return file;
}

TEST(FileIndex, FilesAreFoundByNameAndByInode) {
  FileIndex index(10);
  File* a = index.insert(flagged("a", 1));
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(index.by_name("a"), a);
  EXPECT_EQ(index.by_inode(1, 1000), a);
  EXPECT_EQ(index.by_inode(1, 0), a) << "unknown birth matches";
  EXPECT_EQ(index.by_inode(1, 2000), nullptr) << "an inode number in use again is another file";
}

TEST(FileIndex, RenameMovesTheNameAndNamelessFilesKeepTheirText) {
  FileIndex index(10);
  File* a = index.insert(flagged("a", 1));
  index.rename(*a, "b");
  EXPECT_EQ(index.by_name("a"), nullptr);
  EXPECT_EQ(index.by_name("b"), a);
  index.unname(*a);
  EXPECT_EQ(index.by_name("b"), nullptr);
  EXPECT_EQ(a->name, "b");
  index.rename(*a, "c");
  EXPECT_FALSE(a->nameless);
  EXPECT_EQ(index.by_name("c"), a);
}

TEST(FileIndex, ErasingANamelessFileLeavesTheNewOwnerOfItsName) {
  FileIndex index(10);
  File* a = index.insert(flagged("x", 1));
  index.unname(*a);
  File* b = index.insert(flagged("x", 2));
  index.erase(*a);
  EXPECT_EQ(index.by_name("x"), b);
}

TEST(FileIndex, SecondFileWithATakenInodeOrNameIsRefused) {
  FileIndex index(10);
  (void)index.insert(flagged("a", 1));
  EXPECT_EQ(index.insert(flagged("b", 1)), nullptr);
  EXPECT_EQ(index.insert(flagged("a", 2)), nullptr);
  EXPECT_EQ(index.by_name("b"), nullptr);
  EXPECT_EQ(index.size(), 1U);
}

TEST(FileIndex, FullIndexForgetsTheOldestThatMayBeForgotten) {
  FileIndex index(3);
  for (std::uint64_t i = 1; i <= 3; ++i) index.may_forget(*index.insert(flagged(std::to_string(i), i)));
  index.by_inode(1, 0)->live = true;
  index.by_inode(2, 0)->deadline = 5;
  ASSERT_NE(index.insert(flagged("new", 4)), nullptr);
  EXPECT_NE(index.by_inode(1, 0), nullptr) << "live";
  EXPECT_NE(index.by_inode(2, 0), nullptr) << "waits for something";
  EXPECT_EQ(index.by_inode(3, 0), nullptr);
  EXPECT_EQ(index.forgotten(), 1U);
  EXPECT_EQ(index.insert(flagged("more", 5)), nullptr) << "nothing is left to forget";
  EXPECT_EQ(index.size(), 3U);
}

TEST(FileIndex, LiveFileMayBeForgottenOnceItIsClosed) {
  FileIndex index(1);
  File* a = index.insert(flagged("a", 1));
  a->live = true;
  index.may_forget(*a);
  EXPECT_EQ(index.insert(flagged("b", 2)), nullptr);
  a->live = false;
  EXPECT_NE(index.insert(flagged("b", 2)), nullptr);
}

TEST(FileIndex, OrderOfForgettingStaysBoundedHoweverOftenAFileIsFlagged) {
  FileIndex index(2);
  File* a = index.insert(flagged("a", 1));
  File* b = index.insert(flagged("b", 2));
  index.may_forget(*b);
  for (int i = 0; i < 1000; ++i) index.may_forget(*a);
  ASSERT_NE(index.insert(flagged("c", 3)), nullptr);
  EXPECT_EQ(index.by_inode(2, 0), nullptr) << "b was first in the order";
  EXPECT_NE(index.by_inode(1, 0), nullptr);
}

}  // namespace
}  // namespace opelog::watch
