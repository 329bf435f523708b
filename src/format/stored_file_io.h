// StoredFile: the bytes of a recording's file as they were recorded, whether it lies there plain, compressed,
// or under the name a rotation gave it.
//
// For reader, directory and verifier: they ask for bytes by their place in what was recorded, and need not
// know how it is stored. Nothing is ever written, nothing unpacked to disk. Memory is bounded whatever the
// bytes: a buffer, and the window of the compressor (128 MiB at most, which is what `zstd -d` takes). Damaged
// or cut compressed bytes come to a named end: what can be unpacked before the damage is given out, then
// Code::kInvalid with the file and the byte in it. The interface needs no compression library to link;
// open_stored() does (CMake: opelog_stored), so a room of the daemon takes a StoredFile& and lets the reading
// tools open it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "format/recording_files_io.h"
#include "format/recording_list_io.h"
#include "format/stored_name.h"

namespace opelog::format {

class StoredFile {
 public:
  virtual ~StoredFile() = default;
  StoredFile(const StoredFile&) = delete;
  StoredFile& operator=(const StoredFile&) = delete;

  /// Up to `size` bytes at `offset` of what was recorded; fewer only at the end (0: nothing there), or before
  /// damage, which the next call then names. Of a plain file any order is cheap, and a file that grows shows
  /// what is new; of a compressed one only onward: going back unpacks from the beginning again.
  virtual Result<std::size_t> read_at(char* data, std::size_t size, std::uint64_t offset) = 0;

  /// Bytes that were recorded. Exact: a compressed file is unpacked to its end for it, once.
  virtual Result<std::uint64_t> size() = 0;

  /// The same at once, as far as one can say without unpacking: a compressed file's own claim, if it makes
  /// one. Good for a listing, not for a verdict.
  [[nodiscard]] virtual std::optional<std::uint64_t> claimed_size() const = 0;

  /// The last `size` bytes, fewer if there are fewer.
  virtual Result<std::string> last(std::size_t size) = 0;

  /// Where data begins again at or behind `offset` if a hole of the file lies there; `offset` where none
  /// does.
  virtual Result<std::uint64_t> next_data(std::uint64_t offset) = 0;

  /// Of the file that is stored: for its lock and flags.
  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
  /// Of the file that is stored: `size` is the bytes on disk.
  [[nodiscard]] const FileFacts& facts() const noexcept { return facts_; }
  /// How it is stored; `name` is that of the file in its directory.
  [[nodiscard]] const StoredName& stored() const noexcept { return stored_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Nothing was done to it: neither rotated nor compressed.
  [[nodiscard]] bool as_written() const noexcept {
    return stored_.encoding == Encoding::kPlain && stored_.rotation.empty();
  }

 protected:
  StoredFile(Fd fd, FileFacts facts, std::string name)
      : fd_(std::move(fd)), facts_(facts), stored_(parse_stored_name(name)), name_(std::move(name)) {}

  Fd fd_;
  FileFacts facts_;

 private:
  StoredName stored_;
  std::string name_;
};

/// Opens exactly the file `directory` + `name` (the directory with its slash, or ""). Never follows a link,
/// never waits for a FIFO (Code::kDenied).
Result<std::unique_ptr<StoredFile>> open_stored_file(const std::string& directory, const std::string& name);

/// The same of a descriptor that is open already, read as `name` says.
Result<std::unique_ptr<StoredFile>> stored_file_of(Fd fd, const std::string& name);

/// Opens what holds the bytes written as `directory` + `file` ("x.log"), wherever it is now: the plain file,
/// unless it is empty; then `.zst`, `.gz`; then, of its rotations, the one with the most content (by its own
/// claim; of equal ones the first by name). Those without content come last. Code::kNotFound if there is none
/// at all. `list`, if given, is of this directory, and saves reading it.
Result<std::unique_ptr<StoredFile>> open_stored(const std::string& directory, const std::string& file,
                                                const RecordingList* list = nullptr);

/// The same without a look at rotations.
Result<std::unique_ptr<StoredFile>> open_not_rotated(const std::string& directory, const std::string& file);

}  // namespace opelog::format
