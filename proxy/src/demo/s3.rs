//! The demo's S3 server: files behind the real protocol, which checks real signatures.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use overfall_cache::tier::s3::{Client, ObjectFields};
use overfall_config::{S3Target, Secret};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, sync::watch};

use super::{accept, data::OBJECTS};
use crate::admin;

/// Bucket that the demo's photos, page and widget come from.
pub(super) const ORIGIN_BUCKET: &str = "demo-origin";
/// Bucket of the shared cache tier.
pub(super) const CACHE_BUCKET: &str = "demo-cache";
/// Region name in signatures.
pub(super) const REGION: &str = "demo-1";

/// A running S3 server.
pub(super) struct S3 {
    /// `http://127.0.0.1:PORT`.
    pub(super) endpoint: String,
    /// Access key id.
    pub(super) access_key: String,
    /// Secret access key.
    pub(super) secret_key: String,
}

impl S3 {
    /// Starts the server over `root` with fresh keys.
    ///
    /// # Errors
    /// When the folder or the port can't be had.
    pub(super) async fn start(root: &Path, shutdown: watch::Receiver<bool>) -> anyhow::Result<Self> {
        for bucket in [ORIGIN_BUCKET, CACHE_BUCKET] {
            std::fs::create_dir_all(root.join(bucket)).context("s3 folder")?;
        }
        let files = FileSystem::new(root).map_err(|error| anyhow!("s3 folder: {error:?}"))?;
        let access_key = "demo".to_owned();
        let secret_key = admin::random_token().context("s3 key")?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(access_key.clone(), secret_key.clone()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("s3 port")?;
        let address: SocketAddr = listener.local_addr().context("s3 port")?;
        tokio::spawn(serve(listener, builder.build(), shutdown));
        Ok(Self { endpoint: format!("http://{address}"), access_key, secret_key })
    }

    /// The bucket as a target for tiers and origins.
    pub(super) fn target(&self, bucket: &str, prefix: &str) -> S3Target {
        S3Target {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            region: REGION.to_owned(),
            access_key: Secret::new(self.access_key.clone()),
            secret_key: Secret::new(self.secret_key.clone()),
        }
    }

    /// Puts the demo's objects into the origin bucket.
    ///
    /// # Errors
    /// When the server refuses one.
    pub(super) async fn fill(&self) -> anyhow::Result<()> {
        let client = Client::connect(&self.target(ORIGIN_BUCKET, "")).context("s3 client")?;
        for object in OBJECTS {
            let fields = ObjectFields {
                content_type: Some(object.content_type.to_owned()),
                cache_control: Some(object.cache_control.to_owned()),
                metadata: vec![("surrogate-key".to_owned(), object.tags.to_owned())],
                ..ObjectFields::default()
            };
            client.put(object.path, Bytes::from_static(object.body), fields).await.context("s3 upload")?;
        }
        Ok(())
    }
}

async fn serve(listener: TcpListener, service: S3Service, shutdown: watch::Receiver<bool>) {
    accept::serve(listener, shutdown, |stream| {
        let service = service.clone();
        async move {
            let server = Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "demo s3 connection ended");
            }
        }
    })
    .await;
}
