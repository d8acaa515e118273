//! RFC 9213, Targeted HTTP Cache Control.

use super::{Stage, page, stage};

/// `Cache-Control`, targeted fields, and whether the response is reused.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

async fn is_reused(stage: &Stage, path: &str, general: &str, targeted: &[(&str, &str)]) -> bool {
    let reply = targeted.iter().fold(page(general), |reply, (name, value)| reply.with(name, value));
    stage.is_reused(path, reply).await
}

#[tokio::test]
async fn section_2_2_the_first_field_of_the_target_list_decides_alone() {
    let stage = stage("").await;
    let (own, cdn, surrogate) = ("overfall-cache-control", "cdn-cache-control", "surrogate-control");
    let table: [Case<'_>; 10] = [
        ("no-store", &[(cdn, "max-age=60")], true),
        ("max-age=60", &[(cdn, "no-store")], false),
        ("max-age=60", &[(cdn, "max-age=0")], false),
        ("no-store", &[(cdn, "max-age=99999999999")], true),
        ("no-store", &[(surrogate, "max-age=60")], true),
        ("max-age=60", &[(surrogate, "no-store")], false),
        ("no-store", &[(own, "max-age=60"), (cdn, "no-store")], true),
        ("max-age=60", &[(own, "no-store"), (cdn, "max-age=60"), (surrogate, "max-age=60")], false),
        ("max-age=60", &[(cdn, "no-store"), (surrogate, "max-age=60")], false),
        ("max-age=60", &[(cdn, "private")], false),
    ];
    for (at, (general, targeted, wanted)) in table.into_iter().enumerate() {
        let path = format!("/{at}");
        assert_eq!(is_reused(&stage, &path, general, targeted).await, wanted, "{general} {targeted:?}");
    }
}

#[tokio::test]
async fn section_2_2_expires_does_not_count_beside_a_targeted_field() {
    let stage = stage("").await;
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert!(
        is_reused(&stage, "/a", "max-age=0", &[("cdn-cache-control", "max-age=60"), ("expires", past)]).await
    );
}

#[tokio::test]
async fn section_2_1_a_field_that_cannot_be_parsed_is_ignored_as_a_whole() {
    let stage = stage("").await;
    let invalid =
        ["max-age=60, &&&&&", "max-age=60,", "MaX-AgE=60", "max-age =60", "max-age= 60", "", "\"a\"=1"];
    for (at, value) in invalid.into_iter().enumerate() {
        let targeted = [("cdn-cache-control", value)];
        assert!(!is_reused(&stage, &format!("/no/{at}"), "no-store", &targeted).await, "{value:?}");
        assert!(is_reused(&stage, &format!("/yes/{at}"), "max-age=60", &targeted).await, "{value:?}");
    }
}

#[tokio::test]
async fn section_2_1_a_member_of_the_wrong_type_is_ignored() {
    let stage = stage("").await;
    for (at, value) in ["max-age=\"60\"", "max-age=60.5", "max-age=?1", "max-age"].into_iter().enumerate() {
        let targeted = [("cdn-cache-control", value)];
        assert!(!is_reused(&stage, &format!("/{at}"), "no-store", &targeted).await, "{value:?}");
    }
    let beside = [("cdn-cache-control", "foo, bar=(1 2), max-age=60;a=b")];
    assert!(is_reused(&stage, "/beside", "no-store", &beside).await, "what is unknown does no harm");
}

#[tokio::test]
async fn section_2_1_a_field_over_several_lines_is_one() {
    let stage = stage("").await;
    let lines = [("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "no-store")];
    assert!(!is_reused(&stage, "/a", "max-age=60", &lines).await);
}

#[tokio::test]
async fn targeted_fields_do_not_reach_the_client() {
    let stage = stage("").await;
    let names = ["overfall-cache-control", "cdn-cache-control", "surrogate-control"];
    let reply = names.iter().fold(page("max-age=5"), |reply, name| reply.with(name, "max-age=60"));
    stage.store("/a", reply).await;
    let hit = stage.get("/a").await.expect_hit();
    assert!(names.iter().all(|name| hit.header(name).is_empty()), "{hit}");
    assert_eq!(hit.header("cache-control"), "max-age=5", "{hit}");
}
