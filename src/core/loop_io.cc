#include "core/loop_io.h"

#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace opelog {

struct Loop::Native {
  uv_loop_t loop;
  int works = 0;  ///< of run_work(), not yet done
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
}

Loop::~Loop() {
  // Work on the thread pool cannot be taken back and would report to a loop that is gone: wait for it.
  while (native_->works > 0) uv_run(&native_->loop, UV_RUN_ONCE);
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

Status run_work(Loop& loop, std::function<void()> work, std::function<void()> done) {
  struct Request {
    uv_work_t request{};
    std::function<void()> work, done;
    Loop::Native* loop = nullptr;
  };
  auto* r = new Request;
  r->work = std::move(work);
  r->done = std::move(done);
  r->request.data = r;
  r->loop = &loop.native();
  const int rc = uv_queue_work(
      &loop.native().loop, &r->request, [](uv_work_t* q) { static_cast<Request*>(q->data)->work(); },
      [](uv_work_t* q, int) {
        std::unique_ptr<Request> self(static_cast<Request*>(q->data));
        --self->loop->works;
        self->done();
      });
  if (rc != 0) {
    delete r;
    return uv_error(rc, "queue work");
  }
  ++loop.native().works;
  return {};
}

}  // namespace opelog
