/* The messages between opelog-shell (C, the user's side) and opelogd over the login socket.
 *
 * SOCK_SEQPACKET, one frame per packet, host byte order: both ends are one build on one host.
 * Everything the shim says is a claim: uid, gid and pid come from the socket, never from here.
 * docs/formats/login-protocol.md is the reference; plain C so that both languages share it.
 *
 *   shim                         daemon
 *   HELLO (+ terminal)      ->
 *                           <-   VERDICT (+ descriptors)      PASS and REFUSE end the talk
 *   STARTED pid             ->
 *   RESIZED size            ->   (each SIGWINCH; of a terminal it has taken the daemon reads the size itself)
 *   ENDED wait-status       ->
 *                           <-   DONE                         everything drained: leave now
 * Either side closing early ends the session.
 */
#ifndef OPELOG_RECORD_LOGIN_PROTOCOL_H
#define OPELOG_RECORD_LOGIN_PROTOCOL_H

#include <stdint.h>

#define OPELOG_LOGIN_MAGIC 0x314c504fu /* "OPL1" */

enum opelog_frame_type {
  OPELOG_HELLO = 1,
  OPELOG_VERDICT = 2,
  OPELOG_STARTED = 3,
  OPELOG_RESIZED = 4,
  OPELOG_ENDED = 5,
  OPELOG_DONE = 6
};

/* How the shim was started. */
enum opelog_how {
  OPELOG_HOW_LOGIN = 1,   /* as the login shell: argv[0] begins with '-', or no arguments */
  OPELOG_HOW_COMMAND = 2, /* as the login shell with -c CMD */
  OPELOG_HOW_FORCE = 3,   /* --force: ForceCommand; the command is SSH_ORIGINAL_COMMAND, if any */
  OPELOG_HOW_HOOK = 4,    /* --hook: exec from /etc/profile.d */
  OPELOG_HOW_REC = 5,     /* --rec [-- CMD...]: a recorded shell at the user's own wish */
  OPELOG_HOW_QUERY = 6    /* --query: would a login here be recorded now? No descriptors. */
};

/* What one of the shim's 0, 1, 2 is. The daemon never gets the descriptor itself: its owner could make any
 * call on it wait (docs/why/060-descriptors.md). KEPT: the shell gets it as it is, and what passes there is
 * in no record; the recording says so, and which kind it was. */
enum opelog_stream {
  OPELOG_STREAM_NONE = 0,          /* the login's terminal, and with QUERY */
  OPELOG_STREAM_SOCKET = 1,        /* a stream socket: relayed */
  OPELOG_STREAM_PIPE = 2,          /* a pipe, named or not, open in its direction: relayed */
  OPELOG_STREAM_AS_0 = 3,          /* the same socket as 0, which is relayed */
  OPELOG_STREAM_AS_1 = 4,          /* of 2 only: the same socket or pipe as 1, which is relayed */
  OPELOG_STREAM_KEPT_TERMINAL = 5, /* a terminal, but not the login's */
  OPELOG_STREAM_KEPT_FILE = 6,
  OPELOG_STREAM_KEPT_DEVICE = 7,
  OPELOG_STREAM_KEPT_OTHER =
      8 /* a datagram socket, a pipe open in the wrong direction or beside a terminal */
};

static inline int opelog_is_relayed(uint8_t stream) {
  return stream == OPELOG_STREAM_SOCKET || stream == OPELOG_STREAM_PIPE;
}
static inline int opelog_is_kept(uint8_t stream) {
  return stream >= OPELOG_STREAM_KEPT_TERMINAL && stream <= OPELOG_STREAM_KEPT_OTHER;
}

/* Whether the terminal comes with HELLO, for the daemon to take it out of the user's hands. One that stays
 * his (REC) never does: to read from it, to write to it, to close it could be made to wait. */
static inline int opelog_terminal_comes(uint32_t how, uint8_t terminals) {
  return terminals != 0 && how != OPELOG_HOW_REC;
}

