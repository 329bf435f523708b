// Session: one recorded login, from the verdict to the end record.
//
// Carries out what SessionMachine decides: owns the recording's writer, the relay, both terminals (or the
// streams' inner ends) and the connection to the shim. Lives on the loop's thread; its Recorder owns it and
// is told by `on_gone` when nothing of it is left. In three files: session_record_io.cc is what the record
// takes, session_keep_io.cc how it outlives the daemon, session_io.cc all else. What happens inside a relay's
// callback is only noted and acted on in the next turn, so the relay never disappears under itself.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "core/shared_memory_io.h"
#include "format/recording_writer_io.h"
#include "format/session_info.h"
#include "record/disk_share_io.h"
#include "record/exec_log_io.h"
#include "record/exec_source.h"
#include "record/fd_store_io.h"
#include "record/inner_terminal_io.h"
#include "record/outer_terminal_io.h"
#include "record/output_rate.h"
#include "record/relay_io.h"
#include "record/session_machine.h"
#include "record/session_memory.h"
#include "record/terminal_questions_io.h"
#include "record/user_work_io.h"
#include "record/utmp_io.h"

namespace opelog::record {

/// Everything a session starts with; made by session_start_io.h.
struct SessionParts {
  /// Where it is kept for a daemon to come; empty: it ends with this one. Outlives the writer.
  SharedMemory memory;
  FdStore* store = nullptr;
  std::string slot;  ///< the store's names of it; given by the store if it is new
  /// It was another daemon's, and `memory` says how far that came.
  bool resumed = false;

  format::SessionInfo info;
  std::unique_ptr<format::RecordingWriter> writer;
  Fd shim;                                      ///< connection
  Fd shim_pidfd;                                ///< of the process behind it; may be invalid on old kernels
  std::uint64_t shim_started = 0;               ///< clock ticks after boot
  std::vector<std::uint64_t> ancestry_started;  ///< the same of each of SessionInfo::ancestry
  std::string notice;
  SessionLimits limits;
  std::uint64_t size_limit = 0;   ///< of the recording's files; 0 any
  std::uint64_t output_rate = 0;  ///< of its own output; 0 any
  OnOutputRate on_output_rate = OnOutputRate::kDelay;
  std::shared_ptr<TokenBucket> output_of_user;  ///< set by the recorder; nullptr: any
  DiskReserve* reserve = nullptr;               ///< set by the recorder
  ExecSource* exec = nullptr;                   ///< where its exec events come from; nullptr: there are none
  /// Events that came before it, and that its recording has not taken.
  std::uint64_t exec_missing = 0;

  // A terminal session: the outer terminal, or where that stays the user's (`opelog rec`) our end of the pair
  // whose other end the waiter copies to it.
  std::unique_ptr<OuterTerminal> outer;
  Fd outer_socket;
  InnerTerminal inner;
  UtmpLine utmp;
  // A session without terminal, by descriptor number: our ends of the pairs that lead to the waiter and to
  // the shell; both invalid where the shell has the user's own descriptor, or where it is the same one as an
  // earlier (`same_as`).
  struct Stream {
    Fd outer_fd, inner_fd;
    int same_as = -1;
  };
  std::array<Stream, 3> streams;

  [[nodiscard]] SessionMemory* kept() const noexcept { return static_cast<SessionMemory*>(memory.data()); }
  [[nodiscard]] format::WriterMemory* writer_memory() const noexcept {
    return memory ? &kept()->writer : nullptr;
  }
};

/// Names in the store: of a session's descriptors, and of its outer terminal's, which leaves it first.
/// Short, as the next daemon gets one for each descriptor (kStoreNameBytes); whose they are the memory says.
std::string kept_name(const std::string& slot);
std::string kept_outer_name(const std::string& slot);

/// What is to be known of a session's limits beside its machine and what is recorded.
struct SessionQuota {
  std::uint64_t size_limit = 0;    ///< of the recording's files; 0 any
  std::uint64_t output_rate = 0;   ///< of its own output; 0 any
  std::optional<OutputRate> rate;  ///< none: any
  std::uint64_t dropped = 0;       ///< shown above the rate, not recorded, not stated yet
  bool drop_stated = false;        ///< the record says that some is missing from here on
  bool above_told = false;         ///< that it was above the rate, in the log
  bool size_reached = false;
  MonoUs wait_until = 0;  ///< output is delayed; 0: it is not

