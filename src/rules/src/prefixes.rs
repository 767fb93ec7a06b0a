//! Finds out which of many prefixes a word begins with. The prefixes form a trie, which is stored as one flat list of
//! nodes. A search never begins inside a word.

use std::collections::VecDeque;

/// A set of prefixes.
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    /// The byte of each node, in breadth-first order; the root node has no letter.
    letters: Vec<u8>,
    nodes: Vec<Node>,
}

/// A position in the trie, which represents the letters that matched so far. The default position is the root.
#[derive(Debug, Clone, Copy, Default)]
pub struct TriePosition(usize);

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// The range of the child nodes.
    children: (u32, u32),
    /// The number of the prefix that ends here.
    ends: Option<u32>,
}

impl Prefixes {
    /// Builds the trie from distinct prefixes; their numbers are their indexes in the list.
    #[must_use]
    pub fn new(beginnings: &[&str]) -> Self {
        let mut sorted: Vec<(&[u8], u32)> = beginnings.iter().map(|one| one.as_bytes()).zip(0..).collect();
        sorted.sort_unstable();
        let (mut letters, mut nodes) = (vec![0], vec![Node::default()]);
        // Each entry contains a node, the prefixes that pass through it, and its depth.
        let mut open = VecDeque::from([(0, sorted.as_slice(), 0)]);
        while let Some((place, mut words, depth)) = open.pop_front() {
            if let Some(((word, number), longer)) = words.split_first()
                && word.len() == depth
            {
                nodes[place].ends = Some(*number);
                words = longer;
            }
            let first = nodes.len();
            while let Some(letter) = words.first().and_then(|(word, _)| word.get(depth)) {
                let same = words.partition_point(|(word, _)| word[depth] == *letter);
                open.push_back((nodes.len(), &words[..same], depth + 1));
                letters.push(*letter);
                nodes.push(Node::default());
                words = &words[same..];
            }
            let place_of = |node: usize| u32::try_from(node).unwrap_or(u32::MAX);
            nodes[place].children = (place_of(first), place_of(nodes.len()));
        }
        letters.shrink_to_fit();
        nodes.shrink_to_fit();
        Self { letters, nodes }
    }

    /// Calls `tell` for each prefix of a word, the shortest first, with the prefix's length in bytes and its number.
    pub fn each(&self, word: &str, mut tell: impl FnMut(usize, u32)) {
        let mut place = TriePosition::default();
        for (length, letter) in word.bytes().enumerate() {
            if let Some(number) = self.number(place) {
                tell(length, number);
            }
            match self.step(place, letter) {
                Some(next) => place = next,
                None => return,
            }
        }
        if let Some(number) = self.number(place) {
            tell(word.len(), number);
        }
    }

    /// Returns the position to which more letters lead; `None` if no prefix continues with these letters.
    #[must_use]
    pub fn behind(&self, place: TriePosition, letters: &str) -> Option<TriePosition> {
        letters
            .bytes()
            .try_fold(place, |place, letter| self.step(place, letter))
    }

    /// The number of the prefix that equals the whole word.
    #[must_use]
    pub fn whole(&self, word: &str) -> Option<u32> {
        self.number(self.behind(TriePosition::default(), word)?)
    }

    /// The number of the prefix that ends at a position.
    #[must_use]
    pub fn number(&self, place: TriePosition) -> Option<u32> {
        self.nodes.get(place.0)?.ends
    }

    fn step(&self, place: TriePosition, letter: u8) -> Option<TriePosition> {
        let (begin, end) = self.nodes.get(place.0)?.children;
        let children = self.letters.get(begin as usize..end as usize)?;
        let child = children.iter().position(|child| *child == letter)?;
        Some(TriePosition(begin as usize + child))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prefixes: &Prefixes, word: &str) -> Vec<(usize, u32)> {
        let mut found = Vec::new();
        prefixes.each(word, |length, number| found.push((length, number)));
        found
    }

    #[test]
    fn a_word_has_the_beginnings_that_it_starts_with_and_no_others() {
        let listed = ["flood", "f", "flo", "floor", "é", "ée", "oo"];
        let prefixes = Prefixes::new(&listed);
        for word in ["flood", "flooding", "floo", "fl", "oops", "ée", "x", "", "floors"] {
            let found = found(&prefixes, word);
            let mut wanted: Vec<(usize, u32)> = (0..)
                .zip(listed)
                .filter(|(_, beginning)| word.starts_with(beginning))
                .map(|(number, beginning)| (beginning.len(), number))
                .collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{word}");
        }
        assert_eq!(found(&Prefixes::new(&["", "a"]), "ab"), [(0, 0), (1, 1)]);
        assert_eq!(found(&Prefixes::new(&[]), "a"), []);
    }
}
