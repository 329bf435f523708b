// The only place that reads clocks.
#pragma once

#include <string>

#include "core/clock.h"

namespace opelog {

MonoUs mono_now() noexcept;
WallUs wall_now() noexcept;
/// CLOCK_BOOTTIME: as mono_now(), and goes on while the host is suspended.
MonoUs boot_now() noexcept;

/// `when` in the host's time zone by a strftime pattern ("%Y%m%d%H%M%S").
std::string format_local(WallUs when, const char* pattern);

}  // namespace opelog
