// Any output, input and text, cut anywhere: each line of asciicast and tlog is JSON without controls, the
// text does not depend on the cut, and a page has no element that is not ours.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "format/json_text.h"
#include "replay/export_writer.h"

namespace {

using opelog::format::JsonValue;
using opelog::replay::ExportBytes;
using opelog::replay::ExportEvent;
using opelog::replay::ExportFormat;

[[noreturn]] void wrong(const char* what, const std::string& line) {
  std::fprintf(stderr, "export: %s: %s\n", what, line.c_str());
  std::abort();
}

// The texts that a format's lines hold, joined; each line is checked.
std::string texts_of(const std::string& lines, ExportFormat format) {
  std::string output;
  std::size_t from = 0;
  for (std::size_t end; (end = lines.find('\n', from)) != std::string::npos; from = end + 1) {
    const std::string line = lines.substr(from, end - from);
    for (const char c : line)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) wrong("a control", line);
    const auto value = opelog::format::parse_json(line);
    if (!value) wrong("no JSON", line);
    if (format == ExportFormat::kTlog) {
      output += value->text_or("out_txt", "");
    } else if (from > 0) {
      if (value->items.size() != 3) wrong("not three", line);
      if (value->items[1].string == "o") output += value->items[2].string;
    }
  }
  if (from != lines.size()) wrong("no line feed", lines.substr(from));
  return output;
}

void check_elements(const std::string& page) {
  static const char* const kOurs[] = {"!DOCTYPE html>",
                                      "html lang=\"en\">",
                                      "html>",
                                      "a>",
                                      "head>",
                                      "meta ",
                                      "title>",
                                      "style>",
                                      "body>",
                                      "h1>",
                                      "dl>",
                                      "dt>",
                                      "dd>",
                                      "main>",
                                      "p>",
                                      "p class=\"command\" id=\"c",
                                      "p class=\"gap\">",
                                      "time>",
                                      "span>",
                                      "details>",
                                      "summary>",
                                      "pre>",
                                      "h2>",
                                      "ol>",
                                      "li>",
                                      "a href=\"#c"};
  for (std::size_t at = 0; (at = page.find('<', at)) != std::string::npos;) {
    ++at;
    if (page[at] == '/') ++at;
    bool ours = false;
    for (const char* element : kOurs)
      ours = ours || page.compare(at, std::string(element).size(), element) == 0;
    if (!ours) wrong("an element", page.substr(at, 40));
  }
}

std::string exported(ExportFormat format, const std::string& bytes, std::size_t step) {
  opelog::replay::ExportHeader header;
  header.info.user = header.info.host = bytes.substr(0, 200);
  header.info.command = bytes.substr(0, 200);
  header.info.rows = 5;
  header.info.cols = 20;
  const auto writer = opelog::replay::make_export_writer(format);
  ExportBytes out;
  writer->begin(header, out);
  ExportEvent event;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    event.kind = ExportEvent::Kind::kOutput;
    event.bytes = bytes.substr(at, step);
    writer->event(event, out);
    event.kind = at % 3 == 0   ? ExportEvent::Kind::kInput
                 : at % 3 == 1 ? ExportEvent::Kind::kCommand
                               : ExportEvent::Kind::kGap;
    event.at_us += 777;
    writer->event(event, out);
  }
  writer->finish(out);
  return out.main;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const std::size_t step = data[0] % 31 + 1;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const ExportFormat format :
       {ExportFormat::kAsciicast2, ExportFormat::kAsciicast3, ExportFormat::kTlog}) {
    if (texts_of(exported(format, bytes, step), format) !=
        texts_of(exported(format, bytes, bytes.size()), format))
      wrong("the cut shows", "");
  }
  check_elements(exported(ExportFormat::kHtml, bytes, step));
  return 0;
}
