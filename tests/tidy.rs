//! The house rules that a machine can check: what stands where, who may know whom, how long things get.
//!
//! Each test names one rule and prints every place that breaks it. It reads the files of the checkout as text and
//! starts nothing but git, and that only to leave out what is ignored.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test that calls them")]

use std::{
    collections::BTreeSet,
    fmt::Display,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 600;
/// Longest function, in lines, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest README, in lines.
const README_LINES_MAX: usize = 200;
/// What may stand at the root, besides dotfiles.
const ROOT_NAMES: [&str; 13] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "benches",
    "cache",
    "config",
    "geo-routing",
    "imaging",
    "proxy",
    "tests",
];
/// Crates beside the workspace, which nothing that is shipped knows.
const BESIDE: [&str; 2] = ["benches/images/oximg/", "tests/fuzz/"];
/// Every manifest with the crates of ours that its product code may depend on.
const ARROWS: [(&str, &[&str]); 7] = [
    ("Cargo.toml", &["overfall-proxy"]),
    ("cache/Cargo.toml", &["overfall-config"]),
    ("config/Cargo.toml", &[]),
    ("geo-routing/Cargo.toml", &["overfall-config"]),
    ("imaging/Cargo.toml", &["overfall-config"]),
    ("proxy/Cargo.toml", &["overfall-cache", "overfall-config", "overfall-geo-routing", "overfall-imaging"]),
    ("tests/support/Cargo.toml", &["overfall-cache", "overfall-config"]),
];
/// Libraries that one crate of ours keeps to itself: how their names begin, whose they are.
const KEPT: [(&str, &str); 16] = [
    ("aws-sdk-", "cache/Cargo.toml"),
    ("aws-smithy-", "cache/Cargo.toml"),
    ("axum", "proxy/Cargo.toml"),
    ("fast_image_resize", "imaging/Cargo.toml"),
    ("foyer", "cache/Cargo.toml"),
    ("heifer-", "imaging/Cargo.toml"),
    ("hickory-", "geo-routing/Cargo.toml"),
    ("image", "imaging/Cargo.toml"),
    ("jpeg", "imaging/Cargo.toml"),
    ("jxl", "imaging/Cargo.toml"),
    ("moxcms", "imaging/Cargo.toml"),
    ("pingora", "proxy/Cargo.toml"),
    ("rav1d", "imaging/Cargo.toml"),
    ("rcgen", "proxy/Cargo.toml"),
    ("webp", "imaging/Cargo.toml"),
    ("zune-", "imaging/Cargo.toml"),
];
/// Libraries that few files may name: the word in code, and how the paths begin that may hold it.
const NAMED_IN: [(&str, &[&str]); 5] = [
    ("aws_sdk_s3::", &["cache/src/tier/s3.rs", "cache/src/tier/s3/"]),
    ("aws_smithy_", &["cache/src/tier/s3.rs", "cache/src/tier/s3/"]),
    ("hickory_proto::", &HICKORY),
    ("hickory_server::", &HICKORY),
    ("pingora::", &["proxy/src/"]),
];
const HICKORY: [&str; 5] =
    ["geo-routing/src/server", "geo-routing/src/answer", "tests/edge/", "tests/support/", "benches/"];
/// Why a sleep may be no sleep.
const PAUSED: &str = "time is paused, so that a sleep takes none";
/// Tests that sleep all the same, with the reason.
const SLEEPERS: [(&str, &str); 8] = [
    ("cache/src/engine/tests/model.rs", PAUSED),
    ("cache/src/engine/tests/simulation.rs", PAUSED),
    ("cache/src/engine/tests/time.rs", PAUSED),
    ("cache/src/engine/tests/world.rs", PAUSED),
    ("cache/src/purge/follower/tests.rs", "looks again until a condition holds, with a deadline"),
    ("proxy/src/origin/http/tests/secure.rs", "plays an origin that pauses before it breaks off"),
    ("tests/support/src/faulty_origin.rs", "plays an origin that drips"),
    ("tests/support/src/faulty_s3.rs", "plays a bucket that is slow"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Paths of all files of the project, relative to its root, sorted.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut found: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).expect("names of files are UTF-8");
            text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        _ => walked(),
    };
    found.retain(|name| root().join(name).is_file());
    found.sort();
    found.dedup();
    assert!(found.len() > 20, "the project has more files than {found:?}");
    found
}

