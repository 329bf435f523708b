// Cells of comma-separated values (RFC 4180), safe for spreadsheets and terminals. Pure.
//
// Invariant: a text cell holds no control character, and no spreadsheet takes it for a formula, whatever an
// operator typed. Numbers need no cell of this kind: they are written as they are.
#pragma once

#include <string>
#include <string_view>

namespace opelog::cli {

/// What the help says of --csv.
constexpr const char* kCsvHelp = "Comma-separated values, titles first; ' before what looks like a formula";

/// `text` in quotes. One that begins with = + - @, a tab or CR gets a ' before it.
std::string csv_text(std::string_view text);

}  // namespace opelog::cli
