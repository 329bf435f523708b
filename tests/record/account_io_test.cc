#include "record/account_io.h"

#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <fstream>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

// Runs `work` where /etc/passwd and /etc/group are these, in a mount namespace of a child process.
std::string with_accounts(const std::string& passwd, const std::string& group,
                          const std::function<std::string()>& work) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "passwd") << passwd;
  std::ofstream(scratch / "group") << group;
  return in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount((scratch / "passwd").c_str(), "/etc/passwd", nullptr, MS_BIND, nullptr) != 0 ||
        ::mount((scratch / "group").c_str(), "/etc/group", nullptr, MS_BIND, nullptr) != 0) {
      return "no private mounts";
    }
    return work();
  });
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += word + ",";
  return text;
}

TEST(Account, EverythingTheNameServiceKnowsOfAUidIsFound) {
  const auto said = with_accounts(
      "root:x:0:0::/root:/bin/sh\nopelogtest:x:20001:20002:A,B:/home/x y:/bin/zsh\nbare:x:20003:1::/:\n",
      "root:x:0:\nown:x:20002:\naudit:x:20010:opelogtest,root\nother:x:20011:root\n", [] {
        const auto account = lookup_account(20001);
        const auto bare = lookup_account(20003);
        if (!account) return account.error().message;
        if (!bare) return bare.error().message;
        const auto alone = lookup_account(20001, Groups::kWithoutGroups);
        if (!alone || alone->user != account->user || !alone->groups.empty())
          return std::string("without groups");
        return account->user + "|" + std::to_string(account->gid) + "|" + account->home + "|" +
               account->shell + "|" + join(account->groups) + "|" + bare->shell + "|" + join(bare->groups);
      });
  EXPECT_EQ(said, "opelogtest|20002|/home/x y|/bin/zsh|own,audit,||");
}

TEST(Account, HundredsOfGroupsAndAGroupOfThousandsFit) {
  std::string group = "own:x:20001:\nbig:x:30000:";
  for (int i = 0; i < 5000; ++i) group += "member" + std::to_string(i) + ",";
  group += "opelogtest\n";
  for (int i = 0; i < 200; ++i)
    group += "g" + std::to_string(i) + ":x:" + std::to_string(40000 + i) + ":opelogtest\n";
  const auto said = with_accounts("opelogtest:x:20001:20001::/:/bin/sh\n", group, [] {
    const auto account = lookup_account(20001);
    if (!account) return account.error().message;
    const auto& groups = account->groups;
    return std::to_string(groups.size()) +
           (std::find(groups.begin(), groups.end(), "big") != groups.end() ? " big" : "");
  });
  EXPECT_EQ(said, "202 big");
}

TEST(Account, AnEntryBeyondTheBoundIsALimitAndNotAHang) {
  const std::string group = "huge:x:30000:" + std::string(2 * kMaxRecord, 'a') + "\n";
  const auto said =
      with_accounts("", group, [] { return std::string(code_name(lookup_group("huge").error().code)); });
  EXPECT_EQ(said, "limit");
}

TEST(Account, UnknownNamesAndNumbersAreNotFound) {
  const auto said = with_accounts("a:x:20001:1::/:\n", "b:x:7:\n", [] {
    return std::string(code_name(lookup_account(4242).error().code)) + " " +
           code_name(lookup_user("nobody-here").error().code) + " " +
           code_name(lookup_group("none").error().code) + " " + std::to_string(*lookup_user("a")) + " " +
           std::to_string(*lookup_group("b"));
  });
  EXPECT_EQ(said, "not-found not-found not-found 20001 7");
}

}  // namespace
}  // namespace opelog::record
