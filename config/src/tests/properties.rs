//! Whatever the text, reading it ends with a configuration or a report.

use proptest::prelude::*;

use super::{SINGLE_NODE, SMALL, THREE_REGIONS, example_env};
use crate::parse;

/// Pieces that mean something to the reader or to TOML.
const PIECES: [&str; 26] = [
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "${",
    "${NODE_NAME}",
    "$${",
    "\\u00e9",
    "é",
    "\0",
    "99999999999999999999",
    "-1",
    "nan",
    "[site]",
    "[[site]]",
    "token = \"x",
];

/// Puts `piece` into `text` in place of `removed` characters from a point at `position` of 1.
fn mutate(text: &str, position: f64, removed: usize, piece: &str) -> String {
    let count = text.chars().count();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to 1 of a short text"
    )]
    let at = (position * count as f64) as usize;
    let behind = text.chars().skip(at.saturating_add(removed));
    text.chars().take(at).chain(piece.chars()).chain(behind).collect()
}

/// What a report promises: every problem lies in the text, is counted and is shown without control characters.
fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(report) = parse(text, "edge.toml", &example_env) else { return Ok(()) };
    prop_assert!(report.total() >= report.problems().len() && !report.problems().is_empty());
    let lines = text.split('\n').count();
    for problem in report.problems() {
        prop_assert!(problem.line() <= lines, "{problem} of {lines} lines");
    }
    let shown = report.to_string();
    prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_examples_end_in_a_report(
        base in prop::sample::select(vec![SMALL, SINGLE_NODE, THREE_REGIONS]),
        changes in prop::collection::vec((0.0..1.0, 0_usize..40, prop::sample::select(PIECES.to_vec())), 1..6),
    ) {
        let mut text = base.to_owned();
        for (position, removed, piece) in changes {
            text = mutate(&text, position, removed, piece);
        }
        check(&text)?;
    }

    #[test]
    fn any_text_ends_in_a_report(text in "\\PC{0,200}") {
        check(&text)?;
    }

    #[test]
    fn shuffled_lines_end_in_a_report(lines in Just(THREE_REGIONS.lines().collect::<Vec<_>>()).prop_shuffle()) {
        check(&lines.join("\n"))?;
    }
}
