#include "record/session_start_io.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdio>

#include "core/clock_io.h"
#include "format/recording_name.h"
#include "record/proc_text.h"

namespace opelog::record {
Result<std::string> new_session_id() {
  unsigned char bytes[8];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
    return error_from_errno(errno, "draw a session id");
  std::string id;
  for (unsigned char b : bytes) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", b);
    id += hex;
  }
  return id;
}

std::string session_id(std::uint64_t number) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) id[i] = kHex[number & 15];
  return id;
}

std::uint64_t session_number(const std::string& id) {
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number, 16);
  return number;
}

Result<std::unique_ptr<format::RecordingWriter>> open_recording(const Policy& policy,
                                                                const RecordingPlace& place,
                                                                const format::SessionInfo& info, MonoUs begun,
                                                                format::WriterMemory* memory) {
  auto name =
      format::make_name(policy.name, info.user, format_local(info.started, "%Y%m%d%H%M%S"),
                        // what the user says of himself makes no file name
                        info.client_claimed ? std::string() : info.client, info.host, info.uid, info.id);
  if (!name) return std::move(name).error();
  format::WriterOptions options;
  options.directory = place.directory;
  options.name = std::move(*name);
  options.mode = policy.file_mode;
  options.group = place.file_group;
  options.append_only = policy.append_only;
  options.input = info.records_input && (info.terminal || info.records_payload);  // else none is ever kept
  options.memory = memory;
  if (place.seal) options.opened = [&](const std::string& chosen) { return place.seal(info, chosen); };
  return format::RecordingWriter::create(options, info, begun);
}

namespace {

Status connect_pair(Fd& ours, std::vector<Fd>& for_shim) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return error_from_errno(errno, "open a socket pair");
  ours = Fd(pair[0]);
  for_shim.emplace_back(pair[1]);
  return {};
}

// Two pairs for one stream, ours and the waiter's: the shell's side and the user's. What the user passed and
// what his shell gets stay with the shim, whose waiter copies.
Status connect_stream(SessionParts::Stream& stream, std::vector<Fd>& for_shim) {
  if (auto inner = connect_pair(stream.inner_fd, for_shim); !inner) return inner;
  return connect_pair(stream.outer_fd, for_shim);
}

// The outside of a session whose terminal stays the user's. Little is under way to it, so that an interrupt
// key is soon seen to work.
constexpr int kTerminalSocketBytes = 32768;
Status connect_terminal(StartedSession& session) {
  Fd& ours = session.parts.outer_socket;
  if (auto connected = connect_pair(ours, session.descriptors); !connected) return connected;
  (void)::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &kTerminalSocketBytes, sizeof kTerminalSocketBytes);
  return {};
}

// Memory in which the session outlives this daemon; none where it cannot. Of terminals only sshd's own: of
// another, which is its user's again at the end, the last close could be made to wait, and would be the
// service manager's.
void keep_in_memory(const RecordingPlace& place, const format::SessionInfo& info, const OuterTerminal* outer,
                    SessionParts& parts) {
  if (place.store == nullptr || (outer != nullptr && !outer->keeps_node())) return;
  auto memory = SharedMemory::create("opelog-session", sizeof(SessionMemory));
  if (!memory) return;
  memory->lock(kSecretsEnd);  // the secret
  parts.memory = std::move(*memory);
  parts.store = place.store;
  SessionMemory& kept = *parts.kept();
  kept.magic = kSessionMemoryMagic;
  kept.layout = kSessionMemoryLayout;
  kept.number = session_number(info.id);
}

Status set_up_streams(const Hello& hello, StartedSession& session) {
  for (std::size_t i = 0; i < 3; ++i) {
    SessionParts::Stream& stream = session.parts.streams[i];
    switch (hello.streams[i]) {
      case OPELOG_STREAM_SOCKET:
      case OPELOG_STREAM_PIPE:
        if (auto connected = connect_stream(stream, session.descriptors); !connected) return connected;
        break;
      case OPELOG_STREAM_AS_0:
        stream.same_as = 0;
        break;
      case OPELOG_STREAM_AS_1:
        stream.same_as = 1;
        break;
      default:
        break;
    }
  }
  return {};
}

}  // namespace

