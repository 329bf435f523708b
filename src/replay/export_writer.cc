#include "replay/export_writer.h"

#include "core/clock.h"
#include "core/fact.h"
#include "replay/export_asciicast.h"
#include "replay/export_html.h"
#include "replay/export_tlog.h"
#include "replay/export_transcript.h"
#include "replay/export_typescript.h"

namespace opelog::replay {

std::unique_ptr<ExportWriter> make_export_writer(ExportFormat format) {
  switch (format) {
    case ExportFormat::kAsciicast2:
      return std::make_unique<AsciicastWriter>(2);
    case ExportFormat::kAsciicast3:
      return std::make_unique<AsciicastWriter>(3);
    case ExportFormat::kTypescript:
      return std::make_unique<TypescriptWriter>();
    case ExportFormat::kTlog:
      return std::make_unique<TlogWriter>();
    case ExportFormat::kText:
      return std::make_unique<TranscriptWriter>();
    case ExportFormat::kHtml:
      return std::make_unique<HtmlWriter>();
  }
  return nullptr;
}

bool marks_commands(ExportFormat format) noexcept {
  return format == ExportFormat::kAsciicast2 || format == ExportFormat::kAsciicast3 ||
         format == ExportFormat::kHtml;
}

std::string export_title(const ExportHeader& header) {
  const format::SessionInfo& info = header.info;
  std::string title = info.user.empty() ? "somebody" : info.user;
  if (!info.host.empty()) title += "@" + info.host;
  if (!info.client.empty()) title += " from " + info.client + (info.client_claimed ? " (claimed)" : "");
  if (info.started != 0) {
    std::string when = format_utc(info.started + header.from_us, 0);
    when.replace(when.find('T'), 1, " ");
    title += ", " + when.substr(0, 19) + " UTC";
  }
  return printable(title);
}

}  // namespace opelog::replay
