//! Image URLs of every style, and what a site adds to them: signatures, widths, watermarks, something in place of a failure.

use image::{AnimationDecoder as _, GenericImageView as _, ImageFormat, codecs::webp::WebPDecoder};
use overfall_test_support::{Answer, Origin, Reply, Settings, wait_until};

use crate::{
    Lone, lone,
    pictures::{decode, encode, fixture, sample},
};

const EVERY_STYLE: &str = r#"[site.images]
dialects = ["cloudflare", "imgproxy", "next", "ipx", "query", "iiif"]
imgproxy = { unsigned = true, keys = [{ key = "736563726574", salt = "68656C6C6F" }] }
presets = { thumb = "rs:fill:40:30" }
watermarks = { default = "/mark.png" }
"#;

async fn studio(origin: &Origin, images: &str) -> Lone {
    let stored = |body| Reply::ok(body).cache_control("max-age=600");
    origin.on(
        "/a/pic.png",
        stored(encode(&sample(600, 450), ImageFormat::Png)).with("content-type", "image/png"),
    );
    origin.on("/mark.png", stored(encode(&sample(20, 20), ImageFormat::Png)));
    let settings = Settings::new().origin("app", &origin.url()).without_images().site(images);
    lone(&settings).await
}

async fn get(lone: &Lone, target: &str) -> Answer {
    lone.node.client().get(&lone.node.url(target)).await
}

#[tokio::test]
async fn every_style_is_answered_with_the_size_and_type_asked_for() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    for (target, size, content_type) in [
        ("/cdn-cgi/image/width=80,height=60,quality=75,f=webp,fit=cover/a/pic.png", (80, 60), "image/webp"),
        ("/imgproxy/unsafe/w:80/h:60/f:webp/q:75/rt:fill/L2EvcGljLnBuZw", (80, 60), "image/webp"),
        ("/imgproxy/unsafe/pr:thumb/plain//a/pic.png@jpg", (40, 30), "image/jpeg"),
        ("/_next/image?url=%2Fa%2Fpic.png&w=96&q=75", (96, 72), "image/png"),
        ("/_ipx/s_80x60,q_75,f_webp/a/pic.png", (80, 60), "image/webp"),
        ("/_ipx/f_jpeg&fit_cover&s_80x60/a/pic.png", (80, 60), "image/jpeg"),
        ("/a/pic.png?width=80&height=60&format=webp&quality=75&fit=cover", (80, 60), "image/webp"),
        ("/a/pic.png?fm=jpg&w=80&h=60&q=75&fit=crop", (80, 60), "image/jpeg"),
        ("/.netlify/images?w=80&h=60&fm=webp&q=75&fit=cover&url=%2Fa%2Fpic.png", (80, 60), "image/webp"),
        ("/iiif/a%2Fpic.png/full/80,60/0/default.jpg", (80, 60), "image/jpeg"),
        ("/iiif/a%2Fpic.png/square/!50,50/90/gray.png", (50, 50), "image/png"),
    ] {
        let answer = get(&lone, target).await.expect(200);
        assert_eq!(answer.header("content-type"), content_type, "{answer}");
        assert_eq!(decode(&answer.body).dimensions(), size, "{answer}");
    }
    assert_eq!(origin.count("/a/pic.png"), 1, "one source for all of them");
}

#[tokio::test]
async fn styles_that_mean_the_same_share_a_rendering() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    let client = lone.node.client();
    let first = "/cdn-cgi/image/width=80,height=60,quality=75,f=webp,fit=cover/a/pic.png";
    let made = get(&lone, first).await.expect(200).expect_miss();
    for target in [
        "/a/pic.png?width=80&height=60&format=webp&quality=75&fit=cover",
        "/.netlify/images?w=80&h=60&fm=webp&q=75&fit=cover&url=%2Fa%2Fpic.png",
    ] {
        let answer = client.hit(&lone.node.url(target), &[]).await.expect(200);
        assert!(answer.is_hit() && answer.body == made.body, "{answer}");
    }
}

