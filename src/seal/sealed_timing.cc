#include "seal/sealed_timing.h"

#include <algorithm>

#include "format/exec_record.h"
#include "format/timing_record.h"

namespace opelog::seal {
namespace {

constexpr std::string_view kFirstLine = "H 0.000000 OPELOG_SESSION ";
constexpr std::string_view kFinalPrefix = "H 0.000000 OPELOG_SEAL ";
constexpr std::size_t kMaxCommandBytes = 200;

}  // namespace

void SealedTiming::feed(std::string_view bytes) {
  size += bytes.size();
  while (!bytes.empty()) {
    const std::size_t lf = bytes.find('\n');
    const std::string_view part = bytes.substr(0, lf);
    if (!skipping_) {
      if (line_.empty() && lf != std::string_view::npos) {
        take_line(part);
      } else {
        line_ += part;
        if (lf != std::string_view::npos) take_line(line_);
        // No line of ours; it ends where it ends.
        if (line_.size() > format::kMaxLineBytes) skipping_ = true;
      }
    }
    if (lf == std::string_view::npos) return;
    line_begin_ = size - bytes.size() + lf + 1;
    line_.clear();
    skipping_ = false;
    bytes.remove_prefix(lf + 1);
  }
}

void SealedTiming::finish() {
  // Cut within its first line.
  if (first_) begins_whole = line_.substr(0, kFirstLine.size()) == kFirstLine;
  if (auto note = joiner_.drain()) take_note(*note);
}

void SealedTiming::take_line(std::string_view line) {
  if (std::exchange(first_, false)) begins_whole = line.substr(0, kFirstLine.size()) == kFirstLine;
  if (line.empty()) return;
  if (line.front() == 'O' || line.front() == 'I') {  // most lines: only their delay counts
    format::TimingRecord data;
    if (format::parse_timing_line(line, false, data).empty())
      at_us = std::min(at_us + format::delay_of(data), format::kMaxTimeUs);
    return;
  }
  format::TimingRecord record;
  if (!format::parse_timing_line(line, false, record).empty()) return;
  at_us = std::min(at_us + format::delay_of(record), format::kMaxTimeUs);
  const auto* header = std::get_if<format::HeaderRecord>(&record);
  if (header == nullptr) return;
  if (header->name == format::kOpelogSeal) {
    auto seal = parse_seal(header->value);
    if (!seal || encode_seal(*seal) != header->value) return;
    if (seal->final && line != std::string(kFinalPrefix) + header->value) return;
    if (seals.size() == kMaxSeals) {
      too_many = true;
      return;
    }
    const std::uint64_t end = line_begin_ + line.size() + 1;
    seals.push_back({*seal, line_begin_, end, at_us, command_});
    return;
  }
  for (bool taken = false; !taken;) {
    if (auto note = joiner_.add(*header, taken)) take_note(*note);
  }
}

void SealedTiming::take_note(const format::Note& note) {
  if (note.name == format::kOpelogOpened) {
    if (opened.empty()) opened = note.value;
  } else if (note.name == format::kOpelogGap) {
    const auto gap = format::decode_gap(note);
    if (gaps++ == 0) first_gap = gap ? gap->what + ": " + gap->why : "it cannot be read";
  } else if (note.name == format::kOpelogExec) {
    if (auto exec = format::decode_exec(note)) {
      command_ = exec->info.exe;
      if (!exec->info.argv.empty()) command_ = exec->info.argv.front();
      for (std::size_t i = 1; i < exec->info.argv.size() && command_.size() < kMaxCommandBytes; ++i)
        command_ += " " + exec->info.argv[i];
      command_.resize(std::min(command_.size(), kMaxCommandBytes));
    }
  } else if (auto end = format::decode_end(note)) {
    ended = true;
    crashed = end->info.reason == format::EndReason::kCrash;
  }
}

}  // namespace opelog::seal
