# make          builds build/netc and the runtime library; V=1 shows the commands
# make deps     installs what netc is built with, and makes libcjson.a
# make demo     the whole way: install, build, MNIST, train, predict
# make test     installs what is missing, builds, runs every test
# make test-slow  every large model built and trained for some steps: minutes
# make mnist    the four IDX files, in data/mnist/
# make fuzz N=1000000 TARGET=all   mutated inputs to everything that reads any, under sanitizers
# make sanitize      networks trained, tested and asked under three sanitizers, 1 to 16 threads
# make fuzz-networks N=2000 FROM=1   compiles N random networks both ways and compares
# make fuzz-pytorch N=500 FROM=1    random networks against the PyTorch of TORCH_PYTHON
# make test-quick    within a minute, for the inner loop; make lint: layout and suspicious code
# make bench    a table of speed, memory and size beside the peers of BENCH_PYTHON
# make plot RUN=run.json SVG=speed.svg PAGE=README.md   what make bench measured, as a picture and a table
# make mutants N=10000 FROM=1   models with one random fault each, and what is said of them
# make faults   every allocation and system call of every command fails once
# make kills N=2000   training runs and writers of files are killed and taken up again
# make costs SIZES=2000,4000,8000   time and memory of every command against doubled inputs
# make golden   rewrites the tests' expectations, for a diff to review
# make install  puts netc and its library under PREFIX

CC      = gcc
CFLAGS  = -O2 -g
BUILD   = build
PREFIX  = /usr/local
PYTHON  = /usr/bin/python3

# make WERROR=1 makes errors of warnings: for who changes netc, not for who has a newer compiler.
WERROR  =
STRICT  = $(if $(WERROR),-Werror)
WARN    = -std=c11 -D_GNU_SOURCE -Wall -Wextra $(STRICT) -MMD -MP
# A library that a shared one may take in; nobody replaces a function of it there.
PIC     = -fPIC -fno-semantic-interposition
COMPILER_SOURCES = $(wildcard compiler/*.c compiler/*/*.c compiler/*/*/*.c)
# What needs MPI is compiled into the trainers that are built with it.
RUNTIME_SOURCES  = $(filter-out runtime/ranks/mpi.c,$(wildcard runtime/*.c runtime/*/*.c))
GENERATED = $(BUILD)/compiler/front/parse.o $(BUILD)/compiler/front/lex.o
SHARED = output paths shown
COMPILER_OBJECTS = $(COMPILER_SOURCES:%.c=$(BUILD)/%.o) $(GENERATED) $(SHARED:%=$(BUILD)/compiler/runtime/core/%.o)
RUNTIME_F32 = $(RUNTIME_SOURCES:%.c=$(BUILD)/f32/%.o)
RUNTIME_F64 = $(RUNTIME_SOURCES:%.c=$(BUILD)/f64/%.o)

# One line per file made; make V=1 shows the commands themselves.
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@ &&)

all: $(BUILD)/netc $(BUILD)/libnet_f32.a $(BUILD)/libnet_f64.a

$(BUILD)/netc: $(COMPILER_OBJECTS)
	$(call say,LINK) $(CC) $(CFLAGS) -o $@ $^ -lcjson -lm

$(BUILD)/libnet_f32.a: $(RUNTIME_F32)
$(BUILD)/libnet_f64.a: $(RUNTIME_F64)
$(BUILD)/libnet_%.a:
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

# Generated code stays in build/ and answers to fewer warnings than ours.
$(BUILD)/compiler/front/parse.c: compiler/front/parse.y
	@mkdir -p $(@D)
	$(call say,BISON) bison -Wall $(STRICT) --defines=$(@:.c=.h) -o $@ $<
$(BUILD)/compiler/front/lex.c: compiler/front/lex.l $(BUILD)/compiler/front/parse.c
	@mkdir -p $(@D)
	$(call say,FLEX) flex -o $@ $<
