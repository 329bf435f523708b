#include "seal/checkpoint.h"

#include <charconv>

#include "seal/base64.h"

namespace opelog::seal {
namespace {

constexpr std::string_view kOriginPrefix = "opelog/";
constexpr std::string_view kEpochName = "/epoch";

// The next line, behind `prefix`.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view prefix = {}) {
  const std::size_t lf = text.find('\n');
  if (lf == std::string_view::npos || text.substr(0, prefix.size()) != prefix || lf < prefix.size())
    return std::nullopt;
  const std::string_view line = text.substr(prefix.size(), lf - prefix.size());
  text.remove_prefix(lf + 1);
  return line;
}

// Decimal without leading zeros.
template <typename T>
bool parse_number(const std::optional<std::string_view>& text, T& number) {
  if (!text || text->empty() || (text->size() > 1 && text->front() == '0')) return false;
  const auto [end, err] = std::from_chars(text->data(), text->data() + text->size(), number);
  return err == std::errc() && end == text->data() + text->size() && number >= 0;
}

}  // namespace

std::string origin_of(std::string_view host_id) {
  return std::string(kOriginPrefix) + std::string(host_id);
}

VerifierKey log_key(std::string_view origin, const PublicKey& key) {
  return {std::string(origin), key};
}

VerifierKey epoch_key(std::string_view origin, const PublicKey& key) {
  return {std::string(origin) + std::string(kEpochName), key};
}

std::string encode_checkpoint(const Checkpoint& c) {
  return c.origin + "\n" + std::to_string(c.size) + "\n" + to_base64(c.root) + "\nopelog-epoch " +
         std::to_string(c.epoch) + "\nopelog-next " + to_base64(c.next) + "\nopelog-time " +
         std::to_string(c.at) + "\n";
}

std::optional<Checkpoint> parse_checkpoint(std::string_view text) {
  Checkpoint c;
  const auto origin = take_line(text);
  if (!origin || origin->substr(0, kOriginPrefix.size()) != kOriginPrefix) return std::nullopt;
  c.origin = *origin;
  if (!parse_number(take_line(text), c.size)) return std::nullopt;
  const auto root = take_line(text);
  if (!root || !from_base64(*root, c.root)) return std::nullopt;
  if (!parse_number(take_line(text, "opelog-epoch "), c.epoch)) return std::nullopt;
  const auto next = take_line(text, "opelog-next ");
  if (!next || !from_base64(*next, c.next)) return std::nullopt;
  if (!parse_number(take_line(text, "opelog-time "), c.at)) return std::nullopt;
  return c;
}

}  // namespace opelog::seal
