#include "seal/seal_record.h"

#include "format/json_text.h"
#include "seal/base64.h"
#include "seal/json_members.h"

namespace opelog::seal {
namespace {

constexpr std::string_view kSealDomain = "opelog/seal/1\n";
constexpr std::array<const char*, 3> kDigestNames = {"dl", "dt", "di"};

using format::JsonValue;

void put_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 255);
}

// A member that may be left out; then `out` stays as it is.
template <std::size_t N>
bool take_optional(const JsonValue& json, std::string_view name, std::array<std::uint8_t, N>& out) {
  return json.find(name) == nullptr || take_member(json, name, out);
}

}  // namespace

const Digest& empty_digest(std::size_t file) {
  static const std::array<Digest, 3> kEmpty = {sha256(kFileDomains[0]), sha256(kFileDomains[1]),
                                               sha256(kFileDomains[2])};
  return kEmpty[file];
}

std::string seal_message(const Seal& seal, const Digest& binding, const Digest& prev) {
  std::string message(kSealDomain);
  message.reserve(kSealMessageBytes);
  message += bytes_of(binding);
  for (const std::uint64_t number : {seal.n, seal.at, seal.sizes.log, seal.sizes.time, seal.sizes.in})
    put_number(message, number);
  for (const Digest& digest : seal.digests) message += bytes_of(digest);
  message += bytes_of(prev);
  message += bytes_of(seal.next);
  message += static_cast<char>(seal.final ? 1 : 0);
  return message;
}

std::string encode_seal(const Seal& seal) {
  format::JsonObject json;
  json.number_u("s", seal.no)
      .number_u("n", seal.n)
      .number_u("at", seal.at)
      .number_u("log", seal.sizes.log)
      .number_u("time", seal.sizes.time)
      .number_u("in", seal.sizes.in);
  for (std::size_t i = 0; i < seal.digests.size(); ++i) {
    if (seal.digests[i] != empty_digest(i)) json.text(kDigestNames[i], to_base64(seal.digests[i]));
  }
  if (seal.final)
    json.boolean("final", true);
  else
    json.text("next", to_base64(seal.next));
  json.text("sig", to_base64(seal.signature));
  return std::move(json).take();
}

std::optional<Seal> parse_seal(std::string_view text) {
  const auto json = format::parse_json(text);
  if (!json || json->kind != JsonValue::Kind::kObject) return std::nullopt;
  Seal seal;
  if (!take_member(*json, "s", seal.no) || !take_member(*json, "n", seal.n) ||
      !take_member(*json, "at", seal.at) || !take_member(*json, "log", seal.sizes.log) ||
      !take_member(*json, "time", seal.sizes.time) || !take_member(*json, "in", seal.sizes.in) ||
      !take_member(*json, "sig", seal.signature) || !take_optional(*json, "next", seal.next))
    return std::nullopt;
  for (std::size_t i = 0; i < seal.digests.size(); ++i) {
    seal.digests[i] = empty_digest(i);
    if (!take_optional(*json, kDigestNames[i], seal.digests[i])) return std::nullopt;
  }
  seal.final = json->boolean_or("final", false);
  return seal;
}

format::SealKnowledge seal_knowledge() {
  return {kFileDomains, [](std::string_view value) -> std::optional<format::SealClaim> {
            const auto seal = parse_seal(value);
            if (!seal) return std::nullopt;
            return format::SealClaim{{seal->sizes.log, seal->sizes.time, seal->sizes.in}, seal->digests};
          }};
}

}  // namespace opelog::seal
