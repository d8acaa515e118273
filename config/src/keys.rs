//! Every key that the reader accepts, as data.
//!
//! The reader checks a table against its entry, messages list the entry, and a test compares it with the reference
//! page. Keys of the design that this version cannot honour stand beside them: they are refused by name, since a
//! setting that is silently ignored is worse than an error.

/// The keys of one kind of table.
#[derive(Debug)]
pub(crate) struct Keys {
    /// As it appears in messages and as a heading of the reference page.
    pub(crate) title: &'static str,
    pub(crate) accepted: &'static [&'static str],
    /// Keys of the design that this version cannot honour, with what to do instead.
    pub(crate) refused: &'static [(&'static str, &'static str)],
    /// Keys that people look for here, with where they are.
    pub(crate) elsewhere: &'static [(&'static str, &'static str)],
}

const fn keys(title: &'static str, accepted: &'static [&'static str]) -> Keys {
    Keys { title, accepted, refused: &[], elsewhere: &[] }
}

pub(crate) static ROOT: Keys = Keys {
    title: "the file",
    accepted: &[
        "node",
        "regions",
        "cluster",
        "listen",
        "cache",
        "tls",
        "dns",
        "admin",
        "geo",
        "dictionaries",
        "origins",
        "site",
        "limits",
    ],
    refused: &[("test", "remove the table; try a running node with \"overfall explain URL\"")],
    elsewhere: &[],
};
pub(crate) static NODE: Keys = keys("[node]", &["name", "region", "state"]);
pub(crate) static REGION: Keys = Keys {
    title: "[regions.NAME]",
    accepted: &["location", "addresses", "probe", "weight"],
    refused: &[("join", "nodes of a region do not share their caches yet; remove the key")],
    elsewhere: &[],
};
pub(crate) static CLUSTER: Keys = Keys {
    title: "[cluster]",
    accepted: &["bus"],
    refused: &[("secret", "the embedded bus does not leave the process; remove the key")],
    elsewhere: &[],
};
pub(crate) static LISTEN: Keys = Keys {
    title: "[listen]",
    accepted: &["http", "https", "dns"],
    refused: &[],
    elsewhere: &[("admin", "set \"listen\" in [admin]")],
};
pub(crate) static CACHE: Keys = keys("[cache]", &["memory", "disk", "s3", "folder", "object_max"]);
pub(crate) static DISK: Keys = keys("[cache] disk", &["path", "size"]);
pub(crate) static CACHE_S3: Keys =
    keys("[cache] s3", &["bucket", "prefix", "endpoint", "region", "access_key", "secret_key"]);
pub(crate) static TLS: Keys = Keys {
    title: "[tls]",
    accepted: &["internal", "certificates"],
    refused: &[("acme", "use \"certificates\" with files that an ACME client renews, or \"internal\"")],
    elsewhere: &[],
};
pub(crate) static CERTIFICATE: Keys = keys("[tls] certificates", &["certificate", "key"]);
pub(crate) static DNS: Keys =
    keys("[dns]", &["zone", "services", "name_servers", "policy", "ttl", "health", "locations"]);
pub(crate) static HEALTH: Keys = Keys {
    title: "[dns] health",
    accepted: &["every", "timeout", "fail", "pass"],
    refused: &[("quorum", "each node judges by its own probes; remove the key")],
    elsewhere: &[],
};
pub(crate) static DNS_LOCATION: Keys = keys("[dns] locations", &["network", "location"]);
pub(crate) static ADMIN: Keys = keys("[admin]", &["listen", "tokens"]);
pub(crate) static TOKEN: Keys = keys("[admin] tokens", &["name", "token", "scopes"]);
pub(crate) static ORIGIN: Keys = Keys {
    title: "[origins.NAME]",
    accepted: &[
        "url",
        "connect_timeout",
        "head_timeout",
        "read_timeout",
        "host",
        "ca",
        "serve",
        "breaker",
        "health",
        "endpoint",
        "region",
        "access_key",
        "secret_key",
    ],
    refused: &[],
    elsewhere: &[],
};
pub(crate) static BREAKER: Keys = keys("[origins.NAME] breaker", &["failures", "open"]);
pub(crate) static ORIGIN_HEALTH: Keys =
    keys("[origins.NAME] health", &["path", "every", "timeout", "fail", "pass"]);
pub(crate) static SITE: Keys = Keys {
    title: "[[site]]",
    accepted: &[
        "name",
        "hosts",
        "origins",
        "ttl",
        "stale_while_revalidate",
        "stale_if_error",
        "query",
        "compress",
        "images",
        "on_failure",
        "request_cache_control",
        "set_cookie",
        "vary",
        "request_headers",
        "response_headers",
        "redirect",
        "shadow",
    ],
    refused: &[("key", "use \"query\" to choose the parameters that select a response")],
    elsewhere: &[],
};
pub(crate) static QUERY: Keys = keys("[[site]] query", &["ignore", "allow"]);
pub(crate) static COMPRESS: Keys = keys("[[site]] compress", &["codings", "level"]);
pub(crate) static IMAGES: Keys = keys(
    "[[site]] images",
    &[
        "dialects",
        "quality",
        "likeness",
        "formats",
        "reduce",
        "sharpen",
        "widths",
        "other_widths",
        "presets",
        "watermarks",
        "sign",
        "imgproxy",
        "imgix_token",
        "iiif_prefix",
        "sources",
        "source_max",
        "pixels_max",
        "frames_max",
        "animation_pixels_max",
        "side_max",
        "deadline",
        "on_failure",
    ],
);
pub(crate) static IMAGE_SIGN: Keys = keys("[[site]] images.sign", &["keys", "required"]);
pub(crate) static IMGPROXY: Keys =
    keys("[[site]] images.imgproxy", &["prefix", "keys", "signature_size", "unsigned"]);
pub(crate) static IMGPROXY_KEY: Keys = keys("[[site]] images.imgproxy keys", &["key", "salt"]);
pub(crate) static ON_FAILURE: Keys = keys("[[site]] on_failure", &["status", "content_type", "body"]);
pub(crate) static VARY: Keys = keys("[[site]] vary", &["device", "language", "country"]);
pub(crate) static REQUEST_HEADER: Keys =
    keys("[[site]] request_headers", &["name", "set", "append", "remove", "default"]);
pub(crate) static RESPONSE_HEADER: Keys =
    keys("[[site]] response_headers", &["name", "set", "append", "remove", "default"]);
pub(crate) static REDIRECT: Keys = keys("[[site]] redirect", &["dictionary", "key", "status"]);
pub(crate) static GEO: Keys = keys("[geo]", &["database"]);
pub(crate) static DICTIONARY: Keys = keys("[dictionaries.NAME]", &["file"]);
pub(crate) static SHADOW: Keys = keys("[[site]] shadow", &["to", "sample"]);
pub(crate) static LIMITS: Keys = keys(
    "[limits]",
    &[
        "connections_max",
        "request_body_max",
        "fetches_max",
        "image_threads",
        "image_queue_megapixels",
        "image_workers",
        "drain",
        "head_deadline",
        "idle",
        "stall",
    ],
);
/// A credential that is not written down in the file.
pub(crate) static SECRET: Keys = keys("a credential", &["env", "file"]);

/// All of them, for the test that compares them with the reference page.
#[cfg(test)]
pub(crate) static ALL: &[&Keys] = &[
    &ROOT,
    &NODE,
    &REGION,
    &CLUSTER,
    &LISTEN,
    &CACHE,
    &DISK,
    &CACHE_S3,
    &TLS,
    &CERTIFICATE,
    &DNS,
    &HEALTH,
    &DNS_LOCATION,
    &ADMIN,
    &TOKEN,
    &ORIGIN,
    &BREAKER,
    &ORIGIN_HEALTH,
    &SITE,
    &QUERY,
    &COMPRESS,
    &IMAGES,
    &IMAGE_SIGN,
    &IMGPROXY,
    &IMGPROXY_KEY,
    &ON_FAILURE,
    &VARY,
    &REQUEST_HEADER,
    &RESPONSE_HEADER,
    &REDIRECT,
    &GEO,
    &DICTIONARY,
    &SHADOW,
    &LIMITS,
    &SECRET,
];
