#include "record/exec_kernel_io.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <utility>

#include "core/sha256.h"
#include "record/exec_events.skel.h"
#include "record/exec_ring.h"
#include "record/proc_text.h"

namespace opelog::record {
namespace {

// Of the host's first pid namespace (PROC_PID_INIT_INO of the kernel).
constexpr unsigned kFirstPidNamespace = 0xEFFFFFFCU;
constexpr const char* kKernelTypes = "/sys/kernel/btf/vmlinux";
// PIDFD_THREAD of linux/pidfd.h, from Linux 6.9 on.
constexpr unsigned kPidfdThread = O_EXCL;
// Logins that may be getting their numbers at the moment of a take-over.
constexpr std::uint64_t kBeginning = 64;
constexpr std::size_t kPrograms = 3;

// Another layout is another number: exec_maps.h.
static_assert(OPELOG_EXEC_LAYOUT == 1);
static_assert(sizeof(opelog_exec_constants) == 52 && sizeof(opelog_exec_state) == 56);
static_assert(sizeof(opelog_exec_member) == 40);
static_assert(offsetof(opelog_exec_constants, layout) == 0);
static_assert(sizeof(exec_events::exec_events__rodata) == sizeof(opelog_exec_constants));
static_assert(sizeof(exec_events::exec_events__bss) == sizeof(opelog_exec_state));

// What libbpf complained of first: what follows is only "failed to load object".
std::string& complaint() {
  thread_local std::string text;
  return text;
}

int note_complaint(enum libbpf_print_level level, const char* pattern, va_list arguments) {
  if (level != LIBBPF_WARN || !complaint().empty()) return 0;
  char line[256];
  const int size = std::vsnprintf(line, sizeof line, pattern, arguments);
  if (size > 0)
    complaint().assign(line, std::min<std::size_t>(static_cast<std::size_t>(size), sizeof line - 1));
  const auto end = complaint().find('\n');
  if (end != std::string::npos) complaint().resize(end);
  return 0;
}

Error bpf_error(int err, const char* what) {
  if (err == EPERM || err == EACCES) {
    return {Code::kDenied,
            std::string(what) +
                " is not allowed: it needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), the system "
                "call bpf, and no kernel lockdown" +
                (complaint().empty() ? "" : " (" + complaint() + ")"),
            err};
  }
  Error error = error_from_errno(err, what);
  error.code = Code::kUnsupported;
  if (!complaint().empty()) error.message += " (" + complaint() + ")";
  return error;
}

struct Loaded {
  exec_events* programs = nullptr;
  ~Loaded() { exec_events__destroy(programs); }
};

// ---- what was kept

struct MapShape {
  const char* name;  // of the data sections the end: what is before it is cut by the kernel
  std::uint32_t type, key, value;
};
constexpr MapShape kShapes[ExecKernel::kMaps] = {
    {"ring", BPF_MAP_TYPE_RINGBUF, 0, 0},
    {"members", BPF_MAP_TYPE_TASK_STORAGE, sizeof(int), sizeof(opelog_exec_member)},
    {"losses", BPF_MAP_TYPE_HASH, sizeof(std::uint64_t), sizeof(std::uint64_t)},
    {"told", BPF_MAP_TYPE_HASH, sizeof(std::uint64_t), sizeof(std::uint64_t)},
    {"released", BPF_MAP_TYPE_LRU_HASH, sizeof(std::uint64_t), 1},
    {".rodata", BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), sizeof(opelog_exec_constants)},
    {".bss", BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), sizeof(opelog_exec_state)},
};

struct KeptMap {
  Fd fd;
  bpf_map_info info{};
  [[nodiscard]] bool named(std::string_view end) const { return std::string_view(info.name).ends_with(end); }
  [[nodiscard]] bool is(const MapShape& shape) const {
    return named(shape.name) && info.type == shape.type && info.key_size == shape.key &&
           info.value_size == shape.value;
  }
};
struct KeptProgram {
  Fd fd, link;
  std::uint32_t id = 0;
  std::string name;
  std::set<std::uint32_t> maps;
};
struct Kept {
  std::map<std::uint32_t, KeptMap> maps;  ///< by id
  std::vector<KeptProgram> programs;
  bool strange = false;  ///< some are none of ours
};

template <typename Info>
bool info_of(int fd, Info& info) {
  std::uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
}

bool add_program(Fd fd, Kept& kept) {
  KeptProgram program;
  std::array<std::uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  if (!info_of(fd.get(), info)) return false;
  program.id = info.id;
  program.name = info.name;
  program.maps.insert(ids.begin(), ids.begin() + std::min<std::size_t>(info.nr_map_ids, ids.size()));
  program.fd = std::move(fd);
  kept.programs.push_back(std::move(program));
  return true;
}

