# Every target sets up what it needs; see scripts/setup.sh for what that is.
SHELL := /bin/bash
BUN := node_modules/.bin/bun
BIN := node_modules/.bin

.PHONY: setup demo demo-pods test fuzz check bench build format

setup:
	@scripts/setup.sh base

# KEEP=1 leaves the cluster running; DEMO_SECONDS=60 shows the table for longer.
demo:
	@scripts/setup.sh base demo
	@$(BUN) run scripts/build.ts
	@$(BUN) run packages/demo/src/mesh-demo.ts

# Two pods without a cluster: proxy-init and proxy by themselves.
demo-pods:
	@scripts/setup.sh base
	@$(BUN) run packages/demo/src/two-pods.ts

# TEST_SEED=random: properties are tried on other examples than in every run.
test:
	@scripts/setup.sh base test
	@scripts/run-tests.sh

# FUZZ_SECONDS=300 FUZZ_SEED=1 FUZZ_TARGETS=http1,http2: what test/fuzz does for seconds, for longer.
fuzz:
	@scripts/setup.sh npm
	@$(BUN) run scripts/fuzz.ts

check:
	@scripts/setup.sh npm
	@scripts/check.sh

bench:
	@scripts/setup.sh base bench
	@$(BUN) run bench/src/main.ts

build:
	@scripts/setup.sh npm
	@$(BUN) run scripts/build.ts

format:
	@$(BIN)/biome check --write .
