# `make help` lists what there is. Everything built goes to build/, everything run to var/.

BINARY := build/release/dwell
EXAMPLES := examples/2025-07-08-morning.ndjson examples/2025-07-08-afternoon.ndjson
DATABASE := var/examples.db
LISTEN ?= 127.0.0.1:8080
URL ?= http://$(LISTEN)
DATA_SECONDS ?= 60
BROKERS ?= 127.0.0.1:9092
TOPIC ?= device-events
CHAOS_ROUNDS ?= 200
FUZZ_SECONDS ?= 600
JOBS ?= $(shell nproc)
PART ?= all

.DEFAULT_GOAL := help
.PHONY: help deps deps-client deps-test deps-bench build run client data data-kafka test soak bench format check-format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

deps: ## Install the packages to build and run
	@scripts/install-packages build

deps-client: ## Install the packages to talk to the service
	@scripts/install-packages client

deps-test: ## Install the packages to test as well
	@scripts/install-packages build client test

deps-bench: ## Install the packages to measure
	@scripts/install-packages build bench

build: deps ## Build build/release/dwell
	@cmake --preset release -DBUILD_TESTING=OFF --log-level=WARNING >/dev/null
	@cmake --build build/release --target dwell -j $(JOBS)

run: build ## Replay the examples, show them and serve them on LISTEN until Ctrl-C
	@mkdir -p $(dir $(DATABASE))
	@scripts/serve-examples $(BINARY) $(DATABASE) $(LISTEN) $(EXAMPLES)

client: deps-client ## Post to the running service at URL and ask it with curl
	@scripts/show-client $(URL)

data: deps-client ## Play the examples to the service at URL as of now, in DATA_SECONDS
	@scripts/stream-examples --seconds $(DATA_SECONDS) $(URL) $(EXAMPLES)

data-kafka: deps-client ## Play the examples to TOPIC at BROKERS as of now, in DATA_SECONDS
	@scripts/install-python-tools
	@build/python/bin/python scripts/produce-examples --seconds $(DATA_SECONDS) $(BROKERS) $(TOPIC) $(EXAMPLES)

test: deps-test ## Build and run every test, with and without sanitizers
	@scripts/run-tests $(JOBS)

soak: deps-test ## The long tests: CHAOS_ROUNDS kills, FUZZ_SECONDS a fuzz target
	@DWELL_CHAOS_ROUNDS=$(CHAOS_ROUNDS) DWELL_FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-tests $(JOBS) 'chaos|fuzz'

bench: deps-bench ## Measure against the floors and print ratios; PART=core, service, kafka or store alone
	@cmake --preset bench
	@cmake --build build/bench -j $(JOBS)
	@/usr/bin/python3 bench/run.py build/bench --part $(PART)

format: ## Format the sources
	@git ls-files '*.cc' '*.h' '*.c' | xargs clang-format-16 -i

check-format: ## Say which sources are not formatted
	@scripts/check-format

clean: ## Remove everything built and run
	@rm -rf build var