/// The same without git, as in an unpacked archive.
fn walked() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a readable folder") {
            let name = folder.join(entry.expect("a readable entry").file_name());
            let is_ours = !name.starts_with("target") && !name.starts_with(".git");
            if is_ours && root().join(&name).is_dir() {
                folders.push(name);
            } else if is_ours {
                found.push(name.to_str().expect("names of files are UTF-8").to_owned());
            }
        }
    }
    found
}

fn is_beside(name: &str) -> bool {
    BESIDE.iter().any(|folder| name.starts_with(folder))
}

fn sources() -> Vec<(String, String)> {
    let is_source = |name: &String| has_extension(name, "rs") && !is_beside(name);
    files().into_iter().filter(is_source).map(|name| (name.clone(), text(&name))).collect()
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The line without its comment. A `//` in a string ends the line too, which no rule here minds.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Fails with all problems, one per line.
fn report(rule: &str, problems: impl IntoIterator<Item = impl Display>) {
    let lines: Vec<String> = problems.into_iter().map(|problem| format!("  {problem}")).collect();
    assert!(lines.is_empty(), "{rule}:\n{}", lines.join("\n"));
}

/// Whether the file holds tests only.
fn is_test_file(name: &str) -> bool {
    name.starts_with("tests/") || name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// Lines of test code, with their numbers: all of a test file, else those from `mod tests {` on.
fn test_lines<'t>(name: &str, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let mut is_test = is_test_file(name);
    (1..).zip(text.lines()).filter(move |(_, line)| {
        is_test |= line.trim_end() == "mod tests {";
        is_test
    })
}

/// Dependencies of a manifest as (is it a development one, name).
fn dependencies(manifest: &str) -> Vec<(bool, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            title.clone_into(&mut section);
            continue;
        }
        let is_product = section == "dependencies" || section.ends_with("build-dependencies");
        let is_product = is_product || (section.starts_with("target.") && section.ends_with(".dependencies"));
        let is_development = section.ends_with("dev-dependencies");
        let end = line.find(['.', '=', ' ']).filter(|_| !line.starts_with('#'));
        if let Some((name, _)) = end.and_then(|end| line.split_at_checked(end))
            && (is_product || is_development)
        {
            found.push((is_development, name.to_owned()));
        }
    }
    found
}

#[test]
fn the_root_holds_the_agreed_names_only() {
    let names: BTreeSet<String> =
        files().iter().filter_map(|name| name.split('/').next().map(str::to_owned)).collect();
    let strangers =
        names.iter().filter(|name| !name.starts_with('.') && !ROOT_NAMES.contains(&name.as_str()));
    report("tool files are dotfiles, documents live in the crate they describe", strangers);
}

#[test]
fn no_file_is_too_long() {
    let counted = sources().into_iter().map(|(name, text)| (text.lines().count(), name));
    let long = counted.filter(|(lines, _)| *lines > FILE_LINES_MAX);
    report("a file has 600 lines at most", long.map(|(lines, name)| format!("{name}: {lines} lines")));
}

#[test]
fn no_function_is_too_long() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let indent = line.chars().take_while(|letter| *letter == ' ').count();
            let end = format!("{}}}", " ".repeat(indent));
            // rustfmt puts the closing brace below the first letter; a signature alone ends with ;
            let length = lines.iter().skip(index).position(|line| *line == end).map_or(1, |last| last + 1);
            let is_body = !line.ends_with(';') && !line.ends_with('}');
            if is_body && length > FUNCTION_LINES_MAX {
                problems.push(format!("{name}:{}: {length} lines: {}", index + 1, line.trim()));
            }
        }
    }
    report("a function has 70 lines at most", problems);
}

fn is_function(line: &str) -> bool {
    let words = line.split('(').next().unwrap_or_default().split_whitespace();
    let mut before = words.take_while(|word| *word != "fn").peekable();
    let is_named = line.contains("fn ") && line.contains(['(', '<']);
    is_named && before.all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(&word))
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).map_or(0, |text| text.lines().count());
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines, {README_LINES_MAX} at most");
}

