//! An S3 server that checks signatures: garage where its binary is found, else s3s over a folder in this process.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, TcpListener as Reservation},
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use overfall_cache::tier::s3::{Client, ObjectFields};
use overfall_config::{S3Target, Secret};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{
    process::Process,
    wait::{DEADLINE, wait_until},
};

/// Name of the bucket that is there from the start.
pub const BUCKET: &str = "test-bucket";
/// Region name in signatures.
pub const REGION: &str = "test-1";
const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key-of-the-bucket";
/// Between server processes of one cluster, which here is one.
const RPC_SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A running server; stops when dropped.
pub struct S3 {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    server: Server,
}

enum Server {
    Garage(Process),
    Within(JoinHandle<()>),
}

impl S3 {
    /// Starts a server that keeps its objects under `root`, with one empty bucket.
    pub async fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root).expect("a writable folder");
        match garage() {
            Some(program) => Self::start_garage(&program, root).await,
            None => Self::start_within(root).await,
        }
    }

    async fn start_garage(program: &Path, root: &Path) -> Self {
        let [port, rpc_port] = free_ports();
        let config = root.join("garage.toml");
        std::fs::write(&config, garage_config(root, port, rpc_port)).expect("a writable folder");
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).args(["server", "--single-node", "--default-bucket"]);
        command.env("GARAGE_DEFAULT_BUCKET", BUCKET);
        command.env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY).env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY);
        let mut process = Process::spawn(&mut command);
        wait_until("garage listens", DEADLINE, async || {
            assert!(process.is_running(), "garage ended:\n{}", process.stderr());
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()
        })
        .await;
        Self { endpoint: format!("http://127.0.0.1:{port}"), server: Server::Garage(process) }
    }

    async fn start_within(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a writable folder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let files = FileSystem::new(root).unwrap_or_else(|error| panic!("{}: {error:?}", root.display()));
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let serving = tokio::spawn(serve(listener, builder.build()));
        Self { endpoint, server: Server::Within(serving) }
    }

    /// Stops answering; connections are refused from here on.
    pub async fn stop(&mut self) {
        match &mut self.server {
            Server::Garage(process) => process.kill(),
            Server::Within(serving) => {
                serving.abort();
                while !serving.is_finished() {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Lines of an `[origins.NAME]` table over the bucket.
    #[must_use]
    pub fn origin_lines(&self) -> String {
        self.origin_lines_with_secret(SECRET_KEY)
    }

    /// The same with another secret key.
    #[must_use]
    pub fn origin_lines_with_secret(&self, secret: &str) -> String {
        format!("url = \"s3://{BUCKET}\"\nhead_timeout = \"5s\"\n{}", self.lines(secret))
    }

    /// The value of `[cache] s3` with this prefix.
    #[must_use]
    pub fn tier_table(&self, prefix: &str) -> String {
        let lines = self.lines(SECRET_KEY).replace('\n', ", ");
        format!("{{ bucket = \"{BUCKET}\", prefix = \"{prefix}\", {lines} }}")
    }

    /// Puts an object.
    pub async fn put(&self, key: &str, body: impl Into<Bytes>, fields: ObjectFields) {
        let client = Client::connect(&target(&self.endpoint, SECRET_KEY))
            .unwrap_or_else(|error| panic!("{}: {error}", self.endpoint));
        client.put(key, body.into(), fields).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }

    fn lines(&self, secret: &str) -> String {
        format!(
            "endpoint = \"{}\"\nregion = \"{REGION}\"\naccess_key = \"{ACCESS_KEY}\"\nsecret_key = \"{secret}\"",
            self.endpoint
        )
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Server::Within(serving) = &self.server {
            serving.abort();
        }
    }
}

/// The program that `OVERFALL_GARAGE` names, or one on the path, or the one in the folder of test tools.
fn garage() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(named) = folder("OVERFALL_GARAGE") {
        return Some(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = folder("OVERFALL_TOOLS").or_else(|| Some(folder("HOME")?.join(".cache/overfall/tools")));
    let built = tools.map(|tools| tools.join("bin"));
    std::env::split_paths(&path)
        .chain(built)
        .map(|folder| folder.join("garage"))
        .find(|program| program.is_file())
}

/// Ports that were free a moment ago: garage has to be told which.
fn free_ports() -> [u16; 2] {
    let reserve = |_| Reservation::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let reserved: [Reservation; 2] = std::array::from_fn(reserve);
    reserved.map(|listener| listener.local_addr().expect("a bound listener has an address").port())
}

fn garage_config(root: &Path, port: u16, rpc_port: u16) -> String {
    let root = root.display();
    let mut text =
        format!("metadata_dir = \"{root}/meta\"\ndata_dir = \"{root}/data\"\ndb_engine = \"sqlite\"\n");
    let rpc = format!(
        "replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{rpc_port}\"\nrpc_secret = \"{RPC_SECRET}\""
    );
    write!(text, "{rpc}\n[s3_api]\ns3_region = \"{REGION}\"\napi_bind_addr = \"127.0.0.1:{port}\"\n")
        .expect("a string takes everything");
    text
}

fn target(endpoint: &str, secret: &str) -> S3Target {
    S3Target {
        bucket: BUCKET.to_owned(),
        prefix: String::new(),
        endpoint: Some(endpoint.to_owned()),
        region: REGION.to_owned(),
        access_key: Secret::new(ACCESS_KEY.to_owned()),
        secret_key: Secret::new(secret.to_owned()),
    }
}

async fn serve(listener: TcpListener, service: s3s::service::S3Service) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let service = service.clone();
        connections.spawn(async move {
            // a client that goes away is not the server's trouble
            drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use overfall_cache::tier::s3::GetOutcome;

    use super::*;

    async fn signatures_are_checked(s3: &S3) {
        s3.put("folder/a b", "hello", ObjectFields::default()).await;
        let client = |secret: &str| Client::connect(&target(&s3.endpoint, secret)).unwrap();
        let found = client(SECRET_KEY).get("folder/a b", None, None).await.unwrap();
        assert!(matches!(found, GetOutcome::Found(_)), "{found:?}");
        let missing = client(SECRET_KEY).get("folder/b", None, None).await.unwrap();
        assert!(matches!(missing, GetOutcome::Missing), "{missing:?}");
        assert!(client("not-the-secret-key").get("folder/a b", None, None).await.is_err());
    }

    #[tokio::test]
    async fn both_servers_check_signatures() {
        crate::tls::install_provider();
        let dir = tempfile::TempDir::new().unwrap();
        signatures_are_checked(&S3::start_within(&dir.path().join("within")).await).await;
        if garage().is_some() {
            signatures_are_checked(&S3::start(dir.path()).await).await;
        }
    }
}