// The kernel says what a descriptor is by the name of its file only.
Kept sort(std::vector<Fd> descriptors) {
  Kept kept;
  std::vector<std::pair<std::uint32_t, Fd>> links;
  for (Fd& fd : descriptors) {
    char text[64] = {};
    const auto n = ::readlink(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), text, sizeof text - 1);
    const std::string_view what = n > 0 ? text : "";
    bool known = false;
    if (what == "anon_inode:bpf-map") {
      KeptMap map;
      if ((known = info_of(fd.get(), map.info))) {
        map.fd = std::move(fd);
        kept.maps.emplace(map.info.id, std::move(map));
      }
    } else if (what == "anon_inode:bpf-prog") {
      known = add_program(std::move(fd), kept);
    } else if (what == "anon_inode:bpf_link") {
      bpf_link_info info{};
      if ((known = info_of(fd.get(), info))) links.emplace_back(info.prog_id, std::move(fd));
    }
    kept.strange = kept.strange || !known;
  }
  for (auto& [id, fd] : links) {
    const auto program = std::find_if(kept.programs.begin(), kept.programs.end(),
                                      [id = id](const KeptProgram& one) { return one.id == id; });
    if (program != kept.programs.end()) program->link = std::move(fd);
  }
  return kept;
}

// The programs that use these constants.
std::vector<KeptProgram*> programs_with(Kept& kept, std::uint32_t constants) {
  std::vector<KeptProgram*> found;
  for (KeptProgram& program : kept.programs) {
    if (program.maps.count(constants) > 0) found.push_back(&program);
  }
  return found;
}

bool all_run(const std::vector<KeptProgram*>& programs) {
  std::set<std::string> running;
  for (const KeptProgram* program : programs) {
    if (program->link) running.insert(program->name);
  }
  return running == std::set<std::string>{"on_fork", "on_exec", "on_exit"};
}

Fd pidfd_open_of(std::int64_t pid, unsigned flags) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), flags)));
}

// The numbers that are the names in a directory of /proc.
void each_number(const std::string& directory, const std::function<void(std::int64_t)>& take) {
  DIR* list = ::opendir(directory.c_str());
  if (list == nullptr) return;
  while (const dirent* entry = ::readdir(list)) {
    if (const auto number = parse_proc_number(entry->d_name)) take(*number);
  }
  ::closedir(list);
}

}  // namespace

opelog_exec_constants ExecKernel::constants_for(std::uint32_t ring_bytes, std::uint32_t wake_bytes,
                                                const char* host_mounts) {
  opelog_exec_constants constants{};
  constants.layout = OPELOG_EXEC_LAYOUT;
  struct stat here {};
  if (::stat("/proc/self/ns/pid", &here) == 0 && here.st_ino != kFirstPidNamespace)
    constants.pid_namespace = static_cast<unsigned>(here.st_ino);
  if (::stat(host_mounts, &here) == 0) constants.mount_namespace = static_cast<unsigned>(here.st_ino);
  constants.wake_bytes = wake_bytes;
  constants.ring_bytes = ring_bytes;
  std::size_t size = 0;
  const void* object = exec_events__elf_bytes(&size);
  const Digest digest = sha256({static_cast<const char*>(object), size});
  std::copy(digest.begin(), digest.end(), constants.programs);
  return constants;
}

Result<std::unique_ptr<ExecKernel>> ExecKernel::load(const opelog_exec_constants& constants, bool muted) {
  if (::access(kKernelTypes, R_OK) != 0) {
    return Error{Code::kUnsupported,
                 std::string("this kernel does not describe its types (") + kKernelTypes +
                     ", CONFIG_DEBUG_INFO_BTF): no exec events by BPF",
                 errno};
  }
  complaint().clear();
  libbpf_set_print(note_complaint);
  Loaded loaded;
  loaded.programs = exec_events__open();
  if (loaded.programs == nullptr) return bpf_error(errno, "opening the exec programs");
  exec_events& programs = *loaded.programs;
  programs.rodata->constants = constants;
  programs.bss->state.asleep = 1;
  programs.bss->state.muted = muted ? 1 : 0;
  if (int rc = bpf_map__set_max_entries(programs.maps.ring, constants.ring_bytes); rc != 0)
    return bpf_error(-rc, "sizing the exec ring");
  if (int rc = exec_events__load(&programs); rc != 0) return bpf_error(-rc, "loading the exec programs");
  bpf_map_info told{};
  if (!info_of(bpf_map__fd(programs.maps.told), told)) return bpf_error(errno, "looking at the exec maps");
  programs.bss->state.told_map = told.id;

  std::unique_ptr<ExecKernel> kernel(new ExecKernel);
  const bpf_map* maps[kMaps] = {programs.maps.ring, programs.maps.members,  programs.maps.losses,
                                programs.maps.told, programs.maps.released, programs.maps.rodata,
                                programs.maps.bss};
  for (std::size_t i = 0; i < kMaps; ++i) {
    auto copy = duplicate(bpf_map__fd(maps[i]));
    if (!copy) return std::move(copy).error();
    kernel->maps_[i] = std::move(*copy);
  }
  if (Status mapped = kernel->map_state(); !mapped) return mapped.error();
  // Last: from here on the kernel runs them.
  if (int rc = exec_events__attach(&programs); rc != 0) return bpf_error(-rc, "attaching the exec programs");
  for (const bpf_program* program :
       {programs.progs.on_fork, programs.progs.on_exec, programs.progs.on_exit}) {
    auto copy = duplicate(bpf_program__fd(program));
    if (!copy) return std::move(copy).error();
    kernel->programs_.push_back(std::move(*copy));
  }
  for (const bpf_link* link : {programs.links.on_fork, programs.links.on_exec, programs.links.on_exit}) {
    auto copy = duplicate(bpf_link__fd(link));
    if (!copy) return std::move(copy).error();
    kernel->links_.push_back(std::move(*copy));
  }
  return kernel;
}

