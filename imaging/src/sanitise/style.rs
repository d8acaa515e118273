//! Style of drawings: declarations and rules that cannot load anything.
//!
//! CSS is large, and its escapes let one word be written in many ways. So escapes are not understood but refused, and of functions
//! and at-rules those are kept that are on a list; whatever else holds a bracket or an `@` is dropped with the declaration or rule around it.

use super::{names, picture};

/// Rules within rules.
const DEPTH_MAX: usize = 4;

/// Functions, in small letters; `url` is judged by what it refers to.
const FUNCTIONS: [&str; 60] = [
    "blur",
    "brightness",
    "calc",
    "circle",
    "clamp",
    "color",
    "color-mix",
    "contrast",
    "cubic-bezier",
    "drop-shadow",
    "ellipse",
    "grayscale",
    "hsl",
    "hsla",
    "hue-rotate",
    "hwb",
    "inset",
    "invert",
    "is",
    "lab",
    "lch",
    "linear",
    "matrix",
    "matrix3d",
    "max",
    "min",
    "not",
    "nth-child",
    "nth-last-child",
    "nth-last-of-type",
    "nth-of-type",
    "oklab",
    "oklch",
    "opacity",
    "path",
    "perspective",
    "polygon",
    "rgb",
    "rgba",
    "rotate",
    "rotate3d",
    "rotatex",
    "rotatey",
    "rotatez",
    "saturate",
    "scale",
    "scale3d",
    "scalex",
    "scaley",
    "sepia",
    "skew",
    "skewx",
    "skewy",
    "steps",
    "translate",
    "translate3d",
    "translatex",
    "translatey",
    "var",
    "where",
];

/// Whether a value loads nothing.
pub(super) fn is_safe(value: &str) -> bool {
    if value.contains(['\\', '@', '<']) || value.contains("/*") {
        return false;
    }
    let mut rest = value;
    while let Some((before, inside)) = rest.split_once('(') {
        let name_at =
            before.rfind(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')));
        let name = name_at.map_or(before, |at| before.get(at..).unwrap_or_default());
        let name = name.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        let name = name.to_ascii_lowercase();
        if name == "url" {
            let Some((target, behind)) = inside.split_once(')') else { return false };
            if !is_own(target) {
                return false;
            }
            rest = behind;
            continue;
        }
        // a bracket alone groups numbers, or the question of a media rule
        let is_known = name.is_empty() || name == "and" || FUNCTIONS.binary_search(&name.as_str()).is_ok();
        if !is_known {
            return false;
        }
        rest = inside;
    }
    true
}

/// Whether the target of a `url()` is a part of the document, or a picture written out.
fn is_own(target: &str) -> bool {
    let target = target.trim_ascii();
    let bare = |quote: char| target.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let target = bare('"').or_else(|| bare('\'')).unwrap_or(target);
    if target.contains(['"', '\'', '(']) {
        return false;
    }
    target.starts_with('#') || picture(target).is_some()
}

/// The declarations of a `style` attribute, or of a rule, that are on the list.
pub(super) fn declarations(text: &str) -> String {
    let text = without_comments(text);
    let mut kept = Vec::new();
    for declaration in pieces(&text, ';') {
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let is_closed = !value.contains(['{', '}']);
        if names::is_property(&name) && is_name(&name) && is_closed && is_safe(value) {
            kept.push(format!("{name}:{value}"));
        }
    }
    kept.join(";")
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_'))
}

/// The rules of a sheet that are on the list.
pub(super) fn sheet(text: &str) -> String {
    let mut out = String::new();
    rules(&without_comments(text), 0, &mut out);
    out
}

fn rules(text: &str, depth: usize, out: &mut String) {
    let mut rest = text;
    while let Some(open) = outside(rest, '{') {
        let (head, body) = rest.split_at_checked(open).unwrap_or_default();
        let body = body.get(1..).unwrap_or_default();
        // an @import or @charset ends with a semicolon before the rule that follows it
        let head = pieces(head, ';').pop().unwrap_or_default().trim();
        let Some(close) = closing(body) else { return };
        let (inner, behind) = body.split_at_checked(close).unwrap_or_default();
        rest = behind.get(1..).unwrap_or_default();
        let at_rule = head.strip_prefix('@').map(|rule| rule.to_ascii_lowercase());
        match at_rule {
            None if !head.is_empty() && is_safe(head) && !head.contains("]]>") => {
                let kept = declarations(inner);
                out.push_str(&format!("{head}{{{kept}}}"));
            }
            Some(rule) if depth < DEPTH_MAX && is_known(&rule) && is_safe(&rule) => {
                out.push_str(&format!("{head}{{"));
                rules(inner, depth + 1, out);
                out.push('}');
            }
            _ => {}
        }
    }
}

fn is_known(rule: &str) -> bool {
    let word = rule.split(|letter: char| letter.is_ascii_whitespace() || letter == '(').next();
    matches!(word, Some("media" | "keyframes" | "-webkit-keyframes" | "supports"))
}

/// The text without what stands between `/*` and `*/`.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    // not those of a page
    out.replace("<!--", " ").replace("-->", " ")
}

