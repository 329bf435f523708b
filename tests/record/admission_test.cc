#include "record/admission.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

constexpr const char* kShim = "/usr/bin/opelog-shell";

Rule rule(const std::string& name, std::uint32_t uid, Action action,
          OnRefuse on_start_failure = OnRefuse::kRefuse) {
  Rule made;
  made.name = name;
  made.match.uid = {{uid, uid}};
  made.action = action;
  made.on_start_failure = on_start_failure;
  return made;
}

// 1000 is recorded, 1001 too but may pass when the host is full, 1002 is refused, everybody else passes.
Policy policy() {
  Policy made;
  made.rules = {rule("operators", 1000, Action::kRecord),
                rule("lenient", 1001, Action::kRecord, OnRefuse::kPass),
                rule("nobody", 1002, Action::kRefuse)};
  made.rules[0].record_input = true;
  made.rules[0].notice = "you are recorded";
  made.max_sessions = 100;
  made.max_sessions_per_user = 10;
  return made;
}

AdmissionFacts login(std::uint32_t uid) {
  AdmissionFacts facts;
  facts.login.uid = uid;
  facts.login.user = "u" + std::to_string(uid);
  facts.login.terminal = true;
  facts.shim_proven = true;
  facts.passwd_shell = "/bin/bash";
  facts.shim_path = kShim;
  return facts;
}

TEST(Admission, FollowsThePolicyUnlessSomethingElseMustHold) {
  struct Row {
    const char* what;
    std::uint32_t uid;
    void (*change)(AdmissionFacts&);
    opelog_action action;
    AdmissionCause cause;
    const char* rule;
    int exit_code;
    bool unrecorded;
  };
  constexpr auto kNothing = [](AdmissionFacts&) {};
  const Row table[] = {
      {"a target at a terminal", 1000, kNothing, OPELOG_RECORD_TERMINAL, AdmissionCause::kPolicy, "operators",
       0, false},
      {"a target without one", 1000, [](AdmissionFacts& f) { f.login.terminal = false; },
       OPELOG_RECORD_STREAMS, AdmissionCause::kPolicy, "operators", 0, false},
      {"not a target", 2000, kNothing, OPELOG_PASS, AdmissionCause::kPolicy, "", 0, false},
      {"refused by a rule", 1002, kNothing, OPELOG_REFUSE, AdmissionCause::kPolicy, "nobody",
       OPELOG_EXIT_REFUSED, false},
      {"refused even inside a session", 1002, [](AdmissionFacts& f) { f.nested = true; }, OPELOG_REFUSE,
       AdmissionCause::kPolicy, "nobody", OPELOG_EXIT_REFUSED, false},
      {"inside a live session", 1000, [](AdmissionFacts& f) { f.nested = true; }, OPELOG_PASS,
       AdmissionCause::kNested, "operators", 0, false},
      {"a target whose shim is not proven", 1000, [](AdmissionFacts& f) { f.shim_proven = false; },
       OPELOG_REFUSE, AdmissionCause::kShim, "operators", OPELOG_EXIT_REFUSED, false},
      {"not proven, lenient", 1001, [](AdmissionFacts& f) { f.shim_proven = false; }, OPELOG_REFUSE,
       AdmissionCause::kShim, "lenient", OPELOG_EXIT_REFUSED, false},
      {"not proven, inside a session", 1000,
       [](AdmissionFacts& f) { f.shim_proven = false, f.nested = true; }, OPELOG_REFUSE,
       AdmissionCause::kShim, "operators", OPELOG_EXIT_REFUSED, false},
      {"not proven, no target", 2000, [](AdmissionFacts& f) { f.shim_proven = false; }, OPELOG_PASS,
       AdmissionCause::kPolicy, "", 0, false},
      {"one below his limit", 1000, [](AdmissionFacts& f) { f.sessions_of_user = 9; }, OPELOG_RECORD_TERMINAL,
       AdmissionCause::kPolicy, "operators", 0, false},
      {"at his limit", 1000, [](AdmissionFacts& f) { f.sessions_of_user = 10; }, OPELOG_REFUSE,
       AdmissionCause::kUserLimit, "operators", OPELOG_EXIT_REFUSED, false},
      {"at his limit, lenient: no way out of being recorded", 1001,
       [](AdmissionFacts& f) { f.sessions_of_user = 10; }, OPELOG_REFUSE, AdmissionCause::kUserLimit,
       "lenient", OPELOG_EXIT_REFUSED, false},
      {"the host is full", 1000, [](AdmissionFacts& f) { f.sessions = 100; }, OPELOG_REFUSE,
       AdmissionCause::kHostLimit, "operators", OPELOG_EXIT_UNAVAILABLE, false},
      {"the host is full, lenient", 1001, [](AdmissionFacts& f) { f.sessions = 100; }, OPELOG_PASS,
       AdmissionCause::kHostLimit, "lenient", 0, true},
      {"the host is full, inside a session", 1000,
       [](AdmissionFacts& f) { f.sessions = 100, f.nested = true; }, OPELOG_PASS, AdmissionCause::kNested,
       "operators", 0, false},
      {"the host is full, no target", 2000, [](AdmissionFacts& f) { f.sessions = 100; }, OPELOG_PASS,
       AdmissionCause::kPolicy, "", 0, false},
      {"his own wish", 2000, [](AdmissionFacts& f) { f.how = OPELOG_HOW_REC; }, OPELOG_RECORD_TERMINAL,
       AdmissionCause::kWish, "rec", 0, false},
      {"his own wish inside a session", 1000,
       [](AdmissionFacts& f) { f.how = OPELOG_HOW_REC, f.nested = true; }, OPELOG_RECORD_TERMINAL,
       AdmissionCause::kWish, "rec", 0, false},
      {"his own wish, full, lenient", 1001,
       [](AdmissionFacts& f) { f.how = OPELOG_HOW_REC, f.sessions = 100; }, OPELOG_REFUSE,
       AdmissionCause::kHostLimit, "rec", OPELOG_EXIT_UNAVAILABLE, false},
      {"his own wish, not proven", 2000,
       [](AdmissionFacts& f) { f.how = OPELOG_HOW_REC, f.shim_proven = false; }, OPELOG_REFUSE,
       AdmissionCause::kShim, "rec", OPELOG_EXIT_REFUSED, false},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    auto facts = login(row.uid);
    row.change(facts);
    facts.shim_reason = "its program is /tmp/x";
    const auto admission = admit(policy(), facts);
    EXPECT_EQ(admission.action, row.action);
    EXPECT_STREQ(admission_cause_word(admission.cause), admission_cause_word(row.cause));
    EXPECT_EQ(admission.rule.name, row.rule);
    EXPECT_EQ(admission.exit_code, row.exit_code);
    EXPECT_EQ(admission.unrecorded, row.unrecorded);
    EXPECT_EQ(admission.shell, row.action == OPELOG_REFUSE ? "" : "/bin/bash");
    EXPECT_EQ(admission.message.empty(), row.action != OPELOG_REFUSE) << admission.message;
    EXPECT_EQ(admission.message.find('\n'), std::string::npos);
  }
}

