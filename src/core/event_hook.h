// EventHook: who else is to hear of which events of the log (`on_event` in the policy). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/fact.h"

namespace opelog {

constexpr std::size_t kMaxEventHooks = 16;
constexpr std::size_t kMaxSocketPath = 107;  ///< sun_path without its NUL

/// Either a command or a socket.
struct EventHook {
  std::vector<std::string>
      events;  ///< words of docs/operating.md; one that ends in `*` stands for all that begin so
  std::vector<std::string> command;  ///< an absolute path and its arguments
  std::string socket;                ///< absolute path of a datagram socket
  bool operator==(const EventHook&) const = default;
};

/// What hooks do themselves is stated under this word, which no hook hears of.
constexpr const char* kHookEvent = "hook-failed";

/// Never of debug facts.
bool hears(const EventHook& hook, const Fact& fact) noexcept;

}  // namespace opelog
