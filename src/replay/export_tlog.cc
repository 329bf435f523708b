#include "replay/export_tlog.h"

#include <algorithm>
#include <cstdio>

#include "core/clock.h"
#include "core/fact.h"

namespace opelog::replay {

void TlogWriter::begin(const ExportHeader& header, ExportBytes& out) {
  (void)out;
  const format::SessionInfo& info = header.info;
  from_us_ = header.from_us;
  started_us_ = std::max<std::int64_t>(info.started, 0) + from_us_;
  // 4294967295 is how the audit system writes "none"; tlog refuses 0.
  const std::uint32_t session = info.audit_session == 0 ? 0xffffffff : info.audit_session;
  same_ = "\"ver\":\"2.3\",\"host\":" + json_string(printable(info.host)) +
          ",\"rec\":" + json_string(printable(info.id.empty() ? info.boot_id : info.id)) +
          ",\"user\":" + json_string(printable(info.user)) +
          ",\"term\":" + json_string(printable(info.term)) + ",\"session\":" + std::to_string(session);
  if (info.rows > 0 && info.cols > 0) window(info.rows, info.cols);
}

void TlogWriter::event(const ExportEvent& event, ExportBytes& out) {
  switch (event.kind) {
    case ExportEvent::Kind::kOutput:
    case ExportEvent::Kind::kInput: {
      Stream& stream = event.kind == ExportEvent::Kind::kOutput ? output_ : input_;
      advance(event.at_us);
      stream.cutter.feed(event.bytes, [&](std::string_view c, bool valid) { write(stream, c, valid, out); });
      break;
    }
    case ExportEvent::Kind::kResize:
      advance(event.at_us);
      window(event.rows, event.cols);
      break;
    default:
      break;
  }
  if (payload() >= kTlogPayload) end_message(out);
}

void TlogWriter::finish(ExportBytes& out) {
  for (Stream* stream : {&output_, &input_})
    stream->cutter.finish([&](std::string_view c, bool valid) { write(*stream, c, valid, out); });
  end_run();
  if (!timing_.empty()) end_message(out);
}

void TlogWriter::write(Stream& stream, std::string_view bytes, bool valid, ExportBytes& out) {
  const char mark = valid ? stream.text_mark : stream.binary_mark;
  if (mark != mark_) {
    end_run();
    mark_ = mark;
  }
  ++characters_;
  append_json(stream.text, valid ? bytes : kNoCharacter);
  if (!valid) {
    bytes_ += bytes.size();
    for (const char byte : bytes) {
      if (!stream.binary.empty()) stream.binary += ',';
      stream.binary += std::to_string(static_cast<unsigned>(static_cast<unsigned char>(byte)));
    }
  }
  if (payload() >= kTlogPayload) end_message(out);
}

void TlogWriter::window(int rows, int cols) {
  end_run();
  timing_ += "=" + std::to_string(cols) + "x" + std::to_string(rows);
}

void TlogWriter::advance(std::int64_t at_us) {
  const std::int64_t now = std::clamp((at_us - from_us_) / kUsPerMs, now_ms_, kTlogMaxMs);
  if (now == now_ms_) return;
  end_run();
  if (timing_.empty()) {
    begin_ms_ = now;
  } else {
    timing_ += "+" + std::to_string(now - now_ms_);
  }
  now_ms_ = now;
}

void TlogWriter::end_run() {
  if (mark_ != 0) {
    timing_ += mark_ + std::to_string(characters_);
    if (mark_ == output_.binary_mark || mark_ == input_.binary_mark) timing_ += "/" + std::to_string(bytes_);
  }
  mark_ = 0;
  characters_ = bytes_ = 0;
}

std::size_t TlogWriter::payload() const {
  return timing_.size() + output_.text.size() + output_.binary.size() + input_.text.size() +
         input_.binary.size();
}

void TlogWriter::end_message(ExportBytes& out) {
  end_run();
  const std::int64_t when = started_us_ / kUsPerMs + begin_ms_;
  char time[40];
  std::snprintf(time, sizeof time, "%lld.%03d", static_cast<long long>(when / 1000),
                static_cast<int>(when % 1000));
  out.main += "{" + same_ + ",\"id\":" + std::to_string(id_++) + ",\"pos\":" + std::to_string(begin_ms_) +
              ",\"time\":" + time + ",\"timing\":\"" + timing_ + "\",\"in_txt\":\"" + input_.text +
              "\",\"in_bin\":[" + input_.binary + "],\"out_txt\":\"" + output_.text + "\",\"out_bin\":[" +
              output_.binary + "]}\n";
  begin_ms_ = now_ms_;
  timing_.clear();
  for (Stream* stream : {&output_, &input_}) {
    stream->text.clear();
    stream->binary.clear();
  }
}

}  // namespace opelog::replay
