// Signed notes as C2SP defines them (signed-note.md): a text and signatures by named keys. Pure.
//
// Only Ed25519 signatures (type 1) can be verified; others are kept and ignored, as the standard demands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seal/signature.h"

namespace opelog::seal {

/// A key by its name: "NAME+HASH+BASE64" as text.
struct VerifierKey {
  std::string name;
  PublicKey key{};
  bool operator==(const VerifierKey&) const = default;
};

/// The first four bytes of SHA-256(name LF 0x01 key), big-endian.
std::uint32_t key_hash(const VerifierKey& key);
std::string encode_verifier_key(const VerifierKey& key);
std::optional<VerifierKey> parse_verifier_key(std::string_view text);

struct NoteSignature {
  std::string name;
  std::uint32_t hash = 0;
  std::string bytes;  ///< behind the hash
};

struct SignedNote {
  std::string text;  ///< lines, each with its LF: what is signed
  std::vector<NoteSignature> signatures;
};

/// A note longer than this is none.
constexpr std::size_t kMaxNoteFileBytes = 65536;
/// Signatures read of one note.
constexpr std::size_t kMaxNoteSignatures = 64;

std::string encode_signed_note(const SignedNote& note);
void add_signature(SignedNote& note, const VerifierKey& key, const Signature& signature);

/// The note at the beginning of `bytes`, whose length goes to `used`; nullopt if there is no whole one.
std::optional<SignedNote> parse_signed_note(std::string_view bytes, std::size_t& used);

bool is_signed_by(const SignedNote& note, const VerifierKey& key);

}  // namespace opelog::seal
