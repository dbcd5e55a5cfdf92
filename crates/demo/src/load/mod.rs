//! Load for measuring: data sets that are the same to the byte wherever they are made, so that systems can be compared.
//!
//! Everything follows from a seed and from identifiers, nothing from what was made before it. [`metrics`] is data set M1: node exporters,
//! containers and HTTP services scraped every 15 s; [`logs`] is data set L1, [`traces`] is T1. `cargo run --release -p signalbox-demo --example load` sends it.

mod draw;
mod events;
pub mod logs;
pub mod metrics;
mod series;
pub mod traces;
mod wire;

/// SplitMix64's finaliser of the next state.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that follows from two.
fn mix2(a: u64, b: u64) -> u64 {
    mix(mix(a) ^ b)
}

/// From 0 to 1, 1 excluded.
fn unit(x: u64) -> f64 {
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

/// The services of the data sets.
const SERVICES: [&str; 20] = [
    "gateway",
    "frontend",
    "catalog",
    "search",
    "cart",
    "auth",
    "user",
    "recommendation",
    "checkout",
    "payment",
    "inventory",
    "shipping",
    "currency",
    "email",
    "ads",
    "billing",
    "fraud",
    "notification",
    "analytics",
    "scheduler",
];

/// Pods of one service.
const PODS: usize = 10;
/// Machines.
const NODES: usize = 20;

fn namespace(service: usize) -> &'static str {
    ["shop", "shop", "platform", "data"][service % 4]
}

/// Name of a pod, another in each generation.
fn pod_name(service: usize, pod: usize, generation: u64) -> String {
    let suffix = mix2(0x50d, (service as u64) << 32 | (pod as u64) << 16 | generation) & 0xf_ffff;
    let replica_set = mix2(0x55, service as u64) % 0xfff_ffff;
    format!("{}-{replica_set:07x}-{suffix:05x}", SERVICES[service])
}

fn node_of(service: usize, pod: usize) -> usize {
    (service * 7 + pod * 3) % NODES
}

fn node_name(node: usize) -> String {
    format!("ip-10-0-{}-{}", node / 8, 10 + node)
}
