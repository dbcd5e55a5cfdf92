//! The command line: which subcommands there are, what they print, how they exit.
//!
//! Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong, 3 what was checked is allowed and seldom
//! meant, 130 or 143 stopped at once by a second signal. Rules are checked and tested with the exit codes of `promtool`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_telemetry::{Queue, SystemClock};

use crate::boot::{Bound, Server};
use crate::config::{self, Config};
use crate::prometheus;
use crate::remote;
use crate::rules;
use crate::shutdown;

/// Metrics, logs and traces in, one store, PromQL, LogQL, TraceQL and SQL out.
#[derive(Debug, Parser)]
#[command(name = "signalbox", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(Serve),
    /// Sends the telemetry of a small shop to a server: metrics, logs and traces that belong together.
    Demo(Demo),
    /// Checks files without running anything.
    #[command(subcommand)]
    Check(Check),
    /// Runs tests without a server.
    #[command(subcommand)]
    Test(Test),
    /// Says what would have been, over stored history.
    #[command(subcommand)]
    Backtest(Backtest),
    /// Asks a server about its alerts.
    #[command(subcommand)]
    Alert(Alert),
    /// Takes rules from a server, or gives it some.
    #[command(subcommand)]
    Rules(remote::rules::Rules),
}

#[derive(Debug, Args)]
struct Serve {
    /// Configuration, YAML; without it everything is at its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Sends the telemetry of a small shop to the server itself, as `signalbox demo` does.
    #[arg(long)]
    demo: bool,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where to send: an OTLP/HTTP endpoint without the path of a signal.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    /// Requests of visitors in a second, on average; each becomes about ten spans and six log records.
    #[arg(long, value_name = "NUMBER", default_value_t = 2.0)]
    rate: f64,
    /// History to send first.
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    backfill: Duration,
    /// How long to go on after that; for ever if not given, `0s` sends only the history.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// What happens follows from it; by default every run is another one.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Flags win over the configuration file.
#[derive(Debug, Default, Clone, Args)]
pub struct Flags {
    /// Where data is kept [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of the API, the UI, remote write and OTLP/HTTP [default: 127.0.0.1:4400].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http_listen: Option<String>,
    /// Address of OTLP/gRPC [default: 127.0.0.1:4317].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub otlp_grpc_listen: Option<String>,
    /// Address of OTLP/HTTP [default: 127.0.0.1:4318].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub otlp_http_listen: Option<String>,
    /// Address of GELF over UDP and TCP, empty for none [default: 127.0.0.1:12201].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub gelf_listen: Option<String>,
    /// Address of Fluent forward over TCP, empty for none [default: 127.0.0.1:24224].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub forward_listen: Option<String>,
    /// Address of syslog over TCP and UDP, empty for none [default: 127.0.0.1:1514].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub syslog_listen: Option<String>,
    /// Address of Zipkin's spans over HTTP, empty for none [default: 127.0.0.1:9411].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub zipkin_listen: Option<String>,
    /// Address of Jaeger's ports (14250, 14268, 6831, 6832, 5778), empty for none, with `:0` for free ones [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    pub jaeger_listen: Option<String>,
    /// A prometheus.yml: its jobs are scraped and its rule files evaluated.
    #[arg(long, alias = "config.file", value_name = "FILE")]
    pub prometheus_config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Alert {
    /// Says why somebody was told of an alert, or nobody: evaluations, changes, routes, what mutes it, each attempt to tell.
    Explain(remote::explain::Arguments),
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Checks a configuration file and the rule files that it names: Signalbox's own, or a `prometheus.yml`.
    Config {
        /// The file, YAML.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Checks a `prometheus.yml` and the files that it names: whether Prometheus would take it, and whether all it asks for is
    /// done here.
    Prometheus {
        /// The file, YAML.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Checks rule files in Prometheus' format.
    Rules(rules::check::Arguments),
    /// Checks a page of metrics against the whole of its format: OpenMetrics if it ends with `# EOF`, else Prometheus' text.
    Metrics {
        /// The page; standard input if none is given.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Test {
    /// Runs unit tests of rules, in promtool's format and more: log records and spans may come in, too.
    Rules(rules::test::Arguments),
}

#[derive(Debug, Subcommand)]
enum Backtest {
    /// Says which alerts of a rule file would have fired when, and who would have been told how often.
    Rules(rules::backtest::Arguments),
}

/// The program.
pub fn run() -> ExitCode {
    // Clap prints usage, help and version by itself and exits with 2 or 0.
    let result = match Cli::parse().command {
        Command::Serve(arguments) => serve(&arguments).map(done),
        Command::Demo(arguments) => demo(&arguments).map(done),
        Command::Alert(Alert::Explain(arguments)) => ask(remote::explain::run(&arguments)).map(done),
        Command::Rules(rules) => ask(remote::rules::run(&rules)).map(done),
        Command::Check(Check::Config { file }) => check_config(&file).map(done),
        Command::Check(Check::Prometheus { file }) => check_prometheus(&file).map(done),
        Command::Check(Check::Rules(arguments)) => rules::check::run(&arguments),
        Command::Check(Check::Metrics { file }) => check_metrics(file.as_deref()).map(done),
        Command::Test(Test::Rules(arguments)) => run_to_end(rules::test::run(&arguments)),
        Command::Backtest(Backtest::Rules(arguments)) => {
            install_tls();
            run_to_end(rules::backtest::run(&arguments))
        }
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.kind() == ErrorKind::Invalid { 2 } else { 1 })
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn check_config(file: &std::path::Path) -> Result<()> {
    if prometheus::is_meant_by(file) {
        return check_prometheus(file);
    }
    install_tls();
    let config = Config::load(file, config::environment)?;
    config.alert.check()?;
    config.notify.channels()?;
    for note in signalbox_receive::files::Sources::new(&config.receive.files, &config.receive.files_promtail_config)?.notes() {
        say(&format!("{}: {note}", file.display()))?;
    }
    signalbox_receive::transform::Transform::new(&config.receive.transform, "receive.transform")?;
    signalbox_alert::rule_file::load_all(&config.alert.rule_files)?;
    for warning in config.warnings() {
        say(&format!("{}: {warning}", file.display()))?;
    }
    say(&format!("{}: ok", file.display()))
}

fn check_prometheus(file: &std::path::Path) -> Result<()> {
    install_tls();
    let clock: Arc<dyn signalbox_model::Clock> = Arc::new(SystemClock);
    let loaded = prometheus::load(file, config::environment, &clock)?;
    let groups = signalbox_alert::rule_file::load_all(&loaded.rule_files)?;
    for note in &loaded.notes {
        say(&format!("{}: {note}", file.display()))?;
    }
    let (jobs, rules) = (loaded.config.scrape_configs.len(), groups.iter().map(|group| group.rules.len()).sum::<usize>());
    say(&format!("{}: ok, {jobs} jobs, {rules} rules", file.display()))
}

fn check_metrics(file: Option<&std::path::Path>) -> Result<()> {
    use signalbox_scrape::exposition::{strict, text::Dialect};
    let mut page = Vec::new();
    let read = match file {
        Some(file) => std::fs::read(file).map(|bytes| page = bytes),
        None => std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut page).map(|_| ()),
    };
    read.map_err(|source| Error::invalid("cannot read the page of metrics").with_source(source))?;
    let (dialect, name) = if page.trim_ascii_end().ends_with(b"# EOF") { (Dialect::OpenMetrics, "OpenMetrics") } else { (Dialect::Prometheus, "text") };
    strict::check(&page, dialect)?;
    say(&format!("{name}: ok"))
}

/// Runs a command that ends by itself.
fn run_to_end(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = runtime()?;
    let code = runtime.block_on(command);
    runtime.shutdown_background();
    code
}

fn serve(arguments: &Serve) -> Result<()> {
    let mut config = match &arguments.config {
        Some(file) => Config::load(file, config::environment)?,
        None => Config::default(),
    };
    config.apply(&arguments.flags);
    install_tls();
    let clock = Arc::new(SystemClock);
    let queue = signalbox_telemetry::install(&config.telemetry, clock.clone())?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = runtime()?;
    let result = runtime.block_on(run_server(config, clock, queue, arguments.demo));
    // Whatever still runs on threads of the runtime is not worth waiting for: the store is closed.
    runtime.shutdown_background();
    result
}

async fn run_server(config: Config, clock: Arc<SystemClock>, queue: Arc<Queue>, with_demo: bool) -> Result<()> {
    let mut signals = shutdown::Signals::listen()?;
    let bound = Bound::bind(config, clock, queue).await?;
    for (door, address) in bound.addresses() {
        say(&format!("{door} listening on {address}"))?;
    }
    let server = tokio::select! {
        server = bound.open() => server?,
        // Nothing was acknowledged yet, so there is nothing to flush.
        signal = signals.next() => {
            tracing::info!(signal, "stopped by {signal} before the store was open");
            return Ok(());
        }
    };
    say("ready")?;
    let shop = with_demo.then(|| open_shop(&server)).flatten();
    let signal = loop {
        match signals.next_or_hangup().await {
            Some(signal) => break signal,
            None => reload(&server).await,
        }
    };
    tracing::info!(signal, "{signal}: draining; send it again to stop at once");
    shop.into_iter().for_each(|shop| shop.abort());
    tokio::select! {
        result = server.stop() => result,
        signal = signals.next() => {
            tracing::warn!(signal, "{signal}: stopping at once, what is in the WAL is replayed by the next start");
            std::process::exit(signals.exit_code(signal));
        }
    }
}

/// SIGHUP: prometheus.yml and the rule files are read again. Everything else of the configuration wants a restart.
async fn reload(server: &Server) {
    match server.reload().await {
        Ok(()) => tracing::info!("SIGHUP: prometheus.yml and the rule files are in force as they are now"),
        Err(error) => tracing::error!("SIGHUP: what is in force stays in force: {error}"),
    }
}

/// The shop that sends to the server it runs in.
fn open_shop(server: &Server) -> Option<tokio::task::JoinHandle<()>> {
    let settings = signalbox_demo::Settings { endpoint: format!("http://{}", server.address("http")?), seed: rand::random(), ..Default::default() };
    Some(tokio::spawn(async move {
        if let Err(error) = signalbox_demo::run(&settings, Arc::new(SystemClock)).await {
            tracing::error!("the demo has ended: {error}");
        }
    }))
}

fn demo(arguments: &Demo) -> Result<()> {
    install_tls();
    let telemetry = signalbox_telemetry::Settings { self_watch: false, ..Default::default() };
    signalbox_telemetry::install(&telemetry, Arc::new(SystemClock))?;
    let Demo { endpoint, rate, backfill, duration, seed } = arguments;
    if !(rate.is_finite() && *rate > 0.0) {
        return Err(Error::invalid(format!("cannot send at rate {rate}: want a number above 0")));
    }
    let settings = signalbox_demo::Settings {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        requests_per_second: *rate,
        backfill: *backfill,
        duration: *duration,
        seed: seed.unwrap_or_else(rand::random),
    };
    runtime()?.block_on(async {
        let mut signals = shutdown::Signals::listen()?;
        let sending = signalbox_demo::run(&settings, Arc::new(SystemClock));
        tokio::select! {
            sent = sending => {
                let sent = sent?;
                say(&format!("sent {} spans and log records in {} requests to {endpoint}", sent.rows, sent.requests))
            }
            // Ctrl-C is how a demo without an end is meant to end.
            _ = signals.next() => Ok(()),
        }
    })
}

/// Runs a command that asks a server.
fn ask(command: impl Future<Output = Result<()>>) -> Result<()> {
    install_tls();
    runtime()?.block_on(command)
}

/// The one implementation of TLS that outgoing clients use.
fn install_tls() {
    // The only error is that there is one already, which is then the same.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

/// `90s`, `30m`, `1h30m`, as Prometheus writes durations.
fn duration(text: &str) -> Result<Duration, String> {
    let nanoseconds = signalbox_lang::duration::parse_ns(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default()))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let started = AtomicUsize::new(0);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name_fn(move || format!("signalbox-{}", started.fetch_add(1, Ordering::Relaxed)))
        .build()
        .map_err(|source| Error::internal("cannot start the runtime").with_source(source))
}

/// Prints one line for people and scripts.
pub(crate) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|source| Error::unavailable("cannot write to standard output").with_source(source))
}

/// Prints an error with what caused it.
fn complain(error: &Error) {
    let mut text = format!("signalbox: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    // Nobody is left to tell when stderr is closed.
    let _told = writeln!(std::io::stderr(), "{text}");
}
