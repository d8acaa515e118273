//! What each verb does. Results go to standard output, complaints to standard error.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use http::Method;
use overfall_config::{LoadError, Site};
use serde_json::{Value, json};

use super::{
    AdminArgs, AdminTarget, DnsVerb, EXIT_CONFIG, ExplainArgs, PurgeArgs, Verb, client::query, image,
};
use crate::{demo, server, studio::ImageSite, telemetry};

/// Runs one verb.
pub(super) fn dispatch(verb: Verb) -> ExitCode {
    match verb {
        Verb::Version => say(&format!("overfall {}", env!("CARGO_PKG_VERSION"))),
        Verb::Validate { file } => validate(&file),
        Verb::Run(args) => {
            telemetry::init_diagnostics();
            match overfall_config::load(&args.config) {
                Ok(config) => finish(server::run(config, args.config)),
                Err(error) => refuse_config(&error),
            }
        }
        Verb::Demo(args) => finish(demo::run(&args)),
        Verb::Purge(args) => remote(purge(&args)),
        Verb::Explain(args) => remote(explain(&args)),
        Verb::Status { admin } => remote(call_each(&admin, Method::GET, "/api/v1/status", None)),
        Verb::Reload { admin } => remote(call_each(&admin, Method::POST, "/api/v1/reload", None)),
        Verb::Origin { action, name, admin } => {
            remote(switch(&admin, format!("/api/v1/origins/{name}/{action}")))
        }
        Verb::Node { action, name, admin } => {
            remote(switch(&admin, format!("/api/v1/nodes/{name}/{action}")))
        }
        Verb::ImageWorker => match overfall_imaging::worker::serve() {
            Ok(()) => ExitCode::SUCCESS,
            // it has told whoever started it
            Err(_) => ExitCode::FAILURE,
        },
        Verb::Image { verb } => finish(image::run(verb)),
        Verb::Dns { verb: DnsVerb::Explain { from, admin } } => remote(dns_explain(&admin, from)),
    }
}

fn validate(file: &Path) -> ExitCode {
    match overfall_config::load(file) {
        Ok(config) => {
            let images =
                |site: &Site| Some((site.name.clone(), ImageSite::new(site.images.as_ref()?).err()?));
            let problems: Vec<_> = config.sites.iter().filter_map(|site| images(site)).collect();
            for (site, problem) in &problems {
                complain(&format!("{}: site {site:?}: images: {problem}", file.display()));
            }
            if problems.is_empty() {
                say(&format!("{} is valid", file.display()))
            } else {
                ExitCode::from(EXIT_CONFIG)
            }
        }
        Err(error) => refuse_config(&error),
    }
}

fn refuse_config(error: &LoadError) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(EXIT_CONFIG)
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("overfall: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a call of the admin API on a small runtime of its own.
fn remote(call: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    finish(runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(call)))
}

