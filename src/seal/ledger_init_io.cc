#include "seal/ledger_init_io.h"

#include <fcntl.h>

#include <utility>

#include "core/fd_io.h"
#include "core/host_id_io.h"
#include "format/recording_files_io.h"
#include "seal/checkpoint.h"
#include "seal/ledger_entry.h"
#include "seal/ledger_files_io.h"

namespace opelog::seal {

Result<LedgerKeysShown> show_keys(const std::string& directory) {
  const std::string path = directory + "/" + kEntriesFile;
  auto fd = format::open_regular(AT_FDCWD, path, O_RDONLY);
  if (!fd) return std::move(fd).error();
  std::string head(kMaxEntryBytes, '\0');
  auto got = format::read_at(fd->get(), head.data(), head.size(), 0);
  if (!got) return std::move(got).error();
  head.resize(*got);
  const auto entry = parse_entry(head.substr(0, head.find('\n')));
  const auto* key = entry ? std::get_if<KeyEntry>(&entry->body) : nullptr;
  const auto log = key != nullptr ? parse_verifier_key(key->log) : std::nullopt;
  if (!log) return Error{Code::kInvalid, path + ": its first entry names no keys", 0};
  return LedgerKeysShown{encode_verifier_key(epoch_key(log->name, key->next)), key->log};
}

Result<LedgerKeysShown> make_ledger(const std::string& directory, const std::string& key_file,
                                    std::uint32_t group, WallUs now) {
  LedgerPlace place;
  place.directory = directory;
  place.append_only = AppendOnly::kPreferred;
  place.group = group;
  place.host_id = machine_id();
  const std::string origin = origin_of(place.host_id);
  auto files = open_ledger_files(place);
  if (!files) return std::move(files).error();
  auto state = recover_ledger(*files, origin);
  if (!state) return std::move(state).error();
  if (state->tree.size() > 0)
    return Error{Code::kExists, directory + ": there is a ledger; see: opelog key show", 0};
  auto keys_file = KeyFile::open(key_file);
  if (!keys_file) return std::move(keys_file).error();
  auto keys = continue_keys(*keys_file, *state, origin);
  if (!keys) return std::move(keys).error();
  const KeyEntry key{encode_verifier_key(log_key(origin, keys->keys.log.public_key())), keys->keys.epoch,
                     keys->keys.current.public_key(), "init"};
  if (auto written = write_all(files->entries.get(), encode_entry({0, now, key}) + "\n"); !written)
    return std::move(written).error();
  return LedgerKeysShown{encode_verifier_key(epoch_key(origin, key.next)), key.log};
}

}  // namespace opelog::seal
