// SessionInfo, EndInfo and GapInfo as notes of the timing file, and back. docs/formats/recording.md has the
// tables.
//
// Pure. Encoding never fails: strings beyond kMaxFieldBytes or kMaxTextBytes are cut and the note names them
// in "cut". Decoding takes any bytes: what is missing or malformed stays at its default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/session_info.h"
#include "format/timing_record.h"

namespace opelog::format {

/// Version in OPELOG_SESSION; readers take any, and ignore members they do not know.
constexpr std::int64_t kFormatVersion = 1;
/// Bytes of one string of the header (names, addresses, paths); a path is at most 4096.
constexpr std::size_t kMaxFieldBytes = 4096;
/// Bytes of `command` and `original`: execve's limit for one string.
constexpr std::size_t kMaxTextBytes = 131072;
/// Ancestors written, nearest first: deeper trees exist, but nobody's login hangs that low.
constexpr std::size_t kMaxAncestors = 32;
/// Bytes of a note's joined value that a reader keeps; what we write stays below.
constexpr std::size_t kMaxNoteBytes = kMaxParts * kSplitValueBytes;

/// What the header says about the files themselves.
struct HeaderFacts {
  std::string name;         ///< base name of the files
  bool append_only = true;  ///< the flag was set before the first byte
  bool input = false;       ///< there is an `.in`
};

/// The first line of `.log` and `.in`, as util-linux script writes it.
std::string encode_first_line(const SessionInfo& info);
/// All header records.
std::string encode_header(const SessionInfo& info, const HeaderFacts& facts);
std::string encode_gap(std::int64_t delay_us, const GapInfo& gap);
/// DURATION, EXIT_CODE (if known) and OPELOG_END, in this order.
std::string encode_end(std::int64_t delay_us, std::int64_t duration_us, const EndInfo& end);

/// A note with its parts joined and its quotes undone.
struct Note {
  std::string name, value;
  bool torn = false;  ///< cut short by a crash (or by kMaxParts)
};

/// Joins the parts of split notes. Bounded by kMaxNoteBytes.
class NoteJoiner {
 public:
  /// A note that is complete with this record, or nullopt while parts are missing. A part out of order ends
  /// the note before it, which comes out torn first; then call again with the same record.
  std::optional<Note> add(const HeaderRecord& record, bool& taken);
  /// What is unfinished at the end of the file.
  std::optional<Note> drain();

 private:
  std::string name_, value_;
  unsigned next_ = 0, parts_ = 0;  ///< parts_ 0: nothing is being joined
};

/// Fills a SessionInfo from the header's notes.
class HeaderDecoder {
 public:
  /// True if the note belongs to a header (and was taken in).
  bool take(const Note& note);
  /// Whether a name can only be a header's; ends the header phase otherwise.
  static bool is_header_name(std::string_view name);

  SessionInfo info;
  bool native = false;  ///< the first note is one of ours
  bool append_only = true;
  std::string output_log;  ///< as OUTPUT_LOG names it: outside bytes
  std::string input_log;

 private:
  bool begun_ = false;
};

std::optional<GapInfo> decode_gap(const Note& note);
struct EndRecord {
  EndInfo info;
  std::int64_t duration_us = 0;
};
std::optional<EndRecord> decode_end(const Note& note);

/// "0.507956" of DURATION as microseconds.
std::optional<std::int64_t> parse_duration(std::string_view text);
/// "2026-11-22 17:06:26+00:00", as START_TIME and the first line have it (also with `T`); nullopt for
/// anything else.
std::optional<WallUs> parse_start_time(std::string_view text);

}  // namespace opelog::format
