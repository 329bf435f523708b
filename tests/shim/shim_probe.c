/* Stands for the user's shell: prints everything a process gets from its parent, so that two ways to start it
 * can be compared byte for byte. Pids are printed only as relations to its own. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char** environ;

static void descriptors(void) {
  DIR* d = opendir("/proc/self/fd");
  if (d == NULL) return;
  for (int fd = 0; fd < 256; ++fd) {
    struct stat s;
    if (fd == dirfd(d) || fstat(fd, &s) != 0) continue;
    printf("fd %d %lx:%lx flags %x fdflags %x\n", fd, (unsigned long)s.st_dev, (unsigned long)s.st_ino,
           (unsigned)fcntl(fd, F_GETFL), (unsigned)fcntl(fd, F_GETFD));
  }
  closedir(d);
}

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) printf("arg %zu %s\n", strlen(argv[i]), argv[i]);
  for (char** e = environ; *e != NULL; ++e) printf("env %s\n", *e);
  uid_t u[3];
  gid_t g[3];
  gid_t groups[64];
  getresuid(&u[0], &u[1], &u[2]);
  getresgid(&g[0], &g[1], &g[2]);
  printf("uid %u %u %u gid %u %u %u\n", u[0], u[1], u[2], g[0], g[1], g[2]);
  int n = getgroups(64, groups);
  for (int i = 0; i < n; ++i) printf("group %u\n", groups[i]);
  mode_t mask = umask(0);
  char cwd[4096];
  printf("umask %o cwd %s\n", mask, getcwd(cwd, sizeof cwd));
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  unsigned long long all = 0; /* also what a libc keeps for itself */
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &all, sizeof all);
  printf("mask %llx\n", all);
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction a;
    if (sigaction(s, NULL, &a) != 0) continue;
    if (a.sa_handler != SIG_DFL || sigismember(&blocked, s) == 1)
      printf("signal %d%s%s\n", s, a.sa_handler == SIG_IGN ? " ignored" : "",
             sigismember(&blocked, s) == 1 ? " blocked" : "");
  }
  for (int i = 0; i < RLIMIT_NLIMITS; ++i) {
    struct rlimit r;
    if (getrlimit((__rlimit_resource_t)i, &r) == 0)
      printf("limit %d %llu %llu\n", i, (unsigned long long)r.rlim_cur, (unsigned long long)r.rlim_max);
  }
  printf("leader %d group-leader %d dumpable %d no-new-privs %d nice %d\n", getsid(0) == getpid(),
         getpgrp() == getpid(), prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
         getpriority(PRIO_PROCESS, 0));
  descriptors();
  fflush(stdout);
  const char* status = getenv("PROBE_EXIT");
  if (status != NULL && status[0] == 's') raise(atoi(status + 1));
  return status != NULL ? atoi(status) : 0;
}
