//! What stays of a drawing, what does not, and that the result is a drawing again.

use proptest::prelude::*;

use super::*;
use crate::testing::fixture;

fn clean(inner: &str) -> String {
    let open =
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' xmlns:e='urn:e'>";
    let text = format!("{open}{inner}</svg>");
    let written = String::from_utf8(sanitise_svg(text.as_bytes()).expect(inner)).unwrap();
    let whole = written.strip_prefix("<svg xmlns=\"http://www.w3.org/2000/svg\"").expect("a root");
    let whole = whole.strip_prefix(" xmlns:xlink=\"http://www.w3.org/1999/xlink\"").unwrap_or(whole);
    whole.strip_prefix('>').and_then(|rest| rest.strip_suffix("</svg>")).expect("a root").to_owned()
}

#[test]
fn what_draws_stays() {
    for (inner, expected) in [
        ("<rect width='9' fill='red'/>", "<rect width=\"9\" fill=\"red\"></rect>"),
        (
            "<g transform='translate(1 2)'><path d='M0 0'/></g>",
            "<g transform=\"translate(1 2)\"><path d=\"M0 0\"></path></g>",
        ),
        ("<text x='1'>a &lt; b<tspan>c</tspan></text>", "<text x=\"1\">a &lt; b<tspan>c</tspan></text>"),
        ("<use href='#a'/>", "<use href=\"#a\"></use>"),
        ("<use xlink:href=' #a '/>", "<use xlink:href=\"#a\"></use>"),
        (
            "<rect fill='url(#a)' style='stroke:url(#b);opacity:.5'/>",
            "<rect fill=\"url(#a)\" style=\"stroke:url(#b);opacity:.5\"></rect>",
        ),
        (
            "<image href='data:image/PNG;base64,AA\n AA'/>",
            "<image href=\"data:image/png;base64,AAAA\"></image>",
        ),
        ("<style>.a > b { fill: red }</style>", "<style>.a &gt; b{fill:red}</style>"),
        (
            "<g id='a' class='b \"c' data-d='e' aria-label='f' role='img'/>",
            "<g id=\"a\" class=\"b &quot;c\" data-d=\"e\" aria-label=\"f\" role=\"img\"></g>",
        ),
        (
            "<animate attributeName='r' values='1;2'/>",
            "<animate attributeName=\"r\" values=\"1;2\"></animate>",
        ),
        ("<text xml:space='preserve'> a </text>", "<text xml:space=\"preserve\"> a </text>"),
        ("<title>A &amp; B</title>", "<title>A &amp; B</title>"),
    ] {
        assert_eq!(clean(inner), expected, "{inner}");
    }
}

#[test]
fn what_runs_or_loads_does_not() {
    for (inner, expected) in [
        ("<script>alert(1)</script>", ""),
        ("<script href='#a'/><g/>", "<g></g>"),
        ("<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>", ""),
        ("<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>", ""),
        ("<e:rect/><rect e:onclick='a'/>", "<rect></rect>"),
        ("<rect onload='a' onclick='b' ONLOAD='c'/>", "<rect></rect>"),
        ("<a href='javascript:alert(1)'>b</a>", "<a>b</a>"),
        ("<a xlink:href='https://a.example'>b</a>", "<a>b</a>"),
        ("<use href='other.svg#a'/>", "<use></use>"),
        ("<use href='data:image/png;base64,AA'/>", "<use></use>"),
        ("<image href='http://a.example/b.png'/>", "<image></image>"),
        ("<image href='data:image/svg+xml;base64,AA'/>", "<image></image>"),
        ("<image href='data:image/png;base64,\"&gt;'/>", "<image></image>"),
        ("<image href='data:image/png,AA'/>", "<image></image>"),
        ("<feImage xlink:href='file:///etc/passwd'/>", "<feImage></feImage>"),
        ("<rect fill='url(http://a.example/#b)'/>", "<rect></rect>"),
        ("<rect fill='\\75rl(//a.example)'/>", "<rect></rect>"),
        ("<rect style='fill:url(//a.example)'/>", "<rect></rect>"),
        ("<style>@import '//a.example';</style>", "<style></style>"),
        ("<style><![CDATA[</style><script>]]></style>", "<style></style>"),
        ("<animate attributeName='href' to='javascript:a'/>", ""),
        ("<animate attributeName='xlink:href' to='javascript:a'/>", ""),
        ("<set attributeName='onclick' to='a'/>", ""),
        ("<set attributeName='style' to='a'/>", ""),
        ("<animate attributeName='fill' to='url(//a)'/>", "<animate attributeName=\"fill\"></animate>"),
        ("<!-- a --><?b c?><g/>", "<g></g>"),
        ("<handler/><listener/><iframe/><video/><audio/><embed/>", ""),
        ("<text><script>a</script>b</text>", "<text>b</text>"),
        ("<g>letters that are not drawn</g>", "<g></g>"),
        ("<rect xml:base='http://a.example'/>", "<rect></rect>"),
    ] {
        assert_eq!(clean(inner), expected, "{inner}");
    }
}

