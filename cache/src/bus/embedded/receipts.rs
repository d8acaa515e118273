//! Which node has applied what, and waiting for it.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::{bus::Receipt, stored::Position};

/// Nodes that can register; one more is refused with a warning and gets no receipt.
pub(super) const NODES_MAX: usize = 4096;

/// The last report of every node.
#[derive(Debug)]
pub(super) struct Receipts {
    nodes: Mutex<BTreeMap<String, Position>>,
    /// Counts reports; waiters look again when it moves.
    reports: watch::Sender<u64>,
}

impl Receipts {
    pub(super) fn new() -> Self {
        Self { nodes: Mutex::default(), reports: watch::Sender::new(0) }
    }

    /// Notes a report; one of the same epoch that is behind an earlier one changes nothing.
    pub(super) fn report(&self, node: &str, position: Position) {
        {
            let mut nodes = self.nodes.lock();
            if let Some(known) = nodes.get_mut(node) {
                if known.epoch != position.epoch || known.seq < position.seq {
                    *known = position;
                }
            } else if nodes.len() < NODES_MAX {
                nodes.insert(node.to_owned(), position);
            } else {
                tracing::warn!(
                    node,
                    nodes_max = NODES_MAX,
                    "too many nodes on the purge bus, this one gets no receipts"
                );
                return;
            }
        }
        self.reports.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// One receipt per registered node, when all have applied `position` or `patience` is over.
    pub(super) async fn wait(&self, position: Position, patience: Duration) -> Vec<Receipt> {
        let asked = Instant::now();
        let mut reports = self.reports.subscribe();
        let mut applied: BTreeMap<String, u64> = BTreeMap::new();
        let everyone = async {
            loop {
                let after_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
                if self.note_applied(position, after_ms, &mut applied) || reports.changed().await.is_err() {
                    return;
                }
            }
        };
        // patience that ran out shows in the receipts
        let is_complete = tokio::time::timeout(patience, everyone).await.is_ok();
        tracing::debug!(seq = position.seq, is_complete, "purge receipts collected");
        let nodes = self.nodes.lock();
        let receipt = |(node, last): (&String, &Position)| {
            let after_ms = applied.get(node).copied();
            let seq = if last.epoch == position.epoch { last.seq } else { 0 };
            Receipt { node: node.clone(), applied: after_ms.is_some(), seq, after_ms }
        };
        nodes.iter().map(receipt).collect()
    }

    /// Adds the nodes that have applied `position`; tells whether that is everyone.
    fn note_applied(&self, position: Position, after_ms: u64, applied: &mut BTreeMap<String, u64>) -> bool {
        let nodes = self.nodes.lock();
        for (node, last) in &*nodes {
            if last.epoch == position.epoch && last.seq >= position.seq && !applied.contains_key(node) {
                applied.insert(node.clone(), after_ms);
            }
        }
        nodes.keys().all(|node| applied.contains_key(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test that waits this long has failed.
    const LONG: Duration = Duration::from_secs(600);

    const fn at(seq: u64) -> Position {
        Position { epoch: 3, seq }
    }

    #[tokio::test]
    async fn a_silent_node_is_said_to_be_silent() {
        let receipts = Receipts::new();
        receipts.report("a", at(5));
        receipts.report("b", at(4));
        let given = receipts.wait(at(5), Duration::from_millis(5)).await;
        let [a, b] = given.as_slice() else { panic!("one receipt per node: {given:?}") };
        assert!(a.node == "a" && a.applied && a.seq == 5 && a.after_ms.is_some(), "{a:?}");
        assert_eq!(*b, Receipt { node: "b".to_owned(), applied: false, seq: 4, after_ms: None });
    }

    #[tokio::test]
    async fn waits_no_longer_than_the_last_report() {
        let receipts = Receipts::new();
        receipts.report("a", at(0));
        let late = async {
            tokio::task::yield_now().await;
            receipts.report("a", at(4));
            tokio::task::yield_now().await;
            receipts.report("a", at(7));
        };
        let (given, ()) = tokio::join!(receipts.wait(at(5), LONG), late);
        let [a] = given.as_slice() else { panic!("one receipt: {given:?}") };
        assert!(a.applied && a.seq == 7 && a.after_ms.is_some_and(|ms| ms < 60_000), "{a:?}");
    }

    #[tokio::test]
    async fn nobody_registered_is_answered_at_once() {
        let began = Instant::now();
        assert!(Receipts::new().wait(at(1), LONG).await.is_empty());
        assert!(began.elapsed() < LONG);
    }

    #[tokio::test]
    async fn another_epoch_is_not_a_receipt() {
        let receipts = Receipts::new();
        receipts.report("a", Position { epoch: 2, seq: 99 });
        let given = receipts.wait(at(1), Duration::from_millis(5)).await;
        assert_eq!(given, [Receipt { node: "a".to_owned(), applied: false, seq: 0, after_ms: None }]);
    }

    #[tokio::test]
    async fn a_late_report_of_something_older_takes_nothing_back() {
        let receipts = Receipts::new();
        receipts.report("a", at(5));
        receipts.report("a", at(2));
        assert!(receipts.wait(at(5), Duration::ZERO).await.iter().all(|receipt| receipt.applied));
    }

    #[tokio::test]
    async fn registers_no_more_nodes_than_the_bound() {
        let receipts = Receipts::new();
        (0..=NODES_MAX).for_each(|n| receipts.report(&format!("n{n}"), at(1)));
        assert_eq!(receipts.wait(at(1), Duration::ZERO).await.len(), NODES_MAX);
        receipts.report("n0", at(9));
        let given = receipts.wait(at(1), Duration::ZERO).await;
        assert!(given.iter().any(|receipt| receipt.seq == 9), "registered nodes go on reporting");
    }
}
