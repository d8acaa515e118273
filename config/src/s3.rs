//! Bucket, place and credentials: what an S3 tier and an S3 origin have in common.

use crate::{model::S3Target, names, raw::Table, report::quoted, secret::Secret, units::Refusal};

/// Reads `endpoint`, `region`, `access_key` and `secret_key` beside a bucket that is already known.
pub(crate) fn target(table: &Table<'_>, bucket: String, prefix: String) -> S3Target {
    let nothing = || Secret::new(String::new());
    let region = table.parse("region", names::visible).map(|spot| spot.value);
    S3Target {
        bucket,
        prefix,
        endpoint: table.parse("endpoint", endpoint).map(|spot| spot.value),
        region: region.unwrap_or_else(|| REGION.to_owned()),
        access_key: table.required("access_key").and_then(|value| value.secret()).unwrap_or_else(nothing),
        secret_key: table.required("secret_key").and_then(|value| value.secret()).unwrap_or_else(nothing),
    }
}

fn endpoint(text: &str) -> Result<String, Refusal> {
    if !names::http_url(text)?.path.is_empty() {
        return Err(Refusal::new(format!("{} is not an endpoint: it has a path", quoted(text)))
            .help("write scheme, host and port alone; the bucket is a key of its own"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Where a target is signed for when the file names no region; servers other than AWS accept it by default.
const REGION: &str = "us-east-1";
