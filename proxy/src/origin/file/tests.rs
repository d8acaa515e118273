use std::os::unix::fs::symlink;

use overfall_config::OriginTarget;

use super::*;

struct Folder {
    origin: FileOrigin,
    /// Above the served folder.
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let served = dir.path().join("served");
        std::fs::create_dir_all(served.join("sub")).unwrap();
        std::fs::create_dir_all(served.join("bare")).unwrap();
        std::fs::create_dir_all(served.join(".git")).unwrap();
        std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
        for (name, text) in [
            ("loader.js", "let a;"),
            ("a b.txt", "space"),
            ("empty.css", ""),
            ("index.html", "root"),
            ("sub/index.html", "sub"),
            ("sub/UPPER.PNG", "png"),
            (".env", "hidden"),
            (".git/config", "hidden"),
        ] {
            std::fs::write(served.join(name), text).unwrap();
        }
        let timeout = Duration::from_secs(5);
        let config = overfall_config::Origin {
            name: "files".into(),
            target: OriginTarget::File { path: served.clone() },
            connect_timeout: timeout,
            head_timeout: timeout,
            read_timeout: timeout,
            host: None,
            ca: None,
            serve: overfall_config::Serve::Always,
            breaker: None,
            health: None,
        };
        Self { origin: FileOrigin::new(&config, served), dir }
    }

    fn served(&self) -> PathBuf {
        self.dir.path().join("served")
    }

    async fn fetch(&self, target: &str, headers: &[(&'static str, &str)]) -> OriginResponse {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap())
        });
        let request = OriginRequest {
            host: "example.net".into(),
            path_and_query: target.into(),
            headers: headers.collect(),
            deadline: Instant::now() + Duration::from_secs(5),
            request_id: 1,
            interim: None,
        };
        self.origin.fetch(&request).await.unwrap()
    }

    async fn text(&self, target: &str) -> Option<String> {
        let got = self.fetch(target, &[]).await;
        if got.head.status != 200 {
            return None;
        }
        Some(String::from_utf8(got.body.collect(1 << 20).await.unwrap().to_vec()).unwrap())
    }
}

#[tokio::test]
async fn serves_files_and_indexes() {
    let folder = Folder::new();
    for (target, text) in [
        ("/loader.js", "let a;"),
        ("/loader.js?v=1", "let a;"),
        ("/a%20b.txt", "space"),
        ("/empty.css", ""),
        ("/", "root"),
        ("/sub/", "sub"),
        ("/sub", "sub"),
        ("/%73ub/index.html", "sub"),
    ] {
        assert_eq!(folder.text(target).await.as_deref(), Some(text), "{target}");
    }
}

#[tokio::test]
async fn says_what_a_file_is() {
    let folder = Folder::new();
    let got = folder.fetch("/loader.js", &[]).await;
    assert_eq!(got.head.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(got.head.headers["etag"].to_str().unwrap().starts_with('"'), "strong");
    assert!(httpdate::parse_http_date(got.head.headers["last-modified"].to_str().unwrap()).is_ok());
    assert!(!got.head.headers.contains_key("cache-control"));
    assert_eq!(got.body.length(), Some(6));
    assert_eq!(folder.fetch("/sub/UPPER.PNG", &[]).await.head.headers["content-type"], "image/png");
}

#[tokio::test]
async fn nothing_outside_the_folder_and_nothing_hidden() {
    let folder = Folder::new();
    let long = format!("/{}", "a/".repeat(3000));
    let name = format!("/{}", "a".repeat(300));
    for target in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E./secret.txt",
        "/sub/../../secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/sub/../loader.js",
        "/./loader.js",
        "//loader.js",
        "/sub//index.html",
        "/loader.js%00",
        "/loader.js%00.png",
        "/%00",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub%2findex.html",
        "/loader.js/",
        "/loader.js/x",
        "/missing",
        "/bare",
        "/bare/",
        "",
        "loader.js",
        "/etc/passwd",
        &long,
        &name,
    ] {
        let got = folder.fetch(target, &[]).await;
        assert_eq!(got.head.status, 404, "{target:?}");
        assert_eq!(got.body.length(), Some(0), "{target:?}");
    }
}

#[tokio::test]
async fn links_lead_nowhere_forbidden() {
    let folder = Folder::new();
    let served = folder.served();
    symlink(folder.dir.path().join("secret.txt"), served.join("out.txt")).unwrap();
    symlink("../secret.txt", served.join("relative.txt")).unwrap();
    symlink(folder.dir.path(), served.join("up")).unwrap();
    symlink(".env", served.join("env.txt")).unwrap();
    symlink("/dev/zero", served.join("zero")).unwrap();
    symlink("loop", served.join("loop")).unwrap();
    symlink(folder.dir.path().join("secret.txt"), served.join("bare/index.html")).unwrap();
    for target in [
        "/out.txt",
        "/relative.txt",
        "/up/secret.txt",
        "/up/served/loader.js?",
        "/env.txt",
        "/zero",
        "/loop",
        "/bare/",
    ] {
        let expected = if target.starts_with("/up/served") { 200 } else { 404 };
        assert_eq!(folder.fetch(target, &[]).await.head.status, expected, "{target}");
    }
    symlink("sub/index.html", served.join("inside.html")).unwrap();
    assert_eq!(folder.text("/inside.html").await.as_deref(), Some("sub"));
}

