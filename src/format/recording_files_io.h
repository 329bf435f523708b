// What writer, repair, reader and directory share about a recording's files: opening them without following
// anything, and the lock that says a writer lives. For format/, and for what removes recordings.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/result.h"
#include "format/session_header.h"

namespace opelog::format {

constexpr std::string_view kLogSuffix = ".log";
constexpr std::string_view kTimeSuffix = ".time";
constexpr std::string_view kInputSuffix = ".in";
constexpr std::string_view kCompressedSuffix = ".zst";

/// A first line longer than this is none (plain script writes whole command lines there).
constexpr std::uint64_t kMaxFirstLineBytes = 1 << 20;
/// Header records are looked for in this many bytes of `.time`; ours need at most about 1 MB.
constexpr std::uint64_t kMaxHeaderBytes = 2 << 20;
/// Bytes read of a file at once.
constexpr std::size_t kReadBytes = 64 * 1024;
/// Bytes at the end of `.time` that hold the records of an end whole: they are below 1 KiB.
constexpr std::size_t kTailBytes = 4096;

struct FileFacts {
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  std::uint32_t uid = 0;
  WallUs modified = 0;
};

/// Opens a regular file; symbolic links, FIFOs and devices are refused (Code::kDenied), never waited for.
Result<Fd> open_regular(int dirfd, const std::string& name, int flags);
Result<FileFacts> look_at(int fd);

/// Takes the write lock by which one writer is told from none: of a live recording on its `.time`.
/// Code::kExists if another holds it.
Status lock_as_writer(int fd, const std::string& name);
/// Whether somebody (another open file description) holds it.
bool is_locked(int fd);

/// Where data begins again at or behind `offset`; the file's size if only a hole is left.
Result<std::uint64_t> next_data(int fd, std::uint64_t offset);

/// Up to `size` bytes at `offset`, EINTR retried; fewer only at the end of the file.
Result<std::size_t> read_at(int fd, char* data, std::size_t size, std::uint64_t offset);

/// read_at() of whatever holds the bytes.
using ReadAt = std::function<Result<std::size_t>(char* data, std::size_t size, std::uint64_t offset)>;

/// Where the data of a log file begins: behind its first line; the file's size if it is short and has no LF,
/// nullopt if it is long and has none. If `only_ours`, only a line that begins "Script started on " counts.
Result<std::optional<std::uint64_t>> data_begin(const ReadAt& read, bool only_ours);

/// Reads header records from the beginning of a `.time`. Returns why that is no timing file, "" otherwise.
Result<std::string> read_header(const ReadAt& read, std::size_t first_read, HeaderDecoder& header);

}  // namespace opelog::format
