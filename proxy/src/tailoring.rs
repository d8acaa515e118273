//! What a site does differently by request: classes in the key, fields for origins and clients, redirects.
//!
//! A site without any of it has no [`Tailoring`], and its requests cost nothing here. What is stored depends on the
//! classes and the URL alone; everything else is done to each answer on its way out, and never stored.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use overfall_cache::{body::Body, engine::Request, stored::ResponseHead, target};
use overfall_config::{Config, FieldAction, FieldRule, QueryRule, Redirect, Site, Template};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::time::{MissedTickBehavior, interval};

use crate::{blocking::beside, node::Node, response, route::IMAGE_PREFIX};

pub mod country;
pub mod device;
pub mod dictionary;
pub mod fields;
pub mod language;
pub mod template;
#[cfg(test)]
mod tests;

use country::{Countries, Database, GeoError};
use device::Device;
use dictionary::{Dictionary, DictionaryError, Refreshed};
use fields::{Edit, Fields};
use template::{Dictionaries, Facts};

/// Fields that tell an origin the classes of a request. A client's own are dropped: no key holds them.
const COUNTRY: HeaderName = HeaderName::from_static("x-country");
const DEVICE: HeaderName = HeaderName::from_static("x-device-class");
const LANGUAGE: HeaderName = HeaderName::from_static("x-language");
/// How often dictionaries are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What a URL cannot hold as it is; line breaks are among it.
const NOT_IN_A_URL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');

/// Why what sites tailor with could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TailoringError {
    /// The data base of countries.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// A dictionary.
    #[error(transparent)]
    Dictionary(#[from] DictionaryError),
    /// The thread that read the files ended early.
    #[error("dictionaries were not read to their end")]
    Interrupted,
}

/// Files that sites share.
#[derive(Default)]
pub struct Library {
    countries: Option<Arc<Database>>,
    dictionaries: Dictionaries,
}

impl Library {
    /// Reads every file that the configuration names, away from the threads that serve.
    ///
    /// # Errors
    /// [`TailoringError`] for the first file that is missing or wrong.
    pub async fn load(config: &Config) -> Result<Self, TailoringError> {
        if config.geo.is_none() && config.dictionaries.is_empty() {
            return Ok(Self::default());
        }
        let (geo, files) = (config.geo.clone(), config.dictionaries.clone());
        let reading = beside(move || {
            let countries = geo.map(|geo| Database::open(&geo.database)).transpose()?.map(Arc::new);
            let mut dictionaries = Dictionaries::new();
            for (name, settings) in files {
                dictionaries.insert(name, Arc::new(Dictionary::open(&settings)?));
            }
            Ok(Self { countries, dictionaries })
        });
        reading.await.ok_or(TailoringError::Interrupted)?
    }

    /// Dictionaries by name.
    #[must_use]
    pub const fn dictionaries(&self) -> &Dictionaries {
        &self.dictionaries
    }
}

/// The classes of one request; each is one of a closed list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes {
    /// What kind of device asks.
    pub device: Option<Device>,
    /// A tag of the site.
    pub language: Option<Arc<str>>,
    /// A class of countries.
    pub country: Option<Arc<str>>,
}

impl Classes {
    /// The variant in the key, empty without classes: `class;country=dach;device=mobile;language=de`.
    #[must_use]
    pub fn variant(&self) -> String {
        let device = self.device.map(Device::as_str);
        let named = [
            ("country", self.country.as_deref()),
            ("device", device),
            ("language", self.language.as_deref()),
        ];
        let mut variant = String::new();
        for (name, class) in named.into_iter().filter_map(|(name, class)| Some((name, class?))) {
            let start = if variant.is_empty() { "class" } else { "" };
            variant.push_str(&format!("{start};{name}={class}"));
        }
        variant
    }
}

/// A request as tailoring sees it, kept from its head to its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    classes: Classes,
    host: String,
    path: String,
    client: Option<IpAddr>,
    request_id: u128,
    is_image: bool,
}

