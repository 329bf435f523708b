// GuardTable's dealings with single files: what a look at a name means.
#include <algorithm>
#include <utility>

#include "watch/guard_directory.h"
#include "watch/guard_table.h"

namespace opelog::watch {
namespace {

bool is_scan(Why why) {
  return why == Why::kStart || why == Why::kMissed || why == Why::kSweep || why == Why::kThaw ||
         why == Why::kFreeze;
}

const char* kind_word(const Look& look) {
  if (look.foreign_mount) return "mount";
  switch (look.kind) {
    case FileKind::kSymlink:
      return "symlink";
    case FileKind::kFifo:
      return "fifo";
    case FileKind::kSocket:
      return "socket";
    case FileKind::kDevice:
      return "device";
    case FileKind::kDirectory:
      return "directory";
    case FileKind::kUnreadable:
      return "unreadable";
    case FileKind::kRegular:
    case FileKind::kGone:
      break;
  }
  return "hard-link";
}

/// Kept when its name vanishes, because it may come back under another: what carried the flag or is ours.
bool matters(const File& file) {
  return file.own || file.state == FileState::kFlagged || file.state == FileState::kThawed;
}

}  // namespace

void GuardTable::on(const event::Looked& e, MonoUs now) {
  Directory* d = directory(e.directory);
  if (d == nullptr) return;
  if (is_scan(e.why)) ++d->scan_entries;
  const Look& look = e.look;
  if (look.kind == FileKind::kUnreadable) return skip(*d, e, kind_word(look), now);
  if (look.kind != FileKind::kRegular || look.foreign_mount) {
    if (File* named = d->files.by_name(e.name)) name_lost(*d, *named, look.kind != FileKind::kGone, now);
    if (look.kind != FileKind::kGone) skip(*d, e, kind_word(look), now);
    return;
  }
  File* file = d->files.by_inode(look.inode, look.birth_ns);
  if (file == nullptr) {
    // The inode's number with another birth time: the one we knew is gone and its number in use again.
    if (File* stale = d->files.by_inode(look.inode, 0)) give_up(*d, *stale, now);
    file = adopt(*d, look, e.name, now);
  }
  if (File* named = d->files.by_name(e.name); named != nullptr && named != file)
    name_lost(*d, *named, true, now);
  if (look.links != 1) return linked(*d, file, e, now);
  if (file == nullptr) return new_file(*d, e, now);
  if (file->nameless || file->name != e.name) renamed(*d, *file, e.name, now);
  if (file->birth_ns == 0) file->birth_ns = look.birth_ns;
  file->seen = d->scan;
  known_file(*d, *file, e, now);
}

void GuardTable::new_file(Directory& d, const event::Looked& e, MonoUs now) {
  const Look& look = e.look;
  if (!d.supported || e.why == Why::kSeen || e.why == Why::kMoved) return;
  File file;
  file.name = e.name;
  file.inode = look.inode;
  file.birth_ns = look.birth_ns;
  file.size = look.size;
  file.mtime_ns = look.mtime_ns;
  file.seen = d.scan;
  if (look.append_only) {
    file.state = FileState::kFlagged;
    if (!d.files.full()) {
      if (File* stored = d.files.insert(std::move(file))) d.files.may_forget(*stored);
    } else if (!d.full_stated) {
      d.full_stated = true;
      state(Level::kWarning, "guard-untracked",
            "more files than are tracked; all are flagged, changes to the oldest are no longer told apart",
            {{"directory", d.path}, {"tracked", std::to_string(limits_.files_per_directory)}}, false, now);
    }
    if (e.why == Why::kThaw) want_flag(d, e.name, look.inode, false);
    return;
  }
  if (thawed_until_) return;  // freeze sees to it
  if (d.denied && !is_scan(e.why)) return;
  if (look.size > 0 || d.settle == 0) return want_flag(d, e.name, look.inode, true);
  file.state = FileState::kWaiting;
  File* stored = d.files.insert(std::move(file));
  if (stored == nullptr) {
    // No room to remember that it waits: a scan flags it though empty, else its closing does.
    if (is_scan(e.why)) want_flag(d, e.name, look.inode, true);
    return;
  }
  set_deadline(d, *stored, now + d.settle);
  if (watches_ >= limits_.file_watches) return;  // the settle time alone
  stored->watched = true;
  ++watches_;
  out_->push_back(action::WatchFile{d.id, stored->name, stored->inode});
}

void GuardTable::known_file(Directory& d, File& file, const event::Looked& e, MonoUs now) {
  const Look& look = e.look;
  switch (file.state) {
    case FileState::kWaiting:
    case FileState::kUnflagged:
      changed(d, file, e, now);
      if (look.append_only) {  // somebody else was faster
        file.state = FileState::kFlagged;
        file.attempts = 0;
        set_deadline(d, file, 0);
        unwatch(d, file);
        d.files.may_forget(file);
      } else if (thawed_until_) {
        set_deadline(d, file, 0);
      } else if (file.state == FileState::kWaiting
                     ? look.size > 0 || d.settle == 0 || file.deadline == 0 || file.deadline <= now
                     : e.why == Why::kSettled || is_scan(e.why)) {
        want_flag(d, file.name, file.inode, true);
      }
      return;
    case FileState::kThawed:
      changed(d, file, e, now);
      if (look.append_only) {
        file.state = FileState::kFlagged;
      } else if (!thawed_until_ && d.supported) {
        want_flag(d, file.name, file.inode, true);
      }
      return;
    case FileState::kFlagged:
      return flagged_file(d, file, e, now);
    case FileState::kPlain:
      return changed(d, file, e, now);
  }
}

void GuardTable::flagged_file(Directory& d, File& file, const event::Looked& e, MonoUs now) {
  if (e.look.append_only) {
    changed(d, file, e, now);
    if (e.why == Why::kThaw && !file.live) want_flag(d, file.name, file.inode, false);
    return;
  }
  if (thawed_until_ && !file.live) {
    file.state = FileState::kThawed;
    changed(d, file, e, now);
    return;
  }
  if (!d.supported) {
    if (file.own) file.state = FileState::kPlain;
    return;
  }
  finding("guard-flag-lost", "a file lost its append-only flag; the flag is set again",
          {{"directory", d.path}, {"name", file.name}, {"inode", std::to_string(file.inode)}}, file.own, now);
  changed(d, file, e, now);
  want_flag(d, file.name, file.inode, true);
}

void GuardTable::changed(Directory& d, File& file, const event::Looked& e, MonoUs now) {
  const Look& look = e.look;
  const auto state_change = [&](const char* text, std::uint64_t before) {
    finding("guard-changed", text,
            {{"directory", d.path},
             {"name", file.name},
             {"size", std::to_string(look.size)},
             {"expected", std::to_string(before)}},
            file.own, now);
  };
  if (file.live) {
    if (e.expected_size && *e.expected_size != look.size) {
      if (!file.sized)
        state_change("a recording in progress has another size than was written", *e.expected_size);
      file.sized = true;
    } else {
      if (!e.expected_size && look.size < file.size)
        state_change("a recording in progress shrank", file.size);
      file.sized = false;
    }
  } else if (file.own) {
    if (look.size != file.size) {
      state_change("a closed recording has another size", file.size);
    } else if (file.mtime_ns != 0 && look.mtime_ns != file.mtime_ns) {
      state_change("a closed recording was written to or its time was set", file.size);
    }
  } else if (look.size < file.size && matters(file)) {
    if (thawed_until_ || rotation_quiet(now)) {
      state(Level::kInfo, "guard-changed", "a file shrank while thawed",
            {{"directory", d.path},
             {"name", file.name},
             {"size", std::to_string(look.size)},
             {"expected", std::to_string(file.size)},
             {"own", "no"}},
            false, now);
    } else {
      state_change("a flagged file shrank", file.size);
    }
  }
  file.size = look.size;
  file.mtime_ns = look.mtime_ns;
}

void GuardTable::linked(Directory& d, File* file, const event::Looked& e, MonoUs now) {
  if (file == nullptr) return skip(d, e, "hard-link", now);
  if (!matters(*file)) {
    drop(d, *file);
    ++d.skipped;
    state(
        Level::kWarning, "guard-skipped", "an entry cannot be guarded",
        {{"directory", d.path}, {"name", e.name}, {"kind", "hard-link"}, {"uid", std::to_string(e.look.uid)}},
        false, now);
    return;
  }
  file->seen = d.scan;
  if (file->nameless) d.files.rename(*file, e.name);
  set_deadline(d, *file, 0);
  if (file->linked) return;
  file->linked = true;
  finding("guard-changed", "a guarded file got a second hard link; its flag is no longer touched",
          {{"directory", d.path}, {"name", file->name}, {"links", std::to_string(e.look.links)}}, file->own,
          now);
}

void GuardTable::skip(Directory& d, const event::Looked& e, const char* kind, MonoUs now) {
  // Stated when it appears and by complete scans; a sweep would say the same every minute.
  if (e.why != Why::kArrived && e.why != Why::kStart && e.why != Why::kMissed && e.why != Why::kFreeze)
    return;
  ++d.skipped;
  const bool harmless = e.look.kind == FileKind::kDirectory;
  state(harmless ? Level::kInfo : Level::kWarning, "guard-skipped", "an entry cannot be guarded",
        {{"directory", d.path}, {"name", e.name}, {"kind", kind}, {"uid", std::to_string(e.look.uid)}}, false,
        now);
}

// ---- names

void GuardTable::name_lost(Directory& d, File& file, bool replaced, MonoUs now) {
  if (!matters(file)) return drop(d, file);
  d.files.unname(file);
  file.replaced = replaced;
  // While a scan runs, its end decides: the file may be met under its new name any time until then.
  set_deadline(d, file, d.scanning ? 0 : now + kRenameGrace);
}

void GuardTable::give_up(Directory& d, File& file, MonoUs now) {
  if (!matters(file)) return drop(d, file);
  Fields fields = {{"directory", d.path}, {"name", file.name}, {"inode", std::to_string(file.inode)}};
  if (!file.live && rotation_quiet(now)) {
    state(Level::kInfo, "guard-missing", "a file was removed or moved away while thawed", std::move(fields),
          file.own, now);
  } else if (file.replaced) {
    finding("guard-replaced", "another object has the name of a guarded file, which is gone",
            std::move(fields), file.own, now);
  } else {
    finding("guard-missing",
            file.live ? "a recording in progress was removed or moved away"
                      : "a guarded file was removed or moved away",
            std::move(fields), file.own, now);
  }
  drop(d, file);
}

void GuardTable::renamed(Directory& d, File& file, const std::string& name, MonoUs now) {
  const std::string old = file.name;
  set_deadline(d, file, file.nameless ? 0 : file.deadline);
  if (File* taken = d.files.by_name(name); taken != nullptr && taken != &file)
    name_lost(d, *taken, true, now);
  d.files.rename(file, name);
  if (!matters(file) || old == name) return;
  Fields fields = {
      {"directory", d.path}, {"old", old}, {"name", name}, {"inode", std::to_string(file.inode)}};
  if (!file.live && rotation_quiet(now)) {
    state(Level::kInfo, "guard-renamed", "a file was renamed while thawed", std::move(fields), file.own, now);
  } else {
    finding("guard-renamed", "a guarded file was renamed", std::move(fields), file.own, now);
  }
}

File* GuardTable::adopt(Directory& d, const Look& look, const std::string& name, MonoUs now) {
  for (auto& [id, other] : directories_) {
    if (id == d.id || other->device != d.device || look.birth_ns == 0 || look.links != 1) continue;
    File* file = other->files.by_inode(look.inode, look.birth_ns);
    if (file == nullptr || !matters(*file)) continue;
    File moved = *file;
    const std::string from = other->path + "/" + file->name;
    set_deadline(*other, *file, 0);
    drop(*other, *file);
    moved.deadline = 0;
    moved.nameless = moved.watched = moved.replaced = false;
    moved.name = name;
    if (File* taken = d.files.by_name(name)) name_lost(d, *taken, true, now);
    Fields fields = {
        {"directory", d.path}, {"old", from}, {"name", name}, {"inode", std::to_string(look.inode)}};
    if (!moved.live && rotation_quiet(now)) {
      state(Level::kInfo, "guard-renamed", "a file was moved here while thawed", std::move(fields), moved.own,
            now);
    } else {
      finding("guard-renamed", "a guarded file was moved here from another guarded directory",
              std::move(fields), moved.own, now);
    }
    File* stored = d.files.insert(std::move(moved));
    if (stored != nullptr) d.files.may_forget(*stored);
    return stored;
  }
  return nullptr;
}

// ---- the flag

void GuardTable::want_flag(Directory& d, const std::string& name, std::uint64_t inode, bool on) {
  out_->push_back(action::Flag{d.id, name, inode, on});
}

void GuardTable::on(const event::FileModified& e, MonoUs) {
  Directory* d = directory(e.directory);
  const File* file = d == nullptr ? nullptr : d->files.by_inode(e.inode, 0);
  if (file == nullptr || file->state != FileState::kWaiting) return;
  out_->push_back(action::Examine{d->id, file->name, Why::kTouched});
}

void GuardTable::on(const event::FlagDone& e, MonoUs now) {
  Directory* d = directory(e.directory);
  if (d == nullptr) return;
  if (e.outcome != FlagOutcome::kDone) return flag_failed(*d, e, now);
  if (e.on) return flag_set(*d, e, now);
  if (rotation_) ++rotation_->files;
  if (File* file = d->files.by_inode(e.look.inode, e.look.birth_ns)) file->state = FileState::kThawed;
}

void GuardTable::flag_set(Directory& d, const event::FlagDone& e, MonoUs now) {
  File* file = d.files.by_inode(e.look.inode, e.look.birth_ns);
  if (std::exchange(d.denied, false) && d.watched && d.supported && d.scan_failures == 0) {
    d.degraded.clear();
    d.remedy.clear();
  }
  if (d.scanning) ++d.scan_flagged;
  const bool again = file != nullptr && file->state == FileState::kFlagged;  // guard-flag-lost has said so
  if (file == nullptr || (!file->own && file->state != FileState::kThawed)) ++flagged_total_;
  if (rotation_ && !rotation_->thaw) {
    ++rotation_->files;  // stated as a sum
  } else if (!again) {
    state(Level::kInfo, "guard-flagged", "file is append-only now",
          {{"directory", d.path},
           {"name", e.name},
           {"size", std::to_string(e.look.size)},
           {"uid", std::to_string(e.look.uid)}},
          false, now);
  }
  if (file == nullptr) {
    if (File* stale = d.files.by_inode(e.look.inode, 0)) give_up(d, *stale, now);
    File fresh;
    fresh.name = e.name;
    fresh.inode = e.look.inode;
    fresh.birth_ns = e.look.birth_ns;
    fresh.seen = d.scan;
    if (File* named = d.files.by_name(e.name)) name_lost(d, *named, true, now);
    file = d.files.insert(std::move(fresh));
    if (file == nullptr) return;
  }
  set_deadline(d, *file, 0);
  unwatch(d, *file);
  file->state = FileState::kFlagged;
  file->attempts = 0;
  if (!file->own) file->size = e.look.size;
  d.files.may_forget(*file);
}

void GuardTable::flag_failed(Directory& d, const event::FlagDone& e, MonoUs now) {
  const bool passing = e.outcome == FlagOutcome::kGone || e.outcome == FlagOutcome::kNotEligible;
  if (e.outcome == FlagOutcome::kUnsupported) unsupported(d, e.reason, now);
  if (e.outcome == FlagOutcome::kDenied && !d.denied) {
    d.denied = true;
    d.degraded = e.reason;
    d.remedy = "give the daemon CAP_LINUX_IMMUTABLE, CAP_FOWNER and CAP_DAC_READ_SEARCH";
    state(Level::kError, "guard-degraded", "the append-only flag cannot be set here: " + e.reason,
          {{"directory", d.path}, {"name", e.name}, {"remedy", d.remedy}}, true, now);
  }
  File* file = d.files.by_inode(e.inode, 0);
  const bool first = file == nullptr || file->attempts == 0;
  if (!passing && first && e.outcome != FlagOutcome::kUnsupported) {
    state(Level::kWarning, "guard-failed",
          e.on ? "a file could not be made append-only yet" : "a file's flag could not be cleared",
          {{"directory", d.path}, {"name", e.name}, {"reason", e.reason}}, file != nullptr && file->own, now);
  }
  if (!e.on) return;
  if (!d.supported) {
    if (file != nullptr && !file->own) drop(d, *file);
    return;
  }
  if (file == nullptr) {
    File fresh;
    fresh.name = e.name;
    fresh.inode = e.inode;
    fresh.seen = d.scan;
    fresh.state = FileState::kUnflagged;
    if (d.files.by_name(e.name) != nullptr) return;  // the name is another file's by now; its events tell
    file = d.files.insert(std::move(fresh));
    if (file == nullptr) return;
    d.files.may_forget(*file);
  }
  unwatch(d, *file);
  file->state = FileState::kUnflagged;
  if (file->attempts < kRetries) ++file->attempts;
  const bool again = (passing || e.outcome == FlagOutcome::kBusy) && file->attempts < kRetries;
  const MonoUs pause = std::min<MonoUs>(kRetryInterval * file->attempts, kCheckInterval);
  set_deadline(d, *file, again ? now + pause : 0);
}

void GuardTable::on(const event::WatchRefused& e, MonoUs now) {
  Directory* d = directory(e.directory);
  File* file = d == nullptr ? nullptr : d->files.by_inode(e.inode, 0);
  if (file == nullptr || !file->watched) return;
  file->watched = false;
  --watches_;
  if (e.passing || watches_refused_) return;
  watches_refused_ = true;
  state(Level::kWarning, "guard-degraded",
        "no watch for a new file; the settle time alone decides: " + e.reason,
        {{"directory", d->path}, {"remedy", e.remedy}}, false, now);
}

// ---- small steps

void GuardTable::drop(Directory& d, File& file) {
  unwatch(d, file);
  set_deadline(d, file, 0);
  d.files.erase(file);
}

void GuardTable::unwatch(Directory& d, File& file) {
  if (!file.watched) return;
  file.watched = false;
  --watches_;
  out_->push_back(action::UnwatchFile{d.id, file.inode});
}

void GuardTable::set_deadline(Directory& d, File& file, MonoUs when) {
  if (file.deadline == when) return;
  if (file.deadline != 0) due_.erase({file.deadline, d.id, file.inode});
  file.deadline = when;
  if (when != 0) due_.emplace(when, d.id, file.inode);
}

}  // namespace opelog::watch
