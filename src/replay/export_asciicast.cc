#include "replay/export_asciicast.h"

#include <algorithm>

#include "core/clock.h"
#include "core/fact.h"

namespace opelog::replay {

void AsciicastWriter::begin(const ExportHeader& header, ExportBytes& out) {
  const format::SessionInfo& info = header.info;
  from_us_ = header.from_us;
  const std::string cols = std::to_string(info.cols > 0 ? info.cols : kUnknownCols);
  const std::string rows = std::to_string(info.rows > 0 ? info.rows : kUnknownRows);
  std::string& line = out.main;
  line += "{\"version\":" + std::to_string(version_);
  if (version_ == 2) {
    line += ",\"width\":" + cols + ",\"height\":" + rows;
  } else {
    line += ",\"term\":{\"cols\":" + cols + ",\"rows\":" + rows;
    if (!info.term.empty()) line += ",\"type\":" + json_string(printable(info.term));
    line += "}";
  }
  if (info.started > 0) line += ",\"timestamp\":" + std::to_string((info.started + header.from_us) / kUsPerS);
  if (info.command) line += ",\"command\":" + json_string(printable(*info.command));
  line += ",\"title\":" + json_string(export_title(header));
  std::string environment;
  const auto variable = [&environment](const char* name, const std::string& value) {
    if (value.empty()) return;
    environment += environment.empty() ? "" : ",";
    environment += std::string("\"") + name + "\":" + json_string(printable(value));
  };
  if (version_ == 2) variable("TERM", info.term);
  variable("SHELL", info.shell);
  if (!environment.empty()) line += ",\"env\":{" + environment + "}";
  line += "}\n";
}

void AsciicastWriter::line(char code, std::int64_t at_us, std::string_view json, ExportBytes& out) {
  const std::int64_t at = std::max(at_us - from_us_, last_us_);
  out.main += '[' + seconds_text(version_ == 2 ? at : at - last_us_) + ",\"" + code + "\",\"";
  out.main += json;
  out.main += "\"]\n";
  last_us_ = at;
}

void AsciicastWriter::text(Utf8Cutter& cutter, char code, const ExportEvent& event, ExportBytes& out) {
  std::string characters;
  characters.reserve(event.bytes.size());
  cutter.feed(event.bytes,
              [&characters](std::string_view c, bool valid) { characters += valid ? c : kNoCharacter; });
  if (characters.empty()) return;
  std::string json;
  append_json(json, characters);
  line(code, event.at_us, json, out);
}

void AsciicastWriter::event(const ExportEvent& event, ExportBytes& out) {
  switch (event.kind) {
    case ExportEvent::Kind::kOutput:
      text(output_, 'o', event, out);
      break;
    case ExportEvent::Kind::kInput:
      text(input_, 'i', event, out);
      break;
    case ExportEvent::Kind::kResize:
      line('r', event.at_us, std::to_string(event.cols) + "x" + std::to_string(event.rows), out);
      break;
    case ExportEvent::Kind::kCommand:
    case ExportEvent::Kind::kGap: {
      std::string json;
      append_json(json, printable(event.bytes));
      line('m', event.at_us, json, out);
      break;
    }
    case ExportEvent::Kind::kEnd:
      finish(out);  // nothing of the output may stand behind the end
      if (version_ == 3 && event.exit_status) line('x', event.at_us, std::to_string(*event.exit_status), out);
      break;
  }
}

void AsciicastWriter::finish(ExportBytes& out) {
  const auto rest = [this, &out](Utf8Cutter& cutter, char code) {
    cutter.finish([&](std::string_view, bool) { line(code, from_us_ + last_us_, kNoCharacter, out); });
  };
  rest(output_, 'o');
  rest(input_, 'i');
}

}  // namespace opelog::replay
