//! `[admin]`: the operator's listener and who may use it.

use crate::{
    bounds, keys,
    model::{Admin, AdminToken, Scope},
    names,
    raw::{Spot, Table, Value},
    report::Mistake,
    validate::{ListenerMark, Marks, Use},
};

/// The admin role, if the file gives it.
pub(crate) fn admin(root: &Table<'_>, marks: &mut Marks) -> Admin {
    let Some(table) = root.table_if("admin", &keys::ADMIN) else { return Admin::default() };
    marks.listens = true;
    let listen = table.required("listen").and_then(|value| value.parse(names::socket));
    if let Some(at) = listen.clone() {
        marks.listeners.push(ListenerMark { at, purpose: Use::Admin });
    }
    let tokens =
        table.list(&bounds::ADMIN_TOKENS).into_iter().filter_map(|value| token(value, marks)).collect();
    marks.admin_tokens = table
        .value("tokens")
        .is_some_and(|value| value.node.get_ref().as_array().is_some_and(|tokens| !tokens.is_empty()));
    Admin { listen: listen.map(|spot| spot.value), tokens }
}

fn token(value: Value<'_>, marks: &mut Marks) -> Option<AdminToken> {
    let table = value.table(&keys::TOKEN)?;
    let name = table.required("name").and_then(|value| value.parse(names::identifier));
    let secret = table.required("token").and_then(|value| Some((value.span(), value.secret()?)));
    if let Some((span, secret)) = &secret
        && secret.reveal().len() < TOKEN_BYTES_MIN
    {
        let mistake =
            Mistake::new(span.clone(), format!("a token must have at least {TOKEN_BYTES_MIN} characters"));
        table.reader.push(mistake.help("make one with \"openssl rand -hex 32\""));
    }
    marks.token_names.extend(name.clone());
    let scopes = table.required("scopes").map(|_| scopes(&table));
    let name = name.map(|spot: Spot<String>| spot.value)?;
    Some(AdminToken { name, token: secret?.1, scopes: scopes? })
}

fn scopes(table: &Table<'_>) -> Vec<Scope> {
    let words = [("read", Scope::Read), ("purge", Scope::Purge), ("operate", Scope::Operate)];
    table.list(&bounds::TOKEN_SCOPES).into_iter().filter_map(|value| value.word(&words)).collect()
}

/// Shorter ones can be tried out.
const TOKEN_BYTES_MIN: usize = 8;
