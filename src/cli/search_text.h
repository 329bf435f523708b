// How a hit of `search` is told to people and to programs. Pure.
#pragma once

#include <functional>
#include <string>

#include "core/clock.h"
#include "index/search_io.h"

namespace opelog::cli {

/// Bytes of a line that are shown on each side of the match.
constexpr std::size_t kAround = 160;

/// A part of the line with the match in it, made safe; the match in colour if wanted.
std::string excerpt(const std::string& line, index::Match match, bool colour);

/// "opelog play NAME --at 1:23", fit for a shell; `directory` "" for the usual one.
std::string play_line(const std::string& directory, const std::string& name, std::int64_t at_us);

/// Two lines with LF: when, who, what; how to see it. `local` writes a moment.
std::string hit_text(const index::IndexedSession& session, const index::Hit& hit,
                     const std::string& directory, bool colour,
                     const std::function<std::string(WallUs)>& local);

/// The columns of `search --csv`, and one hit; lines with CR LF. `time` as it is to stand there, "" where it
/// is not known.
std::string hit_csv_titles();
std::string hit_csv_line(const index::IndexedSession& session, const index::Hit& hit,
                         const std::string& directory, const std::string& time);

/// One JSON object without LF; pure ASCII.
std::string hit_json(const index::IndexedSession& session, const index::Hit& hit,
                     const std::string& directory);

}  // namespace opelog::cli
