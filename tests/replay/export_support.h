// What the tests of the export writers share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "format/json_text.h"
#include "replay/export_writer.h"

namespace opelog::replay::testing {

inline ExportHeader export_header() {
  ExportHeader header;
  header.info.id = "0123456789abcdef";
  header.info.user = "alice";
  header.info.host = "web1";
  header.info.client = "192.0.2.7";
  header.info.started = 1795356309123456;  // 2026-11-22 14:05:09.123456 UTC
  header.info.terminal = true;
  header.info.term = "xterm";
  header.info.shell = "/bin/bash";
  header.info.audit_session = 42;
  header.info.rows = 24;
  header.info.cols = 80;
  return header;
}

inline ExportEvent shown(std::int64_t at_us, std::string bytes) {
  ExportEvent event;
  event.at_us = at_us;
  event.bytes = std::move(bytes);
  return event;
}
inline ExportEvent of_kind(ExportEvent::Kind kind, std::int64_t at_us, std::string bytes = "") {
  ExportEvent event = shown(at_us, std::move(bytes));
  event.kind = kind;
  return event;
}
inline ExportEvent resized(std::int64_t at_us, int rows, int cols) {
  ExportEvent event = of_kind(ExportEvent::Kind::kResize, at_us);
  event.rows = rows;
  event.cols = cols;
  return event;
}

inline ExportBytes export_all(ExportWriter& writer, const ExportHeader& header,
                              const std::vector<ExportEvent>& events) {
  ExportBytes out;
  writer.begin(header, out);
  for (const ExportEvent& event : events) writer.event(event, out);
  writer.finish(out);
  return out;
}
inline ExportBytes export_all(ExportFormat format, const std::vector<ExportEvent>& events) {
  return export_all(*make_export_writer(format), export_header(), events);
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (std::size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1)
    lines.push_back(text.substr(from, end - from));
  if (from < text.size()) lines.push_back(text.substr(from) + "<no line feed>");
  return lines;
}

/// What a log with every kind of trouble shows, cut at the worst places.
inline std::vector<std::string> hostile_pieces() {
  return {"\x1b]0;evil \"\\ title\x07",
          "\xE3\x81",                                  // the beginning of a character
          "\x82 and \xF0\x9F",                         // its end, another's beginning
          "x",                                         // which does not go on
          "\xFF\xFE\xC0\x80\xED\xA0\x80\xF5\x80",      // never UTF-8
          std::string("\0\x01\x7F", 3) + "\xC2\x9B",   // NUL, DEL, C1
          "\xE2\x80\xAE\xE2\x80\xA8\xF3\xA0\x81\x81",  // RLO, line separator, a tag
          "</span><script>alert(1)</script>&\"'\r\n",
          "]}\n[0,\"o\",\"forged\"]\n",
          "\xE3\x81"};
}

}  // namespace opelog::replay::testing