$(BUILD)/compiler/front/%.o: $(BUILD)/compiler/front/%.c
	$(call say,CC) $(CC) $(CFLAGS) $(WARN) -Wno-unused-function -Wno-sign-compare -Wno-unused-but-set-variable -Icompiler -Iruntime -I$(BUILD)/compiler/front -c -o $@ $<
$(BUILD)/compiler/%.o: compiler/%.c | $(BUILD)/compiler/front/parse.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS) $(WARN) -Icompiler -Iruntime -I$(BUILD)/compiler/front -c -o $@ $<
# What both have: it knows nothing of NET_REAL.
$(BUILD)/compiler/runtime/core/%.o: runtime/core/%.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS) $(WARN) -Iruntime -c -o $@ $<

$(BUILD)/f32/runtime/%.o: runtime/%.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS) $(WARN) $(PIC) -DNET_REAL=float -Iruntime -c -o $@ $<
$(BUILD)/f64/runtime/%.o: runtime/%.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS) $(WARN) $(PIC) -DNET_REAL=double -Iruntime -c -o $@ $<

# Debian packages, only those that are missing; sudo only when not root.
TO_BUILD = gcc libc6-dev flex bison libcjson-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev patch xz-utils
TO_FETCH = curl ca-certificates python3-pip
TO_TEST  = python3 python3-pytest python3-numpy python3-pytest-xdist clang graphviz neovim libopenmpi-dev openmpi-bin
TO_FUZZ  = clang libclang-rt-dev
TO_LINT  = clang-format cppcheck black
APT      = $(if $(filter 0,$(shell id -u)),,sudo) env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300
present  = $(shell dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(1) 2>/dev/null | sed -n 's/ installed$$//p')
missing  = $(filter-out $(call present,$(1)),$(1))
install  = @$(if $(call missing,$(1)),if ! command -v apt-get >/dev/null; then echo "no apt-get here; needed: $(1)"; \
	else $(APT) install --no-install-recommends $(call missing,$(1)) || \
	{ $(APT) update && $(APT) install --no-install-recommends $(call missing,$(1)); }; fi,:)
# Debian has no package of the static library that trainers are linked with: see the script.
CJSON    = @mkdir -p $(BUILD) && CC="$(CC)" runtime/core/cjson.sh $(BUILD) >$(BUILD)/cjson.log 2>&1 && rm -f $(BUILD)/cjson.log || \
	{ tail -n 3 $(BUILD)/cjson.log; \
	echo "libcjson.a cannot be had here: trainers will need libcjson.so.1 where they run"; }
# Two more than processors: a test may wait, for the disk or for what another one builds.
WORKERS  = $$(($$(nproc) + 2))
AGAIN    = $(MAKE) --no-print-directory

deps:
	$(call install,$(TO_BUILD))
	$(CJSON)

mnist:
	@runtime/data/mnist.sh data/mnist

demo:
	$(call install,$(TO_BUILD) $(TO_FETCH))
	$(CJSON)
	@$(AGAIN) -j$$(nproc) all
	@$(AGAIN) mnist && data=data/mnist || \
	{ data=synthetic; echo "MNIST cannot be had here: training on digits drawn by the trainer itself"; }; \
	set -ex; \
	$(BUILD)/netc build models/resnet.net -o $(BUILD)/resnet; \
	$(BUILD)/resnet train --data $$data --epochs 1 --save $(BUILD)/resnet.safetensors; \
	$(BUILD)/resnet predict --data $$data --count 3 --weights $(BUILD)/resnet.safetensors

test:
	$(call install,$(TO_BUILD) $(TO_FETCH) $(TO_TEST) $(TO_FUZZ))
	$(CJSON)
	@$(AGAIN) -j$$(nproc) all
	@$(AGAIN) mnist || echo "no MNIST here: the tests that need it are skipped"
	@$(PYTHON) -m pytest -q -n $(WORKERS) -m "not slow" tests

