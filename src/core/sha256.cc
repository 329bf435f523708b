#include "core/sha256.h"

#include <openssl/evp.h>

#include <new>

namespace opelog {
namespace {

EVP_MD_CTX* native(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

// SHA-256 is in every build of the library, also in FIPS ones: what fails here is memory.
void must(bool ok) {
  if (!ok) throw std::bad_alloc();
}

}  // namespace

void Sha256::Free::operator()(void* context) const noexcept {
  EVP_MD_CTX_free(native(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  must(context_ && EVP_DigestInit_ex(native(context_.get()), EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(const Sha256& other) : context_(EVP_MD_CTX_new()) {
  must(context_ && EVP_MD_CTX_copy_ex(native(context_.get()), native(other.context_.get())) == 1);
}
Sha256& Sha256::operator=(const Sha256& other) {
  if (this != &other) must(EVP_MD_CTX_copy_ex(native(context_.get()), native(other.context_.get())) == 1);
  return *this;
}
Sha256::Sha256(Sha256&& other) noexcept = default;
Sha256& Sha256::operator=(Sha256&& other) noexcept = default;

void Sha256::update(std::string_view bytes) {
  must(EVP_DigestUpdate(native(context_.get()), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::digest() const {
  const Sha256 copy(*this);
  Digest digest;
  must(EVP_DigestFinal_ex(native(copy.context_.get()), digest.data(), nullptr) == 1);
  return digest;
}

Digest sha256(std::string_view bytes) {
  Digest digest;
  must(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : sha256(bytes)) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace opelog