#[tokio::test]
async fn each_style_refuses_in_its_own_words() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    for (target, status, says) in [
        ("/cdn-cgi/image/wobble=3/a/pic.png", 400, "ERROR 9401"),
        ("/imgproxy/AAAA/w:80/plain//a/pic.png", 403, "Forbidden"),
        ("/imgproxy/unsafe/wobble:3/plain//a/pic.png", 404, "Invalid URL"),
        ("/_next/image?w=96&q=75", 400, "\"url\" parameter is required"),
        ("/_next/image?url=%2Fa%2Fpic.png&w=97&q=75", 400, "of 97 is not allowed"),
        ("/_ipx/w_80/", 400, "IPX_MISSING_ID"),
        ("/iiif/a%2Fpic.png/full/80,60/x/default.jpg", 400, "rotation"),
    ] {
        let answer = get(&lone, target).await.expect(status);
        assert!(answer.text().contains(says), "{answer}\n  says {says:?}");
    }
    assert_eq!(origin.count("/a/pic.png"), 0, "nothing of this reaches the origin");
}

#[tokio::test]
async fn iiif_describes_its_pictures() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    let bare = get(&lone, "/iiif/a%2Fpic.png").await.expect(303);
    assert_eq!(bare.header("location"), "/iiif/a%2Fpic.png/info.json", "{bare}");
    let answer = get(&lone, "/iiif/a%2Fpic.png/info.json").await.expect(200);
    assert!(answer.header("content-type").starts_with("application/ld+json"), "{answer}");
    let info: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(600), Some(450)), "{answer}");
    get(&lone, "/iiif/a%2Fpic.png/full/700,/0/default.jpg").await.expect(400);
}

#[tokio::test]
async fn what_is_known_of_a_picture_comes_as_json() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    let answer = get(&lone, "/cdn-cgi/image/format=json/a/pic.png").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json", "{answer}");
    let info: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!((info["width"].as_u64(), info["format"].as_str()), (Some(600), Some("png")), "{answer}");
    assert!(info["blurhash"].as_str().is_some_and(|hash| hash.len() > 6), "{answer}");
}

#[tokio::test]
async fn a_site_that_signs_serves_only_what_it_signed_and_in_time() {
    let origin = Origin::start().await;
    let images =
        "[site.images]\ndialects = [\"cloudflare\", \"query\"]\nsign = { keys = [\"0123456789abcdef\"] }";
    let lone = studio(&origin, images).await;
    let sign = |target: &str, expires| overfall_imaging::dialect::sign(target, b"0123456789abcdef", expires);
    for target in ["/cdn-cgi/image/width=80,f=png/a/pic.png", "/a/pic.png?width=80"] {
        get(&lone, target).await.expect(403);
        get(&lone, &sign(target, None)).await.expect(200);
        get(&lone, &sign(target, Some(4_000_000_000))).await.expect(200);
        let late = get(&lone, &sign(target, Some(1))).await;
        assert!([403, 404].contains(&late.status), "{late}");
        get(&lone, &sign(target, None).replace("width=80", "width=81")).await.expect(403);
    }
}

#[tokio::test]
async fn widths_that_are_not_on_the_list_are_rounded_up_or_refused() {
    let origin = Origin::start().await;
    let rounding = studio(&origin, "[site.images]\nwidths = [100, 200]").await;
    for (asked, made) in [(80, 100), (100, 100), (150, 200), (500, 200)] {
        let answer =
            get(&rounding, &format!("/cdn-cgi/image/width={asked},f=png/a/pic.png")).await.expect(200);
        assert_eq!(decode(&answer.body).width(), made, "{answer}");
    }
    let strict = studio(&origin, "[site.images]\nwidths = [100, 200]\nother_widths = \"refuse\"").await;
    get(&strict, "/cdn-cgi/image/width=100,f=png/a/pic.png").await.expect(200);
    let refused = get(&strict, "/cdn-cgi/image/width=150,f=png/a/pic.png").await.expect(400);
    assert!(refused.text().contains("200"), "{refused}\n  names what is allowed");
}

