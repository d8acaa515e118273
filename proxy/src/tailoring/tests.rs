use std::path::Path;

use overfall_config::parse;

use super::*;

/// A site with these lines and the dictionaries `moved` (CSV) and `markets` (JSON).
async fn tailored(lines: &str) -> Tailoring {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "moved.csv",
        "from,to\n/old,/new\n/self,/self\n/far,https://a.example/é x\n\"/cut\",\"/a?b=\"\"c\"\n",
    );
    write("markets.json", r#"{ "de": "germanic", "en": "" }"#);
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[dictionaries.moved]\nfile = \"moved.csv\"\n[dictionaries.markets]\n\
         file = \"markets.json\"\n[origins.app]\nurl = \"http://127.0.0.1:3000\"\n[[site]]\nname = \"app\"\n\
         hosts = [\"a.example\"]\norigins = [\"app\"]\n{lines}"
    );
    let config =
        parse(&text, dir.path().join("edge.toml"), &|_| None).unwrap_or_else(|report| panic!("{report}"));
    let library = Library::load(&config).await.unwrap();
    Tailoring::new(&config.sites[0], &library).expect("the site is tailored")
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn ask(tailoring: &Tailoring, fields: &[(&str, &str)], target: &str) -> Asked {
    tailoring.ask(&headers(fields), "a.example", target, Some("192.0.2.9".parse().unwrap()), 7)
}

