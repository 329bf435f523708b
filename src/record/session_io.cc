#include "record/session_io.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "core/clock_io.h"
#include "format/session_header.h"
#include "record/login_message.h"
#include "record/proc_directory_io.h"

namespace opelog::record {
namespace {

// How often held output is offered to the record again: quick enough for a person, rare enough for a full
// disk.
constexpr std::int64_t kRetryUs = 250 * kUsPerMs;
// Packets taken from one shim per turn: a shim that floods RESIZED waits for the others.
constexpr int kPacketsPerTurn = 8;
// A shim that was told to leave gets this long before it is ended by force.
constexpr std::int64_t kLeaveUs = OPELOG_LEAVE_SECONDS * kUsPerS;

}  // namespace

Session::Session(Loop& loop, UserWork& work, RelayBuffer& buffer, FactSink facts, SessionParts parts,
                 Gone on_gone)
    : loop_(loop),
      work_(work),
      facts_(std::move(facts)),
      on_gone_(std::move(on_gone)),
      shared_(std::move(parts.memory)),
      memory_(static_cast<SessionMemory*>(shared_.data())),
      store_(parts.store),
      slot_(std::move(parts.slot)),
      buffer_(buffer),
      info_(std::move(parts.info)),
      writer_(std::move(parts.writer)),
      exec_(parts.exec),
      exec_log_(*writer_, format::encode_first_line(info_).size(),
                [this](const format::GapInfo& gap, MonoUs now) {
                  return state_count(Counted::kLostEvents, gap, now);
                }),
      disk_(*parts.reserve, info_.uid, *writer_),
      shim_(std::move(parts.shim)),
      shim_pidfd_(std::move(parts.shim_pidfd)),
      notice_(std::move(parts.notice)),
      outer_(std::move(parts.outer)),
      outer_socket_(std::move(parts.outer_socket)),
      inner_(std::move(parts.inner)),
      utmp_(std::move(parts.utmp)),
      streams_(std::move(parts.streams)),
      machine_(parts.resumed ? SessionMachine(memory_->mark.get().machine)
                             : SessionMachine(info_.terminal, parts.limits, mono_now())),
      relay_(loop, buffer, *this, memory_ != nullptr ? memory_->number : 0),
      questions_(work, info_.uid),
      timer_(loop, [this] { timer_fired(); }),
      turn_(loop,
            [this] {
              std::vector<SessionEvent> events;
              events.swap(posted_);
              for (const SessionEvent& event : events) apply(event);
            }),
      shim_started_(parts.shim_started),
      ancestry_started_(std::move(parts.ancestry_started)) {
  quota_.size_limit = parts.size_limit;
  quota_.output_rate = parts.output_rate;
  if (parts.output_rate > 0 || parts.output_of_user)
    quota_.rate.emplace(parts.output_rate, std::move(parts.output_of_user), parts.on_output_rate, mono_now());
  if (quota_.rate && parts.resumed) quota_.rate->go_on(memory_->rate.get(), mono_now());
  if (parts.exec_missing > 0) exec_log_.lost(parts.exec_missing, kMoreBefore, mono_now());
}

Session::~Session() = default;

bool Session::is_process_of(std::int64_t pid, std::uint64_t started) const noexcept {
  return pid != 0 && ((pid == shell_pid_ && started == shell_started_) ||
                      (pid == info_.shim_pid && started == shim_started_));
}

bool Session::descends_from(std::int64_t pid, std::uint64_t started) const noexcept {
  for (std::size_t i = 0; i < info_.ancestry.size() && i < ancestry_started_.size(); ++i) {
    if (info_.ancestry[i].pid == pid && ancestry_started_[i] == started) return true;
  }
  return false;
}

Status Session::start() {
  auto poll = Poll::open(loop_, shim_.get(), [this](int, int) { shim_ready(); });
  if (!poll) return std::move(poll).error();
  shim_poll_ = std::move(*poll);
  if (auto watching = shim_poll_->watch(Poll::kReadable); !watching) return watching;
  if (auto set_up = info_.terminal ? start_terminal() : start_streams(); !set_up) return set_up;
  relay_.start();
  arm();
  return {};
}

Status Session::start_terminal() {
  size_ = outer_ ? outer_->size_at_start() : TerminalSize{info_.rows, info_.cols, 0, 0};
  questions_.size_is(size_);
  auto outer = outer_ ? duplicate(outer_->fd()) : Result<Fd>(std::move(outer_socket_));
  if (!outer) return std::move(outer).error();
  if (auto added = add_terminal(std::move(*outer), std::move(inner_.master)); !added) return added;
  if (!notice_.empty()) {
    std::string text;
    for (char c : notice_) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
    (void)relay_.inject(flow_out_, text + "\r\n");
  }
  if (outer_ && !outer_->type_ahead().empty()) (void)relay_.inject(flow_in_, outer_->type_ahead());
  return {};
}

Status Session::add_terminal(Fd outside, Fd master) {
  auto out = relay_.add_endpoint(std::move(outside),
                                 outer_ ? EndpointKind::kOuterTerminal : EndpointKind::kOuterSocket);
  if (!out) return std::move(out).error();
  outside_ = *out;
  auto in = relay_.add_endpoint(std::move(master), EndpointKind::kMaster);
  if (!in) return std::move(in).error();
  master_ = *in;
  flow_out_ = relay_.add_flow(master_, outside_, FlowRole::kOutput, flow_memory(0));
  flow_in_ = relay_.add_flow(outside_, master_, FlowRole::kInput, flow_memory(1));
  return {};
}

// Numbered as the flows of a session are added: output, input, errors.
FlowMemory* Session::flow_memory(std::size_t flow) {
  return memory_ != nullptr ? &memory_->flows[flow] : nullptr;
}

Status Session::start_streams() {
  int outer[3] = {-1, -1, -1}, inner[3] = {-1, -1, -1};
  for (std::size_t i = 0; i < 3; ++i) {
    if (const int same = streams_[i].same_as; same >= 0) {
      outer[i] = outer[same];
      inner[i] = inner[same];
      continue;
    }
    if (!streams_[i].outer_fd) continue;
    stream_ends_[i] = true;
    auto o = relay_.add_endpoint(std::move(streams_[i].outer_fd), EndpointKind::kSocket);
    if (!o) return std::move(o).error();
    auto n = relay_.add_endpoint(std::move(streams_[i].inner_fd), EndpointKind::kSocket);
    if (!n) return std::move(n).error();
    outer[i] = *o;
    inner[i] = *n;
  }
  if (outer[0] >= 0) flow_in_ = relay_.add_flow(outer[0], inner[0], FlowRole::kInput, flow_memory(1));
  if (outer[1] >= 0) flow_out_ = relay_.add_flow(inner[1], outer[1], FlowRole::kOutput, flow_memory(0));
  const int same = streams_[2].same_as;  // as an output that has its flow already?
  if (outer[2] >= 0 && same != 1 && !(same == 0 && streams_[1].same_as == 0))
    flow_err_ = relay_.add_flow(inner[2], outer[2], FlowRole::kOutput, flow_memory(2));
  return {};
}

// ---- what the relay asks and tells

void Session::flow_ended(int) {
  if (!info_.terminal && relay_.output_ended()) post({SessionEvent::Kind::kOutputEnded, false, 0, {}});
}
void Session::outer_gone() {
  post({SessionEvent::Kind::kOuterGone, false, 0, {}});
}
void Session::drained() {
  post({SessionEvent::Kind::kDrained, false, 0, {}});
}
std::uint64_t Session::recorded(int flow) {
  return writer_->bytes(flow == flow_in_ ? 2 : 0);
}
// To close the master hangs its session up, and may wait; where the store has it too, that must be done by
// hand, and only then may the store let it go.
void Session::put_away(Fd master) {
  if (!stored_ || !master || !inner_.slave) return work_.close(info_.uid, std::move(master));
  revoking_ = true;
  auto inner = std::make_shared<InnerTerminal>();
  inner->master = std::move(master);
  inner->slave = std::move(inner_.slave);
  work_.run(
      info_.uid,
      [inner] {
        inner->revoke();
        *inner = InnerTerminal{};
      },
      [store = store_, name = kept_name(slot_)] { store->remove(name); });
}

// ---- the shim's side

void Session::shim_ready() {
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    if (!shim_packet()) return;
  }
}

