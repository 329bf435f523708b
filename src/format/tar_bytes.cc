#include "format/tar_bytes.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace opelog::format {
namespace {

constexpr std::uint64_t kTarBlockBytes = 512;
/// Two empty blocks.
constexpr std::uint64_t kTarEndBytes = 2 * kTarBlockBytes;
constexpr std::size_t kTarBufferBytes = 64 * 1024;
constexpr unsigned kTarFileMode = 0600;

Error tar_error(::archive* archive) {
  const char* text = ::archive_error_string(archive);
  return Error{Code::kInvalid, text != nullptr ? text : "no tar archive", 0};
}

std::uint64_t whole_blocks(std::uint64_t bytes) {
  return (bytes + kTarBlockBytes - 1) / kTarBlockBytes * kTarBlockBytes;
}

}  // namespace

// ---- reading

struct TarReader::State {
  State(const ReadAt& from, std::uint64_t bytes) : read(from), size(bytes) {}
  ~State() { ::archive_read_free(archive); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static la_ssize_t take(::archive* archive, void* self, const void** bytes) {
    auto& state = *static_cast<State*>(self);
    auto got = state.read(state.buffer.data(), state.buffer.size(), state.at);
    if (!got) {
      ::archive_set_error(archive, got.error().err, "%s", got.error().message.c_str());
      state.failed = std::move(got).error();
      return ARCHIVE_FATAL;
    }
    state.at += *got;
    *bytes = state.buffer.data();
    return static_cast<la_ssize_t>(*got);
  }

  static la_int64_t skip(::archive*, void* self, la_int64_t wanted) {
    auto& state = *static_cast<State*>(self);
    const std::uint64_t left = state.size - std::min(state.at, state.size);
    const std::uint64_t by = std::min(static_cast<std::uint64_t>(std::max<la_int64_t>(wanted, 0)), left);
    state.at += by;
    return static_cast<la_int64_t>(by);
  }

  [[nodiscard]] Error problem() const { return failed ? *failed : tar_error(archive); }

  const ReadAt& read;
  std::uint64_t size, at = 0;
  std::uint64_t end = 0;  ///< of the last member, in whole blocks
  std::vector<char> buffer = std::vector<char>(kTarBufferBytes);
  std::optional<Error> failed;
  ::archive* archive = ::archive_read_new();
};

TarReader::TarReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarReader::~TarReader() = default;
TarReader::TarReader(TarReader&& other) noexcept = default;

Result<TarReader> TarReader::open(const ReadAt& read, std::uint64_t size) {
  auto state = std::make_unique<State>(read, size);
  ::archive* archive = state->archive;
  if (archive == nullptr) return Error{Code::kLimit, "no memory to read a tar archive", 0};
  if (::archive_read_support_filter_none(archive) != ARCHIVE_OK ||
      ::archive_read_support_format_tar(archive) != ARCHIVE_OK ||
      ::archive_read_set_read_callback(archive, &State::take) != ARCHIVE_OK ||
      ::archive_read_set_skip_callback(archive, &State::skip) != ARCHIVE_OK ||
      ::archive_read_set_callback_data(archive, state.get()) != ARCHIVE_OK ||
      ::archive_read_open1(archive) != ARCHIVE_OK)
    return state->problem();
  return TarReader(std::move(state));
}

Result<std::optional<TarMember>> TarReader::next() {
  ::archive_entry* entry = nullptr;
  const int got = ::archive_read_next_header(state_->archive, &entry);
  if (got == ARCHIVE_EOF) {
    if (state_->size < state_->end + kTarEndBytes)
      return Error{Code::kInvalid, "the archive has no end: it was cut", 0};
    return std::optional<TarMember>();
  }
  if (got != ARCHIVE_OK) return state_->problem();
  TarMember member;
  const char* name = ::archive_entry_pathname(entry);
  const la_int64_t size = ::archive_entry_size(entry);
  const bool plain = ::archive_entry_filetype(entry) == AE_IFREG &&
                     ::archive_entry_hardlink(entry) == nullptr && ::archive_entry_sparse_count(entry) == 0 &&
                     ::archive_entry_size_is_set(entry) != 0;
  if (name == nullptr || size < 0 || !plain)
    return Error{Code::kInvalid, "a member of the archive is no plain file", 0};
  member.name = name;
  member.size = static_cast<std::uint64_t>(size);
  // What the format has taken of the archive once it knows the header: the member's bytes come next.
  member.offset = static_cast<std::uint64_t>(::archive_filter_bytes(state_->archive, 0));
  const auto header = static_cast<std::uint64_t>(::archive_read_header_position(state_->archive));
  if (header != state_->end)
    return Error{Code::kInvalid, "the members of the archive do not follow each other", 0};
  if (member.offset > state_->size || member.size > state_->size - member.offset)
    return Error{Code::kInvalid, member.name + " is cut", 0};
  state_->end = whole_blocks(member.offset + member.size);
  return std::optional<TarMember>(std::move(member));
}

// ---- writing

struct TarWriter::State {
  explicit State(Sink to) : sink(std::move(to)) {}
  ~State() {
    // What was not brought to its end is not to look as if it had been: nothing more goes out. (After
    // archive_write_fail() the library would not free its buffer.)
    if (!closed && !failed) failed = Error{Code::kGone, "not finished", 0};
    ::archive_write_free(archive);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static la_ssize_t put(::archive* archive, void* self, const void* bytes, size_t size) {
    auto& state = *static_cast<State*>(self);
    if (state.failed) return -1;
    auto written = state.sink({static_cast<const char*>(bytes), size});
    if (written) return static_cast<la_ssize_t>(size);
    ::archive_set_error(archive, written.error().err, "%s", written.error().message.c_str());
    state.failed = std::move(written).error();
    return -1;
  }

  [[nodiscard]] Error problem() const { return failed ? *failed : tar_error(archive); }

  // Pax headers only where a name or a size needs one.
  Status open() {
    if (opened) return {};
    if (archive == nullptr || ::archive_write_add_filter_none(archive) != ARCHIVE_OK ||
        ::archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        ::archive_write_set_bytes_per_block(archive, kTarBufferBytes) != ARCHIVE_OK ||
        ::archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        ::archive_write_open(archive, this, nullptr, &State::put, nullptr) != ARCHIVE_OK)
      return archive == nullptr ? Error{Code::kLimit, "no memory to write a tar archive", 0} : problem();
    opened = true;
    return {};
  }

  [[nodiscard]] Status whole() const {
    if (left == 0) return {};
    return Error{Code::kInvalid, name + " became shorter while it was read", 0};
  }

  Sink sink;
  std::optional<Error> failed;
  std::string name;
  std::uint64_t left = 0;
  bool opened = false, closed = false;
  ::archive* archive = ::archive_write_new();
};

TarWriter::TarWriter(Sink sink) : state_(std::make_unique<State>(std::move(sink))) {}
TarWriter::~TarWriter() = default;

Status TarWriter::begin(const std::string& name, std::uint64_t size, WallUs modified) {
  if (auto opened = state_->open(); !opened) return opened;
  if (auto whole = state_->whole(); !whole) return whole;
  ::archive_entry* entry = ::archive_entry_new();
  if (entry == nullptr) return Error{Code::kLimit, "no memory to write a tar archive", 0};
  ::archive_entry_set_pathname(entry, name.c_str());
  ::archive_entry_set_size(entry, static_cast<la_int64_t>(size));
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_perm(entry, kTarFileMode);
  ::archive_entry_set_mtime(entry, modified / kUsPerS, 0);
  const int written = ::archive_write_header(state_->archive, entry);
  ::archive_entry_free(entry);
  if (written != ARCHIVE_OK) return state_->problem();
  state_->name = name;
  state_->left = size;
  return {};
}

Status TarWriter::write(std::string_view bytes) {
  if (bytes.size() > state_->left)
    return Error{Code::kInvalid, state_->name + " became longer while it was read", 0};
  while (!bytes.empty()) {
    const la_ssize_t put = ::archive_write_data(state_->archive, bytes.data(), bytes.size());
    if (put <= 0) return state_->problem();
    state_->left -= static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Status TarWriter::finish() {
  if (auto opened = state_->open(); !opened) return opened;
  if (auto whole = state_->whole(); !whole) return whole;
  if (::archive_write_close(state_->archive) != ARCHIVE_OK) return state_->problem();
  state_->closed = true;
  return {};
}

}  // namespace opelog::format
