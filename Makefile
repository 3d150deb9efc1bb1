# jada: `make demo` and `make test` need Debian 12 or 13, or Ubuntu, root, Python >= 3.11 and make; they install the rest.
.DEFAULT_GOAL := help
.PHONY: help demo docs docs-outputs site docs-serve test test-here test-newest test-suites test-fuzz test-faults test-claude \
        test-rollouts test-pythons coverage measure-claude bench release deb lint types check tools \
        browser clean
SHELL := /bin/sh

TOOLS := .tools
UV := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
RUN := $(UV) run --frozen --no-sync
# Modules are compiled once, as pip does it, even where Python is told to write none: a jada that compiles all it imports
# anew takes twice the processor time.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE
# What the rehearsal fleet is made of, in Debian's names; the last four make Python environments, check the scripts, give a
# test a wrong clock, and read manual pages.
PACKAGES := systemd-container debootstrap dbus iproute2 openssh-client curl git python3-venv shellcheck faketime groff-base
LACKING := $(shell for p in $(PACKAGES); do dpkg-query -Wf '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: .venv/ready ## boot the rehearsal fleet and run the main job on it, telling what happens
	@$(RUN) sh docs/demo.sh

# Tests on lab hosts mostly wait: so many processes side by side as keep two cores busy, each with a lab of its own.
WORKERS := 4
PYTEST := $(RUN) pytest -q --numprocesses

test: .venv/ready browser ## every test: unit, protocol, lab tests on real systemd hosts, and each fault at a few steps
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync test-here test-newest

test-here:
	$(PYTEST) $(WORKERS) -m 'not claude' tests

# Little of the main job; the whole is `make test-suites`.
test-newest:
	JADA_LAB_SUITE=trixie JADA_TEST_LAB=newest $(RUN) pytest -q $(SHORT)

SUITES := bullseye bookworm trixie uutils
MAIN := tests/lab/test_main_job.py
SHORT := $(MAIN)::test_upgrade_drift_rollback $(MAIN)::test_an_agent_that_fails_on_the_new_model_is_put_back

test-suites: .venv/ready ## the main job, lies, faults and security on hosts of each suite (about an hour)
	@failed=; for suite in $(SUITES); do \
	    echo "On $$suite:"; \
	    JADA_LAB_SUITE=$$suite $(PYTEST) $(WORKERS) $(MAIN) tests/lab/test_lies.py tests/faults tests/security || \
	    failed="$$failed $$suite"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed on:$$failed" >&2; exit 1; }

docs: .venv/ready ## write what is made of the code: cli.md, findings.md, fleet.md and api.md in docs/, inventory/fleet.schema.json
	$(RUN) python docs/generate.py

docs-outputs: .venv/ready ## write what the commands print now into README and docs/, with their pictures (some minutes)
	JADA_WRITE_DOCS=1 $(RUN) pytest -q tests/lab/test_documents.py

# Zensical is the successor of Material for MkDocs, of the same people.
ZENSICAL := $(UV) tool run --quiet --from zensical==0.0.73 zensical

site: .venv/ready ## build the site of docs/ into build/site; a link that leads nowhere is an error
	$(RUN) python docs/site.py
	$(ZENSICAL) build --strict --config-file build/zensical.toml

docs-serve: .venv/ready ## build that site and serve it at http://localhost:8000
	$(RUN) python docs/site.py
	$(ZENSICAL) serve --config-file build/zensical.toml

test-fuzz: .venv/ready ## every reader of what others wrote, with more than 100,000 hostile inputs (about ten minutes)
	JADA_FUZZ=1 $(PYTEST) auto tests/fuzz

test-faults: .venv/ready ## each fault at every step of a change (about ten minutes)
	JADA_ALL_FAULTS=1 $(PYTEST) $(WORKERS) tests/faults tests/security

test-rollouts: .venv/ready ## rollouts of ten hosts: jada killed at twenty moments, all that may hang, probes, the guard (about an hour)
	JADA_ALL_ROLLOUTS=1 JADA_LAB_HOSTS=10 $(RUN) pytest -q tests/lab/test_rollouts.py tests/lab/test_hangs.py
	JADA_ALL_ROLLOUTS=1 $(RUN) pytest -q tests/unit/cli/compare tests/protocol/test_iam.py tests/protocol/test_ssm.py \
	    tests/protocol/test_lease.py tests/lab/test_probes.py tests/lab/test_guard.py tests/lab/test_plans.py \
	    tests/lab/test_lease.py

test-claude: .venv/ready .claude-cli/ready ## what jada says, against what the real Claude CLI asks for, in 270 configurations
	$(RUN) pytest -q tests/claude

# VERSION is that of claude-agent-sdk, whose wheel carries the CLI. What differs from the pinned one fails.
measure-claude: .venv/ready .claude-cli/ready ## measure another Claude CLI: make measure-claude VERSION=0.2.188
	$(UV) pip install --quiet --no-deps --target .claude-cli/$(VERSION) claude-agent-sdk==$(VERSION)
	JADA_CLAUDE=.claude-cli/$(VERSION)/claude_agent_sdk/_bundled/claude $(RUN) pytest -q --tb=line \
	    tests/claude/test_configurations.py -k measured

PYTHONS := 3.11 3.12 3.13 3.14

test-pythons: .venv/ready ## types and unit tests on each Python from 3.11 to 3.14 that this machine has
	.ci/pythons $(PYTHONS)

coverage: .venv/ready ## how much of each room the tests without hosts run, and the lines that they do not
	@rm -rf build/coverage && mkdir -p build/coverage
	$(RUN) coverage run -m pytest -q --numprocesses 2 tests/unit tests/protocol tests/fuzz
	$(RUN) coverage combine --quiet
	$(RUN) python -m tests.coverage_by_room

bench: .venv/ready benchmarks/.venv/ready ## measure jada against the floor and its peers, into benchmarks/RESULTS.md
	$(RUN) python -m benchmarks.bench $(BENCH)

benchmarks/.venv/ready: benchmarks/requirements.txt | tools
	$(UV) venv --quiet --clear benchmarks/.venv
	$(UV) pip install --quiet --python benchmarks/.venv/bin/python --requirements benchmarks/requirements.txt
	@touch $@

release: .venv/ready ## build wheel, sdist and SBOM into dist/, twice with the same bytes; licences and vulnerabilities
	.ci/release

deb: dist/SHA256SUMS ## build a Debian package of the release in dist/, for this Debian's Python
	.ci/deb

dist/SHA256SUMS:
	$(MAKE) release

check: lint types ## lint and types

# Pieces of a look that are not root's half of it.
OF_OTHERS := $(addprefix files/look/,user.sh transcripts.sh sandbox.sh ask-as-service.sh endpoint-as-service.sh measure-as-user.sh)

lint: .venv/ready ## ruff and shellcheck
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	cat files/change/host.sh files/change/fence.sh files/edit.sh files/change/transaction.sh files/change/journal.sh | shellcheck --shell=sh --severity=warning -
	cat $(filter-out $(OF_OTHERS),$(wildcard files/look/*.sh)) | shellcheck --shell=sh --severity=warning -
	cat files/look/shared.sh files/look/user.sh files/look/transcripts.sh | shellcheck --shell=sh --severity=warning -
	shellcheck --shell=sh --severity=warning --exclude=SC2154 files/look/ask-as-service.sh files/look/endpoint-as-service.sh
	shellcheck --shell=sh --severity=warning --exclude=SC2154 files/run-command.sh files/shell-command.sh
	shellcheck --shell=sh --severity=warning --exclude=SC2154 files/forget.sh
	cat files/change/fence.sh files/raise-fence.sh | shellcheck --shell=sh --severity=warning --exclude=SC2154 -
	shellcheck --shell=sh --severity=warning files/look/sandbox.sh files/look/measure-as-user.sh files/change/settings.sh files/lock.sh files/services.sh docs/demo.sh benchmarks/change.sh
	shellcheck --severity=warning .ci/run .ci/release .ci/deb .ci/pythons

types: .venv/ready ## mypy --strict
	@mkdir -p .mypy-path && ln -sfn .. .mypy-path/jada
	MYPYPATH=.mypy-path $(RUN) mypy -p jada

# Everything the lock file names, in .venv; made again when the lock changes.
.venv/ready: uv.lock pyproject.toml | tools
	$(UV) sync --frozen --quiet
	@touch $@

# The Claude CLI that the lock file pins; uv links it from its cache.
.claude-cli/ready: uv.lock pyproject.toml | tools
	UV_PROJECT_ENVIRONMENT=.claude-cli $(UV) sync --frozen --quiet --only-group claude --no-install-project
	@touch $@

tools:
ifneq ($(strip $(LACKING)),)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(LACKING)
endif
	@command -v $(UV) >/dev/null || { python3 -m venv $(TOOLS) && $(TOOLS)/bin/pip install --quiet uv; }

# What opens the page of `jada report` in the tests, and what Playwright's own node needs. Ubuntu has no such package: there
# these tests are skipped, but not in CI.
browser:
	@{ command -v chromium || command -v google-chrome; } >/dev/null && ldconfig -p | grep -q libatomic.so.1 || \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium libatomic1; } || \
	echo "No Chromium, so no test of the page in a browser." >&2

clean: ## remove what make made here (the rehearsal fleet's base image stays: /var/cache/jada-lab)
	rm -rf .venv .claude-cli benchmarks/.venv $(TOOLS) .mypy-path build *.egg-info .pytest_cache .mypy_cache .ruff_cache
