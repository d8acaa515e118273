//! From host name to site, and from configuration to what a site needs at request time.
//!
//! A table is built whole and swapped whole; a request keeps the one that it began with.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use overfall_cache::{
    origin::Origin,
    policy::Policy,
    waterfall::{OriginRole, Step, Waterfall, breaker::BreakerSettings, health::Health},
};
use overfall_config::{BreakerRule, Config, Origin as OriginConfig, OriginTarget, Serve, Site};
use tokio::time::Instant;

use crate::{
    error::StartError,
    front::HitMeters,
    origin::{
        self, Distance, Switch,
        checks::{Check, Checks},
    },
    shadow::Shadow,
    studio::ImageSite,
    tailoring::{Library, Tailoring, template::Dictionaries},
};

/// The path under which image URLs live (Cloudflare's dialect).
pub const IMAGE_PREFIX: &str = "/cdn-cgi/image/";

/// One site at request time.
pub struct SiteRoute {
    /// Its configuration.
    pub site: Arc<Site>,
    /// Caching rules.
    pub policy: Arc<Policy>,
    /// Its origins in order.
    pub waterfall: Arc<Waterfall>,
    /// What image URLs may ask for; none: images are off.
    pub images: Option<Arc<ImageSite>>,
    /// Allowed foreign image sources, by `scheme://host`.
    pub foreign: HashMap<String, Arc<Waterfall>>,
    /// Where a share of the requests is repeated.
    pub shadow: Option<Arc<Shadow>>,
    /// First HTTP origin, for requests that no cache may answer.
    pub pass_to: Option<Arc<OriginConfig>>,
    /// What is done differently by request.
    pub tailoring: Option<Tailoring>,
    /// Counters of its hits from memory, once there was one.
    pub hit_meters: OnceLock<HitMeters>,
}

impl SiteRoute {
    /// Whether requests are told apart by more than their URL, or answers changed on their way out.
    #[must_use]
    pub const fn is_tailored(&self) -> bool {
        self.tailoring.is_some()
    }
}

/// Every site by host.
#[derive(Default)]
pub struct Routes {
    hosts: HashMap<String, Arc<SiteRoute>>,
    sites: Vec<Arc<SiteRoute>>,
    origins: BTreeMap<String, Arc<Switch>>,
    library: Library,
    /// Held for as long as this table is in use.
    _checks: Checks,
}

impl Routes {
    /// Builds the table. Origins that were switched off in `previous` stay off. `distance` delays every fetch, for
    /// demonstrations.
    ///
    /// # Errors
    /// When an origin can't be set up (a missing CA file, a folder that isn't there), or a dictionary can't be read.
    pub async fn build(
        config: &Config,
        previous: &Self,
        distance: Option<Duration>,
    ) -> Result<Self, StartError> {
        let mut origins = BTreeMap::new();
        let mut checks = Checks::default();
        for (name, settings) in &config.origins {
            let mut origin = origin::build(settings).await?;
            let health = health(settings.breaker);
            if let Some(rule) = settings.health.clone() {
                let (origin, host) = (Arc::clone(&origin), host_of(settings, config));
                checks.watch(Check { origin, host, rule, health: Arc::clone(&health) });
            }
            if let Some(delay) = distance {
                origin = Arc::new(Distance::new(origin, delay));
            }
            let switch = Arc::new(Switch::new(origin, health));
            if previous.origins.get(name).is_some_and(|before| !before.is_enabled()) {
                switch.disable();
            }
            origins.insert(name.clone(), switch);
        }
        let library = Library::load(config).await?;
        let mut routes = Self { origins, library, _checks: checks, ..Self::default() };
        for site in &config.sites {
            let route = Arc::new(routes.site(config, site, previous).await?);
            for host in &site.hosts {
                routes.hosts.insert(host.clone(), Arc::clone(&route));
            }
            routes.sites.push(route);
        }
        Ok(routes)
    }

