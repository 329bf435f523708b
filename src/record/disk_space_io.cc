#include "record/disk_space_io.h"

#include <sys/statvfs.h>

#include <utility>

namespace opelog::record {
namespace {

constexpr std::uint64_t kLookMs = 1000;

}  // namespace

DiskSpace::DiskSpace(Loop& loop, FactSink facts, std::function<bool()> matters)
    : loop_(loop), facts_(std::move(facts)), matters_(std::move(matters)), timer_(loop, [this] {
        if (matters_() || reserve_.low())
          look();
        else
          timer_.stop();
      }) {
  reserve_.look = [this] { look(); };
}

DiskSpace::~DiskSpace() {
  *alive_ = false;
}

void DiskSpace::configure(const std::string& directory, std::uint64_t reserve) {
  if (directory == directory_ && reserve == wanted_) return;
  directory_ = directory;
  wanted_ = reserve;
  reserve_.configure(reserve);
  told_ = told_ && reserve > 0;
  look();
}

void DiskSpace::watch() {
  if (wanted_ == 0 || timer_.active()) return;
  look();
  timer_.start(kLookMs, kLookMs);
}

void DiskSpace::look() {
  if (looking_ || directory_.empty()) return;
  struct Look {
    std::string directory;
    struct statvfs seen {};
    bool done = false;
  };
  auto now = std::make_shared<Look>();
  now->directory = directory_;
  looking_ = run_work(
                 loop_, [now] { now->done = ::statvfs(now->directory.c_str(), &now->seen) == 0; },
                 [this, now, written = reserve_.written(), alive = alive_] {
                   if (!*alive) return;
                   looking_ = false;
                   if (now->directory != directory_) return look();
                   // Of what is kept for root too: recordings are root's.
                   const std::uint64_t block = now->seen.f_frsize;
                   if (now->done) looked(now->seen.f_bfree * block, now->seen.f_blocks * block, written);
                 },
                 AtLoopEnd::kLeave)
                 .ok();
}

void DiskSpace::looked(std::uint64_t free, std::uint64_t size, std::uint64_t written) {
  reserve_.looked(free, size, written);
  if (reserve_.low() == told_) return;
  told_ = reserve_.low();
  if (told_ && !timer_.active()) timer_.start(kLookMs, kLookMs);
  const std::string limit = std::to_string(reserve_.reserve());
  facts_({told_ ? Level::kWarning : Level::kInfo,
          told_ ? "disk-low" : "disk-enough",
          told_ ? "less than " + limit + " bytes are free where recordings are; each user may write " +
                      std::to_string(reserve_.part()) + " more"
                : "more than " + limit + " bytes are free again where recordings are",
          {{"directory", directory_}, {"free", std::to_string(free)}, {"reserve", limit}}});
}

std::string DiskSpace::describe() const {
  return "disk free=" + std::to_string(reserve_.free()) + " reserve=" + std::to_string(reserve_.reserve()) +
         " part=" + std::to_string(reserve_.part()) + (reserve_.low() ? " low" : "") +
         (looking_ ? " looking" : "") + "\n";
}

}  // namespace opelog::record
