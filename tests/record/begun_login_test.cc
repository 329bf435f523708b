#include "record/begun_login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace opelog::record {
namespace {

using Step = BegunLogin::Step;
constexpr const char* kShimOfLogins = "/usr/bin/opelog-shell";
constexpr std::int64_t kRoot = 100;
constexpr std::uint32_t kUser = 1000;

ProcessEvent program(std::int64_t pid, std::vector<std::string> argv, std::string exe = "/usr/bin/bash") {
  format::ExecInfo info;
  info.pid = pid;
  info.argv = std::move(argv);
  info.exe = std::move(exe);
  info.uid = kUser;
  return {7, 0, info};
}

ProcessEvent death(std::int64_t pid, int code = 0) {
  format::ExitInfo info;
  info.pid = pid;
  info.exit_code = code;
  return {7, 0, info};
}

TEST(BegunLogin, WhoMeetsTheShimAtOnceIsOverWithoutALookup) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-opelog-shell"}, kShimOfLogins), 0);
  EXPECT_EQ(login.step(0), Step::kWait);
  login.claimed(kRoot, kUser, BegunLogin::Claim::kRecorded);
  EXPECT_EQ(login.step(1), Step::kOver);
}

TEST(BegunLogin, AWantedOneThatNeverMeetsItIsRecordedAfterTheGraceWithAllItDid) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-bash"}), 10);
  login.take(program(101, {"ls"}), 20);
  EXPECT_EQ(login.step(BegunLogin::kGraceUs * 9), Step::kWait) << "nobody knows yet whether it is wanted";
  login.wanted(true);
  EXPECT_TRUE(login.waits_for_time());
  EXPECT_EQ(login.step(10 + BegunLogin::kGraceUs - 1), Step::kWait);
  EXPECT_EQ(login.step(10 + BegunLogin::kGraceUs), Step::kRecord);
  EXPECT_EQ(login.held().events.size(), 2U);
  login.take(program(102, {"id"}), 30);
  EXPECT_TRUE(login.held().events.empty()) << "from now on they go into the recording";
  for (const std::int64_t pid : {101, 102}) login.take(death(pid), 40);
  EXPECT_EQ(login.step(50), Step::kWait);
  login.take(death(kRoot, 5), 60);
  EXPECT_EQ(login.step(70), Step::kOver);
  EXPECT_EQ(login.end()->exit_code, 5);
}

TEST(BegunLogin, OneThatHasEndedIsRecordedAtOnce) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"bash", "-c", "id"}), 10);
  login.take(death(kRoot), 20);
  EXPECT_EQ(login.step(20), Step::kRecord);
  EXPECT_EQ(login.step(20), Step::kOver);
}

TEST(BegunLogin, AnUnwantedOneIsReleased) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-bash"}), 10);
  login.wanted(false);
  EXPECT_EQ(login.step(11), Step::kRelease);
}

TEST(BegunLogin, OneThatPassesByTheShimsVerdictIsReleased) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-opelog-shell"}, kShimOfLogins), 10);
  login.claimed(kRoot, kUser, BegunLogin::Claim::kPasses);
  EXPECT_EQ(login.step(11), Step::kRelease);
}

TEST(BegunLogin, WhatIsExecutedBesideItsSessionIsAReason) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"bash", "-c", "exec opelog-shell"}), 10);
  login.wanted(true);
  login.take(program(101, {"opelog-shell"}, kShimOfLogins), 20);
  login.claimed(101, kUser, BegunLogin::Claim::kRecorded);
  EXPECT_EQ(login.step(30 + 2 * BegunLogin::kGraceUs), Step::kWait) << "its start-up files are answered for";
  login.take(program(kRoot, {"sh"}), 40);
  EXPECT_EQ(login.step(40 + BegunLogin::kGraceUs), Step::kRecord);
  EXPECT_EQ(login.held().events.size(), 1U);
}

std::vector<std::string> programs_of(const HeldEvents& held) {
  std::vector<std::string> programs;
  for (const ProcessEvent& event : held.events) {
    const auto* exec = std::get_if<format::ExecInfo>(&event.what);
    programs.push_back(exec != nullptr ? exec->argv.back() : "end");
  }
  return programs;
}