#[tokio::test]
async fn a_neighbour_with_a_longer_name_is_outside() {
    let folder = Folder::new();
    let neighbour = folder.dir.path().join("served-too");
    std::fs::create_dir(&neighbour).unwrap();
    std::fs::write(neighbour.join("a.txt"), "no").unwrap();
    symlink(neighbour.join("a.txt"), folder.served().join("a.txt")).unwrap();
    assert_eq!(folder.text("/a.txt").await, None);
}

#[tokio::test]
async fn a_missing_folder_is_not_found_until_it_is_there() {
    let folder = Folder::new();
    std::fs::rename(folder.served(), folder.dir.path().join("away")).unwrap();
    assert_eq!(folder.text("/loader.js").await, None);
    std::fs::rename(folder.dir.path().join("away"), folder.served()).unwrap();
    assert!(folder.text("/loader.js").await.is_some());
}

#[tokio::test]
async fn conditions_are_answered() {
    let folder = Folder::new();
    let headers = folder.fetch("/loader.js", &[]).await.head.headers;
    let etag = headers["etag"].to_str().unwrap();
    let modified = headers["last-modified"].to_str().unwrap();
    let weak = format!("\"x\", W/{etag}");
    let old = "Sat, 01 Jan 2000 00:00:00 GMT";
    for (conditions, status) in [
        (vec![("if-none-match", etag)], 304),
        (vec![("if-none-match", "\"x\", *")], 304),
        (vec![("if-none-match", "\"x\"")], 200),
        (vec![("if-none-match", weak.as_str())], 304),
        (vec![("if-modified-since", modified)], 304),
        (vec![("if-modified-since", old)], 200),
        (vec![("if-modified-since", "yesterday")], 200),
        (vec![("if-none-match", "\"x\""), ("if-modified-since", modified)], 200),
    ] {
        let got = folder.fetch("/loader.js", &conditions).await;
        assert_eq!(got.head.status, status, "{conditions:?}");
        assert_eq!(got.head.headers["etag"], etag);
    }
}

#[tokio::test]
async fn another_content_has_another_etag() {
    let folder = Folder::new();
    let before = folder.fetch("/loader.js", &[]).await.head.headers["etag"].clone();
    std::fs::write(folder.served().join("loader.js"), "let longer;").unwrap();
    assert_ne!(folder.fetch("/loader.js", &[]).await.head.headers["etag"], before);
}

#[tokio::test]
async fn large_files_come_in_chunks() {
    use futures_util::StreamExt as _;
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..CHUNK_BYTES * 3 + 1).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(folder.served().join("large.bin"), &bytes).unwrap();
    let Body::Stream { mut stream, .. } = folder.fetch("/large.bin", &[]).await.body else {
        panic!("no stream")
    };
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.len() <= CHUNK_BYTES);
        whole.extend_from_slice(&chunk);
    }
    assert_eq!(whole, bytes);
}

#[tokio::test]
async fn a_file_that_shrinks_or_changes_while_read_is_an_error() {
    let folder = Folder::new();
    let path = folder.served().join("large.bin");
    for change in [100, CHUNK_BYTES * 2 + 1] {
        std::fs::write(&path, vec![1; CHUNK_BYTES * 2]).unwrap();
        let body = folder.fetch("/large.bin", &[]).await.body;
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(u64::try_from(change).unwrap())
            .unwrap();
        assert!(body.collect(1 << 30).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn odd_dates_do_no_harm() {
    let folder = Folder::new();
    let file = std::fs::File::options().write(true).open(folder.served().join("loader.js")).unwrap();
    file.set_modified(UNIX_EPOCH - Duration::from_secs(86_400)).unwrap();
    let got = folder.fetch("/loader.js", &[]).await;
    assert_eq!(got.head.status, 200);
    assert!(!got.head.headers.contains_key("last-modified"));
}

#[tokio::test]
async fn a_range_gets_its_bytes() {
    let folder = Folder::new();
    std::fs::write(folder.served().join("digits.txt"), "0123456789").unwrap();
    for (range, content_range, text) in [
        ("bytes=2-5", "bytes 2-5/10", "2345"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
    ] {
        let got = folder.fetch("/digits.txt", &[("range", range)]).await;
        assert_eq!(
            (got.head.status.as_u16(), got.head.headers["content-range"].to_str().unwrap()),
            (206, content_range)
        );
        assert_eq!(got.body.length(), Some(u64::try_from(text.len()).unwrap()));
        assert_eq!(got.body.collect(100).await.unwrap(), text);
    }
    let past = folder.fetch("/digits.txt", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (past.head.status.as_u16(), past.head.headers["content-range"].to_str().unwrap()),
        (416, "bytes */10")
    );
    for range in ["bytes=0-1,5-6", "bytes=b-a", "lines=1-2"] {
        let whole = folder.fetch("/digits.txt", &[("range", range)]).await;
        assert_eq!((whole.head.status.as_u16(), whole.body.length()), (200, Some(10)), "{range}");
    }
}

#[tokio::test]
async fn a_range_of_another_version_gets_the_whole() {
    let folder = Folder::new();
    std::fs::write(folder.served().join("digits.txt"), "0123456789").unwrap();
    let etag = folder.fetch("/digits.txt", &[]).await.head.headers["etag"].to_str().unwrap().to_owned();
    for (tag, status) in [(etag.as_str(), 206), ("\"other\"", 200)] {
        let got = folder.fetch("/digits.txt", &[("range", "bytes=2-5"), ("if-range", tag)]).await;
        assert_eq!(got.head.status, status, "{tag}");
    }
    let same = folder.fetch("/digits.txt", &[("range", "bytes=2-5"), ("if-none-match", &etag)]).await;
    assert_eq!(same.head.status, 304, "conditions come before ranges");
}