/// The text at every `mark` outside of quotes and brackets.
fn pieces(text: &str, mark: char) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = outside(rest, mark) {
        let (piece, behind) = rest.split_at_checked(at).unwrap_or_default();
        found.push(piece);
        rest = behind.get(1..).unwrap_or_default();
    }
    found.push(rest);
    found
}

/// Where `mark` first stands outside of quotes and round brackets.
fn outside(text: &str, mark: char) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0_u32);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, _) if letter == mark && depth == 0 => return Some(at),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

/// Where the bracket closes that was open before the text.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0_u32);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_sorted() {
        assert!(FUNCTIONS.is_sorted());
    }

    #[test]
    fn values_that_load_are_told_from_those_that_do_not() {
        for value in [
            "red",
            "#08c",
            "rgb(1, 2, 3)",
            "url(#a)",
            "url( '#a' ) none",
            "url(data:image/png;base64,AAAA)",
            "translate(1 2) rotate(calc(3deg * 2))",
            "var(--a, #fff)",
            "",
        ] {
            assert!(is_safe(value), "{value}");
        }
        for value in [
            "url(http://a.example/b)",
            "url(//a.example)",
            "URL(a.svg#b)",
            "url('#a'",
            "url(data:image/svg+xml;base64,AAAA)",
            "url(data:text/html,a)",
            "url(\"#a\" \"http://b\")",
            "\\75 rl(http://a)",
            "u\\rl(#a)",
            "image-set('http://a.example' 1x)",
            "-webkit-image-set(url(#a) 1x)",
            "expression(alert(1))",
            "src('http://a')",
            "red/**/",
            "rgb(url(http://a))",
        ] {
            assert!(!is_safe(value), "{value}");
        }
    }

    #[test]
    fn declarations_are_kept_one_by_one() {
        for (text, kept) in [
            ("fill:red;stroke : blue ;", "fill:red;stroke:blue"),
            ("fill:url(http://a);stroke:blue", "stroke:blue"),
            ("behavior:url(#a);-moz-binding:url(#a);fill:red", "fill:red"),
            ("font-family:'a;b';fill:red", "font-family:'a;b';fill:red"),
            ("fill:red}*{fill:url(//a)", ""),
            ("--a:image-set('//b');--c:1", "--c:1"),
            ("fill/**/:/*;*/red", "fill:red"),
            ("filter:url(data:image/png;base64,AA;BB)", ""),
            ("background:url('//a.example/x;y')", ""),
            ("fill", ""),
        ] {
            assert_eq!(declarations(text), kept, "{text}");
        }
    }

    #[test]
    fn rules_are_kept_one_by_one() {
        for (text, kept) in [
            (".a{fill:red} g > b:nth-child(2){stroke:blue}", ".a{fill:red}g > b:nth-child(2){stroke:blue}"),
            ("@import url(http://a);.a{fill:red}", ".a{fill:red}"),
            ("@import 'http://a{';.a{fill:red}", ".a{fill:red}"),
            ("@font-face{src:url(http://a)} .a{fill:red}", ".a{fill:red}"),
            ("@media (max-width: 9px){.a{fill:red;src:url(//a)}}", "@media (max-width: 9px){.a{fill:red}}"),
            ("@keyframes a{from{opacity:0}to{opacity:1}}", "@keyframes a{from{opacity:0}to{opacity:1}}"),
            (".a{fill:red", ""),
            (".a\\{}{fill:red}", ""),
            ("/* } */.a{/*{*/fill:red}<!-- .b{} -->", ".a{fill:red}.b{}"),
            ("@layer a{.b{fill:red}}", ""),
        ] {
            assert_eq!(sheet(text), kept, "{text}");
        }
    }
}
