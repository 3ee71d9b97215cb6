# make demo   everything once, on clips that are drawn for it (VIDEO_DIR=... on yours)
# make test   lint and the whole test suite
# make env    only the environment: .venv-<version>, to activate and work in
#
# PYTHON=python3.12 selects another Python; its version selects the line of the stack.

SUPPORTED := python3.11 python3.10 python3.12 python3.13
PYTHON ?= $(SUPPORTED)
FOUND := $(shell sh .ci/find_python $(PYTHON))
ifeq ($(FOUND),)
$(error None of these Pythons was found, with its venv module: $(PYTHON))
endif
VENV := .venv-$(shell $(FOUND) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
BIN := $(VENV)/bin

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test env lint
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

test: env lint
	$(BIN)/python -m pytest

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
