use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Millis,
    key::Key,
    purge::{Mode, Selector},
    stored::{Kind, Lifetime, ResponseHead, Scopes as Names},
};

const EPOCH: u64 = 7;

fn at(seq: u64) -> Position {
    Position { epoch: EPOCH, seq }
}

fn event(mode: Mode, selectors: Vec<Selector>) -> PurgeEvent {
    PurgeEvent { selectors, mode, by: "test".to_owned(), at_ms: 0 }
}

fn response(position: Position) -> Stored {
    Stored {
        key: Key {
            site: "shop".to_owned(),
            host: "www.example".to_owned(),
            target: "/a/b.jpg".to_owned(),
            variant: "w=300".to_owned(),
        },
        head: ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() },
        body: bytes::Bytes::new(),
        lifetime: Lifetime {
            received: Millis(0),
            initial_age_ms: 0,
            fresh_ms: 0,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            always_validate: false,
            never_stale: false,
        },
        position,
        scopes: Names {
            tags: vec!["t1".to_owned(), "t2".to_owned()],
            sources: vec![("media.example".to_owned(), "/orig/b.png".to_owned())],
        },
        vary: Vec::new(),
        codings: Vec::new(),
        kind: Kind::Response,
    }
}

/// A table whose log began at zero.
fn table() -> Table {
    let table = Table::new();
    table.gap(at(0));
    table
}

fn covering() -> Vec<Selector> {
    vec![
        Selector::site("shop").unwrap(),
        Selector::host("www.example").unwrap(),
        Selector::host("media.example").unwrap(),
        Selector::url("www.example", "/a/b.jpg").unwrap(),
        Selector::url("media.example", "/orig/b.png").unwrap(),
        Selector::prefix("www.example", "/").unwrap(),
        Selector::prefix("www.example", "/a/").unwrap(),
        Selector::prefix("www.example", "/a/b.jpg").unwrap(),
        Selector::prefix("media.example", "/orig/").unwrap(),
        Selector::tag("shop", "t1").unwrap(),
        Selector::tag("shop", "t2").unwrap(),
    ]
}

fn others() -> Vec<Selector> {
    vec![
        Selector::site("blog").unwrap(),
        Selector::host("example").unwrap(),
        Selector::url("www.example", "/a/b.jp").unwrap(),
        Selector::url("www.example", "/orig/b.png").unwrap(),
        Selector::prefix("www.example", "/b").unwrap(),
        Selector::prefix("www.example", "/a/b.jpg/").unwrap(),
        Selector::prefix("media.example", "/a/").unwrap(),
        Selector::tag("shop", "t3").unwrap(),
        Selector::tag("shop", "T1").unwrap(),
        Selector::tag("blog", "t1").unwrap(),
    ]
}

#[test]
fn every_selector_that_names_a_response_covers_it() {
    for selector in covering() {
        for (mode, expected) in [(Mode::Hard, Coverage::Dead), (Mode::Soft, Coverage::Stale)] {
            let table = table();
            table.apply(at(5), &event(mode, vec![selector.clone()]));
            assert_eq!(table.coverage(&response(at(4))), expected, "{selector:?}");
            assert_eq!(
                table.coverage(&response(at(5))),
                Coverage::Clear,
                "{selector:?} came before the fetch"
            );
        }
    }
}

#[test]
fn other_selectors_leave_a_response_alone() {
    for selector in others() {
        let table = table();
        table.apply(at(5), &event(Mode::Hard, vec![selector.clone()]));
        assert_eq!(table.coverage(&response(at(4))), Coverage::Clear, "{selector:?}");
    }
}

#[test]
fn a_fill_in_flight_counts_every_tag_of_its_site() {
    let covers = |selector: &Selector, mode, since| {
        let table = table();
        table.apply(at(5), &event(mode, vec![selector.clone()]));
        table.covers_key_since("shop", "www.example", "/a/b.jpg", since)
    };
    let tag = Selector::tag("shop", "unheard-of").unwrap();
    assert!(covers(&tag, Mode::Hard, at(4)));
    assert!(covers(&tag, Mode::Soft, at(4)));
    assert!(!covers(&tag, Mode::Hard, at(5)));
    assert!(!covers(&Selector::tag("blog", "t1").unwrap(), Mode::Hard, at(4)));
    assert!(covers(&Selector::prefix("www.example", "/a").unwrap(), Mode::Hard, at(4)));
    assert!(!covers(&Selector::url("www.example", "/c").unwrap(), Mode::Hard, at(4)));
    let elsewhere = Position { epoch: EPOCH + 1, seq: 9 };
    assert!(covers(&Selector::site("blog").unwrap(), Mode::Hard, elsewhere), "another epoch");
}