fn lines(head: &HeaderMap, name: &str) -> Vec<String> {
    head.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

#[tokio::test]
async fn a_site_that_treats_everybody_alike_has_none() {
    let text = "[listen]\nhttp = \"127.0.0.1:0\"\n[origins.a]\nurl = \"http://127.0.0.1:1\"\n[[site]]\nname = \"a\"\n\
                hosts = [\"a.example\"]\norigins = [\"a\"]\n";
    let config = parse(text, Path::new("edge.toml"), &|_| None).unwrap();
    assert!(Tailoring::new(&config.sites[0], &Library::load(&config).await.unwrap()).is_none());
}

#[tokio::test]
async fn classes_make_the_variant_and_the_fields_for_origins() {
    let tailoring = tailored("vary = { device = true, language = [\"en\", \"de\"] }\n").await;
    let fields = [
        ("user-agent", "Mobile"),
        ("accept-language", "de-AT, en;q=0.5"),
        ("x-country", "evil"),
        ("x-device-class", "evil"),
        ("x-language", "evil"),
        ("x-other", "kept"),
    ];
    let asked = ask(&tailoring, &fields, "/a?b=c");
    assert_eq!(asked.classes().variant(), "class;device=mobile;language=de");
    let mut head = headers(&fields);
    tailoring.for_origin(&mut head, &asked);
    assert_eq!(lines(&head, "x-device-class"), ["mobile"]);
    assert_eq!(lines(&head, "x-language"), ["de"]);
    assert_eq!(lines(&head, "accept-language"), ["de"]);
    assert_eq!(lines(&head, "x-country"), [""; 0]);
    assert_eq!(lines(&head, "x-other"), ["kept"]);
    assert_eq!(Classes::default().variant(), "");
}

#[tokio::test]
async fn answers_name_what_selected_them() {
    let tailoring = tailored("vary = { device = true, language = [\"en\"] }\n").await;
    let mut head = headers(&[("vary", "user-agent, Accept-Encoding"), ("cache-control", "max-age=60")]);
    tailoring.finish(&mut head, &ask(&tailoring, &[], "/a"));
    let expected = [
        "user-agent, Accept-Encoding",
        "Sec-CH-UA-Form-Factors",
        "Sec-CH-UA-Mobile",
        "Sec-CH-UA-Platform",
        "Accept-Language",
    ];
    assert_eq!(lines(&head, "vary"), expected);
    assert_eq!(lines(&head, "cache-control"), ["max-age=60"]);
    let mut head = headers(&[]);
    tailoring.finish(&mut head, &ask(&tailoring, &[], "/cdn-cgi/image/width=1/a"));
    assert_eq!(lines(&head, "vary"), [""; 0], "renderings are the same for every class");
}

#[test]
fn no_shared_cache_keeps_what_no_vary_can_tell_apart() {
    for (sent, expected) in [
        (vec!["public, max-age=60"], vec!["public, max-age=60", "private"]),
        (vec![], vec!["private"]),
        (vec!["max-age=60, Private"], vec!["max-age=60, Private"]),
        (vec!["no-store"], vec!["no-store"]),
        (vec!["private=\"x\""], vec!["private=\"x\"", "private"]),
    ] {
        let fields: Vec<_> = sent.iter().map(|value| ("cache-control", *value)).collect();
        let mut head = headers(&fields);
        fields::keep_private(&mut head);
        assert_eq!(lines(&head, "cache-control"), expected);
    }
}

#[tokio::test]
async fn rules_set_append_and_remove() {
    let tailoring = tailored(
        r#"vary = { language = ["en", "de"] }
[[site.request_headers]]
name = "X-Market"
set = "{dictionary:markets:{language}}"
[[site.request_headers]]
name = "X-List"
append = "a"
[[site.request_headers]]
name = "X-List"
append = "{host}{path}"
[[site.request_headers]]
name = "Cookie"
remove = true
[[site.response_headers]]
name = "X-Market"
set = "{dictionary:markets:{language}}"
default = "world"
[[site.response_headers]]
name = "X-To"
set = "{dictionary:moved:{path}}"
[[site.response_headers]]
name = "X-List"
append = "{client}"
[[site.response_headers]]
name = "Server"
remove = true
"#,
    )
    .await;
    let sent = [("x-market", "evil"), ("x-list", "evil"), ("cookie", "a=b"), ("accept-language", "de")];
    let mut head = headers(&sent);
    tailoring.for_origin(&mut head, &ask(&tailoring, &sent, "/a%7eb?c"));
    assert_eq!(lines(&head, "x-market"), ["germanic"]);
    assert_eq!(lines(&head, "x-list"), ["a", "a.example/a~b"]);
    assert_eq!(lines(&head, "cookie"), [""; 0]);
    let mut head = headers(&sent);
    tailoring.for_origin(&mut head, &ask(&tailoring, &[], "/a"));
    assert_eq!(lines(&head, "x-market"), [""; 0], "no entry, no default: still not the client's");
    let mut head = headers(&[("server", "x"), ("x-list", "kept"), ("x-to", "kept"), ("x-market", "x")]);
    tailoring.for_client(&mut head, &ask(&tailoring, &[], "/a"));
    assert_eq!(lines(&head, "x-market"), ["world"]);
    assert_eq!(lines(&head, "x-to"), ["kept"], "a rule without a value does nothing");
    assert_eq!(lines(&head, "x-list"), ["kept", "192.0.2.9"]);
    assert_eq!(lines(&head, "server"), [""; 0]);
}

#[tokio::test]
async fn redirects_lead_where_the_dictionary_says() {
    let tailoring = tailored("[[site.redirect]]\ndictionary = \"moved\"\nstatus = 308\n").await;
    let location = |target: &str| {
        let (head, _) = tailoring.redirect(&ask(&tailoring, &[], target))?;
        assert_eq!(
            (head.status.as_u16(), lines(&head.headers, "cache-control")),
            (308, vec!["no-store".to_owned()])
        );
        lines(&head.headers, "location").pop()
    };
    for (target, expected) in [
        ("/old", Some("/new")),
        ("/old?a=b", Some("/new")),
        ("/%6fld", Some("/new")),
        ("/far", Some("https://a.example/%C3%A9%20x")),
        ("/cut", Some("/a?b=%22c")),
        ("/self", None),
        ("/old/", None),
        ("/", None),
    ] {
        assert_eq!(location(target).as_deref(), expected, "{target}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let text = "[listen]\nhttp = \"127.0.0.1:0\"\n[geo]\ndatabase = \"none.mmdb\"\n";
    let config = parse(text, Path::new("nowhere/edge.toml"), &|_| None).unwrap();
    let Err(error) = Library::load(&config).await else { panic!("there is no such file") };
    assert!(error.to_string().starts_with("country data base nowhere/none.mmdb: "), "{error}");
}
