// OuterTerminal: the terminal an operator sits at, taken out of his hands and given back at the end.
//
// Taking, in this order (each step closes a hole that was seen): an own open file description, node to
// root 0600, nobody else may open it (TIOCEXCL: who owns the pty's master needs no node for that, he has
// TIOCGPTPEER), raw mode, type-ahead read, every descriptor opened before revoked (TIOCVHANGUP), opened anew
// (which CAP_SYS_ADMIN may), raw again, size restored. After that only we hold it; the shim gets one
// descriptor to make it its controlling terminal again, so that SIGWINCH still arrives. Only what can be
// taken so is ever touched: a terminal that stays the user's (`opelog rec`) is his waiter's alone, because
// every call on it could be made to wait (docs/why/060-descriptors.md).
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::record {

struct TerminalSize {
  int rows = 0, cols = 0;
  int width = 0, height = 0;  ///< pixels, as the terminal says
  bool operator==(const TerminalSize&) const = default;
};

Result<TerminalSize> terminal_size(int fd);
Status set_terminal_size(int fd, const TerminalSize& size);

/// How it was before it was taken; plain, for memory that outlives the process.
struct OuterTerminalMark {
  termios saved;
  std::uint32_t owner, group, mode;
  std::int32_t exclusive;
};

class OuterTerminal {
 public:
  /// Looks only; nothing is changed. One that a killed daemon left raw and root's counts as a login's
  /// terminal again. `fd` must be a terminal (terminal_check_io.h).
  static Result<std::unique_ptr<OuterTerminal>> open(int fd);
  /// One that another process has taken (mark(), keep_node()) and did not give back.
  static std::unique_ptr<OuterTerminal> resume(Fd fd, std::string path, const OuterTerminalMark& mark);
  [[nodiscard]] OuterTerminalMark mark() const noexcept;
  /// For another process to resume(): nothing is given back here any more.
  void leave() noexcept { changed_ = false; }
  /// Takes it out of the operator's hands. On failure the destructor puts back what was changed.
  Status seize();
  /// give_back(), if not yet done.
  ~OuterTerminal();
  OuterTerminal(const OuterTerminal&) = delete;
  OuterTerminal& operator=(const OuterTerminal&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const termios& saved() const noexcept { return saved_; }
  [[nodiscard]] const TerminalSize& size_at_start() const noexcept { return size_; }
  /// What had been typed before we took it; at most 4095 bytes (the line discipline's buffer).
  [[nodiscard]] const std::string& type_ahead() const noexcept { return type_ahead_; }
  /// Another description of it for the shim. Moves out: once.
  [[nodiscard]] Fd take_shim_descriptor() noexcept { return std::move(for_shim_); }

  /// The node stays root's in give_back(): for a terminal that ends with the login, whose user could write to
  /// it until sshd has read the last of it.
  void keep_node() noexcept { keeps_node_ = true; }
  [[nodiscard]] bool keeps_node() const noexcept { return keeps_node_; }
  /// Settings, owner and mode as they were. Harmless on a dead terminal.
  void give_back() noexcept;
  /// The descriptor of a terminal that was given back and is its user's again, to be closed where that may
  /// wait; invalid if the node stays root's. Moves out: once.
  [[nodiscard]] Fd take_last() noexcept { return keeps_node_ ? Fd() : std::move(fd_); }

 private:
  OuterTerminal() = default;
  Fd fd_, for_shim_;
  std::string path_, type_ahead_;
  termios saved_{};
  TerminalSize size_;
  uid_t owner_ = 0;
  gid_t group_ = 0;
  mode_t mode_ = 0;
  int exclusive_ = 0;  ///< it was so before
  bool changed_ = false;
  bool keeps_node_ = false;
};

}  // namespace opelog::record