#[test]
fn another_epoch_is_stale_and_dies_by_later_hard_purges() {
    let table = table();
    table.apply(at(3), &event(Mode::Hard, vec![Selector::tag("shop", "t1").unwrap()]));
    let next = Position { epoch: EPOCH + 1, seq: 1 };
    table.gap(next);
    assert_eq!(table.coverage(&response(at(2))), Coverage::Dead, "purged before the epoch ended");
    assert_eq!(table.coverage(&response(at(3))), Coverage::Unknown, "fetched after that purge");
    assert_eq!(table.coverage(&response(next)), Coverage::Clear);
    let later = Position { epoch: EPOCH + 1, seq: 2 };
    table.apply(later, &event(Mode::Hard, vec![Selector::host("www.example").unwrap()]));
    assert_eq!(table.coverage(&response(at(1000))), Coverage::Dead, "the other log's numbers don't count");
    let unknown = Position { epoch: 99, seq: 1000 };
    assert_eq!(table.coverage(&response(unknown)), Coverage::Dead);
}

#[test]
fn epochs_are_forgotten_towards_stale() {
    let table = table();
    for epoch in 100..110 {
        table.apply(Position { epoch, seq: 1 }, &event(Mode::Hard, vec![Selector::site("blog").unwrap()]));
    }
    assert_eq!(table.coverage(&response(at(0))), Coverage::Unknown);
    assert_eq!(table.position(), Position { epoch: 109, seq: 1 });
    assert!(table.scopes() <= EPOCHS_MAX);
}

#[test]
fn a_returning_epoch_is_not_trusted() {
    let table = table();
    table.apply(at(9), &event(Mode::Soft, vec![Selector::site("blog").unwrap()]));
    table.gap(Position { epoch: EPOCH + 1, seq: 0 });
    table.gap(at(4));
    assert_eq!(table.position(), at(4));
    assert_eq!(table.coverage(&response(at(8))), Coverage::Unknown);
}

#[test]
fn a_gap_makes_everything_before_it_stale() {
    let table = table();
    table.gap(at(10));
    assert_eq!(table.position(), at(10));
    assert_eq!(table.coverage(&response(at(9))), Coverage::Unknown);
    assert_eq!(table.coverage(&response(at(10))), Coverage::Clear);
    assert!(table.covers_key_since("shop", "www.example", "/x", at(9)));
    assert!(!table.covers_key_since("shop", "www.example", "/x", at(10)));
}

#[test]
fn a_log_that_went_back_makes_everything_up_to_its_old_end_stale() {
    let table = table();
    table.apply(at(10), &event(Mode::Soft, vec![Selector::site("blog").unwrap()]));
    table.gap(at(6));
    assert_eq!(table.position(), at(6));
    for seq in 0..10 {
        assert_eq!(table.coverage(&response(at(seq))), Coverage::Unknown, "{seq}");
    }
    assert!(
        !table.covers_key_since("shop", "www.example", "/x", at(10)),
        "a fill of the old history went on"
    );
}

#[test]
fn distrust_leaves_the_position_and_new_fills_alone() {
    let table = table();
    table.distrust(at(10));
    assert_eq!(table.position(), at(0));
    assert_eq!(table.coverage(&response(at(9))), Coverage::Unknown);
    assert_eq!(table.coverage(&response(at(0))), Coverage::Unknown, "it can't be told from the old history");
    assert!(!table.covers_key_since("shop", "www.example", "/x", at(0)), "fills must still be shared");
    table.distrust(Position { epoch: EPOCH + 1, seq: 99 });
    assert_eq!(table.coverage(&response(at(10))), Coverage::Clear);
}

