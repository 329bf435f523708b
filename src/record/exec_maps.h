/* The maps of exec capture that both sides read: exec_events.bpf.c in the kernel, and the daemon.
 *
 * C, without any include, because both sides compile it. Every struct is without padding. They outlive the
 * daemon, and a later one of another build may find them: whoever changes anything here, what a map's keys
 * and values are, or exec_ring.h, counts OPELOG_EXEC_LAYOUT up. The first word of the constants says which
 * it is, whatever comes after.
 */
#ifndef OPELOG_RECORD_EXEC_MAPS_H
#define OPELOG_RECORD_EXEC_MAPS_H

#define OPELOG_EXEC_LAYOUT 1

/* Written before the programs are loaded, and never again. All alike: made by the same build, and doing the
 * same. */
struct opelog_exec_constants {
  unsigned int layout;
  unsigned int pid_namespace;   /* inode of the daemon's; 0: that of the host */
  unsigned int mount_namespace; /* inode of the host's; 0: not known */
  unsigned int wake_bytes;
  unsigned int ring_bytes;
  unsigned char programs[32]; /* SHA-256 of the object */
};

/* Mapped by the daemon. */
struct opelog_exec_state {
  unsigned long long
      lost_total; /* grows with every loss, so that the daemon need not look through `losses` */
  unsigned long long lost_begun; /* entries of begun logins whose losses nobody counts yet */
  unsigned long long begun;      /* logins that began; the number of one is OPELOG_RING_SERVERS and this */
  /* The daemon's own, for the one after it: how many of the losses above its records have. */
  unsigned long long told_total, told_begun;
  unsigned int told_map; /* id of the map `told`, which no program uses */
  unsigned int asleep;   /* the daemon runs no timer: the next entry must wake it */
  unsigned int muted;    /* only follows who belongs to whom: others deliver */
  unsigned int unused;
};

/* What a process belongs to. */
struct opelog_exec_member {
  unsigned long long session;
  unsigned long long exec_ns; /* of the last exec, 0 none */
  unsigned int parent;        /* who forked it, 0: from before it was joined */
  unsigned int execs;
  unsigned int quiet;    /* only its children's events are told */
  unsigned int told;     /* its end was */
  unsigned int released; /* of a begun login that concerns nobody: it, and all it starts */
  unsigned int unused;
};

#endif
