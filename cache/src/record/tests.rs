//! What a record keeps, and what it refuses.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

fn key() -> impl Strategy<Value = Key> {
    ("[a-z]{1,8}", "[a-z.]{1,20}", "/[ -~]{0,60}", "\\PC{0,20}")
        .prop_map(|(site, host, target, variant)| Key { site, host, target, variant })
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..20).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_str(value.trim()).unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        headers
    })
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    (any::<[u64; 5]>(), any::<bool>(), any::<bool>()).prop_map(|(numbers, always_validate, never_stale)| {
        let [received, initial_age_ms, fresh_ms, stale_while_revalidate_ms, stale_if_error_ms] = numbers;
        Lifetime {
            received: Millis(received),
            initial_age_ms,
            fresh_ms,
            stale_while_revalidate_ms,
            stale_if_error_ms,
            always_validate,
            never_stale,
        }
    })
}

fn stored() -> impl Strategy<Value = Stored> {
    let head = (100_u16..1000, headers());
    let purges = (any::<(u64, u64)>(), vec("[!-~]{1,30}", 0..10), vec(("[a-z]{1,9}", "/[a-z]{0,9}"), 0..4));
    let codings = proptest::sample::subsequence(Coding::ALL.to_vec(), 0..=3);
    let kind = prop_oneof![
        Just(Kind::Response),
        Just(Kind::VaryMarker),
        Just(Kind::Slice),
        Just(Kind::Part),
        any::<u64>().prop_map(|length| Kind::Sliced { length }),
    ];
    let vary = (vec("[a-z-]{1,20}", 0..4), codings, kind);
    (key(), head, vec(any::<u8>(), 0..2000), lifetime(), purges, vary).prop_map(
        |(key, (status, headers), body, lifetime, ((epoch, seq), tags, sources), (vary, codings, kind))| {
            Stored {
                key,
                head: ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers },
                body: body.into(),
                lifetime,
                position: Position { epoch, seq },
                scopes: Scopes { tags, sources },
                vary,
                codings: codings.into_iter().map(coded).collect(),
                kind,
            }
        },
    )
}

fn coded(coding: Coding) -> Coded {
    Coded { coding, body: Bytes::from(format!("in {}", coding.token())) }
}

fn sample() -> Stored {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Stored {
        key: Key {
            site: "demo".to_owned(),
            host: "demo.example".to_owned(),
            target: "/a?b=c".to_owned(),
            variant: String::new(),
        },
        head: ResponseHead { status: StatusCode::OK, headers },
        body: Bytes::from_static(b"some text"),
        lifetime: Lifetime {
            received: Millis(1_700_000_000_000),
            initial_age_ms: 0,
            fresh_ms: 60_000,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            always_validate: false,
            never_stale: true,
        },
        position: Position { epoch: 7, seq: 9 },
        scopes: Scopes { tags: vec!["loader".to_owned()], sources: vec![] },
        vary: vec![],
        codings: vec![],
        kind: Kind::Response,
    }
}

fn sealed(mut record: Vec<u8>) -> Bytes {
    record.truncate(record.len() - HASH_BYTES);
    let hash = XxHash3_128::oneshot(&record);
    record.extend_from_slice(&hash.to_le_bytes());
    record.into()
}

