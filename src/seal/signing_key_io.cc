#include "seal/signing_key_io.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <utility>

namespace opelog::seal {
namespace {

// 32 bytes for each key; two for each of 2000 sessions, and room.
constexpr std::size_t kSecureBytes = 512 * 1024;
constexpr std::size_t kSmallestPiece = 32;

EVP_PKEY* native_key(void* key) {
  return static_cast<EVP_PKEY*>(key);
}

Error failed(const char* what) {
  return Error{Code::kIo, std::string(what) + ": the cryptographic library refuses", 0};
}

}  // namespace

Secret::~Secret() {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

Status lock_secrets() {
  // 1: made and locked; 2: made, but not locked.
  static const int made = CRYPTO_secure_malloc_init(kSecureBytes, kSmallestPiece);
  if (made != 1)
    return Error{Code::kIo, "memory for keys cannot be locked; raise LimitMEMLOCK to 1M or more", 0};
  return {};
}

void SigningKey::Free::operator()(void* key) const noexcept {
  EVP_PKEY_free(native_key(key));  // erases the secret
}

Status SigningKey::learn_public() {
  std::size_t size = public_.size();
  if (EVP_PKEY_get_raw_public_key(native_key(native_.get()), public_.data(), &size) != 1 ||
      size != public_.size())
    return failed("tell a public key");
  return {};
}

Result<SigningKey> SigningKey::generate() {
  SigningKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key.native_) return failed("make a key");
  if (auto learnt = key.learn_public(); !learnt) return std::move(learnt).error();
  return key;
}

Result<SigningKey> SigningKey::from_secret(const Secret& secret) {
  SigningKey key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.bytes.data(), secret.bytes.size()));
  if (!key.native_) return failed("load a key");
  if (auto learnt = key.learn_public(); !learnt) return std::move(learnt).error();
  return key;
}

Result<Signature> SigningKey::sign(std::string_view message) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Signature signature{};
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, native_key(native_.get())) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1)
    return failed("sign");
  return signature;
}

Status SigningKey::export_secret(Secret& out) const {
  std::size_t size = out.bytes.size();
  if (EVP_PKEY_get_raw_private_key(native_key(native_.get()), out.bytes.data(), &size) != 1)
    return failed("export a key");
  return {};
}

}  // namespace opelog::seal
