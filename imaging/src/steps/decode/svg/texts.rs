//! Texts of a drawing: their font, and what laying them out takes.
//!
//! There is one font, the built-in one; whatever family, weight or style is asked for, it is taken, and letters that it lacks
//! are its empty box. Nothing of the system is read.
//!
//! A text is laid out while the document is read, before anything can be measured, and some of that takes the square of its
//! length. So letters are counted in the document. Two kinds of text are cut out of it: that along a path, whose layout need
//! not end when the drawing is scaled far up, and that of other elements (`tref`), which no browser shows.

use std::sync::{Arc, LazyLock};

use resvg::usvg::{FontResolver, fontdb};
use roxmltree::{Document, Node};

use crate::Error;
use crate::steps::text::FONT;

/// Characters of all texts, once they are in place; white space that is not kept counts once.
const LETTERS_MAX: u64 = 20_000;
/// As [`layout`] counts; half a second at most.
const LAYOUT_MAX: u64 = 500_000;
/// Letters that are laid out together, whose comparing with each other takes as long as another part would.
const LETTERS_OF_A_PART: u64 = 512;
/// Elements that are cut out.
const CUT: [&str; 2] = ["textPath", "tref"];

const TOO_WORDY: Error = Error::Undecodable { reason: "the svg has more than 20000 characters of text" };
const TOO_SCATTERED: Error =
    Error::Undecodable { reason: "a text of the svg is too long or has too many parts" };

/// The fonts there are.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(FONT)));
    Arc::new(fonts)
});

/// The font as a database.
pub(super) fn fonts() -> Arc<fontdb::Database> {
    Arc::clone(&FONTS)
}

/// Chooses the one font for all.
pub(super) fn resolver() -> FontResolver<'static> {
    FontResolver {
        select_font: Box::new(|_, fonts| fonts.faces().next().map(|face| face.id)),
        select_fallback: Box::new(|_, _, _| None),
    }
}

/// The source without the texts that are not drawn; none when there are none.
pub(super) fn cut(source: &[u8], document: &Document<'_>) -> Option<Vec<u8>> {
    let mut rest = Vec::new();
    let mut at = 0;
    for node in document.descendants().filter(|node| CUT.contains(&node.tag_name().name())) {
        let range = node.range();
        // one may be inside another
        if let Some(before) = source.get(at..range.start) {
            rest.extend_from_slice(before);
            at = range.end;
        }
    }
    if at == 0 {
        return None;
    }
    rest.extend_from_slice(source.get(at..).unwrap_or_default());
    Some(rest)
}

/// Judges the texts of a drawing.
///
/// # Errors
/// `Undecodable` when they are too long.
pub(super) fn judge(letters: u64, layout: u64) -> Result<(), Error> {
    if letters > LETTERS_MAX {
        Err(TOO_WORDY)
    } else if layout > LAYOUT_MAX {
        Err(TOO_SCATTERED)
    } else {
        Ok(())
    }
}

/// Whether white space stands as it is written, anywhere in the document.
pub(super) fn keeps_spaces(elements: &[Node<'_, '_>]) -> bool {
    elements.iter().any(|node| node.attributes().any(|attribute| attribute.name() == "space"))
}

/// Letters that stand in an element itself, when it is or is in a text.
pub(super) fn letters(node: &Node<'_, '_>, keeps_spaces: bool) -> u64 {
    if !node.ancestors().any(|node| is_text(&node)) {
        return 0;
    }
    node.children().filter(Node::is_text).map(|part| length(&part, keeps_spaces)).fold(0, u64::saturating_add)
}

/// What laying out a text takes, in microseconds: all its letters are shaped anew for each of its parts, and they are
/// compared with each other.
pub(super) fn layout(node: &Node<'_, '_>, keeps_spaces: bool) -> u64 {
    if !is_text(node) {
        return 0;
    }
    let (mut letters, mut parts) = (0_u64, 0_u64);
    for part in node.descendants().filter(Node::is_text) {
        letters = letters.saturating_add(length(&part, keeps_spaces));
        parts += 1;
    }
    letters.saturating_mul(parts.saturating_add(letters / LETTERS_OF_A_PART))
}

fn is_text(node: &Node<'_, '_>) -> bool {
    node.tag_name().name() == "text"
}

fn length(part: &Node<'_, '_>, keeps_spaces: bool) -> u64 {
    let is_space = |letter: &char| matches!(letter, ' ' | '\t' | '\r' | '\n');
    let text = part.text().unwrap_or_default();
    let mut was_space = false;
    let counted = text.chars().filter(|letter| {
        let is_again = is_space(letter) && was_space && !keeps_spaces;
        was_space = is_space(letter);
        !is_again
    });
    u64::try_from(counted.count()).unwrap_or(u64::MAX)
}
