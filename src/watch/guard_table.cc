#include "watch/guard_table.h"

#include <algorithm>
#include <utility>

#include "watch/guard_directory.h"
#include "watch/inotify_decode.h"

namespace opelog::watch {

GuardTable::GuardTable(GuardLimits limits) : limits_(limits) {}
GuardTable::~GuardTable() = default;

std::vector<Action> GuardTable::step(const Event& event, MonoUs now) {
  std::vector<Action> out;
  out_ = &out;
  std::visit([&](const auto& e) { on(e, now); }, event);
  out_ = nullptr;
  return out;
}

GuardTable::Directory* GuardTable::directory(DirectoryId id) {
  const auto it = directories_.find(id);
  return it == directories_.end() ? nullptr : it->second.get();
}

bool GuardTable::is_live(DirectoryId id, std::uint64_t inode) {
  Directory* d = directory(id);
  if (d == nullptr) return false;
  const File* file = d->files.by_inode(inode, 0);
  return file != nullptr && file->live;
}

// ---- directories

void GuardTable::on(const event::Configured& e, MonoUs now) {
  sweep_interval_ = e.sweep_ms * kUsPerMs;
  sweep_at_ = sweep_interval_ > 0 ? now + sweep_interval_ : 0;
  for (auto it = directories_.begin(); it != directories_.end();) {
    Directory& d = *it->second;
    const bool kept = std::any_of(e.directories.begin(), e.directories.end(),
                                  [&](const GuardedDirectory& wanted) { return wanted.path == d.path; });
    if (kept) {
      ++it;
      continue;
    }
    out_->push_back(action::Disarm{d.id});
    state(Level::kInfo, "guard-disarmed", "directory is no longer guarded; flags stay",
          {{"directory", d.path}}, false, now);
    forget_files(d);
    const DirectoryId id = d.id;
    it = directories_.erase(it);
    rotated_directory(id, now);
  }
  for (const GuardedDirectory& wanted : e.directories) {
    const auto known = std::find_if(directories_.begin(), directories_.end(),
                                    [&](const auto& entry) { return entry.second->path == wanted.path; });
    if (known != directories_.end()) {
      known->second->settle = wanted.settle_ms * kUsPerMs;
      continue;
    }
    auto d = std::make_unique<Directory>(limits_.files_per_directory);
    d->id = next_id_++;
    d->path = wanted.path;
    d->settle = wanted.settle_ms * kUsPerMs;
    d->check_at = now + kCheckInterval;
    out_->push_back(action::Arm{d->id, d->path});
    directories_.emplace(d->id, std::move(d));
  }
}

void GuardTable::on(const event::ArmDone& e, MonoUs now) {
  Directory* d = directory(e.directory);
  if (d == nullptr) return;
  d->check_at = now + kCheckInterval;
  switch (e.outcome) {
    case ArmOutcome::kUnchanged:
      return;
    case ArmOutcome::kArmed:
      armed(*d, e, now);
      return;
    case ArmOutcome::kAlias:
      if (d->alias_of != e.alias_of) {
        const Directory* other = directory(e.alias_of);
        state(Level::kInfo, "guard-armed", "the same directory is guarded under another name",
              {{"directory", d->path}, {"as", other == nullptr ? "" : other->path}}, false, now);
      }
      forget_files(*d);
      d->armed = false;
      d->alias_of = e.alias_of;
      d->unarmed_reason.clear();
      d->degraded.clear();
      rotated_directory(d->id, now);
      return;
    case ArmOutcome::kAbsent:
    case ArmOutcome::kRefused:
      not_armed(*d, e, now);
      return;
  }
}

void GuardTable::armed(Directory& d, const event::ArmDone& e, MonoUs now) {
  const bool again = d.inode != 0;
  const bool other = again && (d.inode != e.inode || d.device != e.device);
  std::size_t known = 0, live = 0;
  if (other) {
    // What was known lies in a directory that is no longer at this path; those files keep their flags.
    d.files.for_each([&](const File& file) {
      ++known;
      live += file.live ? 1 : 0;
    });
    forget_files(d);
  }
  const bool first_word = !d.armed || other || d.alias_of != 0;
  d.armed = true;
  d.alias_of = 0;
  d.inode = e.inode;
  d.device = e.device;
  d.watched = e.watched;
  d.supported = true;
  d.denied = false;
  d.scan_failures = 0;
  d.unarmed_reason.clear();
  d.degraded.clear();
  d.remedy.clear();
  if (other) {
    finding("guard-rearmed", "another directory is at this path; known files went away with the old one",
            {{"directory", d.path}, {"known", std::to_string(known)}, {"live", std::to_string(live)}},
            live > 0, now);
  } else if (again) {
    state(Level::kWarning, "guard-rearmed", "directory is watched again", {{"directory", d.path}}, true, now);
  } else if (first_word) {
    state(Level::kInfo, "guard-armed", "directory is guarded",
          {{"directory", d.path}, {"settle_ms", std::to_string(d.settle / kUsPerMs)}}, true, now);
  }
  if (!e.watched) {
    d.degraded = e.reason;
    d.remedy = e.remedy;
    state(Level::kError, "guard-degraded",
          "no watch was to be had; only sweeps guard this directory: " + e.reason,
          {{"directory", d.path}, {"remedy", e.remedy}}, true, now);
  }
  if (!e.supported) unsupported(d, e.reason, now);
  rescan(d, Why::kStart, now);
}

void GuardTable::not_armed(Directory& d, const event::ArmDone& e, MonoUs now) {
  if (d.unarmed_reason != e.reason || d.armed) {
    state(d.armed ? Level::kError : Level::kWarning, "guard-unarmed",
          d.armed ? "directory is no longer where it was; looked for once a second: " + e.reason
                  : "directory cannot be guarded yet; looked for once a second: " + e.reason,
          {{"directory", d.path}, {"remedy", e.remedy}}, true, now);
  }
  if (d.armed) ++findings_;
  d.armed = false;
  d.alias_of = 0;
  d.scanning = false;
  d.rescan_at = 0;
  d.unseen.clear();
  d.unarmed_reason = e.reason;
  d.degraded = e.reason;
  d.remedy = e.remedy;
  rotated_directory(d.id, now);
}

void GuardTable::unsupported(Directory& d, const std::string& reason, MonoUs now) {
  if (!d.supported) return;
  d.supported = false;
  d.degraded = reason;
  d.remedy = "put the directory on ext4, xfs or btrfs";
  state(Level::kWarning, "guard-unsupported", "the file system keeps no append-only flag: " + reason,
        {{"directory", d.path}, {"remedy", d.remedy}}, true, now);
}

void GuardTable::rescan(Directory& d, Why why, MonoUs now) {
  if (!d.armed) return;
  // A scan that somebody waits for goes on as what it was, from the beginning.
  if (rotation_ && rotation_->left.count(d.id) != 0) why = rotation_->thaw ? Why::kThaw : Why::kFreeze;
  d.scanning = true;
  d.scan_why = why;
  ++d.scan;
  d.scan_entries = 0;
  d.scan_flagged = 0;
  d.rescan_at = 0;
  d.unseen.clear();
  if (why == Why::kMissed) d.rescanned = now;
  out_->push_back(action::Rescan{d.id, why});
}

void GuardTable::forget_files(Directory& d) {
  d.files.for_each([&](File& file) {
    unwatch(d, file);
    set_deadline(d, file, 0);
  });
  d.files.clear();
  d.unseen.clear();
  d.scanning = false;
  d.rescan_at = 0;
}

void GuardTable::on(const event::Notified& e, MonoUs) {
  Directory* d = directory(e.directory);
  if (d == nullptr) return;
  constexpr std::uint32_t kGone = mask::kDeleteSelf | mask::kMoveSelf | mask::kUnmount | mask::kIgnored;
  if ((e.mask & kGone) != 0) {
    out_->push_back(action::Arm{d->id, d->path});
    return;
  }
  if (e.name.empty()) return;  // the directory itself was listed or chmod'ed
  const auto examine = [&](Why why) { out_->push_back(action::Examine{d->id, e.name, why}); };
  if ((e.mask & (mask::kCreate | mask::kMovedTo)) != 0) return examine(Why::kArrived);
  if ((e.mask & mask::kIsDirectory) != 0) return;
  if ((e.mask & mask::kMovedFrom) != 0) return examine(Why::kMoved);
  if ((e.mask & (mask::kCloseWrite | mask::kModify)) != 0) return examine(Why::kTouched);
  if ((e.mask & (mask::kDelete | mask::kAttrib | mask::kCloseNoWrite)) != 0) return examine(Why::kSeen);
}

void GuardTable::on(const event::Overflowed& e, MonoUs now) {
  ++overflows_;
  state(Level::kWarning, "guard-overflow", "events were lost; every guarded directory is read again",
        {{"reason", e.reason}}, false, now);
  for (auto& [id, d] : directories_) {
    if (!d->armed || d->rescan_at != 0) continue;
    const MonoUs earliest = d->rescanned == 0 ? now : d->rescanned + kRescanInterval;
    if (earliest > now || (d->scanning && d->scan_why != Why::kSweep)) {
      d->rescan_at = std::max(earliest, now + kRetryInterval);
    } else {
      rescan(*d, Why::kMissed, now);
    }
  }
}

void GuardTable::on(const event::ScanEnded& e, MonoUs now) {
  Directory* d = directory(e.directory);
  if (d == nullptr || !d->scanning) return;
  d->scanning = false;
  if (std::exchange(d->scan_failures, 0) > 0) {
    if (d->watched && d->supported && !d->denied) {
      d->degraded.clear();
      d->remedy.clear();
    }
    state(Level::kWarning, "guard-rearmed", "directory can be read again", {{"directory", d->path}}, true,
          now);
  }
  d->files.for_each([&](File& file) {
    if (file.nameless) {
      if (file.deadline == 0) set_deadline(*d, file, now + kRenameGrace);
    } else if (file.seen != d->scan) {
      d->unseen.push_back(file.name);
    }
  });
  if (e.why == Why::kStart || e.why == Why::kMissed) {
    state(Level::kInfo, "guard-scanned", "directory was read",
          {{"directory", d->path},
           {"entries", std::to_string(d->scan_entries)},
           {"flagged", std::to_string(d->scan_flagged)}},
          false, now);
  }
  if (rotation_ && e.why == (rotation_->thaw ? Why::kThaw : Why::kFreeze)) rotated_directory(d->id, now);
}

// What was not met is not missing then: nothing is concluded but that it has to be read again.
void GuardTable::on(const event::ScanFailed& e, MonoUs now) {
  Directory* d = directory(e.directory);
  if (d == nullptr || !d->scanning) return;
  d->scanning = false;
  d->rescan_at = now + kCheckInterval;
  if (e.removed) return;
  if (d->scan_failures++ == 0) {
    if (d->degraded.empty()) {
      d->degraded = e.reason;
      d->remedy = "look at the disk and its file system";
    }
    state(Level::kError, "guard-degraded",
          "the directory could not be read to its end; tried again once a second: " + e.reason,
          {{"directory", d->path}, {"remedy", "look at the disk and its file system"}}, true, now);
  }
  if (d->scan_failures < kRetries || !rotation_ || rotation_->left.count(d->id) == 0) return;
  state(Level::kError, "guard-failed", "the directory's files are left out of this thaw or freeze",
        {{"directory", d->path}, {"reason", e.reason}}, true, now);
  rotated_directory(d->id, now);
}

// ---- time

std::optional<MonoUs> GuardTable::deadline() const {
  std::optional<MonoUs> first = limit_.deadline();
  const auto consider = [&](MonoUs when) {
    if (when != 0 && (!first || when < *first)) first = when;
  };
  if (!due_.empty()) consider(std::get<0>(*due_.begin()));
  if (!directories_.empty()) consider(sweep_at_);
  if (thawed_until_ && !rotation_) consider(*thawed_until_);
  for (const auto& [id, d] : directories_) {
    consider(d->check_at);
    consider(d->rescan_at);
    if (!d->unseen.empty()) consider(1);  // at once
  }
  return first;
}

void GuardTable::on(const event::Tick&, MonoUs now) {
  for (Fact& fact : limit_.step(now)) out_->push_back(action::State{std::move(fact)});
  if (thawed_until_ && *thawed_until_ <= now && !rotation_) {
    Rotation rotation;
    rotation.time_over = true;
    begin_rotation(std::move(rotation), now);
  }
  const bool sweep = sweep_at_ != 0 && sweep_at_ <= now;
  if (sweep) {
    sweep_at_ = now + sweep_interval_;
    watches_refused_ = false;
  }
  for (auto& [id, d] : directories_) {
    if (d->check_at <= now) {
      d->check_at = now + kCheckInterval;
      out_->push_back(action::Arm{d->id, d->path});
    }
    if (!d->armed) continue;
    if (d->rescan_at != 0 && d->rescan_at <= now && !d->scanning) rescan(*d, Why::kMissed, now);
    if (d->rescan_at != 0 && d->rescan_at <= now) d->rescan_at = now + kRetryInterval;
    // A sweep that comes while a scan runs is not needed; neither while the names of the last one are being
    // checked.
    if (sweep && !d->scanning && d->unseen.empty()) rescan(*d, Why::kSweep, now);
    for (int n = 0; n < kFilesPerTick && !d->unseen.empty(); ++n) {
      out_->push_back(action::Examine{d->id, std::move(d->unseen.front()), Why::kSeen});
      d->unseen.pop_front();
    }
  }
  due_files(now);
}

void GuardTable::due_files(MonoUs now) {
  for (int n = 0; n < kFilesPerTick && !due_.empty(); ++n) {
    const auto [when, id, inode] = *due_.begin();
    if (when > now) return;
    Directory* d = directory(id);
    File* file = d == nullptr ? nullptr : d->files.by_inode(inode, 0);
    if (file == nullptr) {
      due_.erase(due_.begin());
      continue;
    }
    set_deadline(*d, *file, 0);
    if (file->nameless) {
      give_up(*d, *file, now);
    } else {
      out_->push_back(action::Examine{id, file->name, Why::kSettled});
    }
  }
}

// ---- facts and descriptions

void GuardTable::state(Level level, const char* word, std::string text, Fields fields, bool own, MonoUs now) {
  for (Fact& fact : limit_.step(Fact{level, word, std::move(text), std::move(fields)}, own, now)) {
    out_->push_back(action::State{std::move(fact)});
  }
}

void GuardTable::finding(const char* word, std::string text, Fields fields, bool own, MonoUs now) {
  ++findings_;
  fields.emplace_back("own", own ? "yes" : "no");
  state(own ? Level::kError : Level::kWarning, word, std::move(text), std::move(fields), own, now);
}

GuardStatus GuardTable::status() const {
  GuardStatus status;
  for (const auto& [id, d] : directories_) {
    DirectoryStatus s;
    s.path = d->path;
    s.armed = d->armed || d->alias_of != 0;
    s.supported = d->supported;
    s.known = d->files.size();
    d->files.for_each([&](const File& file) {
      s.flagged += file.state == FileState::kFlagged ? 1 : 0;
      s.waiting += file.state == FileState::kWaiting ? 1 : 0;
    });
    s.skipped = d->skipped;
    s.degraded = d->degraded;
    s.remedy = d->remedy;
    status.directories.push_back(std::move(s));
  }
  status.flagged_total = flagged_total_;
  status.findings = findings_;
  status.overflows = overflows_;
  status.thawed = thawed();
  return status;
}

std::string GuardTable::describe() const {
  std::string out = "guard: " + std::string(thawed_until_ ? "thawed" : "frozen") +
                    (rotation_ ? ", rotating" : "") + ", flagged " + std::to_string(flagged_total_) +
                    ", findings " + std::to_string(findings_) + ", overflows " + std::to_string(overflows_) +
                    ", file watches " + std::to_string(watches_) + ", deadlines " +
                    std::to_string(due_.size()) + ", next sweep at " + std::to_string(sweep_at_) + "\n";
  const GuardStatus now = status();
  std::size_t i = 0;
  for (const auto& [id, d] : directories_) {
    const DirectoryStatus& s = now.directories[i++];
    out += "  directory " + std::to_string(id) + " " + printable(d->path) + ": " +
           (d->armed           ? "armed"
            : d->alias_of != 0 ? "alias of " + std::to_string(d->alias_of)
                               : "not armed") +
           ", inode " + std::to_string(d->inode) + ", known " + std::to_string(s.known) + ", flagged " +
           std::to_string(s.flagged) + ", waiting " + std::to_string(s.waiting) + ", skipped " +
           std::to_string(s.skipped) + ", forgotten " + std::to_string(d->files.forgotten()) +
           (d->scanning ? ", scan " + std::to_string(d->scan) + " at entry " + std::to_string(d->scan_entries)
                        : "") +
           (d->degraded.empty() ? "" : ", degraded: " + printable(d->degraded)) + "\n";
  }
  return out + limit_.describe();
}

}  // namespace opelog::watch