impl Asked {
    /// Its classes.
    #[must_use]
    pub const fn classes(&self) -> &Classes {
        &self.classes
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            host: &self.host,
            path: &self.path,
            classes: &self.classes,
            client: self.client,
            request_id: self.request_id,
        }
    }
}

/// A rule whose field name is ready to use.
struct Rule {
    name: HeaderName,
    action: FieldAction,
}

/// What one site does differently by request.
pub struct Tailoring {
    has_devices: bool,
    languages: Vec<Arc<str>>,
    countries: Option<Countries>,
    request: Vec<Rule>,
    response: Vec<Rule>,
    redirects: Vec<(Template, StatusCode)>,
    dictionaries: Dictionaries,
}

impl Tailoring {
    /// What a site needs; `None` if it treats every request alike.
    #[must_use]
    pub fn new(site: &Site, library: &Library) -> Option<Self> {
        let settings = &site.tailoring;
        if settings.is_empty() {
            return None;
        }
        let classes = &settings.classes;
        let countries = library.countries.as_ref().filter(|_| !classes.countries.is_empty());
        let used = settings
            .templates()
            .flat_map(Template::lookups)
            .filter_map(|(name, _)| Some((name.to_owned(), Arc::clone(library.dictionaries.get(name)?))));
        let redirect = |Redirect { location, status }: &Redirect| {
            Some((location.clone(), StatusCode::from_u16(*status).ok()?))
        };
        Some(Self {
            has_devices: classes.device,
            languages: classes.languages.iter().map(|tag| tag.as_str().into()).collect(),
            countries: countries.map(|database| Countries::new(Arc::clone(database), &classes.countries)),
            request: rules(&settings.request_headers),
            response: rules(&settings.response_headers),
            redirects: settings.redirects.iter().filter_map(redirect).collect(),
            dictionaries: used.collect::<HashMap<_, _>>(),
        })
    }

    /// Finds the classes of a request. `client` is the connection's peer, `target` is as admitted.
    #[must_use]
    pub fn ask(
        &self,
        headers: &HeaderMap,
        host: &str,
        target: &str,
        client: Option<IpAddr>,
        request_id: u128,
    ) -> Asked {
        let client = client.map(|address| address.to_canonical());
        let language = || self.languages.get(language::lookup(headers, &self.languages)).cloned();
        Asked {
            classes: Classes {
                device: self.has_devices.then(|| device::classify(headers)),
                language: language(),
                country: self.countries.as_ref().map(|countries| countries.classify(client)),
            },
            host: host.to_owned(),
            path: target::normalise(target, &QueryRule::None),
            client,
            request_id,
            is_image: target.starts_with(IMAGE_PREFIX),
        }
    }

    /// The redirect that a dictionary has for a request.
    #[must_use]
    pub fn redirect(&self, asked: &Asked) -> Option<(ResponseHead, Body)> {
        self.redirects.iter().find_map(|(location, status)| {
            let location = template::fill(location, &asked.facts(), &self.dictionaries)?;
            // an entry that leads to itself would be followed for ever
            if location.is_empty() || location == asked.path {
                return None;
            }
            let location = utf8_percent_encode(&location, NOT_IN_A_URL).to_string();
            let (mut head, body) = response::plain(status.as_u16(), &location);
            head.headers.insert(header::LOCATION, HeaderValue::from_str(&location).ok()?);
            Some((head, body))
        })
    }

    /// Puts the classes into the key of a request for a plain response, and the fields for its origins into its head.
    pub fn prepare(&self, request: &mut Request, asked: &Asked) {
        request.key.variant = asked.classes.variant();
        self.for_origin(&mut request.headers, asked);
    }

    /// The same fields for the source of a rendering. It is the same for everybody: it has no classes.
    pub fn prepare_source(&self, request: &mut Request) {
        let asked = Asked {
            classes: Classes::default(),
            host: request.host.clone(),
            path: target::normalise(&request.path_and_query, &QueryRule::None),
            client: None,
            request_id: request.request_id,
            is_image: true,
        };
        self.for_origin(&mut request.headers, &asked);
    }

