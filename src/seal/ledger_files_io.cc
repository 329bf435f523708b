#include "seal/ledger_files_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "core/append_only_io.h"
#include "format/recording_files_io.h"
#include "seal/checkpoint_reader.h"
#include "seal/entry_lines.h"
#include "seal/ledger_entry.h"

namespace opelog::seal {
namespace {

Result<Fd> open_grown(int directory, const std::string& name, const LedgerPlace& place) {
  const std::string path = place.directory + "/" + name;
  auto fd = open_at(directory, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd) return Error{fd.error().code, path + ": " + fd.error().message, fd.error().err};
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return error_from_errno(errno, path);
  if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid())
    return Error{Code::kDenied, path + ": is not a file of root", 0};
  if (st.st_size == 0 && (::fchown(fd->get(), 0, place.group) != 0 || ::fchmod(fd->get(), 0640) != 0) &&
      errno != EPERM)
    return error_from_errno(errno, path);
  if (place.append_only != AppendOnly::kOff) {
    if (auto set = set_append_only(fd->get(), true); !set && place.append_only == AppendOnly::kRequired)
      return Error{set.error().code, path + ": " + set.error().message, set.error().err};
  }
  return fd;
}

// Visits the bytes of a file from its beginning.
template <typename Visit>
Status read_through(int fd, Visit visit) {
  std::vector<char> buffer(format::kReadBytes);
  for (std::uint64_t at = 0;;) {
    auto got = format::read_at(fd, buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (*got == 0) return {};
    at += *got;
    visit(std::string_view(buffer.data(), *got));
  }
}

// A line of `entries` as the state's next.
void take_entry(LedgerState& state, std::string_view line) {
  const auto entry = parse_entry(line);
  const std::uint64_t index = state.tree.size();
  state.tree.append(leaf_hash(line));
  state.stopped = false;
  if (!entry || entry->index != index) {
    const bool torn =
        line.size() >= kTornEntry.size() && line.substr(line.size() - kTornEntry.size()) == kTornEntry;
    if (!torn && state.damage.empty()) state.damage = "entry " + std::to_string(index) + " is none";
    return;
  }
  if (const auto* opened = std::get_if<OpenedEntry>(&entry->body)) {
    state.last_no = std::max(state.last_no, opened->no);
    state.open[opened->no] = {opened->recording, opened->directory};
  } else if (const auto* closed = std::get_if<ClosedEntry>(&entry->body)) {
    state.open.erase(closed->no);
  } else if (const auto* crashed = std::get_if<CrashedEntry>(&entry->body)) {
    state.open.erase(crashed->no);
  } else if (const auto* pruned = std::get_if<PrunedEntry>(&entry->body)) {
    std::erase_if(state.open,
                  [&](const auto& session) { return session.second.recording == pruned->recording; });
  } else if (const auto* key = std::get_if<KeyEntry>(&entry->body)) {
    if (index == 0) state.first = key->next;
    state.log = key->log;
    state.log_at = index;
  }
  state.stopped = std::holds_alternative<ShutdownEntry>(entry->body);
}

bool is_named_log(const SigningKey& key, const LedgerState& state, const std::string& origin) {
  return encode_verifier_key(log_key(origin, key.public_key())) == state.log;
}

// What is stored of a log key to come: it takes the other's place, or did already, or was never named.
Status continue_log(KeyFile& file, const LedgerState& state, const std::string& origin, StoredKeys& stored) {
  const auto is_named = [&](const SigningKey& key) { return is_named_log(key, state, origin); };
  if (stored.coming_log && is_named(*stored.coming_log)) {
    if (stored.log && !is_named(*stored.log)) return {};  // both sign once more
    // A power cut as it took the other's place; what both signed was on the disk before.
    if (!stored.log) {
      if (auto saved = file.save_log(*stored.coming_log); !saved) return saved;
      stored.log = std::move(stored.coming_log);
    }
  }
  if (!stored.log) {
    auto log = SigningKey::generate();
    if (!log) return std::move(log).error();
    if (auto saved = file.save_log(*log); !saved) return saved;
    stored.log = std::move(*log);
  }
  if (!stored.coming_log) return {};
  stored.coming_log.reset();
  return file.erase_coming_log();
}

Result<SigningKey> make_epoch(KeyFile& file, std::uint64_t number) {
  auto key = SigningKey::generate();
  if (!key) return key;
  if (auto saved = file.save_epoch(number, *key); !saved) return std::move(saved).error();
  return key;
}

}  // namespace

Result<LedgerFiles> open_ledger_files(const LedgerPlace& place) {
  if (place.host_id.empty())
    return Error{Code::kNotFound,
                 "/etc/machine-id is empty: a ledger needs the host's id; run: systemd-machine-id-setup", 0};
  if (::mkdir(place.directory.c_str(), 0700) == 0) {
    if (::chown(place.directory.c_str(), 0, place.group) != 0 || ::chmod(place.directory.c_str(), 0750) != 0)
      return error_from_errno(errno, "set up " + place.directory);
  } else if (errno != EEXIST) {
    return error_from_errno(errno, "make " + place.directory);
  }
  auto directory = open_at(AT_FDCWD, place.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return std::move(directory).error();
  struct stat st {};
  if (::fstat(directory->get(), &st) != 0) return error_from_errno(errno, place.directory);
  if (st.st_uid != ::geteuid() || (st.st_mode & 022) != 0)
    return Error{Code::kDenied, place.directory + ": must belong to root and be writable by nobody else", 0};
  const bool made = ::faccessat(directory->get(), kEntriesFile, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
  // An empty one that somebody made beforehand becomes the auditors' too.
  if (made && (::fchown(directory->get(), 0, place.group) != 0 || ::fchmod(directory->get(), 0750) != 0))
    return error_from_errno(errno, "set up " + place.directory);
  LedgerFiles files;
  auto entries = open_grown(directory->get(), kEntriesFile, place);
  if (!entries) return std::move(entries).error();
  files.entries = std::move(*entries);
  if (auto locked = format::lock_as_writer(files.entries.get(), place.directory); !locked)
    return std::move(locked).error();
  auto checkpoints = open_grown(directory->get(), kCheckpointsFile, place);
  if (!checkpoints) return std::move(checkpoints).error();
  files.checkpoints = std::move(*checkpoints);
  return files;
}

Result<LedgerState> recover_ledger(const LedgerFiles& files, const std::string& origin) {
  LedgerState state;
  std::string foreign;
  CheckpointReader reader;
  auto take_notes = [&] {
    while (auto found = reader.next()) {
      if (found->checkpoint && found->checkpoint->origin != origin) foreign = found->checkpoint->origin;
      if (found->checkpoint && found->checkpoint->origin == origin)
        state.last = std::move(found->checkpoint);
      else if (state.damage.empty())
        state.damage = "the checkpoint at byte " + std::to_string(found->offset) + " is none of this host";
    }
  };
  auto read = read_through(files.checkpoints.get(), [&](std::string_view bytes) {
    reader.feed(bytes);
    take_notes();
  });
  if (!read) return std::move(read).error();
  reader.finish();
  take_notes();
  // Not ours to go on with: what we would add makes it nobody's.
  if (!foreign.empty())
    return Error{Code::kInvalid,
                 "the ledger is of " + foreign + ", and this host is " + origin +
                     ": put /etc/machine-id back, or move the ledger away, or name another seal.ledger",
                 0};
  if (!reader.rest().empty()) {
    if (auto closed = write_all(files.checkpoints.get(), std::string(kTornEntry) + "\n"); !closed)
      return std::move(closed).error();
  }

  EntryLines lines;
  auto take_line = [&](std::string_view text) {
    take_entry(state, text);
    if (state.last && state.tree.size() == state.last->size && state.tree.root() != state.last->root)
      state.damage = "the entries are not those that the last checkpoint signed";
    return true;
  };
  read = read_through(files.entries.get(), [&](std::string_view bytes) { lines.feed(bytes, take_line); });
  if (!read) return std::move(read).error();
  if (!lines.rest().empty()) {
    if (auto closed = write_all(files.entries.get(), std::string(kTornEntry) + "\n"); !closed)
      return std::move(closed).error();
    take_line(lines.rest() + std::string(kTornEntry));
  }
  if (state.last && state.tree.size() < state.last->size)
    state.damage = "the last checkpoint counts " + std::to_string(state.last->size) +
                   " entries, and there are " + std::to_string(state.tree.size());
  if (state.tree.size() == 0) state.stopped = true;
  return state;
}

Result<ContinuedKeys> continue_keys(KeyFile& file, const LedgerState& state, const std::string& origin) {
  auto stored = file.load();
  if (!stored) return std::move(stored).error();
  if (auto log = continue_log(file, state, origin, *stored); !log) return std::move(log).error();
  const std::uint64_t epoch = state.last ? state.last->epoch + 1 : 1;
  const std::optional<PublicKey> wanted = state.last ? std::optional(state.last->next) : state.first;
  std::optional<SigningKey> current, next;
  for (auto& slot : stored->epochs) {
    if (slot && slot->number == epoch && (!wanted || slot->key.public_key() == *wanted))
      current = std::move(slot->key);
    else if (slot && slot->number == epoch + 1)
      next = std::move(slot->key);
  }
  const bool made_new = state.tree.size() == 0;
  const bool lost = !current && !made_new;
  // Keys of an older ledger go on with nothing.
  if (!current || made_new) {
    next.reset();
    auto key = make_epoch(file, epoch);
    if (!key) return std::move(key).error();
    current = std::move(*key);
  }
  if (!next) {
    auto key = make_epoch(file, epoch + 1);
    if (!key) return std::move(key).error();
    next = std::move(*key);
  }
  const bool log_lost =
      !made_new && !lost && !stored->coming_log && !is_named_log(*stored->log, state, origin);
  return ContinuedKeys{{epoch, std::move(*current), std::move(*next), std::move(*stored->log),
                        std::move(stored->coming_log), state.log_at},
                       lost,
                       made_new,
                       log_lost};
}

}  // namespace opelog::seal
