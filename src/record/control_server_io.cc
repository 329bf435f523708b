#include "record/control_server_io.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "record/seqpacket_listener_io.h"

namespace opelog::record {
namespace {

constexpr int kAcceptsPerTurn = 16;       ///< so that a storm of connections does not stall sessions
constexpr std::uint64_t kPauseMs = 1000;  ///< no descriptors left: look again after this long
/// Bytes of an answer that waits for its reader: 10,000 sessions of 400 bytes, five times what limits allow
/// by default.
constexpr std::size_t kMaxPending = 4u << 20;

struct Asker {
  pid_t pid = 0;
  uid_t uid = 0;
  bool root = false;
  bool auditor = false;
};

bool in_group(int socket, gid_t primary, gid_t wanted) {
  if (primary == wanted) return true;
  std::vector<gid_t> groups(64);
  socklen_t length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) {
    if (errno != ERANGE) return false;
    groups.resize(length / sizeof(gid_t));  // at most NGROUPS_MAX, said by the kernel
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) return false;
  }
  groups.resize(length / sizeof(gid_t));
  return std::find(groups.begin(), groups.end(), wanted) != groups.end();
}

Result<Asker> who_asks(int socket, const std::optional<gid_t>& auditors) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return error_from_errno(errno, "credentials of the control client");
  }
  Asker asker{credentials.pid, credentials.uid, credentials.uid == 0, false};
  asker.auditor = asker.root || (auditors && in_group(socket, credentials.gid, *auditors));
  return asker;
}

// Takes what the peer has still said. Closing a unix socket with unread packets makes the peer's next read
// fail with ECONNRESET before it sees our last answer; after the shutdown none can follow.
void end_talk(int socket) {
  ::shutdown(socket, SHUT_RDWR);
  char ignored[1];
  while (::recv(socket, ignored, sizeof ignored, MSG_DONTWAIT) > 0) {
  }
}

// Best effort to somebody who is turned away.
void turn_away(int socket, const Error& error) {
  const auto packet = encode_error(error).front();
  (void)::send(socket, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  end_talk(socket);
}

}  // namespace

class ControlServer::Connection {
 public:
  Connection(ControlServer& server, Fd socket, const Asker& asker)
      : server_(server),
        socket_(std::move(socket)),
        asker_(asker),
        silence_(server.loop_, [this] { finish(); }),
        answer_turn_(server.loop_, [this] { reply(std::move(answer_later_)); }) {}

  Status start() {
    auto poll =
        Poll::open(server_.loop_, socket_.get(), [this](int events, int error) { ready(events, error); });
    if (!poll) return std::move(poll).error();
    poll_ = std::move(poll).value();
    silence_.start(server_.limits_.silence_ms);
    return poll_->watch(Poll::kReadable);
  }

  [[nodiscard]] const Asker& asker() const noexcept { return asker_; }

 private:
  void finish() { server_.drop(this); }  // destroys this

  void ready(int events, int error) {
    if (error != 0) return finish();
    if ((events & Poll::kWritable) != 0) return flush();
    if ((events & Poll::kReadable) != 0) return read_request();
  }

  void read_request() {
    char buffer[kMaxRequest + 1];
    ssize_t n;
    do {
      // Where the kernel cannot refuse descriptors it drops what is sent along, for there is no room for it.
      n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) return finish();  // an empty packet cannot be told from the end
    silence_.start(server_.limits_.silence_ms);
    auto request = decode_request({buffer, static_cast<std::size_t>(n)});
    if (!request) {
      last_ = true;
      return reply(encode_error(request.error()));
    }
    if (auto packets = answer(*request)) return reply(std::move(*packets));
    // The answer comes in a later turn; until then there is no further question, and the silence is ours.
    (void)poll_->watch(0);
    silence_.stop();
  }

  // nullopt: reply() will be called later.
  std::optional<Packets> answer(const ControlRequest& request) {
    const char* word = request_word(request);
    const std::string uid = std::to_string(asker_.uid);
    if (needs_root(request) && !asker_.root) {
      if (!std::exchange(refusal_stated_, true)) {  // once a connection: nobody fills the log with refusals
        server_.facts_({Level::kWarning,
                        "control-denied",
                        std::string("only root may ask for ") + word,
                        {{"uid", uid}}});
      }
      return encode_error({Code::kDenied, std::string("only root may ask for ") + word, 0});
    }
    if (needs_root(request)) {
      server_.facts_({Level::kInfo,
                      "control",
                      std::string("asked for ") + word,
                      {{"uid", uid}, {"pid", std::to_string(asker_.pid)}}});
    }
    return carry_out(request);
  }