# Within a minute: no program of a network is compiled, but for a few small ones.
QUICK = front diagnostics/test_fix.py diagnostics/test_programs.py diagnostics/test_explain.py format graph plan/test_plan.py \
	serve/test_serve.py ops/test_shapes.py ops/test_table.py
test-quick: all
	@$(PYTHON) -m pytest -q -n $(WORKERS) $(QUICK:%=tests/%)

lint:
	$(call install,$(TO_LINT))
	@$(PYTHON) tests/lint.py
format:
	$(call install,$(TO_LINT))
	@$(PYTHON) tests/lint.py --format

test-slow: all
	@$(PYTHON) -m pytest -q -n $$(nproc) -m slow tests

golden: all
	$(PYTHON) -m pytest -q -n $$(nproc) -m "not slow" tests --golden

N    = 2000
FROM = 1
fuzz-networks: all
	FUZZ_NETWORKS=$(N) FUZZ_FROM=$(FROM) $(PYTHON) -m pytest -q -n $$(nproc) tests/fuzz/test_networks.py

TORCH_PYTHON = python3
fuzz-pytorch: all
	@PYTHONPATH=tests $(TORCH_PYTHON) -W ignore -m fuzz.pytorch $(N) $(FROM)
fuzz-pytorch: N = 500

sanitize: all
	@PYTHONPATH=tests $(PYTHON) -m sanitize.sanitize $(SANITIZE_ARGS)

# The fuzz targets: netc and a trainer compiled once more, by clang, with its
# sanitizers.  exit() comes back to the harness, and so does what else would leave
# the process: see tests/fuzz/harness.
FUZZ_CC    = clang
FUZZ_SANITIZERS = address,undefined
FUZZ_OPTIMISE = -O1
FUZZ_DEBUG    = -g
# Comparisons are not traced: the mutator has the words that they look for, and a
# trainer reads three to twenty times as many inputs a second.
FUZZ_COVERAGE = -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp
FUZZ_FLAGS = -std=c11 -D_GNU_SOURCE -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION $(WARN) $(FUZZ_OPTIMISE) $(FUZZ_DEBUG) -fno-omit-frame-pointer -fno-sanitize-recover=undefined -MMD -MP
FUZZ       = $(BUILD)/fuzz
FUZZ_COMMON   = harness words
FUZZ_COMPILER = $(COMPILER_OBJECTS:$(BUILD)/%=$(FUZZ)/%) $(patsubst %,$(FUZZ)/compiler/harness/%.o,compiler $(FUZZ_COMMON))
FUZZ_RUNTIME  = $(RUNTIME_SOURCES:%.c=$(FUZZ)/%.o) $(patsubst %,$(FUZZ)/runtime/harness/%.o,runtime tiny $(FUZZ_COMMON))
FUZZ_MAIN     = $(FUZZ_CC) -fsanitize=fuzzer,$(FUZZ_SANITIZERS) -o $@ $^
wrap = $(patsubst %,-Wl$(comma)--wrap=%,$(1))
comma = ,

fuzz: fuzz-programs
	@PYTHONPATH=tests $(PYTHON) -m fuzz.libfuzzer --runs $(N) --target $(TARGET)
fuzz-programs:
	$(call install,$(TO_FUZZ))
	@$(AGAIN) -j$$(nproc) $(FUZZ)/compiler-fuzz $(FUZZ)/runtime-fuzz
fuzz: N = 1000000
TARGET = all

$(FUZZ)/compiler-fuzz: $(FUZZ_COMPILER)
	$(call say,LINK) $(FUZZ_MAIN) $(call wrap,exit _exit atexit read write poll fork posix_spawnp) -lcjson -lm
$(FUZZ)/runtime-fuzz: $(FUZZ_RUNTIME)
	$(call say,LINK) $(FUZZ_MAIN) $(call wrap,exit _exit net_train net_lr_find net_bench net_gradcheck net_pool_open) \
		-lcjson -lz -lpng -ljpeg -lm -lpthread

