#include "replay/exporter.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/fact.h"

namespace opelog::replay {

std::string gap_text(const format::GapInfo& gap) {
  std::string text = "not recorded: " + gap.what;
  if (gap.count > 0) text += ", " + std::to_string(gap.count) + " events";
  if (gap.bytes > 0) text += ", " + std::to_string(gap.bytes) + " bytes";
  return text + (gap.why.empty() ? "" : ": " + gap.why);
}

namespace {

std::string end_text(const format::EndInfo& end) {
  std::string text = std::string("ended: ") + format::end_reason_word(end.reason);
  if (end.exit_code) text += ", exit status " + std::to_string(*end.exit_code);
  if (end.signal) text += ", signal " + std::to_string(*end.signal);
  return text;
}

std::string marker_text(const Command& command) {
  std::string text = command_on_one_line(command.text);
  std::string mark = mark_of(command.renamed, command.foreign_mounts);
  if (!mark.empty()) mark = "  (" + printable(mark) + ")";
  if (text.size() <= kMaxMarker) return text + mark;
  std::size_t end = kMaxMarker - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "..." + mark;
}

}  // namespace

Exporter::Exporter(const ExportOptions& options, const format::SessionInfo& info,
                   const std::vector<Command>& commands)
    : options_(options), writer_(make_export_writer(options.format)) {
  for (const Command& command : commands)
    if (!command.helper) markers_.push_back({command.begin_us, marker_text(command)});
  header_.info = info;
  header_.from_us = options.from_us;
  header_.whole = options.from_us == 0 && !options.to_us;
}

bool Exporter::take(const format::Event& event, ExportBytes& out) {
  if (options_.to_us && event.at_us > *options_.to_us) return false;
  ExportEvent mine;
  mine.at_us = event.at_us;
  switch (event.kind) {
    case format::Event::Kind::kOutput:
      mine.bytes = event.bytes;
      break;
    case format::Event::Kind::kInput:
      saw_input_ = true;
      if (!options_.input) return true;
      mine.kind = ExportEvent::Kind::kInput;
      mine.bytes = event.bytes;
      break;
    case format::Event::Kind::kResize:
      mine.kind = ExportEvent::Kind::kResize;
      mine.rows = event.rows;
      mine.cols = event.cols;
      break;
    case format::Event::Kind::kGap:
      if (!event.gap) return true;
      mine.kind = ExportEvent::Kind::kGap;
      mine.bytes = gap_text(*event.gap);
      mine.of_output = event.gap->what == kOutputGap;
      break;
    case format::Event::Kind::kEnd:
      mine.kind = ExportEvent::Kind::kEnd;
      if (event.end) {
        mine.bytes = end_text(*event.end);
        mine.exit_status = event.end->exit_code;
        if (event.end->signal) mine.exit_status = 128 + *event.end->signal;
      }
      break;
    case format::Event::Kind::kNote:
    case format::Event::Kind::kSignal:
      return true;
  }
  give_markers(event.end ? std::numeric_limits<std::int64_t>::max() : event.at_us, out);
  give(std::move(mine), out);
  return true;
}

void Exporter::give_markers(std::int64_t before_us, ExportBytes& out) {
  for (; next_marker_ < markers_.size() && markers_[next_marker_].at_us < before_us; ++next_marker_) {
    const Marker& marker = markers_[next_marker_];
    if (options_.to_us && marker.at_us > *options_.to_us) continue;
    ExportEvent mine;
    mine.kind = ExportEvent::Kind::kCommand;
    mine.at_us = marker.at_us;
    mine.bytes = marker.text;
    give(std::move(mine), out);
  }
}

void Exporter::give(ExportEvent event, ExportBytes& out) {
  event.at_us = given_us_ = std::max(event.at_us, given_us_);
  const bool before = event.at_us < options_.from_us;
  const bool resize = event.kind == ExportEvent::Kind::kResize;
  if (before && !writer_->draws()) {
    if (resize) {
      header_.info.rows = event.rows;
      header_.info.cols = event.cols;
    }
    return;
  }
  const bool drawn =
      resize || event.kind == ExportEvent::Kind::kOutput || event.kind == ExportEvent::Kind::kGap;
  if (before && !drawn) return;
  begin(out);
  writer_->event(event, out);
}

void Exporter::begin(ExportBytes& out) {
  if (!std::exchange(begun_, true)) writer_->begin(header_, out);
}

void Exporter::finish(ExportBytes& out) {
  give_markers(std::numeric_limits<std::int64_t>::max(), out);
  begin(out);
  writer_->finish(out);
}

}  // namespace opelog::replay
