#include "format/stored_file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "format/gzip_bytes.h"
#include "format/zstd_bytes.h"

namespace opelog::format {
namespace {

// A file of somebody who is neither root nor the reader: what a few KiB of his may unpack to. Holes of
// terabytes cost nothing either, but those one can leave out.
constexpr std::uint64_t kForeignBytes = 256ULL << 20U;
constexpr std::uint64_t kForeignFactor = 64;

class PlainFile final : public StoredFile {
 public:
  PlainFile(Fd fd, FileFacts facts, std::string name) : StoredFile(std::move(fd), facts, std::move(name)) {}

  Result<std::size_t> read_at(char* data, std::size_t size, std::uint64_t offset) override {
    return format::read_at(fd_.get(), data, size, offset);
  }
  Result<std::uint64_t> size() override {
    auto facts = look_at(fd_.get());
    if (!facts) return std::move(facts).error();
    return facts->size;
  }
  [[nodiscard]] std::optional<std::uint64_t> claimed_size() const override { return facts_.size; }
  Result<std::string> last(std::size_t size) override {
    auto all = this->size();
    if (!all) return std::move(all).error();
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, *all)), '\0');
    auto got = read_at(bytes.data(), bytes.size(), *all - bytes.size());
    if (!got) return std::move(got).error();
    bytes.resize(*got);
    return bytes;
  }
  Result<std::uint64_t> next_data(std::uint64_t offset) override {
    return format::next_data(fd_.get(), offset);
  }
};

class PackedFile final : public StoredFile {
 public:
  PackedFile(Fd fd, FileFacts facts, std::string name) : StoredFile(std::move(fd), facts, std::move(name)) {}

  Result<std::size_t> read_at(char* data, std::size_t size, std::uint64_t offset) override {
    if (offset < at_ || !unpacker_) {
      if (auto begun = begin(); !begun) return std::move(begun).error();
    }
    std::array<char, 16 * 1024> passed;
    while (at_ < offset) {
      auto got = produce(passed.data(), std::min<std::uint64_t>(passed.size(), offset - at_));
      if (!got) return std::move(got).error();
      if (*got == 0) return std::size_t{0};
    }
    std::size_t done = 0;
    while (done < size) {
      auto got = produce(data + done, size - done);
      if (!got) {
        if (done > 0) break;  // the next call meets it again
        return std::move(got).error();
      }
      if (*got == 0) break;
      done += *got;
    }
    return done;
  }

  Result<std::uint64_t> size() override {
    if (!size_) {
      std::vector<char> passed(kReadBytes);
      for (;;) {
        auto got = read_at(passed.data(), passed.size(), at_);
        if (!got) return std::move(got).error();
        if (*got == 0) break;
      }
      size_ = at_;
    }
    return *size_;
  }

  [[nodiscard]] std::optional<std::uint64_t> claimed_size() const override { return claim_; }

  Result<std::string> last(std::size_t size) override {
    std::string kept;
    std::vector<char> piece(kReadBytes);
    for (std::uint64_t at = 0;;) {
      auto got = read_at(piece.data(), piece.size(), at);
      if (!got) return std::move(got).error();
      if (*got == 0) break;
      at += *got;
      kept.append(piece.data(), *got);
      if (kept.size() > size) kept.erase(0, kept.size() - size);
    }
    size_ = at_;
    return kept;
  }

  // No hole is kept.
  Result<std::uint64_t> next_data(std::uint64_t offset) override { return offset; }

  /// Reads what the file claims; to be called once.
  Status look_for_claim() {
    std::array<char, kZstdHeadBytes> bytes;
    const bool zstd = stored().encoding == Encoding::kZstd;
    const std::size_t want = zstd ? kZstdHeadBytes : kGzipTailBytes;
    const std::uint64_t from = zstd || facts_.size < want ? 0 : facts_.size - want;
    auto got = format::read_at(fd_.get(), bytes.data(), want, from);
    if (!got) return std::move(got).error();
    const std::string_view seen(bytes.data(), *got);
    claim_ = zstd ? zstd_claimed_size(seen) : gzip_claimed_size(seen);
    return {};
  }

 private:
  Status begin() {
    unpacker_ = stored().encoding == Encoding::kZstd ? zstd_unpacker() : gzip_unpacker();
    if (!unpacker_) return Error{Code::kLimit, name() + ": no memory to unpack it", ENOMEM};
    at_ = packed_at_ = 0;
    left_ = {};
    problem_.clear();
    buffer_.resize(kReadBytes);
    return {};
  }

  Error damage(std::string why) {
    problem_ = name() + ": byte " + std::to_string(packed_at_ - left_.size()) + ": " + std::move(why);
    return Error{Code::kInvalid, problem_, 0};
  }

