// How a session outlives its daemon: what is kept where, and how another daemon goes on with it.
// docs/formats/kept-session.md has the whole of it.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/clock_io.h"
#include "format/json_text.h"
#include "format/timing_record.h"
#include "record/process_facts_io.h"
#include "record/session_io.h"

namespace opelog::record {
namespace {

DescriptorMark mark_of(int fd) {
  struct stat st {};
  if (fd < 0 || ::fstat(fd, &st) != 0) return {0, 0};
  return {st.st_dev, st.st_ino};
}

}  // namespace

std::string kept_name(const std::string& slot) {
  return "oi" + slot;
}
std::string kept_outer_name(const std::string& slot) {
  return "oo" + slot;
}

std::vector<std::pair<KeptDescriptor, int>> Session::descriptors() const {
  std::vector<std::pair<KeptDescriptor, int>> all;
  const auto add = [&all](std::size_t which, int fd) {
    if (fd >= 0) all.emplace_back(static_cast<KeptDescriptor>(which), fd);
  };
  const std::vector<int> files = writer_->descriptors();
  for (std::size_t i = 0; i < files.size(); ++i) add(kKeptLog + i, files[i]);
  add(kKeptShim, shim_.get());
  if (info_.terminal) {
    add(outer_ ? kKeptOuter : kKeptOuterSocket, outer_ ? outer_->fd() : relay_.descriptor(outside_));
    add(kKeptMaster, relay_.descriptor(master_));
    add(kKeptSlave, inner_.slave.get());
  } else {
    // Endpoints are added outer, inner for each stream that is relayed.
    int endpoint = 0;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (!stream_ends_[i]) continue;
      add(kKeptStreams + 2 * i, relay_.descriptor(endpoint++));
      add(kKeptStreams + 2 * i + 1, relay_.descriptor(endpoint++));
    }
  }
  return all;
}

Status Session::keep() {
  if (memory_ == nullptr || stored_ || machine_.closed()) return {};
  const auto all = descriptors();
  // What begins to end has given some of them away: half a session is none.
  if (found_no_room_ && all.size() != offered_) return {};
  offered_ = all.size();
  SessionMark mark{};
  mark.begun = writer_->begun();
  mark.append_only = writer_->append_only() ? 1 : 0;
  mark.sealed = writer_->sealed() ? 1 : 0;
  mark.shim_started = shim_started_;
  mark.ancestors = static_cast<std::uint32_t>(std::min(ancestry_started_.size(), kMarkedAncestors));
  std::copy_n(ancestry_started_.begin(), mark.ancestors, mark.ancestry_started.begin());
  if (outer_) mark.outer = outer_->mark();
  mark.utmp_moved = utmp_.moved() ? 1 : 0;
  for (std::size_t i = 0; i < streams_.size(); ++i) mark.same_as[i] = streams_[i].same_as;
  std::vector<int> inside, outside;
  for (const auto& [which, fd] : all) {
    mark.descriptors[which] = mark_of(fd);
    (which == kKeptOuter || which == kKeptOuterSocket ? outside : inside).push_back(fd);
  }
  memory_->mark.set(mark);
  save();
  inside.push_back(shared_.fd());
  slot_ = store_->free_slot({kept_name(""), kept_outer_name("")});
  auto stored = store_->put({{kept_name(slot_), inside}, {kept_outer_name(slot_), outside}});
  stored_ = static_cast<bool>(stored);
  found_no_room_ = !stored_;
  if (stored_) shared_.close_descriptor();
  return stored;
}