# The library, and all else that is compiled: tests have them too, see tests/sanitize/sanitized.py.
$(FUZZ)/libnet_f32.a: $(RUNTIME_SOURCES:%.c=$(FUZZ)/%.o)
	@rm -f $@ && ar rcs $@ $^
fuzz-objects: $(FUZZ_COMPILER) $(FUZZ_RUNTIME) $(FUZZ)/libnet_f32.a

fuzz_compile = @mkdir -p $(@D); $(if $(V),,printf '  %-5s %s\n' CC $@;) \
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=$(FUZZ_SANITIZERS) $(FUZZ_COVERAGE) $(1) -c -o $@ $<
fuzz_netc    = $(call fuzz_compile,-DARENA_SEPARATE -Dmain=netc_main -Icompiler -Iruntime -I$(BUILD)/compiler/front)
fuzz_trainer = $(call fuzz_compile,-DNET_REAL=float -Iruntime)
$(FUZZ)/compiler/front/%.o: $(BUILD)/compiler/front/%.c ; $(fuzz_netc)
$(FUZZ)/compiler/harness/%.o: tests/fuzz/harness/%.c | $(BUILD)/compiler/front/parse.c ; $(fuzz_netc)
$(FUZZ)/compiler/runtime/%.o: runtime/%.c ; $(fuzz_netc)
$(FUZZ)/compiler/%.o: compiler/%.c | $(BUILD)/compiler/front/parse.c ; $(fuzz_netc)
$(FUZZ)/runtime/harness/tiny.o: $(FUZZ)/tiny.c ; $(call fuzz_compile,-DNET_REAL=float -DNET_NO_MAIN -Iruntime)
$(FUZZ)/runtime/harness/%.o: tests/fuzz/harness/%.c ; $(fuzz_trainer)
$(FUZZ)/runtime/%.o: runtime/%.c ; $(fuzz_trainer)
$(FUZZ)/tiny.c: tests/fuzz/harness/tiny.net $(BUILD)/netc
	@mkdir -p $(@D)
	$(call say,EMIT) $(BUILD)/netc emit $< --target=portable -o $@

BENCH_PYTHON ?= $(PYTHON)
bench: all
	@PYTHONPATH=tests BENCH_PYTHON=$(BENCH_PYTHON) $(PYTHON) -m bench.bench $(BENCH_ARGS)
plot:
	@PYTHONPATH=tests $(PYTHON) -m bench.plot $(RUN) --svg $(SVG) $(if $(PAGE),--page $(PAGE))

SIZES = 2000,4000,8000
costs: all
	@$(PYTHON) tests/costs/costs.py --sizes $(SIZES)

mutants: all
	MUTANTS=$(N) MUTANTS_FROM=$(FROM) $(PYTHON) -m pytest -q -s tests/diagnostics/test_mutations.py

faults: all
	@PYTHONPATH=tests $(PYTHON) -m faults.faults

kills: all
	@PYTHONPATH=tests $(PYTHON) -m faults.kills $(N)

install: all
	install -D $(BUILD)/netc $(DESTDIR)$(PREFIX)/bin/netc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/netc $(BUILD)/libnet_f32.a $(BUILD)/libnet_f64.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/netc runtime/net.h runtime/net_runtime.h runtime/net_ranks.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/netc/ranks runtime/ranks/mpi.c
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/netc/library library/*.net
	[ ! -f $(BUILD)/libcjson.a ] || install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/netc $(BUILD)/libcjson.a

clean:
	rm -rf $(BUILD)

.PHONY: all deps mnist demo test test-quick lint format test-slow fuzz fuzz-programs fuzz-objects fuzz-networks fuzz-pytorch sanitize faults kills costs bench plot golden install clean
.DELETE_ON_ERROR:
-include $(FUZZ_COMPILER:.o=.d) $(FUZZ_RUNTIME:.o=.d)
-include $(COMPILER_OBJECTS:.o=.d) $(RUNTIME_F32:.o=.d) $(RUNTIME_F64:.o=.d)
