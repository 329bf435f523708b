#include "replay/exporter.h"

#include <algorithm>
#include <utility>

namespace opelog::replay {
namespace {

std::string gap_text(const format::GapInfo& gap) {
  std::string text = "not recorded: " + gap.what;
  if (gap.count > 0) text += ", " + std::to_string(gap.count) + " events";
  if (gap.bytes > 0) text += ", " + std::to_string(gap.bytes) + " bytes";
  return text + (gap.why.empty() ? "" : ": " + gap.why);
}

std::string end_text(const format::EndInfo& end) {
  std::string text = std::string("ended: ") + format::end_reason_word(end.reason);
  if (end.exit_code) text += ", exit status " + std::to_string(*end.exit_code);
  if (end.signal) text += ", signal " + std::to_string(*end.signal);
  return text;
}

}  // namespace

Exporter::Exporter(const ExportOptions& options, const format::SessionInfo& info)
    : options_(options), writer_(make_export_writer(options.format)) {
  header_.info = info;
  header_.from_us = options.from_us;
  header_.whole = options.from_us == 0 && !options.to_us;
}

bool Exporter::take(const format::Event& event, ExportBytes& out) {
  // What is late belongs to the part if it happened in it.
  if (options_.to_us && event.at_us > *options_.to_us + kExportHoldUs) return false;
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
    case format::Event::Kind::kNote: {
      auto command = commands_.take({event.name, event.value, false});
      if (!command) return true;
      mine.kind = ExportEvent::Kind::kCommand;
      mine.at_us = std::min(command->at_us, event.at_us);
      mine.bytes = std::move(command->text);
      break;
    }
    case format::Event::Kind::kGap:
      if (!event.gap) return true;
      mine.kind = ExportEvent::Kind::kGap;
      mine.bytes = gap_text(*event.gap);
      break;
    case format::Event::Kind::kEnd:
      mine.kind = ExportEvent::Kind::kEnd;
      if (event.end) {
        mine.bytes = end_text(*event.end);
        mine.exit_status = event.end->exit_code;
        if (event.end->signal) mine.exit_status = 128 + *event.end->signal;
      }
      break;
    case format::Event::Kind::kSignal:
      return true;
  }
  hold(std::move(mine), out);
  return true;
}

void Exporter::hold(ExportEvent event, ExportBytes& out) {
  const std::int64_t now = held_.empty() ? event.at_us : std::max(event.at_us, held_.back().at_us);
  auto place = held_.end();
  while (place != held_.begin() && std::prev(place)->at_us > event.at_us) --place;
  held_bytes_ += event.bytes.size();
  held_.insert(place, std::move(event));
  while (!held_.empty() && (held_.front().at_us + kExportHoldUs < now || held_bytes_ > kExportHoldBytes ||
                            held_.size() > kExportHoldEvents)) {
    held_bytes_ -= held_.front().bytes.size();
    give(held_.front(), out);
    held_.pop_front();
  }
}

void Exporter::give(const ExportEvent& event, ExportBytes& out) {
  ExportEvent mine = event;
  mine.at_us = std::max(event.at_us, given_us_);
  given_us_ = mine.at_us;
  if (options_.to_us && mine.at_us > *options_.to_us) return;
  const bool before = mine.at_us < options_.from_us;
  const bool resize = mine.kind == ExportEvent::Kind::kResize;
  if (before && !writer_->draws()) {
    if (resize) {
      header_.info.rows = mine.rows;
      header_.info.cols = mine.cols;
    }
    return;
  }
  if (before && !resize && mine.kind != ExportEvent::Kind::kOutput) return;
  begin(out);
  writer_->event(mine, out);
}

void Exporter::begin(ExportBytes& out) {
  if (!std::exchange(begun_, true)) writer_->begin(header_, out);
}

void Exporter::finish(ExportBytes& out) {
  for (const ExportEvent& event : held_) give(event, out);
  held_.clear();
  held_bytes_ = 0;
  begin(out);
  writer_->finish(out);
}

}  // namespace opelog::replay