ExecKernel::Found ExecKernel::find(std::vector<Fd> descriptors, const opelog_exec_constants& constants) {
  Found found;
  if (descriptors.empty()) return found;
  Kept kept = sort(std::move(descriptors));
  if (kept.strange) found.problem = "some descriptors that were kept are none of exec capture";
  bool any = false;
  for (auto& [id, map] : kept.maps) {
    if (!map.named(kShapes[kConstants].name)) continue;
    any = true;
    std::array<char, 4096> bytes{};
    const std::uint32_t first = 0;
    std::uint32_t layout = 0;
    if (map.info.type != BPF_MAP_TYPE_ARRAY || map.info.key_size != sizeof first ||
        map.info.value_size < sizeof layout || map.info.value_size > bytes.size() ||
        bpf_map_lookup_elem(map.fd.get(), &first, bytes.data()) != 0) {
      found.problem = "the constants of kept exec programs cannot be read";
      continue;
    }
    std::memcpy(&layout, bytes.data(), sizeof layout);
    if (layout != OPELOG_EXEC_LAYOUT || !map.is(kShapes[kConstants])) {
      found.problem = "kept exec programs are of another build, whose maps have a layout of their own (" +
                      std::to_string(layout) + ")";
      continue;
    }
    const auto programs = programs_with(kept, id);
    std::set<std::uint32_t> used;
    for (const KeptProgram* program : programs) used.insert(program->maps.begin(), program->maps.end());
    std::unique_ptr<ExecKernel> kernel(new ExecKernel);
    for (const std::uint32_t one : used) {
      const auto it = kept.maps.find(one);
      if (it == kept.maps.end()) continue;
      for (std::size_t i = 0; i < kMaps; ++i) {
        if (i == kTold || !it->second.is(kShapes[i])) continue;
        if (auto copy = duplicate(it->second.fd.get())) kernel->maps_[i] = std::move(*copy);
      }
    }
    if (kernel->maps_[kState] && kernel->map_state()) {
      const auto told = kept.maps.find(kernel->state().told_map);
      if (told != kept.maps.end() && told->second.is(kShapes[kTold])) {
        if (auto copy = duplicate(told->second.fd.get())) kernel->maps_[kTold] = std::move(*copy);
      }
    }
    if (!std::all_of(kernel->maps_.begin(), kernel->maps_.end(), [](const Fd& fd) { return fd.valid(); }) ||
        kernel->state_ == nullptr) {
      found.problem = "of kept exec programs not all maps are there";
      continue;
    }
    const bool whole = programs.size() == kPrograms && all_run(programs);
    if (!whole) found.problem = "of kept exec programs not all run";
    for (KeptProgram* program : programs) {
      kernel->programs_.push_back(std::move(program->fd));
      if (program->link) kernel->links_.push_back(std::move(program->link));
    }
    if (whole && !found.fitting && std::memcmp(bytes.data(), &constants, sizeof constants) == 0)
      found.fitting = std::move(kernel);
    else
      found.others.push_back(std::move(kernel));
  }
  if (!any) found.problem = "no exec programs are among the descriptors that were kept for them";
  return found;
}

ExecKernel::~ExecKernel() {
  if (state_ != nullptr) ::munmap(state_, sizeof *state_);
}

