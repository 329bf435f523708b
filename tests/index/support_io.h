// What the tests of index/ share: recordings of given output, an index beside them, and what a search finds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../format/support_io.h"
#include "index/indexer_io.h"
#include "index/search_io.h"

namespace opelog::index::testing {

/// A directory of recordings and the index to it.
class Archive {
 public:
  /// Begins a recording; the writer holds it (live) until it is ended.
  std::unique_ptr<format::RecordingWriter> begin(const std::string& user, int day, const std::string& output);
  static void add(format::RecordingWriter& writer, const std::string& output, std::int64_t at_us);
  /// A whole one.
  std::string make(const std::string& user, int day, const std::string& output);

  IndexReport update(bool rebuild = false);
  /// "USER:TEXT" of each hit, "USER$TEXT" of commands, in order; | where output is missing, ! a part of a
  /// command is, ? perhaps it did not run. `from_index`: or by reading the recordings.
  std::vector<std::string> find(const std::string& pattern, bool from_index = true,
                                PatternKind kind = PatternKind::kSubstring);
  [[nodiscard]] std::string index() const { return index_.file("index.db"); }
  [[nodiscard]] std::string directory() const { return recordings_.path(); }
  [[nodiscard]] std::string file(const std::string& name) const { return recordings_.file(name); }

  std::vector<std::string> remarks;  ///< of the last update()
  std::string problem;               ///< of the last find()
  std::size_t left_out = 0;          ///< of the last find()
  Lacking lacking;                   ///< of the last find()

 private:
  format::testing::TempDir recordings_, index_;
};

/// First column of the first row, by a connection of its own.
std::int64_t ask(const std::string& database, const std::string& sql);

}  // namespace opelog::index::testing
