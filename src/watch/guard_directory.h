// GuardTable::Directory: one guarded directory as the machine knows it. Private to guard_table*.cc and
// guard_rotation.cc.
#pragma once

#include "watch/guard_table.h"

namespace opelog::watch {

struct GuardTable::Directory {
  explicit Directory(std::size_t capacity) : files(capacity) {}

  DirectoryId id = 0;
  std::string path;
  MonoUs settle = 0;
  bool armed = false;
  bool supported = true;
  bool watched = true;
  DirectoryId alias_of = 0;  ///< watched under this one's name; 0 not an alias
  std::uint64_t inode = 0;   ///< of what was armed last; 0 never
  std::uint64_t device = 0;
  std::string unarmed_reason;  ///< stated last; stated again only when it changes
  std::string degraded;
  std::string remedy;
  MonoUs check_at = 0;
  FileIndex files;
  bool denied = false;  ///< setting flags is refused to us: tried at scans only
  bool full_stated = false;
  // the scan under way
  bool scanning = false;
  Why scan_why = Why::kSweep;
  std::uint32_t scan = 0;
  std::uint64_t scan_entries = 0;
  std::uint64_t scan_flagged = 0;
  int scan_failures = 0;           ///< in a row; the first is stated
  MonoUs rescan_at = 0;            ///< an overflow rescan is due then; 0 none
  MonoUs rescanned = 0;            ///< when the last one began
  std::deque<std::string> unseen;  ///< names the scan did not meet; bounded by the files known
  std::uint64_t skipped = 0;
};

}  // namespace opelog::watch
