#include "seal/signed_note.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/sha256.h"
#include "seal/base64.h"

namespace opelog::seal {
namespace {

constexpr char kEd25519 = 1;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space

std::string hash_bytes(std::uint32_t hash) {
  return {static_cast<char>(hash >> 24), static_cast<char>(hash >> 16 & 255),
          static_cast<char>(hash >> 8 & 255), static_cast<char>(hash & 255)};
}

std::uint32_t hash_of(std::string_view four) {
  std::uint32_t hash = 0;
  for (const char c : four.substr(0, 4)) hash = hash << 8 | static_cast<unsigned char>(c);
  return hash;
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > ' ' && byte != '+' && byte != 0x7f;
  });
}

std::optional<NoteSignature> parse_signature(std::string_view line) {
  if (line.substr(0, kDash.size()) != kDash) return std::nullopt;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_name(line.substr(0, space))) return std::nullopt;
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5) return std::nullopt;
  return NoteSignature{std::string(line.substr(0, space)), hash_of(*bytes), bytes->substr(4)};
}

}  // namespace

std::uint32_t key_hash(const VerifierKey& key) {
  Sha256 hash(key.name);
  hash.update({"\n", 1});
  hash.update({&kEd25519, 1});
  hash.update(bytes_of(key.key));
  return hash_of(bytes_of(hash.digest()));
}

std::string encode_verifier_key(const VerifierKey& key) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = key.name + "+";
  for (std::uint32_t hash = key_hash(key), i = 0; i < 8; ++i, hash <<= 4) text += kHex[hash >> 28];
  return text + "+" + to_base64(std::string(1, kEd25519) + std::string(bytes_of(key.key)));
}

std::optional<VerifierKey> parse_verifier_key(std::string_view text) {
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('+', first + 1);  // base64 may hold more of them
  if (second != first + 9 || !is_name(text.substr(0, first))) return std::nullopt;
  std::uint32_t hash = 0;
  const std::string_view hex = text.substr(first + 1, 8);
  if (std::from_chars(hex.data(), hex.data() + hex.size(), hash, 16).ptr != hex.data() + hex.size())
    return std::nullopt;
  const auto bytes = from_base64(text.substr(second + 1));
  VerifierKey key{std::string(text.substr(0, first)), {}};
  if (!bytes || bytes->size() != 1 + key.key.size() || bytes->front() != kEd25519) return std::nullopt;
  std::copy(bytes->begin() + 1, bytes->end(), key.key.begin());
  if (key_hash(key) != hash) return std::nullopt;
  return key;
}

std::string encode_signed_note(const SignedNote& note) {
  std::string bytes = note.text + "\n";
  for (const NoteSignature& s : note.signatures)
    bytes += std::string(kDash) + s.name + " " + to_base64(hash_bytes(s.hash) + s.bytes) + "\n";
  return bytes;
}

void add_signature(SignedNote& note, const VerifierKey& key, const Signature& signature) {
  note.signatures.push_back({key.name, key_hash(key), std::string(bytes_of(signature))});
}

std::optional<SignedNote> parse_signed_note(std::string_view bytes, std::size_t& used) {
  const std::string_view head = bytes.substr(0, kMaxNoteFileBytes);
  const std::size_t end = head.find("\n\n");
  if (end == std::string_view::npos) return std::nullopt;
  SignedNote note;
  note.text = head.substr(0, end + 1);
  std::size_t at = end + 2;
  while (at < head.size()) {
    const std::size_t lf = head.find('\n', at);
    if (head[at] != kDash.front()) break;
    if (lf == std::string_view::npos) return std::nullopt;  // more is to come, or it is torn
    auto signature = parse_signature(head.substr(at, lf - at));
    if (!signature || note.signatures.size() == kMaxNoteSignatures) return std::nullopt;
    note.signatures.push_back(std::move(*signature));
    at = lf + 1;
  }
  if (note.signatures.empty()) return std::nullopt;
  used = at;
  return note;
}

bool is_signed_by(const SignedNote& note, const VerifierKey& key) {
  return std::any_of(note.signatures.begin(), note.signatures.end(), [&](const NoteSignature& s) {
    Signature signature{};
    if (s.name != key.name || s.hash != key_hash(key) || s.bytes.size() != signature.size()) return false;
    std::copy(s.bytes.begin(), s.bytes.end(), signature.begin());
    return verify(key.key, note.text, signature);
  });
}

}  // namespace opelog::seal
