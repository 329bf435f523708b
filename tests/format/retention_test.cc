#include "format/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

namespace opelog::format {
namespace {

using Action = RetainDecision::Action;

constexpr WallUs kRetainedAt = 1800000000LL * kUsPerS;
constexpr std::int64_t kDay = 86400;

/// A recording of this many bytes that changed so many days ago.
RetainedRecording retained(const std::string& name, const std::string& user, int days, std::uint64_t bytes) {
  RetainedRecording r;
  r.name = name;
  r.id = "id-" + name;
  r.user = user;
  r.changed = kRetainedAt - days * kDay * kUsPerS;
  r.bytes = r.plain_bytes = bytes;
  return r;
}

/// "a:prune age, b:compress, c:held" of those that something is said of, the oldest first.
std::string said(const std::vector<RetainedRecording>& recordings, const RetainPlan& plan) {
  std::string text;
  for (const RetainDecision& d : plan.decisions) {
    if (d.why.empty()) continue;
    text += (text.empty() ? "" : ", ") + recordings[d.recording].name + ":";
    text += d.action == Action::kPrune      ? std::string("prune ") + prune_word(d.reason)
            : d.action == Action::kCompress ? "compress"
                                            : d.why.substr(0, d.why.find(','));
  }
  return text;
}

struct Case {
  const char* what;
  std::function<void(Retention&)> policy;
  std::function<void(std::vector<RetainedRecording>&)> change;
  std::uint64_t free = 0;
  RetainStep step = RetainStep::kAgeAndSpace;
  const char* said = "";
  int unmet = 0;
};

TEST(RetentionPlan, DecidesByTheTable) {
  const auto none = [](std::vector<RetainedRecording>&) {};
  const Case cases[] = {
      {"the default prunes nothing", [](Retention&) {}, none, 0, RetainStep::kAgeAndSpace,
       "a:compress, b:compress, c:compress"},
      {"nor by size", [](Retention&) {}, none, 0, RetainStep::kSizes, ""},
      {"0 never compresses", [](Retention& p) { p.compress_after_s = 0; }, none, 0, RetainStep::kAgeAndSpace,
       ""},
      {"compressed ones are not again", [](Retention&) {},
       [](auto& r) {
         r[0].plain_bytes = 0;
         r[1].plain_bytes = kSmallRecording;
       },
       0, RetainStep::kAgeAndSpace, "c:compress"},
      {"age",
       [](Retention& p) {
         p.compress_after_s = 0;
         p.keep_for_s = 20 * kDay;
       },
       none, 0, RetainStep::kAgeAndSpace, "a:prune age, b:prune age"},
      {"an age is reached on its second",
       [](Retention& p) {
         p.compress_after_s = 0;
         p.keep_for_s = 20 * kDay + 1;
       },
       none, 0, RetainStep::kAgeAndSpace, "a:prune age"},
      {"what is pruned is not compressed", [](Retention& p) { p.keep_for_s = 25 * kDay; }, none, 0,
       RetainStep::kAgeAndSpace, "a:prune age, b:compress, c:compress"},
      {"a live one stays",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.compress_after_s = 0;
       },
       [](auto& r) { r[0].live = true; }, 0, RetainStep::kAgeAndSpace, "a:live, b:prune age, c:prune age"},
      {"another's stays",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.compress_after_s = 0;
       },
       [](auto& r) { r[1].foreign = true; }, 0, RetainStep::kAgeAndSpace,
       "a:prune age, b:not root's, c:prune age"},
      {"held by user",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.hold = {{"alice", ""}};
       },
       none, 0, RetainStep::kAgeAndSpace, "a:held, b:prune age, c:held"},
      {"held by id",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.hold = {{"", "id-b"}};
       },
       none, 0, RetainStep::kAgeAndSpace, "a:prune age, b:held, c:prune age"},
      {"held by name",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.hold = {{"", "c"}};
       },
       none, 0, RetainStep::kAgeAndSpace, "a:prune age, b:prune age, c:held"},
      {"held ones are not compressed",
       [](Retention& p) {
         p.hold = {{"alice", ""}};
       },
       none, 0, RetainStep::kAgeAndSpace, "a:held, b:compress, c:held"},
      {"size: the oldest until it fits", [](Retention& p) { p.max_size = 250000; }, none, 0,
       RetainStep::kSizes, "a:prune size"},
      {"size: exactly is enough", [](Retention& p) { p.max_size = 300000; }, none, 0, RetainStep::kSizes, ""},
      {"size: over the held one",
       [](Retention& p) {
         p.max_size = 100000;
         p.hold = {{"", "a"}};
       },
       none, 0, RetainStep::kSizes, "a:held, b:prune size, c:prune size"},
      {"size: not what is young",
       [](Retention& p) {
         p.max_size = 1;
         p.keep_at_least_s = 15 * kDay;
       },
       none, 0, RetainStep::kSizes, "a:prune size, b:prune size, c:younger than keep_at_least", 1},
      {"size: another's does not count", [](Retention& p) { p.max_size = 200000; },
       [](auto& r) { r[0].foreign = true; }, 0, RetainStep::kSizes, ""},
      {"size: of whoever has most, his oldest, though another's is older",
       [](Retention& p) { p.max_size = 450000; }, [](auto& r) { r[1].bytes = 300000; }, 0, RetainStep::kSizes,
       "b:prune size"},
      {"size: equal ones in turn", [](Retention& p) { p.max_size = 1; },
       [](auto& r) {
         r[1].user = "carol";
         r[2].user = "bob";
       },
       0, RetainStep::kSizes, "a:prune size, b:prune size, c:prune size"},
      {"size: nobody below his share, though whoever floods has nothing that may go",
       [](Retention& p) {
         p.max_size = 350000;
         p.keep_at_least_s = 15 * kDay;
       },
       [](auto& r) {
         r[0].user = "bob";
         r[2].bytes = 900000;
       },
       0, RetainStep::kSizes, "a:prune size, c:younger than keep_at_least", 1},
      {"size: nor for what is live", [](Retention& p) { p.max_size = 350000; },
       [](auto& r) {
         r[0].live = true;
         r[0].bytes = 900000;
       },
       0, RetainStep::kSizes, "a:live, c:prune size", 1},
      {"size: what is held is in no share",
       [](Retention& p) {
         p.max_size = 350000;
         p.hold = {{"", "c"}};
       },
       [](auto& r) { r[2].bytes = 300000; }, 0, RetainStep::kSizes, "a:prune size, b:prune size"},
      {"reserve: of whoever has most", [](Retention& p) { p.reserve = 5000; },
       [](auto& r) {
         r[2].bytes = 99999;
         r[1].bytes = 200000;
       },
       4999, RetainStep::kSizes, "b:prune reserve"},
      {"reserve: nobody below his share",
       [](Retention& p) {
         p.reserve = 1000000;
         p.keep_at_least_s = 15 * kDay;
       },
       [](auto& r) {
         r[0].user = "bob";
         r[2].bytes = 9000000;
       },
       0, RetainStep::kSizes, "c:younger than keep_at_least", 1},
      {"of a user", [](Retention& p) { p.max_size_per_user = 100000; }, none, 0, RetainStep::kSizes,
       "a:prune user-size"},
      {"of a user, then of all",
       [](Retention& p) {
         p.max_size_per_user = 100000;
         p.max_size = 150000;
       },
       none, 0, RetainStep::kSizes, "a:prune user-size, b:prune size"},
      {"reserve: enough",
       [](Retention& p) {
         p.reserve = 5000;
         p.compress_after_s = 0;
       },
       none, 5000, RetainStep::kAgeAndSpace, ""},
      {"reserve: the oldest",
       [](Retention& p) {
         p.reserve = 5000;
         p.compress_after_s = 0;
       },
       none, 4999, RetainStep::kAgeAndSpace, "a:prune reserve"},
      {"reserve: as many as it takes", [](Retention& p) { p.reserve = 150000; }, none, 4999,
       RetainStep::kSizes, "a:prune reserve, b:prune reserve"},
      {"reserve: more than there is", [](Retention& p) { p.reserve = 1ULL << 50U; }, none, 0,
       RetainStep::kSizes, "a:prune reserve, b:prune reserve, c:prune reserve", 1},
      {"age frees for the reserve",
       [](Retention& p) {
         p.keep_for_s = 25 * kDay;
         p.reserve = 100000;
         p.compress_after_s = 0;
       },
       none, 0, RetainStep::kAgeAndSpace, "a:prune age"},
      {"a clock set back",
       [](Retention& p) {
         p.keep_for_s = 5 * kDay;
         p.max_size = 1;
       },
       [](auto& r) {
         for (auto& one : r) one.changed = kRetainedAt + kUsPerS;
       },
       0, RetainStep::kSizes,
       "a:younger than keep_at_least, b:younger than keep_at_least, c:younger than keep_at_least", 1},
  };
  for (const Case& c : cases) {
    Retention policy;
    c.policy(policy);
    std::vector<RetainedRecording> recordings = {retained("a", "alice", 30, 100000),
                                                 retained("b", "bob", 20, 100000),
                                                 retained("c", "alice", 10, 100000)};
    c.change(recordings);
    const RetainPlan plan = decide_retention(policy, recordings, c.free, kRetainedAt, c.step);
    EXPECT_EQ(said(recordings, plan), c.said) << c.what;
    EXPECT_EQ(plan.unmet.size(), static_cast<std::size_t>(c.unmet)) << c.what;
    EXPECT_EQ(plan.decisions.size(), recordings.size());
  }
}

