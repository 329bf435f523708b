// The bytes of one log entry for journald's native protocol and for a local syslog socket. Pure.
//
// Written by ourselves and not through sd_journal_sendv()/syslog(3): both block while their daemon stands
// still, and a stopped journald must not stop every session of the host. Reference: systemd's
// JOURNAL_NATIVE_PROTOCOL (systemd.io), RFC 3164 for the other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/fact.h"

namespace opelog {

/// Bytes of one value and of one entry. The default send buffer of a socket is 208 KiB, and a datagram has to
/// fit; a longer value is cut and ends in "...".
constexpr std::size_t kLogValueMaxBytes = 4096;
constexpr std::size_t kLogEntryMaxBytes = 65536;

/// The fact with every text cut to kLogValueMaxBytes, before anything costly is done with it.
Fact cut_fact(const Fact& fact);

/// Syslog's severity: 7 debug, 6 info, 4 warning, 3 error.
int syslog_priority(Level level) noexcept;

/// "session-id" -> "OPELOG_SESSION_ID": letters, digits and '_' only, at most 64 characters.
std::string journal_field_name(std::string_view key);

/// MESSAGE (the line a log file would have, format_fact()), PRIORITY, SYSLOG_IDENTIFIER, EVENT, MESSAGE_ID
/// where the event has one (message_id.h), and the fact's fields. Values are carried as they are; one with a
/// line feed in the length-prefixed form, so that no value can forge a field.
std::string encode_journal_entry(const Fact& fact, std::string_view program);

/// "<30>Nov 22 17:05:09 opelogd[123]: event: text key=value": `local_time` in that form, in the host's zone.
std::string encode_syslog_line(const Fact& fact, std::string_view program, int pid,
                               std::string_view local_time);

}  // namespace opelog
