// SealedTiming: what a verifier reads out of `.time`: the opening entry, the lines that are seals, and where
// in the session each stands. Pure.
//
// Takes any bytes: a line that is no record counts as plain bytes. Bounded: one line, and some 400 bytes for
// each seal up to kMaxSeals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/session_header.h"
#include "seal/seal_record.h"

namespace opelog::seal {

/// A recording with more seals than this is not checked to its end, which is a finding: about 12 days of
/// activity.
constexpr std::size_t kMaxSeals = 1 << 20;

struct SealLine {
  Seal seal;
  std::uint64_t begin = 0, end = 0;  ///< of the line in `.time`, LF included
  std::int64_t at_us = 0;            ///< sum of the delays up to it
  std::string command;               ///< program of the last exec event before it
};

class SealedTiming {
 public:
  void feed(std::string_view bytes);
  void finish();

  std::string opened;  ///< value of the first OPELOG_OPENED
  std::vector<SealLine> seals;
  std::uint64_t size = 0;
  bool begins_whole = false;  ///< the first line is a recording's
  bool too_many = false;
  std::uint64_t gaps = 0;
  std::string first_gap;  ///< what, why
  bool ended = false, crashed = false;
  std::int64_t at_us = 0;  ///< sum of all delays

 private:
  void take_line(std::string_view line);
  void take_note(const format::Note& note);
  std::string line_;
  std::uint64_t line_begin_ = 0;
  bool first_ = true, skipping_ = false;
  format::NoteJoiner joiner_;
  std::string command_;
};

}  // namespace opelog::seal
