# Two commands for a fresh machine: `make demo` (index, search, figures) and `make test` (every test).
# Each fetches what it needs: Rust's crates by cargo, ONNX Runtime's library by pip. A second run is quick.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIFOCAL := $(TARGET)/release/bifocal
ONNXRUNTIME_VERSION := 1.32.0
ONNXRUNTIME := $(TARGET)/onnxruntime/$(ONNXRUNTIME_VERSION)
OPENSEARCH_VERSION := $(shell sed -n 's|.*<opensearch.version>\(.*\)</opensearch.version>.*|\1|p' tests/opensearch/pom.xml)
OPENSEARCH := $(TARGET)/opensearch/$(OPENSEARCH_VERSION)
CLIENTS := $(TARGET)/clients
DEMO := $(TARGET)/demo
DEMO_QUERY := what is the lift of a wing in the slipstream of a propeller

.PHONY: help demo test lint build browser onnxruntime opensearch clients models bench clean-demo

help: ## What there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: build ## Index 1,400 abstracts, search them under four plans, print how good each plan is
	@echo "== Index fixtures/cranfield (1,400 abstracts); a second run embeds nothing"
	@$(BIFOCAL) index $(DEMO)/cranfield.idx fixtures/cranfield
	@echo; echo "== One query, four plans"
	@$(BIFOCAL) search $(DEMO)/cranfield.idx "$(DEMO_QUERY)" --plan lexical,dense,hybrid,hybrid-rerank --size 5
	@echo "== How good each plan is over 225 judged queries"
	@$(BIFOCAL) eval fixtures/cranfield --index $(DEMO)/cranfield.idx --plans lexical,dense,hybrid,hybrid-rerank \
	  --html $(DEMO)/report.html
	@echo; echo "== The whole report: $(DEMO)/report.html"

test: tools onnxruntime opensearch clients browser ## Every test
	cargo test --locked --lib --bins --tests
	cargo test --locked --doc

lint: ## Format and lint, as .ci/run checks them
	cargo fmt --all -- --check
	cargo clippy --locked --all-targets -- -D warnings

