// Tar: the one place that knows the library. Pure: bytes come and go through functions.
//
// Only what is plain: regular files, one after the other, in any of tar's formats, not compressed. A member's
// bytes lie in the archive as they are, so a reader is told where, and needs no more of this. Any bytes come
// to a named end; memory is bounded (special headers: 1 MiB).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "format/recording_files_io.h"

namespace opelog::format {

struct TarMember {
  std::string name;
  std::uint64_t offset = 0, size = 0;  ///< of its bytes in the archive
};

class TarReader {
 public:
  /// `read` gives an archive of `size` bytes, and outlives the reader. Code::kInvalid if it is none.
  static Result<TarReader> open(const ReadAt& read, std::uint64_t size);
  ~TarReader();
  TarReader(TarReader&& other) noexcept;
  TarReader& operator=(TarReader&&) = delete;

  /// nullopt at the archive's end. Code::kInvalid: damaged, cut, or a member that is no plain file.
  Result<std::optional<TarMember>> next();

 private:
  struct State;
  explicit TarReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class TarWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;
  explicit TarWriter(Sink sink);
  ~TarWriter();
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  /// The next member, of exactly `size` bytes: root's, mode 0600. Same members, same archive.
  Status begin(const std::string& name, std::uint64_t size, WallUs modified);
  Status write(std::string_view bytes);
  /// The archive's end.
  Status finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace opelog::format
