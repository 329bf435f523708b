#include "record/relay_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <map>
#include <random>
#include <thread>

namespace opelog::record {
namespace {

// Takes everything unless told otherwise, and notes what it is told.
class Owner final : public RelayOwner {
 public:
  std::size_t accept(int flow, std::string_view bytes) override {
    const std::size_t take = std::min(bytes.size(), allowance);
    if (allowance != SIZE_MAX) allowance -= take;
    seen[flow].append(bytes.substr(0, take));
    accepted = bytes.substr(0, take);
    widest = std::max(widest, take);
    return take;
  }
  void passed(int flow) override { behind[flow] += accepted; }
  void flow_ended(int flow) override { ended.push_back(flow); }
  void outer_gone() override { ++gone; }
  void drained() override { ++drains; }
  std::uint64_t recorded(int flow) override { return seen[flow].size(); }
  void put_away(Fd master) override { masters.push_back(std::move(master)); }

  std::size_t allowance = SIZE_MAX;
  std::map<int, std::string> seen, behind;  ///< when it was accepted, and when it had passed
  std::string_view accepted;                ///< lies where the relay has it
  std::size_t widest = 0;                   ///< of what was accepted at once
  std::vector<int> ended;
  int gone = 0, drains = 0;
  std::vector<Fd> masters;
};

struct Pair {
  Fd ours, theirs;
};

Pair socket_pair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  ::fcntl(fds[1], F_SETFL, O_NONBLOCK);
  return {Fd(fds[0]), Fd(fds[1])};
}

std::string read_some(int fd, bool* end = nullptr) {
  std::string out;
  char buffer[8192];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n == 0 && end != nullptr) *end = true;
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

// Turns the loop until `done` or for a bounded number of turns.
template <typename F>
bool turn(Loop& loop, F done, int turns = 2000) {
  for (int i = 0; i < turns; ++i) {
    if (done()) return true;
    loop.run_once(false);
  }
  return done();
}

std::string random_bytes(std::size_t n) {
  std::mt19937 random(42);
  std::string bytes(n, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// A duplex like the one sshd gives a command: outer socket <-> inner socket, two flows.
struct Duplex {
  Duplex() {
    Pair outer_pair = socket_pair(), inner_pair = socket_pair();
    outer = std::move(outer_pair.theirs);
    inner = std::move(inner_pair.theirs);
    const int o = *relay.add_endpoint(std::move(outer_pair.ours), EndpointKind::kSocket);
    const int i = *relay.add_endpoint(std::move(inner_pair.ours), EndpointKind::kSocket);
    in = relay.add_flow(o, i, FlowRole::kInput);
    out = relay.add_flow(i, o, FlowRole::kOutput);
    relay.start();
  }
  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay{loop, buffer, owner};
  Fd outer, inner;
  int in = 0, out = 0;
};

TEST(Relay, BytesPassBothWaysUnchangedThroughASlowReader) {
  Duplex d;
  const std::string sent = random_bytes(3 << 20);
  std::string got;
  std::size_t at = 0;
  ASSERT_TRUE(turn(
      d.loop,
      [&] {
        if (at < sent.size()) {
          const ssize_t n = ::write(d.inner.get(), sent.data() + at, sent.size() - at);
          if (n > 0) at += static_cast<std::size_t>(n);
        }
        char small[1000];  // a reader that takes little at a time
        for (int i = 0; i < 20; ++i) {
          const ssize_t n = ::read(d.outer.get(), small, sizeof small);
          if (n > 0) got.append(small, static_cast<std::size_t>(n));
        }
        return got.size() == sent.size();
      },
      200000));
  EXPECT_EQ(got, sent);
  EXPECT_EQ(d.owner.seen[d.out], sent);
  EXPECT_EQ(d.relay.bytes(d.out), sent.size());
}

TEST(Relay, AReaderThatStopsBoundsWhatWeHoldAndWhatWeRead) {
  Duplex d;
  const std::string block(65536, 'x');
  turn(
      d.loop,
      [&] {
        (void)!::write(d.inner.get(), block.data(), block.size());
        return false;
      },
      500);
  EXPECT_LE(d.relay.waiting(d.out), kChunk);
  const std::size_t seen = d.owner.seen[d.out].size();
  turn(
      d.loop, [] { return false; }, 100);
  EXPECT_EQ(d.owner.seen[d.out].size(), seen) << "not read on while the outer side takes nothing";
  ASSERT_TRUE(turn(d.loop, [&] {
    read_some(d.outer.get());
    return d.owner.seen[d.out].size() > seen;
  }));
}

TEST(Relay, AStoppedReaderDoesNotStopTheOtherDirection) {
  Duplex d;
  const std::string block(65536, 'x');
  turn(
      d.loop,
      [&] {
        (void)!::write(d.inner.get(), block.data(), block.size());
        return false;
      },
      200);
  ASSERT_EQ(::write(d.outer.get(), "typed", 5), 5);
  std::string got;
  ASSERT_TRUE(turn(d.loop, [&] {
    got += read_some(d.inner.get());
    return got == "typed";
  }));
}

TEST(Relay, NothingGoesOnBeforeTheOwnerTookIt) {
  Duplex d;
  d.owner.allowance = 3;
  ASSERT_EQ(::write(d.inner.get(), "abcdef", 6), 6);
  std::string got;
  turn(
      d.loop,
      [&] {
        got += read_some(d.outer.get());
        return false;
      },
      100);
  EXPECT_EQ(got, "abc");
  EXPECT_EQ(d.relay.waiting(d.out), 3u);
  d.relay.retry();
  turn(
      d.loop,
      [&] {
        got += read_some(d.outer.get());
        return false;
      },
      100);
  EXPECT_EQ(got, "abc") << "still refused";
  d.owner.allowance = SIZE_MAX;
  ASSERT_EQ(::write(d.inner.get(), "ghi", 3), 3);
  d.relay.retry();
  ASSERT_TRUE(turn(d.loop, [&] {
    got += read_some(d.outer.get());
    return got.size() == 9;
  }));
  EXPECT_EQ(got, "abcdefghi");
}

TEST(Relay, WhatPassedStillLiesWhereItWasAccepted) {
  Duplex d;
  const std::string sent = random_bytes(1 << 20);
  std::string got;
  std::size_t at = 0;
  d.owner.allowance = 100'000;  // in parts, too
  ASSERT_TRUE(turn(d.loop, [&] {
    if (at < sent.size()) {
      const ssize_t n = ::write(d.inner.get(), sent.data() + at, sent.size() - at);
      if (n > 0) at += static_cast<std::size_t>(n);
    }
    if (d.owner.allowance == 0) {
      d.owner.allowance = 100'000;
      d.relay.retry();
    }
    got += read_some(d.outer.get());
    return got.size() == sent.size();
  }));
  EXPECT_TRUE(d.owner.behind[d.out] == sent);
}

// What its reads give, some 4 to 16 KiB each, goes on together.
TEST(Relay, ATerminalThatFloodsGivesOneBoundedChunkATurn) {
  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay(loop, buffer, owner);
  int master, slave;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  const Fd inside(slave);
  struct termios raw {};
  ASSERT_EQ(::tcgetattr(slave, &raw), 0);
  ::cfmakeraw(&raw);
  ASSERT_EQ(::tcsetattr(slave, TCSANOW, &raw), 0);
  Pair outer = socket_pair();
  const int m = *relay.add_endpoint(Fd(master), EndpointKind::kMaster);
  const int o = *relay.add_endpoint(std::move(outer.ours), EndpointKind::kSocket);
  const int out = relay.add_flow(m, o, FlowRole::kOutput);
  relay.start();

  constexpr std::size_t kAll = 4 << 20;
  std::thread program([slave] {
    const std::string block(65536, 'x');
    for (std::size_t at = 0; at < kAll;) {
      const ssize_t n = ::write(slave, block.data(), std::min(block.size(), kAll - at));
      if (n <= 0) break;
      at += static_cast<std::size_t>(n);
    }
  });
  std::size_t shown = 0, most = 0, before = 0;
  EXPECT_TRUE(turn(
      loop,
      [&] {
        most = std::max(most, owner.seen[out].size() - before);
        before = owner.seen[out].size();
        shown += read_some(outer.theirs.get()).size();
        return shown == kAll;
      },
      1'000'000'000));
  relay.close_all();  // so that it ends, whatever was expected
  program.join();
  EXPECT_LE(most, kChunk);
  EXPECT_GT(owner.widest, 32768U);
}

TEST(Relay, EndOfInputReachesTheCommandWhileItsOutputGoesOn) {
  Duplex d;
  ASSERT_EQ(::write(d.outer.get(), "last", 4), 4);
  ASSERT_EQ(::shutdown(d.outer.get(), SHUT_WR), 0);
  std::string got;
  bool end = false;
  ASSERT_TRUE(turn(d.loop, [&] {
    got += read_some(d.inner.get(), &end);
    return end;
  }));
  EXPECT_EQ(got, "last");
  ASSERT_EQ(::write(d.inner.get(), "answer", 6), 6);
  std::string answer;
  ASSERT_TRUE(turn(d.loop, [&] {
    answer += read_some(d.outer.get());
    return answer == "answer";
  }));
  EXPECT_EQ(d.owner.ended, std::vector<int>{d.in});
  d.inner.reset();
  end = false;
  ASSERT_TRUE(turn(d.loop, [&] {
    read_some(d.outer.get(), &end);
    return end;
  }));
  EXPECT_TRUE(d.relay.output_ended());
}

TEST(Relay, AReaderThatLeavesIsNoticedByTheWriter) {
  Duplex d;
  d.outer.reset();
  bool broken = false;
  ASSERT_TRUE(turn(d.loop, [&] {
    if (::send(d.inner.get(), "xxxx", 4, MSG_NOSIGNAL) < 0 && errno == EPIPE) broken = true;
    return broken;
  }));
  EXPECT_TRUE(d.relay.ended(d.out));
}

struct Terminals {
  Terminals() {
    int m, s;
    termios raw{};
    ::cfmakeraw(&raw);
    raw.c_cflag |= CS8 | CREAD;
    EXPECT_EQ(::openpty(&m, &s, nullptr, &raw, nullptr), 0);
    terminal = Fd(m);  // what sshd holds
    ::fcntl(m, F_SETFL, O_NONBLOCK);
    Fd outer(s);
    EXPECT_EQ(::openpty(&m, &s, nullptr, &raw, nullptr), 0);
    slave = Fd(s);
    const int o = *relay.add_endpoint(std::move(outer), EndpointKind::kOuterTerminal);
    master = *relay.add_endpoint(Fd(m), EndpointKind::kMaster);
    out = relay.add_flow(master, o, FlowRole::kOutput);
    in = relay.add_flow(o, master, FlowRole::kInput);
    relay.start();
  }
  // Until nothing moves any more: the outer side full, a chunk waiting. What was printed.
  std::string fill() {
    const std::string block(4000, 'q');
    std::string sent;
    ::fcntl(slave.get(), F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 3000; ++i) {
      const ssize_t n = ::write(slave.get(), block.data(), block.size());
      if (n > 0) sent.append(block, 0, static_cast<std::size_t>(n));
      loop.run_once(false);
    }
    return sent;
  }
  // What a reader gets of it who lets the relay wait first: so many bytes, and no sooner it is drained.
  std::string drain_slowly(std::size_t size) {
    relay.drain();
    turn(
        loop, [] { return false; }, 200);
    EXPECT_EQ(owner.drains, 0) << "the outer side has not taken all";
    std::string got;
    turn(
        loop,
        [&] {
          got += read_some(terminal.get());
          return owner.drains == 1 && got.size() >= size;
        },
        500000);
    EXPECT_EQ(owner.drains, 1);
    return got;
  }

  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay{loop, buffer, owner};
  Fd terminal, slave;
  int master = 0, out = 0, in = 0;
};

TEST(Relay, DrainingShowsEverythingThatWasWrittenBeforeTheEnd) {
  Terminals t;
  const std::string last(3000, 'z');
  ASSERT_EQ(::write(t.slave.get(), last.data(), last.size()), static_cast<ssize_t>(last.size()));
  t.relay.drain();
  std::string got;
  ASSERT_TRUE(turn(
      t.loop,
      [&] {
        got += read_some(t.terminal.get());
        return t.owner.drains == 1 && got.size() == last.size();
      },
      200000));
  EXPECT_EQ(got, last);
  EXPECT_EQ(t.owner.drains, 1);
}

TEST(Relay, LastWordsComeBehindWhatASlowReaderHasYetToTakeAlsoOfWhatIsHungUp) {
  Terminals t;
  t.fill();
  ASSERT_GT(t.relay.waiting(t.out), 0U);
  t.owner.allowance = 0;
  const std::string before = t.owner.seen[t.out];
  EXPECT_TRUE(t.relay.say(t.out, "the end"));
  t.relay.close_endpoint(t.master);
  EXPECT_EQ(t.drain_slowly(before.size() + 7), before + "the end");
}

TEST(Relay, WhatIsHungUpAndNeverRecordedIsNotWaitedFor) {
  Terminals t;
  t.owner.allowance = 3;
  ASSERT_EQ(::write(t.slave.get(), "abcdef", 6), 6);
  ASSERT_TRUE(turn(
      t.loop, [&] { return t.relay.unrecorded(t.out) == 3; }, 200000));
  EXPECT_TRUE(t.relay.say(t.out, "the end"));
  t.relay.close_endpoint(t.master);
  t.relay.drain();
  ASSERT_TRUE(turn(
      t.loop, [&] { return t.owner.drains == 1; }, 200000));
  EXPECT_EQ(t.relay.unrecorded(t.out), 3U) << "the owner counts it";
  std::string got;
  turn(
      t.loop, [&] { return (got += read_some(t.terminal.get())).size() == 10; }, 200000);
  EXPECT_EQ(got, "abcthe end");
}

TEST(Relay, DrainingWaitsForAReaderThatIsSlow) {
  Terminals t;
  const std::string sent = t.fill();
  EXPECT_EQ(t.drain_slowly(sent.size()), sent);
}

TEST(Relay, ATerminalThatGoesAwayIsToldOnceOrMoreAndNothingSpins) {
  Terminals t;
  t.terminal.reset();
  ASSERT_TRUE(turn(t.loop, [&] { return t.owner.gone > 0; }));
  const int before = t.owner.gone;
  turn(
      t.loop, [] { return false; }, 100);
  EXPECT_LE(t.owner.gone, before + 1);
}

// The outside of `opelog rec`: a socket whose other end somebody copies to the terminal.
struct OuterSocket {
  OuterSocket() {
    ::signal(SIGPIPE, SIG_DFL);  // it is nobody's to ignore
    Pair pair = socket_pair();
    outside = std::move(pair.theirs);
    int m, s;
    termios raw{};
    ::cfmakeraw(&raw);
    raw.c_cflag |= CS8 | CREAD;
    EXPECT_EQ(::openpty(&m, &s, nullptr, &raw, nullptr), 0);
    slave = Fd(s);
    ::fcntl(s, F_SETFL, O_NONBLOCK);
    const int o = *relay.add_endpoint(std::move(pair.ours), EndpointKind::kOuterSocket);
    master = *relay.add_endpoint(Fd(m), EndpointKind::kMaster);
    out = relay.add_flow(master, o, FlowRole::kOutput);
    in = relay.add_flow(o, master, FlowRole::kInput);
    relay.start();
  }
  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay{loop, buffer, owner};
  Fd outside, slave;
  int master = 0, out = 0, in = 0;
};

TEST(OuterSocket, ItsEndIsTheTerminalsAndWhatWasTypedBeforeStillArrives) {
  OuterSocket s;
  ASSERT_EQ(::write(s.outside.get(), "typed", 5), 5);
  s.outside.reset();
  std::string got;
  ASSERT_TRUE(turn(s.loop, [&] {
    got += read_some(s.slave.get());
    return s.owner.gone > 0 && got == "typed";
  }));
  const int before = s.owner.gone;
  turn(
      s.loop, [] { return false; }, 100);
  EXPECT_LE(s.owner.gone, before + 1) << "nothing spins";
  EXPECT_GE(s.relay.descriptor(s.master), 0) << "to close what is inside is for the owner to decide";
  EXPECT_EQ(s.owner.drains, 0);
}

TEST(OuterSocket, WhatCannotBeWrittenThereIsItsEndToo) {
  OuterSocket s;
  ASSERT_EQ(::write(s.slave.get(), "unread", 6), 6);
  ASSERT_TRUE(turn(s.loop, [&] { return s.relay.bytes(s.out) == 6; }));
  s.outside.reset();  // with something unread: an error and not only an end
  ASSERT_EQ(::write(s.slave.get(), "more", 4), 4);
  ASSERT_TRUE(turn(s.loop, [&] { return s.owner.gone > 0 && s.owner.seen[s.out] == "unreadmore"; }));
}

TEST(OuterSocket, IsDrainedWhenItsOtherEndClosesBehindTheLastByte) {
  OuterSocket s;
  const std::string last(3000, 'z');
  ASSERT_EQ(::write(s.slave.get(), last.data(), last.size()), static_cast<ssize_t>(last.size()));
  s.relay.drain();
  std::string got;
  bool end = false;
  ASSERT_TRUE(turn(s.loop, [&] {
    got += read_some(s.outside.get(), &end);
    return end;
  })) << "whoever shows it is told that nothing more comes";
  EXPECT_EQ(got, last);
  EXPECT_EQ(s.owner.drains, 0) << "who knows whether it is shown";
  s.outside.reset();
  ASSERT_TRUE(turn(s.loop, [&] { return s.owner.drains == 1; }));
  EXPECT_EQ(s.owner.gone, 0);
}

TEST(OuterSocket, WhatNobodyReadsInsideDoesNotHideThatItIsDrained) {
  OuterSocket s;
  const std::string typed(65536, 't');
  turn(
      s.loop,
      [&] {
        (void)::send(s.outside.get(), typed.data(), typed.size(), MSG_NOSIGNAL);
        return false;
      },
      200);
  ASSERT_GT(s.relay.waiting(s.in), 0u) << "the inner terminal takes no more";
  s.relay.drain();
  bool end = false;
  ASSERT_TRUE(turn(s.loop, [&] {
    read_some(s.outside.get(), &end);
    return end;
  }));
  s.outside.reset();
  ASSERT_TRUE(turn(s.loop, [&] { return s.owner.drains == 1; }));
}

// One flow from an outer end, of which the owner takes nothing.
struct HeldInput {
  HeldInput(Fd outer, EndpointKind kind) {
    const int o = *relay.add_endpoint(std::move(outer), kind);
    const int i = *relay.add_endpoint(std::move(inner.ours), EndpointKind::kSocket);
    in = relay.add_flow(o, i, FlowRole::kInput);
    relay.start();
    owner.allowance = 0;
  }
  // Types, goes away, and that is told, once.
  void end_shows(Fd outside) {
    ASSERT_EQ(::write(outside.get(), "x\n", 2), 2);
    ASSERT_TRUE(turn(loop, [&] { return relay.unrecorded(in) > 0; }));
    EXPECT_EQ(owner.gone, 0);
    outside.reset();
    EXPECT_TRUE(turn(loop, [&] { return owner.gone > 0; }));
    const int told = owner.gone;
    turn(
        loop, [] { return false; }, 20);
    EXPECT_EQ(owner.gone, told);
  }
  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay{loop, buffer, owner};
  Pair inner = socket_pair();
  int in = 0;
};

TEST(Relay, AHangUpShowsThoughInputIsHeld) {
  int master = -1, slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  Fd outside(master);
  HeldInput held(Fd(slave), EndpointKind::kOuterTerminal);
  held.end_shows(std::move(outside));
}

TEST(Relay, TheOtherEndOfAnOuterSocketShowsThoughInputIsHeld) {
  Pair outer = socket_pair();
  HeldInput held(std::move(outer.ours), EndpointKind::kOuterSocket);
  held.end_shows(std::move(outer.theirs));
}

TEST(Relay, AMasterIsClosedByItsOwnerEvenIfItCannotBeWatched) {
  Loop loop;
  RelayBuffer buffer;
  Owner owner;
  Relay relay{loop, buffer, owner};
  const int unwatchable = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(unwatchable, 0);
  EXPECT_FALSE(relay.add_endpoint(Fd(unwatchable), EndpointKind::kMaster).ok());
  ASSERT_EQ(owner.masters.size(), 1u);
  EXPECT_EQ(owner.masters[0].get(), unwatchable);
  Pair inner = socket_pair();
  const int number = inner.ours.get();
  relay.close_endpoint(*relay.add_endpoint(std::move(inner.ours), EndpointKind::kMaster));
  ASSERT_EQ(owner.masters.size(), 2u);
  EXPECT_EQ(owner.masters[1].get(), number);
}

TEST(Relay, InjectedBytesGoTheSameWay) {
  Terminals t;
  ASSERT_TRUE(t.relay.inject(t.out, "notice\r\n"));
  std::string got;
  ASSERT_TRUE(turn(
      t.loop,
      [&] {
        got += read_some(t.terminal.get());
        return got == "notice\r\n";
      },
      20000));
  EXPECT_EQ(t.owner.seen[t.out], "notice\r\n");
  t.relay.close_endpoint(t.master);
}

}  // namespace
}  // namespace opelog::record
