#include "record/begun_login.h"

#include <utility>

namespace opelog::record {

namespace {

// What sshd itself runs as the user, before the login, for forwarding X11. Nobody but the administrator has a
// say in it: the words are sshd's, and it is the first program of its login.
bool is_xauth(const format::ExecInfo& exec) {
  return exec.argv.size() == 3 && exec.argv[0] == "sh" && exec.argv[1] == "-c" &&
         exec.argv[2] == "/usr/bin/xauth -q -";
}

}  // namespace

void BegunLogin::take(ProcessEvent event, MonoUs now) {
  if (const auto* exec = std::get_if<format::ExecInfo>(&event.what)) {
    if (!first_) {
      first_ = *exec;
      if (is_xauth(*exec)) passes_ = true;
    }
    if (live_.size() < kMaxLive) live_.insert(exec->pid);
    if (exec->exe != shim_path_ && !reason_at_) reason_at_ = now;
  } else {
    const auto& exit = std::get<format::ExitInfo>(event.what);
    live_.erase(exit.pid);
    if (first_ && exit.pid == first_->pid) end_ = exit;
  }
  if (recorded_) return;
  if (held_.size() < kMaxHeldEvents)
    held_.push_back(std::move(event));
  else
    ++missing_;
}

void BegunLogin::claimed(std::int64_t pid, Claim claim) {
  if (claim == Claim::kRecorded) live_.erase(pid);
  if (claim == Claim::kPasses) passes_ = true;
  if (recorded_) return;
  reason_at_.reset();
  held_.clear();
  missing_ = 0;
}

void BegunLogin::retain(const std::function<bool(std::int64_t pid)>& alive) {
  std::erase_if(live_, [&alive](std::int64_t pid) { return !alive(pid); });
}

BegunLogin::Step BegunLogin::step(MonoUs now) {
  if (recorded_) return live_.empty() ? Step::kOver : Step::kWait;
  if (passes_) return Step::kRelease;
  if (!wanted_) return live_.empty() && !reason_at_ ? Step::kOver : Step::kWait;
  if (!*wanted_) return Step::kRelease;
  if (!reason_at_) return live_.empty() ? Step::kOver : Step::kWait;
  if (!live_.empty() && now < *reason_at_ + kGraceUs) return Step::kWait;
  recorded_ = true;
  return Step::kRecord;
}

}  // namespace opelog::record
