#include "seal/merkle.h"

#include <gtest/gtest.h>

#include <string>

namespace opelog::seal {
namespace {

std::string hex(const Digest& digest) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string unhex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

// The test data of RFC 6962's reference implementation: eight leaves, and the roots of the first 1 to 8.
const char* const kLeaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                              "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                              "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                              "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                              "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                              "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                              "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

TEST(Merkle, RootsAreThoseOfTheReference) {
  MerkleTree tree;
  EXPECT_EQ(hex(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t i = 0; i < 8; ++i) {
    tree.append(leaf_hash(unhex(kLeaves[i])));
    EXPECT_EQ(hex(tree.root()), kRoots[i]) << i + 1;
  }
}

TEST(Merkle, EveryLeafOfEveryTreeIsProvedAndNothingElse) {
  std::vector<Digest> leaves;
  MerkleTree tree;
  for (std::uint64_t size = 1; size <= 70; ++size) {
    leaves.push_back(leaf_hash(std::to_string(size)));
    tree.append(leaves.back());
    for (std::uint64_t index = 0; index < size; ++index) {
      auto proof = inclusion_proof(leaves, index);
      ASSERT_TRUE(proves_inclusion(leaves[index], index, size, proof, tree.root()))
          << index << " of " << size;
      EXPECT_FALSE(proves_inclusion(leaves[index], index + 1, size, proof, tree.root()) && size > 1);
      EXPECT_FALSE(proves_inclusion(leaf_hash("x"), index, size, proof, tree.root()));
      proof.push_back(leaves[0]);
      EXPECT_FALSE(proves_inclusion(leaves[index], index, size, proof, tree.root()));
      proof.resize(proof.size() - 1);
      if (proof.empty()) continue;
      proof[proof.size() / 2][7] ^= 1;
      EXPECT_FALSE(proves_inclusion(leaves[index], index, size, proof, tree.root()));
    }
  }
  EXPECT_FALSE(proves_inclusion(leaves[0], 0, 0, {}, leaves[0]));
}

// Of the reference: the path of leaf 6 (index 5) in the tree of 8.
TEST(Merkle, ThePathIsThatOfTheReference) {
  std::vector<Digest> leaves;
  for (const char* leaf : kLeaves) leaves.push_back(leaf_hash(unhex(leaf)));
  std::vector<std::string> path;
  for (const Digest& digest : inclusion_proof(leaves, 5)) path.push_back(hex(digest));
  EXPECT_EQ(path,
            (std::vector<std::string>{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                                      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
}

}  // namespace
}  // namespace opelog::seal
