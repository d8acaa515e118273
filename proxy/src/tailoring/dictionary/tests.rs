use std::fs;

use proptest::prelude::*;

use super::*;

fn csv(text: &str) -> Result<Table, Fault> {
    Table::parse(text, DictionaryFormat::Csv, &[])
}

fn json(text: &str) -> Result<Table, Fault> {
    Table::parse(text, DictionaryFormat::Json, &[])
}

#[test]
fn csv_is_read_with_quotes_and_both_line_ends() {
    let text = "\u{feff}path,to,note\r\n/a,/b,x\r\n\r\n\"/c,d\",\"say \"\"hi\"\"\",\n/e,,only\n/last,/z,";
    let table = csv(text).unwrap();
    assert_eq!(table.len(), 4);
    for (key, column, value) in [
        ("/a", None, Some("/b")),
        ("/a", Some("to"), Some("/b")),
        ("/a", Some("note"), Some("x")),
        ("/a", Some("path"), None),
        ("/c,d", None, Some("say \"hi\"")),
        ("/c,d", Some("note"), None),
        ("/e", None, None),
        ("/e", Some("note"), Some("only")),
        ("/last", None, Some("/z")),
        ("/A", None, None),
        ("", None, None),
    ] {
        assert_eq!(table.find(key, column), value, "{key} {column:?}");
    }
    assert!(csv("key,value\n").unwrap().is_empty(), "a dictionary may be empty");
}

