#include "seal/merkle.h"

#include <bit>

namespace opelog::seal {
namespace {

constexpr std::string_view kLeafPrefix("\0", 1);
constexpr std::string_view kNodePrefix("\1", 1);

Digest subtree_root(const std::vector<Digest>& leaves, std::uint64_t from, std::uint64_t to) {
  MerkleTree tree;
  for (std::uint64_t i = from; i < to; ++i) tree.append(leaves[i]);
  return tree.root();
}

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

std::vector<Digest> inclusion_proof(const std::vector<Digest>& leaves, std::uint64_t index) {
  std::vector<Digest> path;
  std::uint64_t from = 0, to = leaves.size();
  while (to - from > 1) {
    const std::uint64_t half = std::bit_ceil(to - from) / 2;  // the largest power of two below
    if (index < from + half) {
      path.push_back(subtree_root(leaves, from + half, to));
      to = from + half;
    } else {
      path.push_back(subtree_root(leaves, from, from + half));
      from += half;
    }
  }
  return {path.rbegin(), path.rend()};
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
