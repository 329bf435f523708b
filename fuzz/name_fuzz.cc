// Names from any user, client and template: one file name, bounded, nothing but safe characters in the
// default form, and read back as what went in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/recording_name.h"

namespace {

using namespace opelog::format;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;
  const std::string_view user = bytes.substr(0, half);
  const std::string_view client = bytes.substr(half);

  const auto made = make_name("{user}_{time}_{client}", user, "20261122140509", client, "h", 1, "i");
  require(made.ok());
  require(made->size() <= 235 && made->front() != '.' && made->front() != '-');
  for (const char c : *made) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view(".:@+-_%~").find(c) != std::string_view::npos;
    require(safe);
  }
  const auto parts = parse_name(*made);
  require(parts.has_value() && parts->time == "20261122140509");
  const std::string encoded = encode_name_part(user);
  require(encoded.size() <= 100);
  if (encoded.find('~') == std::string::npos && !user.empty()) require(parts->user == user);

  const auto free_form = make_name(bytes, "u", "20261122140509", "c", "h", 1, "i");
  require(free_form.ok() == check_name_template(bytes).ok());
  if (free_form.ok()) {
    require(free_form->size() <= 235 && free_form->find('/') == std::string::npos);
    require(free_form->find('\0') == std::string::npos);
  }
  (void)parse_name(bytes);
  (void)decode_name_part(bytes);
  return 0;
}