  /// Up to `size` further bytes; 0 at the end.
  Result<std::size_t> produce(char* data, std::size_t size) {
    if (!problem_.empty()) return Error{Code::kInvalid, problem_, 0};
    if (facts_.uid != 0 && facts_.uid != ::geteuid() && at_ > kForeignBytes + kForeignFactor * facts_.size)
      return damage("unpacks to more than is taken from a file that is not root's");
    for (;;) {
      const Unpacker::Step step = unpacker_->step(left_, data, size);
      left_.remove_prefix(step.used);
      at_ += step.made;
      if (step.problem != nullptr) {
        Error error = damage(std::string("the compressed data are damaged: ") + step.problem);
        if (step.made > 0) return step.made;
        return error;
      }
      if (step.made > 0) return step.made;
      if (!left_.empty()) {
        if (step.used > 0) continue;
        return damage("the compressed data are damaged: they lead nowhere");
      }
      auto got = format::read_at(fd_.get(), buffer_.data(), buffer_.size(), packed_at_);
      if (!got) return std::move(got).error();
      if (*got == 0) {
        if (unpacker_->whole()) return std::size_t{0};
        return damage("the compressed file ends before its data do");
      }
      packed_at_ += *got;
      left_ = std::string_view(buffer_.data(), *got);
    }
  }

  std::unique_ptr<Unpacker> unpacker_;
  std::vector<char> buffer_;
  std::string_view left_;        ///< of buffer_: not yet unpacked
  std::uint64_t packed_at_ = 0;  ///< bytes of the file read
  std::uint64_t at_ = 0;         ///< bytes unpacked
  std::string problem_;
  std::optional<std::uint64_t> size_, claim_;
};

bool holds_anything(StoredFile& file) {
  char byte = 0;
  auto got = file.read_at(&byte, 1, 0);
  return got && *got > 0;
}

std::uint64_t content_of(const StoredFile& file) {
  return file.claimed_size().value_or(file.facts().size);
}

/// Of several files, the one to read; of equal ones the first.
struct Best {
  std::unique_ptr<StoredFile> file;
  bool has_content = false;

  void set(std::unique_ptr<StoredFile> other) {
    const bool content = holds_anything(*other);
    const bool better = !file || (content && (!has_content || content_of(*other) > content_of(*file)));
    if (!better) return;
    file = std::move(other);
    has_content = content;
  }

  /// Opens and compares; a file that is not there is none.
  Status take(const std::string& directory, const std::string& name) {
    auto opened = open_stored_file(directory, name);
    if (opened) {
      set(std::move(*opened));
    } else if (opened.error().code != Code::kNotFound) {
      return std::move(opened).error();
    }
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<StoredFile>> stored_file_of(Fd fd, const std::string& name) {
  auto facts = look_at(fd.get());
  if (!facts) return std::move(facts).error();
  if (parse_stored_name(name).encoding == Encoding::kPlain)
    return std::unique_ptr<StoredFile>(std::make_unique<PlainFile>(std::move(fd), *facts, name));
  auto packed = std::make_unique<PackedFile>(std::move(fd), *facts, name);
  if (auto looked = packed->look_for_claim(); !looked) return std::move(looked).error();
  return std::unique_ptr<StoredFile>(std::move(packed));
}

Result<std::unique_ptr<StoredFile>> open_stored_file(const std::string& directory, const std::string& name) {
  auto fd = open_regular(AT_FDCWD, directory + name, O_RDONLY);
  if (!fd) return std::move(fd).error();
  return stored_file_of(std::move(*fd), name);
}

Result<std::unique_ptr<StoredFile>> open_not_rotated(const std::string& directory, const std::string& file) {
  Best best;
  for (const char* packed : {"", ".zst", ".gz"}) {
    if (auto done = best.take(directory, file + packed); !done) return std::move(done).error();
    if (best.has_content) break;
  }
  if (!best.file) return Error{Code::kNotFound, directory + file + ": no such file", ENOENT};
  return std::move(best.file);
}

Result<std::unique_ptr<StoredFile>> open_stored(const std::string& directory, const std::string& file,
                                                const RecordingList* list) {
  Best best;
  auto first = open_not_rotated(directory, file);
  if (!first && first.error().code != Code::kNotFound) return first;
  if (first) best.set(std::move(*first));
  if (best.has_content) return std::move(best.file);
  RecordingList read;
  if (list == nullptr) {
    auto listed = list_recordings(directory.empty() ? "." : directory);
    if (!listed) return std::move(listed).error();
    read = std::move(*listed);
    list = &read;
  }
  auto rotated = std::lower_bound(list->rotated.begin(), list->rotated.end(), std::pair(file, std::string()));
  for (; rotated != list->rotated.end() && rotated->first == file; ++rotated) {
    if (auto done = best.take(directory, rotated->second); !done) return std::move(done).error();
  }
  if (!best.file) return Error{Code::kNotFound, directory + file + ": no such file", ENOENT};
  return std::move(best.file);
}

}  // namespace opelog::format
