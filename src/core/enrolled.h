// /etc/opelog/enrolled: whose login shell is opelog-shell, and which shell is really theirs.
//
// One line "user:/real/shell" each, '#' begins a comment line. Root's file, strict like the policy: a user
// whose real shell cannot be known must not get a guessed one. Pure; docs/formats/enrolled.md is the
// reference.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace opelog {

/// 1 MiB: some 30,000 users. A larger file is refused.
constexpr std::size_t kEnrolledMaxBytes = 1 << 20;

struct Enrolled {
  std::string user;
  std::string shell;  ///< absolute path
  bool operator==(const Enrolled&) const = default;
};

/// Whether the pair may stand in the file; the error is one sentence with a remedy.
Status check_enrolled(const Enrolled& entry);

/// In file order. Errors as "file:line:col: message".
Result<std::vector<Enrolled>> parse_enrolled(std::string_view text, const std::string& file_name);

/// The file's bytes; parse_enrolled() reads them back to the same value. Comments of an older file are not
/// kept.
Result<std::string> encode_enrolled(const std::vector<Enrolled>& entries);

}  // namespace opelog
