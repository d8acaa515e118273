use std::path::Path;

use super::*;
use crate::{Config, parse};

const SMALL: &str = r#"[listen]
http = "127.0.0.1:0"
[geo]
database = "geo.mmdb"
[dictionaries.markets]
file = "markets.csv"
[dictionaries.moved]
file = "moved.json"
[origins.app]
url = "http://127.0.0.1:3000"
[[site]]
name = "app"
hosts = ["localhost"]
origins = ["app"]
"#;

fn read(extra: &str) -> Result<Config, String> {
    parse(&format!("{SMALL}{extra}"), "/etc/overfall/edge.toml", &|_| None)
        .map_err(|report| report.to_string())
}

fn accepted(extra: &str) -> Config {
    read(extra).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn a_site_without_any_of_it_treats_everybody_alike() {
    let config = accepted("");
    assert!(config.sites[0].tailoring.is_empty() && config.sites[0].tailoring.classes.is_empty());
    assert_eq!(config.sites[0].tailoring.classes.variants(), 1);
    assert_eq!(
        config.geo.as_ref().map(|geo| geo.database.as_path()),
        Some(Path::new("/etc/overfall/geo.mmdb"))
    );
    assert_eq!(config.dictionaries["moved"].format, DictionaryFormat::Json);
    assert_eq!(config.dictionaries["markets"].file, Path::new("/etc/overfall/markets.csv"));
}

#[test]
fn classes_rules_and_redirects_are_read() {
    let config = accepted(
        r#"vary = { device = true, language = ["en", "pt-BR"], country = { dach = ["DE", "AT"], us = ["US"] } }
[[site.request_headers]]
name = "X-Market"
set = "{dictionary:markets.market:{country}}"
default = "world"
[[site.response_headers]]
name = "Server"
remove = true
[[site.response_headers]]
name = "Link"
append = "<{path}>; id={request_id}"
[[site.redirect]]
dictionary = "moved"
key = "{host}{path}"
status = 301
[[site.redirect]]
dictionary = "markets"
"#,
    );
    let tailoring = &config.sites[0].tailoring;
    assert_eq!(tailoring.classes.variants(), 3 * 2 * 3);
    assert_eq!(tailoring.classes.countries[0].codes, ["DE", "AT"]);
    assert_eq!(tailoring.request_headers[0].name, "x-market");
    let FieldAction::Set(template) = &tailoring.request_headers[0].action else { panic!("it is set") };
    assert_eq!(template.default.as_deref(), Some("world"));
    assert_eq!(tailoring.response_headers[0].action, FieldAction::Remove);
    assert_eq!(tailoring.redirects.iter().map(|rule| rule.status).collect::<Vec<_>>(), [301, 302]);
    assert_eq!(tailoring.redirects[1].location.places().collect::<Vec<_>>(), [Place::Path]);
    assert_eq!(config.dictionaries["markets"].columns, ["market"], "columns that rules name");
    assert_eq!(config.dictionaries["moved"].columns, [""; 0]);
}

#[test]
fn a_list_of_countries_makes_a_class_of_each() {
    let config = accepted("vary = { country = [\"DE\", \"US\"] }\n");
    let names: Vec<_> = config.sites[0].tailoring.classes.countries.iter().map(|class| &class.name).collect();
    assert_eq!(names, ["DE", "US"]);
}

#[test]
fn what_cannot_be_honoured_is_refused_with_its_reason() {
    let rule = |line: &str| format!("[[site.request_headers]]\nname = \"X-A\"\n{line}\n");
    let answer = |line: &str| format!("[[site.response_headers]]\nname = \"X-A\"\n{line}\n");
    for (extra, reason) in [
        ("vary = { language = [] }\n".to_owned(), "0 entries"),
        ("vary = { language = [\"en\", \"EN\"] }\n".to_owned(), "given twice"),
        ("vary = { language = [\"e\"] }\n".to_owned(), "not a language tag"),
        ("vary = { language = [\"en_US\"] }\n".to_owned(), "not a language tag"),
        ("vary = { device = \"yes\" }\n".to_owned(), "expected true or false"),
        ("vary = { country = [\"de\"] }\n".to_owned(), "not a country code"),
        ("vary = { country = \"DE\" }\n".to_owned(), "a list of country codes"),
        ("vary = { country = { other = [\"DE\"] } }\n".to_owned(), "every country that is in no group"),
        ("vary = { country = { a = [\"DE\"], b = [\"DE\"] } }\n".to_owned(), "given twice"),
        ("vary = { country = { A = [\"DE\"] } }\n".to_owned(), "not a name"),
        ("vary = { city = true }\n".to_owned(), "unknown key"),
        (rule("set = \"{client}\""), "differs between requests"),
        (rule("set = \"{dictionary:markets:{request_id}}\""), "differs between requests"),
        (rule("set = \"{country}\""), "does not tell apart by country"),
        (rule("set = \"{dictionary:market:x}\""), "did you mean \"markets\""),
        (rule("set = \"a\"\nappend = \"b\""), "exactly one of"),
        (rule("default = \"a\""), "exactly one of"),
        (rule("remove = true\ndefault = \"a\""), "has no \"default\""),
        (rule("set = \"a\\r\\nX: b\""), "no line breaks"),
        (rule("set = \"a\"\ndefault = \"a\\nb\""), "no line breaks"),
        (rule("set = \"{path\""), "without \"}\""),
        (answer("set = \"{device}\""), "does not tell apart by device"),
        ("[[site.request_headers]]\nname = \"Host\"\nset = \"a\"\n".to_owned(), "the edge itself decides"),
        (
            "[[site.request_headers]]\nname = \"Cache-Control\"\nremove = true\n".to_owned(),
            "the edge itself decides",
        ),
        (
            "[[site.response_headers]]\nname = \"content-length\"\nset = \"1\"\n".to_owned(),
            "the edge itself decides",
        ),
        ("[[site.response_headers]]\nname = \"X A\"\nset = \"1\"\n".to_owned(), "not a field name"),
        ("[[site.redirect]]\ndictionary = \"moved\"\nstatus = 200\n".to_owned(), "301, 302, 307 or 308"),
        ("[[site.redirect]]\nkey = \"{path}\"\n".to_owned(), "missing key \"dictionary\""),
        (
            "[[site.redirect]]\ndictionary = \"moved\"\nkey = \"{dictionary:moved:x}\"\n".to_owned(),
            "cannot itself look something up",
        ),
        ("[dictionaries.a]\nfile = \"a.txt\"\n".to_owned(), "ends with .csv or .json"),
        ("[dictionaries.a]\n".to_owned(), "missing key \"file\""),
    ] {
        let report = read(&extra).expect_err(&extra);
        assert!(report.contains(reason), "{report}\n  should say {reason:?}");
    }
}

#[test]
fn countries_need_a_data_base_and_classes_have_a_bound() {
    let text = SMALL.replace("[geo]\ndatabase = \"geo.mmdb\"\n", "") + "vary = { country = [\"DE\"] }\n";
    let report = parse(&text, "edge.toml", &|_| None).unwrap_err().to_string();
    assert!(report.contains("without a data base") && report.contains("add [geo]"), "{report}");
    let codes = |count: u8| {
        let codes =
            (0..count).map(|n| format!("\"{}{}\"", char::from(b'A' + n / 26), char::from(b'A' + n % 26)));
        codes.collect::<Vec<_>>().join(", ")
    };
    let many =
        format!("vary = {{ device = true, language = [\"en\", \"de\"], country = [{}] }}\n", codes(200));
    let report = read(&many).unwrap_err();
    assert!(report.contains("1206 variants of each response, allowed are 1000"), "{report}");
}
