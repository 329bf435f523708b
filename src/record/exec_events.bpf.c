// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* The kernel's side of exec capture: says which processes belong to a session, and what they execute.
 *
 * Membership is kept in the task itself (task storage): a process gets it from the daemon by its pidfd, a
 * child from its parent before it runs, and it dies with the task. So no pid is ever compared, and nobody
 * leaves by setsid, a second fork or su. Each thread has a copy, because a thread that executes becomes
 * another task's successor.
 *
 * An entry goes into the ring without waking the daemon, unless the ring fills or the daemon has gone to
 * sleep; what does not go in is counted, by session. What a login server (sshd) starts that is not itself a
 * server's is told as well, under a number given here, until the daemon says that it is none of its business.
 * Only the fields declared here are used; the loader finds their offsets in the running kernel (CO-RE).
 */
#include "record/exec_maps.h"
#include "record/exec_ring.h"

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { kSessionOfPid = 3 }; /* PIDTYPE_SID of linux/pid_types.h */

/* Numbers of the kernel's interface, as its headers have them. */
enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
  BPF_F_NO_PREALLOC = 1,
  BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
  BPF_RB_NO_WAKEUP = 1,
  BPF_RB_FORCE_WAKEUP = 2,
  BPF_RB_AVAIL_DATA = 0,
};

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* ---- The kernel's types, as far as they are used */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  __u32 val;
} kuid_t;
typedef struct {
  int counter;
} atomic_t;

struct ns_common {
  __u32 inum;
};
struct pid_namespace {
  struct ns_common ns;
};
struct mnt_namespace {
  struct ns_common ns;
};
struct nsproxy {
  struct mnt_namespace* mnt_ns;
};
struct upid {
  int nr;
  struct pid_namespace* ns;
};
struct pid {
  __u32 level;
  struct upid numbers[1];
};
struct cred {
  kuid_t uid, euid;
};
struct qstr {
  __u32 len;
  const unsigned char* name;
};
struct dentry {
  struct dentry* d_parent;
  struct qstr d_name;
};
struct vfsmount {
  struct dentry* mnt_root;
};
struct mount {
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};
struct file {
  struct path f_path;
};
struct fs_struct {
  struct path pwd;
};
struct mm_struct {
  unsigned long arg_start, arg_end;
  struct file* exe_file;
};
struct tty_driver {
  int major, minor_start;
};
struct tty_struct {
  struct tty_driver* driver;
  int index;
};
struct signal_struct {
  struct pid* pids[4];
  atomic_t live;
  int group_exit_code;
  __u32 flags;
  struct tty_struct* tty;
};
struct linux_binprm {
  int argc;
  const char* filename;
};
struct task_struct {
  int tgid;
  struct pid* thread_pid;
  struct task_struct *group_leader, *real_parent;
  const struct cred* cred;
  struct mm_struct* mm;
  struct fs_struct* fs;
  struct nsproxy* nsproxy;
  struct signal_struct* signal;
  kuid_t loginuid;
  __u32 sessionid;
  char comm[16];
  int exit_code;
  __u64 start_time;
};

#pragma clang attribute pop

/* ---- Maps */

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct opelog_exec_member);
} members SEC(".maps");

/* Entries that are lost, by session; the daemon makes the session's element. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u64);
} losses SEC(".maps");

/* How many of them the daemon has told: its own, for the one after it. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u64);
} told SEC(".maps");

/* Begun logins of which nothing more is told. One that is pushed out is told again, and released again. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, __u64);
  __type(value, __u8);
} released SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20); /* the daemon may set another size */
} ring SEC(".maps");

/* Where an entry is put together: too large for the stack, and a walk's state must lie where the verifier
 * does not follow its values, or it would follow all ways through all steps. */
struct workplace {
  __u32 busy;
  __u32 used; /* of the walk's path */
  struct dentry* dentry;
  struct vfsmount* mount;
  struct dentry* root;
  struct opelog_ring_exec entry;
  /* One component beyond what is kept, for the verifier. */
  char bytes[OPELOG_RING_ARGUMENTS + 3 * OPELOG_RING_PATH + 256];
};

