// What a daemon makes of a session's memory that another one left, whatever stands in it: every change of a
// sound memory ends the session or goes on with it, within what there is, and then the session can be ended.
//
// The first byte chooses the session; the rest are changes: where (a part, an offset, a width) and what. So
// each input lies near a memory that is good, and most of what it reaches is behind the checks.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../tests/record/kept_scene.h"

namespace opelog::record {
namespace {

struct Part {
  char* begin;
  std::size_t size;
};

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}
  [[nodiscard]] bool empty() const { return left_ == 0; }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (; bytes > 0 && left_ > 0; --bytes, --left_) value = value << 8U | *at_++;
    return value;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

// Numbers that stand at the edges of what is sound.
std::uint64_t edge(std::uint64_t which) {
  constexpr std::uint64_t kEdges[] = {0,
                                      1,
                                      2,
                                      RelayBuffer::kFlushing,
                                      kChunk,
                                      kChunk + 1,
                                      format::kBatchBytes,
                                      format::kBatchBytes + 1,
                                      format::kRecordsBytes,
                                      format::kRecordsBytes + 1,
                                      INT32_MAX,
                                      0x80000000U,
                                      UINT32_MAX,
                                      INT64_MAX / 8,
                                      INT64_MAX,
                                      0x8000000000000000U,
                                      UINT64_MAX,
                                      0x0000ffff00000002U,
                                      0x7ff0000000000000U,   // infinity
                                      0x7ff8000000000000U,   // no number
                                      0xffefffffffffffffU};  // the least double
  return kEdges[which % std::size(kEdges)];
}

void change(testing::KeptScene& scene, Input& input) {
  SessionMemory& kept = scene.memory();
  // The copies that hold.
  auto* mark = reinterpret_cast<char*>(&kept.mark.copies[kept.mark.current & 1U]);
  auto* writer = reinterpret_cast<char*>(&kept.writer.mark.copies[kept.writer.mark.current & 1U]);
  auto* machine = mark + offsetof(SessionMark, machine);
  auto* whole = reinterpret_cast<char*>(&kept);
  auto* left = reinterpret_cast<char*>(&scene.buffer());
  const Part parts[] = {
      {machine, sizeof(SessionMark) - offsetof(SessionMark, machine)},
      {machine, sizeof(MachineMark)},
      {writer, sizeof(format::WriterMark)},
      {reinterpret_cast<char*>(&kept.flows[input.number(1) % 3]), 24},  // numbers of a flow, and `unrecorded`
      {left, static_cast<std::size_t>(scene.buffer().bytes.data() - left) + 16},
      {left + sizeof(RelayBuffer) - 8, 8},  // its stage
      {reinterpret_cast<char*>(&kept.rate), sizeof kept.rate},
      {reinterpret_cast<char*>(&kept.writer.sealers), sizeof kept.writer.sealers},
      {reinterpret_cast<char*>(&kept.writer.pending_at), 8 + 64},
      {mark, sizeof(SessionMark)},
      {whole, sizeof(SessionMemory)},
      {whole + offsetof(SessionMemory, flows) + offsetof(FlowMemory, backlog), 8},
  };
  const Part part = parts[input.number(1) % std::size(parts)];
  const std::uint64_t shape = input.number(1);
  const std::size_t width = std::min<std::size_t>(std::size_t{1} << (shape & 3U), part.size);
  std::size_t at = input.number(shape & 4U ? 3 : 1) * (shape & 8U ? width : 1);
  at = at % (part.size - width + 1);
  const std::uint64_t value = shape & 16U ? edge(input.number(1)) : input.number(width);
  std::memcpy(part.begin + at, &value, width);
}

// A chunk of ours, on its way in `flow`.
void begin_chunk(testing::KeptScene& scene, Input& input) {
  RelayBuffer& left = scene.buffer();
  left.turn = 1;
  left.session = testing::kSceneNumber;
  left.flow = static_cast<std::int32_t>(input.number(1) % 3);
  left.size = static_cast<std::uint32_t>(input.number(2));
  left.taken = static_cast<std::uint32_t>(input.number(2));
  left.sent = static_cast<std::uint32_t>(input.number(2));
  left.recorded = input.number(1);
  std::fill_n(left.bytes.begin(), std::min<std::size_t>(left.size, kChunk), 'x');
  left.reached(static_cast<RelayBuffer::Stage>(input.number(1) % 8));
}

// Nobody's process is ended by a number that was made up.
void spare_processes(SessionMemory& kept) {
  SessionMark mark = kept.mark.get();
  if (mark.shell_pid != 0) mark.shell_started = 1;
  mark.utmp_moved = 0;
  kept.mark.set(mark);
}

std::uint64_t size_of(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

// Of this process alone, where a sync costs nothing; its files have no names for long.
class Directory {
 public:
  Directory() {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    auto made = open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
    if (!made) std::abort();
    fd_ = std::move(*made);
  }
  ~Directory() { (void)::rmdir(path_.c_str()); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::string path_ = "/dev/shm/opelogfuzz-XXXXXX";
  Fd fd_;
};

}  // namespace
}  // namespace opelog::record

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opelog::record;
  using opelog::record::testing::KeptScene;
  using opelog::record::testing::SceneKind;
  static const Directory directory;
  if (size > 512) return 0;
  Input input(data, size);
  const std::uint64_t first = input.number(1);
  KeptScene scene(directory.fd(), static_cast<SceneKind>(first % 3));
  if ((first & 4U) != 0) begin_chunk(scene, input);
  while (!input.empty()) change(scene, input);
  spare_processes(scene.memory());
  const std::uint64_t log = size_of(scene.file(0)), time = size_of(scene.file(1));
  scene.take_over();
  (void)!::write(scene.user(), "typed", 5);
  (void)!::write(scene.shell(), "shown", 5);
  scene.turn(1);
  scene.turn(1);
  // What waited in memory may be written now, and no more than that fits in there.
  if (size_of(scene.file(0)) > log + 4 * kChunk + 64) std::abort();
  if (size_of(scene.file(1)) > time + opelog::format::kRecordsBytes + opelog::format::kBatchBytes + 8192)
    std::abort();
  for (const FlowMemory& flow : scene.memory().flows) {
    if (flow.unrecorded.size() > kChunk || flow.backlog.size() > kChunk) std::abort();
  }
  return 0;
}