#[test]
fn crates_know_only_whom_they_may() {
    let mut problems = Vec::new();
    for (manifest, allowed) in ARROWS {
        let ours =
            dependencies(&text(manifest)).into_iter().filter(|(_, name)| name.starts_with("overfall-"));
        for (is_development, name) in ours {
            if !is_development && !allowed.contains(&name.as_str()) {
                problems.push(format!("{manifest} depends on {name}"));
            }
        }
    }
    report("proxy knows cache, imaging and geo-routing; those know config, and not each other", problems);
}

#[test]
fn every_manifest_is_in_the_table_of_arrows() {
    let known = |name: &&String| ARROWS.iter().any(|(manifest, _)| manifest == name) || is_beside(name);
    let found = files();
    let strangers = found.iter().filter(|name| name.ends_with("Cargo.toml")).filter(|name| !known(name));
    report("a new crate says here whom it may know", strangers);
}

#[test]
fn libraries_stay_with_the_crate_that_owns_them() {
    let mut problems = Vec::new();
    for (manifest, _) in ARROWS {
        let is_for_tests = manifest.starts_with("tests/");
        for (is_development, name) in dependencies(&text(manifest)) {
            let owners: Vec<&str> =
                KEPT.iter().filter(|(start, _)| name.starts_with(start)).map(|(_, owner)| *owner).collect();
            if !owners.is_empty() && !owners.contains(&manifest) && !is_development && !is_for_tests {
                problems.push(format!("{manifest} depends on {name}, which is for {owners:?}"));
            }
        }
    }
    report("one crate per library", problems);
}

#[test]
fn libraries_are_named_only_where_they_are_wrapped() {
    let mut problems = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name != file!()) {
        for (word, places) in NAMED_IN {
            let is_place = places.iter().any(|place| name.starts_with(place));
            let lines = (1..).zip(text.lines()).filter(|(_, line)| !is_place && code(line).contains(word));
            problems.extend(lines.map(|(number, line)| format!("{name}:{number}: {}", line.trim())));
        }
    }
    report("a library is spoken to in one place", problems);
}

