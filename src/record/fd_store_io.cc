#include "record/fd_store_io.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "record/systemd_io.h"

namespace opelog::record {
namespace {

constexpr std::uint64_t kStoreRetryMs = 10;
constexpr int kFlushTries = 200;
constexpr unsigned kSlots = 36 * 36 * 36;  // more than the store takes

}  // namespace

std::unique_ptr<FdStore> FdStore::open(Loop& loop, Counts there) {
  if (!has_manager()) return nullptr;
  return std::unique_ptr<FdStore>(new FdStore(loop, std::move(there)));
}

FdStore::FdStore(Loop& loop, Counts there)
    : retry_(std::make_unique<Timer>(loop,
                                     [this] {
                                       if (!send_waiting()) retry_->start(kStoreRetryMs);
                                     })),
      there_(std::move(there)),
      most_(store_limit().value_or(kStoreMost)) {
  for (const auto& [name, count] : there_) {
    count_ += count;
    name_bytes_ += count * (name.size() + 1);
  }
}

// Not polled (FDPOLL=0): a terminal that is hung up must not vanish from the store before we say so.
Status FdStore::put(const Named& named) {
  std::vector<Message> messages;
  std::size_t more = 0, more_bytes = 0;
  for (const auto& [name, fds] : named) {
    Message message{"FDSTORE=1\nFDPOLL=0\nFDNAME=" + name, {}};
    for (const int fd : fds) {
      auto copy = duplicate(fd);
      if (!copy) return std::move(copy).error();
      message.fds.push_back(std::move(*copy));
    }
    more += fds.size();
    more_bytes += fds.size() * (name.size() + 1);
    if (!fds.empty()) messages.push_back(std::move(message));
  }
  if (count_ + more > most_ || name_bytes_ + more_bytes > kStoreNameBytes)
    return Error{Code::kLimit,
                 "the service manager keeps " + std::to_string(count_) + " of at most " +
                     std::to_string(most_) + " descriptors, under names of bounded length",
                 0};
  count_ += more;
  name_bytes_ += more_bytes;
  for (const auto& [name, fds] : named) there_[name] += fds.size();
  for (Message& message : messages) send(std::move(message));
  return {};
}

std::string FdStore::free_slot(const std::vector<std::string>& prefixes) {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (unsigned tries = 0;; ++tries) {
    last_slot_ = (last_slot_ + 1) % kSlots;
    std::string slot;
    for (unsigned n = last_slot_; n > 0; n /= 36) slot.insert(slot.begin(), kDigits[n % 36]);
    if (slot.empty()) slot = "0";
    const bool taken = std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
      return there_.count(prefix + slot) > 0;
    });
    if (!taken || tries == kSlots) return slot;
  }
}

void FdStore::remove(const std::string& name) {
  if (const auto it = there_.find(name); it != there_.end()) {
    count_ -= it->second;
    name_bytes_ -= it->second * (name.size() + 1);
    there_.erase(it);
  }
  send({"FDSTOREREMOVE=1\nFDNAME=" + name, {}});
}

void FdStore::send(Message message) {
  waiting_.push_back(std::move(message));
  if (!send_waiting() && retry_ && !retry_->active()) retry_->start(kStoreRetryMs);
}

bool FdStore::send_waiting() {
  while (!waiting_.empty()) {
    if (!tell_manager(waiting_.front().text, waiting_.front().fds)) return false;
    waiting_.pop_front();
  }
  return true;
}

bool FdStore::flush() {
  for (int i = 0; i < kFlushTries && !send_waiting(); ++i) {
    const timespec pause{0, 5'000'000};
    (void)::nanosleep(&pause, nullptr);
  }
  return waiting_.empty();
}

}  // namespace opelog::record
