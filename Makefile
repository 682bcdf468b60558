# The two commands of the README. Everything happens in .venv; nothing but packages is downloaded.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test fuzz clean

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/pip install --quiet -e ".[api,judge,test]"
	touch $@

# Scores made-up answers to made-up questions through the real harness: no model, no torch, no data download.
demo: $(VENV)/.demo
	$(BIN)/lm_eval run --model recorded --model_args path=examples/sample_answers.jsonl \
	  --tasks nejumi_jaster --metadata '{"data": "sample"}' --output_path out/demo --log_samples

# Lint, types, tests. Tests run on all cores, each file on one (so one thread for torch), e2e's long ones first. Those that
# need a model (torch) or the real data skip with a reason where these are missing.
test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:cacheprovider --doctest-modules --ignore=lm_eval_ja/adapters lm_eval_ja
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

# An hour of each fuzz test; `make test` gives each a moment.
fuzz: $(VENV)/.test
	LM_EVAL_JA_FUZZ_SECONDS=3600 $(BIN)/pytest --timeout 0 tests/fuzz

clean:
	rm -rf $(VENV) out