Result<StartedSession> start_session(const Policy& policy, const RecordingPlace& place,
                                     const Admission& admission, const Hello& hello,
                                     std::unique_ptr<OuterTerminal>& outer, format::SessionInfo info) {
  StartedSession session;
  auto id = new_session_id();
  if (!id) return std::move(id).error();
  info.id = *id;
  info.started = wall_now();
  info.shell = admission.shell;
  info.rule = admission.rule.name;
  info.records_input = admission.rule.record_input;
  info.records_payload = admission.rule.record_payload;
  info.terminal = hello.terminals != 0;
  info.term = hello.term;

  session.verdict.session = info.id;
  session.verdict.shell = admission.shell;
  session.parts.limits.on_failure = admission.rule.on_write_failure;
  session.parts.limits.start_us = policy.login_timeout_ms * kUsPerMs;
  session.parts.limits.hold_us = policy.hold_timeout_ms * kUsPerMs;
  session.parts.limits.grace_us = policy.end_grace_ms * kUsPerMs;
  session.parts.limits.idle_warning_us = policy.idle_warning_ms * kUsPerMs;
  session.parts.limits.idle_end_us = policy.idle_end_ms * kUsPerMs;
  session.parts.size_limit = policy.session_size;
  session.parts.output_rate = policy.output_rate;
  session.parts.on_output_rate = policy.on_output_rate;
  session.parts.notice = admission.rule.notice;

  if (info.terminal) {
    const TerminalSize size =
        outer ? outer->size_at_start()
              : TerminalSize{static_cast<int>(hello.rows), static_cast<int>(hello.cols), 0, 0};
    auto inner = InnerTerminal::open(outer ? &outer->saved() : nullptr, size);
    if (!inner) return std::move(inner).error();
    if (outer) info.tty = outer->path();
    info.inner_tty = inner->path;
    info.rows = size.rows;
    info.cols = size.cols;
    auto slave = duplicate(inner->slave.get());
    if (!slave) return std::move(slave).error();
    session.descriptors.push_back(std::move(*slave));
    if (!outer) {
      if (auto connected = connect_terminal(session); !connected) return std::move(connected).error();
    }
    if (outer && !info.ancestry.empty() && is_sshd(info.ancestry[0].exe))
      outer->keep_node();  // it is sshd's own pty, and goes with it
    keep_in_memory(place, info, outer.get(), session.parts);
    auto writer = open_recording(policy, place, info, mono_now(), session.parts.writer_memory());
    if (!writer) return std::move(writer).error();
    // Last: from here on he can open it, and keep a close of it waiting.
    if (auto given = inner->give_to(info.uid, place.tty_group); !given) {
      format::EndInfo end;
      end.reason = format::EndReason::kFailure;
      (void)(*writer)->end(end, mono_now());
      return std::move(given).error();
    }
    session.verdict.action = OPELOG_RECORD_TERMINAL;
    session.verdict.replace = hello.terminals;
    if (outer) {
      session.parts.utmp = UtmpLine(info.tty, info.inner_tty, place.utmp);
      session.parts.outer = std::move(outer);
    }
    session.parts.inner = std::move(*inner);
    session.parts.writer = std::move(*writer);
  } else {
    if (auto streams = set_up_streams(hello, session); !streams) return std::move(streams).error();
    keep_in_memory(place, info, nullptr, session.parts);
    auto writer = open_recording(policy, place, info, mono_now(), session.parts.writer_memory());
    if (!writer) return std::move(writer).error();
    session.verdict.action = OPELOG_RECORD_STREAMS;
    session.parts.writer = std::move(*writer);
  }
  session.parts.info = std::move(info);
  return session;
}

Status take_terminal(StartedSession& session) {
  if (!session.parts.outer) return {};
  if (auto seized = session.parts.outer->seize(); !seized) return seized;
  if (Fd shim = session.parts.outer->take_shim_descriptor()) session.descriptors.push_back(std::move(shim));
  return {};
}

}  // namespace opelog::record
