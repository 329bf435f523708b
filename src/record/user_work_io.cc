#include "record/user_work_io.h"

#include <utility>
#include <vector>

namespace opelog::record {
namespace {

constexpr std::uint64_t kRetryMs = 100;

// Until the process ends.
void hold_on(std::shared_ptr<void> what) {
  static auto& held = *new std::vector<std::shared_ptr<void>>;
  held.push_back(std::move(what));
}

}  // namespace

UserWork::UserWork(Loop& loop)
    : loop_(loop), retry_(loop, [this] {
        std::vector<std::uint32_t> uids;
        for (const auto& [uid, share] : shares_) uids.push_back(uid);
        for (const std::uint32_t uid : uids) begin(uid);
      }) {}

// What waits still dies on a thread as well.
UserWork::~UserWork() {
  if (*state_ == State::kOpen) *state_ = State::kEnded;
  if (!shares_.empty()) {
    auto held = std::make_shared<std::map<std::uint32_t, Share>>(std::move(shares_));
    (void)run_work(
        loop_, [held] { held->clear(); }, [] {}, AtLoopEnd::kLeave);
  }
}

void UserWork::abandon() {
  *state_ = State::kAbandoned;
  retry_.stop();
  hold_on(std::make_shared<std::map<std::uint32_t, Share>>(std::move(shares_)));
  shares_.clear();
}

void UserWork::run(std::uint32_t uid, std::function<void()> work, std::function<void()> done) {
  shares_[uid].waiting.push_back({std::move(work), std::move(done)});
  begin(uid);
}

void UserWork::drop(std::uint32_t uid, std::shared_ptr<void> what) {
  if (!what) return;
  // Let go in the work itself: copies of it may die anywhere.
  auto held = std::make_shared<std::shared_ptr<void>>(std::move(what));
  run(
      uid, [held] { held->reset(); }, [] {});
}

void UserWork::close(std::uint32_t uid, Fd fd) {
  if (fd) drop(uid, std::make_shared<Fd>(std::move(fd)));
}

void UserWork::begin(std::uint32_t uid) {
  const auto it = shares_.find(uid);
  if (it == shares_.end()) return;
  Share& share = it->second;
  while (share.running < kThreads && !share.waiting.empty()) {
    const Job& job = share.waiting.front();
    auto started = run_work(
        loop_, job.work,
        [this, uid, done = job.done, state = state_] {
          if (*state == State::kOpen) finished(uid);
          if (*state == State::kAbandoned) hold_on(std::make_shared<std::function<void()>>(done));
          done();
        },
        AtLoopEnd::kLeave);
    if (!started) {
      if (!retry_.active()) retry_.start(kRetryMs);
      return;
    }
    ++share.running;
    share.waiting.pop_front();
  }
}

void UserWork::finished(std::uint32_t uid) {
  const auto it = shares_.find(uid);
  --it->second.running;
  if (it->second.running == 0 && it->second.waiting.empty())
    shares_.erase(it);
  else
    begin(uid);
}

std::size_t UserWork::count_of(std::uint32_t uid) const {
  const auto it = shares_.find(uid);
  return it == shares_.end() ? 0 : static_cast<std::size_t>(it->second.running) + it->second.waiting.size();
}

std::size_t UserWork::count() const {
  std::size_t all = 0;
  for (const auto& [uid, share] : shares_)
    all += static_cast<std::size_t>(share.running) + share.waiting.size();
  return all;
}

std::string UserWork::users() const {
  std::string text;
  for (const auto& [uid, share] : shares_) text += (text.empty() ? "" : " ") + std::to_string(uid);
  return text;
}

std::string UserWork::describe() const {
  std::string text;
  for (const auto& [uid, share] : shares_) {
    text += "user-work uid=" + std::to_string(uid) + " running=" + std::to_string(share.running) +
            " waiting=" + std::to_string(share.waiting.size()) + "\n";
  }
  return text;
}

}  // namespace opelog::record
