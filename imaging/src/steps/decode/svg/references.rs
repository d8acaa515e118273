//! What a drawing grows to when everything that it refers to is put in its place.
//!
//! A hundred elements that use each other ten at a time stand for billions. They are counted here without being made: every
//! element stands for itself, its children, and what it refers to by `href` or `url(#…)`, in attributes, in its own style
//! and by the style sheet. A paint or a marker that is inherited counts once for every element that may inherit it. Elements
//! that refer to each other in a circle are refused.
//!
//! What drawing needs besides is counted along the way and judged by [`Extent::drawable`]: letters of texts, and attributes,
//! which are read again in every place that an element is put or that inherits them.

use std::collections::HashMap;

use roxmltree::{Document, Node};
use simplecss::{Declaration, DeclarationTokenizer, StyleSheet};

use super::texts;
use crate::Error;

/// Elements that a drawing may grow to.
const EXPANDED_MAX: u64 = 200_000;
/// The same for all elements that are kept for being referred to, together: some are compared with each other.
const DEFINED_MAX: u64 = 1_000_000;
/// Elements within elements, once they are in place.
const DEPTH_MAX: u32 = 160;
/// Comparisons of an element with a rule of the style sheet.
const MATCHES_MAX: u64 = 4_000_000;
/// Declarations of the style sheet for every element.
const DECLARED_MAX: u64 = 20_000_000;
/// Bytes of style that are looked at again and again while it is read, as [`scanned`] counts.
const SCANNED_MAX: u64 = 1_000_000_000;
/// Bytes that are looked at in the time that one is read.
const GLANCES: u64 = 32;
/// Bytes of attributes, once they are in place.
const BYTES_MAX: u64 = 64 << 20;
/// Length of the longest value that is inherited, for every element and letter that may inherit it.
const INHERITED_MAX: u64 = 32 << 20;
/// A letter may be painted four times, with lines under, over and through it.
const PAINTS: u64 = 4;
/// Stops of a gradient that are copied in the time that an element takes.
const COPIES: u64 = 16;
/// How the names of properties begin that are read again wherever they are inherited or declared.
const INHERITED: [&str; 26] = [
    "alignment",
    "baseline",
    "clip",
    "color",
    "direction",
    "dominant",
    "fill",
    "flood",
    "font",
    "glyph",
    "image",
    "kerning",
    "letter",
    "marker",
    "mask",
    "opacity",
    "paint",
    "shape",
    "stroke",
    "text",
    "transform",
    "unicode",
    "visibility",
    "white",
    "word",
    "writing",
];

const TOO_MUCH: Error = Error::Undecodable { reason: "the svg repeats its elements too often" };
const TOO_DEEP: Error = Error::Undecodable { reason: "the svg is nested too deep" };
const CIRCLE: Error = Error::Undecodable { reason: "elements of the svg refer to each other in a circle" };
const TOO_STYLED: Error = Error::Undecodable { reason: "the svg has too much style" };
const TOO_LONG: Error = Error::Undecodable { reason: "attributes of the svg are repeated too often" };

/// What a document grows to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    whole: Count,
    style: Style,
}

impl Extent {
    /// Judges what only drawing takes.
    ///
    /// # Errors
    /// `Undecodable` when it is too much.
    pub(crate) fn drawable(&self) -> Result<(), Error> {
        let Count { elements, letters, layout, bytes, .. } = self.whole;
        texts::judge(letters, layout)?;
        let Style { rules, declarations, longest } = self.style;
        if rules.saturating_mul(elements) > MATCHES_MAX
            || declarations.saturating_mul(elements) > DECLARED_MAX
        {
            return Err(TOO_STYLED);
        }
        let inherited = longest.saturating_mul(elements.saturating_add(letters));
        if bytes > BYTES_MAX || inherited > INHERITED_MAX { Err(TOO_LONG) } else { Ok(()) }
    }
}

