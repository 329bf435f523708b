// DiskSpace: looks how much is free where recordings are, for DiskReserve.
//
// Once a second while it matters, and when the reserve seems to be reached. A file system may hang: on a
// thread, one look at a time; until it has answered, what was known counts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/fact.h"
#include "core/loop_io.h"
#include "record/disk_reserve.h"

namespace opelog::record {

class DiskSpace {
 public:
  /// `matters`: whether anybody writes.
  DiskSpace(Loop& loop, FactSink facts, std::function<bool()> matters);
  ~DiskSpace();
  DiskSpace(const DiskSpace&) = delete;
  DiskSpace& operator=(const DiskSpace&) = delete;

  void configure(const std::string& directory, std::uint64_t reserve);
  /// Somebody begins to write.
  void watch();
  void look();
  [[nodiscard]] DiskReserve& reserve() noexcept { return reserve_; }
  [[nodiscard]] std::string describe() const;

 private:
  void looked(std::uint64_t free, std::uint64_t size, std::uint64_t written);

  Loop& loop_;
  FactSink facts_;
  std::function<bool()> matters_;
  std::string directory_;
  std::uint64_t wanted_ = 0;
  DiskReserve reserve_;
  Timer timer_;
  bool looking_ = false, told_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