// Cheap, and called whenever something changes that the files and the flows' memory do not say themselves.
void Session::save() {
  if (memory_ == nullptr || left_) return;
  SessionMark mark = memory_->mark.get();
  mark.machine = machine_.mark();
  mark.shell_pid = shell_pid_;
  mark.shell_started = shell_started_;
  mark.stream_now = stream_now_;
  mark.rows = size_.rows;
  mark.cols = size_.cols;
  mark.width = size_.width;
  mark.height = size_.height;
  mark.held_since = held_since_;
  mark.quota.size_limit = quota_.size_limit;
  mark.quota.output_rate = quota_.output_rate;
  mark.quota.on_output_rate = quota_.rate ? static_cast<std::uint32_t>(quota_.rate->on_above()) : 0;
  mark.quota.dropped = quota_.dropped;
  mark.quota.drop_stated = quota_.drop_stated ? 1 : 0;
  mark.quota.above_told = quota_.above_told ? 1 : 0;
  mark.quota.size_reached = quota_.size_reached ? 1 : 0;
  mark.lost_output = lost_output_;
  mark.hidden_input = hidden_input_;
  mark.lost_input = lost_input_;
  mark.lost_sizes = lost_sizes_;
  mark.lost_events = exec_log_.missing();
  mark.maybe_lost = torn_.maybe_lost;
  mark.maybe_unshown = torn_.maybe_unshown;
  mark.torn_turn = torn_turn_;
  mark.took_turn = took_turn_;
  mark.took = took_;
  mark.stating = stating_;
  mark.stating_from = stating_from_;
  mark.resumes = resumes_;
  mark.resumed_in_order = resumed_in_order_ ? 1 : 0;
  mark.paused_at = 0;
  mark.unrecorded = unrecorded_ ? 1 : 0;
  mark.failure_told = failure_told_ ? 1 : 0;
  mark.failure.fill('\0');
  failure_.copy(mark.failure.data(), mark.failure.size() - 1);
  memory_->mark.set(mark);
}

// The store keeps nothing of it any more, but what put_away() still takes out.
void Session::let_go() {
  if (!std::exchange(stored_, false)) return;
  store_->remove(kept_outer_name(slot_));
  if (!revoking_) store_->remove(kept_name(slot_));
}

Status Session::recover() {
  SessionMark mark = memory_->mark.get();
  settle_stated(mark, writer_->time_meant());
  memory_->mark.set(mark);  // before anything more is written
  shell_pid_ = mark.shell_pid;
  shell_started_ = mark.shell_started;
  shell_pidfd_ = open_process(shell_pid_, shell_started_);
  stream_now_ = mark.stream_now;
  size_ = {mark.rows, mark.cols, mark.width, mark.height};
  held_since_ = mark.held_since;
  quota_.dropped = mark.quota.dropped;
  quota_.drop_stated = mark.quota.drop_stated != 0;
  quota_.above_told = mark.quota.above_told != 0;
  quota_.size_reached = mark.quota.size_reached != 0;
  machine_.active(mono_now());
  lost_output_ = mark.lost_output;
  hidden_input_ = mark.hidden_input;
  lost_input_ = mark.lost_input;
  lost_sizes_ = mark.lost_sizes;
  unrecorded_ = mark.unrecorded != 0;
  failure_told_ = mark.failure_told != 0;
  failure_ = std::string(mark.failure.data(), ::strnlen(mark.failure.data(), mark.failure.size()));
  const MonoUs now = mono_now();
  torn_ = {mark.maybe_lost, mark.maybe_unshown};
  torn_turn_ = mark.torn_turn;
  took_turn_ = mark.took_turn;
  took_ = mark.took;
  resumes_ = mark.resumes + 1;
  resumed_in_order_ = mark.paused_at != 0 && (mark.resumes == 0 || mark.resumed_in_order != 0);
  away_ = now - mark.paused_at;
  stored_ = true;
  shared_.close_descriptor();
  exec_log_.output(now);
  if (mark.lost_events > 0) exec_log_.lost(mark.lost_events, "they happened under a recorder before", now);
  save();
  auto poll = Poll::open(loop_, shim_.get(), [this](int, int) { shim_ready(); });
  if (!poll) return std::move(poll).error();
  shim_poll_ = std::move(*poll);
  // The rest of it is to be done, but nothing to relay: terminals are out of the store already, the outer
  // first.
  const bool outside_gone = info_.terminal && !outer_ && !outer_socket_;
  if (machine_.closed() && (!inner_.master || outside_gone)) return {};
  if (info_.terminal) {
    auto outer = outer_ ? duplicate(outer_->fd()) : Result<Fd>(std::move(outer_socket_));
    if (!outer) return std::move(outer).error();
    if (auto added = add_terminal(std::move(*outer), std::move(inner_.master)); !added) return added;
  } else if (auto added = start_streams(); !added) {
    return added;
  }
  if (buffer_.session != memory_->number || buffer_.stage() == RelayBuffer::kIdle) return {};
  const int flow = buffer_.flow;
  if (flow != flow_out_ && flow != flow_in_ && flow != flow_err_) return {};
  FlowMemory& held = memory_->flows[flow == flow_in_ ? 1 : flow == flow_err_ ? 2 : 0];
  const bool counted = flow != flow_in_ && (info_.terminal || info_.records_payload);
  // What of it is counted is taken, though no file shows it.
  if (took_turn_ == buffer_.turn && buffer_.stage() == RelayBuffer::kRead) {
    buffer_.taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(took_, kChunk));
    buffer_.reached(RelayBuffer::kAccepted);
  }
  // First what it means, then the bytes: a daemon that dies in between, or before the buffer is another's, is
  // followed by one that finds the turn counted and the bytes to be taken again.
  if (torn_turn_ != buffer_.turn) {
    const ResumedFlow torn = torn_of(held, buffer_);
    torn_.maybe_lost += torn.maybe_lost;
    torn_.maybe_unshown += torn.maybe_unshown;
    torn_turn_ = buffer_.turn;
    save();
  }
  resume_flow(held, buffer_, counted ? Taken::kCounted : Taken::kAllOrNone, recorded(flow));
  return {};
}

