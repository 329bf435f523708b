#include "seal/merkle.h"

#include <utility>

namespace opelog::seal {
namespace {

constexpr std::string_view kLeafPrefix("\0", 1);
constexpr std::string_view kNodePrefix("\1", 1);

}  // namespace

Digest leaf_hash(std::string_view leaf) {
  Sha256 hash(kLeafPrefix);
  hash.update(leaf);
  return hash.digest();
}

Digest node_hash(const Digest& left, const Digest& right) {
  Sha256 hash(kNodePrefix);
  hash.update(bytes_of(left));
  hash.update(bytes_of(right));
  return hash.digest();
}

void MerkleTree::append(const Digest& leaf) {
  peaks_.push_back(leaf);
  // As many whole subtrees become one as the size has ones at its end.
  for (std::uint64_t ones = size_; (ones & 1) != 0; ones >>= 1) {
    const Digest right = peaks_.back();
    peaks_.pop_back();
    peaks_.back() = node_hash(peaks_.back(), right);
  }
  ++size_;
}

Digest MerkleTree::root() const {
  if (peaks_.empty()) return sha256("");
  Digest root = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) root = node_hash(peaks_[i], root);
  return root;
}

// Level by level: where a level has an odd number of nodes, the last one is the next level's as it is, which
// is the shape that RFC 6962 gives the tree.
std::vector<std::vector<Digest>> inclusion_proofs(std::vector<Digest> leaves,
                                                  const std::vector<std::uint64_t>& indices) {
  std::vector<std::vector<Digest>> paths(indices.size());
  std::vector<std::uint64_t> at = indices;
  std::vector<Digest>& level = leaves;
  while (level.size() > 1) {
    for (std::size_t i = 0; i < at.size(); ++i) {
      const std::uint64_t sibling = at[i] ^ 1;
      if (sibling < level.size()) paths[i].push_back(level[sibling]);
      at[i] /= 2;
    }
    const std::size_t pairs = level.size() / 2;
    const bool odd = level.size() % 2 != 0;
    for (std::size_t i = 0; i < pairs; ++i) level[i] = node_hash(level[2 * i], level[2 * i + 1]);
    if (odd) level[pairs] = level.back();
    level.resize(pairs + (odd ? 1 : 0));
  }
  return paths;
}

std::vector<Digest> inclusion_proof(const std::vector<Digest>& leaves, std::uint64_t index) {
  return std::move(inclusion_proofs(leaves, {index}).front());
}

bool proves_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      const std::vector<Digest>& proof, const Digest& root) {
  if (index >= size) return false;
  std::uint64_t at = index, last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return false;  // longer than the way
    if ((at & 1) != 0 || at == last) {
      hash = node_hash(sibling, hash);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      hash = node_hash(hash, sibling);
    }
    at >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

}  // namespace opelog::seal
