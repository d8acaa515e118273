//! Images by URL: each rendering is decoded again with another decoder, and its size and content are checked.

use image::{DynamicImage, GenericImageView as _, ImageFormat, imageops::FilterType};
use overfall_test_support::{
    Answer, Client, DEADLINE, Origin, Reply, Settings, client::Protocol, wait_until,
};
use tokio::task::JoinSet;

use crate::{
    Lone, demo, lone,
    pictures::{assert_alike, decode, encode, fixture, sample},
};

const JPEG: &str = "image/jpeg";

async fn studio(origin: &Origin) -> Lone {
    lone(&Settings::new().origin("app", &origin.url())).await
}

fn stored(body: Vec<u8>, content_type: &str) -> Reply {
    Reply::ok(body).cache_control("max-age=600").with("content-type", content_type)
}

async fn render(client: &Client, lone: &Lone, options: &str, source: &str) -> (Answer, DynamicImage) {
    let url = lone.node.url(&format!("/cdn-cgi/image/{options}/{source}"));
    let answer = client.get(&url).await.expect(200);
    let picture = decode(&answer.body);
    (answer, picture)
}

fn resized(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    picture.resize_exact(width, height, FilterType::Lanczos3)
}

#[tokio::test]
async fn a_photo_of_the_demo_is_resized_and_shows_the_same() {
    let demo = demo().await;
    let client = demo.client("eu-west", Protocol::Any);
    let page = client.get(&demo.url("/")).await.expect(200).text();
    let start = page.find("/photos/").expect("the page shows photos") + 1;
    let photo = page[start..].split(['"', '\'', ' ', '?']).next().unwrap();
    let original = decode(&client.get(&demo.url(&format!("/{photo}"))).await.expect(200).body);
    let (width, height) = original.dimensions();
    let url = demo.url(&format!("/cdn-cgi/image/width=320,format=jpeg/{photo}"));
    let answer = client.get(&url).await.expect(200).expect_miss();
    assert_eq!(answer.header("content-type"), JPEG, "{answer}");
    let small = decode(&answer.body);
    let expected_height = (f64::from(height) * 320.0 / f64::from(width)).round();
    assert_eq!((small.width(), f64::from(small.height())), (320, expected_height), "{answer}");
    assert_alike(photo, &small, &resized(&original, small.width(), small.height()), 4.0);
    let again = client.hit(&url, &[]).await.expect(200);
    assert_eq!(again.body, answer.body, "{again}");
    let other = demo.client("ap-south", Protocol::Any).get(&url).await.expect(200);
    assert_eq!(other.body, answer.body, "every region makes the same bytes: {other}");
}

#[tokio::test]
async fn each_fit_gives_its_size_and_its_part_of_the_picture() {
    let origin = Origin::start().await;
    let picture = sample(600, 450);
    origin.on("/p.png", stored(encode(&picture, ImageFormat::Png), "image/png"));
    let lone = studio(&origin).await;
    let client = lone.node.client();
    for (options, width, height) in [
        ("width=300", 300, 225),
        ("w=300", 300, 225),
        ("height=90", 120, 90),
        ("width=200,height=200,fit=contain", 200, 150),
        ("width=200,height=200", 200, 150),
        ("width=1200,fit=contain", 1200, 900),
        ("width=1200", 600, 450),
        ("width=1200,height=100,fit=scale-down", 133, 100),
        ("width=100,dpr=2", 200, 150),
    ] {
        let (answer, seen) =
            render(&client, &lone, &format!("{options},reduce=fast,format=png"), "p.png").await;
        assert_eq!(seen.dimensions(), (width, height), "{answer}");
        assert_alike(options, &seen, &resized(&picture, width, height), 3.0);
    }

    let (answer, cover) =
        render(&client, &lone, "width=200,height=200,fit=cover,reduce=fast,format=png", "p.png").await;
    assert_eq!(cover.dimensions(), (200, 200), "{answer}");
    assert_alike("cover", &cover, &resized(&picture.crop_imm(75, 0, 450, 450), 200, 200), 3.0);

    let options = "width=200,height=200,fit=pad,background=ff0000,reduce=fast,format=png";
    let (answer, pad) = render(&client, &lone, options, "p.png").await;
    assert_eq!(pad.dimensions(), (200, 200), "{answer}");
    assert_alike("pad", &pad.crop_imm(0, 25, 200, 150), &resized(&picture, 200, 150), 3.0);
    for y in [2, 197] {
        assert_eq!(pad.to_rgb8().get_pixel(100, y).0, [255, 0, 0], "{answer}");
    }
}

