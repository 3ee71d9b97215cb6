# make demo             everything once, on clips that are drawn for it (VIDEO_DIR=...
#                       on yours, with DATASET=folder|hmdb51|ucf101)
# make check            lint, types and the tests that take seconds: after each change
# make test             lint, types and all tests but the next two
# make test-benchmarks  the scripts of benchmarks/, on tiny input
# make test-corpus      330 damaged clips
# make coverage         all tests but test-corpus, and which lines they reach
# make docs             the site of docs/, into site/
# make package          wheel and sdist, and the wheel in an environment of its own
# make env              only the environment: .venv-<version>, to activate and work in
#
# PYTHON=python3.12 selects another Python; its version selects the line of the stack.
# WORKERS=4 tests in so many processes; 2 is the default.

SUPPORTED := python3.11 python3.10 python3.12 python3.13
PYTHON ?= $(SUPPORTED)
FOUND := $(shell sh .ci/find_python $(PYTHON))
ifeq ($(FOUND),)
$(error None of these Pythons was found, with its venv module: $(PYTHON))
endif
VENV := .venv-$(shell $(FOUND) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
BIN := $(VENV)/bin

.PHONY: demo check test test-benchmarks test-corpus coverage docs package env lint
.DEFAULT_GOAL := env

env: $(VENV)/installed

$(VENV)/installed: setup.py
	@echo "Making $(VENV); TensorFlow is large, this can take some minutes"
	$(FOUND) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,beam,onnx,serving]' \
	    --config-settings editable_mode=compat  # found beside a folder of that name
	touch $@

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Files stay whole: their fixtures are made once.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

check: lint
	$(PYTEST) -m 'not (slow or benchmark or corpus)'

test: lint
	$(PYTEST) --durations=25

test-benchmarks: env
	$(PYTEST) -m benchmark

test-corpus: env
	$(PYTEST) -m corpus

coverage: env
	$(PYTEST) -m 'not corpus' --cov --cov-report=term:skip-covered

docs: env
	rm -rf site
	$(BIN)/python -m sphinx --fail-on-warning --quiet docs site

package: env
	rm -rf dist $(VENV)-wheel
	$(BIN)/python -m build
	$(FOUND) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --no-compile dist/*.whl
	$(VENV)-wheel/bin/python -I .ci/check_wheel.py .
	rm -rf $(VENV)-wheel

# --- the demo: clips -> data -> training -> report, export, film ----------------
#
# Run again it goes on, or says that it is finished; it deletes nothing.
# TRAIN_FLAGS=--model=allconv trains a network from nothing.

DATASET ?= hmdb51
DATA_FLAGS ?=
TRAIN_FLAGS ?=
CLIPS := $(or $(VIDEO_DIR),demo/clips)
RUN := demo/run$(if $(VIDEO_DIR),-$(notdir $(abspath $(VIDEO_DIR))))

demo: env $(if $(VIDEO_DIR),,demo/clips/.complete)
	$(BIN)/motionflow train $(CLIPS) --dataset=$(DATASET) --run_dir=$(RUN) $(strip \
	    $(if $(VIDEO_DIR),,--data_licence='drawn by motionflow, Apache 2.0') \
	    $(DATA_FLAGS) $(TRAIN_FLAGS))
	$(BIN)/motionflow animate docs/photo.jpg --output=demo/photo.mp4 \
	    --arrow=101,60:134,58 --pin=106,180
	@echo "demo/photo.mp4   a photograph whose shoulder is dragged, by the model in the box"
	@echo "$(BIN)/motionflow serve   opens a page that does it with a picture of yours"

demo/clips/.complete: | env
	$(BIN)/motionflow sample-clips demo/clips --num_clips=200
	@touch $@
