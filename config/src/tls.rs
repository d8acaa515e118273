//! `[tls]`: where certificates come from.

use std::path::Path;

use crate::{
    bounds, keys,
    model::{CertificateFiles, Tls},
    raw::{Table, Value},
    report::Mistake,
};

/// The operator's files, or our own authority in `state` if the file says nothing.
pub(crate) fn tls(root: &Table<'_>, state: &Path) -> Tls {
    let table = root.table("tls", &keys::TLS);
    let internal = table.value("internal");
    if table.value("certificates").is_some() {
        if let Some(internal) = internal {
            let mistake =
                Mistake::new(internal.span(), "\"internal\" and \"certificates\" exclude each other");
            table.reader.push(mistake.help("keep one of them"));
        }
        return Tls::Certificates(table.list(&bounds::CERTIFICATES).into_iter().filter_map(files).collect());
    }
    let path = internal.and_then(Value::path);
    Tls::Internal { path: path.unwrap_or_else(|| state.join("ca")) }
}

fn files(value: Value<'_>) -> Option<CertificateFiles> {
    let table = value.table(&keys::CERTIFICATE)?;
    let certificate = table.required("certificate").and_then(Value::path);
    let key = table.required("key").and_then(Value::path);
    Some(CertificateFiles { certificate: certificate?, key: key? })
}
