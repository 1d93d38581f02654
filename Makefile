# Thin on purpose: each target names the script that does the work. Everything works in .venv/ and build/, made on first use.
PYTHON3 ?= python3
PY := .venv/bin/python
APPS ?=
N ?= 20000
SEED ?= 1
DJANGO ?= 5
PYTHON6 ?=
PACKAGES ?=

# Every target is one to run, none a file.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build:  ## install what is missing, compile the core, the shell and the extension
	@$(PYTHON3) tools/bootstrap.py

demo: build  ## the flights site on its own MongoDB: migrate, load, serve; prints address and password
	@$(PY) tools/demo.py start

demo-check: build  ## the same without a person: logs in, searches, adds, edits, deletes, restarts
	@$(PY) tools/demo.py check

demo-stop: build  ## stop the site and its MongoDB
	@$(PY) tools/demo.py stop

test:  ## everything that CI runs; ends with "N passed, N failed"
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tools/run_tests.py

test-core: build  ## C unit tests and golden tests; no server, seconds
	@$(PY) tools/run_tests.py core

test-sanitize: build  ## the same under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(PY) tools/run_tests.py sanitize

test-server: build  ## the C tests that need a MongoDB
	@$(PY) tools/run_tests.py sanitize server

test-valgrind: build  ## the C unit tests and the golden tests under valgrind (apt-get install valgrind)
	@$(PY) tools/run_tests.py valgrind

test-layers: build  ## the allowed include edges
	@$(PY) tools/run_tests.py layers

test-dbapi: build  ## PEP 249, types, threads, fork, leaks
	@$(PY) tools/run_tests.py dbapi

test-logic:  ## the same SQL on MongoDB and on SQLite/PostgreSQL
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tools/run_tests.py logic

test-concurrency:  ## transactions, schema changes and failures, several connections at once
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tools/run_tests.py concurrency

test-embedded: build  ## the embedded MongoDB: private, found again, crash-safe
	@$(PY) tools/run_tests.py embedded

test-backend: build  ## the Django backend's own tests
	@$(PY) tools/run_tests.py backend

test-models: build  ## the model fields, on a server
	@$(PY) tools/run_tests.py models

test-orm: build  ## Django's ORM: known traps, and what hurt users of earlier djongos
	@$(PY) tools/run_tests.py orm

test-shell: build  ## the sqm program
	@$(PY) tools/run_tests.py shell

test-plans: build  ## what queries over 20,000 books read: documents, keys, round trips
	@$(PY) tools/run_tests.py plans

test-legacy: build  ## databases of djongo 1.3 and of the official backend, ENFORCE_SCHEMA, djongo_diff
	@$(PY) tools/run_tests.py legacy

test-djongo13: build  ## the same on a database that djongo 1.3.7 writes now
	@$(PY) tools/run_tests.py djongo13

test-browser:  ## the admin of examples/blog in headless Chromium; screenshots in .cache/browser/
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tools/run_tests.py browser

test-docs: build  ## the dumps in docs/ are what sqm prints today
	@$(PY) tools/run_tests.py docs

test-django: build  ## Django's own suite, compared with SQLite; APPS="basic admin_views" for some apps
	@$(PY) tests/django_suite/run.py --against-sqlite --out .cache/django-suite.json $(APPS)

test-django6: build  ## the same on the newest Django 6 and Python 3.12 or newer (PYTHON6=/path names one)
	@$(PYTHON3) tools/bootstrap.py django6 $(PYTHON6)
	@$(PY) tests/django_suite/all.py --django 6 $(or $(APPS),$(shell grep -v '^#' tests/django_suite/apps.txt))

test-django-all: build  ## every app of Django's suite beside SQLite's counts; DJANGO=6 on Django 6, RESUME=1 goes on where it stopped
	@if [ "$(DJANGO)" = 6 ]; then $(PYTHON3) tools/bootstrap.py django6 $(PYTHON6); fi
	@$(PY) tests/django_suite/all.py --django $(DJANGO) $(if $(RESUME),--resume) $(APPS)

fuzz-logic:  ## N random statements and ORM queries (20000), of a SEED (1), compared with PostgreSQL
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tests/logic/fuzz.py -n $(N) -s $(SEED)

fuzz-parse: build  ## N changes of each file of the parser's corpus, under sanitizers: nothing breaks, what is read prints and reads alike
	@$(PY) tools/run_tests.py sanitize
	@build-sanitize/tests/fuzz/fuzz_parse --mutate $(N) tests/fuzz/corpus_parse

coverage:  ## statement coverage of core/ under all tests; fails below 90 %
	@$(PYTHON3) tools/bootstrap.py test
	@$(PY) tools/coverage.py

test-third-party: build  ## suites of packages from PyPI, with SQLite beside them; PACKAGES="django-mptt django-taggit" for some
	@$(PY) tests/third_party/run.py $(PACKAGES)

bench: build  ## the benchmarks of bench/
	@$(PY) bench/run.py

wheel: build  ## a wheel in dist/
	@PATH="$(CURDIR)/.venv/bin:$$PATH" pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove everything built (not the demo's database)
	rm -rf build build-sanitize dist .venv .cache djongo/_sqm*.so
