#include "index/recording_stamp_io.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "format/recording_name.h"
#include "format/stored_file_io.h"

namespace opelog::index {
namespace {

void look(const std::string& directory, const std::string& file, const format::RecordingList* list,
          std::uint64_t& inode, std::uint64_t& size, std::int64_t& modified) {
  struct stat facts {};
  if (::lstat((directory + file).c_str(), &facts) != 0 || facts.st_size == 0) {
    auto stored = format::open_stored(directory, file, list);
    if (!stored || ::fstat((*stored)->descriptor(), &facts) != 0) return;
  }
  if (!S_ISREG(facts.st_mode)) return;
  inode = facts.st_ino;
  size = static_cast<std::uint64_t>(facts.st_size);
  modified = facts.st_mtim.tv_sec * kUsPerS + facts.st_mtim.tv_nsec / 1000;
}

}  // namespace

FilesStamp stamp_of(const std::string& directory, const std::string& name,
                    const format::RecordingList* list) {
  FilesStamp stamp;
  look(directory + "/", name + ".time", list, stamp.time_inode, stamp.time_size, stamp.time_modified);
  look(directory + "/", name + ".log", list, stamp.log_inode, stamp.log_size, stamp.log_modified);
  return stamp;
}

IndexedSession session_of(const format::RecordingSummary& summary) {
  IndexedSession session;
  session.name = summary.name;
  session.id = summary.info.id;
  session.user = summary.info.user;
  session.client = summary.info.client;
  session.state = format::state_word(summary.state);
  session.user_claimed = summary.files_uid != 0 && summary.files_user != summary.info.user;
  session.started = summary.info.started;
  session.length_us = summary.duration_us;
  return session;
}

Result<format::RecordingList> list_by_time(const std::string& directory) {
  auto list = format::list_recordings(directory);
  if (!list) return std::move(list).error();
  std::vector<std::pair<std::string, std::string>> timed;
  timed.reserve(list->names.size());
  for (auto& name : list->names) {
    const auto parts = format::parse_name(name);
    timed.emplace_back(parts ? parts->time : "", std::move(name));
  }
  std::sort(timed.begin(), timed.end());
  for (std::size_t i = 0; i < timed.size(); ++i) list->names[i] = std::move(timed[i].second);
  return list;
}

}  // namespace opelog::index