// A packet is taken only when what it says is done: whoever goes on after us sees it again.
bool Session::shim_packet() {
  char packet[256];
  const ssize_t n = ::recv(shim_.get(), packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    shim_poll_.reset();
    if (machine_.closed())
      leave();
    else
      apply({SessionEvent::Kind::kShimGone, false, 0, {}});
    return false;
  }
  const auto taken = [this, &packet] { (void)::recv(shim_.get(), packet, sizeof packet, MSG_DONTWAIT); };
  if (machine_.closed()) {
    taken();
    return true;
  }
  const std::size_t size =
      static_cast<std::size_t>(n) > sizeof packet ? sizeof packet : static_cast<std::size_t>(n);
  auto frame = decode_client_frame(std::string_view(packet, size));
  if (!frame) {
    state(Level::kWarning, "login-malformed", "a shim sent what is no message: " + frame.error().message);
    shim_poll_.reset();
    apply({SessionEvent::Kind::kShimGone, false, 0, {}});
    return false;
  }
  switch (frame->type) {
    case OPELOG_STARTED:
      started(frame->pid);
      break;
    case OPELOG_RESIZED:
      if (!info_.terminal) break;
      if (outer_)
        ask_size();
      else
        resized({static_cast<int>(frame->rows), static_cast<int>(frame->cols), static_cast<int>(frame->width),
                 static_cast<int>(frame->height)});
      break;
    case OPELOG_ENDED:
      apply({SessionEvent::Kind::kShellEnded, frame->exited, frame->status, {}});
      break;
    default:
      break;
  }
  if (!shim_) return false;
  taken();
  return true;
}