/// Judges a document.
///
/// # Errors
/// `Undecodable` when it grows beyond a bound.
pub(crate) fn judge(document: &Document<'_>) -> Result<Extent, Error> {
    let elements: Vec<Node<'_, '_>> = document.descendants().filter(Node::is_element).collect();
    let styles = elements.iter().flat_map(|node| node.attributes()).filter(|of| of.name() == "style");
    let scanning = styles.map(|style| scanned(style.value())).fold(0, u64::saturating_add);
    let (sheet, mut style) = style_sheet(&elements, scanning)?;
    style.longest = style.longest.max(elements.iter().map(longest).max().unwrap_or(0));
    let mut graph = Graph::of(&elements, &sheet);
    let mut defined = 0_u64;
    for element in 0..elements.len() {
        graph.count(element)?;
    }
    for (node, count) in elements.iter().zip(&graph.counts) {
        if matches!(node.tag_name().name(), "pattern" | "clipPath" | "mask" | "filter" | "marker") {
            defined = defined.saturating_add(count.map_or(0, |count| count.elements));
        }
    }
    let whole = graph.counts.first().copied().flatten().unwrap_or_default();
    if whole.elements > EXPANDED_MAX || defined > DEFINED_MAX {
        return Err(TOO_MUCH);
    }
    Ok(Extent { whole, style })
}

/// How a reference multiplies what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In this place only.
    Once,
    /// By every element below that draws.
    Inherited,
    /// A gradient, likewise: it is read once, and its stops are copied.
    Copied,
    /// By every corner of every element below.
    AtCorners,
}

/// What an element stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    elements: u64,
    corners: u64,
    letters: u64,
    /// Work of laying out its texts, as [`texts::layout`] counts it.
    layout: u64,
    /// Of its attributes.
    bytes: u64,
    depth: u32,
}

impl Count {
    /// An element without what is in it.
    fn of(node: &Node<'_, '_>, keeps_spaces: bool) -> Self {
        Self {
            elements: 1,
            corners: corners(node),
            letters: texts::letters(node, keeps_spaces),
            layout: texts::layout(node, keeps_spaces),
            bytes: bytes(node),
            depth: 0,
        }
    }

    fn add(&mut self, part: &Self, times: u64) {
        let grow = |sum: &mut u64, each: u64| *sum = sum.saturating_add(each.saturating_mul(times));
        grow(&mut self.elements, part.elements);
        grow(&mut self.corners, part.corners);
        grow(&mut self.letters, part.letters);
        grow(&mut self.layout, part.layout);
        grow(&mut self.bytes, part.bytes);
        self.depth = self.depth.max(part.depth);
    }
}

/// What there is to match and to inherit.
#[derive(Debug, Clone, Copy, Default)]
struct Style {
    rules: u64,
    declarations: u64,
    /// Bytes of the longest value.
    longest: u64,
}

struct Graph {
    /// Of every element, in the order of the document.
    children: Vec<Vec<usize>>,
    references: Vec<Vec<(usize, How)>>,
    own: Vec<Count>,
    counts: Vec<Option<Count>>,
    is_begun: Vec<bool>,
}

