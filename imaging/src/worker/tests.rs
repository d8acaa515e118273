use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use super::*;
use crate::limits::Limits;
use crate::sniff;
use crate::steps::decode;
use crate::testing::golden;

/// Runs `work` on a thread that is shut off.
fn shut_off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let caged = move || {
        cage::close(-1, -1).unwrap();
        work()
    };
    thread::spawn(caged).join().unwrap()
}

#[test]
fn nothing_outside_can_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "here before").unwrap();
    let mut open = File::open(&file).unwrap();
    let (path, here) = (file.clone(), folder.path().to_owned());
    let failed = shut_off(move || {
        use std::io::Read as _;
        [
            ("reads", open.read(&mut [0]).is_err()),
            ("opens", File::open(&path).is_err()),
            ("makes", File::create(here.join("other")).is_err()),
            ("lists", std::fs::read_dir(&here).is_err()),
            ("removes", std::fs::remove_file(&path).is_err()),
            ("connects", TcpStream::connect(address).is_err()),
            ("listens", TcpListener::bind("127.0.0.1:0").is_err()),
            ("sends", UdpSocket::bind("127.0.0.1:0").is_err()),
            ("pairs", UnixStream::pair().is_err()),
            ("accepts", listener.accept().is_err()),
            ("starts", Command::new("/bin/true").spawn().is_err()),
        ]
    });
    for (what, has_failed) in failed {
        assert!(has_failed, "{what}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"here before");
}

#[test]
fn memory_and_threads_are_left() {
    let sum = shut_off(|| {
        let large = vec![1_u8; 64 << 20];
        let other = thread::Builder::new().name("other".to_owned()).spawn(|| 41).unwrap();
        u64::from(large[large.len() - 1]) + other.join().unwrap()
    });
    assert_eq!(sum, 42);
}

#[test]
fn every_codec_works_behind_the_filter() {
    for name in ["scene.avif", "veil.avif", "scene.heic"] {
        let source = golden(name);
        let decoded = |source: &[u8]| {
            let header = sniff::header(source).unwrap();
            let options = decode::Options::default();
            decode::decode(source, &header, &Limits::default(), &Deadline::never(), &options).unwrap().first()
        };
        let outside = decoded(&source).unwrap();
        let inside = shut_off(move || decoded(&source)).unwrap();
        assert_eq!(outside.pixels, inside.pixels, "{name}");
    }
}

#[test]
fn what_is_no_worker_is_told() {
    for (program, arguments) in
        [("/bin/true", &[][..]), ("/bin/echo", &["no worker speaks so, and so long"]), ("/no/such", &[])]
    {
        assert!(Workers::new(program, arguments.iter().copied()).is_err(), "{program}");
    }
}

const READY: &str = r#"printf '\007\000\000\000"Ready"';"#;

/// A script in a worker's place, which first says that it is ready.
fn script(rest: &str) -> Workers {
    Workers::new("/bin/sh", ["-c", &format!("{READY} {rest}")]).unwrap()
}

fn item(data: &[u8]) -> Item<'_> {
    let size = crate::steps::geometry::Size { width: 4, height: 2 };
    Item { codec: Codec::Av1, configuration: &[], data, size, said: None, colours: Colours::Alpha }
}

#[test]
fn one_that_dies_costs_its_picture() {
    for rest in ["", "exit 1", "kill -9 $$", "printf 'what is this, no message has this length'"] {
        let outcome = script(rest).decode(&item(&[0; 1 << 20]), &Deadline::never());
        assert_eq!(outcome.map(|_| ()), Err(Error::Panicked), "{rest}");
    }
}

#[test]
fn one_that_is_late_is_killed() {
    // the shell is in the way of the signal, so that the pipes stay open
    for rest in ["cat >/dev/null", "exec tail -f /dev/null"] {
        let workers = script(rest);
        let deadline = Deadline::at(Instant::now() + Duration::from_millis(30));
        let outcome = workers.decode(&item(&[0; 1 << 20]), &deadline);
        assert_eq!(outcome.map(|_| ()), Err(Error::Deadline), "{rest}");
        assert!(workers.idle.lock().is_empty(), "{rest}");
    }
}

#[test]
fn one_that_does_not_begin_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let only_once = format!("[ -e {0} ] && exec tail -f /dev/null; : >{0}; {READY}", begun.display());
    let workers = Workers::new("/bin/sh", ["-c", &only_once]).unwrap();
    workers.rest();
    let deadline = Deadline::at(Instant::now() + Duration::from_millis(30));
    assert_eq!(workers.decode(&item(&[]), &deadline).map(|_| ()), Err(Error::Deadline));
}

#[test]
fn fewer_pixels_than_there_should_be_are_no_picture() {
    let reply = r#"{"Picture":{"layout":"Grey","meaning":null}}"#;
    let says = |pixels: &str| {
        // it listens, but says no more
        format!(r#"printf '\{:03o}\000\000\000{reply}{pixels}'; exec >&-; cat"#, reply.len())
    };
    let picture = |pixels: &str| script(&says(pixels)).decode(&item(&[]), &Deadline::never());
    assert_eq!(picture("1234567").map(|_| ()), Err(Error::Panicked));
    let (frame, meaning) = picture("12345678").unwrap();
    assert_eq!((&*frame.pixels, frame.layout, meaning), (&b"12345678"[..], Layout::Grey, None));
}

#[test]
fn reasons_come_through_and_no_others() {
    for (text, expected) in [
        ("it names two different sizes", "it names two different sizes"),
        ("its colours are mixed in another way", "its colours are mixed in another way"),
        ("anything that a broken worker may say", "its data is damaged or cut short"),
    ] {
        assert_eq!(reason(text), Error::Undecodable { reason: expected });
    }
}
