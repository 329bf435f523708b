// SharedMemory: a piece of zeroed memory behind a descriptor (memfd), so that it outlives the process where
// somebody else holds that descriptor too. Sealed against shrinking: a mapping never faults.
#pragma once

#include <cstddef>

#include "core/fd_io.h"
#include "core/result.h"

namespace opelog {

class SharedMemory {
 public:
  /// `name` is shown in /proc/PID/maps.
  static Result<SharedMemory> create(const char* name, std::size_t size);
  /// Of another process's descriptor. Code::kInvalid if it is none of create()'s, or smaller than `size`.
  static Result<SharedMemory> adopt(Fd fd, std::size_t size);

  /// Whether the descriptor may be one of create()'s.
  static bool is_one(int fd) noexcept;

  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept { swap(other); }
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  explicit operator bool() const noexcept { return data_ != nullptr; }
  /// The mapping stays: for one who has stored the descriptor elsewhere.
  void close_descriptor() noexcept { fd_.reset(); }
  /// Keeps its first bytes out of swap space; without effect where RLIMIT_MEMLOCK does not allow it.
  void lock(std::size_t first) noexcept;

 private:
  static Result<SharedMemory> map(Fd fd, std::size_t size);
  void swap(SharedMemory& other) noexcept;
  Fd fd_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace opelog