impl Graph {
    fn of<'a>(elements: &[Node<'a, '_>], sheet: &StyleSheet<'a>) -> Self {
        let mut by_id = HashMap::new();
        let mut by_node = HashMap::new();
        for (number, node) in elements.iter().enumerate() {
            by_node.insert(node.id(), number);
            if let Some(id) = node.attribute("id") {
                by_id.entry(id).or_insert(number);
            }
        }
        let keeps_spaces = texts::keeps_spaces(elements);
        let mut graph = Self {
            children: vec![Vec::new(); elements.len()],
            references: Vec::with_capacity(elements.len()),
            own: elements.iter().map(|node| Count::of(node, keeps_spaces)).collect(),
            counts: vec![None; elements.len()],
            is_begun: vec![false; elements.len()],
        };
        for (number, node) in elements.iter().enumerate() {
            let parent = node.parent_element().and_then(|parent| by_node.get(&parent.id()));
            if let Some(children) = parent.and_then(|&parent| graph.children.get_mut(parent)) {
                children.push(number);
            }
            let found = references(node, sheet);
            let resolved = found.into_iter().filter_map(|(id, how)| {
                let target = *by_id.get(id)?;
                let is_gradient = elements.get(target)?.tag_name().name().ends_with("Gradient");
                Some((target, if is_gradient && how == How::Inherited { How::Copied } else { how }))
            });
            graph.references.push(resolved.collect());
        }
        graph
    }

    /// Counts an element after all that it stands for; without recursion, since references can be as many as elements.
    fn count(&mut self, start: usize) -> Result<(), Error> {
        let mut stack = vec![start];
        while let Some(&element) = stack.last() {
            if self.counts.get(element).is_none_or(Option::is_some) {
                stack.pop();
                continue;
            }
            let is_begun = self.is_begun.get(element).copied().unwrap_or(true);
            if let Some(begun) = self.is_begun.get_mut(element) {
                *begun = true;
            }
            let before = stack.len();
            for needed in self.needed(element) {
                if self.counts.get(needed).is_some_and(Option::is_none) {
                    // begun and not done: it waits for this very element
                    if self.is_begun.get(needed).copied().unwrap_or(false) {
                        return Err(CIRCLE);
                    }
                    stack.push(needed);
                }
            }
            if stack.len() == before || is_begun {
                stack.truncate(before - 1);
                let count = self.sum(element)?;
                if let Some(place) = self.counts.get_mut(element) {
                    *place = Some(count);
                }
            }
        }
        Ok(())
    }

    fn needed(&self, element: usize) -> Vec<usize> {
        let references = self.references.get(element).into_iter().flatten().map(|&(target, _)| target);
        self.children.get(element).into_iter().flatten().copied().chain(references).collect()
    }

    fn sum(&self, element: usize) -> Result<Count, Error> {
        let of = |element: usize| self.counts.get(element).copied().flatten().unwrap_or_default();
        let mut count = self.own.get(element).copied().unwrap_or_default();
        let references = self.references.get(element).map(Vec::as_slice).unwrap_or_default();
        self.children.get(element).into_iter().flatten().for_each(|&child| count.add(&of(child), 1));
        for (target, _) in references.iter().filter(|(_, how)| *how == How::Once) {
            count.add(&of(*target), 1);
        }
        let below = count;
        for &(target, how) in references {
            let heirs = below.elements.saturating_add(below.letters.saturating_mul(PAINTS));
            let target = Count { corners: 0, ..of(target) };
            match how {
                How::Once => {}
                How::Inherited => count.add(&target, heirs),
                How::Copied => {
                    count.add(&Count { elements: target.elements / COPIES, bytes: 0, ..target }, heirs);
                    count.add(&target, 1);
                }
                How::AtCorners => count.add(&target, below.corners),
            }
        }
        count.depth += 1;
        if count.depth > DEPTH_MAX { Err(TOO_DEEP) } else { Ok(count) }
    }
}

/// An upper bound for the points of a shape, from the length of what describes it.
fn corners(node: &Node<'_, '_>) -> u64 {
    let described = node.attribute("d").or_else(|| node.attribute("points"));
    let letters = described.map_or(4, str::len);
    u64::try_from(letters.div_ceil(2)).unwrap_or(u64::MAX)
}

/// Bytes of the attributes of an element. A picture inside the document is only copied, which takes an eighth of the time
/// of reading.
fn bytes(node: &Node<'_, '_>) -> u64 {
    let length = |attribute: roxmltree::Attribute<'_, '_>| {
        let bytes = u64::try_from(attribute.value().len()).unwrap_or(u64::MAX);
        match attribute.name() {
            "href" => bytes / 8,
            "style" => bytes.saturating_add(scanned(attribute.value()) / GLANCES),
            _ => bytes,
        }
    };
    node.attributes().map(length).fold(0, u64::saturating_add)
}

/// Bytes that the reader of style looks at besides: at whatever ends a term it works out the line, from the beginning of the
/// text, in case that is a mistake.
fn scanned(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let next = bytes.iter().skip(1).chain(b" ");
    let ends = bytes.iter().zip(next).filter(|&(byte, next)| match byte {
        b'0'..=b'9' => next.is_ascii_whitespace(),
        // as in a font inside the document
        b'+' => !next.is_ascii_alphabetic(),
        b'/' | b'=' | b'%' | b'_' | b'"' | b'\'' => false,
        _ => byte.is_ascii_punctuation(),
    });
    u64::try_from(ends.count().saturating_mul(text.len())).unwrap_or(u64::MAX)
}

/// Length of the longest value of an element that others may inherit.
fn longest(node: &Node<'_, '_>) -> u64 {
    let attributes = node.attributes().map(|attribute| inherited(attribute.name(), attribute.value()));
    let own = DeclarationTokenizer::from(node.attribute("style").unwrap_or_default());
    attributes.chain(own.map(|declared| inherited(declared.name, declared.value))).max().unwrap_or(0)
}

fn inherited(name: &str, value: &str) -> u64 {
    let is_inherited = INHERITED.iter().any(|start| name.starts_with(start));
    if is_inherited { u64::try_from(value.len()).unwrap_or(u64::MAX) } else { 0 }
}

