//! What the demo serves: a page on somebody else's site, the widget it embeds, photos.
//!
//! Everything is in the binary, so that the demo is the same everywhere and needs nothing.

/// One object of the demo.
pub(super) struct Object {
    /// Path without the leading slash.
    pub(super) path: &'static str,
    /// Body.
    pub(super) body: &'static [u8],
    /// `Content-Type`.
    pub(super) content_type: &'static str,
    /// Surrogate keys.
    pub(super) tags: &'static str,
    /// `Cache-Control`.
    pub(super) cache_control: &'static str,
}

macro_rules! photo {
    ($name:literal) => {
        Object {
            path: concat!("photos/", $name),
            body: include_bytes!(concat!("../../assets/demo/photos/", $name)),
            content_type: "image/jpeg",
            tags: "photos",
            cache_control: "max-age=3600, stale-while-revalidate=60, stale-if-error=86400",
        }
    };
}

/// Everything that the demo's origins hold.
pub(super) const OBJECTS: &[Object] = &[
    Object {
        path: "index.html",
        body: include_bytes!("../../assets/demo/index.html"),
        content_type: "text/html; charset=utf-8",
        tags: "page",
        cache_control: "max-age=60, stale-while-revalidate=60, stale-if-error=86400",
    },
    Object {
        path: "w/loader.js",
        body: include_bytes!("../../assets/demo/loader.js"),
        content_type: "text/javascript; charset=utf-8",
        tags: "loader",
        cache_control: "max-age=300, stale-while-revalidate=60, stale-if-error=86400",
    },
    photo!("harbour.jpg"),
    photo!("quay.jpg"),
    photo!("cranes.jpg"),
    photo!("skyline.jpg"),
    photo!("lake.jpg"),
    photo!("leaf.jpg"),
    photo!("chain.jpg"),
    photo!("desk.jpg"),
];
