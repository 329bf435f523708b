#include "record/fd_store_io.h"

#include <time.h>

#include <utility>

#include "record/systemd_io.h"

namespace opelog::record {
namespace {

constexpr std::uint64_t kStoreRetryMs = 10;
constexpr int kFlushTries = 200;

}  // namespace

std::unique_ptr<FdStore> FdStore::open(Loop& loop) {
  if (!has_manager()) return nullptr;
  return std::unique_ptr<FdStore>(new FdStore(loop));
}

FdStore::FdStore(Loop& loop)
    : retry_(std::make_unique<Timer>(loop, [this] {
        if (!send_waiting()) retry_->start(kStoreRetryMs);
      })) {}

// Not polled (FDPOLL=0): a terminal that is hung up must not vanish from the store before we say so.
void FdStore::put(const std::string& name, const std::vector<int>& fds) {
  Message message{"FDSTORE=1\nFDPOLL=0\nFDNAME=" + name, {}};
  for (const int fd : fds) {
    auto copy = duplicate(fd);
    if (copy) message.fds.push_back(std::move(*copy));
  }
  if (!message.fds.empty()) send(std::move(message));
}

void FdStore::remove(const std::string& name) {
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