.PHONY: tools
tools:
	@command -v cargo >/dev/null || { echo "make: cargo is missing; install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "make: a C++ compiler is missing; install g++ or clang" >&2; exit 1; }

browser: ## Chromium, in which the tests open the pages that Bifocal writes
	@test -n "$${BIFOCAL_BROWSER:-}" || command -v chromium chromium-browser google-chrome >/dev/null || { \
	  if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	    echo "installing chromium" && apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "make: no browser for the tests; install Chromium (Debian: apt-get install chromium) or set BIFOCAL_BROWSER to the program" >&2; exit 1; \
	  fi; }

build: tools onnxruntime ## The release binary
	cargo build --locked --release

onnxruntime: $(if $(ORT_DYLIB_PATH),,$(ONNXRUNTIME)) ## ONNX Runtime's shared library, from its Python package

# The library is taken out of the wheel; nothing is installed into any Python.
$(ONNXRUNTIME):
	@command -v python3 >/dev/null || { echo "make: python3 is missing; it fetches ONNX Runtime (or set ORT_DYLIB_PATH to your own libonnxruntime)" >&2; exit 1; }
	@echo "fetching ONNX Runtime $(ONNXRUNTIME_VERSION)"
	@rm -rf $(TARGET)/onnxruntime && mkdir -p $(TARGET)/onnxruntime/wheel
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
	    --dest $(TARGET)/onnxruntime/wheel onnxruntime==$(ONNXRUNTIME_VERSION) \
	  || { echo "make: pip could not fetch onnxruntime $(ONNXRUNTIME_VERSION); check the network and pip's index, or set ORT_DYLIB_PATH" >&2; exit 1; }
	@cd $(TARGET)/onnxruntime && python3 -c 'import glob, os, zipfile; \
	  wheel = zipfile.ZipFile(glob.glob("wheel/*.whl")[0]); \
	  names = [n for n in wheel.namelist() if "/capi/libonnxruntime" in n and "providers" not in n]; \
	  [open(os.path.basename(n), "wb").write(wheel.read(n)) for n in names]; \
	  os.path.exists("libonnxruntime.so") or [os.symlink(os.path.basename(n), "libonnxruntime.so") for n in names if ".so." in n][:1]'
	@rm -rf $(TARGET)/onnxruntime/wheel && touch $@

# Tests take recorded answers where this finds no Maven, no JDK that runs OpenSearch, or no network.
opensearch: ## A real OpenSearch for the tests, from Maven Central (72 MB); skipped without mvn or a JDK of 21 or later
	@if [ -e $(OPENSEARCH)/ready ] && [ -z "$$(find tests/opensearch -type f -newer $(OPENSEARCH)/ready)" ]; then exit 0; fi; \
	jdk=$$(for home in "$${JAVA_HOME:-}" /usr/lib/jvm/*; do \
	  if [ -x "$$home/bin/javac" ] && grep -qsE '^JAVA_VERSION="(2[1-9]|[3-9][0-9])' "$$home/release"; then echo "$$home"; break; fi; done); \
	if ! command -v mvn >/dev/null || [ -z "$$jdk" ]; then \
	  echo "make: no mvn, or no JDK of 21 or later (JAVA_HOME, /usr/lib/jvm); tests take OpenSearch's recorded answers"; exit 0; \
	fi; \
	echo "fetching OpenSearch $(OPENSEARCH_VERSION)"; rm -rf $(OPENSEARCH); \
	if mvn -q -B -f tests/opensearch/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(OPENSEARCH)/lib; then \
	  python3 tests/opensearch/unpack_knn.py $(OPENSEARCH)/lib && \
	  "$$jdk"/bin/javac -cp '$(OPENSEARCH)/lib/*' -d $(OPENSEARCH)/classes $$(find tests/opensearch -name '*.java') && touch $(OPENSEARCH)/ready; \
	else echo "make: Maven could not fetch OpenSearch $(OPENSEARCH_VERSION); tests take its recorded answers" >&2; fi

# Each is a folder of its own with every package pinned; nothing is installed into any Python or Node. Their tests say so and are
# skipped where python3 or npm is missing.
clients: ## Elasticsearch's official clients for their tests: Python's 8 and 9, JavaScript's 8 and 9 (160 MB)
	@if command -v python3 >/dev/null; then for version in 8 9; do \
	  wanted=tests/clients/python/requirements-$$version.txt; folder=$(CLIENTS)/python-$$version; \
	  cmp -s $$wanted $$folder/ready && continue; \
	  echo "fetching Elasticsearch's Python client $$version"; rm -rf $$folder; \
	  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --target $$folder -r $$wanted && cp $$wanted $$folder/ready; \
	done; else echo "make: no python3; the Python clients are not tested"; fi
	@if command -v npm >/dev/null; then \
	  wanted=tests/clients/javascript/package-lock.json; folder=$(CLIENTS)/javascript; \
	  if ! cmp -s $$wanted $$folder/ready; then \
	    echo "fetching Elasticsearch's JavaScript clients"; rm -rf $$folder; mkdir -p $$folder; \
	    cp tests/clients/javascript/package.json $$wanted $$folder/ && \
	    (cd $$folder && npm ci --silent --no-audit --no-fund) && cp $$wanted $$folder/ready; \
	  fi; else echo "make: no npm; the JavaScript clients are not tested"; fi

models: ## Make the model files in models/ anew (Python, pip, mvn; not needed to use them)
	$(MAKE) -C models/prepare

.PHONY: train
train: build ## Train the cross-encoders anew: make train PAIRS=FOLDER (hours on a CPU; see training/README.md)
	$(MAKE) -C training train PAIRS=$(abspath $(or $(PAIRS),$(error say where the pairs are: make train PAIRS=../shared/training))) BIFOCAL=$(BIFOCAL)

bench: onnxruntime ## The measurements that README.md cites
	cargo bench --locked

clean-demo: ## Forget the demo's index
	rm -rf $(DEMO)
