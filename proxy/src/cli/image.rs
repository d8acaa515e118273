//! `overfall image`: URLs made, signed and read, pictures rendered and described, all without a node.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use overfall_cache::clock::{Clock as _, SystemClock};
use overfall_imaging::{
    Deadline,
    dialect::{self, Dialect},
    path,
    pipeline::{self, Patience, Settings},
    sniff::{self, SourceFormat},
    transform::{Format, Transform},
};
use tokio::time::Instant;

use crate::studio::{self, ImageSite};

/// What can be done with pictures and their URLs.
#[derive(Debug, Subcommand)]
pub(super) enum ImageVerb {
    /// Render a file into another, as a node would.
    Convert {
        /// Picture.
        from: PathBuf,
        /// File that is written.
        to: PathBuf,
        /// Options as in image URLs: `w=800,f=webp`. Without a format that of the name is taken.
        #[arg(long, short, default_value = "f=auto")]
        options: String,
    },
    /// Say what a picture is, as JSON.
    Info {
        /// Picture.
        file: PathBuf,
    },
    /// Print the image URL of a source, signed if the site signs.
    Url {
        /// Options as in image URLs: `w=800,f=webp`.
        options: String,
        /// Path on the site, or absolute URL of an allowed host.
        source: String,
        /// Style of the URL.
        #[arg(long, value_parser = ["cloudflare", "imgproxy", "query"], default_value = "cloudflare")]
        dialect: String,
        #[command(flatten)]
        site: SiteArgs,
    },
    /// Sign an image URL's path and query with the site's first key.
    Sign {
        /// Path and query, as they will be requested.
        target: String,
        #[command(flatten)]
        site: SiteArgs,
    },
}

/// Whose rules count.
#[derive(Debug, clap::Args)]
pub(super) struct SiteArgs {
    /// Configuration file (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Site; may be left out when there is one.
    #[arg(long)]
    site: Option<String>,
    /// Seconds for which the URL is good.
    #[arg(long)]
    expires: Option<u64>,
}

/// Runs one of them.
pub(super) fn run(verb: ImageVerb) -> anyhow::Result<()> {
    match verb {
        ImageVerb::Convert { from, to, options } => convert(&from, &to, &options),
        ImageVerb::Info { file } => {
            let rendered = rendered(&file, &Transform { format: Format::Json, ..Transform::default() })?;
            print(&String::from_utf8_lossy(&rendered.bytes))
        }
        ImageVerb::Url { options, source, dialect, site } => {
            let images = site.images()?;
            let dialect = Dialect::ALL.into_iter().find(|one| one.as_str() == dialect);
            let dialect = dialect.context("no such style")?;
            let parsed = path::parse(&format!("{options}/{source}"))?;
            let expires_s = site.expires_s();
            let url = dialect::print(dialect, &parsed.transform, &parsed.source, &images.rules, expires_s);
            print(
                &url.ok_or_else(|| {
                    anyhow!("the style {:?} has no words for these options", dialect.as_str())
                })?,
            )
        }
        ImageVerb::Sign { target, site } => {
            let images = site.images()?;
            let Some(key) = images.rules.own.keys.first() else {
                bail!("the site has no keys; add sign = {{ keys = [..] }} to its images");
            };
            print(&dialect::sign(&target, key.as_ref(), site.expires_s()))
        }
    }
}

impl SiteArgs {
    fn images(&self) -> anyhow::Result<ImageSite> {
        let config = overfall_config::load(&self.config)?;
        let is_meant = |name: &str| self.site.as_deref().is_none_or(|site| site == name);
        let mut sites = config.sites.iter().filter(|site| is_meant(&site.name));
        let (site, other) = (sites.next().context("no such site")?, sites.next());
        if other.is_some() {
            bail!("there are several sites: name one with --site");
        }
        let rules = site.images.as_ref().context("images are not switched on for this site")?;
        ImageSite::new(rules).map_err(|problem| anyhow!(problem))
    }

    fn expires_s(&self) -> Option<u64> {
        self.expires.map(|seconds| SystemClock.now().0 / 1_000 + seconds)
    }
}

fn convert(from: &Path, to: &Path, options: &str) -> anyhow::Result<()> {
    let mut transform: Transform = options.parse()?;
    if transform.format == Format::Auto {
        let extension = to.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let named = if extension == "jpg" { "jpeg" } else { extension };
        let format = Format::ALL.into_iter().find(|format| format.as_str() == named);
        transform.format = format.unwrap_or(Format::Source);
    }
    let rendered = rendered(from, &transform)?;
    fs::write(to, &rendered.bytes).with_context(|| format!("file {}", to.display()))?;
    print(&format!(
        "{}: {} {}x{}, {} bytes",
        to.display(),
        rendered.content_type,
        rendered.width,
        rendered.height,
        rendered.bytes.len()
    ))
}

fn rendered(file: &Path, transform: &Transform) -> anyhow::Result<pipeline::Rendered> {
    let source = fs::read(file).with_context(|| format!("file {}", file.display()))?;
    // with what decodes them not in this process, as in a node
    let is_apart = matches!(sniff::header(&source)?.format, SourceFormat::Avif | SourceFormat::Heic);
    let workers = is_apart.then(studio::workers).transpose();
    let workers = workers.context("image workers, which AVIF and HEIC are decoded in")?.map(Arc::new);
    let settings = Settings { effort: Patience::Improving, workers, ..Settings::default() };
    let deadline = Deadline::at(Instant::now() + CONVERT_WITHIN);
    Ok(pipeline::render(&source, transform, &settings, &deadline)?)
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Nobody's page waits.
const CONVERT_WITHIN: Duration = Duration::from_secs(120);
