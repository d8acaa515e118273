//! What memory gives at once, and what it leaves to the ordinary way.

use super::*;
use crate::{engine::MemoryHit, key::KeyRef};

const KEY: KeyRef<'static> = KeyRef { site: "s", host: "h.example", target: "/a", variant: "" };

fn hit(world: &World, accept_encoding: Option<&str>) -> Option<MemoryHit> {
    world.engine.memory_hit(KEY, accept_encoding.map(str::as_bytes), &request("/a", &[], &[]).policy)
}

async fn stored(fields: &'static [(&'static str, &'static str)]) -> World {
    let world = World::new().await;
    let origin = origin("o", move |_, _| ok(fields, "body"));
    drop(text(world.get("/a", &[origin]).await.unwrap()).await);
    world
}

#[tokio::test]
async fn it_says_what_the_ordinary_way_says() {
    let world = stored(&[("cache-control", "max-age=10"), ("content-type", "a/b")]).await;
    world.clock.advance(3_500);
    let found = hit(&world, None).unwrap();
    assert_eq!((found.age_s(), found.ttl_s()), (3, 6));
    assert_eq!(found.body(), "body");
    let head = String::from_utf8(found.head().to_vec()).unwrap();
    let ordinary = world.get("/a", &[]).await.unwrap();
    for (name, value) in &ordinary.head.headers {
        let line = format!("{name}: {}\r\n", value.to_str().unwrap());
        let is_there = head.to_ascii_lowercase().contains(&line.to_ascii_lowercase());
        assert!(is_there || name == "age", "{line:?} is not in {head:?}");
    }
    assert_eq!(ordinary.trace.ttl_ms / 1000, 6);
}

#[tokio::test]
async fn only_a_fresh_response_is_given() {
    let world = stored(&[("cache-control", "max-age=10, stale-while-revalidate=60")]).await;
    world.clock.advance(10_000);
    assert!(hit(&world, None).is_none(), "stale");
    let world = stored(&[("cache-control", "max-age=10, no-cache"), ("etag", "\"1\"")]).await;
    assert!(hit(&world, None).is_none(), "to be validated before each use");
    assert!(hit(&World::new().await, None).is_none(), "absent");
}

#[tokio::test]
async fn a_purge_is_seen_at_once() {
    for mode in [Mode::Hard, Mode::Soft] {
        let world = stored(&[("cache-control", "max-age=10")]).await;
        assert!(hit(&world, None).is_some());
        world.purge(Selector::url("h.example", "/a").unwrap(), mode);
        assert!(hit(&world, None).is_none(), "{mode:?}");
    }
}

#[tokio::test]
async fn the_whole_key_is_compared() {
    let world = stored(&[("cache-control", "max-age=10")]).await;
    let policy = request("/a", &[], &[]).policy;
    for key in [
        KeyRef { site: "t", ..KEY },
        KeyRef { host: "g.example", ..KEY },
        KeyRef { target: "/b", ..KEY },
        KeyRef { variant: "v", ..KEY },
    ] {
        assert!(world.engine.memory_hit(key, None, &policy).is_none(), "{key:?}");
    }
}

#[tokio::test]
async fn variants_by_accept_encoding_are_kept_apart() {
    let world = World::new().await;
    let fields = &[("cache-control", "max-age=10"), ("vary", "accept-encoding")];
    let origin = origin("o", |n, _| ok(fields, if n == 0 { "for gzip" } else { "for none" }));
    let gzip = request("/a", &[Arc::clone(&origin)], &[("accept-encoding", "gzip")]);
    drop(text(world.engine.serve(gzip).await.unwrap()).await);
    assert!(hit(&world, None).is_none(), "this variant is not stored yet");
    drop(text(world.get("/a", &[origin]).await.unwrap()).await);
    assert_eq!(hit(&world, Some("gzip")).unwrap().body(), "for gzip");
    assert_eq!(hit(&world, Some("GZIP;q=0.5")).unwrap().body(), "for gzip");
    assert_eq!(hit(&world, None).unwrap().body(), "for none");
    assert!(hit(&world, Some("br")).is_none());
}

#[tokio::test]
async fn variants_by_other_fields_are_left_to_the_ordinary_way() {
    for vary in ["accept-language", "accept-encoding, accept-language"] {
        let world = World::new().await;
        let origin = origin("o", move |_, _| ok(&[("cache-control", "max-age=10"), ("vary", vary)], "body"));
        drop(text(world.get("/a", &[origin]).await.unwrap()).await);
        assert!(hit(&world, None).is_none(), "{vary}");
    }
}
