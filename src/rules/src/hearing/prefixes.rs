//! Which of many beginnings a word has: a trie, in one flat list of nodes. It never looks inside a word.

use std::collections::VecDeque;

/// Beginnings of words.
#[derive(Debug)]
pub struct Prefixes {
    nodes: Vec<Node>,
}

/// A letter, in UTF-8, behind those of its parents.
#[derive(Debug, Default)]
struct Node {
    letter: u8,
    /// The nodes of the letters that may follow.
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
        let mut nodes = vec![Node::default()];
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
                nodes.push(Node {
                    letter: *letter,
                    ..Node::default()
                });
                words = &words[same..];
            }
            let place_of = |node: usize| u32::try_from(node).unwrap_or(u32::MAX);
            nodes[place].children = (place_of(first), place_of(nodes.len()));
        }
        nodes.shrink_to_fit();
        Self { nodes }
    }

    /// The beginnings that a word has, the shortest first: the length of each in bytes, and its number.
    pub fn of(&self, word: &str) -> impl Iterator<Item = (usize, u32)> {
        let root = self.nodes.first();
        let behind = word.bytes().scan(root, |node, letter| {
            *node = self.child((*node)?, letter);
            *node
        });
        let nodes = root.into_iter().chain(behind).enumerate();
        nodes.filter_map(|(length, node)| Some((length, node.ends?)))
    }

    fn child(&self, node: &Node, letter: u8) -> Option<&Node> {
        let (begin, end) = node.children;
        let mut children = self.nodes.get(begin as usize..end as usize)?.iter();
        children.find(|child| child.letter == letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_the_beginnings_that_it_starts_with_and_no_others() {
        let listed = ["flood", "f", "flo", "floor", "é", "ée", "oo"];
        let prefixes = Prefixes::new(&listed);
        for word in ["flood", "flooding", "floo", "fl", "oops", "ée", "x", "", "floors"] {
            let found: Vec<(usize, u32)> = prefixes.of(word).collect();
            let mut wanted: Vec<(usize, u32)> = (0..)
                .zip(listed)
                .filter(|(_, beginning)| word.starts_with(beginning))
                .map(|(number, beginning)| (beginning.len(), number))
                .collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{word}");
        }
        assert_eq!(Prefixes::new(&["", "a"]).of("ab").collect::<Vec<_>>(), [(0, 0), (1, 1)]);
        assert_eq!(Prefixes::new(&[]).of("a").count(), 0);
    }
}
