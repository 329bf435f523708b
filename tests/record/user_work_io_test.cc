#include "record/user_work_io.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

namespace opelog::record {
namespace {

constexpr std::uint32_t kHis = 5000, kAnothers = 5001;

// Calls that are kept waiting until told.
struct Kept {
  std::promise<void> leave;
  std::shared_future<void> told = leave.get_future().share();
  std::atomic<int> running{0};
  std::function<void()> call() {
    return [this, told = told] {
      ++running;
      told.wait();
    };
  }
};

// Who is destroyed where.
struct Witness {
  std::promise<std::thread::id> died;
  ~Witness() { died.set_value(std::this_thread::get_id()); }
};

// A loop that has other things to do, as the daemon's.
struct BusyLoop : Loop {
  BusyLoop() { timer.start(3600000); }
  Timer timer{*this, [] {}};
};

TEST(UserWork, OfOneUserSoManyRunAtOnceAndTheRestFollows) {
  BusyLoop loop;
  Kept kept;
  int done = 0;
  {
    UserWork work(loop);
    for (int i = 0; i < UserWork::kThreads + 5; ++i) work.run(kHis, kept.call(), [&] { ++done; });
    EXPECT_EQ(work.count_of(kHis), static_cast<std::size_t>(UserWork::kThreads) + 5);
    while (kept.running < UserWork::kThreads) std::this_thread::yield();
    bool others = false;
    work.run(
        kAnothers, [] {}, [&] { others = true; });
    while (!others) loop.run_once(true);
    EXPECT_EQ(kept.running, UserWork::kThreads);
    EXPECT_EQ(work.count_of(kAnothers), 0u);
    EXPECT_EQ(work.describe(), "user-work uid=5000 running=8 waiting=5\n");
    kept.leave.set_value();
    while (done < UserWork::kThreads + 5) loop.run_once(true);
    EXPECT_EQ(work.count_of(kHis), 0u);
    EXPECT_EQ(work.describe(), "");
  }
}

TEST(UserWork, WhatIsDroppedDiesOffTheLoop) {
  BusyLoop loop;
  UserWork work(loop);
  auto witness = std::make_shared<Witness>();
  auto died = witness->died.get_future();
  work.drop(kHis, std::move(witness));
  while (work.count_of(kHis) > 0) loop.run_once(true);
  EXPECT_NE(died.get(), std::this_thread::get_id());
  work.drop(kHis, nullptr);
  work.close(kHis, Fd());
  EXPECT_EQ(work.count_of(kHis), 0u);
}

TEST(UserWork, TheLoopsEndWaitsForNone) {
  Kept kept;
  auto witness = std::make_shared<Witness>();
  auto died = witness->died.get_future();
  bool done = false;
  {
    Loop loop;
    {
      UserWork work(loop);
      for (int i = 0; i < UserWork::kThreads; ++i) work.run(kHis, kept.call(), [&] { done = true; });
      while (kept.running < UserWork::kThreads) std::this_thread::yield();
      work.drop(kHis, std::move(witness));  // its turn never comes
    }
    loop.run();
  }
  EXPECT_NE(died.get(), std::this_thread::get_id());
  kept.leave.set_value();
  EXPECT_FALSE(done);
}

// What waits is not begun, and nothing that belongs to a call dies on the loop's thread.
TEST(UserWork, WhatIsAbandonedIsLeftAsItIs) {
  auto kept = std::make_shared<Kept>();
  int pair[2];
  ASSERT_EQ(::pipe2(pair, O_CLOEXEC), 0);
  const Fd other(pair[0]);
  std::weak_ptr<int> of_a_call;
  bool done = false;
  {
    BusyLoop loop;
    {
      UserWork work(loop);
      auto held = std::make_shared<int>(1);
      of_a_call = held;
      for (int i = 0; i < UserWork::kThreads; ++i)
        work.run(kHis, kept->call(), [&done, held] { done = true; });
      held.reset();
      while (kept->running < UserWork::kThreads) std::this_thread::yield();
      work.close(kHis, Fd(pair[1]));  // its turn never comes
      EXPECT_EQ(work.users(), "5000");
      work.abandon();
      EXPECT_TRUE(work.idle());
    }
    kept->leave.set_value();
    while (!done) loop.run_once(true);
  }
  EXPECT_FALSE(of_a_call.expired());
  EXPECT_GE(::fcntl(pair[1], F_GETFD), 0);
}

// As nobody, who may start no thread; then he may.
int close_without_a_thread() {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(65534, 65534, 65534) != 0) return 2;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) != 0) return 3;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 0;
  if (::setrlimit(RLIMIT_NPROC, &limit) != 0 || ::setresuid(65534, 65534, 65534) != 0) return 4;
  BusyLoop loop;
  UserWork work(loop);
  Fd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.get();
  work.close(kHis, std::move(fd));
  for (int i = 0; i < 3; ++i) loop.run_once(true);  // retries, in vain
  if (::fcntl(number, F_GETFD) < 0) return 5;
  if (work.describe() != "user-work uid=5000 running=0 waiting=1\n") return 6;
  limit.rlim_cur = before;
  if (::setrlimit(RLIMIT_NPROC, &limit) != 0) return 7;
  while (work.count_of(kHis) > 0) loop.run_once(true);
  return ::fcntl(number, F_GETFD) < 0 ? 0 : 8;
}

TEST(UserWork, WithoutAThreadItWaitsForOne) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(close_without_a_thread());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace opelog::record
