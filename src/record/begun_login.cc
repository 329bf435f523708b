#include "record/begun_login.h"

#include <algorithm>
#include <utility>

namespace opelog::record {

namespace {

// What sshd itself runs as the user, before the login, for forwarding X11. Nobody but the administrator has a
// say in it: the words are sshd's, and it is the first program of its login.
bool is_xauth(const format::ExecInfo& exec) {
  return exec.argv.size() == 3 && exec.argv[0] == "sh" && exec.argv[1] == "-c" &&
         exec.argv[2] == "/usr/bin/xauth -q -";
}

// What it takes to hold.
std::size_t bytes_of(const ProcessEvent& event) {
  std::size_t bytes = sizeof event;
  if (const auto* exec = std::get_if<format::ExecInfo>(&event.what)) {
    for (const std::string& argument : exec->argv) bytes += sizeof(std::string) + argument.size();
    bytes += exec->exe.size() + exec->file.size() + exec->cwd.size();
  }
  return bytes;
}

}  // namespace

void BegunLogin::take(ProcessEvent event, MonoUs now, bool keep) {
  if (const auto* exec = std::get_if<format::ExecInfo>(&event.what)) {
    if (!first_) {
      first_ = *exec;
      if (event.begins && is_xauth(*exec)) passes_ = true;
    }
    if (live_.size() < kMaxLive) live_.insert(exec->pid);
    if (exec->exe != shim_path_) {
      record_at_ = std::min(record_at_.value_or(now + kGraceUs), now + kGraceUs);
      shim_.reset();
    } else if (!record_at_) {
      shim_ = exec->pid;
      record_at_ = now + kShimGraceUs;
    }
  } else {
    const auto& exit = std::get<format::ExitInfo>(event.what);
    live_.erase(exit.pid);
    if (first_ && exit.pid == first_->pid) end_ = exit;
    // It has ended, without anything that could be seen: refused before anybody could look who it is.
    if (shim_ == exit.pid && live_.empty() && record_at_ && !recorded_) forget_what_was();
  }
  if (recorded_) return;
  const std::size_t bytes = bytes_of(event);
  if (keep && held_.size() < kMaxHeldEvents && held_bytes_ + bytes <= kMaxHeldBytes) {
    held_bytes_ += bytes;
    held_.push_back(std::move(event));
  } else {
    ++missing_;
  }
}

void BegunLogin::forget_what_was() {
  record_at_.reset();
  shim_.reset();
  held_.clear();
  held_bytes_ = 0;
  missing_ = 0;
}

HeldEvents BegunLogin::claimed(std::int64_t pid, std::uint32_t uid, Claim claim) {
  if (claim == Claim::kPasses) {
    // Of a shim further down the policy may say another thing than of the login.
    if (first_ && first_->pid == pid) passes_ = true;
    return {};
  }
  if (claim == Claim::kRecorded) live_.erase(pid);
  if (std::exchange(claimed_, true) || recorded_) return {};
  HeldEvents before;
  // Nothing comes before a shim that is the login's first program.
  const bool any = first_ && (first_->pid != pid || first_->exe != shim_path_);
  if (claim == Claim::kRecorded && any && wanted_.value_or(first_->uid == uid)) {
    before = held();
    // The shim itself, which is ours: the last that its process executed.
    const auto shim =
        std::find_if(before.events.rbegin(), before.events.rend(), [&](const ProcessEvent& event) {
          const auto* exec = std::get_if<format::ExecInfo>(&event.what);
          return exec != nullptr && exec->pid == pid;
        });
    if (shim != before.events.rend() && std::get<format::ExecInfo>(shim->what).exe == shim_path_)
      before.events.erase(std::next(shim).base());
  }
  forget_what_was();
  return before;
}

void BegunLogin::retain(const std::function<bool(std::int64_t pid)>& alive) {
  std::erase_if(live_, [&alive](std::int64_t pid) { return !alive(pid); });
}

BegunLogin::Step BegunLogin::step(MonoUs now) {
  if (recorded_) return live_.empty() ? Step::kOver : Step::kWait;
  if (passes_) return Step::kRelease;
  if (wanted_ && !*wanted_) return Step::kRelease;
  if (!record_at_) return live_.empty() ? Step::kOver : Step::kWait;
  if (!wanted_ || (!live_.empty() && now < *record_at_)) return Step::kWait;
  recorded_ = true;
  return Step::kRecord;
}

}  // namespace opelog::record