#[tokio::test]
async fn a_watermark_of_the_site_lies_over_the_picture() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    let bare = get(&lone, "/cdn-cgi/image/width=100,f=png/a/pic.png").await.expect(200);
    let marked =
        get(&lone, "/cdn-cgi/image/width=100,watermark=default;1;top-left,f=png/a/pic.png").await.expect(200);
    let (bare, marked) = (decode(&bare.body).to_rgb8(), decode(&marked.body).to_rgb8());
    assert_ne!(bare.get_pixel(10, 10), marked.get_pixel(10, 10));
    assert_eq!(bare.get_pixel(90, 70), marked.get_pixel(90, 70));
    let unknown = get(&lone, "/cdn-cgi/image/width=100,watermark=other/a/pic.png").await.expect(400);
    assert!(unknown.text().contains("default"), "{unknown}\n  names those that there are");
}

#[tokio::test]
async fn a_failure_is_answered_as_the_site_wants_it() {
    let origin = Origin::start().await;
    let broken = fixture("broken/truncated.png");
    let serve = |images: &'static str| {
        let (origin, broken) = (&origin, broken.clone());
        async move {
            let lone = studio(origin, images).await;
            origin.on("/broken.png", Reply::ok(broken).cache_control("max-age=600"));
            get(&lone, "/cdn-cgi/image/width=100,f=png/broken.png").await
        }
    };
    serve("[site.images]\non_failure = \"error\"").await.expect(422);
    let original = serve("[site.images]\non_failure = \"original\"").await.expect(200);
    assert_eq!((original.header("content-type").as_str(), &original.body[..]), ("image/png", &broken[..]));
    let fallback = serve("[site.images]\non_failure = \"/a/pic.png\"").await.expect(200);
    assert_eq!(decode(&fallback.body).dimensions(), (100, 75), "{fallback}");
    let lone = studio(&origin, EVERY_STYLE).await;
    let elsewhere = get(&lone, "/cdn-cgi/image/width=100,onerror=redirect/broken.png").await.expect(302);
    assert_eq!(elsewhere.header("location"), "/broken.png", "{elsewhere}");
}

#[tokio::test]
async fn the_last_good_rendering_stands_in_for_one_that_cannot_be_made() {
    let origin = Origin::start().await;
    let source = |body: Vec<u8>| Reply::ok(body).cache_control("max-age=0");
    let picture = encode(&sample(200, 150), ImageFormat::Png);
    let target = "/cdn-cgi/image/width=100,format=png/changing.png";
    for (choice, after, gone) in [("last-good", 200, 410), ("error", 422, 422)] {
        let lone = studio(&origin, &format!("[site.images]\non_failure = \"{choice}\"")).await;
        origin.on("/changing.png", source(picture.clone()));
        let good = get(&lone, target).await.expect(200);
        crate::stored(&lone.node, &lone.node.url(target)).await;
        origin.on("/changing.png", source(fixture("broken/truncated.png")));
        let later = get(&lone, target).await.expect(after);
        let is_marked = later.header("cache-status").contains("detail=stale-if-error");
        assert_eq!((later.body == good.body, is_marked), (after == 200, after == 200), "{later}");
        let unseen = get(&lone, &target.replace("100", "90")).await.expect(422);
        assert!(unseen.text().contains("ERROR 9523"), "{unseen}\n  nothing stands in for it");
        origin.on("/changing.png", Reply::status(410));
        get(&lone, target).await.expect(gone);
    }
}

