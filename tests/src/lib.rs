//! Starts real servers for whole-server tests.