  [[nodiscard]] bool limits_output() const noexcept { return size_limit > 0 || rate; }
};

class Session final : private RelayOwner {
 public:
  using Gone = std::function<void(const std::string& id)>;
  Session(Loop& loop, UserWork& work, RelayBuffer& buffer, FactSink facts, SessionParts parts, Gone on_gone);
  ~Session() override;

  /// Sets up relay and watches. On error the session must be dropped; the recording's end is written.
  Status start();

  // Over the daemon's end (session_keep_io.cc). Only keep() and settled() are for any session: they do
  // nothing for one that cannot be kept.
  /// Puts it into the store, after start(); where that failed it may be tried again. Errors as
  /// FdStore::put().
  Status keep();
  [[nodiscard]] bool kept() const noexcept { return stored_ && !revoking_; }
  /// It could not be put into the store.
  [[nodiscard]] bool found_no_room() const noexcept { return found_no_room_; }
  /// For a session that was kept, in place of start(): first recover() of all of them, which looks for its
  /// chunk in the buffer, then go_on() of each.
  Status recover();
  void go_on();
  /// The next daemon has it: nothing of it ends when this object does.
  void hand_over();
  /// It has lived long enough under this daemon.
  void settled() noexcept;

  void kill(const std::string& who);
  void shutdown();
  /// What its processes did. After the end of the recording nothing is written any more.
  void executed(const ProcessEvent& event);
  void events_lost(std::uint64_t count, const std::string& why);

  [[nodiscard]] const format::SessionInfo& info() const noexcept { return info_; }
  [[nodiscard]] format::RecordingWriter& writer() noexcept { return *writer_; }
  [[nodiscard]] const std::string& recording() const noexcept { return writer_->name(); }
  [[nodiscard]] const SessionMachine& machine() const noexcept { return machine_; }
  [[nodiscard]] std::int64_t shell_pid() const noexcept { return shell_pid_; }
  /// Whether that process is the session's shim or shell. The start tells it from a later one with the same
  /// number.
  [[nodiscard]] bool is_process_of(std::int64_t pid, std::uint64_t started) const noexcept;
  /// Whether the login was started below that process.
  [[nodiscard]] bool descends_from(std::int64_t pid, std::uint64_t started) const noexcept;
  [[nodiscard]] bool finished() const noexcept { return ended_; }  ///< the end record is written
  [[nodiscard]] std::uint64_t bytes_out() const;
  [[nodiscard]] std::uint64_t bytes_in() const;
  /// Whether its output is delayed or dropped now.
  [[nodiscard]] bool limited() const noexcept {
    return quota_.wait_until != 0 || (quota_.rate && quota_.rate->dropping());
  }
  [[nodiscard]] std::string describe() const;

 private:
  // RelayOwner
  std::size_t accept(int flow, std::string_view bytes) override;
  void passed(int) override { writer_->digest_output(); }
  void flow_ended(int flow) override;
  void outer_gone() override;
  void drained() override;
  std::uint64_t recorded(int flow) override;
  void put_away(Fd master) override;

  void save();
  void let_go();
  void left_in_order(MonoUs now);
  void torn();
  void tell_resumed(MonoUs now);
  [[nodiscard]] std::vector<std::pair<KeptDescriptor, int>> descriptors() const;
  FlowMemory* flow_memory(std::size_t flow);
  void watch_shell();
  Status add_terminal(Fd outside, Fd master);
  Status start_terminal();
  Status start_streams();
  std::size_t take_output(std::string_view bytes, int stream, MonoUs now);
  std::size_t limited_output(std::string_view bytes, int stream, MonoUs now);
  std::size_t within_size(std::size_t size);
  std::size_t record_output(std::string_view bytes, int stream, MonoUs now);
  std::size_t took(std::size_t size);
  bool state_dropped(MonoUs now);
  Status state_count(Counted what, const format::GapInfo& gap, MonoUs now);
  Status state_sizes(MonoUs now);
  void above_rate();
  Status may_write();
  [[nodiscard]] std::uint64_t held_output() const;
  [[nodiscard]] std::string held_why() const;
  std::size_t refused(std::size_t size, std::size_t accepted, const std::string& why);
  std::size_t take_input(std::string_view bytes, MonoUs now);
  bool ask_echo();
  void shim_ready();
  bool shim_packet();
  void started(std::int64_t pid);
  void ask_size();
  void resized(TerminalSize size);
  void post(SessionEvent event);
  void apply(const SessionEvent& event);
  void act(const SessionActions& actions);
  void say(const std::string& text);
  void hang_up();
  void signal_shell(int signum);
  void close();
  void write_end();
  void leave();
  void arm();
  void timer_fired();
  void state(Level level, const char* event, std::string text,
             std::vector<std::pair<std::string, std::string>> fields = {});