#[test]
fn nothing_is_left_half_done() {
    let marks =
        [concat!("to", "do!"), concat!("un", "implemented!"), concat!("db", "g!("), concat!("#[ign", "ore")];
    let mut problems = Vec::new();
    for (name, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            let has_mark = marks.iter().any(|mark| code(line).contains(mark));
            let has_note = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")]
                .iter()
                .any(|note| line.split_once(note).is_some_and(|(_, rest)| !rest.starts_with("(#")));
            if has_mark || has_note {
                problems.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    report("no stubs, no debugging aids, no ignored tests, no notes without an issue's number", problems);
}

#[test]
fn tests_wait_for_conditions() {
    let mut problems = Vec::new();
    let mut sleepers = BTreeSet::new();
    for (name, text) in sources() {
        let sleeps = test_lines(&name, &text).filter(|(_, line)| code(line).contains(concat!("sle", "ep(")));
        for (number, line) in sleeps {
            if SLEEPERS.iter().any(|(path, _)| *path == name) {
                sleepers.insert(name.clone());
            } else {
                problems.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    let awake = SLEEPERS.iter().filter(|(path, _)| !sleepers.contains(*path));
    problems.extend(awake.map(|(path, _)| format!("{path} does not sleep any more: take it off the list")));
    report("no sleeps in tests", problems);
}

#[test]
fn names_say_something() {
    let words = ["Manager", "Helper", "Util", "Utils"];
    let mut problems = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name != file!()) {
        for (number, line) in (1..).zip(text.lines()) {
            let code = code(line);
            let is_vague = ["struct ", "enum ", "trait "].iter().any(|kind| {
                let named = code.split_once(kind).map(|(_, rest)| rest);
                let word = named.and_then(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next());
                word.is_some_and(|word| words.iter().any(|vague| word.ends_with(vague)))
            });
            let is_drawer = ["util", "utils", "helpers", "misc", "common"]
                .iter()
                .any(|drawer| code.trim_start_matches("pub ").trim() == format!("mod {drawer};"));
            if is_vague || is_drawer {
                problems.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    report("no managers, no helpers, no drawer for everything", problems);
}

#[test]
fn every_source_file_is_part_of_the_build() {
    let all: BTreeSet<String> = sources().into_iter().map(|(name, _)| name).collect();
    let mut reached = BTreeSet::new();
    let mut queue: Vec<String> = all.iter().filter(|name| is_crate_root(name)).cloned().collect();
    while let Some(name) = queue.pop() {
        if reached.insert(name.clone()) {
            queue.extend(modules(&name).into_iter().filter(|module| all.contains(module)));
        }
    }
    report("a file that no `mod` names is dead", all.difference(&reached));
}

/// Files where cargo begins: of crates, of test programs, of benches, of examples.
fn is_crate_root(name: &str) -> bool {
    let is_bench = name.strip_prefix("benches/").is_some_and(|rest| !rest.contains('/'));
    let is_crate = name.ends_with("src/lib.rs") || name.ends_with("/build.rs");
    let is_program = name.ends_with("/main.rs")
        && (name.starts_with("tests/") || name.contains("/tests/") || name.contains("/examples/"));
    is_bench || is_crate || is_program || ["proxy/src/main.rs", "tests/tidy.rs"].contains(&name)
}

/// Files that the `mod name;` lines of a file may mean.
fn modules(name: &str) -> Vec<String> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let is_root = is_crate_root(name) || file == "mod.rs";
    let folder = if is_root { folder.to_owned() } else { name.trim_end_matches(".rs").to_owned() };
    let text = text(name);
    let declared = text.lines().filter_map(|line| {
        let declared = code(line).trim().strip_suffix(';')?;
        let (visibility, module) = declared.split_once("mod ")?;
        (visibility.is_empty() || visibility.starts_with("pub")).then_some(module.trim())
    });
    declared
        .flat_map(|module| [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")])
        .collect()
}

#[test]
fn source_files_begin_with_what_they_are() {
    let silent = sources().into_iter().filter(|(name, text)| {
        let is_inner_test = name.contains("/src/") && is_test_file(name);
        !is_inner_test && !text.starts_with("//! ")
    });
    report("a file begins with its module comment", silent.map(|(name, _)| name));
}

#[test]
fn every_bench_has_its_file_and_its_entry() {
    let manifest = text("Cargo.toml");
    let entries: BTreeSet<String> = manifest
        .split("[[bench]]")
        .skip(1)
        .filter_map(|entry| entry.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')))
        .map(|name| format!("benches/{name}.rs"))
        .collect();
    let is_bench = |name: &String| name.starts_with("benches/") && is_crate_root(name);
    let present: BTreeSet<String> = files().into_iter().filter(is_bench).collect();
    report("Cargo.toml and benches/ name the same benches", entries.symmetric_difference(&present));
}

#[test]
fn no_path_of_somebodys_machine() {
    let places =
        [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let mut problems = Vec::new();
    for name in files() {
        // what is not text has no paths to read
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let is_path = |(at, _): (usize, &str)| {
                let before = line.split_at_checked(at).and_then(|(before, _)| before.chars().next_back());
                !before.is_some_and(|letter| letter.is_alphanumeric() || ".-_~}*".contains(letter))
            };
            if places.iter().any(|place| line.match_indices(place).any(is_path)) {
                problems
                    .push(format!("{name}:{number}: {}", line.trim().chars().take(120).collect::<String>()));
            }
        }
    }
    report("paths are relative, temporary, or where packages put things", problems);
}

#[test]
fn scripts_stop_at_the_first_failure() {
    let mut problems = Vec::new();
    for name in files().into_iter().filter(|name| has_extension(name, "sh") || name == ".ci/run") {
        let text = text(&name);
        let metadata = fs::metadata(root().join(&name)).expect("a listed file");
        if !text.starts_with("#!/usr/bin/env bash\n") || !text.contains("\nset -euo pipefail\n") {
            problems.push(format!("{name}: begins with `#!/usr/bin/env bash` and `set -euo pipefail`"));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            problems.push(format!("{name}: is not executable"));
        }
    }
    report("scripts are bash, strict and executable", problems);
}

#[test]
fn every_photo_of_the_demo_says_whose_it_is() {
    let folder = "proxy/assets/demo/photos/";
    let sources = text(&format!("{folder}README.md"));
    let found = files();
    let photos =
        found.iter().filter_map(|name| name.strip_prefix(folder)).filter(|name| *name != "README.md");
    let unknown = photos.filter(|name| !sources.contains(&format!("| `{name}` |")));
    report("source and licence of each photo stand beside it", unknown);
}
