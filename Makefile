# Two commands are enough: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check install bench conformance fuzz lock clean
.DEFAULT_GOAL := demo

# pip trusts what its own configuration names; uv is to trust what the machine does (a company's proxy), where it says.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= 1
endif

# The environment is made anew when the lock file or the project file changes.
$(VENV)/.installed: requirements.lock pyproject.toml setup.py $(wildcard autoscale/solve/kernel/*.[ch])
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/.installed

demo: install
	@$(BIN)/autoscale demo

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m tests.cluster.controlplane.build
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

# Side by side with the peers, on the same files in the same run; writes docs/benchmarks.md.
bench: install
	$(BIN)/python -m benchmarks

# The engine's verdicts against the real kube-scheduler's; the last line is cases, disagreements,
# whole plans carried out, and the share of pods that the scheduler bound where they were planned.
# PODS=unchanged carries the plans out as in a cluster whose pods may not be changed.
N    ?= 5000
PLANS ?= 20
SEED ?= 1
conformance: install
	@$(BIN)/python -m tests.cluster.controlplane.build
	@$(BIN)/python -m tests.conformance -n $(N) --seed $(SEED) --plans $(PLANS) $(if $(filter unchanged,$(PODS)),--pods-unchanged)

# Random fault schedules, N for each provider from SEED on, and a tenth of that for the whole engine; the last line is schedules and failures. One that fails is
# shrunk and kept in tests/contract/schedules, where `make test` plays it again.
fuzz: install
	@$(BIN)/python -m tests.contract -n $(N) --seed $(SEED)

clean:
	rm -rf $(VENV) build *.egg-info

# Makes the lock files anew from pyproject.toml: all that is needed here, and what the image needs.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header pyproject.toml

lock:
	$(LOCK) --extra dev -o requirements.lock
	$(LOCK) -o deploy/requirements.lock