  std::optional<Packets> carry_out(const ControlRequest& request) {
    ControlHandler& handler = server_.handler_;
    if (std::holds_alternative<StatusRequest>(request)) return encode_status(handler.status());
    if (std::holds_alternative<SessionsRequest>(request)) return encode_sessions(handler.sessions());
    if (const auto* kill = std::get_if<KillRequest>(&request)) {
      auto killed = handler.kill(kill->session);
      return killed ? encode_killed(*killed) : encode_error(killed.error());
    }
    if (std::holds_alternative<DumpRequest>(request)) return encode_dump(handler.dump());
    if (std::holds_alternative<ReopenLogRequest>(request)) {
      const auto reopened = handler.reopen_log();
      return reopened ? encode_ok() : encode_error(reopened.error());
    }
    if (const auto* viewed = std::get_if<ViewedRequest>(&request)) {
      const auto entered = handler.viewed(asker_.uid, viewed->recording, viewed->what);
      return entered ? encode_ok() : encode_error(entered.error());
    }
    if (const auto* thaw = std::get_if<ThawRequest>(&request))
      handler.thaw(thaw->seconds, later<std::int64_t>(encode_files));
    else if (std::holds_alternative<FreezeRequest>(request))
      handler.freeze(later<std::int64_t>(encode_files));
    else if (const auto* prune = std::get_if<PruneRequest>(&request))
      handler.prune(prune->recording, prune->why, later<std::int64_t>(encode_bytes));
    else if (const auto* compressed = std::get_if<CompressedRequest>(&request))
      handler.compressed(compressed->recording, later<std::int64_t>(encode_bytes));
    else if (std::holds_alternative<RotateKeyRequest>(request))
      handler.rotate_key(later<RotatedKeyAnswer>(encode_rotated));
    else
      handler.reload(later<std::string>(encode_reloaded));
    return std::nullopt;
  }

  // A reply that finds this connection again, or nobody if it has gone. Deferred by a turn, so that an answer
  // given at once does not end the connection inside its own handler.
  template <typename T, typename Encoder>
  ControlHandler::Reply<T> later(Encoder encoder) {
    return [weak = std::weak_ptr<Connection*>(self_), encoder](Result<T> result) {
      auto alive = weak.lock();
      if (!alive) return;
      Connection& connection = **alive;
      connection.answer_later_ = result ? Packets(encoder(*result)) : encode_error(result.error());
      connection.answer_turn_.start(0);
    };
  }

  void reply(Packets packets) {
    silence_.start(server_.limits_.silence_ms);
    std::size_t bytes = 0;
    for (const auto& packet : packets) bytes += packet.size();
    if (bytes > kMaxPending) packets = encode_error({Code::kLimit, "the answer is larger than 4 MiB", 0});
    pending_.assign(std::make_move_iterator(packets.begin()), std::make_move_iterator(packets.end()));
    flush();
  }

  // Sends what the socket takes. While an answer waits, no further request is read.
  void flush() {
    while (!pending_.empty()) {
      const auto& packet = pending_.front();
      const ssize_t n = ::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (!poll_->watch(Poll::kWritable)) finish();
        return;
      }
      if (n < 0) return finish();
      pending_.pop_front();
      silence_.start(server_.limits_.silence_ms);
    }
    if (last_) end_talk(socket_.get());
    if (last_ || !poll_->watch(Poll::kReadable)) finish();
  }

  ControlServer& server_;
  Fd socket_;
  Asker asker_;
  std::deque<std::string> pending_;
  Packets answer_later_;
  std::shared_ptr<Connection*> self_ =
      std::make_shared<Connection*>(this);  ///< a token for replies, nothing more
  bool last_ = false;                       ///< close once the answer is sent
  bool refusal_stated_ = false;
  Timer silence_;
  Timer answer_turn_;
  std::unique_ptr<Poll> poll_;  ///< before socket_ in death: it lends the descriptor
};

Result<std::unique_ptr<ControlServer>> ControlServer::start(Loop& loop, Fd listener,
                                                            std::optional<gid_t> auditors,
                                                            ControlHandler& handler, FactSink facts,
                                                            ControlLimits limits) {
  std::unique_ptr<ControlServer> server(
      new ControlServer(loop, std::move(listener), auditors, handler, std::move(facts), limits));
  auto* self = server.get();
  refuse_descriptors(self->listener_.get());
  auto poll = Poll::open(loop, server->listener_.get(), [self](int, int) { self->accept_some(); });
  if (!poll) return std::move(poll).error();
  server->poll_ = std::move(poll).value();
  if (auto watched = server->poll_->watch(Poll::kReadable); !watched) return std::move(watched).error();
  return server;
}

ControlServer::ControlServer(Loop& loop, Fd listener, std::optional<gid_t> auditors, ControlHandler& handler,
                             FactSink facts, ControlLimits limits)
    : loop_(loop),
      listener_(std::move(listener)),
      auditors_(auditors),
      handler_(handler),
      facts_(std::move(facts)),
      limits_(limits),
      pause_(loop, [this] { (void)poll_->watch(Poll::kReadable); }) {}

ControlServer::~ControlServer() = default;

void ControlServer::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
}

bool ControlServer::accept_one() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    // No descriptors or memory: the connection keeps waiting, so looking away for a moment spares a busy
    // loop.
    facts_({Level::kError,
            "control-accept",
            error_from_errno(errno, "accept a control connection").message,
            {}});
    (void)poll_->watch(0);
    pause_.start(kPauseMs);
    return false;
  }
  refuse_descriptors(socket.get());  // for one that connected before start(), while systemd held the socket
  const auto asker = who_asks(socket.get(), auditors_);
  if (!asker) return true;
  if (!asker->auditor) {
    turn_away(socket.get(), {Code::kDenied, "only root and auditors may ask opelogd", 0});
    return true;
  }
  const auto own = static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [&](const auto& connection) { return connection->asker().uid == asker->uid; }));
  if (connections_.size() >= limits_.connections || own >= limits_.connections_of_uid) {
    turn_away(socket.get(), {Code::kLimit, "too many control connections: try again", 0});
    return true;
  }
  connections_.push_back(std::make_unique<Connection>(*this, std::move(socket), *asker));
  if (!connections_.back()->start()) connections_.pop_back();
  return true;
}

void ControlServer::drop(Connection* connection) {
  connections_.remove_if([connection](const auto& held) { return held.get() == connection; });
}

}  // namespace opelog::record
