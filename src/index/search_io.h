// Search: what was typed, run and shown, over many recordings: from the index where that is up to date, from
// the recordings themselves where it is not.
//
// Nothing is written. plan() says which sessions there are; session() gives one session's hits in order of
// time. An index that turns out to be damaged is left (problem() says so) and the recordings are read.
// Memory: 16 bytes for each block that may match, some MiB of blocks, and the hits of one session up to
// kMaxKeptHits. Blocks are looked through by two threads, never more than one session's at once. What an
// operator typed stands on his screen too, and its process was executed: they are no second hits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "index/index_store_io.h"
#include "index/pattern.h"

namespace opelog::index {

/// Bytes of one session's hits that are sorted; more come out in pieces.
constexpr std::size_t kMaxKeptHits = 16 << 20;
/// Output of a recording that is newer than the index and is read all the same; of all of them.
constexpr std::uint64_t kCheapBytes = 8 << 20, kCheapBytesOfAll = 64 << 20;

struct Hit {
  std::int64_t at_us = 0;    ///< since the session's start
  std::uint64_t offset = 0;  ///< of the output
  bool is_command = false;
  SessionCommand command;   ///< if it is one
  std::string line;         ///< of the screen, or of the command; may hold any bytes there
  Match match;              ///< the first one in `line`
  unsigned gaps = kNoGap;   ///< beside a line of the screen
  bool by_program = false;  ///< it is in what the command's processes really are, at the end of `line`
};
/// false: enough.
using HitSink = std::function<bool(const IndexedSession& session, const Hit& hit)>;

struct SearchRequest {
  std::string directory;
  std::string index;  ///< "": the recordings are read
  bool text = true, commands = true;
  bool all_newer = false;              ///< read whatever is newer than the index, however large
  std::optional<WallUs> since, until;  ///< of a hit
  std::function<bool(const std::string& name)> name_wanted;   ///< a first look; may be empty
  std::function<bool(const IndexedSession&)> session_wanted;  ///< may be empty
};

struct PlannedSession {
  IndexedSession session;  ///< row 0: the recording is read
  bool left_out = false;   ///< newer than the index and too large; its row may hold what came before
};

/// Recordings searched that do not hold, or did not give, all that was shown.
struct Lacking {
  std::size_t with_gaps = 0;  ///< output is missing in them, as they say themselves
  std::size_t damaged = 0;    ///< could be read only up to some place
};

class Search {
 public:
  Search(SearchRequest request, Pattern pattern);
  ~Search();
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  /// The sessions to be searched, oldest first. Code::kNotFound if there is no such directory.
  Result<std::vector<PlannedSession>> plan();
  /// false: the sink had enough. A recording that cannot be read is an error; others may still be.
  Result<bool> session(const PlannedSession& planned, const HitSink& sink);

  /// Of those that session() has been through.
  [[nodiscard]] const Lacking& lacking() const noexcept;
  [[nodiscard]] bool indexed() const noexcept;                ///< whether there is an index that serves
  [[nodiscard]] const std::string& problem() const noexcept;  ///< why not; "" if none was asked for

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace opelog::index
