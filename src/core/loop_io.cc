#include "core/loop_io.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

namespace opelog {

namespace {

// Where threads put what the loop is to do; shared, because they may outlive it. The bell is an eventfd: with
// uv_async_send() the loop, once awake, waits for the sender to be through it.
struct Mailbox {
  std::mutex mutex;
  std::vector<std::pair<std::function<void()>, AtLoopEnd>> done;
  bool closed = false;  ///< the loop is gone
  const Fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  void ring() const {
    const std::uint64_t one = 1;
    (void)!::write(bell.get(), &one, sizeof one);
  }
  void quiet() const {
    std::uint64_t rung = 0;
    (void)!::read(bell.get(), &rung, sizeof rung);
  }
};

}  // namespace

struct Loop::Native {
  uv_loop_t loop;
  uv_poll_t bell;
  int works = 0;  ///< that the loop waits for; while there are any the bell keeps it running
  std::shared_ptr<Mailbox> mail = std::make_shared<Mailbox>();
};

namespace {

// A uv handle with its handler. Owners set `owner_gone` through close_handle(); libuv frees it.
template <typename H, typename F>
struct Handle {
  H handle{};
  F handler;
};

template <typename N>
void close_handle(N* native) {
  if (native == nullptr) return;
  native->handle.data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&native->handle),
           [](uv_handle_t* h) { delete reinterpret_cast<N*>(h); });
}

Error uv_error(int rc, const char* what) {
  return error_from_errno(-rc, what);
}

}  // namespace

Loop::Loop() : native_(std::make_unique<Native>()) {
  if (uv_loop_init(&native_->loop) != 0) {
    std::fprintf(stderr, "opelog: cannot create an event loop\n");
    std::abort();
  }
  int rc = uv_poll_init(&native_->loop, &native_->bell, native_->mail->bell.get());
  native_->bell.data = native_.get();
  const auto rung = [](uv_poll_t* bell, int, int) {
    auto* native = static_cast<Native*>(bell->data);
    decltype(Mailbox::done) done;
    native->mail->quiet();  // before looking: what comes after rings again
    {
      const std::lock_guard<std::mutex> lock(native->mail->mutex);
      done.swap(native->mail->done);
    }
    for (const auto& [step, at_end] : done) native->works -= at_end == AtLoopEnd::kWait ? 1 : 0;
    if (native->works == 0) uv_unref(reinterpret_cast<uv_handle_t*>(bell));
    for (const auto& [step, at_end] : done) step();
  };
  if (rc == 0) rc = uv_poll_start(&native_->bell, UV_READABLE, rung);
  if (rc != 0) {
    std::fprintf(stderr, "opelog: cannot create an event loop\n");
    std::abort();
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(&native_->bell));
}

Loop::~Loop() {
  {
    const std::lock_guard<std::mutex> lock(native_->mail->mutex);
    uv_close(reinterpret_cast<uv_handle_t*>(&native_->bell), nullptr);
    native_->mail->closed = true;
    native_->mail->done.clear();
  }
  // Closing handles still need their close callback; anything active here is our own mistake.
  uv_run(&native_->loop, UV_RUN_NOWAIT);
  if (uv_loop_close(&native_->loop) != 0) {
    std::fprintf(stderr, "opelog: event loop closed with live handles:\n");
    uv_print_all_handles(&native_->loop, stderr);
    std::abort();
  }
}