// A hook's shell with its start-up files, up to the shim in its place.
BegunLogin with_start_up_files() {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"bash", "-c", "exec opelog-shell"}), 10);
  login.take(program(101, {"marker"}), 20);
  login.take(death(101), 30);
  login.take(program(kRoot, {"opelog-shell"}, kShimOfLogins), 40);
  return login;
}

TEST(BegunLogin, WhatCameBeforeTheShimGoesToItsSession) {
  BegunLogin login = with_start_up_files();
  login.lost(3);
  const HeldEvents before = login.claimed(kRoot, kUser, BegunLogin::Claim::kRecorded);
  EXPECT_EQ(programs_of(before), (std::vector<std::string>{"exec opelog-shell", "marker", "end"}));
  EXPECT_EQ(before.missing, 3U);
  EXPECT_EQ(login.held_bytes(), 0U);
  EXPECT_TRUE(login.held().events.empty());
  EXPECT_TRUE(login.claimed(kRoot, kUser, BegunLogin::Claim::kRecorded).events.empty()) << "once";
}

TEST(BegunLogin, WhatCameBeforeGoesNowhereWithoutARecordingOfWhoMayBeRecorded) {
  EXPECT_TRUE(with_start_up_files().claimed(kRoot, kUser, BegunLogin::Claim::kRefused).events.empty());
  EXPECT_TRUE(with_start_up_files().claimed(kRoot, kUser, BegunLogin::Claim::kPasses).events.empty());
  EXPECT_TRUE(with_start_up_files().claimed(101, kUser + 1, BegunLogin::Claim::kRecorded).events.empty())
      << "su, in the login of somebody whom nobody knows yet";
  BegunLogin wanted = with_start_up_files();
  wanted.wanted(true);
  EXPECT_FALSE(wanted.claimed(101, kUser + 1, BegunLogin::Claim::kRecorded).events.empty());
  BegunLogin unwanted = with_start_up_files();
  unwanted.wanted(false);
  EXPECT_TRUE(unwanted.claimed(kRoot, kUser, BegunLogin::Claim::kRecorded).events.empty());
}

TEST(BegunLogin, NothingComesBeforeAShimThatIsTheLoginsFirstProgram) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-opelog-shell"}, kShimOfLogins), 0);
  login.lost(0);  // somebody's
  const HeldEvents before = login.claimed(kRoot, kUser, BegunLogin::Claim::kRecorded);
  EXPECT_TRUE(before.events.empty());
  EXPECT_EQ(before.missing, 0U);
}

TEST(BegunLogin, ARefusedOneThatGoesOnIsAReason) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"-bash"}), 10);
  login.take(program(101, {"opelog-shell"}, kShimOfLogins), 20);
  login.claimed(101, kUser, BegunLogin::Claim::kRefused);
  login.take(death(101, 77), 30);
  EXPECT_EQ(login.step(30 + 2 * BegunLogin::kGraceUs), Step::kWait);
  login.take(program(102, {"id"}), 40);
  EXPECT_EQ(login.step(40 + BegunLogin::kGraceUs), Step::kRecord);
}

TEST(BegunLogin, TheShimAgainAndAgainPutsNothingOff) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"bash", "-c", "exec opelog-shell"}), 10);
  login.take(program(101, {"opelog-shell"}, kShimOfLogins), 20);
  login.claimed(101, kUser, BegunLogin::Claim::kRecorded);
  login.take(program(kRoot, {"sh"}), 30);
  for (int i = 0; i < 3; ++i) {
    login.take(program(102 + i, {"opelog-shell", "-c", "true"}, kShimOfLogins), 40 + i);
    login.claimed(102 + i, kUser, i == 1 ? BegunLogin::Claim::kRefused : BegunLogin::Claim::kRecorded);
  }
  EXPECT_EQ(login.step(30 + BegunLogin::kGraceUs), Step::kRecord);
  EXPECT_EQ(std::get<format::ExecInfo>(login.held().events.front().what).argv,
            std::vector<std::string>{"sh"});
}

TEST(BegunLogin, ThatAShimFurtherDownMayPassFreesNobody) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"-bash"}), 10);
  login.take(program(101, {"opelog-shell", "-c", "true"}, kShimOfLogins), 20);
  login.claimed(101, kUser, BegunLogin::Claim::kPasses);
  EXPECT_EQ(login.step(10 + BegunLogin::kGraceUs), Step::kRecord);
  EXPECT_EQ(login.held().events.size(), 2U);
}