    /// Writes what origins are sent into a head.
    pub fn for_origin(&self, head: &mut impl Fields, asked: &Asked) {
        for name in [COUNTRY, DEVICE, LANGUAGE] {
            head.clear(&name);
        }
        let classes = &asked.classes;
        let device = classes.device.map(Device::as_str);
        for (name, class) in
            [(COUNTRY, classes.country.as_deref()), (DEVICE, device), (LANGUAGE, classes.language.as_deref())]
        {
            if let Some(value) = class.and_then(|class| HeaderValue::from_str(class).ok()) {
                if name == LANGUAGE {
                    // what the client listed in full would split the class again where the origin varies by it
                    head.clear(&header::ACCEPT_LANGUAGE);
                    head.add(header::ACCEPT_LANGUAGE, value.clone());
                }
                head.add(name, value);
            }
        }
        for rule in &self.request {
            if matches!(rule.action, FieldAction::Set(_) | FieldAction::Append(_)) {
                head.clear(&rule.name);
            }
        }
        self.edit(&self.request, head, asked);
    }

    /// Completes the answer of the cache: what selected it, and the rules for clients.
    pub fn finish(&self, head: &mut HeaderMap, asked: &Asked) {
        if !asked.is_image {
            if asked.classes.device.is_some() {
                device::FIELDS.iter().for_each(|name| fields::vary_by(head, name));
            }
            if asked.classes.language.is_some() {
                fields::vary_by(head, "Accept-Language");
            }
            if asked.classes.country.is_some() {
                fields::keep_private(head);
            }
        }
        self.for_client(head, asked);
    }

    /// The rules for clients alone.
    pub fn for_client(&self, head: &mut impl Fields, asked: &Asked) {
        self.edit(&self.response, head, asked);
    }

    fn edit(&self, rules: &[Rule], head: &mut impl Fields, asked: &Asked) {
        let value = |template| {
            let text = template::fill(template, &asked.facts(), &self.dictionaries)?;
            template::field_value(&text)
        };
        for Rule { name, action } in rules {
            let edit = match action {
                FieldAction::Set(template) => value(template).map(Edit::Set),
                FieldAction::Append(template) => value(template).map(Edit::Append),
                FieldAction::Remove => Some(Edit::Remove),
            };
            if let Some(edit) = edit {
                edit.apply(head, name);
            }
        }
    }
}

fn rules(settings: &[FieldRule]) -> Vec<Rule> {
    let ready = settings.iter().filter_map(|rule| {
        Some(Rule { name: HeaderName::try_from(&rule.name).ok()?, action: rule.action.clone() })
    });
    ready.collect()
}

/// Looks at the files of a node's dictionaries again and again; ends when it is dropped.
pub async fn watch(node: &Node) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let dictionaries: Vec<_> = node.routes().dictionaries().values().cloned().collect();
        if dictionaries.is_empty() {
            continue;
        }
        let looking = beside(move || {
            let seen = dictionaries.into_iter().map(|dictionary| {
                let outcome = dictionary.refresh();
                (dictionary, outcome)
            });
            seen.filter(|(_, outcome)| !matches!(outcome, Refreshed::Same)).collect::<Vec<_>>()
        });
        for (dictionary, outcome) in looking.await.unwrap_or_default() {
            report(node, dictionary.name(), &outcome);
        }
    }
}

fn report(node: &Node, name: &str, outcome: &Refreshed) {
    let outcome = match outcome {
        Refreshed::Same => return,
        Refreshed::Loaded(entries) => {
            tracing::info!(dictionary = name, entries, "dictionary read again");
            "loaded"
        }
        Refreshed::Refused(error) => {
            tracing::error!(dictionary = name, %error, "dictionary not read again; the old one stays");
            "refused"
        }
    };
    node.metrics().dictionaries.with_label_values(&[node.name(), name, outcome]).inc();
}
