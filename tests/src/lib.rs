//! Starts real servers for whole-server tests: the binary itself, on free ports, over a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;

/// How long a server may take to say that it is ready, or to end when told to. A test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a healthy server says on a machine that is too busy.
const BUSY: [&str; 2] = ["sqlx::query: slow statement", "evaluations of rules came too late"];

/// A server in a process of its own. Dropping it kills the process with SIGKILL, so that a failed test leaves nothing behind.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    /// Kept open: a server that cannot print would end.
    _stdout: BufReader<ChildStdout>,
    log: JoinHandle<Vec<String>>,
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
            .args(["--syslog-listen", "127.0.0.1:0", "--gelf-listen", "127.0.0.1:0", "--forward-listen", "127.0.0.1:0"])
            .args(["--zipkin-listen", "127.0.0.1:0", "--jaeger-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data_dir)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("a piped output")?);
        let stderr = child.stderr.take().context("a piped log")?;
        let log = tokio::spawn(lines(stderr));
        let started = tokio::time::timeout(PATIENCE, addresses(&mut stdout)).await.context("wait for `ready`").flatten();
        match started {
            Ok([http, otlp_grpc, otlp_http]) => Ok(Self { child, _stdout: stdout, log, http, otlp_grpc, otlp_http }),
            Err(error) => {
                child.kill().await?;
                Err(error.context(format!("start the server; it said:\n{}", log.await?.join("\n"))))
            }
        }
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
    /// If the server does not end in time, or by a signal, or if it logged a warning or an error: a test that expects one
    /// uses [`TestServer::terminate_with_log`].
    pub async fn terminate(self) -> Result<i32> {
        let (code, log) = self.terminate_with_log().await?;
        let is_complaint = |line: &&str| (line.contains(" WARN ") || line.contains("ERROR ")) && !BUSY.iter().any(|busy| line.contains(busy));
        let complaints: Vec<&str> = log.iter().map(String::as_str).filter(is_complaint).collect();
        if !complaints.is_empty() {
            bail!("the server complained:\n{}", complaints.join("\n"));
        }
        Ok(code)
    }

    /// Sends SIGTERM and waits for the end; the exit code and the lines of the log.
    ///
    /// # Errors
    /// If the server does not end in time, or by a signal.
    pub async fn terminate_with_log(mut self) -> Result<(i32, Vec<String>)> {
        self.signal("TERM").await?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("wait for the end of the server")??;
        Ok((status.code().context("the server was ended by a signal")?, self.log.await?))
    }

    /// Sends a signal, `TERM` or `INT`.
    ///
    /// # Errors
    /// If the process is gone.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().context("a process that runs")?;
        let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await?;
        if !sent.success() {
            bail!("cannot send SIG{name} to {pid}: kill ended with {sent}");
        }
        Ok(())
    }

    /// Kills the process with SIGKILL, as a loss of power would, and waits until it is gone.
    ///
    /// # Errors
    /// Of the system.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill the server")
    }
}

async fn lines(stderr: ChildStderr) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut read = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        read.push(line);
    }
    read
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