// Whatever the order in which a directory gives them: the same recordings, the oldest first, of equal ones
// the first by name; nothing that must stay is pruned, and no more than it takes.
TEST(RetentionPlan, IsTheSameForAnyOrderAndKeepsItsPromises) {
  std::mt19937 random(4711);
  for (int round = 0; round < 300; ++round) {
    Retention policy;
    policy.keep_at_least_s = 3 * kDay;
    policy.keep_for_s = random() % 3 == 0 ? 12 * kDay : 0;
    policy.max_size = random() % 2 == 0 ? random() % 2000000 + 1 : 0;
    policy.max_size_per_user = random() % 2 == 0 ? random() % 600000 + 1 : 0;
    policy.reserve = random() % 2 == 0 ? random() % 900000 : 0;
    policy.hold = {{"u3", ""}, {"", "id-r5"}};
    std::vector<RetainedRecording> recordings;
    for (int i = 0; i < 20; ++i) {
      auto r = retained("r" + std::to_string(i), "u" + std::to_string(random() % 4),
                        static_cast<int>(random() % 16), random() % 100000);
      r.live = random() % 8 == 0;
      r.foreign = random() % 8 == 0;
      recordings.push_back(std::move(r));
    }
    for (const auto step : {RetainStep::kAgeAndSpace, RetainStep::kSizes}) {
      const RetainPlan plan = decide_retention(policy, recordings, 100000, kRetainedAt, step);
      const std::string text = said(recordings, plan);
      auto shuffled = recordings;
      std::shuffle(shuffled.begin(), shuffled.end(), random);
      EXPECT_EQ(said(shuffled, decide_retention(policy, shuffled, 100000, kRetainedAt, step)), text);
      std::uint64_t left = 0;
      for (const RetainDecision& d : plan.decisions) {
        const auto& r = recordings[d.recording];
        if (!r.foreign && d.action != Action::kPrune) left += r.bytes;
        if (d.action == Action::kPrune) {
          EXPECT_EQ(not_to_prune(policy, r, kRetainedAt), "") << r.name;
        }
        if (d.action != Action::kKeep) {
          EXPECT_FALSE(r.live || r.foreign || is_held(policy, r)) << r.name;
        }
      }
      if (step == RetainStep::kSizes && policy.max_size > 0 && left > policy.max_size) {
        EXPECT_FALSE(plan.unmet.empty());
      }
    }
  }
}

