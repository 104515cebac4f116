# `make demo` and `make test` create the environment first.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
MMINSTALL ?= requirements/mminstall.txt
STAMP := $(VENV)/.setup-stamp
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist worksteal
DATA ?= data/refvos-mini
WORK ?= work_dirs

.PHONY: help setup demo test test-slow test-official pytest torture fuzz lint docs \
    bench mini-data mini-sound-data mini-referformer mini-proxyformer mini-mutr-text \
    mini-mutr-sound mini-mutr-joint ablations mutr-motion proxyformer-motion \
    mini-motion-data

help:
	@echo 'make demo              test, run and train the mini model, under 5 minutes (FAST=1: about 2)'
	@echo 'make test              lint, type check and tests'
	@echo 'make test-slow         the tests that train or start many processes'
	@echo 'make test-official     all tests on mmcv 2.1.0, mmengine 0.10.7, mmdet 3.3.0'
	@echo 'make torture KILLS=26  kill a training so often: what it learns must not change'
	@echo 'make fuzz N=5000       damage so many files (SEED=0): each must be read, or refused in a line'
	@echo 'make lint              ruff, mypy and import-linter alone'
	@echo 'make docs              the pages of docs/, as docs/_build/html; warnings are errors'
	@echo 'make mini-referformer  train the small ReferFormer that the demo uses (an hour)'
	@echo 'make mini-proxyformer  train the small ProxyFormer (an hour)'
	@echo 'make mini-mutr-text    train the small MUTR on texts; -sound: on sounds; -joint: on both'
	@echo 'make ablations         train small models with one part changed each, write their table (2 hours)'
	@echo "make mutr-motion       train MUTR without MTA, MTI and both where only motion tells objects apart (90 minutes)"
	@echo 'make proxyformer-motion  the same for ReferFormer, CMIE, JSC and MUTR, three seeds each (5 hours)'
	@echo 'make bench             time models and the metric, as ratios within the run'

setup: $(STAMP)

# Made again whenever its files change; pip then only adds what is missing, and
# the wheel of mmcv comes from the cache.
$(STAMP): setup.py tools/setup_env.sh $(wildcard requirements/*.txt)
	@PYTHON=$(PYTHON) MMINSTALL=$(MMINSTALL) bash tools/setup_env.sh $(VENV)
	@touch $@

demo: $(STAMP)
	@$(PY) demo/demo.py $(if $(FAST),--fast)

test: lint pytest

# The same tests on the last official OpenMMLab releases, in a separate
# environment.
test-official:
	@$(MAKE) --no-print-directory pytest test-slow VENV=.venv-official \
	    MMINSTALL=requirements/mminstall-official.txt

# One worker per core, each with one thread.
pytest: $(STAMP)
	@$(PYTEST) -m 'not slow'

# Tests that train, or that start several processes.
test-slow: $(STAMP)
	@$(PYTEST) -m slow

# A training that is killed again and again learns the same.
KILLS ?= 26
torture: $(STAMP)
	@$(PY) -m tests.torture --kills $(KILLS)

# Small files of every format are damaged, and read.
N ?= 5000
SEED ?= 0
fuzz: $(STAMP)
	@OMP_NUM_THREADS=1 $(PY) -m tests.fuzz --inputs $(N) --seed $(SEED)

lint: $(STAMP)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

docs: $(STAMP)
	@$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html

# Short and long videos, bfloat16, several references, a training step; then the
# metric. Ratios are to the first row of each table.
BENCH := configs/referformer/referformer_r50_8xb1-6e_ref-youtube-vos.py
bench: $(STAMP)
	@$(PY) -W ignore tools/analysis_tools/benchmark.py $(BENCH) --frames 5 20 \
	    --against --frames 20 --amp bf16 --against --frames 5 --references 8
	@$(PY) -W ignore tools/analysis_tools/benchmark.py $(BENCH) --train --frames 2
	@$(PY) -W ignore tools/analysis_tools/benchmark_jf.py

mini-data: $(STAMP)
	@$(PY) tools/dataset_converters/make_mini.py $(DATA) --train 5000

mini-sound-data: $(STAMP)
	@$(PY) tools/dataset_converters/make_mini.py $(DATA)-sound --train 6000 \
	    --layouts avsbench-s4 avsbench-ms3

# Resumable: started again, it goes on from the last complete checkpoint.
mini-referformer: mini-data
	@$(PY) tools/train_mini.py configs/mini/backbone_mini.py \
	    configs/mini/referformer_mini_pretrain.py \
	    configs/mini/referformer_mini.py \
	    --work-dir $(WORK)/referformer_mini --out demo/weights/referformer_mini

mini-proxyformer: mini-data
	@$(PY) tools/train_mini.py configs/mini/backbone_mini.py \
	    configs/mini/proxyformer_mini_pretrain.py \
	    configs/mini/proxyformer_mini.py \
	    --work-dir $(WORK)/proxyformer_mini --out demo/weights/proxyformer_mini

# The three share their first stages, which are trained once.
mini-mutr-text: mini-data
	@$(PY) tools/train_mini.py configs/mini/backbone_mini.py \
	    configs/mini/mutr_mini_text_pretrain.py configs/mini/mutr_mini_text.py \
	    --work-dir $(WORK)/mutr_mini --out demo/weights/mutr_mini_text

mini-mutr-sound: mini-data mini-sound-data
	@$(PY) tools/train_mini.py configs/mini/backbone_mini.py \
	    configs/mini/vggish_mini.py configs/mini/mutr_mini_sound_pretrain.py \
	    configs/mini/mutr_mini_sound.py \
	    --work-dir $(WORK)/mutr_mini --out demo/weights/mutr_mini_sound

mini-mutr-joint: mini-data mini-sound-data
	@$(PY) tools/train_mini.py configs/mini/backbone_mini.py \
	    configs/mini/vggish_mini.py configs/mini/mutr_mini_text_pretrain.py \
	    configs/mini/mutr_mini_joint_pretrain.py configs/mini/mutr_mini_joint.py \
	    --work-dir $(WORK)/mutr_mini --out demo/weights/mutr_mini_joint \
	    --also-score configs/mini/mutr_mini_joint_sound.py

# Resumable; writes docs/ablations_mini.md and .csv.
ablations: mini-data
	@$(PY) tools/analysis_tools/ablation_table.py --iters 1500 \
	    --work-dir $(WORK)/ablations_mini

mini-motion-data: $(STAMP)
	@$(PY) tools/dataset_converters/make_mini.py data/refvos-mini-motion \
	    --scenes one-moves --train 4000

# The same for the temporal parts of MUTR, on other scenes; writes
# docs/mutr_motion_mini.md and .csv.
mutr-motion: mini-motion-data
	@$(PY) tools/analysis_tools/ablation_table.py --table mutr-motion \
	    --iters 1800 --work-dir $(WORK)/mutr_motion_mini

# And for those of ProxyFormer, with three seeds a row; writes
# docs/proxyformer_motion_mini.md and .csv.
proxyformer-motion: mini-motion-data
	@$(PY) tools/analysis_tools/ablation_table.py --table proxyformer-motion \
	    --iters 1800 --work-dir $(WORK)/proxyformer_motion_mini