TEST(BegunLogin, WhatLooksLikeTheShimAndAsksNobodyIsAReasonInTheEnd) {
  BegunLogin login(kShimOfLogins);
  login.take(program(kRoot, {"-opelog-shell"}, kShimOfLogins), 10);
  login.wanted(true);
  EXPECT_EQ(login.step(10 + BegunLogin::kShimGraceUs - 1), Step::kWait);
  EXPECT_EQ(login.step(10 + BegunLogin::kShimGraceUs), Step::kRecord);
  BegunLogin refused(kShimOfLogins);
  refused.take(program(kRoot, {"-opelog-shell"}, kShimOfLogins), 10);
  refused.wanted(true);
  refused.take(death(kRoot, 77), 20);
  EXPECT_EQ(refused.step(30), Step::kOver) << "too many logins were waiting, for instance";
}

TEST(BegunLogin, AShimThatEndsTakesNothingElseWithIt) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"opelog-shell"}, kShimOfLogins), 10);  // stopped, say
  login.take(program(101, {"id"}), 20);
  login.take(death(101), 30);
  login.take(death(kRoot, 77), 40);
  EXPECT_EQ(login.step(50), Step::kRecord);
  EXPECT_EQ(login.held().events.size(), 4U);
}

TEST(BegunLogin, AClaimCountsOnceAlsoForOneThatSeemedOver) {
  BegunLogin again(kShimOfLogins);
  again.wanted(true);
  again.was_claimed();
  again.take(program(101, {"id"}), 10);
  again.take(program(102, {"opelog-shell", "-c", "true"}, kShimOfLogins), 20);
  again.claimed(102, kUser, BegunLogin::Claim::kRecorded);
  again.take(death(101), 30);
  EXPECT_EQ(again.step(40), Step::kRecord);
}

TEST(BegunLogin, HeldIsBoundedByBytes) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  for (int i = 0; i < 10; ++i)
    login.take(program(kRoot, std::vector<std::string>(8000), "/usr/bin/bash"), 10);
  EXPECT_LE(login.held_bytes(), BegunLogin::kMaxHeldBytes);
  login.take(program(101, {"id"}), 10, false);
  const auto [held, missing] = login.held();
  EXPECT_LT(held.size(), 10U);
  EXPECT_EQ(missing, 11U - held.size());
  EXPECT_EQ(login.held_bytes(), 0U);
}

TEST(BegunLogin, SshdsOwnXauthIsNoLogin) {
  BegunLogin login(kShimOfLogins);
  ProcessEvent xauth = program(kRoot, {"sh", "-c", "/usr/bin/xauth -q -"}, "/usr/bin/dash");
  xauth.begins = true;
  login.take(xauth, 10);
  EXPECT_EQ(login.step(11), Step::kRelease);
  BegunLogin again(kShimOfLogins);
  xauth.begins = false;
  again.take(xauth, 10);
  EXPECT_EQ(again.step(11), Step::kWait) << "his own words, of a login that seemed over";
  BegunLogin other(kShimOfLogins);
  other.wanted(true);
  other.take(program(kRoot, {"sh", "-c", "/usr/bin/xauth -q -; id"}, "/usr/bin/dash"), 10);
  EXPECT_EQ(other.step(11), Step::kWait);
}

TEST(BegunLogin, MoreThanIsHeldIsCounted) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"-bash"}), 10);
  for (std::size_t i = 1; i < BegunLogin::kMaxHeldEvents + 3; ++i) login.take(program(101, {"id"}), 10);
  login.lost(4);
  EXPECT_EQ(login.step(10 + BegunLogin::kGraceUs), Step::kRecord);
  const auto [held, missing] = login.held();
  EXPECT_EQ(held.size(), BegunLogin::kMaxHeldEvents);
  EXPECT_EQ(missing, 7U);
}

TEST(BegunLogin, ALostEndIsFoundByLooking) {
  BegunLogin login(kShimOfLogins);
  login.wanted(true);
  login.take(program(kRoot, {"-bash"}), 10);
  login.take(program(101, {"id"}), 10);
  ASSERT_EQ(login.step(10 + BegunLogin::kGraceUs), Step::kRecord);
  login.retain([](std::int64_t pid) { return pid == 101; });
  EXPECT_EQ(login.step(20), Step::kWait);
  login.retain([](std::int64_t) { return false; });
  EXPECT_EQ(login.step(20), Step::kOver);
}

}  // namespace
}  // namespace opelog::record
