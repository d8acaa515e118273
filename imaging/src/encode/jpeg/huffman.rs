//! Huffman codes: those that fit the symbols of a picture best (T.81 annex K.2), and tables to write them by.

use super::tables::Codebook;

/// Longest code.
const LENGTH_MAX: usize = 16;

/// A code by its symbol: value in the upper bits, made room for the symbol's extra bits, and length with them in the lower 5.
///
/// How many extra bits a symbol has is the lower half of it (T.81 sections F.1.2.1.2, F.1.2.2.1).
pub(super) type Codes = [u32; 256];

/// Codes of a table. Symbols that are not in it have length 0 and must not be written.
pub(super) fn codes(book: &Codebook) -> Codes {
    let mut codes = [0; 256];
    let mut symbols = book.symbols.iter();
    let mut code = 0_u32;
    for (length, count) in (1_u32..).zip(book.lengths) {
        for symbol in symbols.by_ref().take(count.into()) {
            let extra = u32::from(*symbol & 15).min(11);
            if let Some(entry) = codes.get_mut(usize::from(*symbol)) {
                *entry = code << extra << 5 | (length + extra);
            }
            code += 1;
        }
        code <<= 1;
    }
    codes
}

/// The table for symbols that occur `counts` times. It has at least one code.
pub(super) fn fitted(counts: &[u32; 256]) -> Codebook {
    let mut present: Vec<(u32, u8)> = counts
        .iter()
        .zip(0..=u8::MAX)
        .filter(|(count, _)| **count > 0)
        .map(|(count, symbol)| (*count, symbol))
        .collect();
    if present.is_empty() {
        present.push((1, 0));
    }
    present.sort_by_key(|(count, symbol)| (std::cmp::Reverse(*count), *symbol));
    // one symbol more, rarer than all, takes the code of ones alone, which is forbidden
    let weights: Vec<u64> = present.iter().map(|(count, _)| u64::from(*count)).chain([0]).collect();
    let lengths = limited(&depths(&weights));
    Codebook { lengths, symbols: present.into_iter().map(|(_, symbol)| symbol).collect() }
}

/// How many leaves of a Huffman tree lie at each depth; `weights` fall.
fn depths(weights: &[u64]) -> Vec<usize> {
    // leaves are taken from the light end, inner nodes in the order they were made: both are sorted
    let mut leaves = (0..weights.len()).rev().peekable();
    let mut inner: std::collections::VecDeque<(u64, usize)> = std::collections::VecDeque::new();
    let mut parents = vec![0; weights.len()];
    let weight = |leaf: usize| weights.get(leaf).copied().unwrap_or(0);
    for _ in 1..weights.len() {
        let node = parents.len();
        let mut sum = 0;
        for _ in 0..2 {
            let is_leaf = match (leaves.peek(), inner.front()) {
                (Some(leaf), Some((inner, _))) => weight(*leaf) <= *inner,
                (leaf, _) => leaf.is_some(),
            };
            let taken =
                if is_leaf { leaves.next().map(|leaf| (weight(leaf), leaf)) } else { inner.pop_front() };
            let Some((heavy, child)) = taken else { break };
            sum += heavy;
            if let Some(parent) = parents.get_mut(child) {
                *parent = node;
            }
        }
        inner.push_back((sum, node));
        parents.push(node);
    }
    counted(&parents, weights.len())
}

/// Depth of each leaf by its parents, the root being the last node and its own parent; counted by depth.
fn counted(parents: &[usize], leaves: usize) -> Vec<usize> {
    let mut depth = vec![0_usize; parents.len()];
    let mut counts = vec![0; leaves.max(LENGTH_MAX) + 1];
    for (node, parent) in parents.iter().enumerate().rev() {
        let of_parent = depth.get(*parent).copied().unwrap_or(0);
        let own = if node == *parent { 0 } else { of_parent + 1 };
        if let Some(depth) = depth.get_mut(node) {
            *depth = own;
        }
        if node < leaves
            && let Some(count) = counts.get_mut(own)
        {
            *count += 1;
        }
    }
    counts
}

/// Counts of code lengths with none above 16, and the longest code given back (figure K.3).
fn limited(depths: &[usize]) -> [u8; LENGTH_MAX] {
    let mut counts = depths.to_vec();
    for depth in (LENGTH_MAX + 1..counts.len()).rev() {
        while let Some(pairs @ 1..) = counts.get(depth).copied() {
            // two leaves of this depth: one moves up, the other becomes the sibling of a leaf pushed down from further up
            debug_assert!(pairs >= 2, "leaves of the greatest depth are siblings");
            let Some(donor) =
                (1..depth - 1).rev().find(|donor| counts.get(*donor).is_some_and(|count| *count > 0))
            else {
                break;
            };
            let mut add = |at: usize, by: isize| {
                if let Some(count) = counts.get_mut(at) {
                    *count = count.saturating_add_signed(by);
                }
            };
            add(depth, -2);
            add(depth - 1, 1);
            add(donor + 1, 2);
            add(donor, -1);
        }
    }
    if let Some(longest) = counts.iter_mut().take(LENGTH_MAX + 1).rev().find(|count| **count > 0) {
        *longest -= 1;
    }
    std::array::from_fn(|n| counts.get(n + 1).and_then(|count| u8::try_from(*count).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::tables::standard;
    use super::*;

    fn check(book: &Codebook) {
        let total: usize = book.lengths.iter().map(|count| usize::from(*count)).sum();
        assert_eq!(total, book.symbols.len());
        // Kraft: room is left for the code of ones
        let used: u64 =
            book.lengths.iter().zip(1..).map(|(count, length)| u64::from(*count) << (16 - length)).sum();
        assert!(used < 1 << 16, "{book:?}");
    }

    fn bits(book: &Codebook, counts: &[u32; 256]) -> u64 {
        let mut symbols = book.symbols.iter();
        (1_u64..)
            .zip(book.lengths)
            .flat_map(|(length, count)| {
                symbols
                    .by_ref()
                    .take(count.into())
                    .map(|symbol| length * u64::from(counts[usize::from(*symbol)]))
                    .collect::<Vec<_>>()
            })
            .sum()
    }

    #[test]
    fn fitted_tables_are_valid_and_not_worse_than_the_standard_ones() {
        let mut counts = [0; 256];
        for (n, symbol) in (1_u32..).zip(&standard()[1].symbols) {
            counts[usize::from(*symbol)] = 100_000 / n.pow(2) + 1;
        }
        let book = fitted(&counts);
        check(&book);
        assert!(bits(&book, &counts) <= bits(&standard()[1], &counts));
    }

    #[test]
    fn odd_counts() {
        check(&fitted(&[0; 256]));
        check(&fitted(&[1; 256]));
        check(&fitted(&[u32::MAX; 256]));
        for present in [1, 2, 3, 17, 18, 40] {
            let mut fibonacci = [0_u32; 256];
            let (mut a, mut b) = (1_u32, 1_u32);
            for count in fibonacci.iter_mut().take(present) {
                *count = a;
                (a, b) = (b, a.saturating_add(b));
            }
            check(&fitted(&fibonacci));
        }
    }

    #[test]
    fn codes_of_the_standard() {
        let codes = codes(&standard()[1]);
        // table K.5: end of block 1010, 0/1 00, 0/A 1111111110000011, F/0 11111111001
        assert_eq!(codes[0x00], 0b1010 << 5 | 4);
        assert_eq!(codes[0x01], 3);
        assert_eq!(codes[0x0A], 0b1111_1111_1000_0011 << 10 << 5 | 26);
        assert_eq!(codes[0xF0], 0b111_1111_1001 << 5 | 11);
    }
}
