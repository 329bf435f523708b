// Result<T>: how every failure that the outside can cause is returned.
//
// Shaped like std::expected (absent in g++ 12). An Error is a value that somebody chose: a short code
// for programs, a sentence for people, and errno where the kernel said something. Assertions are for
// our own mistakes only; exceptions never leave the file that includes the library that throws them.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace opelog {

/// What kind of failure; the CLI's exit codes follow from it (docs/exit-codes.md).
enum class Code {
  kInvalid,      ///< malformed input: file, argument, message
  kNotFound,     ///< the thing named does not exist
  kExists,       ///< it exists already
  kDenied,       ///< permission, policy
  kUnsupported,  ///< this kernel or file system lacks the feature
  kLimit,        ///< a stated bound was reached
  kIo,           ///< the kernel refused; `err` says why
  kGone,         ///< the peer or process ended meanwhile
};

/// Stable lower-case word for a code ("invalid", "not-found", …).
const char* code_name(Code code) noexcept;

/// A failure. `message` is one line without a trailing period, complete for a person: what, where, remedy.
struct Error {
  Code code = Code::kIo;
  std::string message;
  int err = 0;  ///< errno, 0 where the kernel was not involved
};

/// An Error from errno: "`what`: No such file or directory". ENOENT, EEXIST, EPERM/EACCES and
/// EOPNOTSUPP/ENOTTY choose their code, everything else is kIo.
Error error_from_errno(int err, std::string what);

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-*)
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-*)

  [[nodiscard]] bool ok() const noexcept { return v_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&v_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&v_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&v_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&v_);
  }
  [[nodiscard]] Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&v_));
  }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : e_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-*)
  [[nodiscard]] bool ok() const noexcept { return e_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&e_);
  }
  [[nodiscard]] Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&e_));
  }

 private:
  std::variant<std::monostate, Error> e_;
};

using Status = Result<void>;

}  // namespace opelog
