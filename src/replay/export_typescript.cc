#include "replay/export_typescript.h"

#include <algorithm>

#include "format/session_header.h"
#include "replay/export_text.h"

namespace opelog::replay {

void TypescriptWriter::begin(const ExportHeader& header, ExportBytes& out) {
  format::SessionInfo info = header.info;
  info.started += header.from_us;
  last_us_ = header.from_us;
  out.main += format::encode_first_line(info);
}

void TypescriptWriter::event(const ExportEvent& event, ExportBytes& out) {
  if (event.kind != ExportEvent::Kind::kOutput || event.bytes.empty()) return;
  const std::int64_t at = std::max(event.at_us, last_us_);
  out.timing += seconds_text(at - last_us_) + " " + std::to_string(event.bytes.size()) + "\n";
  out.main += event.bytes;
  last_us_ = at;
}

}  // namespace opelog::replay
