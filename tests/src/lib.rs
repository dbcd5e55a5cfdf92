//! Starts real servers for whole-server tests: the binary itself, on free ports, over a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long a server may take to say that it is ready, or to end when told to. A test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a process of its own. Dropping it kills the process with SIGKILL, so that a failed test leaves nothing behind.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    /// Kept open: a server that cannot print would end.
    _stdout: BufReader<ChildStdout>,
    /// The main address.
    pub http: SocketAddr,
    /// OTLP/gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP/HTTP.
    pub otlp_http: SocketAddr,
}

impl TestServer {
    /// Starts the binary over a data folder and waits until it is ready; `arguments` are added to its command line.
    ///
    /// # Errors
    /// If it ends or does not say its addresses and `ready` in time.
    pub async fn start(binary: &Path, data_dir: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(binary)
            .args(["serve", "--http-listen", "127.0.0.1:0", "--otlp-grpc-listen", "127.0.0.1:0", "--otlp-http-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data_dir)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("a piped output")?);
        let [http, otlp_grpc, otlp_http] = tokio::time::timeout(PATIENCE, addresses(&mut stdout)).await.context("wait for `ready`")??;
        Ok(Self { child, _stdout: stdout, http, otlp_grpc, otlp_http })
    }

    /// The binary that `cargo build --workspace` made, or what `SIGNALBOX_BIN` names.
    ///
    /// # Errors
    /// If there is none.
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the binary is")]
    pub fn binary() -> Result<PathBuf> {
        if let Ok(named) = std::env::var("SIGNALBOX_BIN") {
            return Ok(named.into());
        }
        // target/debug/deps/<test> stands beside target/debug/signalbox.
        let own = std::env::current_exe()?;
        let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("signalbox")).find(|candidate| candidate.is_file());
        found.context("find the binary signalbox: `cargo build --workspace` makes it, SIGNALBOX_BIN names another one")
    }

    /// A URL of the main address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end; the exit code.
    ///
    /// # Errors
    /// If the server does not end in time, or by a signal.
    pub async fn terminate(mut self) -> Result<i32> {
        let pid = self.pid().context("a process that runs")?;
        let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        if !sent.success() {
            bail!("cannot send SIGTERM to {pid}: kill ended with {sent}");
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("wait for the end of the server")??;
        status.code().context("the server was ended by a signal")
    }

    /// Kills the process with SIGKILL, as a loss of power would, and waits until it is gone.
    ///
    /// # Errors
    /// Of the system.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill the server")
    }
}

/// Reads `<door> listening on <address>` lines up to `ready`.
async fn addresses(stdout: &mut BufReader<ChildStdout>) -> Result<[SocketAddr; 3]> {
    let mut found = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).await? == 0 {
            bail!("the server ended before it was ready, after {found:?}");
        }
        let text = line.trim_end();
        if text == "ready" {
            break;
        }
        let (door, address) = text.split_once(" listening on ").with_context(|| format!("understand the line {text:?}"))?;
        found.push((door.to_owned(), address.parse::<SocketAddr>()?));
    }
    let of = |door: &str| found.iter().find(|(name, _)| name == door).map(|(_, address)| *address).with_context(|| format!("no line of {door}"));
    Ok([of("http")?, of("otlp-grpc")?, of("otlp-http")?])
}