#[test]
fn json_is_read_with_strings_and_objects() {
    let table = json(r#"{ "a": {"x": "1", "y": "2"}, "b": "plain", "c": {"y": ""} }"#).unwrap();
    assert_eq!(table.find("a", Some("x")), Some("1"));
    assert_eq!(table.find("a", Some("y")), Some("2"));
    assert_eq!(table.find("a", None), None, "an object has no unnamed value");
    assert_eq!(table.find("b", None), Some("plain"));
    assert_eq!(table.find("b", Some("x")), None);
    assert_eq!(table.find("c", Some("y")), None, "an empty value is none");
    assert!(json("{}").unwrap().is_empty());
}

#[test]
fn faults_name_their_line() {
    let many_columns = format!("k{}\n", ",v".repeat(3));
    let wide = (0..18).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let long_key = format!("k,v\n{},v\n", "k".repeat(KEY_BYTES_MAX + 1));
    let long_value = format!("k,v\nk,{}\n", "v".repeat(VALUE_BYTES_MAX + 1));
    for (text, line, message) in [
        ("", 1, "first line"),
        ("\n\n", 1, "first line"),
        ("key\n", 1, "one for the value"),
        (many_columns.as_str(), 1, "stands twice"),
        (wide.as_str(), 1, "more than 16 columns"),
        ("k,v\na,b\nc\n", 3, "1 fields, but 2 columns"),
        ("k,v\na,b,c\n", 2, "3 fields, but 2 columns"),
        ("k,v\n\"a\nb\",x\nc\n", 4, "1 fields"),
        ("k,v\n\n\na,1\na,2\n", 5, "stands twice"),
        ("k,v\n,b\n", 2, "the key is empty"),
        ("k,v\na,\"b\n\nc,d\n", 2, "never closed"),
        ("k,v\na,\"b\"c\n", 2, "behind the closing quote"),
        ("k,v\na,b\"c\n", 2, "a quote inside"),
        ("k,v\na,\"b\r\nX: y\"\n", 2, "line break"),
        ("k,v\na,b\u{0}\n", 2, "control character"),
        (long_key.as_str(), 2, "the key is longer"),
        (long_value.as_str(), 2, "a value is longer"),
    ] {
        let fault = csv(text).expect_err(text);
        assert!(fault.line == line && fault.message.contains(message), "{text:?}: {fault:?}");
    }
    for (text, line, message) in [
        ("", 1, "EOF"),
        ("[]", 1, "expected an object"),
        ("{\n\"a\": 1\n}", 2, "a string or an object of strings"),
        ("{\n\"a\": {\"b\": null}\n}", 2, "invalid type"),
        ("{\n\"a\": \"1\",\n\"a\": \"2\"\n}", 3, "stands twice"),
        ("{\n\"a\": {\"b\": \"1\", \"b\": \"2\"}\n}", 2, "stands twice"),
        ("{\"a\": \"x\\ny\"}", 1, "line break"),
        ("{\"\": \"x\"}", 1, "the key is empty"),
        ("{\"a\": {\"\": \"x\"}}", 1, "name of a column"),
        ("{\n\"a\": \"x\"\n} more", 3, "trailing"),
    ] {
        let fault = json(text).expect_err(text);
        assert!(fault.line == line && fault.message.contains(message), "{text:?}: {fault:?}");
    }
}

#[test]
fn a_column_that_rules_ask_for_must_be_there() {
    let wanted = ["price".to_owned()];
    assert!(Table::parse("k,price\n", DictionaryFormat::Csv, &wanted).is_ok());
    assert!(Table::parse("k,cost\n", DictionaryFormat::Csv, &wanted).is_err());
    assert!(Table::parse("{}", DictionaryFormat::Json, &wanted).is_ok());
    assert!(Table::parse("{\"a\": \"b\"}", DictionaryFormat::Json, &wanted).is_err());
}

#[test]
fn a_changed_file_is_read_once_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("d.csv");
    let settings = DictionaryFile {
        name: "d".into(),
        file: file.clone(),
        format: DictionaryFormat::Csv,
        columns: vec![],
    };
    // a rename gives another inode, so that the clock of the file system does not matter
    let replace = |text: &str| {
        let new = dir.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    assert!(matches!(Dictionary::open(&settings), Err(DictionaryError::Unreadable { .. })));
    replace("k,v\na,1\n");
    let dictionary = Dictionary::open(&settings).unwrap();
    let value = || dictionary.table().find("a", None).map(str::to_owned);
    assert!(matches!(dictionary.refresh(), Refreshed::Same));
    replace("k,v\na,2\nb,3\n");
    assert!(matches!(dictionary.refresh(), Refreshed::Loaded(2)));
    assert_eq!(value().as_deref(), Some("2"));
    replace("k,v\na,3\nb\n");
    let Refreshed::Refused(error) = dictionary.refresh() else { panic!("the file is wrong") };
    assert!(error.to_string().ends_with("d.csv:3: 1 fields, but 2 columns"), "{error}");
    assert!(matches!(dictionary.refresh(), Refreshed::Same), "each version is reported once");
    assert_eq!(value().as_deref(), Some("2"), "the old one stays");
    fs::remove_file(&file).unwrap();
    assert!(matches!(dictionary.refresh(), Refreshed::Refused(DictionaryError::Unreadable { .. })));
    assert!(matches!(dictionary.refresh(), Refreshed::Same));
    replace("k,v\na,4\n");
    assert!(matches!(dictionary.refresh(), Refreshed::Loaded(1)));
    assert_eq!(value().as_deref(), Some("4"));
    fs::write(&file, b"k,v\na,\xff\n").unwrap();
    let Refreshed::Refused(error) = dictionary.refresh() else { panic!("the file is not UTF-8") };
    assert!(error.to_string().ends_with("d.csv:2: not UTF-8"), "{error}");
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c\",\\n\\r{}:é ]{0,64}") {
        for format in [DictionaryFormat::Csv, DictionaryFormat::Json] {
            if let Err(fault) = Table::parse(&text, format, &[]) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&fault.line), "{:?}", fault);
            }
        }
    }

    #[test]
    fn what_is_quoted_comes_back(entries in prop::collection::hash_map("[ -~é]{1,12}", "[ -~é]{1,12}", 0..8)) {
        let lines = entries.iter().map(|(key, value)| format!("{},{}\r\n", quoted(key), quoted(value)));
        let table = csv(&format!("key,value\r\n{}", lines.collect::<String>())).unwrap();
        prop_assert_eq!(table.len(), entries.len());
        for (key, value) in &entries {
            prop_assert_eq!(table.find(key, None), Some(value.as_str()));
        }
    }
}
