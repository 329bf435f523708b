#include "cli/ledger_place_io.h"

#include <pwd.h>
#include <unistd.h>

#include "core/fd_io.h"

namespace opelog::cli {
namespace {

constexpr std::size_t kMaxPinBytes = 1 << 20;

Status add_pins(const std::string& file, bool must, std::vector<seal::Pin>& pins) {
  auto text = read_file(file, kMaxPinBytes);
  if (!text)
    return text.error().code == Code::kNotFound && !must ? Status{} : Status{std::move(text).error()};
  auto parsed = seal::parse_pins(*text, file);
  if (!parsed) return std::move(parsed).error();
  pins.insert(pins.end(), parsed->begin(), parsed->end());
  return {};
}

}  // namespace

Result<std::string> own_pins_file() {
  // From the user database, not from the environment, as all paths.
  const passwd* user = ::getpwuid(::geteuid());
  if (user == nullptr || user->pw_dir == nullptr || user->pw_dir[0] != '/')
    return Error{Code::kNotFound, "no home directory to keep pins in; use --pins FILE", 0};
  return std::string(user->pw_dir) + "/" + kOwnPins;
}

Result<std::vector<seal::Pin>> find_pins(const std::string& file) {
  std::vector<seal::Pin> pins;
  if (!file.empty()) {
    if (auto added = add_pins(file, true, pins); !added) return std::move(added).error();
    return pins;
  }
  if (auto own = own_pins_file()) {
    if (auto added = add_pins(*own, false, pins); !added) return std::move(added).error();
  }
  if (auto added = add_pins(kHostPins, false, pins); !added) return std::move(added).error();
  return pins;
}

Result<LedgerOnDisk> find_ledger(const Context& context, const std::string& ledger, const std::string& pins) {
  LedgerOnDisk place;
  place.directory = ledger;
  if (ledger.empty()) {
    auto of_policy = context.ledger();
    if (!of_policy) return std::move(of_policy).error();
    place.directory = std::move(*of_policy);
  }
  auto pinned = find_pins(pins);
  if (!pinned) return std::move(pinned).error();
  place.pins = std::move(*pinned);
  return place;
}

}  // namespace opelog::cli
