//! Parts of large files: they cost what was asked for, not the file (RFC 9110 section 14).

use std::{fs::File, io::Write as _, os::unix::fs::FileExt as _};

use overfall_test_support::{DEADLINE, Settings, wait_until};
use tempfile::TempDir;

use crate::lone;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// A file of a gibibyte, empty but for a few words.
fn large(folder: &TempDir) -> File {
    let mut file = File::create(folder.path().join("large.bin")).unwrap();
    file.write_all(b"beginning").unwrap();
    file.set_len(GIB).unwrap();
    file.write_all_at(b"middle", 700 * MIB).unwrap();
    file.write_all_at(b"end", GIB - 3).unwrap();
    file
}

#[tokio::test]
async fn a_part_of_a_gibibyte_is_there_at_once() {
    let folder = TempDir::new().unwrap();
    let _file = large(&folder);
    let origin = format!("file:{}", folder.path().display());
    let lone = lone(&Settings::new().origin("files", &origin).site("ttl = \"1h\"")).await;
    let (client, url) = (lone.node.client(), lone.node.url("/large.bin"));
    for (range, text, place) in [
        ("bytes=734003200-734003205", "middle", 734_003_200),
        ("bytes=-3", "end", GIB - 3),
        ("bytes=0-8", "beginning", 0),
    ] {
        let part = client.get_with(&url, &[("range", range)]).await.expect(206);
        assert_eq!(part.text(), text, "{part}");
        let last = place + text.len() as u64 - 1;
        assert_eq!(part.header("content-range"), format!("bytes {place}-{last}/{GIB}"), "{part}");
        let what = format!("{range} is answered from the store");
        wait_until(&what, DEADLINE, async || {
            let again = client.get_with(&url, &[("range", range)]).await.expect(206);
            assert_eq!(again.text(), text, "{again}");
            again.is_hit().then_some(())
        })
        .await;
    }
    let two = client.get_with(&url, &[("range", "bytes=0-1,734003200-734003201")]).await.expect(206);
    assert!(two.text().contains("be") && two.text().contains("mi"), "{two}");
    let beyond = client.get_with(&url, &[("range", "bytes=1073741824-")]).await.expect(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{GIB}"), "{beyond}");
}
