#include "watch/file_index.h"

#include <algorithm>
#include <utility>

namespace opelog::watch {

File* FileIndex::by_inode(std::uint64_t inode, std::int64_t birth_ns) {
  const auto it = files_.find(inode);
  if (it == files_.end()) return nullptr;
  File& file = it->second;
  if (file.birth_ns != 0 && birth_ns != 0 && file.birth_ns != birth_ns) return nullptr;
  return &file;
}

File* FileIndex::by_name(std::string_view name) {
  const auto it = names_.find(name);
  return it == names_.end() ? nullptr : it->second;
}

File* FileIndex::insert(File file) {
  if (files_.count(file.inode) != 0 || (!file.nameless && names_.count(file.name) != 0)) return nullptr;
  if (full() && !forget_one()) return nullptr;
  const std::uint64_t inode = file.inode;
  const auto [it, fresh] = files_.emplace(inode, std::move(file));
  File& stored = it->second;
  if (!stored.nameless) names_[stored.name] = &stored;
  return &stored;
}

void FileIndex::rename(File& file, std::string name) {
  unname(file);
  file.name = std::move(name);
  file.nameless = false;
  file.replaced = false;
  names_[file.name] = &file;
}

void FileIndex::unname(File& file) {
  if (!file.nameless) names_.erase(file.name);
  file.nameless = true;
}

void FileIndex::erase(File& file) {
  if (!file.nameless) names_.erase(file.name);
  files_.erase(file.inode);
}

void FileIndex::clear() {
  names_.clear();
  files_.clear();
  order_.clear();
}

void FileIndex::may_forget(const File& file) {
  // Stale entries are dropped when they outnumber the files, so the queue is at most twice the capacity.
  if (order_.size() >= 2 * capacity_) {
    std::unordered_map<std::uint64_t, bool> met;
    std::deque<std::uint64_t> kept;
    for (const std::uint64_t inode : order_) {
      if (files_.count(inode) != 0 && met.emplace(inode, true).second) kept.push_back(inode);
    }
    order_ = std::move(kept);
  }
  order_.push_back(file.inode);
}

bool FileIndex::forget_one() {
  std::size_t left = order_.size();
  while (left-- > 0) {
    const std::uint64_t inode = order_.front();
    order_.pop_front();
    const auto it = files_.find(inode);
    if (it == files_.end()) continue;
    File& file = it->second;
    if (file.live || file.nameless || file.deadline != 0 || file.watched) {
      if (file.live) order_.push_back(inode);  // may be forgotten once it is closed
      continue;
    }
    erase(file);
    ++forgotten_;
    return true;
  }
  return false;
}

}  // namespace opelog::watch