/// All of a response as text, for comparison.
fn shown(stored: &Stored) -> String {
    format!("{stored:?}")
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(stored in stored()) {
        let record = Bytes::from(encode(&stored).unwrap());
        let again = decode(&record, &stored.key).unwrap().unwrap();
        prop_assert_eq!(shown(&again), shown(&stored));
    }

    #[test]
    fn a_prepared_record_has_the_same_bytes(stored in stored()) {
        let expected = encode(&stored).unwrap();
        let prepared = Prepared::new(stored.into()).unwrap();
        let mut written = Vec::new();
        prepared.write(&mut written).unwrap();
        prop_assert_eq!(prepared.length(), written.len());
        prop_assert_eq!(written, expected);
    }

    #[test]
    fn another_key_is_absent_and_no_error(stored in stored(), other in key()) {
        prop_assume!(stored.key != other);
        let record = Bytes::from(encode(&stored).unwrap());
        prop_assert!(decode(&record, &other).unwrap().is_none());
    }

    #[test]
    fn a_flipped_bit_is_refused(stored in stored(), at in any::<Index>(), bit in 0_u8..8) {
        let mut record = encode(&stored).unwrap();
        let at = at.index(record.len());
        *record.get_mut(at).unwrap() ^= 1 << bit;
        prop_assert!(decode(&record.into(), &stored.key).is_err(), "bit {} of byte {}", bit, at);
    }

    #[test]
    fn a_cut_record_is_refused(stored in stored(), at in any::<Index>()) {
        let mut record = encode(&stored).unwrap();
        record.truncate(at.index(record.len()));
        prop_assert!(decode(&record.into(), &stored.key).is_err());
    }

    #[test]
    fn bytes_after_the_end_are_refused(stored in stored(), junk in vec(any::<u8>(), 1..100)) {
        let mut record = encode(&stored).unwrap();
        record.extend(junk);
        prop_assert!(decode(&record.into(), &stored.key).is_err());
    }

    #[test]
    fn a_zeroed_stretch_is_refused(stored in stored(), from in any::<Index>(), length in 1_usize..200) {
        let whole = encode(&stored).unwrap();
        let mut record = whole.clone();
        let from = from.index(record.len());
        record.iter_mut().skip(from).take(length).for_each(|byte| *byte = 0);
        prop_assume!(record != whole);
        prop_assert!(decode(&record.into(), &stored.key).is_err());
    }

    #[test]
    fn two_swapped_halves_are_refused(a in stored(), b in stored(), at in any::<Index>()) {
        let (one, two) = (encode(&a).unwrap(), encode(&b).unwrap());
        let at = at.index(one.len().min(two.len()));
        let mixed: Vec<u8> = one.iter().take(at).chain(two.iter().skip(at)).copied().collect();
        prop_assume!(mixed != one && mixed != two);
        prop_assert!(decode(&mixed.into(), &a.key).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..3000)) {
        prop_assert!(decode(&bytes.into(), &sample().key).is_err());
    }

    #[test]
    fn random_bytes_with_a_right_hash_never_panic(at in any::<Index>(), value in any::<u8>()) {
        let mut record = encode(&sample()).unwrap();
        let at = at.index(record.len() - HASH_BYTES);
        *record.get_mut(at).unwrap() = value;
        let record = sealed(record);
        // any answer will do, as long as there is one
        drop(decode(&record, &sample().key));
    }
}

#[test]
fn the_body_is_not_copied() {
    let record = Bytes::from(encode(&sample()).unwrap());
    let stored = decode(&record, &sample().key).unwrap().unwrap();
    assert!(record.as_ptr_range().contains(&stored.body.as_ptr()));
}

#[test]
fn an_empty_record_is_refused() {
    let found = decode(&Bytes::new(), &sample().key);
    assert!(matches!(found, Err(RecordError::Length { found: 0, .. })), "{found:?}");
}

#[test]
fn another_version_is_refused() {
    let mut record = encode(&sample()).unwrap();
    record[4] = 3;
    assert_eq!(decode(&sealed(record), &sample().key).unwrap_err(), RecordError::Version(3));
}

#[test]
fn unknown_flags_are_refused() {
    let mut record = encode(&sample()).unwrap();
    record[5] |= 0x80;
    assert_eq!(decode(&sealed(record), &sample().key).unwrap_err(), RecordError::Malformed("flags"));
}

#[test]
fn an_impossible_status_is_refused() {
    let mut record = encode(&sample()).unwrap();
    record[6..8].copy_from_slice(&20_u16.to_le_bytes());
    assert_eq!(decode(&sealed(record), &sample().key).unwrap_err(), RecordError::Malformed("status"));
}

#[test]
fn lengths_that_overflow_are_refused() {
    let mut record = encode(&sample()).unwrap();
    record[20..28].copy_from_slice(&u64::MAX.to_le_bytes());
    let found = decode(&sealed(record), &sample().key);
    assert!(matches!(found, Err(RecordError::Length { .. })), "{found:?}");
}

#[test]
fn too_many_surrogate_keys_are_not_written() {
    let mut stored = sample();
    stored.scopes.tags = vec!["a".to_owned(); LIST_ITEMS_MAX + 1];
    assert_eq!(encode(&stored).unwrap_err(), RecordError::TooLarge("list"));
}

#[test]
fn too_long_fields_are_not_written() {
    let mut stored = sample();
    stored.key.target = "/".repeat(FIELDS_BYTES_MAX);
    assert_eq!(encode(&stored).unwrap_err(), RecordError::TooLarge("fields"));
}

#[test]
fn the_longest_lists_are_read_back() {
    let mut stored = sample();
    stored.scopes.tags = vec!["a".to_owned(); LIST_ITEMS_MAX];
    let record = Bytes::from(encode(&stored).unwrap());
    let again = decode(&record, &stored.key).unwrap().unwrap();
    assert_eq!(again.scopes.tags.len(), LIST_ITEMS_MAX);
}
