#include "cli/account_files.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

TEST(AccountFiles, PasswdLinesBecomeEntriesAndOthersAreLeftOut) {
  const auto entries = parse_passwd(
      "root:x:0:0:root:/root:/bin/bash\n#comment\nshort:x:1\nbad:x:abc:0::/:/bin/"
      "sh\nnoshell:x:7:8:::\n+::::::\nlast:x:9:9::/:/bin/zsh");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].shell, "/bin/bash");
  EXPECT_EQ(entries[1].user, "noshell");
  EXPECT_EQ(entries[1].shell, "/bin/sh") << "what login(1) takes then";
  EXPECT_EQ(find_user(entries, "last")->uid, 9U);
  EXPECT_FALSE(find_user(entries, "las"));
}

TEST(AccountFiles, GroupsAreFoundByTheirWholeName) {
  EXPECT_EQ(find_group("opelog-audit:x:11:\nopelog:x:12:a,b\n", "opelog"), 12U);
  EXPECT_FALSE(find_group("opelog-audit:x:11:\nopelog:x:none:\n", "opelog"));
}

TEST(AccountFiles, ShellsAreTheAbsolutePaths) {
  EXPECT_EQ(parse_shells("# shells\n/bin/sh\n\n/usr/bin/opelog-shell\n"),
            (std::vector<std::string>{"/bin/sh", "/usr/bin/opelog-shell"}));
}

}  // namespace
}  // namespace opelog::cli
