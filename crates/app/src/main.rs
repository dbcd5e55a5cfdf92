//! The only binary.

use std::process::ExitCode;

/// Freed memory goes back early and threads do not contend: an ingest server allocates on one thread and frees on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    signalbox_app::cli::run()
}