#[test]
fn a_marked_purge_works_before_the_position_moves() {
    let table = table();
    table.mark(at(1), &event(Mode::Hard, vec![Selector::site("shop").unwrap()]));
    assert_eq!(table.position(), at(0));
    assert_eq!(table.coverage(&response(at(0))), Coverage::Dead);
    assert!(table.changed_since(at(0)));
    table.advance(at(1));
    assert_eq!(table.position(), at(1));
    assert_eq!(table.coverage(&response(at(1))), Coverage::Clear);
}

#[test]
fn positions_move_forward_only() {
    let table = table();
    table.advance(at(4));
    table.advance(at(2));
    table.advance(Position { epoch: EPOCH + 1, seq: 9 });
    assert_eq!(table.position(), at(4));
}

#[test]
fn past_the_bound_purges_are_widened_not_forgotten() {
    let table = Table::with_scopes_max(64);
    table.gap(at(0));
    table.apply(at(1), &event(Mode::Soft, vec![Selector::url("www.example", "/a/b.jpg").unwrap()]));
    for seq in 2..=200 {
        let path = format!("/other/{seq}");
        table.apply(at(seq), &event(Mode::Hard, vec![Selector::url("www.example", &path).unwrap()]));
        assert!(table.scopes() <= 64, "{} scopes", table.scopes());
        assert_ne!(table.coverage(&response(at(0))), Coverage::Clear, "forgotten at {seq}");
    }
    assert_eq!(table.coverage(&response(at(200))), Coverage::Clear);
    let folded = table.counters().folded_scopes.load(Ordering::Relaxed);
    assert_eq!(folded + table.scopes() as u64, 200, "every scope is held or was folded");
}

#[test]
fn one_event_larger_than_the_bound_is_widened_too() {
    let table = Table::with_scopes_max(4);
    table.gap(at(0));
    let selectors = (0..50).map(|n| Selector::prefix("www.example", &format!("/p{n}")).unwrap()).collect();
    table.apply(at(1), &event(Mode::Hard, selectors));
    assert!(table.scopes() <= 4);
    assert_eq!(table.coverage(&response(at(0))), Coverage::Unknown);
    assert_eq!(table.coverage(&response(at(1))), Coverage::Clear);
}

#[test]
fn silence_keeps_its_beginning() {
    let table = Table::new();
    assert_eq!(table.silent_since(), None);
    table.set_silent(Some(Millis(5)));
    table.set_silent(Some(Millis(9)));
    assert_eq!(table.silent_since(), Some(Millis(5)));
    table.set_silent(None);
    assert_eq!(table.silent_since(), None);
}

/// Keeps every event and compares strings.
#[derive(Default)]
struct Model(Vec<(u64, PurgeEvent)>);

impl Model {
    fn names(selector: &Selector, stored: &Stored) -> bool {
        let places = || {
            let own = (&stored.key.host, &stored.key.target);
            std::iter::once(own).chain(stored.scopes.sources.iter().map(|(host, target)| (host, target)))
        };
        match selector {
            Selector::Site { site } => *site == stored.key.site,
            Selector::Host { host } => places().any(|(h, _)| h == host),
            Selector::Url { host, target } => places().any(|(h, t)| h == host && t == target),
            Selector::Prefix { host, prefix } => {
                places().any(|(h, t)| h == host && t.starts_with(prefix.as_str()))
            }
            Selector::Tag { site, tag } => *site == stored.key.site && stored.scopes.tags.contains(tag),
        }
    }

    fn coverage(&self, stored: &Stored) -> Coverage {
        let later = self.0.iter().filter(|(seq, _)| *seq > stored.position.seq);
        let naming = later.filter(|(_, event)| event.selectors.iter().any(|s| Self::names(s, stored)));
        naming.fold(Coverage::Clear, |worst, (_, event)| match (worst, event.mode) {
            (Coverage::Dead, _) | (_, Mode::Hard) => Coverage::Dead,
            _ => Coverage::Stale,
        })
    }
}

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![Just("a.example".to_owned()), Just("b.example".to_owned())]
}

fn targets() -> impl Strategy<Value = String> {
    "/[ab]{0,3}"
}

fn sites() -> impl Strategy<Value = String> {
    "[st]"
}

fn tags() -> impl Strategy<Value = String> {
    "[xyz]"
}

