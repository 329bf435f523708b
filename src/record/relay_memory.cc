#include "record/relay_memory.h"

#include <algorithm>
#include <cstring>

namespace opelog::record {
namespace {

// Noise, the same in every process: no output looks like it by chance.
const std::array<char, kChunk>& pattern() {
  static const std::array<char, kChunk> noise = [] {
    std::array<char, kChunk> made{};
    std::uint64_t x = 0x9e3779b97f4a7c15U;
    for (char& c : made) {
      x ^= x << 13U;
      x ^= x >> 7U;
      x ^= x << 17U;
      c = static_cast<char>(x >> 24U);
    }
    return made;
  }();
  return noise;
}

}  // namespace

void HeldBytes::assign(std::string_view bytes) noexcept {
  // Not where the old ones are until the new ones are named: they come behind or before them, or (a chunk
  // that fills all) it is the caller's stage that says where they are.
  if (!bytes.empty()) std::memmove(bytes_.data(), bytes.data(), bytes.size());
  where_.store(bytes.size(), std::memory_order_release);
}

bool HeldBytes::append(std::string_view bytes) noexcept {
  const std::string_view now = view();
  const auto first = static_cast<std::size_t>(now.data() - bytes_.data());
  if (first + now.size() + bytes.size() > kChunk) return false;
  std::memcpy(bytes_.data() + first + now.size(), bytes.data(), bytes.size());
  where_.store((static_cast<std::uint64_t>(first) << 32U) | (now.size() + bytes.size()),
               std::memory_order_release);
  return true;
}

void HeldBytes::drop(std::size_t first) noexcept {
  const std::string_view now = view();
  if (first >= now.size()) return clear();
  const auto begin = static_cast<std::uint64_t>(now.data() - bytes_.data()) + first;
  where_.store((begin << 32U) | (now.size() - first), std::memory_order_release);
}

void RelayBuffer::prepare() noexcept {
  stage_.store(kIdle, std::memory_order_release);
  bytes = pattern();
}

void RelayBuffer::done(std::size_t used) noexcept {
  reached(kIdle);
  std::memcpy(bytes.data(), pattern().data(), used);
}

std::size_t RelayBuffer::seen() const noexcept {
  std::size_t end = bytes.size();
  while (end > 0 && bytes[end - 1] == pattern()[end - 1]) --end;
  return end;
}

namespace {

// Bytes of the chunk that were read.
std::size_t size_of(const RelayBuffer& left) noexcept {
  return left.stage() == RelayBuffer::kReading ? left.seen() : std::min<std::size_t>(left.size, kChunk);
}

}  // namespace

ResumedFlow torn_of(const FlowMemory& flow, const RelayBuffer& left) noexcept {
  switch (left.stage()) {
    case RelayBuffer::kReading:
      return {left.seen(), 0};
    case RelayBuffer::kWriting:
      return {0, std::min<std::size_t>(left.taken, size_of(left))};
    case RelayBuffer::kFlushing:
      return {0, flow.backlog.size()};
    default:
      return {};
  }
}

void resume_flow(FlowMemory& flow, const RelayBuffer& left, Taken how, std::uint64_t recorded) {
  const RelayBuffer::Stage stage = left.stage();
  if (stage == RelayBuffer::kIdle) return;
  if (stage == RelayBuffer::kFlushing) return flow.backlog.clear();
  const std::size_t size = size_of(left);
  if (stage == RelayBuffer::kReading && size == 0) return;
  std::size_t taken = std::min<std::size_t>(left.taken, size);
  if (stage < RelayBuffer::kAccepted) {
    const std::uint64_t more = recorded > left.recorded ? recorded - left.recorded : 0;
    taken = how == Taken::kCounted ? static_cast<std::size_t>(std::min<std::uint64_t>(more, size))
                                   : (more > 0 ? size : 0);
  }
  const std::string_view chunk(left.bytes.data(), size);
  std::size_t sent = 0;
  if (stage == RelayBuffer::kWriting)
    sent = taken;
  else if (stage == RelayBuffer::kWritten)
    sent = std::min<std::size_t>(left.sent, taken);
  flow.bytes = left.bytes_on + sent;
  flow.unrecorded.assign(chunk.substr(taken));
  flow.backlog.assign(chunk.substr(sent, taken - sent));
}

}  // namespace opelog::record