  Loop& loop_;
  UserWork& work_;
  FactSink facts_;
  Gone on_gone_;
  SharedMemory shared_;  ///< outlives writer and relay
  SessionMemory* memory_;
  FdStore* store_;
  std::string slot_;  ///< of its names there
  RelayBuffer& buffer_;
  format::SessionInfo info_;
  std::unique_ptr<format::RecordingWriter> writer_;
  ExecSource* exec_;
  ExecLog exec_log_;
  DiskShare disk_;
  SessionQuota quota_;
  Fd shim_, shim_pidfd_, shell_pidfd_;
  std::string notice_;
  std::unique_ptr<OuterTerminal> outer_;
  Fd outer_socket_;  ///< until start()
  InnerTerminal inner_;
  UtmpLine utmp_;
  std::array<SessionParts::Stream, 3> streams_;
  std::array<bool, 3> stream_ends_{};  ///< which have two endpoints, in this order
  SessionMachine machine_;
  Relay relay_;
  TerminalQuestions questions_;
  std::unique_ptr<Poll> shim_poll_, shell_poll_;
  Timer timer_;  ///< the nearest of: machine, timing flush, retry
  Timer turn_;   ///< events noted inside a callback
  std::vector<SessionEvent> posted_;

  std::int64_t shell_pid_ = 0;
  std::uint64_t shell_started_ = 0;
  std::uint64_t shim_started_ = 0;
  std::vector<std::uint64_t> ancestry_started_;
  int master_ = -1, outside_ = -1;  ///< endpoint indices of a terminal session
  int flow_out_ = -1, flow_in_ = -1, flow_err_ = -1;
  int stream_now_ = 1;          ///< 1 stdout, 2 stderr: which one the last payload record came from
  TerminalSize size_;           ///< of the outer terminal, as last told
  std::optional<bool> echoes_;  ///< does the terminal inside echo what is typed now; asked for each chunk
  MonoUs held_since_ = 0;
  static constexpr MonoUs kNever = INT64_MAX;
  MonoUs armed_for_ = kNever;       ///< when timer_ fires
  MonoUs leave_at_ = 0;             ///< when a closed session's shim is ended by force
  std::uint64_t lost_output_ = 0;   ///< shown, not recorded (OnFailure::kContinue)
  std::uint64_t hidden_input_ = 0;  ///< typed while the terminal did not echo
  std::uint64_t lost_input_ = 0;
  std::uint64_t lost_sizes_ = 0;         ///< changes of the window size the record refused
  std::string failure_;                  ///< last recording error, for the gap record
  Counted stating_ = Counted::kNothing;  ///< its gap record is being written …
  std::uint64_t stating_from_ = 0;       ///< … behind so many bytes of `.time`
  bool unrecorded_ = false;
  bool failure_told_ = false;
  bool ended_ = false;
  bool left_ = false;
  bool stored_ = false;  ///< descriptors are in the store
  bool found_no_room_ = false;
  std::size_t offered_ = 0;  ///< descriptors that keep() has tried to store
  bool revoking_ = false;    ///< put_away() takes the inner ones out of it
  // What the recording does not say yet of the daemons before.
  ResumedFlow torn_;  ///< what nobody can know of the chunks on their way
  std::uint64_t torn_turn_ = 0;
  std::uint64_t took_turn_ = 0, took_ = 0;  ///< as in the mark
  std::uint32_t resumes_ = 0;
  bool resumed_in_order_ = true;
  std::int64_t away_ = 0;
};

}  // namespace opelog::record
