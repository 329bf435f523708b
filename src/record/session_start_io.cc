#include "record/session_start_io.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/clock_io.h"
#include "format/recording_name.h"
#include "record/proc_text.h"

namespace opelog::record {
namespace {

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

Result<std::unique_ptr<format::RecordingWriter>> open_recording(const Policy& policy,
                                                                const RecordingPlace& place,
                                                                const format::SessionInfo& info) {
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
  options.input = info.records_input;
  return format::RecordingWriter::create(options, info, mono_now());
}

// The ends of one stream: the child's, and ours.
Status connect_stream(const DescriptorFacts& facts, int number, int given, const format::SessionInfo& owner,
                      SessionParts::Stream& stream, Fd& child) {
  if (facts.kind == DescriptorKind::kSocket) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
      return error_from_errno(errno, "open a socket pair");
    stream.inner_fd = Fd(pair[0]);
    child = Fd(pair[1]);
    stream.kind = EndpointKind::kSocket;
  } else {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno(errno, "open a pipe");
    Fd reading(ends[0]), writing(ends[1]);
    // As if sshd had made it: /dev/stdout opens the pipe by name, which its owner may.
    if (::fchown(ends[0], owner.uid, owner.gid) != 0) return error_from_errno(errno, "give away a pipe");
    if (number == 0) {
      child = std::move(reading);
      stream.inner_fd = std::move(writing);
    } else {
      child = std::move(writing);
      stream.inner_fd = std::move(reading);
    }
    stream.kind = EndpointKind::kPipe;
  }
  // An anonymous pipe can be opened anew, so that our O_NONBLOCK is nobody else's. A socket cannot: the relay
  // never lets one block.
  auto own = facts.kind == DescriptorKind::kPipe
                 ? reopen(given, (number == 0 ? O_RDONLY : O_WRONLY) | O_NONBLOCK)
                 : duplicate(given);
  if (!own) return std::move(own).error();
  stream.outer_fd = std::move(*own);
  return {};
}

Status set_up_streams(const std::array<Fd, 3>& given, const format::SessionInfo& owner,
                      StartedSession& session) {
  DescriptorFacts facts[3];
  for (int i = 0; i < 3; ++i) facts[i] = descriptor_facts(given[static_cast<std::size_t>(i)].get());
  std::array<Fd, 3> child;
  for (int i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(i);
    SessionParts::Stream& stream = session.parts.streams[i];
    // A named pipe's description may be shared with somebody who makes it block; sshd passes none.
    const bool usable = facts[i].kind != DescriptorKind::kOther && facts[i].kind != DescriptorKind::kFifo &&
                        facts[i].kind != DescriptorKind::kTerminal &&
                        (i == 0 ? facts[i].readable : facts[i].writable);
    for (int j = 0; usable && j < i; ++j) {
      if (session.parts.streams[j].outer_fd && facts[j].kind == facts[i].kind &&
          facts[j].device == facts[i].device && facts[j].inode == facts[i].inode &&
          (facts[i].kind == DescriptorKind::kSocket || j > 0)) {
        stream.same_as = j;
        break;
      }
    }
    if (usable && stream.same_as < 0) {
      if (auto connected = connect_stream(facts[i], i, given[at].get(), owner, stream, child[at]); !connected)
        return connected;
    }
    auto copy = child[at]
                    ? duplicate(child[at].get())
                    : duplicate(stream.same_as >= 0 ? child[static_cast<std::size_t>(stream.same_as)].get()
                                                    : given[at].get());
    if (!copy) return std::move(copy).error();
    session.descriptors.push_back(std::move(*copy));
  }
  return {};
}

}  // namespace

bool has_terminal(const std::array<Fd, 3>& descriptors) {
  return descriptor_facts(descriptors[0].get()).kind == DescriptorKind::kTerminal;
}

Result<StartedSession> start_session(const Policy& policy, const RecordingPlace& place,
                                     const Admission& admission, const Hello& hello,
                                     const std::array<Fd, 3>& descriptors, format::SessionInfo info) {
  StartedSession session;
  auto id = new_session_id();
  if (!id) return std::move(id).error();
  info.id = *id;
  info.started = wall_now();
  info.shell = admission.shell;
  info.rule = admission.rule.name;
  info.records_input = admission.rule.record_input;
  info.records_payload = admission.rule.record_payload;
  info.terminal = has_terminal(descriptors);
  info.term = hello.term;

  session.verdict.session = info.id;
  session.verdict.shell = admission.shell;
  session.parts.limits.on_failure = admission.rule.on_write_failure;
  session.parts.limits.start_us = policy.login_timeout_ms * kUsPerMs;
  session.parts.limits.hold_us = policy.hold_timeout_ms * kUsPerMs;
  session.parts.limits.grace_us = policy.end_grace_ms * kUsPerMs;
  session.parts.notice = admission.rule.notice;

  if (info.terminal) {
    const bool borrowed = hello.how == OPELOG_HOW_REC;
    auto outer = OuterTerminal::open(descriptors[0].get(), borrowed);
    if (!outer) return std::move(outer).error();
    auto inner = InnerTerminal::open(info.uid, place.tty_group, (*outer)->saved(), (*outer)->size_at_start());
    if (!inner) return std::move(inner).error();
    info.tty = (*outer)->path();
    info.inner_tty = inner->path;
    info.rows = (*outer)->size_at_start().rows;
    info.cols = (*outer)->size_at_start().cols;
    auto slave = duplicate(inner->slave.get());
    if (!slave) return std::move(slave).error();
    auto writer = open_recording(policy, place, info);
    if (!writer) return std::move(writer).error();
    // Last, because it kills the descriptors the shim could show a refusal on.
    if (auto seized = (*outer)->seize(); !seized) {
      format::EndInfo end;
      end.reason = format::EndReason::kFailure;
      (void)(*writer)->end(end, mono_now());
      return std::move(seized).error();
    }
    session.verdict.action = OPELOG_RECORD_TERMINAL;
    const std::uint64_t terminal = descriptor_facts(descriptors[0].get()).terminal;
    for (unsigned i = 0; i < 3; ++i) {
      const DescriptorFacts facts = descriptor_facts(descriptors[i].get());
      if (facts.kind == DescriptorKind::kTerminal && facts.terminal == terminal)
        session.verdict.replace |= 1u << i;
    }
    session.descriptors.push_back(std::move(*slave));
    if (!borrowed) session.descriptors.push_back((*outer)->take_shim_descriptor());
    if (!info.ancestry.empty() && is_sshd(info.ancestry[0].exe))
      (*outer)->keep_node();  // it is sshd's own pty, and goes with it
    if (!borrowed) session.parts.utmp = UtmpLine(info.tty, info.inner_tty, place.utmp);
    session.parts.outer = std::move(*outer);
    session.parts.inner = std::move(*inner);
    session.parts.writer = std::move(*writer);
  } else {
    if (auto streams = set_up_streams(descriptors, info, session); !streams)
      return std::move(streams).error();
    auto writer = open_recording(policy, place, info);
    if (!writer) return std::move(writer).error();
    session.verdict.action = OPELOG_RECORD_STREAMS;
    session.parts.writer = std::move(*writer);
  }
  session.parts.info = std::move(info);
  return session;
}

}  // namespace opelog::record
