//! `GET /api/v1/explain` and `GET /api/v1/dns/explain`: why an answer is what it is.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};
use overfall_cache::engine::Explanation;
use overfall_config::Scope;
use serde::{Deserialize, Serialize};

use super::{auth::Caller, problem::Problem};
use crate::{fleet::Fleet, key, node::Node, studio::ImageWork};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    url: String,
    accept: Option<String>,
    accept_encoding: Option<String>,
    accept_language: Option<String>,
    user_agent: Option<String>,
    from: Option<IpAddr>,
}

#[derive(Serialize)]
pub(super) struct Explained {
    url: String,
    site: String,
    host: String,
    target: String,
    nodes: Vec<NodeExplained>,
}

#[derive(Serialize)]
struct NodeExplained {
    node: String,
    region: String,
    state: &'static str,
    /// Classes of the request, as they stand in the key; none: the site has no classes.
    classes: Option<String>,
    /// Where a dictionary sends the request.
    redirect: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
}

/// Explains a URL on every node of this process.
pub(super) async fn explain(
    State(fleet): State<Arc<Fleet>>,
    caller: Caller,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explained>, Problem> {
    caller.require(Scope::Read)?;
    let (host, target) = key::split_url(&query.url).map_err(|refusal| Problem::bad(refusal.message))?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("accept", &query.accept),
        ("accept-encoding", &query.accept_encoding),
        ("accept-language", &query.accept_language),
        ("user-agent", &query.user_agent),
    ] {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value)
                .map_err(|_| Problem::bad(format!("{name} is not a field value")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut site = None;
    let mut nodes = Vec::new();
    for node in &fleet.nodes {
        let (name, explained) = explain_on(node, &host, &target, &headers, query.from).await?;
        site.get_or_insert(name);
        nodes.push(explained);
    }
    let site = site.ok_or_else(|| Problem::absent("this process runs no edge node"))?;
    Ok(Json(Explained { url: query.url, site, host, target, nodes }))
}

async fn explain_on(
    node: &Node,
    host: &str,
    target: &str,
    headers: &HeaderMap,
    from: Option<IpAddr>,
) -> Result<(String, NodeExplained), Problem> {
    let routes = node.routes();
    let route = routes.find(host).cloned().ok_or_else(|| {
        let known: Vec<_> = routes.sites().iter().flat_map(|route| route.site.hosts.clone()).collect();
        Problem::absent(format!("no site has the host {host:?}; hosts: {}", known.join(", ")))
    })?;
    drop(routes);
    let mut plain = key::request(&route, Method::GET, host, target, headers.clone(), 0);
    let tailored = route.tailoring.as_ref();
    let tailored = tailored.map(|tailoring| (tailoring, tailoring.ask(headers, host, target, from, 0)));
    let image = node.studio().read(&route, target, &plain);
    let image = image.map_err(|refusal| Problem::bad(refusal.message))?;
    let is_image = image.is_some();
    let request = match image {
        Some(ImageWork::Serve(image)) => image.request,
        Some(ImageWork::Redirect(_)) => return Err(Problem::bad("this URL sends its client elsewhere")),
        None => {
            if let Some((tailoring, asked)) = &tailored {
                tailoring.prepare(&mut plain, asked);
            }
            plain
        }
    };
    let classes = if is_image { None } else { tailored.as_ref() };
    let classes = classes.map(|(_, asked)| asked.classes().variant()).unwrap_or_default();
    let location = tailored.as_ref().and_then(|(tailoring, asked)| tailoring.redirect(asked));
    let location = location.and_then(|(head, _)| head.headers.get(header::LOCATION).cloned());
    let explained = NodeExplained {
        node: node.name().to_owned(),
        region: node.region().to_owned(),
        state: node.state(),
        classes: Some(classes).filter(|classes| !classes.is_empty()),
        redirect: location.and_then(|location| location.to_str().ok().map(str::to_owned)),
        explanation: node.engine().explain(&request).await,
    };
    Ok((route.site.name.clone(), explained))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsQuery {
    from: IpAddr,
}

/// Explains which region a client address is sent to.
pub(super) async fn dns(
    State(fleet): State<Arc<Fleet>>,
    caller: Caller,
    Query(query): Query<DnsQuery>,
) -> Result<Json<serde_json::Value>, Problem> {
    caller.require(Scope::Read)?;
    let view = fleet.dns.as_ref().ok_or_else(|| Problem::absent("this process answers no DNS"))?;
    Ok(Json((view.explain)(query.from)))
}
