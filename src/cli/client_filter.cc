#include "cli/client_filter.h"

#include <algorithm>

namespace opelog::cli {

std::optional<AddressRange> parse_client_filter(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  AddressRange range;
  range.text = text;
  std::copy(address->begin(), address->end(), range.bytes);
  if (slash == std::string::npos) return range;
  const std::string digits = text.substr(slash + 1);
  const bool v4 = text.find(':') == std::string::npos;
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const unsigned bits = static_cast<unsigned>(std::stoul(digits));
  if (bits > (v4 ? 32U : 128U)) return std::nullopt;
  range.prefix = bits + (v4 ? 96U : 0U);
  for (unsigned i = range.prefix; i < 128; ++i) {  // host bits do not count
    range.bytes[i / 8] = static_cast<unsigned char>(range.bytes[i / 8] & ~(0x80U >> (i % 8)));
  }
  return range;
}

bool client_matches(const AddressRange& range, const std::string& client) {
  const auto address = parse_address(client);
  return address && address_in(range, *address);
}

}  // namespace opelog::cli
