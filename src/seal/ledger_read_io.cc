#include "seal/ledger_read_io.h"

#include <fcntl.h>

#include <utility>
#include <vector>

#include "format/recording_files_io.h"
#include "seal/entry_lines.h"
#include "seal/ledger_files_io.h"

namespace opelog::seal {
namespace {

constexpr std::size_t kLedgerPieceBytes = 256 * 1024;

}  // namespace

Status read_ledger_file(const std::string& path, const std::function<bool(std::string_view bytes)>& take) {
  auto fd = format::open_regular(AT_FDCWD, path, O_RDONLY);
  if (!fd) return std::move(fd).error();
  std::vector<char> buffer(kLedgerPieceBytes);
  for (std::uint64_t at = 0;;) {
    auto got = format::read_at(fd->get(), buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (*got == 0 || !take({buffer.data(), *got})) return {};
    at += *got;
  }
}

Status read_entries(const std::string& directory, const std::function<void(LedgerEntry& entry)>& take) {
  EntryLines lines;
  return read_ledger_file(directory + "/" + kEntriesFile, [&](std::string_view bytes) {
    return lines.feed(bytes, [&take](std::string_view line) {
      if (auto entry = parse_entry(line)) take(*entry);
      return true;
    });
  });
}

}  // namespace opelog::seal