TEST(Admission, TheRealShellIsTheEnrolledOneThenPasswdsAndNeverTheShim) {
  struct Row {
    const char* passwd;
    std::optional<std::string> enrolled;
    const char* shell;  ///< nullptr: refused
  };
  const Row table[] = {
      {"/bin/zsh", {}, "/bin/zsh"},
      {"", {}, "/bin/sh"},
      {kShim, "/bin/zsh", "/bin/zsh"},
      {"/bin/bash", "/bin/zsh", "/bin/zsh"},
      {kShim, {}, nullptr},
      {"/opt/copy/opelog-shell", {}, nullptr},
      {kShim, kShim, nullptr},
      {kShim, "", nullptr},
      {kShim, "zsh", nullptr},
      {"bash", {}, nullptr},
  };
  for (const std::uint32_t uid : {1000u, 2000u}) {
    for (const auto& row : table) {
      SCOPED_TRACE(std::string(row.passwd) + " / " + row.enrolled.value_or("not enrolled"));
      auto facts = login(uid);
      facts.passwd_shell = row.passwd;
      facts.enrolled_shell = row.enrolled;
      const auto admission = admit(policy(), facts);
      EXPECT_EQ(admission.action == OPELOG_REFUSE, row.shell == nullptr);
      EXPECT_EQ(admission.shell, row.shell == nullptr ? "" : row.shell);
      if (row.shell != nullptr) continue;
      EXPECT_EQ(admission.cause, AdmissionCause::kShell);
      EXPECT_EQ(admission.exit_code, OPELOG_EXIT_EXEC);
      EXPECT_NE(admission.message.find("administrator must"), std::string::npos) << admission.message;
    }
  }
}

TEST(Admission, AQuestionIsAnsweredAsTheLoginWouldBeAndRefusesNothing) {
  struct Row {
    std::uint32_t uid;
    bool nested, proven, recorded;
  };
  for (const auto& row :
       {Row{1000, false, true, true}, Row{1000, true, true, false}, Row{1000, false, false, true},
        Row{1002, false, true, true}, Row{2000, false, true, false}}) {
    auto facts = login(row.uid);
    facts.how = OPELOG_HOW_QUERY;
    facts.nested = row.nested;
    facts.shim_proven = row.proven;
    facts.passwd_shell = kShim;
    const auto admission = admit(policy(), facts);
    EXPECT_EQ(admission.action, OPELOG_PASS) << row.uid;
    EXPECT_EQ(admission.query_recorded, row.recorded) << row.uid << row.nested << row.proven;
    EXPECT_EQ(admission.message, "");
    EXPECT_EQ(admission.exit_code, 0);
  }
}

TEST(Admission, AWishIsRecordedWithTheFirstRecordingRulesSettings) {
  auto facts = login(2000);
  facts.how = OPELOG_HOW_REC;
  auto with_rules = policy();
  std::swap(with_rules.rules[0], with_rules.rules[2]);
  with_rules.rules[1].record_payload = true;
  const auto admission = admit(with_rules, facts);
  EXPECT_EQ(admission.rule.name, "rec");
  EXPECT_TRUE(admission.rule.record_payload);
  EXPECT_TRUE(admission.rule.match.uid.empty());
  const auto plain = admit(Policy(), facts);
  EXPECT_EQ(plain.action, OPELOG_RECORD_TERMINAL);
  EXPECT_EQ(plain.rule.name, "rec");
}

TEST(Admission, ARulesOwnReasonIsWhatTheRefusedUserReads) {
  auto reasons = policy();
  EXPECT_NE(admit(reasons, login(1002)).message.find("nobody"), std::string::npos);
  reasons.rules[2].notice = "use the jump host";
  EXPECT_EQ(admit(reasons, login(1002)).message, "use the jump host");
}

}  // namespace
}  // namespace opelog::record
