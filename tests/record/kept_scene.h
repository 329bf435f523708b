// What a daemon that was killed leaves of one session, made by hand, and the next one's Recorder that takes
// it over: for tests of the kept memory, and for its fuzz target.
//
// Everything is real but the login: files, socket pairs, ptys, shared memory. The test changes the memory as
// it likes, then calls take_over().
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock_io.h"
#include "core/loop_io.h"
#include "core/shared_memory_io.h"
#include "format/recording_writer_io.h"
#include "record/kept_sessions_io.h"
#include "record/recorder_io.h"
#include "seal/session_sealer_io.h"

namespace opelog::record::testing {

constexpr const char* kSceneId = "00000000000000aa";
constexpr std::uint64_t kSceneNumber = 0xaa;

enum class SceneKind { kTerminal, kOuterSocket, kStreams };

inline std::pair<Fd, Fd> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
  return {Fd(ends[0]), Fd(ends[1])};
}

inline Fd copy_of(int fd) {
  auto copy = duplicate(fd);
  if (!copy) std::abort();
  return std::move(*copy);
}

// The service manager: what it is told is thrown away.
class DeafManager {
 public:
  DeafManager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0) std::abort();
    socklen_t size = sizeof address;
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) std::abort();
    const std::string name(address.sun_path + 1, size - sizeof(sa_family_t) - 1);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~DeafManager() { ::unsetenv("NOTIFY_SOCKET"); }
  DeafManager(const DeafManager&) = delete;
  DeafManager& operator=(const DeafManager&) = delete;
  void forget() {
    char byte;
    while (::recv(socket_.get(), &byte, 1, 0) >= 0) continue;
  }

 private:
  Fd socket_;
};

class KeptScene {
 public:
  /// Its recording's files are made in `directory`, which holds none, and removed from there at once.
  KeptScene(int directory, SceneKind kind, Policy policy = {})
      : kind_(kind), policy_(std::move(policy)), work_(loop_), recorder_(loop_, work_, fact_sink(), {}) {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon
    memory_ = std::move(SharedMemory::create("opelog-session", sizeof(SessionMemory))).value();
    buffer_ = std::move(SharedMemory::create("opelog-relay", sizeof(RelayBuffer))).value();
    buffer().prepare();
    SessionMemory& kept = memory();
    kept.magic = kSessionMemoryMagic;
    kept.layout = kSessionMemoryLayout;
    kept.number = kSceneNumber;
    SessionMark mark{};
    auto [shim, waiter] = socket_pair(SOCK_SEQPACKET);
    waiter_ = std::move(waiter);
    if (kind == SceneKind::kStreams) {
      for (std::size_t i = 0; i < 3; ++i) {
        auto [outer, user] = socket_pair(SOCK_STREAM);
        auto [inner, shell] = socket_pair(SOCK_STREAM);
        keep(mark, kKeptStreams + 2 * i, std::move(outer));
        keep(mark, kKeptStreams + 2 * i + 1, std::move(inner));
        user_[i] = std::move(user);
        shell_[i] = std::move(shell);
      }
    } else {
      InnerTerminal inner = std::move(InnerTerminal::open(nullptr, {24, 80, 0, 0})).value();
      slave_ = copy_of(inner.slave.get());
      inner_path_ = inner.path;
      keep(mark, kKeptMaster, std::move(inner.master));
      keep(mark, kKeptSlave, std::move(inner.slave));
      if (kind == SceneKind::kTerminal) {
        InnerTerminal outer = std::move(InnerTerminal::open(nullptr, {24, 80, 0, 0})).value();
        user_[0] = std::move(outer.master);
        outer_path_ = outer.path;
        keep(mark, kKeptOuter, std::move(outer.slave));
      } else {
        auto [outer, user] = socket_pair(SOCK_STREAM);
        user_[0] = std::move(user);
        keep(mark, kKeptOuterSocket, std::move(outer));
      }
    }
    make_recording(directory, mark);
    keep(mark, kKeptShim, std::move(shim));
    SessionMachine machine(kind != SceneKind::kStreams, {}, mono_now());
    machine.step({SessionEvent::Kind::kStarted, false, 0, {}}, mono_now());
    mark.machine = machine.mark();
    mark.same_as = {-1, -1, -1};
    mark.stream_now = 1;
    mark.rows = 24;
    mark.cols = 80;
    kept.mark.set(mark);
  }

  ~KeptScene() {
    waiter_.reset();
    recorder_.shutdown();
    while (!recorder_.idle()) loop_.run_once(true);
    manager().forget();
    store_->quiesce();
  }
  KeptScene(const KeptScene&) = delete;
  KeptScene& operator=(const KeptScene&) = delete;

  [[nodiscard]] SessionMemory& memory() const { return *static_cast<SessionMemory*>(memory_.data()); }
  [[nodiscard]] RelayBuffer& buffer() const { return *static_cast<RelayBuffer*>(buffer_.data()); }
  /// Lets `change` alter the mark.
  template <typename Change>
  void remark(Change change) {
    SessionMark mark = memory().mark.get();
    change(mark);
    memory().mark.set(mark);
  }

