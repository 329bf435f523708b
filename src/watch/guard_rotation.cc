// GuardTable: rotation by others. thaw clears flags so that files can be renamed; freeze sets them again.
//
// While thawed nothing is flagged, and renames and removals are stated without being findings. Recordings in
// progress keep their flags throughout. A thaw ends by itself when its time is over.
#include <algorithm>

#include "watch/guard_directory.h"
#include "watch/guard_table.h"

namespace opelog::watch {

void GuardTable::on(const event::Thaw& e, MonoUs now) {
  Rotation rotation;
  rotation.thaw = true;
  rotation.seconds = std::clamp(e.seconds, 1, kThawSecondsLimit);
  thawed_until_ = now + rotation.seconds * kUsPerS;
  begin_rotation(std::move(rotation), now);
}

void GuardTable::on(const event::Freeze&, MonoUs now) {
  begin_rotation({}, now);
}

void GuardTable::begin_rotation(Rotation rotation, MonoUs now) {
  if (!rotation.thaw) thawed_until_.reset();
  for (auto& [id, d] : directories_) {
    if (d->armed) rotation.left.insert(id);
  }
  const Why why = rotation.thaw ? Why::kThaw : Why::kFreeze;
  const std::set<DirectoryId> left = rotation.left;
  rotation_ = std::move(rotation);
  for (const DirectoryId id : left) rescan(*directory(id), why, now);
  if (left.empty()) rotated_directory(0, now);
}

void GuardTable::rotated_directory(DirectoryId id, MonoUs now) {
  if (!rotation_) return;
  rotation_->left.erase(id);
  if (!rotation_->left.empty()) return;
  const Rotation done = *std::exchange(rotation_, std::nullopt);
  quiet_until_ = now + kUsPerS;  // what the scan missed is told apart within the grace of a rename
  Fields fields = {{"files", std::to_string(done.files)}};
  if (done.thaw) {
    fields.emplace_back("seconds", std::to_string(done.seconds));
    state(Level::kWarning, "guard-thawed", "closed files may be renamed and removed until freeze",
          std::move(fields), true, now);
  } else {
    state(done.time_over ? Level::kWarning : Level::kInfo, "guard-frozen",
          done.time_over ? "the time of the thaw is over; files are append-only again"
                         : "files are append-only again",
          std::move(fields), true, now);
  }
  out_->push_back(action::Rotated{done.thaw, done.files});
}

bool GuardTable::rotation_quiet(MonoUs now) const {
  return thawed_until_.has_value() || rotation_.has_value() || now < quiet_until_;
}

}  // namespace opelog::watch
