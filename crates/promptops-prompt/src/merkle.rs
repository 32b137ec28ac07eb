//! The Merkle tree of RFC 6962 (and RFC 9162) over SHA-256: heads, appending, and proofs that one leaf is in a tree.
//!
//! The hash of a leaf is `SHA-256(0x00 || data)`, that of a node `SHA-256(0x01 || left || right)`; the left part of a tree holds
//! the largest power of two of its leaves that is less than all. C2SP's tlog-tiles use the same tree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The most leaves of a tree. Sizes are JSON numbers, which are exact up to here.
const MAX_SIZE: u64 = 1 << 53;

/// Returns the hash of a leaf.
pub fn leaf_hash(data: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], data])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.bytes(), right.bytes()])
}

/// A tree, named by how many leaves it has and its root. Written `<size>:sha256:<hex>`.
///
/// Kept out of the reach of who writes the tree, it shows whether any of these leaves was altered, removed or moved since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    /// How many leaves.
    pub size: u64,
    /// The hash of the root.
    pub root: Digest,
}

impl fmt::Display for TreeHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.size, self.root)
    }
}

impl FromStr for TreeHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("a tree head is `<size>:sha256:<hex>`; got `{text}`");
        let (size, root) = text.split_once(':').ok_or_else(fail)?;
        Ok(Self { size: size.parse().map_err(|_| fail())?, root: root.parse().map_err(|_| fail())? })
    }
}

/// A tree, as far as one must know it to append to it: the roots of the perfect trees it consists of, from left to right.
///
/// Their sizes are the powers of two in the binary form of `size`, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "StoredRange")]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Digest>,
}

#[derive(Deserialize)]
struct StoredRange {
    size: u64,
    hashes: Vec<Digest>,
}

impl TryFrom<StoredRange> for CompactRange {
    type Error = String;

    fn try_from(StoredRange { size, hashes }: StoredRange) -> Result<Self, String> {
        let expected = size.count_ones() as usize;
        if size > MAX_SIZE || hashes.len() != expected {
            return Err(format!("a tree of {size} leaves consists of {expected} perfect trees, not of {}", hashes.len()));
        }
        Ok(Self { size, hashes })
    }
}

impl CompactRange {
    /// Returns how many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf on the right.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// Returns the head. The root of the empty tree is the digest of nothing.
    pub fn head(&self) -> TreeHead {
        let root = self.hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        TreeHead { size: self.size, root: root.unwrap_or_else(|| Digest::of(b"")) }
    }

    /// Returns the proof that leaf number `position` of `leaves` is in the tree which has all of `leaves` appended to this one.
    ///
    /// Nothing when there is no such leaf.
    pub fn prove(&self, leaves: &[Digest], position: usize) -> Option<InclusionProof> {
        if position >= leaves.len() {
            return None;
        }
        let index = self.size + position as u64;
        // The perfect trees of one level stand side by side, so that a merge of two neighbours is visible. What lies left of all
        // leaves is known by its root only; the proof never looks inside.
        let mut trees: Vec<Subtree> = Vec::new();
        let mut first = 0;
        for (bit, hash) in (0..u64::BITS).rev().filter(|bit| self.size >> bit & 1 == 1).zip(&self.hashes) {
            trees.push(Subtree { first, leaves: 1 << bit, hash: *hash });
            first += 1 << bit;
        }
        let mut hashes = Vec::new();
        for (leaf, number) in leaves.iter().zip(self.size..) {
            trees.push(Subtree { first: number, leaves: 1, hash: *leaf });
            while let [.., left, right] = trees[..]
                && left.leaves == right.leaves
            {
                trees.truncate(trees.len() - 2);
                trees.push(join(left, right, index, &mut hashes));
            }
        }
        while let [.., left, right] = trees[..] {
            trees.truncate(trees.len() - 2);
            trees.push(join(left, right, index, &mut hashes));
        }
        let root = trees.first()?.hash;
        Some(InclusionProof { index, tree: TreeHead { size: self.size + leaves.len() as u64, root }, hashes })
    }
}

/// A tree within a tree.
#[derive(Debug, Clone, Copy)]
struct Subtree {
    first: u64,
    leaves: u64,
    hash: Digest,
}

impl Subtree {
    fn holds(&self, index: u64) -> bool {
        (self.first..self.first + self.leaves).contains(&index)
    }
}

/// Makes one tree of two neighbours. The sibling of the one that holds leaf `index` is the next hash of its proof.
fn join(left: Subtree, right: Subtree, index: u64, proof: &mut Vec<Digest>) -> Subtree {
    if left.holds(index) {
        proof.push(right.hash);
    } else if right.holds(index) {
        proof.push(left.hash);
    }
    Subtree { first: left.first, leaves: left.leaves + right.leaves, hash: node_hash(&left.hash, &right.hash) }
}

/// The proof that a leaf is in a tree. Proves nothing about whose tree it is: that is for whoever trusts the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The number of the leaf, from 0.
    pub index: u64,
    /// The tree.
    pub tree: TreeHead,
    /// The hashes beside the way from the leaf up to the root, lowest first.
    pub hashes: Vec<Digest>,
}

