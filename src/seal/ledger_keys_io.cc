#include "seal/ledger_keys_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/sha256.h"
#include "format/recording_files_io.h"

namespace opelog::seal {
namespace {

constexpr char kMagic[8] = {'o', 'p', 'e', 'l', 'o', 'g', 'k', '1'};
constexpr unsigned kLogSlot = 2, kComingLogSlot = 3;

// One key as it lies on the disk; a slot that a power cut spoiled does not fit its check.
struct Slot {
  char magic[8];
  std::uint64_t number;
  std::uint8_t secret[32];
  std::uint8_t check[16];
};
static_assert(sizeof(Slot) == 64);

void make_check(const Slot& slot, std::uint8_t* check) {
  const Digest digest = sha256({reinterpret_cast<const char*>(&slot), offsetof(Slot, check)});
  std::copy_n(digest.begin(), sizeof slot.check, check);
}

// Gives the secret to `secret` and erases it in `slot`.
bool take_secret(Slot& slot, Secret& secret) {
  std::uint8_t check[sizeof slot.check];
  make_check(slot, check);
  const bool good = std::memcmp(slot.magic, kMagic, sizeof kMagic) == 0 &&
                    std::memcmp(slot.check, check, sizeof check) == 0;
  std::copy_n(slot.secret, secret.bytes.size(), secret.bytes.begin());
  ::explicit_bzero(&slot.secret, sizeof slot.secret);
  return good;
}

}  // namespace

Result<KeyFile> KeyFile::open(const std::string& path) {
  auto fd = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd) return std::move(fd).error();
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return error_from_errno(errno, path);
  if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 077) != 0)
    return Error{Code::kDenied,
                 path + ": must be a file of root that nobody else may read; run: chmod 600 " + path, 0};
  // One at a time: two would erase each other's next links.
  if (auto locked = format::lock_as_writer(fd->get(), path); !locked) return std::move(locked).error();
  return KeyFile(std::move(*fd), path);
}

Result<StoredKeys> KeyFile::load() const {
  StoredKeys keys;
  for (unsigned i = 0; i <= kComingLogSlot; ++i) {
    Slot slot{};
    const ssize_t got = ::pread(fd_.get(), &slot, sizeof slot, static_cast<off_t>(i * sizeof slot));
    if (got < 0) return error_from_errno(errno, path_);
    Secret secret;
    if (got != sizeof slot || !take_secret(slot, secret)) continue;
    auto key = SigningKey::from_secret(secret);
    if (!key) return std::move(key).error();
    if (i == kLogSlot)
      keys.log = std::move(*key);
    else if (i == kComingLogSlot)
      keys.coming_log = std::move(*key);
    else
      keys.epochs[i] = StoredKeys::Epoch{slot.number, std::move(*key)};
  }
  return keys;
}

Status KeyFile::save(unsigned index, std::uint64_t number, const SigningKey& key) {
  Secret secret;
  if (auto got = key.export_secret(secret); !got) return got;
  Slot slot{};
  std::memcpy(slot.magic, kMagic, sizeof kMagic);
  slot.number = number;
  std::copy(secret.bytes.begin(), secret.bytes.end(), slot.secret);
  make_check(slot, slot.check);
  auto saved = put(index, &slot);
  ::explicit_bzero(&slot, sizeof slot);
  return saved;
}

Status KeyFile::put(unsigned index, const void* bytes) {
  const ssize_t done = ::pwrite(fd_.get(), bytes, sizeof(Slot), static_cast<off_t>(index * sizeof(Slot)));
  if (done != sizeof(Slot)) return error_from_errno(done < 0 ? errno : ENOSPC, path_);
  if (::fdatasync(fd_.get()) != 0) return error_from_errno(errno, path_);
  return {};
}

Status KeyFile::save_epoch(std::uint64_t number, const SigningKey& key) {
  return save(static_cast<unsigned>(number % kLogSlot), number, key);
}

Status KeyFile::save_log(const SigningKey& key) {
  return save(kLogSlot, 0, key);
}

Status KeyFile::save_coming_log(const SigningKey& key) {
  return save(kComingLogSlot, 0, key);
}

Status KeyFile::erase_coming_log() {
  const Slot empty{};
  return put(kComingLogSlot, &empty);
}

}  // namespace opelog::seal