void Session::go_on() {
  const MonoUs now = mono_now();
  tell_resumed(now);
  // One that has ended only leaves.
  if (!machine_.closed())
    state(resumed_in_order_ ? Level::kInfo : Level::kWarning, "session-resumed",
          "session of " + info_.user + " goes on after the recorder " +
              (resumed_in_order_ ? "was started again" : "was killed"));
  if (exec_ != nullptr) (void)exec_->count_losses(memory_->number);
  (void)shim_poll_->watch(Poll::kReadable);
  relay_.go_on();
  if (shell_pidfd_)
    watch_shell();
  else if (shell_pid_ != 0)
    post({SessionEvent::Kind::kShellGone, false, 0, {}});
  torn();
  if (quota_.rate && held_output() > 0) quota_.wait_until = now;
  if (quota_.size_reached && !machine_.closed())
    post({SessionEvent::Kind::kLimit, false, 0, std::to_string(quota_.size_limit)});
  act(machine_.again());
  if (machine_.closed() || !info_.terminal) return;
  // The change may have been told and not made yet.
  if (size_.rows > 0) questions_.set_size([this] { return relay_.descriptor(master_); }, size_);
  ask_size();
}

// Owed until the record has taken it, whoever of the daemons writes it.
void Session::tell_resumed(MonoUs now) {
  if (resumes_ == 0 || writer_->ending()) return;
  format::JsonObject resumed;
  resumed.text("how", resumed_in_order_ ? "restart" : "crash");
  if (resumed_in_order_) resumed.number("away", away_);
  if (resumes_ > 1) resumed.number_u("times", resumes_);
  if (torn_.maybe_unshown > 0) resumed.number_u("unshown", torn_.maybe_unshown);
  if (!writer_->note(format::kOpelogResumed, std::move(resumed).take(), now)) return;
  resumes_ = 0;
  if (info_.terminal) torn_.maybe_unshown = 0;
  save();
  if (torn_.maybe_lost == 0 ||
      !writer_->gap(
          {"output", "the recorder was killed while it read; what it had read and is not here was not shown",
           0},
          now))
    return;
  if (info_.terminal) torn_.maybe_lost = 0;
  save();
}

// Of a stream, unlike of a terminal, every byte counts: rather an end that is seen than a file with a hole.
void Session::torn() {
  if (info_.terminal || (torn_.maybe_lost == 0 && torn_.maybe_unshown == 0)) return;
  apply({SessionEvent::Kind::kTorn, false, 0, {}});
}

void Session::hand_over() {
  if (memory_ == nullptr) return;
  const MonoUs now = mono_now();
  if (!ended_) {
    if (exec_ != nullptr) exec_->drain();
    exec_log_.end(now);
    if (auto paused = writer_->pause(now); !paused) failure_ = paused.error().message;
  }
  save();
  left_in_order(now);
  settled();
  if (outer_) outer_->leave();
  utmp_.leave();
  relay_.halt();
  shim_poll_.reset();
  shell_poll_.reset();
  timer_.stop();
  turn_.stop();
}

// Whoever finds it kept after this knows that all that was to be said of it has been said.
void Session::left_in_order(MonoUs now) {
  if (memory_ == nullptr) return;
  SessionMark mark = memory_->mark.get();
  mark.paused_at = now;
  memory_->mark.set(mark);
}

void Session::settled() noexcept {
  if (memory_ != nullptr) memory_->attempts = 0;
}

}  // namespace opelog::record
