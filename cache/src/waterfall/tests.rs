use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use http::HeaderMap;

use super::{
    breaker::{BreakerSettings, BreakerState},
    *,
};
use crate::body::Body;

const DEADLINE: Duration = Duration::from_secs(5);

/// What a scripted origin does.
#[derive(Clone, Copy)]
enum Does {
    Answer(u16),
    Refuse,
    Hang,
}

struct Scripted {
    name: &'static str,
    asked: AtomicUsize,
    does: parking_lot::Mutex<Does>,
}

impl Scripted {
    fn new(name: &'static str, does: Does) -> Arc<Self> {
        Arc::new(Self { name, asked: AtomicUsize::new(0), does: parking_lot::Mutex::new(does) })
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

#[async_trait]
impl Origin for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    async fn fetch(&self, _: &OriginRequest) -> Result<OriginResponse, OriginError> {
        self.asked.fetch_add(1, SeqCst);
        let does = *self.does.lock();
        match does {
            Does::Answer(status) => {
                let head =
                    ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new() };
                Ok(OriginResponse { head, body: Body::empty(), provenance: None })
            }
            Does::Refuse => Err(OriginError::Connect("refused".into())),
            Does::Hang => std::future::pending().await,
        }
    }
}

fn guarded(origin: &Arc<Scripted>) -> Step {
    let health = Health::new(Some(BreakerSettings { failures: 3, ..Default::default() }), Instant::now());
    Step { health: Some(health), ..Step::new(Arc::clone(origin) as _, DEADLINE) }
}

fn archive(origin: &Arc<Scripted>) -> Step {
    Step { role: OriginRole::Archive, ..Step::new(Arc::clone(origin) as _, DEADLINE) }
}

fn request(target: &str) -> OriginRequest {
    OriginRequest {
        host: "h.example".into(),
        path_and_query: target.into(),
        headers: HeaderMap::new(),
        deadline: Instant::now(),
        request_id: 1,
        interim: None,
    }
}

async fn answered_by(waterfall: &Waterfall) -> Option<String> {
    waterfall.fetch(&request("/")).await.ok().map(|fetched| fetched.origin)
}

fn outcomes(attempts: &[Attempt]) -> Vec<(&str, String)> {
    let said = |outcome: &AttemptOutcome| match outcome {
        AttemptOutcome::Status(status) => status.as_u16().to_string(),
        AttemptOutcome::Failed(error) => error.to_string(),
    };
    attempts.iter().map(|attempt| (attempt.origin.as_str(), said(&attempt.outcome))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hanging_origin_costs_its_deadline_a_few_times_only() {
    let (first, second) = (Scripted::new("first", Does::Hang), Scripted::new("second", Does::Answer(200)));
    let waterfall = Waterfall { steps: vec![guarded(&first), guarded(&second)] };
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(answered_by(&waterfall).await.as_deref(), Some("second"));
    }
    assert_eq!(first.asked(), 3);
    assert_eq!(began.elapsed(), DEADLINE * 3);
    let fetched = waterfall.fetch(&request("/")).await.ok().unwrap();
    assert_eq!(
        outcomes(&fetched.attempts),
        [("first", OriginError::BreakerOpen.to_string()), ("second", "200".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_back_is_asked_again() {
    let (first, second) = (Scripted::new("first", Does::Refuse), Scripted::new("second", Does::Answer(200)));
    let waterfall = Waterfall { steps: vec![guarded(&first), guarded(&second)] };
    for _ in 0..10 {
        answered_by(&waterfall).await;
    }
    *first.does.lock() = Does::Answer(200);
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("second"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("first"));
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn with_nobody_else_the_origin_that_opens_soonest_is_asked() {
    let (first, second) = (Scripted::new("first", Does::Refuse), Scripted::new("second", Does::Answer(200)));
    let waterfall = Waterfall { steps: vec![guarded(&first), guarded(&second)] };
    for _ in 0..3 {
        answered_by(&waterfall).await;
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    *second.does.lock() = Does::Refuse;
    for _ in 0..3 {
        answered_by(&waterfall).await;
    }
    assert_eq!(
        (first.asked(), second.asked()),
        (4, 6),
        "the first is open for two seconds, the second for one"
    );
    *second.does.lock() = Does::Answer(200);
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("second"));
    assert_eq!(first.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_last_resort_is_asked_by_few_at_a_time() {
    let only = Scripted::new("only", Does::Refuse);
    let waterfall = Arc::new(Waterfall { steps: vec![guarded(&only)] });
    for _ in 0..3 {
        answered_by(&waterfall).await;
    }
    *only.does.lock() = Does::Hang;
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let waterfall = Arc::clone(&waterfall);
            tokio::spawn(async move { waterfall.fetch(&request("/")).await.err() })
        })
        .collect();
    let mut told_to_wait = 0;
    for asked in asking {
        let failure = asked.await.unwrap().unwrap();
        told_to_wait += usize::from(failure.retry_after_s == Some(1));
    }
    assert_eq!(told_to_wait, 100 - health::FORCED_MAX);
    assert_eq!(only.asked(), 3 + health::FORCED_MAX);
    *only.does.lock() = Does::Answer(200);
    assert!(waterfall.fetch(&request("/")).await.is_ok(), "a forced answer is as good as any");
    let health = waterfall.steps[0].health.as_ref().unwrap();
    assert_eq!(health.view(Instant::now()).breaker, Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_fails_its_checks_is_passed_over() {
    let (first, second) =
        (Scripted::new("first", Does::Answer(200)), Scripted::new("second", Does::Answer(200)));
    let waterfall = Waterfall { steps: vec![guarded(&first), guarded(&second)] };
    let checks = waterfall.steps[0].health.as_ref().unwrap();
    checks.set_failing_checks(true);
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("second"));
    assert_eq!(first.asked(), 0);
    waterfall.steps[1].health.as_ref().unwrap().set_failing_checks(true);
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("first"), "rather than nobody");
    checks.set_failing_checks(false);
    assert_eq!(answered_by(&waterfall).await.as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn not_found_is_an_answer_and_no_failure() {
    let (first, second) =
        (Scripted::new("first", Does::Answer(404)), Scripted::new("second", Does::Answer(200)));
    let waterfall = Waterfall { steps: vec![guarded(&first), guarded(&second)] };
    for _ in 0..10 {
        let fetched = waterfall.fetch(&request("/")).await.ok().unwrap();
        assert_eq!((fetched.origin.as_str(), fetched.response.head.status.as_u16()), ("first", 404));
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_is_asked_only_on_its_own_and_its_refusals_are_no_answers() {
    let (first, old) = (Scripted::new("first", Does::Refuse), Scripted::new("old", Does::Answer(404)));
    let waterfall = Waterfall { steps: vec![archive(&old), guarded(&first)] };
    let failure = waterfall.fetch(&request("/")).await.err().unwrap();
    assert_eq!((old.asked(), waterfall.has_archive()), (0, true));
    let mut attempts = failure.attempts;
    assert!(waterfall.last_good(&request("/"), &mut attempts).await.is_none());
    assert_eq!(outcomes(&attempts).last(), Some(&("old", "404".to_owned())));
    assert_eq!(attempts.len(), 2);
    *old.does.lock() = Does::Answer(200);
    let fetched = waterfall.last_good(&request("/"), &mut attempts).await.unwrap();
    assert_eq!((fetched.origin.as_str(), fetched.attempts.len()), ("old", 3));
}