    async fn site(
        &self,
        config: &Config,
        site: &Arc<Site>,
        previous: &Self,
    ) -> Result<SiteRoute, StartError> {
        let settings = |name: &String| config.origins.get(name);
        let steps = site
            .origins
            .iter()
            .filter_map(|name| Some((self.origins.get(name)?, settings(name)?)))
            .map(|(switch, settings)| step(switch, settings))
            .collect();
        let pass_to = site
            .origins
            .iter()
            .filter_map(settings)
            .find(|o| o.serve == Serve::Always && matches!(o.target, OriginTarget::Http { .. }));
        let mut foreign = HashMap::new();
        for host in site.images.iter().flat_map(|images| &images.sources) {
            for (scheme, tls, port) in [("https", true, 443), ("http", false, 80)] {
                let name = format!("{scheme}://{host}");
                let settings = foreign_origin(&name, host, tls, port);
                let switch = Switch::new(origin::build(&settings).await?, health(settings.breaker));
                let step = step(&Arc::new(switch), &settings);
                foreign.insert(name, Arc::new(Waterfall { steps: vec![step] }));
            }
        }
        Ok(SiteRoute {
            policy: Arc::new(Policy::from(site.as_ref())),
            site: Arc::clone(site),
            waterfall: Arc::new(Waterfall { steps }),
            images: images(site)?,
            foreign,
            shadow: self.shadow(config, site, previous),
            pass_to: pass_to.cloned(),
            tailoring: Tailoring::new(site, &self.library),
            hit_meters: OnceLock::new(),
        })
    }

    fn shadow(&self, config: &Config, site: &Site, previous: &Self) -> Option<Arc<Shadow>> {
        let rule = site.shadow.as_ref()?;
        let step = step(self.origins.get(&rule.to)?, config.origins.get(&rule.to)?);
        let before = previous.site_named(&site.name).and_then(|route| route.shadow.as_ref());
        let counters = before.map(|shadow| Arc::clone(shadow.counters())).unwrap_or_default();
        Some(Arc::new(Shadow::new(step, rule.sample_ppm, counters)))
    }

    /// The site that answers for a canonical host.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Arc<SiteRoute>> {
        self.hosts.get(host)
    }

    /// Sites in file order.
    #[must_use]
    pub fn sites(&self) -> &[Arc<SiteRoute>] {
        &self.sites
    }

    /// The site of this name.
    #[must_use]
    pub fn site_named(&self, name: &str) -> Option<&Arc<SiteRoute>> {
        self.sites.iter().find(|route| route.site.name == name)
    }

    /// Dictionaries by name.
    #[must_use]
    pub const fn dictionaries(&self) -> &Dictionaries {
        self.library.dictionaries()
    }

    /// Origins by name, each with its switch.
    #[must_use]
    pub const fn origins(&self) -> &BTreeMap<String, Arc<Switch>> {
        &self.origins
    }
}

fn images(site: &Site) -> Result<Option<Arc<ImageSite>>, StartError> {
    let rules = site.images.as_ref().map(ImageSite::new).transpose();
    let rules = rules.map_err(|problem| StartError::Images { site: site.name.clone(), problem })?;
    Ok(rules.map(Arc::new))
}

fn foreign_origin(name: &str, host: &str, tls: bool, port: u16) -> OriginConfig {
    let (host, port) = match host.rsplit_once(':') {
        Some((host, given)) => (host, given.parse().unwrap_or(port)),
        None => (host, port),
    };
    let target = OriginTarget::Http { tls, host: host.to_owned(), port, path: String::new() };
    OriginConfig { host: Some(host.to_owned()), ..OriginConfig::new(name.to_owned(), target) }
}

fn health(breaker: Option<BreakerRule>) -> Arc<Health> {
    let settings = breaker.map(|rule| BreakerSettings { failures: rule.failures, open: rule.open });
    Health::new(settings, Instant::now())
}

fn step(switch: &Arc<Switch>, settings: &OriginConfig) -> Step {
    let role = match settings.serve {
        Serve::Always => OriginRole::Ordinary,
        Serve::LastGood => OriginRole::Archive,
    };
    let origin = Arc::clone(switch) as Arc<dyn Origin>;
    Step { health: Some(Arc::clone(switch.health())), role, ..Step::new(origin, settings.head_timeout) }
}

/// The host that a check names: that of the first site that lists the origin, else the origin's own.
fn host_of(origin: &OriginConfig, config: &Config) -> String {
    let lists = |site: &&Arc<Site>| site.origins.contains(&origin.name);
    let of_site = config.sites.iter().find(lists).and_then(|site| site.hosts.first());
    match (&origin.target, of_site) {
        (_, Some(host)) => host.clone(),
        (OriginTarget::Http { host, .. }, None) => host.clone(),
        _ => "localhost".to_owned(),
    }
}