/* Several for each processor, for kernels in which a program can be interrupted by another task's. */
enum { kWorkplaces = 4 };
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kWorkplaces);
  __type(key, __u32);
  __type(value, struct workplace);
} workplaces SEC(".maps");

const volatile struct opelog_exec_constants constants = {.layout = OPELOG_EXEC_LAYOUT};
struct opelog_exec_state state = {};

/* ---- What all three share */

static __always_inline void lose(__u64 session) {
  __u64* count = bpf_map_lookup_elem(&losses, &session);
  if (!count) {
    if (session <= OPELOG_RING_LAST_BEGUN) __sync_fetch_and_add(&state.lost_begun, 1);
    return; /* or of a session that takes no more */
  }
  __sync_fetch_and_add(count, 1);
  __sync_fetch_and_add(&state.lost_total, 1);
}

static __always_inline void deliver(__u64 session, void* entry, __u64 size) {
  __u64 wake = BPF_RB_NO_WAKEUP;
  if (state.asleep) {
    state.asleep = 0;
    wake = BPF_RB_FORCE_WAKEUP;
  } else if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= constants.wake_bytes) {
    wake = BPF_RB_FORCE_WAKEUP;
  }
  if (bpf_ringbuf_output(&ring, entry, size, wake) != 0) lose(session);
}

/* The number of a process in the daemon's pid namespace. */
static __always_inline __u32 number_of(struct task_struct* task) {
  if (constants.pid_namespace == 0) return task->tgid;
  struct pid* pid = BPF_CORE_READ(task, group_leader, thread_pid);
  __u32 level = BPF_CORE_READ(pid, level);
  const char* at = (const char*)pid + bpf_core_field_offset(struct pid, numbers);
  for (__u32 i = 0; i <= 32; ++i) { /* MAX_PID_NS_LEVEL */
    if (i > level) break;
    struct upid* number = (struct upid*)(at + i * bpf_core_type_size(struct upid));
    if (BPF_CORE_READ(number, ns, ns.inum) == constants.pid_namespace) return BPF_CORE_READ(number, nr);
  }
  return 0;
}

static __always_inline struct opelog_exec_member* member_of(struct task_struct* task) {
  struct opelog_exec_member* own = bpf_task_storage_get(&members, task, 0, 0);
  if (own) return own;
  /* A thread from before its process was joined. */
  return bpf_task_storage_get(&members, task->group_leader, 0, 0);
}

/* Whether this is one of what a login server is made of, by the name the kernel gave it at its exec: "sshd",
 * "sshd-session", "sshd-auth". */
static __always_inline int is_server(struct task_struct* task) {
  char name[5] = {};
  bpf_probe_read_kernel(name, 4, task->comm);
  return name[0] == 's' && name[1] == 's' && name[2] == 'h' && name[3] == 'd';
}

/* Noted in the process, because the map forgets. */
static __always_inline int is_released(struct opelog_exec_member* member) {
  if (member->released) return 1;
  if (member->session > OPELOG_RING_LAST_BEGUN || !bpf_map_lookup_elem(&released, &member->session)) return 0;
  member->released = 1;
  return 1;
}

static __always_inline void fill_head(struct opelog_ring_head* head, const struct opelog_exec_member* member,
                                      struct task_struct* task, __u64 now) {
  head->session = member->session;
  head->time_ns = now;
  head->pid = number_of(task);
  head->parent = member->parent ? member->parent : number_of(task->real_parent);
}

/* ---- fork */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  struct opelog_exec_member* from = member_of(parent);
  if (!from) return 0;
  struct opelog_exec_member to = {.session = from->session, .released = is_released(from)};
  if (child->tgid == parent->tgid) {
    to = *from;
  } else {
    to.parent = number_of(parent);
  }
  /* Fails without memory; its first exec will try again. */
  if (!bpf_task_storage_get(&members, child, &to, BPF_LOCAL_STORAGE_GET_F_CREATE)) lose(to.session);
  return 0;
}

