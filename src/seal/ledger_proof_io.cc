#include "seal/ledger_proof_io.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "seal/entry_lines.h"
#include "seal/ledger_files_io.h"
#include "seal/ledger_read_io.h"

namespace opelog::seal {
namespace {

std::vector<std::uint64_t> entries_of(const LedgerSession* session) {
  std::vector<std::uint64_t> indices;
  if (session == nullptr) return indices;
  indices.push_back(session->index);
  for (const auto& index : {session->boot_index, session->sealed_index, session->closed_index,
                            session->crashed_index, session->crashed_boot_index}) {
    if (index) indices.push_back(*index);
  }
  return indices;
}

// The first checkpoint that counts more than `index` entries, or the last.
Status find_checkpoint(const std::string& directory, std::uint64_t index, LedgerProof& proof) {
  CheckpointReader notes;
  bool reached = false;
  const auto take = [&] {
    while (!reached) {
      const auto note = notes.next();
      if (!note) return;
      if (!note->checkpoint) continue;
      proof.size = note->checkpoint->size;
      proof.at = note->checkpoint->at;
      proof.checkpoint_bytes = notes.offset();
      reached = proof.size > index;
    }
  };
  const std::string path = directory + "/" + kCheckpointsFile;
  auto read = read_ledger_file(path, [&](std::string_view bytes) {
    notes.feed(bytes);
    take();
    return !reached;
  });
  if (!read) return read;
  notes.finish();
  take();
  if (proof.size == 0) return Error{Code::kNotFound, path + ": no checkpoint to prove anything by yet", 0};
  return {};
}

// The hashes of all lines that the checkpoint counts, and the lines that are wanted themselves.
Status read_leaves(const std::string& directory, std::uint64_t size,
                   std::map<std::uint64_t, std::string>& wanted, std::vector<Digest>& leaves) {
  const std::string path = directory + "/" + kEntriesFile;
  bool too_long = false;
  EntryLines lines;
  const auto take = [&](std::string_view line) {
    too_long = line.size() > kMaxEntryBytes;
    if (too_long) return false;
    if (const auto it = wanted.find(leaves.size()); it != wanted.end()) it->second = line;
    leaves.push_back(leaf_hash(line));
    return leaves.size() < size;
  };
  auto read = read_ledger_file(path, [&](std::string_view bytes) {
    const bool more = lines.feed(bytes, take);
    too_long = too_long || (more && lines.too_long());
    return more && !too_long;
  });
  if (!read) return read;
  if (leaves.size() == size) return {};
  return Error{Code::kInvalid,
               path + (too_long ? ": a line longer than any entry"
                                : ": fewer entries than a checkpoint counts, so none can be proven"),
               0};
}

}  // namespace

Result<LedgerProof> prove_by_ledger(const std::string& directory, const LedgerVerdict& ledger,
                                    const std::string& recording, const LedgerSession* session) {
  LedgerProof proof;
  proof.proof.recording = recording;
  std::vector<std::uint64_t> indices = entries_of(session);
  const std::uint64_t last = indices.empty() ? 0 : *std::max_element(indices.begin(), indices.end());
  if (auto found = find_checkpoint(directory, last, proof); !found) return std::move(found).error();

  indices.insert(indices.end(), ledger.keys.begin(), ledger.keys.end());
  std::map<std::uint64_t, std::string> lines;
  for (const std::uint64_t index : indices) {
    if (index < proof.size) lines[index];
  }
  if (lines.size() > kMaxProvenEntries)
    return Error{Code::kLimit, directory + ": its keys changed too often for one proof", 0};
  std::vector<Digest> leaves;
  if (auto read = read_leaves(directory, proof.size, lines, leaves); !read) return std::move(read).error();

  std::vector<std::uint64_t> wanted;
  for (const auto& line : lines) wanted.push_back(line.first);
  auto paths = inclusion_proofs(std::move(leaves), wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    proof.proof.entries.push_back({std::move(lines[wanted[i]]), std::move(paths[i])});
  return proof;
}

}  // namespace opelog::seal
