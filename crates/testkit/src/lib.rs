//! Manual clock, simulated disk with faults, script runner: for tests only