void Loop::run() {
  uv_run(&native_->loop, UV_RUN_DEFAULT);
}
void Loop::run_once(bool block) {
  uv_run(&native_->loop, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}
void Loop::stop() {
  uv_stop(&native_->loop);
}

// ---- Poll

struct Poll::Native : Handle<uv_poll_t, Poll::Handler> {
  Poll* owner = nullptr;
};

Result<std::unique_ptr<Poll>> Poll::open(Loop& loop, int fd, Handler handler) {
  auto* native = new Native;
  const int rc = uv_poll_init(&loop.native().loop, &native->handle, fd);
  if (rc != 0) {
    delete native;  // not initialised, so not to be closed
    return uv_error(rc, "watch descriptor");
  }
  native->handler = std::move(handler);
  native->handle.data = native;
  auto poll = std::unique_ptr<Poll>(new Poll(native));
  native->owner = poll.get();
  return poll;
}

Poll::~Poll() {
  close_handle(native_);
}

Status Poll::watch(int events) {
  if (events == events_) return {};
  int rc;
  if (events == 0) {
    rc = uv_poll_stop(&native_->handle);
  } else {
    int mask = 0;
    if ((events & kReadable) != 0) mask |= UV_READABLE;
    if ((events & kWritable) != 0) mask |= UV_WRITABLE;
    if ((events & kDisconnect) != 0) mask |= UV_DISCONNECT;
    rc = uv_poll_start(&native_->handle, mask, [](uv_poll_t* h, int status, int ready) {
      auto* self = static_cast<Native*>(h->data);
      if (self == nullptr) return;
      int got = 0;
      if ((ready & UV_READABLE) != 0) got |= kReadable;
      if ((ready & UV_WRITABLE) != 0) got |= kWritable;
      if ((ready & UV_DISCONNECT) != 0) got |= kDisconnect;
      // On an error libuv has stopped the handle: what we remember must agree, or watch() would skip.
      if (status < 0) self->owner->events_ = 0;
      // The handler may destroy its Poll: the Native outlives this call, its handler included.
      self->handler(got, status < 0 ? -status : 0);
    });
  }
  if (rc != 0) return uv_error(rc, "watch descriptor");
  events_ = events;
  return {};
}

// ---- Timer

struct Timer::Native : Handle<uv_timer_t, Timer::Handler> {};

Timer::Timer(Loop& loop, Handler handler) : native_(new Native) {
  uv_timer_init(&loop.native().loop, &native_->handle);
  native_->handler = std::move(handler);
  native_->handle.data = native_;
}

Timer::~Timer() {
  close_handle(native_);
}

void Timer::start(std::uint64_t delay_ms, std::uint64_t repeat_ms) {
  // libuv counts from its cached time, which is old after a long handler.
  uv_update_time(native_->handle.loop);
  uv_timer_start(
      &native_->handle,
      [](uv_timer_t* h) {
        if (auto* self = static_cast<Native*>(h->data)) self->handler();
      },
      delay_ms, repeat_ms);
}

void Timer::start_at(MonoUs deadline, MonoUs now) {
  start(deadline <= now ? 0 : static_cast<std::uint64_t>((deadline - now + kUsPerMs - 1) / kUsPerMs));
}

void Timer::stop() {
  uv_timer_stop(&native_->handle);
}
bool Timer::active() const noexcept {
  return uv_is_active(reinterpret_cast<uv_handle_t*>(&native_->handle)) != 0;
}

// ---- Signal

struct Signal::Native : Handle<uv_signal_t, Signal::Handler> {};

Result<std::unique_ptr<Signal>> Signal::open(Loop& loop, int signum, Handler handler) {
  auto* native = new Native;
  uv_signal_init(&loop.native().loop, &native->handle);
  native->handler = std::move(handler);
  native->handle.data = native;
  const int rc = uv_signal_start(
      &native->handle,
      [](uv_signal_t* h, int signum_seen) {
        if (auto* self = static_cast<Native*>(h->data)) self->handler(signum_seen);
      },
      signum);
  if (rc != 0) {
    close_handle(native);
    return uv_error(rc, "watch signal");
  }
  return std::unique_ptr<Signal>(new Signal(native));
}

Signal::~Signal() {
  close_handle(native_);
}

// ---- Work

namespace {

// Enough for name service modules; an address range until it is used.
constexpr std::size_t kStackBytes = 1 << 20;

struct Job {
  std::function<void()> work, done;
  AtLoopEnd at_end;
  std::shared_ptr<Mailbox> mail;
};

void* run_job(void* argument) {
  const std::unique_ptr<Job> job(static_cast<Job*>(argument));
  job->work();
  {
    const std::lock_guard<std::mutex> lock(job->mail->mutex);
    if (job->mail->closed) return nullptr;
    job->mail->done.emplace_back(std::move(job->done), job->at_end);
  }
  job->mail->ring();  // not with the lock, which the loop needs at once
  return nullptr;
}

// Detached, and with all signals blocked: they are the loop's.
int start_thread(void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  if (const int rc = ::pthread_attr_init(&attributes); rc != 0) return rc;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int rc = ::pthread_create(&thread, &attributes, body, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  return rc;
}

}  // namespace

Status run_work(Loop& loop, std::function<void()> work, std::function<void()> done, AtLoopEnd at_end) {
  Loop::Native& native = loop.native();
  auto job = std::make_unique<Job>(Job{std::move(work), std::move(done), at_end, native.mail});
  if (const int rc = start_thread(run_job, job.get()); rc != 0)
    return Error{Code::kLimit, error_from_errno(rc, "start a thread").message, rc};
  (void)job.release();  // the thread's
  if (at_end == AtLoopEnd::kWait && native.works++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&native.bell));
  return {};
}

}  // namespace opelog
