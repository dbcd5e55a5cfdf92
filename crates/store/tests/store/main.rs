//! The whole store through its door: on a real directory, and on a simulated disk that crashes, fails and rots.
#![allow(clippy::unwrap_used, reason = "tests")]

mod backup;
mod concurrent;
mod crash;
mod damage;
mod delete;
mod delete_rows;
mod durable;
mod faults;
mod follow;
mod keep;
mod ledger;
mod maintain;
mod rollup;
mod world;
