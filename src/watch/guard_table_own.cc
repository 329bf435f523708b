// GuardTable and our own recordings: what the recorder tells it.
#include "watch/guard_directory.h"
#include "watch/guard_table.h"

namespace opelog::watch {

void GuardTable::on(const event::OwnCreated& e, MonoUs now) {
  Directory* d = nullptr;
  for (auto& [id, candidate] : directories_) {
    if (candidate->path == e.directory) d = candidate.get();
  }
  if (d != nullptr && d->alias_of != 0) d = directory(d->alias_of);
  if (d == nullptr) return;  // the recorder may write where nothing is guarded: policy's choice
  File* file = d->files.by_inode(e.inode, 0);
  if (file != nullptr && file->name != e.name) {
    give_up(*d, *file, now);
    file = nullptr;
  }
  if (file == nullptr) {
    if (File* named = d->files.by_name(e.name)) name_lost(*d, *named, true, now);
    File fresh;
    fresh.name = e.name;
    fresh.inode = e.inode;
    file = d->files.insert(std::move(fresh));
    if (file == nullptr) {
      state(Level::kWarning, "guard-untracked", "no room to track a recording; its flag is set all the same",
            {{"directory", d->path}, {"name", e.name}}, true, now);
      return;
    }
  }
  unwatch(*d, *file);
  set_deadline(*d, *file, 0);
  file->own = file->live = true;
  file->state = e.flagged ? FileState::kFlagged : FileState::kPlain;
  file->seen = d->scan;
  file->size = 0;
  d->files.may_forget(*file);
  out_->push_back(action::Examine{d->id, file->name, Why::kSeen});
}

void GuardTable::on(const event::OwnClosed& e, MonoUs) {
  for (auto& [id, d] : directories_) {
    File* file = d->files.by_inode(e.inode, 0);
    if (file == nullptr || !file->live) continue;
    file->live = false;
    file->size = e.size;
    file->mtime_ns = 0;  // taken from the look that follows
    if (!file->nameless) out_->push_back(action::Examine{id, file->name, Why::kSeen});
    return;
  }
}

void GuardTable::on(const event::OwnRemoved& e, MonoUs) {
  for (auto& [id, d] : directories_) {
    File* file = d->files.by_inode(e.inode, 0);
    if (file == nullptr || file->live) continue;
    drop(*d, *file);
    return;
  }
}

}  // namespace opelog::watch