Status ExecKernel::map_state() {
  void* at = ::mmap(nullptr, sizeof *state_, PROT_READ | PROT_WRITE, MAP_SHARED, maps_[kState].get(), 0);
  if (at == MAP_FAILED) return error_from_errno(errno, "map the exec programs' state");
  state_ = static_cast<opelog_exec_state*>(at);
  return {};
}

std::vector<Fd> ExecKernel::keep() const {
  std::vector<Fd> copies;
  const auto add = [&copies](const Fd& fd) {
    auto copy = duplicate(fd.get());
    if (copy) copies.push_back(std::move(*copy));
    return copy.ok();
  };
  for (const Fd& fd : maps_)
    if (!add(fd)) return {};
  for (const auto* list : {&programs_, &links_}) {
    for (const Fd& fd : *list)
      if (!add(fd)) return {};
  }
  return copies;
}

std::vector<std::uint64_t> ExecKernel::counted() const {
  std::vector<std::uint64_t> numbers;
  std::uint64_t key = 0;
  for (int rc = bpf_map_get_next_key(map(kLosses), nullptr, &key); rc == 0;
       rc = bpf_map_get_next_key(map(kLosses), &numbers.back(), &key))
    numbers.push_back(key);
  return numbers;
}

std::uint64_t ExecKernel::number(Map which, std::uint64_t key) const {
  std::uint64_t value = 0;
  return bpf_map_lookup_elem(map(which), &key, &value) == 0 ? value : 0;
}

// ---- taking over

// First who belongs to what while `old` still delivers, so that what is forked from then on belongs here,
// too; then, in a moment, the numbers, and who delivers; then what was forked by one that had not been
// carried yet.
std::set<std::uint64_t> ExecKernel::take_over(const ExecKernel& old) {
  std::set<std::uint64_t> whose;
  take_members(old, ~std::uint64_t{0}, whose);
  __atomic_store_n(&old.state().muted, 1U, __ATOMIC_SEQ_CST);
  take_numbers(old);
  const std::uint64_t begun = state().begun + OPELOG_RING_SERVERS;
  __atomic_store_n(&state().muted, 0U, __ATOMIC_SEQ_CST);
  take_members(old, begun, whose);
  return whose;
}

void ExecKernel::take_numbers(const ExecKernel& old) {
  const opelog_exec_state& before = old.state();
  state().begun = before.begun + kBeginning;
  for (const std::uint64_t key : old.counted()) {
    const std::uint64_t lost = old.number(kLosses, key), told = old.number(kTold, key);
    (void)bpf_map_update_elem(map(kLosses), &key, &lost, BPF_ANY);
    (void)bpf_map_update_elem(map(kTold), &key, &told, BPF_ANY);
  }
  state().lost_total = before.lost_total;
  state().told_total = before.told_total;
  state().lost_begun = before.lost_begun;
  state().told_begun = before.told_begun;
  std::uint64_t key = 0, last = 0;
  for (int rc = bpf_map_get_next_key(old.map(kReleased), nullptr, &key); rc == 0;
       rc = bpf_map_get_next_key(old.map(kReleased), &last, &key)) {
    const unsigned char yes = 1;
    (void)bpf_map_update_elem(map(kReleased), &key, &yes, BPF_ANY);
    last = key;
  }
}

void ExecKernel::take_members(const ExecKernel& old, std::uint64_t begun_before,
                              std::set<std::uint64_t>& whose) {
  each_number("/proc", [&](std::int64_t pid) {
    const Fd leader = pidfd_open_of(pid, 0);
    opelog_exec_member member{};
    int fd = leader.get();
    if (!leader || bpf_map_lookup_elem(old.map(kMembers), &fd, &member) != 0) return;
    take_member(old, fd, begun_before, whose);
    // A thread that executes becomes its process, and what it belongs to is its own.
    each_number("/proc/" + std::to_string(pid) + "/task", [&](std::int64_t tid) {
      if (tid == pid) return;
      if (const Fd thread = pidfd_open_of(tid, kPidfdThread))
        take_member(old, thread.get(), begun_before, whose);
    });
  });
}

void ExecKernel::take_member(const ExecKernel& old, int pidfd, std::uint64_t begun_before,
                             std::set<std::uint64_t>& whose) {
  opelog_exec_member before{}, here{};
  if (bpf_map_lookup_elem(old.map(kMembers), &pidfd, &before) != 0) return;
  if (before.session != OPELOG_RING_SERVERS && before.released == 0) whose.insert(before.session);
  if (bpf_map_lookup_elem(map(kMembers), &pidfd, &here) == 0) {
    if (here.session == before.session) return;
    // A login that has begun since.
    if (here.session <= OPELOG_RING_LAST_BEGUN && here.session > begun_before) return;
  }
  (void)bpf_map_update_elem(map(kMembers), &pidfd, &before, BPF_ANY);
}

}  // namespace opelog::record