  /// Once. The memory stays to be looked at.
  void take_over() {
    store_ = FdStore::open(loop_);
    auto buffer = std::move(SharedMemory::adopt(copy_of(buffer_.fd()), sizeof(RelayBuffer))).value();
    if (!recorder_.set_store(store_.get(), std::move(buffer))) std::abort();
    RecordingPlace place;
    place.resume_seal =
        [](const format::SealerMark& mark,
           std::array<std::uint64_t, 3>& covered) -> Result<std::unique_ptr<format::RecordingSealer>> {
      auto sealer = seal::SessionSealer::resume(
          mark, [](const seal::EntryBody&) {}, covered);
      if (!sealer) return std::move(sealer).error();
      return std::unique_ptr<format::RecordingSealer>(std::move(*sealer));
    };
    recorder_.configure(policy_, place);
    std::map<std::string, std::vector<Fd>> sessions;
    fds_.push_back(copy_of(memory_.fd()));
    sessions.emplace(kSceneId, std::move(fds_));
    recorder_.take_over(std::move(sessions));
    manager().forget();
  }
  /// One turn of the loop, for at most so long.
  void turn(std::uint64_t ms = 20) {
    Timer bound(loop_, [] {});
    bound.start(ms);
    loop_.run_once(true);
    manager().forget();
  }
  template <typename Until>
  void turn_until(Until until) {
    while (!until()) turn();
  }

  [[nodiscard]] std::string read(std::size_t file) const {
    std::string bytes(1 << 20, '\0');
    auto fd = reopen(files_[file].get(), O_RDONLY);
    const ssize_t n = fd ? ::pread(fd->get(), bytes.data(), bytes.size(), 0) : -1;
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  [[nodiscard]] int file(std::size_t number) const {
    return files_[number].get();
  }  ///< `.log`, `.time`, `.in`
  [[nodiscard]] int user(std::size_t stream = 0) const { return user_[stream].get(); }
  [[nodiscard]] int shell(std::size_t stream = 0) const {
    return kind_ == SceneKind::kStreams ? shell_[stream].get() : slave_.get();
  }
  [[nodiscard]] Recorder& recorder() { return recorder_; }
  [[nodiscard]] const std::vector<Fact>& facts() const { return facts_; }
  [[nodiscard]] bool heard(std::string_view event) const {
    for (const Fact& fact : facts_) {
      if (fact.event == event) return true;
    }
    return false;
  }
  void hang_up_waiter() { waiter_.reset(); }

 private:
  static DeafManager& manager() {
    static DeafManager one;
    return one;
  }
  FactSink fact_sink() {
    (void)manager();
    return [this](const Fact& fact) { facts_.push_back(fact); };
  }

  void keep(SessionMark& mark, std::size_t which, Fd fd) {
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) std::abort();
    mark.descriptors[which] = {st.st_dev, st.st_ino};
    fds_.push_back(std::move(fd));
  }

  void make_recording(int directory, SessionMark& mark) {
    format::SessionInfo info;
    info.id = kSceneId;
    info.user = "alice";
    info.uid = 65534;
    info.how = "login";
    info.terminal = kind_ != SceneKind::kStreams;
    info.tty = outer_path_;
    info.inner_tty = inner_path_;
    info.rows = 24;
    info.cols = 80;
    info.records_input = info.records_payload = true;
    format::WriterOptions options;
    options.directory = directory;
    options.name = "kept";
    options.append_only = AppendOnly::kOff;
    options.input = true;
    options.memory = &memory().writer;
    options.opened = [](const std::string&) -> Result<format::Sealing> {
      auto key = seal::SigningKey::generate();
      if (!key) return std::move(key).error();
      return format::Sealing{
          std::make_unique<seal::SessionSealer>(7, Digest{}, std::move(*key), [](const seal::EntryBody&) {}),
          "opened"};
    };
    auto writer = format::RecordingWriter::create(options, info, mono_now());
    if (!writer) std::abort();
    mark.begun = (*writer)->begun();
    mark.sealed = 1;
    if (!(*writer)->output("before\r\n", mono_now())) std::abort();
    const std::vector<int> fds = (*writer)->descriptors();
    for (std::size_t i = 0; i < fds.size(); ++i) {
      files_[i] = copy_of(fds[i]);
      keep(mark, kKeptLog + i, copy_of(fds[i]));
    }
    for (const char* suffix : {".log", ".time", ".in"})
      (void)::unlinkat(directory, ("kept" + std::string(suffix)).c_str(), 0);
  }

  SceneKind kind_;
  Policy policy_;
  SharedMemory memory_, buffer_;  // outlive what uses them
  std::vector<Fact> facts_;
  Loop loop_;
  UserWork work_;
  std::unique_ptr<FdStore> store_;
  Recorder recorder_;
  std::vector<Fd> fds_;
  std::array<Fd, 3> files_;
  Fd waiter_, slave_;
  std::array<Fd, 3> user_, shell_;
  std::string inner_path_, outer_path_;
};

}  // namespace opelog::record::testing
