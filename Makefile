# `make help` lists what there is. Everything built goes to build/, everything run to var/.

BINARY := build/release/dwell
EXAMPLES := examples/2025-07-08-morning.ndjson examples/2025-07-08-afternoon.ndjson
DATABASE := var/examples.db
LISTEN ?= 127.0.0.1:8080
URL ?= http://$(LISTEN)
DATA_SECONDS ?= 60
BROKERS ?= 127.0.0.1:9092
TOPIC ?= device-events
KAFKA_PORT ?= 9092
POSTGRES_PORT ?= 5432
PROMETHEUS_PORT ?= 9090
COLLECTOR_PORT ?= 4318
LOCAL ?= var/local
PROFILE ?= store
COMPOSE := docker compose -f deploy/compose.yaml
CHAOS_ROUNDS ?= 200
FUZZ_SECONDS ?= 600
JOBS ?= $(shell nproc)
PART ?= all
OTLP_PACKAGE := scripts/install-backport opentelemetry-cpp-dev OTLP

.DEFAULT_GOAL := help
.PHONY: help deps deps-client deps-local deps-test deps-bench build run up down up-local down-local client data \
        data-kafka e2e need-compose quick test soak bench format check-format clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

deps: ## Install the packages to build and run
	@scripts/install-packages build
	@$(OTLP_PACKAGE)

deps-client: ## Install the packages to talk to the service
	@scripts/install-packages client

deps-local: ## Install the packages of Kafka and PostgreSQL without Docker
	@scripts/install-packages local

deps-test: ## Install the packages to test as well
	@scripts/install-packages build client test
	@$(OTLP_PACKAGE)

deps-bench: ## Install the packages to measure
	@scripts/install-packages build bench
	@$(OTLP_PACKAGE)

build: deps ## Build build/release/dwell
	@cmake --preset release -DBUILD_TESTING=OFF --log-level=WARNING >/dev/null
	@cmake --build build/release --target dwell -j $(JOBS)

run: build ## Replay the examples, show them and serve them on LISTEN until Ctrl-C
	@mkdir -p $(dir $(DATABASE))
	@scripts/serve-examples $(BINARY) $(DATABASE) $(LISTEN) $(EXAMPLES)

up: need-compose ## Start the whole system with Docker; PROFILE=connect: Kafka Connect as the store, observe: with Grafana
	@$(COMPOSE) --profile $(PROFILE) up --build --detach --wait
	@echo 'Dwell http://127.0.0.1:8080, Kafka 127.0.0.1:9092, PostgreSQL 127.0.0.1:5432, Kafka UI http://127.0.0.1:10015'
	@[ $(PROFILE) != observe ] || echo 'Grafana http://127.0.0.1:3000, Prometheus http://127.0.0.1:9090'
	@echo 'make client, make data and make e2e talk to it; make down ends it and keeps the data'

down: need-compose ## End what make up started; CLEAN=1 removes the data too
	@$(COMPOSE) --profile store --profile connect --profile observe down $(if $(CLEAN),--volumes)

need-compose:
	@docker compose version >/dev/null 2>&1 || { \
	  echo 'This needs Docker with its compose plugin; make up-local runs the same system without.' >&2; exit 1; }

up-local: build deps-local ## Start the whole system without Docker; OBSERVE=yes with Prometheus; LISTEN, KAFKA_PORT, LOCAL
	@scripts/local-system --folder $(LOCAL) up --binary $(BINARY) --listen $(LISTEN) \
	  --kafka-port $(KAFKA_PORT) --postgres-port $(POSTGRES_PORT) \
	  $(if $(OBSERVE),--observe --prometheus-port $(PROMETHEUS_PORT) --collector-port $(COLLECTOR_PORT))

down-local: ## End what make up-local started; CLEAN=1 removes the data too
	@scripts/local-system --folder $(LOCAL) down $(if $(CLEAN),--clean)

client: deps-client ## Post to the running service at URL and ask it with curl
	@scripts/show-client $(URL)

data: deps-client ## Play the examples to the service at URL as of now, in DATA_SECONDS
	@scripts/stream-examples --seconds $(DATA_SECONDS) $(URL) $(EXAMPLES)

data-kafka: deps-client ## Play the examples to TOPIC at BROKERS as of now, in DATA_SECONDS
	@scripts/install-python-tools
	@build/python/bin/python scripts/produce-examples --seconds $(DATA_SECONDS) $(BROKERS) $(TOPIC) $(EXAMPLES)

e2e: deps-client ## Post known events to the running system at URL and check its answers
	@scripts/check-system $(URL)

quick: deps-test ## Build and run the tests that need no server, in release: a minute after a build
	@scripts/run-quick-tests $(JOBS)

test: deps-test ## Build and run every test, with and without sanitizers
	@scripts/run-tests $(JOBS)

soak: deps-test ## The long tests: CHAOS_ROUNDS kills, FUZZ_SECONDS a fuzz target
	@DWELL_CHAOS_ROUNDS=$(CHAOS_ROUNDS) DWELL_FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-tests $(JOBS) 'chaos|fuzz'

bench: deps-bench ## Measure against the floors and print ratios; PART=core, service, kafka, store, serve, growth, window or telemetry alone
	@cmake --preset bench
	@cmake --build build/bench -j $(JOBS)
	@/usr/bin/python3 bench/run.py build/bench --part $(PART)

format: ## Format the sources
	@git ls-files '*.cc' '*.h' '*.c' | xargs clang-format-16 -i

check-format: ## Say which sources are not formatted
	@scripts/check-format

clean: ## Remove everything built and run
	@[ ! -e $(LOCAL) ] || scripts/local-system --folder $(LOCAL) down
	@rm -rf build var
