#include "format/retention.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "core/fact.h"

namespace opelog::format {
namespace {

bool holds(const Hold& hold, const RetainedRecording& recording) {
  if (!hold.user.empty()) return hold.user == recording.user;
  return !hold.session.empty() && (hold.session == recording.id || hold.session == recording.name);
}

using Action = RetainDecision::Action;

std::int64_t age_of(const RetainedRecording& recording, WallUs now) {
  return (now - recording.changed) / kUsPerS;
}

std::string bytes_text(std::uint64_t bytes) {
  return std::to_string(bytes) + " bytes";
}

/// One run of decisions; what is pruned counts no more.
class Plan {
 public:
  Plan(const Retention& policy, const std::vector<RetainedRecording>& recordings, std::uint64_t free_bytes,
       WallUs now)
      : policy_(policy), recordings_(recordings), now_(now), free_(free_bytes) {
    std::vector<std::size_t> order(recordings.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const auto& one = recordings[a];
      const auto& other = recordings[b];
      return one.changed != other.changed ? one.changed < other.changed : one.name < other.name;
    });
    for (const std::size_t i : order) {
      plan_.decisions.push_back({i, Action::kKeep, PruneReason::kAge, ""});
      if (recordings[i].foreign) continue;
      total_ += recordings[i].bytes;
      of_user_[recordings[i].user] += recordings[i].bytes;
      if (is_held(policy, recordings[i]))
        kept_ += recordings[i].bytes;
      else
        shares_[recordings[i].user] += recordings[i].bytes;
    }
  }

  void by_age() {
    if (policy_.keep_for_s == 0) return;
    for (RetainDecision& d : plan_.decisions) {
      const std::int64_t age = age_of(recordings_[d.recording], now_);
      if (age < policy_.keep_for_s) continue;
      prune_or_say(d, PruneReason::kAge,
                   "changed " + age_text(age) + " ago, and keep_for is " + age_text(policy_.keep_for_s));
    }
  }

  void by_user_size() {
    if (policy_.max_size_per_user == 0) return;
    for (RetainDecision& d : plan_.decisions) {
      const std::string& user = recordings_[d.recording].user;
      const std::uint64_t held = of_user_[user];
      if (held <= policy_.max_size_per_user || recordings_[d.recording].foreign) continue;
      prune_or_say(d, PruneReason::kUserSize,
                   "the oldest of " + user + ", whose recordings have " + bytes_text(held) +
                       ", and max_size_per_user is " + bytes_text(policy_.max_size_per_user));
    }
    for (const auto& [user, held] : of_user_) {
      if (held > policy_.max_size_per_user)
        unmet("max_size_per_user", "recordings of " + user + " have " + bytes_text(held));
    }
  }

  void by_size() {
    if (policy_.max_size == 0 || total_ <= policy_.max_size) return;
    prune_fairly(
        PruneReason::kSize, policy_.max_size > kept_ ? policy_.max_size - kept_ : 0,
        [&] { return total_ <= policy_.max_size; },
        [&] { return bytes_text(total_) + ", and max_size is " + bytes_text(policy_.max_size); });
    if (total_ > policy_.max_size) unmet("max_size", "recordings have " + bytes_text(total_));
  }

  void by_reserve(bool last) {
    if (free_ >= policy_.reserve) return;
    const std::uint64_t wanted = policy_.reserve - free_, others = total_ - kept_;
    prune_fairly(
        PruneReason::kReserve, others > wanted ? others - wanted : 0,
        [&] { return free_ >= policy_.reserve; },
        [&] {
          return "them all, " + bytes_text(free_) + " are free, and reserve is " +
                 bytes_text(policy_.reserve);
        });
    if (last && free_ < policy_.reserve) unmet("reserve", bytes_text(free_) + " are free");
  }

  void compress() {
    if (policy_.compress_after_s == 0) return;
    for (RetainDecision& d : plan_.decisions) {
      const RetainedRecording& r = recordings_[d.recording];
      if (d.action == Action::kPrune || r.live || r.foreign || r.plain_bytes <= kSmallRecording) continue;
      const std::int64_t age = age_of(r, now_);
      if (age < policy_.compress_after_s) continue;
      if (is_held(policy_, r)) {
        d.why = "held";
        continue;
      }
      d.action = Action::kCompress;
      d.why =
          "changed " + age_text(age) + " ago, and compress_after is " + age_text(policy_.compress_after_s);
    }
  }

  RetainPlan take() { return std::move(plan_); }

 private:
  // The oldest of whoever has most, again and again, until `enough`; but of nobody who has no more than his
  // share of `room`: so nobody's flood drives out what others did. What is held is the administrator's will,
  // and counts in no share.
  void prune_fairly(PruneReason reason, std::uint64_t room, const std::function<bool()>& enough,
                    const std::function<std::string()>& of_what) {
    struct Holder {
      std::uint64_t bytes = 0;
      std::vector<RetainDecision*> left;  ///< not looked at yet, the oldest last
    };
    std::map<std::string, Holder> holders;
    for (auto d = plan_.decisions.rbegin(); d != plan_.decisions.rend(); ++d) {
      const RetainedRecording& r = recordings_[d->recording];
      if (d->action != Action::kPrune && !r.foreign) holders[r.user].left.push_back(&*d);
    }
    std::uint64_t sharing = 0;
    for (auto& [user, holder] : holders) {
      holder.bytes = shares_[user];
      if (holder.bytes > 0) ++sharing;
    }
    const std::uint64_t share = sharing > 0 ? room / sharing : room;
    while (!enough()) {
      const auto behind = [](const auto& a, const auto& b) {
        if (a.second.bytes != b.second.bytes) return a.second.bytes < b.second.bytes;
        return a.second.left.back() > b.second.left.back();  // of two who have the same: who has the oldest
      };
      const auto most = std::max_element(holders.begin(), holders.end(), behind);
      if (most == holders.end() || most->second.bytes <= share) return;
      const std::string user = most->first;
      RetainDecision& d = *most->second.left.back();
      most->second.left.pop_back();
      prune_or_say(d, reason, "the oldest of " + user + ", who has most of " + of_what());
      most->second.bytes = shares_[user];
      if (most->second.left.empty()) holders.erase(most);
    }
  }

