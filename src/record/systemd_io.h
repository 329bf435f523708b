// What the service manager is told and hands over. The only file that includes libsystemd.
//
// Without systemd every call does nothing and succeeds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::record {

/// A descriptor passed by socket activation or from the fd store.
struct PassedFd {
  std::string name;  ///< FileDescriptorName= of the socket unit; "unknown" without one
  Fd fd;
};

/// Takes all of them, once; the environment forgets them so that no child believes they are its own.
/// Close-on-exec. Code::kInvalid when the environment is broken.
Result<std::vector<PassedFd>> take_passed_fds();

/// Takes the listening SOCK_SEQPACKET socket of that name out of `passed`; an invalid Fd if there is none.
/// Code::kInvalid when it is something else or there are two.
Result<Fd> take_listener(std::vector<PassedFd>& passed, std::string_view name);

/// What the manager is told from here on it hears as from its main process, which started this one. Where
/// that is not permitted (CAP_SYS_ADMIN) it hears who speaks.
void speak_for_parent();
/// Whether there is a manager that listens to us.
bool has_manager();
/// One message with descriptors (200 at most; lent), for fd_store_io.h. False: not now, its queue is full.
bool tell_manager(const std::string& text, const std::vector<Fd>& fds);
/// How many descriptors the manager keeps for this unit: as it says itself from systemd 254 on, and is asked
/// before: a moment, where it answers. nullopt where it does not answer.
std::optional<std::size_t> store_limit();
/// Whether a stop of this process is the first half of a restart of its unit, or nobody's wish at all. False
/// where the manager does not say. Asks, for some seconds at most: on a thread.
bool restarts_us();

/// `status` is one line for `systemctl status`.
void notify_ready(std::string_view status);
void notify_status(std::string_view status);
void notify_reloading(MonoUs now);  ///< follow with notify_ready()
void notify_stopping();
void notify_watchdog();

/// How often notify_watchdog() is due: half of what the manager tolerates; nullopt without a watchdog.
std::optional<std::uint64_t> watchdog_interval_ms();

}  // namespace opelog::record
