// NewFile: a file that appears under its name whole, or not at all.
//
// It is written without a name (O_TMPFILE; where a file system lacks that, under a hidden name beside it) and
// gets its name in keep(). Whoever is killed before leaves nothing. Mode 0600: what is in a recording is
// nobody else's business until its reader says so. What exists is replaced only if asked for, and only a
// regular file.
#pragma once

#include <string>
#include <string_view>

#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::cli {

class NewFile {
 public:
  static Result<NewFile> create(const std::string& path, bool replace);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Status write(std::string_view bytes);
  /// Gives it its name; on the disk when this returns.
  Status keep();
  /// Takes the name away again, if it is not one that stood for another file before.
  void withdraw();

 private:
  NewFile(std::string path, bool replace) : path_(std::move(path)), replace_(replace) {}
  [[nodiscard]] std::string hidden() const;

  std::string path_;
  bool replace_;
  Fd fd_;
  std::string temporary_;  ///< its hidden name, "" if it has none
  bool kept_ = false;
};

}  // namespace opelog::cli
