#include "seal/pins.h"

#include <charconv>

#include "seal/base64.h"

namespace opelog::seal {
namespace {

std::string_view take_word(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

}  // namespace

std::string encode_pin(const Pin& pin) {
  std::string line = encode_verifier_key(pin.key);
  if (pin.seen) line += " " + std::to_string(pin.seen->size) + " " + to_base64(pin.seen->root);
  return line + "\n";
}

Result<std::vector<Pin>> parse_pins(std::string_view text, const std::string& name) {
  std::vector<Pin> pins;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t lf = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, lf);
    text.remove_prefix(std::min(lf + 1, text.size()));
    line = line.substr(0, line.find('#'));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::string_view word = take_word(line);
    if (word.empty()) continue;
    const auto wrong = [&](const char* what) {
      return Error{Code::kInvalid, name + ":" + std::to_string(number) + ": " + what, 0};
    };
    const auto key = parse_verifier_key(word);
    if (!key) return wrong("no verifier key; it is the line that `opelog key show` prints on the host");
    Pin pin{*key, std::nullopt};
    const std::string_view size = take_word(line);
    if (!size.empty()) {
      Pin::Seen seen;
      const std::string_view root = take_word(line);
      const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), seen.size);
      if (error != std::errc() || end != size.data() + size.size() || !from_base64(root, seen.root))
        return wrong("a size and a root must follow the key, or nothing");
      pin.seen = seen;
    }
    if (!take_word(line).empty()) return wrong("more than a key, a size and a root");
    pins.push_back(std::move(pin));
  }
  return pins;
}

}  // namespace opelog::seal
