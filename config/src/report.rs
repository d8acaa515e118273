//! What is wrong with a configuration file, for the person who wrote it.
//!
//! Every problem carries its place, the line it stands on, carets under the culprit and, where we have one, a way
//! out. Text from the file is shown without control characters, and what follows a key that holds a credential is
//! masked: a report ends up in terminals, logs and chat. It decides nothing about the configuration.

use std::{fmt, ops::Range};

/// Everything wrong with one configuration file, in file order.
///
/// `Display` gives the text for a terminal: a block per problem, then a line that counts them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.render())]
pub struct Report {
    file: String,
    problems: Vec<Problem>,
    total: usize,
}

/// One mistake and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    line: usize,
    column: usize,
    message: String,
    excerpt: Option<Excerpt>,
    help: Option<String>,
}

/// The line at fault with a mark under it. Widths are in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    before: usize,
    marked: usize,
    label: String,
}

impl Report {
    /// Places `mistakes` in `text`. `total` counts those that were found, which may exceed those that were kept.
    pub(crate) fn new(file: String, text: &str, mut mistakes: Vec<Mistake>, total: usize) -> Self {
        mistakes.sort_by_key(|mistake| mistake.span.start);
        let lines = Lines::new(text);
        let problems = mistakes.into_iter().map(|mistake| mistake.place(&lines)).collect();
        Self { file, problems, total }
    }

    /// The problems in file order; at most 200 are kept.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many problems were found, those beyond the first 200 included.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    fn render(&self) -> String {
        let mut out = String::new();
        for problem in &self.problems {
            problem.render(&self.file, &mut out);
        }
        let noun = if self.total == 1 { "problem" } else { "problems" };
        out.push_str(&format!("{} {noun}", self.total));
        if self.total > self.problems.len() {
            out.push_str(&format!(", {} of them shown", self.problems.len()));
        }
        out
    }
}

impl Problem {
    /// Line in the file, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Character in the line, from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, lower case, without full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, when we can tell.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    fn render(&self, file: &str, out: &mut String) {
        out.push_str(&format!("{file}:{}:{}  {}\n", self.line, self.column, self.message));
        if let Some(excerpt) = &self.excerpt {
            out.push_str(format!("{:>5} | {}", self.line, excerpt.text).trim_end());
            let marks = format!("{}{}", " ".repeat(excerpt.before), "^".repeat(excerpt.marked));
            out.push_str(format!("\n      | {marks} {}", excerpt.label).trim_end());
            out.push('\n');
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("   help: {help}\n"));
        }
        out.push('\n');
    }
}

/// A problem that has not been placed yet.
#[derive(Debug, Clone)]
pub(crate) struct Mistake {
    span: Range<usize>,
    message: String,
    label: String,
    help: Option<String>,
}

impl Mistake {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: String::new(), help: None }
    }

    /// Says beside the carets what was expected there.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    fn place(self, lines: &Lines<'_>) -> Problem {
        let (line, start, text) = lines.at(self.span.start);
        let end = self.span.end.min(start.saturating_add(text.len()));
        let width = |from: usize, to: usize| lines.text.get(from..to).map_or(0, |s| s.chars().count());
        let before = width(start, self.span.start);
        let marked = width(self.span.start, end).max(1);
        let excerpt = (!text.is_empty()).then(|| Excerpt::new(text, before, marked, self.label));
        Problem { line, column: before.saturating_add(1), message: self.message, excerpt, help: self.help }
    }
}

impl Excerpt {
    fn new(line: &str, before: usize, marked: usize, label: String) -> Self {
        let masked = mask(line);
        let width = masked.chars().count();
        let far = width > EXCERPT_CHARS_MAX && before > EXCERPT_CHARS_MAX / 2;
        let skipped = if far { before - EXCERPT_CHARS_MAX / 4 } else { 0 };
        let mut text: String = masked.chars().skip(skipped).take(EXCERPT_CHARS_MAX).map(plain).collect();
        let shown = text.chars().count();
        if skipped > 0 {
            text.insert(0, '…');
        }
        if width > skipped.saturating_add(shown) {
            text.push('…');
        }
        let before = before - skipped + usize::from(skipped > 0);
        let room = shown.saturating_add(1).saturating_sub(before).max(1);
        Self { text, before, marked: marked.min(room), label }
    }
}

/// Where lines begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Number, from 1, start and text of the line that holds `offset`.
    fn at(&self, offset: usize) -> (usize, usize, &'a str) {
        let number = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        let rest = self.text.get(start..).unwrap_or_default();
        (number, start, rest.lines().next().unwrap_or_default())
    }
}

/// Text from the file or the environment inside a message: quoted, escaped, of bounded length, user and password
/// of a URL masked.
pub(crate) fn quoted(text: &str) -> String {
    let [scheme, user, rest] = around_user(text);
    let stars = user.chars().map(|_| '*');
    let mut shown: String = scheme.chars().chain(stars).chain(rest.chars()).take(QUOTED_CHARS_MAX).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// The same characters without those that steer a terminal or reorder text.
fn plain(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '·',
        c if c.is_control() => '·',
        c => c,
    }
}