async fn call_each(args: &AdminArgs, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<()> {
    for target in AdminTarget::resolve(args)? {
        let answer = target.call(method.clone(), path, body.as_ref()).await?;
        print(&format!("{answer:#}"))?;
    }
    Ok(())
}

async fn switch(args: &AdminArgs, path: String) -> anyhow::Result<()> {
    call_each(args, Method::POST, &path, None).await
}

async fn purge(args: &PurgeArgs) -> anyhow::Result<()> {
    let call = json!({
        "site": args.site,
        "urls": args.urls,
        "tags": args.tag,
        "prefixes": args.prefix,
        "hosts": args.host,
        "all": args.all,
        "mode": if args.soft { "soft" } else { "hard" },
        "wait": !args.no_wait,
    });
    for target in AdminTarget::resolve(&args.admin)? {
        let answer = target.call(Method::POST, "/api/v1/purge", Some(&call)).await?;
        print(&describe_purge(&answer, target.url()))?;
        if answer.get("complete") == Some(&Value::Bool(false)) {
            anyhow::bail!("not every node has reported the purge");
        }
    }
    Ok(())
}

fn describe_purge(answer: &Value, url: &str) -> String {
    let text =
        |value: Option<&Value>| value.map_or_else(|| "?".to_owned(), |v| v.to_string().replace('"', ""));
    let receipts = answer.get("receipts").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines =
        vec![format!("purge {} accepted by {url} ({})", text(answer.get("seq")), text(answer.get("mode")))];
    for receipt in &receipts {
        let state = match receipt.get("applied") {
            Some(Value::Bool(true)) => format!("applied after {} ms", text(receipt.get("after_ms"))),
            _ => format!("NOT applied, still at {}", text(receipt.get("seq"))),
        };
        lines.push(format!("  {} {state}", text(receipt.get("node"))));
    }
    lines.join("\n")
}

async fn explain(args: &ExplainArgs) -> anyhow::Result<()> {
    let from = args.from.map(|address| address.to_string());
    let pairs = query(&[
        ("url", Some(&args.url)),
        ("accept", args.accept.as_deref()),
        ("accept_encoding", args.accept_encoding.as_deref()),
        ("accept_language", args.accept_language.as_deref()),
        ("user_agent", args.user_agent.as_deref()),
        ("from", from.as_deref()),
    ]);
    for target in AdminTarget::resolve(&args.admin)? {
        let answer = target.call(Method::GET, &format!("/api/v1/explain?{pairs}"), None).await?;
        print(&if args.json { format!("{answer:#}") } else { describe_explanation(&answer) })?;
    }
    Ok(())
}

/// Its name, and in brackets what keeps it from being asked as a matter of course.
fn describe_origin(origin: &Value) -> String {
    let word = |name: &str| origin.get(name).and_then(Value::as_str).unwrap_or_default();
    let usual = ["ordinary", "ok"];
    let remarks: Vec<_> =
        ["role", "state"].into_iter().map(word).filter(|word| !usual.contains(word)).collect();
    if remarks.is_empty() {
        return word("origin").to_owned();
    }
    format!("{} ({})", word("origin"), remarks.join(", "))
}

/// The explanation as a path that reads from top to bottom.
fn describe_explanation(answer: &Value) -> String {
    let text = |value: &Value, name: &str| match value.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let list = |value: &Value, name: &str| -> Vec<Value> {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut lines = vec![format!("{}\n  site {}", text(answer, "url"), text(answer, "site"))];
    for node in list(answer, "nodes") {
        lines.push(format!(
            "{} in {} ({})",
            text(&node, "node"),
            text(&node, "region"),
            text(&node, "state")
        ));
        for (name, label) in [("classes", "classes "), ("redirect", "redirect ")] {
            if node.get(name).is_some_and(|value| !value.is_null()) {
                lines.push(format!("  {label}{}", text(&node, name)));
            }
        }
        lines.push(format!("  key     {}", text(&node, "key")));
        lines.push(format!("  slot    {}", text(&node, "hash")));
        for tier in list(&node, "tiers") {
            let mut line = format!("  {:<7} {}", text(&tier, "tier"), text(&tier, "state"));
            if tier.get("status").is_some_and(|status| !status.is_null()) {
                line.push_str(&format!(
                    ", {} with {} bytes, age {} s, ttl {} s, purge seq {}",
                    text(&tier, "status"),
                    text(&tier, "bytes"),
                    text(&tier, "age_s"),
                    text(&tier, "ttl_s"),
                    text(&tier, "seq"),
                ));
            }
            for (name, label) in [("tags", "tags"), ("sources", "made from")] {
                let values = list(&tier, name);
                if !values.is_empty() {
                    let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
                    line.push_str(&format!(", {label} {}", values.join(" ")));
                }
            }
            lines.push(line);
        }
        let origins: Vec<_> = list(&node, "origin_states").iter().map(describe_origin).collect();
        lines.push(format!("  origins {}", origins.join(" → ")));
        lines.push(format!("  purges  {}", text(&node, "purge_log")));
        lines.push(format!("  so      {}", text(&node, "verdict")));
    }
    lines.join("\n")
}

async fn dns_explain(args: &AdminArgs, from: std::net::IpAddr) -> anyhow::Result<()> {
    for target in AdminTarget::resolve(args)? {
        let path = format!("/api/v1/dns/explain?{}", query(&[("from", Some(&from.to_string()))]));
        let answer = target.call(Method::GET, &path, None).await?;
        let text =
            answer.get("text").and_then(Value::as_str).map_or_else(|| format!("{answer:#}"), str::to_owned);
        print(&text)?;
    }
    Ok(())
}

fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", text.trim_end())
}

fn say(text: &str) -> ExitCode {
    if print(text).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The last resort for complaints: there is nowhere to report that this failed.
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{}", text.trim_end()));
}
