use std::collections::VecDeque;

use super::*;

const WITHIN: Duration = Duration::from_secs(1);

fn addresses(names: &[&str]) -> Vec<SocketAddr> {
    names.iter().map(|text| format!("{text}:80").parse().unwrap()).collect()
}

/// Lookups that give these answers, one after the other, and count.
struct Scripted {
    answers: Mutex<VecDeque<io::Result<Vec<SocketAddr>>>>,
    asked: Mutex<usize>,
}

fn scripted(answers: Vec<io::Result<Vec<SocketAddr>>>) -> (Resolver, Arc<Scripted>) {
    let script = Arc::new(Scripted { answers: Mutex::new(answers.into()), asked: Mutex::new(0) });
    let played = Arc::clone(&script);
    let lookup = move |_, _| {
        *played.asked.lock() += 1;
        let answer = played.answers.lock().pop_front();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }) as BoxFuture<_>
    };
    (Resolver::with_lookup("origin.invalid".into(), 80, Box::new(lookup)), script)
}

fn nothing() -> io::Result<Vec<SocketAddr>> {
    Err(io::Error::other("the name server is away"))
}

/// Lets the lookup behind the requests finish.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_address_needs_no_lookup() {
    for (host, expected) in [("192.0.2.1", "192.0.2.1:81"), ("2001:db8::1", "[2001:db8::1]:81")] {
        let found = Resolver::new(host.into(), 81).addresses(Duration::ZERO).await.unwrap();
        assert_eq!(found, [expected.parse::<SocketAddr>().unwrap()]);
    }
}

#[tokio::test]
async fn the_address_that_answered_comes_first() {
    let both = addresses(&["192.0.2.1", "192.0.2.2"]);
    let resolver = Resolver::with_known("origin.invalid", both.clone()).await;
    resolver.prefer(both[1]);
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), [both[1], both[0]]);
}

#[tokio::test]
async fn a_name_that_is_no_name_has_no_address() {
    let resolver = Resolver::new("not a name".into(), 80);
    let error = resolver.addresses(Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, OriginError::Resolve(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_moves_is_followed_without_waiting() {
    let (old, new) = (addresses(&["192.0.2.1"]), addresses(&["192.0.2.2"]));
    let (resolver, script) = scripted(vec![Ok(old.clone()), Ok(new.clone())]);
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), old);
    tokio::time::advance(FRESH - Duration::from_millis(1)).await;
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), old);
    assert_eq!(*script.asked.lock(), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(resolver.addresses(Duration::ZERO).await.unwrap(), old, "what is known answers at once");
    settle().await;
    assert_eq!(resolver.addresses(Duration::ZERO).await.unwrap(), new);
    assert_eq!(*script.asked.lock(), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_lookups_keep_what_is_known_and_are_not_repeated_at_once() {
    let known = addresses(&["192.0.2.1"]);
    let (resolver, script) = scripted(vec![Ok(known.clone()), nothing(), Ok(Vec::new()), nothing()]);
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), known);
    tokio::time::advance(FRESH).await;
    for lookups in 2..5 {
        for _ in 0..10 {
            assert_eq!(resolver.addresses(WITHIN).await.unwrap(), known);
            settle().await;
        }
        assert_eq!(*script.asked.lock(), lookups);
        tokio::time::advance(RETRY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_lookup_that_fails_is_tried_again_soon() {
    let known = addresses(&["192.0.2.1"]);
    let (resolver, script) = scripted(vec![nothing(), Ok(known.clone())]);
    for _ in 0..10 {
        let error = resolver.addresses(WITHIN).await.unwrap_err();
        assert!(error.to_string().contains("the name server is away"), "{error}");
    }
    assert_eq!(*script.asked.lock(), 1);
    tokio::time::advance(RETRY).await;
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), known);
}

#[tokio::test(start_paused = true)]
async fn a_first_lookup_that_hangs_costs_its_deadline() {
    let (resolver, _) = scripted(Vec::new());
    let began = Instant::now();
    let error = resolver.addresses(WITHIN).await.unwrap_err();
    assert!(matches!(error, OriginError::Resolve(_)), "{error}");
    assert_eq!(began.elapsed(), WITHIN);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_behind_the_requests_delays_none() {
    let known = addresses(&["192.0.2.1"]);
    let (resolver, script) = scripted(vec![Ok(known.clone())]);
    assert_eq!(resolver.addresses(WITHIN).await.unwrap(), known);
    tokio::time::advance(FRESH).await;
    for _ in 0..10 {
        assert_eq!(resolver.addresses(Duration::ZERO).await.unwrap(), known);
        settle().await;
    }
    assert_eq!(*script.asked.lock(), 2, "one lookup at a time");
    tokio::time::advance(LOOKUP_MAX).await;
    settle().await;
    resolver.addresses(Duration::ZERO).await.unwrap();
    settle().await;
    assert_eq!(*script.asked.lock(), 3, "given up, and tried again");
}

#[tokio::test]
async fn addresses_are_bounded() {
    let many: Vec<SocketAddr> = (0..100).map(|n| format!("192.0.2.{n}:80").parse().unwrap()).collect();
    let resolver = Resolver::with_known("origin.invalid", many).await;
    assert_eq!(resolver.addresses(WITHIN).await.unwrap().len(), ADDRESSES_MAX);
}
