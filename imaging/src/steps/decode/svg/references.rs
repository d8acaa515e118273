//! What a drawing grows to when everything that it refers to is put in its place.
//!
//! A hundred elements that use each other ten at a time stand for billions. They are counted here without being made: every
//! element stands for itself, its children, and what it refers to by `href` or `url(#…)`, in attributes, in its own style
//! and by the style sheet. A paint or a marker that is inherited counts once for every element that may inherit it. Elements
//! that refer to each other in a circle are refused.

use std::collections::HashMap;

use roxmltree::{Document, Node};
use simplecss::{Declaration, DeclarationTokenizer, StyleSheet};

use crate::Error;

/// Elements that a drawing may grow to.
const EXPANDED_MAX: u64 = 200_000;
/// The same for all elements that are kept for being referred to, together: some are compared with each other.
const DEFINED_MAX: u64 = 1_000_000;
/// Elements within elements, once they are in place.
const DEPTH_MAX: u32 = 160;
/// Comparisons of an element with a rule of the style sheet.
const MATCHES_MAX: u64 = 4_000_000;

const TOO_MUCH: Error = Error::Undecodable { reason: "the svg repeats its elements too often" };
const TOO_DEEP: Error = Error::Undecodable { reason: "the svg is nested too deep" };
const CIRCLE: Error = Error::Undecodable { reason: "elements of the svg refer to each other in a circle" };
const TOO_STYLED: Error = Error::Undecodable { reason: "the svg has too many style rules" };

/// Judges a document.
///
/// # Errors
/// `Undecodable` when it grows beyond a bound.
pub(crate) fn judge(document: &Document<'_>) -> Result<(), Error> {
    let elements: Vec<Node<'_, '_>> = document.descendants().filter(Node::is_element).collect();
    let mut graph = Graph::of(&elements)?;
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
    if whole.elements > EXPANDED_MAX || defined > DEFINED_MAX { Err(TOO_MUCH) } else { Ok(()) }
}

/// How a reference multiplies what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In this place only.
    Once,
    /// By every element below that draws.
    Inherited,
    /// By every corner of every element below.
    AtCorners,
}

/// What an element stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    elements: u64,
    corners: u64,
    depth: u32,
}

struct Graph {
    /// Of every element, in the order of the document.
    children: Vec<Vec<usize>>,
    references: Vec<Vec<(usize, How)>>,
    corners: Vec<u64>,
    counts: Vec<Option<Count>>,
    is_begun: Vec<bool>,
}

impl Graph {
    fn of(elements: &[Node<'_, '_>]) -> Result<Self, Error> {
        let mut by_id = HashMap::new();
        let mut by_node = HashMap::new();
        for (number, node) in elements.iter().enumerate() {
            by_node.insert(node.id(), number);
            if let Some(id) = node.attribute("id") {
                by_id.entry(id).or_insert(number);
            }
        }
        let sheet = style_sheet(elements)?;
        let mut graph = Self {
            children: vec![Vec::new(); elements.len()],
            references: Vec::with_capacity(elements.len()),
            corners: elements.iter().map(corners).collect(),
            counts: vec![None; elements.len()],
            is_begun: vec![false; elements.len()],
        };
        for (number, node) in elements.iter().enumerate() {
            let parent = node.parent_element().and_then(|parent| by_node.get(&parent.id()));
            if let Some(children) = parent.and_then(|&parent| graph.children.get_mut(parent)) {
                children.push(number);
            }
            let found = references(node, &sheet);
            let resolved = found.into_iter().filter_map(|(id, how)| {
                let target = *by_id.get(id)?;
                // a gradient is read once and then only looked up
                let is_gradient = elements.get(target)?.tag_name().name().ends_with("Gradient");
                Some((target, if is_gradient { How::Once } else { how }))
            });
            graph.references.push(resolved.collect());
        }
        Ok(graph)
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
        let mut count =
            Count { elements: 1, corners: self.corners.get(element).copied().unwrap_or(0), depth: 0 };
        let mut within = |part: Count| {
            count.elements = count.elements.saturating_add(part.elements);
            count.corners = count.corners.saturating_add(part.corners);
            count.depth = count.depth.max(part.depth);
        };
        let references = self.references.get(element).map(Vec::as_slice).unwrap_or_default();
        self.children.get(element).into_iter().flatten().for_each(|&child| within(of(child)));
        references.iter().filter(|(_, how)| *how == How::Once).for_each(|&(target, _)| within(of(target)));
        let below = count;
        for &(target, how) in references {
            let target = of(target);
            let times = match how {
                How::Once => continue,
                How::Inherited => below.elements,
                How::AtCorners => below.corners,
            };
            count.elements = count.elements.saturating_add(target.elements.saturating_mul(times));
            count.depth = count.depth.max(target.depth);
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

/// The style sheet, with only those rules that refer to an element.
fn style_sheet<'a>(elements: &[Node<'a, '_>]) -> Result<StyleSheet<'a>, Error> {
    let mut sheet = StyleSheet::new();
    let mut rules = 0_usize;
    for text in elements.iter().filter(|node| node.tag_name().name() == "style").filter_map(Node::text) {
        rules += text.matches(['{', ',']).count();
        let work = u64::try_from(rules.saturating_mul(elements.len())).unwrap_or(u64::MAX);
        if work > MATCHES_MAX {
            return Err(TOO_STYLED);
        }
        sheet.parse_more(text);
    }
    sheet.rules.retain(|rule| rule.declarations.iter().any(|declaration| declaration.value.contains("url")));
    Ok(sheet)
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
        judge(&Document::parse(&text).expect("well-formed"))
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