/* ---- exec */

static __always_inline struct workplace* take_workplace(void) {
  for (__u32 i = 0; i < kWorkplaces; ++i) {
    __u32 key = i;
    struct workplace* place = bpf_map_lookup_elem(&workplaces, &key);
    if (place && __sync_lock_test_and_set(&place->busy, 1) == 0) return place;
  }
  return 0;
}

/* Appends the path at `at` of the workplace's bytes; returns how many bytes. Up to the root of the mount
 * namespace, not of a chroot. */
static __always_inline __u32 walk(struct workplace* place, __u64 at, struct path* path, __u32* flags,
                                  __u32 cut) {
  struct vfsmount* first = BPF_CORE_READ(path, mnt);
  place->dentry = BPF_CORE_READ(path, dentry);
  place->mount = first;
  place->root = BPF_CORE_READ(first, mnt_root);
  place->used = 0;
  for (int i = 0; i < OPELOG_RING_DEPTH; ++i) {
    struct dentry* dentry = place->dentry;
    if (dentry == place->root) {
      struct mount* mount = (void*)place->mount - bpf_core_field_offset(struct mount, mnt);
      struct mount* parent = BPF_CORE_READ(mount, mnt_parent);
      if (parent == mount || !parent) return place->used;
      place->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
      place->mount = (void*)parent + bpf_core_field_offset(struct mount, mnt);
      place->root = BPF_CORE_READ(parent, mnt.mnt_root);
      continue;
    }
    struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
    __u64 length = BPF_CORE_READ(dentry, d_name.len);
    const unsigned char* name = BPF_CORE_READ(dentry, d_name.name);
    __u32 used = place->used;
    if (length > 255) length = 255; /* NAME_MAX */
    if (used > OPELOG_RING_PATH - 256) break;
    __u64 to = at + used;
    barrier_var(to);
    if (to > OPELOG_RING_ARGUMENTS + 3 * OPELOG_RING_PATH - 256) break;
    /* As a string: while somebody renames it, the length may be another name's. */
    long copied = bpf_probe_read_kernel_str(place->bytes + to, length + 1, name);
    if (copied < 1 || copied > 256) break;
    place->bytes[to + copied - 1] = '/';
    place->used = used + (__u32)copied;
    if (parent == dentry) { /* of no file system that is mounted: a memfd */
      if (cut == OPELOG_RING_EXE_CUT) *flags |= OPELOG_RING_EXE_BARE;
      return place->used;
    }
    place->dentry = parent;
  }
  *flags |= cut;
  return place->used;
}

