# make demo             everything once, on clips that are drawn for it (VIDEO_DIR=...
#                       on yours)
# make check            lint, types and the tests that take seconds: after each change
# make test             lint, types and all tests but the next two
# make test-benchmarks  the scripts of benchmarks/, on tiny input
# make test-corpus      330 damaged clips
# make coverage         all tests but test-corpus, and which lines they reach
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

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo check test test-benchmarks test-corpus coverage package env lint
.DEFAULT_GOAL := env

env: $(VENV)/installed

$(VENV)/installed: setup.py
	@echo "Making $(VENV); TensorFlow is large, this can take some minutes"
	$(FOUND) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,beam,onnx,serving]'
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

package: env
	rm -rf dist $(VENV)-wheel
	$(BIN)/python -m build
	$(FOUND) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --no-compile dist/*.whl
	$(VENV)-wheel/bin/python -I .ci/check_wheel.py .
	rm -rf $(VENV)-wheel

# --- the demo: clips -> shards -> training -> export -> video -> report ---------

DATASET ?= hmdb51
DATA_FLAGS ?= --flow_method=dis
TRAIN_FLAGS ?=
CLIPS := $(or $(VIDEO_DIR),demo/clips)

demo: env
	rm -rf demo/clips demo/tfrecords demo/run demo/exported
	mkdir -p demo
	$(if $(VIDEO_DIR),,$(BIN)/python tools/make_sample_clips.py \
	    --output_dir=$(CLIPS) --num_clips=200)
	$(BIN)/python tools/make_tfrecords.py --video_dir=$(CLIPS) --dataset=$(DATASET) \
	    --output_dir=demo/tfrecords $(DATA_FLAGS)
	$(BIN)/python -m motionflow.train --flagfile=configs/demo.flags \
	    --data_dir=demo/tfrecords --run_dir=demo/run $(TRAIN_FLAGS)
	$(BIN)/python tools/make_report.py --run_dir=demo/run \
	    --data_dir=demo/tfrecords --split=test
	$(BIN)/python -m motionflow.export --run_dir=demo/run --export_dir=demo/exported \
	    $(if $(VIDEO_DIR),,--data_licence='drawn by motionflow, Apache 2.0')
	$(BIN)/python tools/predict_video.py --model=demo/exported/1 --output=demo/video.mp4 \
	    --show_flow \
	    --input="$$( (find $(CLIPS) -path '*/walk/*.avi' | sort; \
	        find $(CLIPS) -name '*.avi' -o -name '*.mp4' | sort) | head -n 1)"
	@echo "Look at:"
	@echo "  demo/run/evaluation/test/report.html   how good it is, with figures and videos"
	@echo "  demo/video.mp4                         the video made of one frame, beside its flow"
	@echo "  demo/exported/1                        the model for TensorFlow Serving"
	@echo "  $(BIN)/python -m motionflow.demo --export_dir=demo/exported   your own picture"
	@echo "  $(BIN)/tensorboard --logdir=demo/run/logs  how training went"
