#include "made_host_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/fd_io.h"
#include "format/exec_record.h"
#include "format/recording_writer_io.h"
#include "format/timing_record.h"
#include "seal/checkpoint.h"
#include "seal/seal_record.h"
#include "seal/session_sealer_io.h"

namespace opelog::seal::testing {
namespace {

SigningKey new_key() {
  auto key = SigningKey::generate();
  EXPECT_TRUE(key.ok());
  return std::move(*key);
}

std::optional<std::string> slurp_if_there(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class InMemory final : public RecordingBytes {
 public:
  explicit InMemory(const Files& files) : files_(files) {}
  std::optional<std::uint64_t> size(std::size_t file) override {
    return files_[file] ? std::optional<std::uint64_t>(files_[file]->size()) : std::nullopt;
  }
  Status read(std::size_t file, std::uint64_t from, std::uint64_t to,
              const std::function<void(std::string_view)>& take) override {
    // In pieces, as from a file.
    for (; from < to; from += 61)
      take(std::string_view(*files_[file]).substr(from, std::min<std::uint64_t>(61, to - from)));
    return {};
  }

 private:
  const Files& files_;
};

}  // namespace

MadeHost::MadeHost() {
  keys_ = Keys{new_key(), new_key()};
  log_ = new_key();
  add(KeyEntry{encode_verifier_key(log_key(origin, log_->public_key())), 1, keys_->current.public_key(),
               "init"});
  add(BootEntry{"boot", "test", true});
  pins.push_back({epoch_key(origin, keys_->current.public_key()), std::nullopt});
}

void MadeHost::add(EntryBody body) {
  now_ += kUsPerS;
  entries.push_back(encode_entry({entries.size(), now_, std::move(body)}));
}

std::string MadeHost::record(const Script& script) {
  char path[] = "/tmp/opelog-seal-test.XXXXXX";
  EXPECT_NE(::mkdtemp(path), nullptr);
  auto directory = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  EXPECT_TRUE(directory.ok());
  format::SessionInfo info;
  info.id = "00000000000000" + std::to_string(10 + last_no_);
  info.user = "alice";
  info.host = "host";
  info.started = now_;
  info.terminal = true;
  format::WriterOptions options;
  options.directory = directory->get();
  options.name = "alice_" + std::to_string(20261122140509 + last_no_) + "_192.0.2.7";
  options.append_only = AppendOnly::kOff;
  options.input = script.input;
  options.opened = [&](const std::string& name) -> Result<format::Sealing> {
    SigningKey first = new_key();
    OpenedEntry opened{++last_no_, info.id,           name, "/var/log/ope_log", info.host, "id",
                       "boot",     info.user,         1000, "192.0.2.7",        "login",   "rule",
                       "",         first.public_key()};
    add(std::move(opened));
    return format::Sealing{
        std::make_unique<SessionSealer>(last_no_, leaf_hash(entries.back()), std::move(first),
                                        [this, end = script.end](EntryBody body) {
                                          if (end != Script::End::kElsewhere ||
                                              !std::holds_alternative<ClosedEntry>(body))
                                            add(std::move(body));
                                        }),
        entries.back()};
  };
  MonoUs now = 5000000;
  {
    auto writer = format::RecordingWriter::create(options, info, now);
    EXPECT_TRUE(writer.ok());
    for (int i = 0; i < script.chunks; ++i) {
      now += kUsPerS / 2;
      if (script.commands) {
        format::ExecInfo exec;
        exec.argv = {"command-" + std::to_string(i)};
        EXPECT_TRUE((*writer)->note(format::kOpelogExec, format::exec_value({}, exec), now).ok());
      }
      std::string bytes(script.bytes, static_cast<char>('a' + i % 26));
      bytes += std::to_string(i) + "\r\n";
      EXPECT_TRUE((*writer)->output(bytes, now).ok());
      if (script.input) {
        EXPECT_TRUE((*writer)->input("x" + std::to_string(i), now).ok());
      }
      now += kUsPerS;
      EXPECT_TRUE((*writer)->flush(now).ok());
    }
    now += kUsPerS / 4;
    EXPECT_TRUE((*writer)->output("bye\r\n", now).ok());
    format::EndInfo end;
    end.exit_code = 3;
    if (script.end == Script::End::kExit || script.end == Script::End::kElsewhere) {
      EXPECT_TRUE((*writer)->end(end, now).ok());
    }
  }
  const std::string base = std::string(path) + "/" + options.name;
  if (script.end == Script::End::kCrash) {
    EXPECT_TRUE(format::repair_tail(directory->get(), options.name, now_, seal_knowledge()).ok());
  }
  Files files = {slurp_if_there(base + ".log"), slurp_if_there(base + ".time"), slurp_if_there(base + ".in")};
  std::filesystem::remove_all(path);
  if (script.end == Script::End::kCrash) {
    CrashedEntry crashed;
    crashed.no = last_no_;
    crashed.sizes = {files[0]->size(), files[1]->size(), files[2] ? files[2]->size() : 0};
    const auto digest = [&](std::size_t i) {
      Sha256 hash(kFileDomains[i]);
      if (files[i]) hash.update(*files[i]);
      return hash.digest();
    };
    crashed.log = digest(0);
    crashed.time = digest(1);
    crashed.in = digest(2);
    add(BootEntry{"boot", "test", false});
    add(crashed);
  }
  if (script.end == Script::End::kElsewhere) {
    CrashedEntry crashed;
    crashed.no = last_no_;
    crashed.missing = true;
    add(BootEntry{"boot", "test", false});
    add(crashed);
  }
  recordings[options.name] = std::move(files);
  return options.name;
}

void MadeHost::checkpoint() {
  MerkleTree tree;
  for (const std::string& entry : entries) tree.append(leaf_hash(entry));
  const Checkpoint c{origin, tree.size(), tree.root(), epoch_, keys_->next.public_key(), now_};
  SignedNote note{encode_checkpoint(c), {}};
  add_signature(note, epoch_key(origin, keys_->current.public_key()), *keys_->current.sign(note.text));
  add_signature(note, log_key(origin, log_->public_key()), *log_->sign(note.text));
  checkpoints.push_back(encode_signed_note(note));
  used_ = std::move(keys_->current);
  keys_->current = std::exchange(keys_->next, new_key());
  ++epoch_;
}

void MadeHost::checkpoint_again() {
  MerkleTree tree;
  for (const std::string& entry : entries) tree.append(leaf_hash(entry));
  const Checkpoint c{origin, tree.size(), tree.root(), epoch_ - 1, keys_->current.public_key(), now_};
  SignedNote note{encode_checkpoint(c), {}};
  add_signature(note, epoch_key(origin, used_->public_key()), *used_->sign(note.text));
  checkpoints.push_back(encode_signed_note(note));
}

LedgerVerdict MadeHost::ledger() const {
  LedgerVerifier verifier(pins);
  for (const std::string& note : checkpoints) verifier.feed_checkpoints(note);
  verifier.end_checkpoints();
  for (const std::string& entry : entries) verifier.feed_entries(entry + "\n");
  return verifier.finish();
}

SessionVerdict MadeHost::verdict(const std::string& name, const Files& files, const LedgerVerdict* ledger) {
  InMemory bytes(files);
  auto verdict = verify_session(bytes, SessionQuestion{name, false, ledger});
  EXPECT_TRUE(verdict.ok());
  return std::move(*verdict);
}

SessionVerdict MadeHost::verdict(const std::string& name) const {
  const LedgerVerdict l = ledger();
  return verdict(name, recordings.at(name), &l);
}

std::vector<SessionVerdict> MadeHost::all() const {
  const LedgerVerdict l = ledger();
  std::vector<SessionVerdict> verdicts;
  std::vector<std::string> present;
  for (const auto& [name, files] : recordings) {
    verdicts.push_back(verdict(name, files, &l));
    present.push_back(name);
  }
  for (SessionVerdict& gone : absent_sessions(l, present)) verdicts.push_back(std::move(gone));
  return verdicts;
}

std::vector<std::string> words(const std::vector<Finding>& findings) {
  std::vector<std::string> list;
  for (const Finding& f : findings) list.push_back(f.what);
  return list;
}

bool has(const std::vector<Finding>& findings, const std::string& what) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& f) { return f.what == what; });
}

}  // namespace opelog::seal::testing
