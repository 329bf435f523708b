// StoredName: what the name of a file in a recordings directory says: which file of which recording it is,
// whether somebody rotated it, and how its bytes are packed.
//
// A recording's file may be there plain, compressed (`.zst`, `.gz`), or as logrotate leaves it: `x.log.1`,
// `x.log-20261126`, `x.log-20261126-1790000000`, each compressed or not. It is still x's .log. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace opelog::format {

enum class Encoding { kPlain, kGzip, kZstd };

struct StoredName {
  std::string file;      ///< the name as it was written: "x.log"
  std::string rotation;  ///< "" or what rotation put behind it: ".1", "-20261126"
  Encoding encoding = Encoding::kPlain;
};

/// Takes any name of a file apart. A rotation is one only behind `.log`, `.time` or `.in` (and the names
/// plain script's files have); what is behind anything else stays in `file`.
StoredName parse_stored_name(std::string_view name);

/// The recording that a file makes: of "x.log", "x.time" x, however it is stored; nullopt of anything else.
/// Input alone makes none.
std::optional<std::string> recording_of(std::string_view name);

/// "zstd", "gzip", "plain"
const char* encoding_word(Encoding encoding) noexcept;

}  // namespace opelog::format