  void prune_or_say(RetainDecision& d, PruneReason reason, std::string why) {
    if (d.action == Action::kPrune) return;
    const RetainedRecording& r = recordings_[d.recording];
    if (std::string kept = not_to_prune(policy_, r, now_); !kept.empty()) {
      d.why = std::move(kept);
      return;
    }
    d.action = Action::kPrune;
    d.reason = reason;
    d.why = std::move(why);
    total_ -= r.bytes;
    of_user_[r.user] -= r.bytes;
    shares_[r.user] -= r.bytes;
    free_ += r.bytes;
  }

  void unmet(const char* limit, const std::string& now) {
    plan_.unmet.push_back(
        std::string(limit) + " cannot be kept: " + now +
        " though all that may be pruned is; the rest is live, held, younger than keep_at_least, or no more "
        "than its user's share");
  }

  const Retention& policy_;
  const std::vector<RetainedRecording>& recordings_;
  WallUs now_;
  std::uint64_t free_, total_ = 0;
  std::uint64_t kept_ = 0;  ///< of total_, what is held
  std::map<std::string, std::uint64_t> of_user_;
  std::map<std::string, std::uint64_t> shares_;  ///< the same without what is held
  RetainPlan plan_;
};

}  // namespace

const char* prune_word(PruneReason reason) noexcept {
  switch (reason) {
    case PruneReason::kAge:
      return "age";
    case PruneReason::kSize:
      return "size";
    case PruneReason::kUserSize:
      return "user-size";
    case PruneReason::kReserve:
      return "reserve";
  }
  return "age";
}

bool is_held(const Retention& policy, const RetainedRecording& recording) {
  return std::any_of(policy.hold.begin(), policy.hold.end(),
                     [&](const Hold& hold) { return holds(hold, recording); });
}

std::vector<std::string> idle_holds(const Retention& policy,
                                    const std::vector<RetainedRecording>& recordings) {
  std::vector<std::string> idle;
  for (const Hold& hold : policy.hold) {
    if (std::any_of(recordings.begin(), recordings.end(),
                    [&](const RetainedRecording& r) { return holds(hold, r); }))
      continue;
    if (!hold.user.empty()) {
      idle.push_back("hold of user " + printable(hold.user) + ": there is no recording of his");
      continue;
    }
    const auto begins = std::find_if(recordings.begin(), recordings.end(), [&](const RetainedRecording& r) {
      return !hold.session.empty() && (r.id.starts_with(hold.session) || r.name.starts_with(hold.session));
    });
    idle.push_back("hold of session " + printable(hold.session) + ": there is no such recording" +
                   (begins == recordings.end() ? "" : "; an id is given in full, as " + begins->id));
  }
  return idle;
}

std::string not_to_prune(const Retention& policy, const RetainedRecording& recording, WallUs now) {
  if (recording.live) return "live";
  if (is_held(policy, recording)) return "held";
  if (recording.foreign) return "not root's";
  const std::int64_t age = age_of(recording, now);
  if (age < policy.keep_at_least_s) return "younger than keep_at_least, " + age_text(policy.keep_at_least_s);
  return "";
}

std::string not_asked_for(const Retention& policy, const RetainedRecording& recording, PruneReason reason,
                          WallUs now) {
  switch (reason) {
    case PruneReason::kAge:
      if (policy.keep_for_s > 0 && age_of(recording, now) >= policy.keep_for_s) return "";
      return policy.keep_for_s > 0 ? "not older than keep_for" : "the policy has no keep_for";
    case PruneReason::kSize:
      return policy.max_size > 0 ? "" : "the policy has no max_size";
    case PruneReason::kUserSize:
      return policy.max_size_per_user > 0 ? "" : "the policy has no max_size_per_user";
    case PruneReason::kReserve:
      return policy.reserve > 0 ? "" : "the policy has no reserve";
  }
  return "no reason";
}

RetainPlan decide_retention(const Retention& policy, const std::vector<RetainedRecording>& recordings,
                            std::uint64_t free_bytes, WallUs now, RetainStep step) {
  Plan plan(policy, recordings, free_bytes, now);
  if (step == RetainStep::kAgeAndSpace) {
    plan.by_age();
    plan.by_reserve(false);
    plan.compress();
  } else {
    plan.by_user_size();
    plan.by_size();
    plan.by_reserve(true);
  }
  return plan.take();
}

std::string age_text(std::int64_t seconds) {
  constexpr std::pair<std::int64_t, const char*> kUnits[] = {{86400, " d"}, {3600, " h"}, {60, " min"}};
  for (const auto& [unit, name] : kUnits) {
    if (seconds >= unit) return std::to_string(seconds / unit) + name;
  }
  return std::to_string(std::max<std::int64_t>(seconds, 0)) + " s";
}

}  // namespace opelog::format
