//! Rebuilds the binary when the web UI was built again: it is embedded.

fn main() {
    // Without a UI the path does not exist, which makes cargo look again on every build: the first UI is noticed.
    println!("cargo:rerun-if-changed=../../web/dist");
}