fn selectors() -> impl Strategy<Value = Selector> {
    prop_oneof![
        1 => sites().prop_map(|site| Selector::Site { site }),
        1 => hosts().prop_map(|host| Selector::Host { host }),
        3 => (hosts(), targets()).prop_map(|(host, target)| Selector::Url { host, target }),
        3 => (hosts(), targets()).prop_map(|(host, prefix)| Selector::Prefix { host, prefix }),
        3 => (sites(), tags()).prop_map(|(site, tag)| Selector::Tag { site, tag }),
    ]
}

fn events() -> impl Strategy<Value = Vec<(u64, PurgeEvent)>> {
    let one = (any::<bool>(), prop::collection::vec(selectors(), 1..3))
        .prop_map(|(hard, selectors)| event(if hard { Mode::Hard } else { Mode::Soft }, selectors));
    prop::collection::vec(one, 0..12).prop_map(|events| (1..).zip(events).collect())
}

fn responses() -> impl Strategy<Value = Stored> {
    let names = (prop::collection::vec(tags(), 0..3), prop::collection::vec((hosts(), targets()), 0..2));
    (sites(), hosts(), targets(), names, 0_u64..13).prop_map(|(site, host, target, (tags, sources), seq)| {
        Stored {
            key: Key { site, host, target, variant: String::new() },
            scopes: Names { tags, sources },
            ..response(at(seq))
        }
    })
}

const fn rank(coverage: Coverage) -> u8 {
    match coverage {
        Coverage::Clear => 0,
        Coverage::Stale => 1,
        Coverage::Unknown => 2,
        Coverage::Dead => 3,
    }
}

proptest! {
    #[test]
    fn marks_merge_like_maxima(a: (u64, u64), b: (u64, u64), c: (u64, u64)) {
        let [a, b, c] = [a, b, c].map(|(hard, soft)| Marks { hard, soft });
        prop_assert_eq!(a.merge(a), a);
        prop_assert_eq!(a.merge(b), b.merge(a));
        prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
    }

    #[test]
    fn order_and_duplicates_do_not_matter(
        (events, shuffled) in events().prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        }),
        stored in prop::collection::vec(responses(), 1..8),
    ) {
        let (ordered, mixed) = (table(), table());
        events.iter().for_each(|(seq, event)| ordered.apply(at(*seq), event));
        shuffled.iter().for_each(|(seq, event)| mixed.apply(at(*seq), event));
        prop_assert_eq!(ordered.position(), mixed.position());
        for stored in &stored {
            prop_assert_eq!(ordered.coverage(stored), mixed.coverage(stored));
        }
    }

    #[test]
    fn agrees_with_a_model_that_keeps_all_events(
        events in events(),
        stored in prop::collection::vec(responses(), 1..8),
    ) {
        let table = table();
        events.iter().for_each(|(seq, event)| table.apply(at(*seq), event));
        let model = Model(events);
        for stored in &stored {
            prop_assert_eq!(table.coverage(stored), model.coverage(stored), "{:?}", stored);
            let key = &stored.key;
            let in_flight = table.covers_key_since(&key.site, &key.host, &key.target, stored.position);
            let own = Stored { scopes: Names { sources: Vec::new(), ..stored.scopes.clone() }, ..response(stored.position) };
            let own = Stored { key: key.clone(), ..own };
            prop_assert!(in_flight || model.coverage(&own) == Coverage::Clear, "a purged fill was not noticed");
        }
    }

    #[test]
    fn the_dead_stay_dead_and_the_bound_only_widens(
        events in events(),
        scopes_max in 1_usize..20,
        gap in 0_u64..12,
        stored in responses(),
    ) {
        let (table, model) = (Table::with_scopes_max(scopes_max), Model(events.clone()));
        table.gap(at(0));
        let mut worst = 0;
        for (seq, event) in &events {
            table.apply(at(*seq), event);
            if *seq == gap {
                table.gap(at(*seq));
            }
            let now = rank(table.coverage(&stored));
            prop_assert!(worst == 0 || now > 0, "back to clear");
            worst = worst.max(now);
        }
        if model.coverage(&stored) != Coverage::Clear {
            prop_assert_ne!(table.coverage(&stored), Coverage::Clear, "forgotten");
        }
    }
}