#[test]
fn entities_are_words_and_their_declarations_are_gone() {
    let text =
        "<!DOCTYPE svg [<!ENTITY a 'red'>]><svg xmlns='http://www.w3.org/2000/svg'><g fill='&a;'/></svg>";
    let written = String::from_utf8(sanitise_svg(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(written, "<svg xmlns=\"http://www.w3.org/2000/svg\"><g fill=\"red\"></g></svg>");
}

#[test]
fn what_is_no_drawing_or_too_much_is_refused() {
    let deep = format!("<svg xmlns='{SVG}'>{}", "<g>".repeat(128));
    let entities = "&lt;".repeat(5 << 18);
    let long = format!("<svg xmlns='{SVG}'><title>{entities}</title><desc>{}</desc></svg>", "\"".repeat(8));
    let growing: String = (1..8)
        .map(|n| format!("<g id='a{n}'>{}</g>", format!("<use href='#a{}'/>", n - 1).repeat(10)))
        .collect();
    let growing = format!("<svg xmlns='{SVG}'><g id='a0'><rect/></g>{growing}</svg>");
    for text in ["", "<svg/>", "<svg xmlns='urn:a'/>", "<html/>", "<svg xmlns='", &deep, &growing] {
        let outcome = sanitise_svg(text.as_bytes());
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{:?}", text.get(..90));
    }
    assert!(sanitise_svg(long.as_bytes()).is_ok());
}

#[test]
fn hostile_files_end_in_a_drawing_that_does_nothing_or_an_error() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images/bombs");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "svg") {
            continue;
        }
        count += 1;
        let Ok(written) = sanitise_svg(&std::fs::read(&path).unwrap()) else { continue };
        harmless(&String::from_utf8(written).unwrap());
    }
    assert!(count >= 6, "{count}");
    let script = sanitise_svg(&fixture("bombs/svg-script-and-handlers.svg")).unwrap();
    assert!(!script.is_empty());
}

#[test]
fn drawings_of_the_set_look_as_before() {
    for name in ["vector/plain.svg", "vector/blur-filter.svg", "vector/no-size.svg"] {
        let source = fixture(name);
        let written = sanitise_svg(&source).unwrap();
        let draw = |bytes: &[u8]| {
            let tree = resvg::usvg::Tree::from_data(bytes, &resvg::usvg::Options::default()).unwrap();
            let size = tree.size().to_int_size();
            let mut canvas = resvg::tiny_skia::Pixmap::new(size.width(), size.height()).unwrap();
            resvg::render(&tree, resvg::tiny_skia::Transform::identity(), &mut canvas.as_mut());
            canvas.take()
        };
        assert_eq!(draw(&source), draw(&written), "{name}");
    }
}

/// Reads the result as a browser would and looks for what must not be there.
fn harmless(written: &str) {
    let document = Document::parse(written).expect(written);
    for node in document.descendants() {
        assert!(!node.is_pi() && !node.is_comment(), "{written}");
        if !node.is_element() {
            continue;
        }
        assert!(node.has_tag_name((SVG, node.tag_name().name())), "{written}");
        assert!(!matches!(node.tag_name().name(), "script" | "foreignObject" | "iframe"), "{written}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.to_ascii_lowercase().starts_with("on"), "{written}");
            let is_own = value.starts_with('#') || value.starts_with("data:image/");
            assert!(name != "href" || is_own, "{written}");
            for target in value.to_ascii_lowercase().split("url(").skip(1) {
                let target = target.trim_start_matches([' ', '\'', '"', '\t', '\n']);
                assert!(target.starts_with('#') || target.starts_with("data:image/"), "{written}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_soup_of_dangerous_words_comes_out_harmless(words in prop::collection::vec(prop::sample::select(vec![
        "<g ", "<a ", "<use ", "<image ", "<style>", "</style>", "<script>", "</script>", "<set ", "<animate ",
        "/>", ">", "</g>", "</a>", "href=", "xlink:href=", "style=", "fill=", "onload=", "attributeName=", "to=",
        "'", "\"", "'javascript:a'", "'#a'", "'url(http://a)'", "'url(#a)'", "'fill:url(//a);stroke:red'", "'onclick'",
        "'href'", "@import 'a';", ".a{fill:url(//b)}", "<![CDATA[", "]]>", "<!--", "-->", "&lt;", "\\", " ", "a",
    ]), 0..24)) {
        let text = format!(
            "<svg xmlns='{SVG}' xmlns:xlink='{XLINK}'>{}</svg>",
            words.concat(),
        );
        if let Ok(written) = sanitise_svg(text.as_bytes()) {
            let written = String::from_utf8(written).unwrap();
            harmless(&written);
            let again = sanitise_svg(written.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            prop_assert_eq!(again.as_deref(), Ok(written.as_str()));
        }
    }
}
