#include "cli/csv_text.h"

#include "core/fact.h"

namespace opelog::cli {

std::string csv_text(std::string_view text) {
  constexpr std::string_view kFormulaStarts = "=+-@\t\r";
  std::string cell = "\"";
  if (!text.empty() && kFormulaStarts.find(text.front()) != std::string_view::npos) cell += '\'';
  for (const char c : printable(text)) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell + '"';
}

}  // namespace opelog::cli
