# The two commands of the README, and what contributors run. Everything happens in .venv; nothing but packages is downloaded.
# In an environment of your own, with its tools on the PATH: make check IN_PLACE=1
PYTHON ?= python3
VENV ?= .venv
EXTRA ?=
ifdef IN_PLACE
BIN :=
DEMO :=
TEST :=
else
BIN := $(VENV)/bin/
DEMO := $(VENV)/.demo
TEST := $(VENV)/.test
endif
# Each file on one core (so one thread for torch), the long ones first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo lint check test test-all fuzz docs clean

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)pip install --quiet --upgrade pip
	$(BIN)pip install --quiet -e .
	touch $@

# EXTRA: requirements beside ours, such as another lm_eval.
$(VENV)/.test: $(VENV)/.demo
	$(BIN)pip install --quiet -e ".[api,judge,math,test]" $(EXTRA)
	touch $@

# Scores made-up answers to made-up questions through the real harness: no model, no torch, no data download.
demo: $(DEMO)
	$(BIN)lm_eval run --model recorded --model_args path=examples/sample_answers.jsonl \
	  --tasks nejumi_jaster --metadata '{"data": "sample"}' --output_path out/demo --log_samples

lint: $(TEST)
	$(BIN)ruff check .
	$(BIN)ruff format --check .
	$(BIN)mypy

# While you work: lint, types, the docstrings' examples, and what needs neither lm-eval's task index nor a run. A minute or two.
check: lint
	$(BIN)pytest -q -p no:cacheprovider --doctest-modules --ignore=lm_eval_ja/adapters lm_eval_ja
	$(PYTEST) tests/unit

# Before you send: everything that needs no model, raw files, browser or broken machine.
test: lint
	$(BIN)pytest -q -p no:cacheprovider --doctest-modules --ignore=lm_eval_ja/adapters lm_eval_ja
	$(PYTEST) tests/e2e tests/harness tests/fuzz tests/unit

# Everything that this machine can run; what it can't skips with a reason.
test-all: lint
	$(BIN)pytest -q -p no:cacheprovider --doctest-modules --ignore=lm_eval_ja/adapters lm_eval_ja
	$(PYTEST)

# An hour of each fuzz test; `make test` gives each a moment.
fuzz: $(TEST)
	LM_EVAL_JA_FUZZ_SECONDS=3600 $(BIN)pytest --timeout 0 tests/fuzz

# The documentation as a site, in out/site; warnings are errors.
docs:
ifndef IN_PLACE
	$(PYTHON) -m venv $(VENV)
	$(BIN)pip install --quiet -e ".[docs]"
endif
	$(BIN)python scripts/docs_site.py out/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)mkdocs build --quiet

clean:
	rm -rf $(VENV) out
