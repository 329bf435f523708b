#include "index/recording_stamp_io.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "format/recording_name.h"

namespace opelog::index {
namespace {

void look(const std::string& path, std::uint64_t& inode, std::uint64_t& size, std::int64_t& modified) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return;
  inode = facts.st_ino;
  size = static_cast<std::uint64_t>(facts.st_size);
  modified = facts.st_mtim.tv_sec * kUsPerS + facts.st_mtim.tv_nsec / 1000;
}

}  // namespace

FilesStamp stamp_of(const std::string& directory, const std::string& name) {
  FilesStamp stamp;
  const std::string base = directory + "/" + name;
  look(base + ".time", stamp.time_inode, stamp.time_size, stamp.time_modified);
  look(base + ".log", stamp.log_inode, stamp.log_size, stamp.log_modified);
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

Result<std::vector<std::string>> names_by_time(const std::string& directory) {
  auto names = format::list_names(directory);
  if (!names) return std::move(names).error();
  std::vector<std::pair<std::string, std::string>> timed;
  timed.reserve(names->size());
  for (auto& name : *names) {
    const auto parts = format::parse_name(name);
    timed.emplace_back(parts ? parts->time : "", std::move(name));
  }
  std::sort(timed.begin(), timed.end());
  for (std::size_t i = 0; i < timed.size(); ++i) (*names)[i] = std::move(timed[i].second);
  return names;
}

}  // namespace opelog::index
