#include "index/trigrams.h"

#include <algorithm>

namespace opelog::index {
namespace {

constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuv";

std::uint32_t folded(char c) {
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

void append_word(std::uint32_t trigram, std::string& out) {
  if (!out.empty()) out += ' ';
  for (int shift = 20; shift >= 0; shift -= 5) out += kDigits[(trigram >> shift) & 31U];
}

// Calls `to` with the trigram that ends at each byte.
template <typename To>
void each_trigram(std::string_view text, const To& to) {
  std::uint32_t last = 0;
  int length = 0;
  for (const char c : text) {
    if (c == '\n') {
      length = 0;
      continue;
    }
    last = ((last << 8U) | folded(c)) & 0xffffffU;
    if (++length >= 3) to(last);
  }
}

}  // namespace

const std::string& TrigramWords::of(std::string_view text) {
  words_.clear();
  found_.clear();
  each_trigram(text, [this](std::uint32_t trigram) {
    std::uint64_t& word = seen_[trigram / 64];
    const std::uint64_t bit = 1ULL << (trigram % 64);
    if ((word & bit) != 0) return;
    word |= bit;
    found_.push_back(trigram);
  });
  for (const std::uint32_t trigram : found_) {
    seen_[trigram / 64] = 0;
    append_word(trigram, words_);
  }
  return words_;
}

std::string trigram_query(std::string_view literal, bool any_case) {
  std::vector<std::uint32_t> found;
  each_trigram(literal, [&](std::uint32_t trigram) {
    if (found.size() >= kMaxQueryWords) return;
    if (any_case && (trigram & 0x808080U) != 0) return;
    if (std::find(found.begin(), found.end(), trigram) == found.end()) found.push_back(trigram);
  });
  std::string query;
  for (const std::uint32_t trigram : found) append_word(trigram, query);
  return query;
}

}  // namespace opelog::index