TEST(Retention, NothingIsPrunedForAReasonThatThePolicyDoesNotGive) {
  Retention policy;
  const RetainedRecording old = retained("a", "alice", 30, 5);
  for (const PruneReason reason :
       {PruneReason::kAge, PruneReason::kSize, PruneReason::kUserSize, PruneReason::kReserve})
    EXPECT_NE(not_asked_for(policy, old, reason, kRetainedAt), "") << prune_word(reason);
  policy.keep_for_s = 40 * kDay;
  EXPECT_EQ(not_asked_for(policy, old, PruneReason::kAge, kRetainedAt), "not older than keep_for");
  policy.keep_for_s = 30 * kDay;
  policy.max_size = policy.max_size_per_user = policy.reserve = 1;
  for (const PruneReason reason :
       {PruneReason::kAge, PruneReason::kSize, PruneReason::kUserSize, PruneReason::kReserve})
    EXPECT_EQ(not_asked_for(policy, old, reason, kRetainedAt), "") << prune_word(reason);
}

TEST(Retention, AHoldThatHoldsNothingIsTold) {
  Retention policy;
  Hold user, other, id, name, begun, none;
  user.user = "alice";
  other.user = "alcie";
  id.session = "id-a";
  name.session = "b";
  begun.session = "id-";
  none.session = "zz";
  policy.hold = {user, id, name};
  const std::vector<RetainedRecording> all = {retained("a", "alice", 30, 5), retained("b", "bob", 30, 5)};
  EXPECT_EQ(idle_holds(policy, all), std::vector<std::string>{});
  policy.hold = {other, begun, none};
  EXPECT_EQ(idle_holds(policy, all),
            (std::vector<std::string>{
                "hold of user alcie: there is no recording of his",
                "hold of session id-: there is no such recording; an id is given in full, as id-a",
                "hold of session zz: there is no such recording"}));
}

TEST(RetentionPlan, SaysWhyInWordsWithNumbers) {
  Retention policy;
  policy.keep_for_s = 20 * kDay;
  const std::vector<RetainedRecording> one = {retained("a", "alice", 30, 5)};
  EXPECT_EQ(decide_retention(policy, one, 0, kRetainedAt, RetainStep::kAgeAndSpace).decisions[0].why,
            "changed 30 d ago, and keep_for is 20 d");
  policy.keep_for_s = 0;
  policy.reserve = 10;
  EXPECT_EQ(decide_retention(policy, one, 7, kRetainedAt, RetainStep::kSizes).decisions[0].why,
            "the oldest of alice, who has most of them all, 7 bytes are free, and reserve is 10 bytes");
  EXPECT_EQ(age_text(59), "59 s");
  EXPECT_EQ(age_text(3599), "59 min");
  EXPECT_EQ(age_text(86399), "23 h");
  EXPECT_EQ(age_text(-5), "0 s");
}

}  // namespace
}  // namespace opelog::format
