// The Merkle tree of RFC 6962, section 2.1: roots of a growing list, and proofs that a leaf is in it. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/sha256.h"

namespace opelog::seal {

Digest leaf_hash(std::string_view leaf);
Digest node_hash(const Digest& left, const Digest& right);

/// A list's root, kept in O(log n): the roots of its whole subtrees, largest first.
class MerkleTree {
 public:
  void append(const Digest& leaf);
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Of the empty list: SHA-256 of nothing.
  [[nodiscard]] Digest root() const;

 private:
  std::vector<Digest> peaks_;
  std::uint64_t size_ = 0;
};

/// The audit paths of the leaves `indices` in the tree of `leaves`, each nearest first; every index is below
/// leaves.size(). Hashes each node once, whatever the number of paths.
std::vector<std::vector<Digest>> inclusion_proofs(std::vector<Digest> leaves,
                                                  const std::vector<std::uint64_t>& indices);
/// The same of one leaf.
std::vector<Digest> inclusion_proof(const std::vector<Digest>& leaves, std::uint64_t index);

/// Whether `proof` leads from the leaf to the root of a tree of `size` leaves.
bool proves_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      const std::vector<Digest>& proof, const Digest& root);

}  // namespace opelog::seal
