# Two commands: `make run` builds and starts Signalbox, `make test` runs every test.
# Build output and installed test tools live outside of the clone, in $(SIGNALBOX_CACHE).

SHELL := /bin/bash
SIGNALBOX_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/signalbox
export SIGNALBOX_CACHE
export CARGO_TARGET_DIR ?= $(SIGNALBOX_CACHE)/target
ARGS ?=

.PHONY: run test build web bench bench-logs bench-traces bench-rules bench-build help

help:
	@echo 'make run    build the web UI and the server, start it with the embedded store (ARGS="--http-listen 0.0.0.0:4400" to add flags)'
	@echo 'make test   install what the tests need, run all of them'
	@echo 'make build  build without starting'
	@echo 'make bench, bench-logs, bench-traces, bench-rules  compare with other systems, see tests/bench/README.md (VM_BIN=... VL_BIN=... LOKI_BIN=...)'

run: build
	@echo '== starting: open http://127.0.0.1:4400 (Ctrl-C stops; `make run ARGS=--demo` adds demo data)'
	@"$(CARGO_TARGET_DIR)/debug/signalbox" serve $(ARGS)

build: web
	@tests/need cargo
	@echo '== building the server (first time: about 6 minutes on 2 cores; afterwards seconds)'
	@cargo build --workspace --locked

web:
	@tests/need node
	@tests/web-build

test:
	@tests/all

bench-build: web
	@tests/need cargo
	@echo '== building with optimisations (first time: about 15 minutes on 2 cores)'
	@cargo build --release --workspace --locked --bins
	@cargo build --release --locked -p signalbox-demo --example load

bench: bench-build
	@SIGNALBOX_BIN=$(or $(SIGNALBOX_BIN),$(CARGO_TARGET_DIR)/release/signalbox) \
		python3 tests/bench/metrics.py --load $(CARGO_TARGET_DIR)/release/examples/load $(ARGS)

bench-logs: bench-build
	@SIGNALBOX_BIN=$(or $(SIGNALBOX_BIN),$(CARGO_TARGET_DIR)/release/signalbox) \
		python3 tests/bench/logs.py --load $(CARGO_TARGET_DIR)/release/examples/load $(ARGS)

bench-traces: bench-build
	@SIGNALBOX_BIN=$(or $(SIGNALBOX_BIN),$(CARGO_TARGET_DIR)/release/signalbox) \
		python3 tests/bench/traces.py --load $(CARGO_TARGET_DIR)/release/examples/load $(ARGS)

bench-rules: bench-build
	@SIGNALBOX_BIN=$(or $(SIGNALBOX_BIN),$(CARGO_TARGET_DIR)/release/signalbox) \
		python3 tests/bench/rules.py --load $(CARGO_TARGET_DIR)/release/examples/load --rounds 1 $(ARGS)