void Session::started(std::int64_t pid) {
  if (shell_pid_ != 0) return;
  // Only a child of the very process behind the connection is believed to be the shell.
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  const auto stat = read_proc_stat(pid);
  if (pidfd && stat && stat->parent == info_.shim_pid) {
    shell_pidfd_ = std::move(pidfd);
    shell_pid_ = pid;
    shell_started_ = stat->started;
    watch_shell();
  }
  apply({SessionEvent::Kind::kStarted, false, 0, {}});
}

void Session::watch_shell() {
  auto poll = Poll::open(loop_, shell_pidfd_.get(), [this](int, int) {
    (void)shell_poll_->watch(0);
    apply({SessionEvent::Kind::kShellGone, false, 0, {}});
  });
  if (!poll) return;
  shell_poll_ = std::move(*poll);
  (void)shell_poll_->watch(Poll::kReadable);
}

// Of a terminal that stays the user's nobody but the waiter can tell the size; of another we ask ourselves.
void Session::ask_size() {
  if (!outer_) return;
  questions_.ask_size([this] { return relay_.descriptor(outside_); },
                      [this](TerminalSize size) {
                        if (!machine_.closed()) resized(size);
                      });
}

void Session::resized(TerminalSize size) {
  if (size == size_) return;
  const bool cells = size.rows != size_.rows || size.cols != size_.cols;
  size_ = size;
  questions_.set_size([this] { return relay_.descriptor(master_); }, size_);
  if (!cells) return;
  Status noted = may_write();
  if (noted) noted = writer_->resized(size_.rows, size_.cols, mono_now());
  disk_.charge();
  if (!noted) {
    failure_ = noted.error().message;
    ++lost_sizes_;
  }
  save();
}

// ---- decisions and what follows from them

void Session::kill(const std::string& who) {
  apply({SessionEvent::Kind::kKill, false, 0, who});
}
void Session::shutdown() {
  apply({SessionEvent::Kind::kShutdown, false, 0, {}});
}

void Session::post(SessionEvent event) {
  posted_.push_back(std::move(event));
  if (!turn_.active()) turn_.start(0);
}

void Session::apply(const SessionEvent& event) {
  if (event.kind == SessionEvent::Kind::kRecordFailed && !failure_told_) {
    failure_told_ = true;
    state(Level::kError, "record-failed", "recording fails: " + event.text);
  }
  act(machine_.step(event, mono_now()));
}

