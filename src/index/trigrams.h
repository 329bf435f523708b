// Trigrams: which three bytes stand beside each other in a text, as words for a full text index.
//
// ASCII letters count as lower case. Bytes, not characters: one Japanese character is a trigram already. A
// line feed belongs to none. Invariant: a text that holds `literal` (in any case) has every word of
// trigram_query(literal). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::index {

/// Words of one query; any of them are a sound filter, more only cost time.
constexpr std::size_t kMaxQueryWords = 48;

class TrigramWords {
 public:
  /// The distinct trigrams of `text`, five lower-case letters or digits each, separated by blanks. Valid
  /// until the next call.
  const std::string& of(std::string_view text);

 private:
  std::vector<std::uint64_t> seen_ = std::vector<std::uint64_t>((1U << 24) / 64);  ///< 2 MiB
  std::vector<std::uint32_t> found_;
  std::string words_;
};

/// What a text holds in which `literal` stands; "" if that says nothing (too short). `any_case`: letters
/// beyond ASCII may stand there in another case.
std::string trigram_query(std::string_view literal, bool any_case);

}  // namespace opelog::index