enum opelog_action {
  OPELOG_PASS = 1,            /* run the shell on the descriptors you have */
  OPELOG_RECORD_TERMINAL = 2, /* descriptors: inner slave, then the outer terminal anew; with REC, whose
                               * terminal nobody took, the waiter's end of what is shown and typed there */
  OPELOG_RECORD_STREAMS =
      3, /* descriptors: for each relayed stream the waiter's socket on the shell's side and on the user's */
  OPELOG_REFUSE = 4 /* print message, exit with exit_code */
};

#define OPELOG_MAX_TERM 128u       /* bytes of TERM sent; longer is cut */
#define OPELOG_MAX_COMMAND 131072u /* MAX_ARG_STRLEN: execve takes no longer single string */
#define OPELOG_MAX_CLAIM 256u      /* bytes of SSH_CONNECTION sent */
#define OPELOG_MAX_PATH 4096u
#define OPELOG_MAX_MESSAGE 4096u /* notice or refusal */
#define OPELOG_MAX_SESSION 128u  /* bytes of a session id: printable ASCII */
#define OPELOG_MAX_FRAME 200000u /* below net.core.wmem_default (212992), which bounds one packet */

struct opelog_frame {
  uint32_t magic;
  uint32_t type;
};

/* Followed by term, command, original (SSH_ORIGINAL_COMMAND), claim (SSH_CONNECTION): bytes, no NUL. */
struct opelog_hello {
  struct opelog_frame frame;
  uint32_t how;
  uint32_t has_command;  /* 1: command counts even if empty */
  uint32_t has_original; /* 1: SSH_ORIGINAL_COMMAND was set */
  uint8_t terminals;     /* bit N: descriptor N is the login's terminal, which 0 is; 0: 0 is none */
  uint8_t streams[3];    /* enum opelog_stream of 0, 1, 2 */
  uint16_t rows, cols;   /* of the terminal, 0 if none */
  uint32_t term_length, command_length, original_length, claim_length;
};

/* Followed by shell (absolute path), message, session (id): bytes, no NUL. */
struct opelog_verdict {
  struct opelog_frame frame;
  uint32_t action;
  uint32_t exit_code; /* for REFUSE */
  uint32_t replace;   /* RECORD_TERMINAL: HELLO's `terminals`: bit N set: descriptor N becomes the slave */
  uint32_t recorded;  /* answer to QUERY: 1 a login here would be recorded or refused, 0 it would pass */
  uint32_t shell_length, message_length, session_length;
};

struct opelog_started {
  struct opelog_frame frame;
  int32_t pid; /* of the real shell, in the shim's pid namespace */
};

/* The size counts with REC only. It is the user's word, as what he sets his terminal to is. */
struct opelog_resized {
  struct opelog_frame frame;
  uint16_t rows, cols, width, height; /* as in the kernel's struct winsize; width and height in pixels */
};

struct opelog_ended {
  struct opelog_frame frame;
  int32_t exited; /* 1: status is an exit code; 0: status is a signal number */
  int32_t status;
};

/* Device numbers of what one can sit at: pty slaves (136 to 143), consoles (4), serial lines of several
 * kinds. Not 5: /dev/tty, and /dev/ptmx, whose node is everybody's. */
static inline int opelog_is_terminal_major(unsigned number) {
  return (number >= 136 && number <= 143) || number == 4 || number == 204 || number == 229 || number == 166 ||
         number == 188;
}

/* A waiter that was told to leave (DONE) is ended by force after this. */
#define OPELOG_LEAVE_SECONDS 5

/* Exit codes of opelog-shell itself, when no shell ran: sysexits. */
#define OPELOG_EXIT_USAGE 64
#define OPELOG_EXIT_UNAVAILABLE 69 /* the daemon cannot be reached and the policy says refuse */
#define OPELOG_EXIT_REFUSED 77     /* the policy refuses this login */
#define OPELOG_EXIT_EXEC 126       /* the real shell could not be started */
#define OPELOG_EXIT_NOT_FOUND 127  /* it does not exist */

#endif
