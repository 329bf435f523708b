/* The entries of the exec ring: what exec_events.bpf.c writes in the kernel and exec_event.cc decodes.
 *
 * C, without any include, because both sides compile it. Numbers are in the host's byte order, every struct
 * is without padding (the decoder asserts the sizes). Strings follow the struct in the order of their
 * lengths, nothing between them. A path is written from its end: each component with a slash behind it, the
 * last first.
 */
#ifndef OPELOG_RECORD_EXEC_RING_H
#define OPELOG_RECORD_EXEC_RING_H

/* Bytes of the arguments that are kept; their true length is told. What people type is shorter. */
#define OPELOG_RING_ARGUMENTS 8192
/* Bytes of one path: PATH_MAX. */
#define OPELOG_RING_PATH 4096
/* Steps up a path, mount points among them. A deeper one is cut and says so. */
#define OPELOG_RING_DEPTH 64

/* Numbers of sessions are drawn at random, by the daemon. The small ones are the capture's own: the servers
 * that logins begin at, of which nothing is told; and each login that began at one, from its first program
 * that is not the server's on, numbered upwards. */
#define OPELOG_RING_SERVERS 1ULL
#define OPELOG_RING_LAST_BEGUN 0xffffffffULL

enum opelog_ring_kind { OPELOG_RING_EXEC = 1, OPELOG_RING_EXIT = 2 };

enum opelog_ring_flags {
  OPELOG_RING_NO_ARGUMENTS = 1, /* they could not be read: paged out, or overwritten by another thread */
  OPELOG_RING_EXE_CUT = 2,
  OPELOG_RING_DIRECTORY_CUT = 4,
  OPELOG_RING_BEGINS = 16,  /* of a begun login: its first program */
  OPELOG_RING_LEADS = 32,   /* the process leads its session, as what sshd starts for a login does */
  OPELOG_RING_KIN = 64,     /* who forked it runs as the same user: sshd had become the user already */
  OPELOG_RING_EXE_BARE = 8, /* a name in no directory (memfd), which may hold slashes */
  OPELOG_RING_FOREIGN_MOUNTS = 128, /* the paths are of another mount namespace than the host's */
};

struct opelog_ring_head {
  unsigned int kind;
  unsigned int size; /* of the whole entry */
  unsigned long long session;
  unsigned long long time_ns; /* CLOCK_MONOTONIC */
  unsigned int pid;           /* as the daemon's pid namespace numbers it, 0 if it does not */
  unsigned int parent;        /* the process that forked it, even if that has ended */
};

struct opelog_ring_exec {
  struct opelog_ring_head head;
  unsigned int uid, euid, loginuid, audit_session;
  unsigned int terminal; /* device number of the controlling terminal as /proc/PID/stat has it, 0 none */
  unsigned int flags;
  unsigned int argc;
  unsigned int arguments_true; /* bytes of all arguments, each with its NUL */
  unsigned int arguments;      /* of them, here */
  unsigned int file;           /* what execve(2) was given; of a script, the script */
  unsigned int exe;            /* the program that runs; of a script, the interpreter */
  unsigned int directory;      /* current directory */
};

struct opelog_ring_exit {
  struct opelog_ring_head head;
  unsigned int status;            /* as wait(2) gives it */
  unsigned int execs;             /* 0: it was only forked */
  unsigned long long duration_ns; /* since its last exec; since its start if it made none */
};

#endif