impl InclusionProof {
    /// Tells whether the tree has this leaf in this place. As RFC 9162 §2.1.3.2 says it is done.
    pub fn holds(&self, leaf: &Digest) -> bool {
        if self.index >= self.tree.size {
            return false;
        }
        let (mut number, mut last) = (self.index, self.tree.size - 1);
        let mut root = *leaf;
        for hash in &self.hashes {
            if last == 0 {
                return false;
            }
            if number & 1 == 1 || number == last {
                root = node_hash(hash, &root);
                // Levels on which the node has no sibling are left out of a proof.
                while number & 1 == 0 && number != 0 {
                    number >>= 1;
                    last >>= 1;
                }
            } else {
                root = node_hash(&root, hash);
            }
            number >>= 1;
            last >>= 1;
        }
        last == 0 && root == self.tree.root
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::HashableLeaf;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    fn range(leaves: &[Digest]) -> CompactRange {
        let mut range = CompactRange::default();
        leaves.iter().for_each(|leaf| range.append(*leaf));
        range
    }

    /// The same leaves in the tree of another implementation.
    fn oracle(count: u64) -> MemoryBackedTree<Sha256, Number> {
        let mut tree = MemoryBackedTree::new();
        (0..count).for_each(|number| tree.push(Number(number)));
        tree
    }

    struct Number(u64);

    impl HashableLeaf for Number {
        fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
            hasher.update(&self.0.to_be_bytes());
        }
    }

    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        // From the tests of google/certificate-transparency, `cpp/merkletree/merkle_tree_test.cc`: the tree of these eight leaves.
        let data: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<Digest> = data.iter().map(|data| leaf_hash(data)).collect();
        let root = |count: usize| range(&leaves[..count]).head().root.hex();
        assert_eq!(root(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root(7), "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c");
        assert_eq!(root(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_tree_has_the_root_and_the_proofs_of_another_implementation() {
        for size in 1..=33 {
            let (leaves, oracle) = (leaves(size), oracle(size));
            let head = range(&leaves).head();
            assert_eq!(head.root.bytes(), oracle.root().as_bytes().as_slice(), "{size}");
            for known in 0..size as usize {
                for position in 0..leaves.len() - known {
                    let proof = range(&leaves[..known]).prove(&leaves[known..], position).unwrap();
                    let theirs = oracle.prove_inclusion(known + position);
                    assert_eq!((proof.index, proof.tree), ((known + position) as u64, head));
                    let ours: Vec<u8> = proof.hashes.iter().flat_map(|hash| *hash.bytes()).collect();
                    assert_eq!(ours, theirs.as_bytes(), "{size} {known} {position}");
                    assert!(proof.holds(&leaves[known + position]));
                }
            }
        }
        assert_eq!(CompactRange::default().prove(&leaves(3), 3), None);
    }

    proptest! {
        #[test]
        fn nothing_else_is_proven(size in 1_u64..300, index in 0_u64..300, other in 0_u64..300, flip in 0_usize..2000) {
            let (index, leaves) = (index % size, leaves(size));
            let proof = CompactRange::default().prove(&leaves, index as usize).unwrap();
            prop_assert!(proof.holds(&leaves[index as usize]));
            prop_assert_eq!(proof.holds(&leaves[(other % size) as usize]), other % size == index);
            // Any other place, size, root, and any other, missing or further hash.
            let moved = InclusionProof { index: other % size, ..proof.clone() };
            prop_assert_eq!(moved.holds(&leaves[index as usize]), other % size == index);
            let leaf = &leaves[index as usize];
            let mut forged = proof.clone();
            forged.tree.root = leaf_hash(b"another");
            prop_assert!(!forged.holds(leaf));
            forged = proof.clone();
            forged.hashes.push(*leaf);
            prop_assert!(!forged.holds(leaf));
            if !proof.hashes.is_empty() {
                forged = proof.clone();
                let place = flip % forged.hashes.len();
                forged.hashes[place] = leaf_hash(&flip.to_be_bytes());
                prop_assert!(!forged.holds(leaf));
                forged = proof.clone();
                forged.hashes.pop();
                prop_assert!(!forged.holds(leaf));
            }
        }
    }

    #[test]
    fn heads_and_ranges_are_read_as_they_are_written() {
        let range = range(&leaves(11));
        let head = range.head();
        assert_eq!(head.to_string().parse(), Ok(head));
        for bad in ["", "11", "11:", "x:sha256:00", "-1:sha256:00"] {
            assert!(bad.parse::<TreeHead>().unwrap_err().contains(bad), "{bad}");
        }
        let mut json = serde_json::to_value(&range).unwrap();
        assert_eq!(serde_json::from_value::<CompactRange>(json.clone()).unwrap(), range);
        json["size"] = 12.into();
        let error = serde_json::from_value::<CompactRange>(json).unwrap_err();
        assert_eq!(error.to_string(), "a tree of 12 leaves consists of 2 perfect trees, not of 3");
    }
}
