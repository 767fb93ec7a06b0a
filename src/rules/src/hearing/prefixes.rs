//! Which of many beginnings a word has: a trie, in one flat list of nodes. It never looks inside a word.

use std::collections::VecDeque;

/// Beginnings of words.
#[derive(Debug)]
pub struct Prefixes {
    /// The bytes of all beginnings, a node each behind those of its parents; the first node is that of no letter.
    letters: Vec<u8>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// The nodes of the bytes that may follow.
    children: (u32, u32),
    /// The number of the beginning that ends here.
    ends: Option<u32>,
}

impl Prefixes {
    /// From different beginnings; their numbers are their places in the list.
    #[must_use]
    pub fn new(beginnings: &[&str]) -> Self {
        let mut sorted: Vec<(&[u8], u32)> = beginnings.iter().map(|one| one.as_bytes()).zip(0..).collect();
        sorted.sort_unstable();
        let (mut letters, mut nodes) = (vec![0], vec![Node::default()]);
        // A node, those that begin as it says, and its depth.
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

    /// Names the beginnings that a word has, the shortest first: the length of each in bytes, and its number.
    pub fn each(&self, word: &str, mut tell: impl FnMut(usize, u32)) {
        let (mut place, mut length) = (0, 0);
        while let Some(node) = self.nodes.get(place) {
            if let Some(number) = node.ends {
                tell(length, number);
            }
            let Some(letter) = word.as_bytes().get(length) else { return };
            let (begin, end) = (node.children.0 as usize, node.children.1 as usize);
            let children = self.letters.get(begin..end).unwrap_or_default();
            let Some(child) = children.iter().position(|child| child == letter) else {
                return;
            };
            (place, length) = (begin + child, length + 1);
        }
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