/// The style sheet, with only those rules that refer to an element, and what there was.
fn style_sheet<'a>(elements: &[Node<'a, '_>], mut scanning: u64) -> Result<(StyleSheet<'a>, Style), Error> {
    let mut sheet = StyleSheet::new();
    let mut rules = 0_usize;
    for text in elements.iter().filter(|node| node.tag_name().name() == "style").filter_map(Node::text) {
        rules += text.matches(['{', ',']).count();
        let work = u64::try_from(rules.saturating_mul(elements.len())).unwrap_or(u64::MAX);
        scanning = scanning.saturating_add(scanned(text));
        if work > MATCHES_MAX || scanning > SCANNED_MAX {
            return Err(TOO_STYLED);
        }
        sheet.parse_more(text);
    }
    if scanning > SCANNED_MAX {
        return Err(TOO_STYLED);
    }
    let declared = || sheet.rules.iter().flat_map(|rule| &rule.declarations);
    let style = Style {
        rules: u64::try_from(sheet.rules.len()).unwrap_or(u64::MAX),
        declarations: u64::try_from(declared().count()).unwrap_or(u64::MAX),
        longest: declared().map(|declared| inherited(declared.name, declared.value)).max().unwrap_or(0),
    };
    sheet.rules.retain(|rule| rule.declarations.iter().any(|declaration| declaration.value.contains("url")));
    Ok((sheet, style))
}

fn references<'a>(node: &Node<'a, '_>, sheet: &StyleSheet<'a>) -> Vec<(&'a str, How)> {
    let mut found = Vec::new();
    for attribute in node.attributes() {
        match attribute.name() {
            // a link leads elsewhere, it shows nothing
            "href" if node.tag_name().name() != "a" => {
                found.extend(attribute.value().trim().strip_prefix('#').map(|id| (id, How::Once)));
            }
            "style" => found.extend(DeclarationTokenizer::from(attribute.value()).filter_map(declared)),
            name => found.extend(referred(name, attribute.value())),
        }
    }
    let rules = sheet.rules.iter().filter(|rule| rule.selector.matches(&Styled(*node)));
    found.extend(rules.flat_map(|rule| rule.declarations.iter().copied()).filter_map(declared));
    found
}

fn declared(declaration: Declaration<'_>) -> Option<(&str, How)> {
    referred(declaration.name, declaration.value)
}

/// The element that a property refers to.
fn referred<'a>(name: &str, value: &'a str) -> Option<(&'a str, How)> {
    let how = match name {
        "fill" | "stroke" => How::Inherited,
        "marker" | "marker-start" | "marker-mid" | "marker-end" => How::AtCorners,
        "mask" | "clip-path" | "filter" => How::Once,
        _ => return None,
    };
    let (_, url) = value.split_once("url(")?;
    let (url, _) = url.split_once(')')?;
    let url = url.trim().trim_matches(['"', '\'']);
    Some((url.trim().strip_prefix('#')?, how))
}

/// An element as selectors see it.
struct Styled<'a, 'b>(Node<'a, 'b>);

impl simplecss::Element for Styled<'_, '_> {
    fn parent_element(&self) -> Option<Self> {
        self.0.parent_element().map(Styled)
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.0.prev_sibling_element().map(Styled)
    }

    fn has_local_name(&self, name: &str) -> bool {
        self.0.tag_name().name() == name
    }

    fn attribute_matches(&self, name: &str, operator: simplecss::AttributeOperator<'_>) -> bool {
        self.0.attribute(name).is_some_and(|value| operator.matches(value))
    }