#[tokio::test]
async fn quality_and_format_do_what_they_say() {
    let origin = Origin::start().await;
    let photo = fixture("orient/landscape_1.jpg");
    origin.on("/p.jpg", stored(photo.clone(), JPEG));
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let expected = resized(&decode(&photo), 300, 225);
    for (format, content_type, kind) in [
        ("jpeg", JPEG, ImageFormat::Jpeg),
        ("png", "image/png", ImageFormat::Png),
        ("webp", "image/webp", ImageFormat::WebP),
    ] {
        let (answer, seen) = render(&client, &lone, &format!("width=300,format={format}"), "p.jpg").await;
        assert_eq!(answer.header("content-type"), content_type, "{answer}");
        assert_eq!(image::guess_format(&answer.body).unwrap(), kind, "{answer}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
        assert_eq!(answer.header("vary"), "", "{answer}\n  the URL alone decides");
        assert_alike(format, &seen, &expected, 6.0);
    }
    for format in ["jpeg", "webp"] {
        let low = render(&client, &lone, &format!("width=300,quality=20,format={format}"), "p.jpg").await;
        let high = render(&client, &lone, &format!("width=300,quality=90,format={format}"), "p.jpg").await;
        assert!(low.0.body.len() * 2 < high.0.body.len(), "{} and {}", low.0, high.0);
        assert_alike("low quality", &low.1, &expected, 10.0);
    }
}

#[tokio::test]
async fn auto_asks_the_accept_field_and_says_so() {
    let origin = Origin::start().await;
    origin.on("/p.jpg", stored(fixture("orient/landscape_1.jpg"), JPEG));
    origin.on("/alpha.png", stored(fixture("png/palette-alpha.png"), "image/png"));
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let url = lone.node.url("/cdn-cgi/image/width=120,format=auto/p.jpg");
    let chrome = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
    for (accept, content_type) in [
        (chrome, "image/avif"),
        ("image/webp,*/*", "image/webp"),
        ("*/*", JPEG),
        ("image/webp;q=0, */*", JPEG),
        ("text/html", JPEG),
    ] {
        let answer = client.get_with(&url, &[("accept", accept)]).await.expect(200);
        assert_eq!(answer.header("content-type"), content_type, "{answer}");
        assert_eq!(answer.header("vary").to_ascii_lowercase(), "accept", "{answer}");
    }
    for accept in [chrome, "*/*"] {
        client.hit(&url, &[("accept", accept)]).await.expect(200);
    }
    assert_eq!(origin.count("/p.jpg"), 1, "one source for every rendering");
    let plain = client.get(&lone.node.url("/cdn-cgi/image/width=60,format=auto/alpha.png")).await.expect(200);
    assert_eq!(plain.header("content-type"), "image/png", "{plain}");
    assert!(decode(&plain.body).color().has_alpha(), "{plain}\n  keeps its transparency");
}

#[tokio::test]
async fn every_exif_orientation_comes_out_upright() {
    let origin = Origin::start().await;
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let upright = resized(&decode(&fixture("orient/landscape_1.jpg")), 300, 225);
    for orientation in 1..=8 {
        let name = format!("landscape_{orientation}.jpg");
        origin.on(&format!("/{name}"), stored(fixture(&format!("orient/{name}")), JPEG));
        let (answer, seen) = render(&client, &lone, "width=300,format=jpeg", &name).await;
        assert_eq!(seen.dimensions(), (300, 225), "{name}: {answer}");
        assert_alike(&name, &seen, &upright, 12.0);
        assert!(
            !answer.body.windows(4).any(|window| window == b"Exif"),
            "{name}: an upright picture needs no note"
        );
    }
}

#[tokio::test]
async fn a_rendering_is_cached_like_everything_else() {
    let origin = Origin::start().await;
    origin.on("/p.jpg", stored(fixture("orient/landscape_1.jpg"), JPEG).with("etag", "\"v1\""));
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let url = lone.node.url("/cdn-cgi/image/width=64,format=jpeg/p.jpg");
    let first = client.get(&url).await.expect(200).expect_miss();
    let hit = client.hit(&url, &[]).await.expect(200);
    assert!(hit.header("cache-control").contains("max-age=600"), "{hit}\n  lives as long as its source");
    let etag = first.header("etag");
    assert!(!etag.is_empty() && etag != "\"v1\"", "{first}\n  has a validator of its own");
    client.get_with(&url, &[("if-none-match", &etag)]).await.expect(304);
    let spelled = lone.node.url("/cdn-cgi/image/f=jpg,w=64/p.jpg");
    client.hit(&spelled, &[]).await.expect(200);
    let part = client.get_with(&url, &[("range", "bytes=0-1")]).await.expect(206);
    assert_eq!(part.body.as_ref(), b"\xff\xd8", "{part}");
    assert_eq!(origin.count("/p.jpg"), 1);
}

#[tokio::test]
async fn eight_widths_of_one_photo_fetch_and_decode_it_once() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/p.jpg", reply.cache_control("max-age=600").with("content-type", JPEG));
    let lone = studio(&origin).await;
    let mut widths = JoinSet::new();
    for step in 1..=8 {
        let (client, width) = (lone.node.client(), step * 40);
        let url = lone.node.url(&format!("/cdn-cgi/image/width={width},format=jpeg/p.jpg"));
        widths.spawn(async move { (width, client.get(&url).await) });
    }
    wait_until("seven wait for the source of the first", DEADLINE, async || {
        let status = lone.node.admin.get("/api/v1/status").await.expect(200).json();
        (status["nodes"][0]["collapsed"].as_u64() == Some(7)).then_some(())
    })
    .await;
    drip.push(encode(&sample(1200, 900), ImageFormat::Jpeg));
    drip.end();
    while let Some(answer) = widths.join_next().await {
        let (width, answer) = answer.unwrap();
        let answer = answer.expect(200);
        assert_eq!(decode(&answer.body).width(), width, "{answer}");
    }
    assert_eq!(origin.count("/p.jpg"), 1);
    let metrics = lone.node.admin.get("/metrics").await.expect(200).text();
    for (event, count) in [("image_source_decoded", "1"), ("image_source_shared", "7")] {
        let event = format!("\"{event}\"");
        let line = metrics.lines().find(|line| line.contains(&event)).unwrap_or_default();
        assert_eq!(line.split(' ').next_back(), Some(count), "{metrics}");
    }
}
