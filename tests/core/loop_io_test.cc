#include "core/loop_io.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <future>
#include <mutex>
#include <optional>

#include "core/clock_io.h"
#include "scoped_dir.h"

namespace opelog {
namespace {

// Opens a pipe whose read end is readable at once.
struct ReadyPipe {
  ReadyPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
    if (!write_all(write_end.get(), "x")) std::abort();
  }
  Fd read_end, write_end;
};

TEST(Loop, AnEmptyLoopRunsToItsEndAndLeavesNoDescriptor) {
  { Loop first; }  // libuv opens some descriptors once for the process
  const int before = count_descriptors();
  {
    Loop loop;
    loop.run();
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(Poll, TellsReadinessAndStopsWhenAsked) {
  Loop loop;
  ReadyPipe pipe;
  int calls = 0;
  std::unique_ptr<Poll> poll;
  poll = *Poll::open(loop, pipe.read_end.get(), [&](int events, int error) {
    EXPECT_EQ(events, Poll::kReadable);
    EXPECT_EQ(error, 0);
    if (++calls == 3) {
      EXPECT_TRUE(poll->watch(0).ok());
    }
  });
  EXPECT_EQ(poll->watching(), 0);
  ASSERT_TRUE(poll->watch(Poll::kReadable).ok());
  EXPECT_EQ(poll->watching(), Poll::kReadable);
  loop.run();  // level-triggered: ends because the third call stops it
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(poll->watching(), 0);
}

TEST(Poll, TellsWritableAndTheOtherSidesEnd) {
  Loop loop;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Fd ours(ends[0]), theirs(ends[1]);
  int seen = 0;
  std::unique_ptr<Poll> poll;
  poll = *Poll::open(loop, ours.get(), [&](int events, int) {
    seen |= events;
    if ((seen & Poll::kDisconnect) != 0)
      (void)poll->watch(0);
    else
      theirs.reset();
  });
  ASSERT_TRUE(poll->watch(Poll::kReadable | Poll::kWritable | Poll::kDisconnect).ok());
  loop.run();
  EXPECT_EQ(seen, Poll::kReadable | Poll::kWritable | Poll::kDisconnect);
}

TEST(Poll, AnErrorStopsItAndItCanBeWatchedAgain) {
  Loop loop;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  Fd read_end(ends[0]), write_end(ends[1]);
  read_end.reset();  // the writing end of a broken pipe reports POLLERR
  int errors = 0;
  std::unique_ptr<Poll> poll;
  poll = *Poll::open(loop, write_end.get(), [&](int events, int error) {
    if (error == 0) {
      (void)poll->watch(0);
      return;
    }
    EXPECT_EQ(events, 0);
    EXPECT_EQ(poll->watching(), 0);
    if (++errors < 3) {
      EXPECT_TRUE(poll->watch(Poll::kReadable).ok());
    }
  });
  ASSERT_TRUE(poll->watch(Poll::kReadable).ok());
  loop.run();
  EXPECT_EQ(errors, 3);
}

TEST(Poll, RegularFilesAndClosedDescriptorsAreRefused) {
  Loop loop;
  ScopedDir dir;
  Fd file = *open_at(AT_FDCWD, dir.path("f"), O_RDWR | O_CREAT, 0600);
  EXPECT_FALSE(Poll::open(loop, file.get(), [](int, int) {}).ok());
  EXPECT_FALSE(Poll::open(loop, -1, [](int, int) {}).ok());
  EXPECT_FALSE(Poll::open(loop, 1000000, [](int, int) {}).ok());
}

TEST(Poll, MayDieInItsOwnHandler) {
  Loop loop;
  ReadyPipe pipe;
  auto witness = std::make_shared<int>(0);
  std::unique_ptr<Poll> poll;
  poll = *Poll::open(loop, pipe.read_end.get(), [&poll, witness](int, int) {
    poll.reset();
    ++*witness;  // what the handler captured must outlive the handle
  });
  ASSERT_TRUE(poll->watch(Poll::kReadable).ok());
  loop.run();
  EXPECT_EQ(*witness, 1);
  EXPECT_EQ(witness.use_count(), 1) << "the handler is freed in the end";
}

TEST(Poll, AReadyOneDestroyedByAnotherIsNotCalled) {
  Loop loop;
  ReadyPipe one, two;
  std::unique_ptr<Poll> a, b;
  int calls = 0;
  a = *Poll::open(loop, one.read_end.get(), [&](int, int) { ++calls, a.reset(), b.reset(); });
  b = *Poll::open(loop, two.read_end.get(), [&](int, int) { ++calls, a.reset(), b.reset(); });
  ASSERT_TRUE(a->watch(Poll::kReadable).ok());
  ASSERT_TRUE(b->watch(Poll::kReadable).ok());
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Timer, FiresOnceOrRepeatedlyInOrder) {
  Loop loop;
  std::string order;
  std::optional<Timer> repeated;
  Timer once(loop, [&] { order += 'a'; });
  repeated.emplace(loop, [&] {
    order += 'b';
    if (order.size() == 4) repeated->stop();
  });
  once.start(0);
  repeated->start(1, 1);
  EXPECT_TRUE(once.active());
  loop.run();
  EXPECT_EQ(order, "abbb");
  EXPECT_FALSE(once.active());
  EXPECT_FALSE(repeated->active());
}

TEST(Timer, RestartingReplacesAndStoppingForgets) {
  Loop loop;
  int calls = 0;
  Timer timer(loop, [&] { ++calls; });
  Timer stopped(loop, [&] { calls += 100; });
  timer.start(3600000);
  timer.start(0);
  stopped.start(0);
  stopped.stop();
  stopped.stop();
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Timer, APastDeadlineFiresAndAFutureOneIsNeverEarly) {
  Loop loop;
  int calls = 0;
  Timer past(loop, [&] { ++calls; });
  past.start_at(5, 1000);
  const MonoUs deadline = mono_now() + 3500;
  MonoUs fired = 0;
  Timer future(loop, [&] { fired = mono_now(); });
  future.start_at(deadline, mono_now());
  loop.run();
  EXPECT_EQ(calls, 1);
  EXPECT_GE(fired, deadline - 1000) << "libuv counts whole milliseconds";
}

TEST(Timer, MayDieInItsOwnHandler) {
  Loop loop;
  auto witness = std::make_shared<int>(0);
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&timer, witness] {
    timer.reset();
    ++*witness;
  });
  timer->start(0, 1);
  loop.run();
  EXPECT_EQ(*witness, 1);
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(Signal, IsDeliveredToTheLoop) {
  Loop loop;
  int seen = 0;
  std::unique_ptr<Signal> signal;
  signal = *Signal::open(loop, SIGUSR1, [&](int signum) {
    seen = signum;
    signal.reset();
  });
  ASSERT_EQ(::raise(SIGUSR1), 0);
  loop.run();
  EXPECT_EQ(seen, SIGUSR1);
}

TEST(Signal, OnesThatCannotBeWatchedAreRefused) {
  Loop loop;
  EXPECT_FALSE(Signal::open(loop, SIGKILL, [](int) {}).ok());
  EXPECT_FALSE(Signal::open(loop, 0, [](int) {}).ok());
}

TEST(Signal, OneThatDiesWithASignalOnItsWayIsNotCalled) {
  Loop loop;
  int seen = 0;
  auto signal = *Signal::open(loop, SIGUSR2, [&](int) { ++seen; });
  ASSERT_EQ(::raise(SIGUSR2), 0);
  signal.reset();
  loop.run();
  EXPECT_EQ(seen, 0);
}

TEST(Handles, DieInEveryOrder) {
  { Loop first; }
  const int before = count_descriptors();
  std::array<int, 4> order{0, 1, 2, 3};
  do {
    Loop loop;
    ReadyPipe pipe;
    std::array<std::function<void()>, 4> destroy;
    auto poll = *Poll::open(loop, pipe.read_end.get(), [](int, int) {});
    ASSERT_TRUE(poll->watch(Poll::kReadable).ok());
    auto timer = std::make_unique<Timer>(loop, [] {});
    timer->start(0, 1);
    auto idle_timer = std::make_unique<Timer>(loop, [] {});
    auto signal = *Signal::open(loop, SIGUSR1, [](int) {});
    destroy = {[&] { poll.reset(); }, [&] { timer.reset(); }, [&] { idle_timer.reset(); },
               [&] { signal.reset(); }};
    for (const int i : order) {
      destroy[static_cast<std::size_t>(i)]();
      loop.run_once(false);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(count_descriptors(), before);
}

TEST(Handles, DieTogetherRightBeforeTheLoop) {
  Loop loop;
  ReadyPipe pipe;
  auto poll = *Poll::open(loop, pipe.read_end.get(), [](int, int) { FAIL() << "called after its end"; });
  ASSERT_TRUE(poll->watch(Poll::kReadable).ok());
  Timer timer(loop, [] { FAIL() << "called after its end"; });
  timer.start(0);
}

TEST(LoopDeathTest, ALiveHandleAtTheLoopsEndIsOurOwnMistake) {
  EXPECT_DEATH(
      {
        std::unique_ptr<Timer> timer;
        Loop loop;
        timer = std::make_unique<Timer>(loop, [] {});
        timer->start(3600000);
        // The loop ends before its timer here.
        loop.~Loop();
        std::_Exit(0);
      },
      "closed with live handles");
}

TEST(RunWork, WorksOffTheLoopThenReportsOnIt) {
  Loop loop;
  std::atomic<bool> worked{false};
  bool done = false;
  ASSERT_TRUE(run_work(
                  loop, [&] { worked = true; }, [&] { done = worked; })
                  .ok());
  loop.run();
  EXPECT_TRUE(done);
}

TEST(RunWork, DoneIsCalledAfterItsOwnersDeathAndMustNotice) {
  Loop loop;
  auto owner = std::make_shared<int>(1);
  bool noticed = false;
  ASSERT_TRUE(run_work(
                  loop, [] {}, [weak = std::weak_ptr<int>(owner), &noticed] { noticed = weak.expired(); })
                  .ok());
  owner.reset();
  loop.run();
  EXPECT_TRUE(noticed);
}

TEST(RunWork, TheLoopsEndDoesNotWaitForWorkThatHangs) {
  auto leave = std::make_shared<std::promise<void>>();
  auto left = std::make_shared<std::promise<void>>();
  bool done = false;
  {
    Loop loop;
    ASSERT_TRUE(run_work(
                    loop,
                    [leave, left] {
                      leave->get_future().wait();
                      left->set_value();
                    },
                    [&] { done = true; })
                    .ok());
    loop.run_once(false);
  }
  leave->set_value();
  left->get_future().wait();
  EXPECT_FALSE(done);
}

TEST(RunWork, WorkThatHangsDelaysNoOther) {
  auto leave = std::make_shared<std::promise<void>>();
  auto future = leave->get_future().share();
  Loop loop;
  int hung = 0, others = 0;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(run_work(
                    loop, [future] { future.wait(); }, [&] { ++hung; })
                    .ok());
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(run_work(
                    loop, [] {}, [&] { ++others; })
                    .ok());
  }
  while (others < 10) loop.run_once(true);
  EXPECT_EQ(hung, 0);
  leave->set_value();
  loop.run();
  EXPECT_EQ(hung, 40);
}

TEST(RunWork, DoneMayQueueTheNext) {
  Loop loop;
  int rounds = 0;
  std::function<void()> next = [&] {
    if (++rounds < 5)
      (void)run_work(
          loop, [] {}, next);
  };
  ASSERT_TRUE(run_work(
                  loop, [] {}, next)
                  .ok());
  loop.run();
  EXPECT_EQ(rounds, 5);
}

}  // namespace
}  // namespace opelog