/// Replaces quoted text after a key that holds a credential by as many stars.
fn mask(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, from)) = rest.find(['"', '\'']).and_then(|at| rest.split_at_checked(at)) {
        let done = line.len().saturating_sub(from.len());
        let secret = line.get(..done).is_some_and(ends_with_secret_key);
        let [open, inner, close, after] = quoted_text(from);
        out.push_str(before);
        out.push_str(open);
        let [shown, hidden, tail] = if secret { ["", inner, ""] } else { around_user(inner) };
        out.push_str(shown);
        out.extend(hidden.chars().map(|_| '*'));
        out.push_str(tail);
        out.push_str(close);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `… token =`, where the quoted text that follows is a credential.
fn ends_with_secret_key(before: &str) -> bool {
    let Some(key) = before.trim_end().strip_suffix('=') else { return false };
    let key = key.trim_end().trim_end_matches(['"', '\'']);
    SECRET_KEYS.iter().any(|secret| key.ends_with(secret))
}

/// What stands before user and password of a URL, these two, and what follows.
fn around_user(text: &str) -> [&str; 3] {
    let start = text.find("://").map_or(text.len(), |at| at.saturating_add(3));
    let (scheme, rest) = text.split_at_checked(start).unwrap_or((text, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, rest) = rest.split_at_checked(authority.rfind('@').unwrap_or(0)).unwrap_or(("", rest));
    [scheme, user, rest]
}

/// Opening quotes, text, closing quotes (empty at the end of the line), and the rest behind them.
fn quoted_text(from: &str) -> [&str; 4] {
    let quote = if from.starts_with('"') { '"' } else { '\'' };
    let width = if from.starts_with("\"\"\"") || from.starts_with("'''") { 3 } else { 1 };
    let (open, inner) = from.split_at_checked(width).unwrap_or((from, ""));
    let mut escaped = false;
    let close = inner.char_indices().find_map(|(at, c)| {
        let closes = !escaped && inner.get(at..).is_some_and(|tail| tail.starts_with(open));
        escaped = !escaped && quote == '"' && c == '\\';
        closes.then_some(at)
    });
    let (inner, after) = inner.split_at_checked(close.unwrap_or(inner.len())).unwrap_or((inner, ""));
    let (close, after) = after.split_at_checked(width).unwrap_or((after, ""));
    [open, inner, close, after]
}

/// Keys whose values are credentials.
const SECRET_KEYS: [&str; 4] = ["token", "access_key", "secret_key", "secret"];
/// Characters of a line that an excerpt shows.
const EXCERPT_CHARS_MAX: usize = 120;
/// Characters of foreign text that a message quotes.
const QUOTED_CHARS_MAX: usize = 80;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}  {}", self.line, self.column, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>) -> String {
        let mistake = Mistake::new(span, "it is wrong").label("right").help("do it");
        Report::new("edge.toml".into(), text, vec![mistake], 1).to_string()
    }

    #[test]
    fn places_carets_under_the_culprit() {
        let expected = "edge.toml:2:5  it is wrong\n    2 | b = \"é\"\n      |     ^^^ right\n   help: do it\n\n1 problem";
        assert_eq!(one("a = 1\nb = \"é\"\n", 10..14), expected);
    }

    #[test]
    fn marks_only_the_first_of_many_lines() {
        assert!(one("a = [\n1,\n2]", 4..12).contains("1 | a = [\n      |     ^ right"));
    }

    #[test]
    fn survives_spans_outside_the_text() {
        for span in [90..95, 0..0, 1..2, Range { start: 5, end: 3 }] {
            assert!(one("é", span).contains("it is wrong"));
        }
    }

    #[test]
    fn shows_a_window_of_a_long_line() {
        let text = format!("{}X{}", "a".repeat(5_000), "b".repeat(5_000));
        let shown = one(&text, 5_000..5_001);
        assert!(shown.lines().all(|line| line.chars().count() < 140), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[1].chars().position(|c| c == 'X'),
            lines[2].chars().position(|c| c == '^'),
            "{shown}"
        );
    }

    #[test]
    fn hides_what_steers_a_terminal() {
        let shown = one("a = \"\u{1b}[31m\u{202e}\"", 0..1);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
        assert!(!quoted("\u{1b}[31m").contains('\u{1b}'));
    }

    #[test]
    fn masks_credentials_beside_the_culprit() {
        for line in [
            "token = \"hunter2\", scopes = [\"reed\"]",
            "access_key='hunter2'",
            "\"secret_key\" = \"hunter2",
            "url = \"https://hunter2:hunter2@a.org/hunter\"",
            "{ token_file = 1, token = \"\"\"hunter2\"\"\" }",
        ] {
            let masked = mask(line);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.chars().count(), line.chars().count());
        }
        assert_eq!(mask("name = \"tokenizer\""), "name = \"tokenizer\"");
    }

    #[test]
    fn counts_what_it_does_not_show() {
        let report = Report::new("a".into(), "", vec![Mistake::new(0..0, "x")], 7);
        assert_eq!(report.to_string(), "a:1:1  x\n\n7 problems, 1 of them shown");
    }
}