    fn pseudo_class_matches(&self, class: simplecss::PseudoClass<'_>) -> bool {
        matches!(class, simplecss::PseudoClass::FirstChild) && self.prev_sibling_element().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(inner: &str) -> Result<(), Error> {
        let text = format!("<svg xmlns='http://www.w3.org/2000/svg'>{inner}</svg>");
        judge(&Document::parse(&text).expect("well-formed")).map(|_| ())
    }

    /// Levels that refer ten times each to the level before; `refer` writes one reference to an id.
    fn levels(count: usize, element: &str, refer: impl Fn(String) -> String) -> String {
        let level = |number: usize| {
            let inner = refer(format!("a{}", number - 1)).repeat(10);
            format!("<{element} id='a{number}'>{inner}</{element}>")
        };
        let first = format!("<{element} id='a0'><rect width='1' height='1'/></{element}>");
        first + &(1..count).map(level).collect::<String>()
    }

    #[test]
    fn growth_by_every_kind_of_reference_is_refused() {
        let rect = |attributes: String| format!("<rect width='9' height='9' {attributes}/>");
        let uses = levels(7, "g", |id| format!("<use href='#{id}'/>"));
        assert_eq!(outcome(&uses), Err(TOO_MUCH));
        let old_uses =
            levels(7, "g", |id| format!("<use xmlns:l='http://www.w3.org/1999/xlink' l:href='#{id}'/>"));
        assert_eq!(outcome(&old_uses), Err(TOO_MUCH));
        for (element, property) in
            [("pattern", "fill"), ("pattern", "stroke"), ("mask", "mask"), ("clipPath", "clip-path")]
        {
            let by_attribute = |count| levels(count, element, |id| rect(format!("{property}='url(#{id})'")));
            let used = |id: &str| rect(format!("{property}='url( \"#{id}\" )'"));
            assert_eq!(outcome(&(by_attribute(7) + &used("a6"))), Err(TOO_MUCH), "{property}");
            let by_style = levels(7, element, |id| rect(format!("style='{property}:url(#{id})'")));
            assert_eq!(outcome(&(by_style + &used("a6"))), Err(TOO_MUCH), "{property}");
            let by_class = levels(7, element, |id| rect(format!("class='{id}'")));
            let sheet: String = (0..7).map(|n| format!(".a{n} {{ {property}: url(#a{n}) }}")).collect();
            let all = format!("<style>{sheet}</style>{by_class}{}", used("a6"));
            assert_eq!(outcome(&all), Err(TOO_MUCH), "{property} by class");
            assert_eq!(outcome(&(by_attribute(4) + &used("a3"))), Ok(()), "{property} of thousands");
        }
    }

    #[test]
    fn what_is_inherited_counts_for_all_who_inherit() {
        let pattern = format!("<pattern id='p'>{}</pattern>", "<rect/>".repeat(1_000));
        let shapes = "<circle r='1'/>".repeat(300);
        assert_eq!(outcome(&format!("{pattern}<g fill='url(#p)'>{shapes}</g>")), Err(TOO_MUCH));
        let marker = format!("<marker id='m'>{}</marker>", "<rect/>".repeat(100));
        let path = format!("<path d='{}'/>", "l1 1".repeat(3_000));
        assert_eq!(outcome(&format!("{marker}<g marker-mid='url(#m)'>{path}</g>")), Err(TOO_MUCH));
        assert_eq!(outcome(&format!("{marker}<g marker-mid='url(#m)'><path d='m1 1l2 2'/></g>")), Ok(()));
    }

    #[test]
    fn circles_and_towers_are_refused() {
        for circle in [
            "<g id='a'><use href='#a'/></g>",
            "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>",
            "<pattern id='a'><rect fill='url(#a)'/></pattern>",
            "<mask id='a' mask='url(#b)'/><mask id='b'><g mask='url(#a)'/></mask>",
            "<filter id='a'><feImage href='#b'/></filter><g id='b' filter='url(#a)'/>",
        ] {
            assert_eq!(outcome(circle), Err(CIRCLE), "{circle}");
        }
        let tower: String =
            (1..200).map(|n| format!("<linearGradient id='a{n}' href='#a{}'/>", n - 1)).collect();
        assert_eq!(outcome(&tower), Err(TOO_DEEP));
        let long: String =
            (1..20_000).map(|n| format!("<g id='a{n}'><use href='#a{}'/></g>", n - 1)).collect();
        assert_eq!(outcome(&long), Err(TOO_DEEP));
    }

    #[test]
    fn ordinary_drawings_pass() {
        for inner in [
            "",
            "<a href='#self' id='self'><rect/></a>",
            "<image href='data:image/png;base64,AAAA'/><use href='#missing'/>",
            "<defs><linearGradient id='g'/></defs><rect fill='url(#g)'/><rect style='fill:url(#g)'/>",
            "<style>rect { fill: url(#g) } g > rect:first-child { stroke: none }</style><rect/>",
        ] {
            assert_eq!(outcome(inner), Ok(()), "{inner}");
        }
    }

    #[test]
    fn a_style_sheet_is_bounded() {
        let sheet = format!("<style>{}</style>{}", ".a{}".repeat(3_000), "<g/>".repeat(3_000));
        assert_eq!(outcome(&sheet), Err(TOO_STYLED));
    }
}