#[tokio::test]
async fn an_animation_goes_on_moving() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    origin.on("/squares.gif", Reply::ok(fixture("anim/rotating-squares.gif")).cache_control("max-age=600"));
    let moving = get(&lone, "/cdn-cgi/image/width=40,f=webp/squares.gif").await.expect(200);
    let frames = WebPDecoder::new(std::io::Cursor::new(&moving.body[..])).unwrap().into_frames();
    // frames that look the same at this size are one that is shown longer
    assert!(frames.collect_frames().unwrap().len() > 4, "{moving}");
    let still = get(&lone, "/cdn-cgi/image/width=40,f=webp,anim=false/squares.gif").await.expect(200);
    assert!(!WebPDecoder::new(std::io::Cursor::new(&still.body[..])).unwrap().has_animation());
}

#[tokio::test]
async fn a_drawing_becomes_a_picture() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    origin.on("/plain.svg", Reply::ok(fixture("vector/plain.svg")).cache_control("max-age=600"));
    let answer = get(&lone, "/cdn-cgi/image/width=400,fit=contain,f=png/plain.svg").await.expect(200);
    assert_eq!((answer.header("content-type").as_str(), decode(&answer.body).width()), ("image/png", 400));
}

#[tokio::test]
async fn a_drawing_is_passed_on_as_one_that_can_do_nothing() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    let hostile = fixture("bombs/svg-script-and-handlers.svg");
    origin.on("/hostile.svg", Reply::ok(hostile).cache_control("max-age=600"));
    let answer = get(&lone, "/cdn-cgi/image/format=svg/hostile.svg").await.expect(200);
    assert_eq!(answer.header("content-type"), "image/svg+xml", "{answer}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "style-src 'unsafe-inline'", "sandbox"] {
        assert!(policy.contains(part), "{answer}");
    }
    let text = answer.text();
    assert!(text.starts_with("<svg") && !text.contains("script") && !text.contains("onload"), "{answer}");
    origin
        .on("/photo.jpg", Reply::ok(encode(&sample(40, 30), ImageFormat::Jpeg)).cache_control("max-age=600"));
    let refused = get(&lone, "/cdn-cgi/image/format=svg/photo.jpg").await.expect(422);
    assert!(refused.text().contains("only svg can be answered as svg"), "{refused}");
}

#[tokio::test]
async fn sources_of_the_formats_of_the_day_become_what_every_client_shows() {
    let origin = Origin::start().await;
    let lone = studio(&origin, EVERY_STYLE).await;
    for (name, size) in [("photo-irot1.avif", (100, 150)), ("jxl-orientation6_rotate_90_cw.jxl", (100, 39))] {
        let body = fixture(&format!("modern/{name}"));
        origin.on(&format!("/{name}"), Reply::ok(body).cache_control("max-age=600"));
        let answer = get(&lone, &format!("/cdn-cgi/image/width=100,format=jpeg/{name}")).await.expect(200);
        let picture = decode(&answer.body);
        assert_eq!((picture.width(), picture.height()), size, "{answer}");
    }
}

#[tokio::test]
async fn a_popular_rendering_becomes_smaller_behind_the_answers() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "[site.images]\nquality = 75\ndeadline = \"60s\"").await;
    let photo = encode(&sample(1600, 1200), ImageFormat::Jpeg);
    origin.on("/photo.jpg", Reply::ok(photo).cache_control("max-age=600"));
    let url = lone.node.url("/cdn-cgi/image/width=640/photo.jpg");
    let client = lone.node.client();
    let accept = [("accept", "image/avif,image/webp,*/*")];
    let first = client.get_with(&url, &accept).await.expect(200);
    assert_eq!(first.header("content-type"), "image/webp", "{first}\n  does not wait for the slow encoder");
    let better = wait_until("the rendering is an AVIF", std::time::Duration::from_secs(100), async || {
        let answer = client.get_with(&url, &accept).await.expect(200);
        (answer.header("content-type") == "image/avif").then_some(answer)
    })
    .await;
    assert!(better.body.len() < first.body.len() && better.is_hit(), "{better}");
    assert_eq!(origin.count("/photo.jpg"), 1);
}