/* As the kernel's new_encode_dev() has it. */
static __always_inline __u32 terminal_of(struct task_struct* task) {
  struct tty_struct* tty = BPF_CORE_READ(task, signal, tty);
  if (!tty) return 0;
  __u32 major = BPF_CORE_READ(tty, driver, major);
  __u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task, int old_pid, struct linux_binprm* program) {
  struct opelog_exec_member* member = bpf_task_storage_get(&members, task, 0, 0);
  if (!member) {
    /* Forked before its parent was joined, or when there was no memory. */
    struct opelog_exec_member* from = bpf_task_storage_get(&members, task->real_parent, 0, 0);
    if (!from) return 0;
    struct opelog_exec_member to = {
        .session = from->session, .parent = number_of(task->real_parent), .released = is_released(from)};
    member = bpf_task_storage_get(&members, task, &to, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!member) {
      lose(to.session);
      return 0;
    }
  }
  __u32 flags = 0;
  if (member->session == OPELOG_RING_SERVERS) {
    if (is_server(task) || state.muted) return 0;
    member->session = __sync_fetch_and_add(&state.begun, 1) + 1 + OPELOG_RING_SERVERS;
    flags = OPELOG_RING_BEGINS;
    if (BPF_CORE_READ(task, signal, pids[kSessionOfPid]) == BPF_CORE_READ(task, group_leader, thread_pid))
      flags |= OPELOG_RING_LEADS;
    if (BPF_CORE_READ(task, real_parent, cred, uid.val) == task->cred->uid.val) flags |= OPELOG_RING_KIN;
  }
  __u64 now = bpf_ktime_get_ns();
  member->exec_ns = now;
  member->execs += 1;
  if (member->quiet || is_released(member) || state.muted) return 0;
  struct workplace* place = take_workplace();
  if (!place) {
    lose(member->session);
    return 0;
  }

  struct opelog_ring_exec* entry = &place->entry;
  fill_head(&entry->head, member, task, now);
  entry->head.kind = OPELOG_RING_EXEC;
  entry->uid = task->cred->uid.val;
  entry->euid = task->cred->euid.val;
  entry->loginuid = bpf_core_field_exists(task->loginuid) ? BPF_CORE_READ(task, loginuid.val) : ~0U;
  entry->audit_session = bpf_core_field_exists(task->sessionid) ? BPF_CORE_READ(task, sessionid) : ~0U;
  entry->terminal = terminal_of(task);
  entry->argc = program->argc;

  unsigned long begin = task->mm->arg_start;
  __u64 all = task->mm->arg_end - begin, at = all;
  barrier_var(at); /* or the check is made of another register */
  if (at > OPELOG_RING_ARGUMENTS) at = OPELOG_RING_ARGUMENTS;
  if (bpf_probe_read_user(place->bytes, at, (void*)begin) != 0) {
    flags |= OPELOG_RING_NO_ARGUMENTS;
    at = 0;
  }
  entry->arguments_true = all > ~0U ? ~0U : (__u32)all;
  entry->arguments = (__u32)at;

  long file = bpf_probe_read_kernel_str(place->bytes + at, OPELOG_RING_PATH, program->filename);
  if (file < 1 || file > OPELOG_RING_PATH) file = 1;
  entry->file = (__u32)file - 1;
  at += (__u64)file - 1;

  struct path* exe = __builtin_preserve_access_index(&task->mm->exe_file->f_path);
  entry->exe = walk(place, at, exe, &flags, OPELOG_RING_EXE_CUT);
  at += entry->exe;
  struct path* directory = __builtin_preserve_access_index(&task->fs->pwd);
  entry->directory = walk(place, at, directory, &flags, OPELOG_RING_DIRECTORY_CUT);
  at += entry->directory;

  if (constants.mount_namespace && BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) != constants.mount_namespace)
    flags |= OPELOG_RING_FOREIGN_MOUNTS;
  entry->flags = flags;
  __u64 size = sizeof(*entry) + at;
  entry->head.size = (__u32)size;
  if (size <= sizeof(*entry) + sizeof(place->bytes)) deliver(member->session, entry, size);
  __sync_lock_test_and_set(&place->busy, 0);
  return 0;
}

/* ---- exit */

enum { kSignalGroupExit = 4 }; /* SIGNAL_GROUP_EXIT of linux/sched/signal.h */

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct* task) {
  if (task->signal->live.counter != 0) return 0; /* the process goes on in other threads */
  struct task_struct* leader = task->group_leader;
  struct opelog_exec_member* member = bpf_task_storage_get(&members, leader, 0, 0);
  if (!member || member->quiet || member->session == OPELOG_RING_SERVERS || is_released(member) ||
      state.muted)
    return 0;
  /* Two last threads may both come here. */
  if (__sync_lock_test_and_set(&member->told, 1) != 0) return 0;
  __u64 now = bpf_ktime_get_ns();
  struct opelog_ring_exit entry = {
      .head = {.kind = OPELOG_RING_EXIT, .size = sizeof(entry)},
      .execs = member->execs,
      .duration_ns = now - (member->exec_ns ? member->exec_ns : leader->start_time),
  };
  fill_head(&entry.head, member, leader, now);
  entry.status = task->signal->flags & kSignalGroupExit ? task->signal->group_exit_code : leader->exit_code;
  deliver(member->session, &entry, sizeof(entry));
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
