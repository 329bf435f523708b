// TwoCopies: a plain value in memory that outlives its process, whole at whatever instruction that process is
// killed.
//
// Invariant: the copy that `current` names is never written to; set() fills the other one and then names it.
// Lives in zeroed memory, without a constructor. One thread writes; who reads comes after it.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace opelog {

template <typename T>
struct TwoCopies {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

  [[nodiscard]] const T& get() const noexcept { return copies[current.load(std::memory_order_acquire) & 1U]; }
  void set(const T& value) noexcept {
    const std::uint32_t next = (current.load(std::memory_order_relaxed) & 1U) ^ 1U;
    copies[next] = value;
    current.store(next, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // what is stored next is not stored before
  }

  std::atomic<std::uint32_t> current;
  T copies[2];
};

}  // namespace opelog
