//! The demo's configuration: the same TOML that an operator would write, one file per region.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use overfall_config::{Config, SharedTier};

use super::s3::{CACHE_BUCKET, ORIGIN_BUCKET, REGION, S3};

/// Host name of the demo's site.
pub(super) const HOST: &str = "www.demo.test";
/// Zone of the demo's DNS.
pub(super) const ZONE: &str = "demo.test.";
/// Site name.
pub(super) const SITE: &str = "demo";

/// One demo region.
pub(super) struct Region {
    /// Region name.
    pub(super) name: &'static str,
    /// Node name.
    pub(super) node: &'static str,
    /// Its own loopback address.
    pub(super) address: Ipv4Addr,
    /// Degrees north and east.
    pub(super) location: (f64, f64),
    /// Clients of this region, for `dig +subnet`.
    pub(super) clients: &'static str,
    /// Artificial way to the origins, in ms.
    pub(super) distance_ms: u64,
}

/// Three regions on three continents, each on an address of its own.
pub(super) const REGIONS: [Region; 3] = [
    Region {
        name: "eu-west",
        node: "eu-1",
        address: Ipv4Addr::new(127, 0, 0, 1),
        location: (53.3, -6.3),
        clients: "192.0.2.0/24",
        distance_ms: 0,
    },
    Region {
        name: "us-east",
        node: "us-1",
        address: Ipv4Addr::new(127, 0, 0, 2),
        location: (39.0, -77.5),
        clients: "198.51.100.0/24",
        distance_ms: 40,
    },
    Region {
        name: "ap-south",
        node: "ap-1",
        address: Ipv4Addr::new(127, 0, 0, 3),
        location: (19.1, 72.9),
        clients: "203.0.113.0/24",
        distance_ms: 90,
    },
];

/// Ports of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// HTTPS, the same in every region.
    pub(super) https: u16,
    /// HTTP, the same in every region.
    pub(super) http: u16,
    /// DNS.
    pub(super) dns: u16,
    /// Admin.
    pub(super) admin: u16,
}

/// What the configuration is made from.
pub(super) struct Plan<'a> {
    /// Folder of the demo.
    pub(super) dir: &'a Path,
    /// Ports.
    pub(super) ports: Ports,
    /// The S3 server.
    pub(super) s3: &'a S3,
    /// `http://127.0.0.1:PORT` of the HTTP origin.
    pub(super) app: String,
    /// Admin token.
    pub(super) token: String,
}

impl Plan<'_> {
    /// Folder of one region.
    pub(super) fn folder(&self, region: &Region) -> PathBuf {
        self.dir.join(region.name)
    }

    /// Writes and loads the configuration of one region's node.
    ///
    /// # Errors
    /// When the file can't be written, or the demo's own configuration is refused.
    pub(super) fn config(&self, region: &Region) -> anyhow::Result<Config> {
        let folder = self.folder(region);
        std::fs::create_dir_all(&folder).with_context(|| format!("folder {}", folder.display()))?;
        let file = folder.join("overfall.toml");
        let text = self.toml(region);
        std::fs::write(&file, &text).with_context(|| format!("file {}", file.display()))?;
        let secrets = BTreeMap::from([
            ("DEMO_S3_ACCESS_KEY", self.s3.access_key.clone()),
            ("DEMO_S3_SECRET_KEY", self.s3.secret_key.clone()),
            ("DEMO_ADMIN_TOKEN", self.token.clone()),
        ]);
        let mut config = overfall_config::parse(&text, &file, &|name| secrets.get(name).cloned())?;
        if let Some(SharedTier::S3(target)) = &mut config.cache.shared {
            // one bus serves all three nodes, so that they may share what they store
            "shared".clone_into(&mut target.prefix);
        }
        Ok(config)
    }

    fn toml(&self, region: &Region) -> String {
        let Ports { https, http, dns, admin } = self.ports;
        let (folder, address) = (self.folder(region), region.address);
        let (folder, ca) = (folder.display(), self.dir.join("ca").display().to_string());
        let (node, name, endpoint, app) = (region.node, region.name, &self.s3.endpoint, &self.app);
        let credentials =
            "access_key = { env = \"DEMO_S3_ACCESS_KEY\" }, secret_key = { env = \"DEMO_S3_SECRET_KEY\" }";
        let regions: String = REGIONS.iter().map(|region| regional(region, http)).collect();
        let locations: Vec<_> = REGIONS.iter().map(location).collect();
        let locations = locations.join(", ");
        format!(
            r#"# One region of the demo. Secrets come from the environment: DEMO_S3_ACCESS_KEY, DEMO_S3_SECRET_KEY,
# DEMO_ADMIN_TOKEN.
[node]
name = "{node}"
region = "{name}"
state = "{folder}/state"
{regions}
[listen]
http = "{address}:{http}"
https = "{address}:{https}"
dns = "127.0.0.1:{dns}"

[cache]
memory = "64 MiB"
disk = {{ path = "{folder}/disk", size = "128 MiB" }}
s3 = {{ bucket = "{CACHE_BUCKET}", prefix = "{node}", endpoint = "{endpoint}", region = "{REGION}", {credentials} }}

[tls]
internal = "{ca}"

[dns]
zone = "{ZONE}"
services = ["{HOST}."]
name_servers = ["ns1.{ZONE}"]
ttl = "5s"
health = {{ every = "500ms", timeout = "400ms", fail = 2, pass = 2 }}
locations = [{locations}]

[admin]
listen = "127.0.0.1:{admin}"
tokens = [{{ name = "demo", token = {{ env = "DEMO_ADMIN_TOKEN" }}, scopes = ["read", "purge", "operate"] }}]

[origins.media]
url = "s3://{ORIGIN_BUCKET}/"
endpoint = "{endpoint}"
region = "{REGION}"
access_key = {{ env = "DEMO_S3_ACCESS_KEY" }}
secret_key = {{ env = "DEMO_S3_SECRET_KEY" }}

[origins.app]
url = "{app}"

[[site]]
name = "{SITE}"
hosts = ["{HOST}", "localhost"]
origins = ["media", "app"]
ttl = "5m"
stale_while_revalidate = "60s"
stale_if_error = "1d"
images = true
"#
        )
    }
}

fn regional(region: &Region, http: u16) -> String {
    let Region { name, address, location: (latitude, longitude), .. } = region;
    format!(
        "\n[regions.{name}]\nlocation = [{latitude:.1}, {longitude:.1}]\naddresses = [\"{address}\"]\n\
         probe = \"http://{address}:{http}/healthz\"\n"
    )
}

fn location(region: &Region) -> String {
    let Region { clients, location: (latitude, longitude), .. } = region;
    format!("{{ network = \"{clients}\", location = [{latitude:.1}, {longitude:.1}] }}")
}