void Session::act(const SessionActions& actions) {
  save();  // what is decided, before any of it is done
  if (!actions.say.empty()) say(actions.say);
  if (!actions.warn.empty()) {
    if (flow_out_ < 0 || relay_.waiting(flow_out_) == 0) say(actions.warn);
    state(Level::kInfo, "session-idle", "nothing happens in a session of " + info_.user);
  }
  if (actions.hold && held_since_ == 0) held_since_ = mono_now();
  if (actions.go_on && held_since_ != 0) {
    const auto ms = (mono_now() - held_since_) / kUsPerMs;
    held_since_ = 0;
    failure_told_ = false;
    (void)writer_->gap({"delay", "output was held for " + std::to_string(ms) + " ms: " + failure_, 0},
                       mono_now());
    state(Level::kWarning, "record-resumed",
          "recording works again after " + std::to_string(ms) + " ms; nothing was shown meanwhile");
  }
  if (actions.unrecorded) {
    unrecorded_ = true;
    relay_.retry();
  }
  if (actions.hang_up) hang_up();
  if (actions.kill_shell) signal_shell(SIGKILL);
  if (actions.drain) {
    if (quota_.rate) quota_.rate->last();
    relay_.drain();
  }
  if (actions.release_shim) {
    (void)::send(shim_.get(), encode_done().data(), encode_done().size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (relay_.output_ended()) post({SessionEvent::Kind::kOutputEnded, false, 0, {}});
  }
  if (actions.close) close();
  save();
  arm();
}

// The daemon's own words go the way of all output: recorded, then shown. Where the record refuses, shown all
// the same: they are ours, and the operator must learn why his session ends.
void Session::say(const std::string& text) {
  const int outside = relay_.descriptor(outside_);
  if (!info_.terminal || outside < 0) return;
  const std::string line = "\r\n" + printable(text) + "\r\n";
  (void)writer_->output(line, mono_now());
  if (flow_out_ >= 0 && relay_.say(flow_out_, line)) return;
  if (outer_)
    (void)!::write(outside, line.data(), line.size());
  else
    (void)::send(outside, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Session::hang_up() {
  if (master_ >= 0) relay_.close_endpoint(master_);
  put_away(std::move(inner_.master));  // if it did not come to a relay
  work_.close(info_.uid, std::move(inner_.slave));
  signal_shell(SIGHUP);
  signal_shell(SIGCONT);
}

void Session::signal_shell(int signum) {
  if (!shell_pidfd_) return;
  (void)::syscall(SYS_pidfd_send_signal, shell_pidfd_.get(), signum, nullptr, 0);
}

void Session::close() {
  write_end();
  // sshd looks at the terminal once more when the waiter leaves: first give it back, then say DONE.
  utmp_.give_back();
  shell_poll_.reset();
  relay_.close_all();
  if (outer_) {
    outer_->give_back();
    work_.close(info_.uid, outer_->take_last());  // his again, and a close may wait for him
  }
  outer_.reset();
  put_away(std::move(inner_.master));
  work_.close(info_.uid, std::move(inner_.slave));
  let_go();
  const std::string done = encode_done();
  // In every case: a waiter whose shell still lives then ends it without a word of its own.
  (void)::send(shim_.get(), done.data(), done.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (!shim_poll_) {
    leave();
    return;
  }
  leave_at_ = mono_now() + kLeaveUs;
}

// Nothing of the session is left but this object; its owner deletes it outside our call stack.
void Session::leave() {
  if (left_) return;
  left_ = true;
  left_in_order(mono_now());
  timer_.stop();
  turn_.stop();
  shim_poll_.reset();
  shim_.reset();
  on_gone_(info_.id);
}

void Session::arm() {
  if (left_) return;
  const MonoUs now = mono_now();
  std::optional<MonoUs> next;
  const auto consider = [&next](std::optional<MonoUs> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (machine_.closed()) {
    consider(leave_at_);
  } else {
    consider(machine_.deadline());
    consider(writer_->flush_deadline());
    if (held_since_ != 0) consider(now + kRetryUs);
    if (quota_.wait_until != 0) consider(quota_.wait_until);
  }
  armed_for_ = next.value_or(kNever);
  if (next)
    timer_.start_at(*next, now);
  else
    timer_.stop();
}

void Session::timer_fired() {
  const MonoUs now = mono_now();
  armed_for_ = kNever;
  if (machine_.closed()) {
    if (now >= leave_at_) {
      // A waiter that does not leave when told is stopped or attacked; sshd must not wait for it for ever.
      if (shim_pidfd_) (void)::syscall(SYS_pidfd_send_signal, shim_pidfd_.get(), SIGKILL, nullptr, 0);
      leave();
      return;
    }
    arm();
    return;
  }
  if (auto at = writer_->flush_deadline(); at && *at <= now) (void)writer_->flush(now);
  if (quota_.wait_until != 0 && quota_.wait_until <= now) {
    quota_.wait_until = 0;
    relay_.retry();
    // Behind what the operator has not taken yet nothing is offered again.
    if (quota_.wait_until == 0 && held_since_ == 0 && held_output() > 0) quota_.wait_until = now + kRetryUs;
  } else if (held_since_ != 0) {
    relay_.retry();
  }
  if (machine_.deadline() && *machine_.deadline() <= now) {
    apply({SessionEvent::Kind::kTick, false, 0, {}});
    return;
  }
  arm();
}

// ---- looking at it

std::uint64_t Session::bytes_out() const {
  return (flow_out_ >= 0 ? relay_.bytes(flow_out_) : 0) + (flow_err_ >= 0 ? relay_.bytes(flow_err_) : 0);
}
std::uint64_t Session::bytes_in() const {
  return flow_in_ >= 0 ? relay_.bytes(flow_in_) : 0;
}

std::string Session::describe() const {
  std::string text = "session " + info_.id + " " + printable(info_.user) + " " + machine_.describe();
  text += " out=" + std::to_string(bytes_out()) + " in=" + std::to_string(bytes_in());
  for (int flow : {flow_out_, flow_err_, flow_in_}) {
    if (flow >= 0 && relay_.waiting(flow) > 0) text += " waiting=" + std::to_string(relay_.waiting(flow));
  }
  if (quota_.wait_until != 0) text += " delayed";
  if (quota_.drop_stated) text += " dropped=" + std::to_string(quota_.dropped);
  if (unrecorded_) text += " lost=" + std::to_string(lost_output_);
  return text;
}

void Session::state(Level level, const char* event, std::string text,
                    std::vector<std::pair<std::string, std::string>> fields) {
  fields.insert(fields.begin(),
                {{"session", info_.id}, {"user", info_.user}, {"recording", writer_->name()}});
  facts_({level, event, std::move(text), std::move(fields)});
}

}  // namespace opelog::record
