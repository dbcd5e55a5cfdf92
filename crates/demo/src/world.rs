//! The shop: its services, where they run, and what goes wrong when.

use signalbox_proto::otlp::common::v1::InstrumentationScope;
use signalbox_proto::otlp::resource::v1::Resource;

use crate::attributes::{int, text, texts};
use crate::dice::Dice;

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A service of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Answers browsers.
    Frontend,
    /// Knows the products.
    Catalog,
    /// Keeps carts.
    Cart,
    /// Takes orders.
    Checkout,
    /// Charges cards at a bank.
    Payment,
    /// Sends parcels.
    Shipping,
    /// Writes confirmations, from a queue.
    Email,
    /// The database; it sends logs and metrics, no spans.
    Postgres,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 8] = [Self::Frontend, Self::Catalog, Self::Cart, Self::Checkout, Self::Payment, Self::Shipping, Self::Email, Self::Postgres];

    /// Its `service.name`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Catalog => "catalog",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Shipping => "shipping",
            Self::Email => "email",
            Self::Postgres => "postgres",
        }
    }

    /// How many instances of it run.
    pub fn instances(self) -> u8 {
        match self {
            Self::Frontend | Self::Cart => 3,
            Self::Catalog | Self::Checkout | Self::Payment => 2,
            Self::Shipping | Self::Email | Self::Postgres => 1,
        }
    }

    /// Language and version of its SDK, its own version, and how it is started.
    fn build(self) -> (&'static str, &'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Frontend => ("nodejs", "2.6.0", "4.12.1", &["node", "--enable-source-maps", "server.js"]),
            Self::Catalog => ("go", "1.41.0", "2.3.0", &["/app/catalog", "-listen", ":8080"]),
            Self::Cart => ("dotnet", "1.15.0", "1.9.4", &["dotnet", "Cart.dll"]),
            Self::Checkout => ("go", "1.41.0", "3.0.2", &["/app/checkout"]),
            Self::Payment => ("java", "1.58.0", "7.1.0", &["java", "-Xmx512m", "-jar", "payment.jar"]),
            Self::Shipping => ("rust", "0.33.0", "0.8.1", &["/usr/bin/shipping"]),
            Self::Email => ("python", "1.45.2", "1.2.0", &["python", "-m", "email_worker"]),
            Self::Postgres => ("go", "0.150.0", "17.6", &["postgres"]),
        }
    }

    /// The scope of what it instruments.
    pub(crate) fn scope(self) -> InstrumentationScope {
        let (language, version, ..) = self.build();
        let name = if self == Self::Postgres { "collector/postgresqlreceiver".to_owned() } else { format!("shop/{}/{language}", self.name()) };
        InstrumentationScope { name, version: version.to_owned(), ..InstrumentationScope::default() }
    }
}

/// One running instance of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// Of which service.
    pub service: Service,
    /// From 0.
    pub number: u8,
}

impl Instance {
    /// All instances of the shop.
    pub fn all() -> impl Iterator<Item = Self> {
        Service::ALL.into_iter().flat_map(|service| (0..service.instances()).map(move |number| Self { service, number }))
    }

    /// Dice for one purpose of this instance.
    pub(crate) fn dice(self, seed: u64, words: &[u64]) -> Dice {
        let own = [0x0005_ecb0, self.service as u64, u64::from(self.number)];
        Dice::new(seed, &[&own, words].concat())
    }

    /// The name of its pod: other runs of the shop have others.
    pub(crate) fn pod(self, seed: u64) -> String {
        let mut dice = self.dice(seed, &[1]);
        format!("{}-{}-{}", self.service.name(), hex::encode(dice.id::<4>()), hex::encode(&dice.id::<8>()[..3]))
    }

    /// Its resource, as its SDK would describe it.
    pub(crate) fn resource(self, seed: u64) -> Resource {
        let (language, sdk, version, command) = self.service.build();
        let pod = self.pod(seed);
        let mut dice = self.dice(seed, &[2]);
        let attributes = vec![
            text("service.name", self.service.name()),
            text("service.namespace", "shop"),
            text("service.version", version),
            text("service.instance.id", pod.clone()),
            text("deployment.environment.name", "demo"),
            text("host.name", format!("node-{}", 1 + dice.below(4))),
            text("k8s.namespace.name", "shop"),
            text("k8s.pod.name", pod),
            text("cloud.region", "eu-central-1"),
            int("process.pid", 1 + dice.below(40) as i64),
            texts("process.command_args", command),
            text("telemetry.sdk.language", language),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", sdk),
        ];
        Resource { attributes, ..Resource::default() }
    }
}

/// What goes wrong. Times are aligned to the clock, so that every run of the shop suffers at the same minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// The bank does not answer: charges time out, checkouts fail.
    PaymentOutage,
    /// The database is slow: the catalog is, and everything that needs it.
    SlowDatabase,
}

/// One outage of the payment in this many seconds.
const PAYMENT_OUTAGE_EVERY: u64 = 15 * 60;
/// From this second of the period on.
const PAYMENT_OUTAGE_FROM: u64 = 4 * 60;
/// For this many seconds.
const PAYMENT_OUTAGE_LASTS: u64 = 4 * 60;
const SLOW_DATABASE_EVERY: u64 = 20 * 60;
const SLOW_DATABASE_FROM: u64 = 12 * 60;
const SLOW_DATABASE_LASTS: u64 = 3 * 60;

/// What goes wrong at a time in nanoseconds.
pub fn incident(at_ns: u64) -> Option<Incident> {
    let second = at_ns / SECOND;
    let is_within = |every: u64, from: u64, lasts: u64| (from..from + lasts).contains(&(second % every));
    if is_within(PAYMENT_OUTAGE_EVERY, PAYMENT_OUTAGE_FROM, PAYMENT_OUTAGE_LASTS) {
        Some(Incident::PaymentOutage)
    } else if is_within(SLOW_DATABASE_EVERY, SLOW_DATABASE_FROM, SLOW_DATABASE_LASTS) {
        Some(Incident::SlowDatabase)
    } else {
        None
    }
}

/// How busy the shop is at a time, around 1: a slow wave and a faster one.
pub(crate) fn demand(at_ns: u64) -> f64 {
    let seconds = (at_ns / SECOND) as f64;
    1.0 + 0.3 * (seconds / 840.0 * std::f64::consts::TAU).sin() + 0.12 * (seconds / 97.0 * std::f64::consts::TAU).sin()
}
