/* helpers.c: the small functions of the emitted C that kernels call, each written only when one
 * does.
 */
#include "kernels/kernel.h"

#include <string.h>

void add_lanes(Text *text, int first, int count)
{
    for (int i = 0; i < count; i++)
        text_add(text, ", %d", first + i);
}

/* "8, 9, …": the lanes of a shuffle. */
static void lane_list(Text *text, int lanes, int (*lane)(int lanes, int i, int step), int step)
{
    for (int i = 0; i < lanes; i++)
        text_add(text, "%s%d", i ? ", " : "", lane(lanes, i, step));
}

static int rotated(int lanes, int i, int step)
{
    return (i + step) % lanes;
}

/* Lanes of the low (step 0) or high (step 1) halves of two rows, in turn. */
static int interleaved(int lanes, int i, int step)
{
    return i / 2 + (i % 2 ? lanes : 0) + (step ? lanes / 2 : 0);
}

/* The sum of a row's lanes, in one fixed tree. */
static void emit_sum_lanes(Module *module)
{
    if (module->has_sum_lanes)
        return;
    module->has_sum_lanes = true;
    text_add(
        module->out,
        "/* The sum of the lanes, in one fixed tree. */\nstatic inline real sum_lanes(vec v)\n{\n");
    for (int step = module->lanes / 2; step; step /= 2) {
        text_add(module->out, "    v += __builtin_shufflevector(v, v, ");
        lane_list(module->out, module->lanes, rotated, step);
        text_add(module->out, ");\n");
    }
    text_add(module->out, "    return v[0];\n}\n\n");
}

/* Lane i of the result is the sum of row i's lanes: the transposition below,
 * adding as it goes. */
static void emit_sum_block(Module *module)
{
    int lanes = module->lanes, round = 0;
    text_add(module->out, "/* Lane i is the sum of row i: a transposition that adds as it goes. "
                          "*/\nstatic inline vec sum_block(const vec *rows)\n{\n");
    for (int rows = lanes; rows > 1; rows /= 2, round++)
        for (int i = 0; i < rows / 2; i++) {
            const char *one = round ? format("r%d_%d", round, i) : format("rows[%d]", i);
            const char *other =
                round ? format("r%d_%d", round, i + rows / 2) : format("rows[%d]", i + rows / 2);
            text_add(module->out, "    const vec r%d_%d = ", round + 1, i);
            for (int half = 0; half < 2; half++) {
                text_add(module->out, "%s__builtin_shufflevector(%s, %s, ",
                         half ? "\n        + " : "", one, other);
                lane_list(module->out, lanes, interleaved, half);
                text_add(module->out, ")");
            }
            text_add(module->out, ";\n");
        }
    text_add(module->out, "    return r%d_0;\n}\n\n", round);
}

/* to[i] = the sum of row i's lanes.  The last block ends with the last row. */
static void emit_sum_rows(Module *module)
{
    emit_sum_lanes(module);
    emit_sum_block(module);
    text_add(module->out, "/* to[i] = the sum of row i's lanes. */\nstatic void sum_rows(real "
                          "*to, const vec *rows, int count)\n{\n"
                          "    for (int i = 0; i < count && count < LANES; i++)\n"
                          "        to[i] = sum_lanes(rows[i]);\n"
                          "    for (int i = 0; i < count && count >= LANES; i += LANES) {\n"
                          "        const int at = i + LANES <= count ? i : count - LANES;\n"
                          "        *(unaligned_vec *)(to + at) = sum_block(rows + at);\n"
                          "    }\n}\n\n");
}

/* Row i of `from` becomes lane i of every row of `to`: interleaving rows that
 * lie half the rows apart, log2(lanes) times, makes lanes of the rows. */
static void emit_transpose(Module *module)
{
    int lanes = module->lanes, round = 0;
    text_add(module->out, "/* Lanes become rows: rows are interleaved log2(LANES) times. "
                          "*/\nstatic inline void transpose(vec *to, const vec *from)\n{\n");
    for (int step = lanes; step > 1; step /= 2, round++)
        for (int i = 0; i < lanes; i++) {
            const char *row = round ? format("r%d_", round) : "from[";
            const char *end = round ? "" : "]";
            if (step == 2)
                text_add(module->out, "    to[%d] = ", i);
            else
                text_add(module->out, "    const vec r%d_%d = ", round + 1, i);
            text_add(module->out, "__builtin_shufflevector(%s%d%s, %s%d%s, ", row, i / 2, end, row,
                     i / 2 + lanes / 2, end);
            lane_list(module->out, lanes, interleaved, i % 2);
            text_add(module->out, ");\n");
        }
    text_add(module->out, "}\n\n");
}

/* What no whole vector of a row is left for. */
static void emit_store_last(Module *module)
{
    text_add(module->out, "/* The last `count` lanes. */\n"
                          "static inline void store_last(real *to, vec r, int count)\n{\n"
                          "    net_copy(to, (const real *)&r + LANES - count, count);\n}\n\n");
}

/* All bits of `yes` where m has them, of `no` elsewhere. */
static void emit_select(Module *module)
{
    text_add(module->out, "/* The lanes of yes where m has them, of no elsewhere. */\nstatic "
                          "inline vec vec_select(mask m, vec yes, vec no)\n{\n"
                          "    return (vec)(((mask)yes & m) | ((mask)no & ~m));\n}\n\n");
}

/* What is chosen often, by a bit a lane where the machine has registers for that. */
static void emit_blend(Module *module)
{
    bool f64 = module->f64, masks = module->target->vector_bytes == 64;
    if (masks)
        text_add(
            module->out,
            "#ifdef __AVX512DQ__\n"
            "#include <immintrin.h>\n"
            "typedef __mmask%d lane_mask;\n\n"
            "/* What vec_blend takes: a bit a lane where the machine has registers for it. */\n"
            "static inline lane_mask lane_mask_of(mask m)\n{\n    return "
            "_mm512_movepi%d_mask((__m512i)m);\n}\n\n"
            "/* vec_select of such a mask. */\n"
            "static inline vec vec_blend(lane_mask from, vec yes, vec no)\n{\n"
            "    return (vec)_mm512_mask_blend_p%c(from, (__m512%s)no, (__m512%s)yes);\n}\n"
            "#else\n",
            f64 ? 8 : 16, f64 ? 64 : 32, f64 ? 'd' : 's', f64 ? "d" : "", f64 ? "d" : "");
    text_add(module->out,
             "typedef mask lane_mask;\n\n"
             "/* What vec_blend takes: a bit a lane where the machine has registers for it. */\n"
             "static inline lane_mask lane_mask_of(mask m)\n{\n    return m;\n}\n\n"
             "/* vec_select of such a mask. */\n"
             "static inline vec vec_blend(lane_mask from, vec yes, vec no)\n{\n"
             "    return vec_select(from, yes, no);\n}\n%s\n",
             masks ? "#endif\n" : "");
}

static void emit_splat(Module *module)
{
    text_add(module->out, "/* One value in every lane. */\nstatic inline vec splat(real "
                          "value)\n{\n    return value - (vec){ 0 };\n}\n\n");
}

/* Costs nothing: the C compiler believes that the pointers now point elsewhere. */
static void emit_compiler_barrier(Module *module)
{
    text_add(module->out,
             "/* What was read through a and b is not to be kept for later. */\n"
             "#define compiler_barrier(a, b) __asm__(\"\" : \"+r\"(a), \"+r\"(b))\n\n");
}

/* Of a finish's constants a compiler likes to keep some in registers all the time,
 * which a tile that fills them would have to pay for at each of its taps. */
static void emit_register_barrier(Module *module)
{
    text_add(module->out, "/* Nothing is to stay in a vector register from before to after. */\n"
                          "#ifdef __x86_64__\n"
                          "#define register_barrier() __asm__ volatile(\"\" ::: ");
    for (int i = 0; i < 16; i++)
        text_add(module->out, "%s\"xmm%d\"", i ? ", " : "", i);
    text_add(module->out, ")\n#else\n#define register_barrier()\n#endif\n\n");
}

/* A NaN is neither less nor more, and is passed on. */
static void emit_maximum(Module *module)
{
    text_add(module->out, "/* The larger, lane by lane. */\n"
                          "static inline vec vec_max(vec a, vec b)\n{\n"
                          "    return vec_select((b < a) | (a != a), a, b);\n}\n\n");
}

static void emit_minimum(Module *module)
{
    text_add(module->out, "/* The smaller, lane by lane. */\n"
                          "static inline vec vec_min(vec a, vec b)\n{\n"
                          "    return vec_select((a < b) | (a != a), a, b);\n}\n\n");
}

static void emit_absolute(Module *module)
{
    text_add(module->out, "/* Without its sign. */\nstatic inline vec vec_abs(vec x)\n{\n"
                          "    return vec_select(x < splat(0), -x, x);\n}\n\n");
}

static void emit_sign(Module *module)
{
    text_add(module->out, "/* 1, -1, or 0 of 0. */\nstatic inline vec vec_sign(vec x)\n{\n"
                          "    return vec_select(x > splat(0), splat(1), vec_select(x < splat(0), "
                          "splat(-1), x));\n}\n\n");
}

/* By a number that leaves no room for what is less than 1: Cody and Waite's, as exponential.c. */
static void emit_floor(Module *module)
{
    const char *magic = module->f64 ? "(real)0x1.8p52" : "(real)0x1.8p23";
    text_add(module->out,
             "/* The whole number that is no more, of lanes that are not larger than the numbers "
             "that are exact. */\n"
             "static inline vec vec_floor(vec x)\n{\n"
             "    const vec whole = x + %s - %s;\n"
             "    return vec_select(whole > x, whole - (real)1, whole);\n}\n\n",
             magic, magic);
}

/* A small function: how a call of it is seen, and which other helpers it calls. */
typedef struct Helper {
    const char *call, *calls;
    void (*emit)(Module *);
} Helper;

/* In an order in which each follows what it calls. */
static const Helper helpers[] = {
    {"vec_select(", "", emit_select},
    {"lane_mask_of(", "vec_select(", emit_blend},
    {"splat(", "", emit_splat},
    {"compiler_barrier(", "", emit_compiler_barrier},
    {"register_barrier(", "", emit_register_barrier},
    {"sum_lanes(", "", emit_sum_lanes},
    {"sum_rows(", "", emit_sum_rows},
    {"transpose(", "", emit_transpose},
    {"store_last(", "", emit_store_last},
    {"vec_exp(", "vec_select( splat(", emit_exponential},
    {"vec_expm1(", "vec_select( splat(", emit_expm1},
    {"vec_sigmoid(", "vec_select( splat( vec_exp(", emit_sigmoid_of_lanes},
    {"vec_tanh(", "vec_select( splat( vec_expm1(", emit_tanh_of_lanes},
    {"vec_max(", "vec_select(", emit_maximum},
    {"vec_min(", "vec_select(", emit_minimum},
    {"vec_abs(", "vec_select( splat(", emit_absolute},
    {"vec_floor(", "vec_select(", emit_floor},
    {"vec_sign(", "vec_select( splat(", emit_sign},
    {"vec_log(", "", emit_logarithm},
    {"vec_log1p(", "vec_select( splat(", emit_logarithm_beside_1},
    {"vec_softplus(", "vec_select( splat( vec_exp( vec_abs( vec_log1p(", emit_softplus},
    {"vec_sin(", "", emit_sine},
    {"vec_cos(", "", emit_cosine},
    {"vec_pow(", "", emit_power},
    {"vec_sqrt(", "", emit_square_root},
    {"normal_cdf(", "vec_select( splat( vec_exp(", emit_normal},
    {"vec_erf(", "vec_select( splat( vec_exp( vec_abs( normal_cdf(", emit_error_function},
    {"vec_gelu(", "vec_select( splat( vec_exp( normal_cdf(", emit_gelu_of_lanes},
    {"vec_gelu_gradient(", "vec_select( splat( vec_exp( normal_cdf(", emit_gelu_gradient},
    {"dropout_mask(", "vec_select( splat(", emit_dropped},
};

/* Whether `body`, or a helper that it calls, calls this one. */
static bool is_called(const Helper *helper, const char *body)
{
    if (strstr(body, helper->call))
        return true;
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (strstr(helpers[i].calls, helper->call) && strstr(body, helpers[i].call))
            return true;
    return false;
}

void emit_helpers(Module *module, const char *body)
{
    text_add(module->out, "typedef real unaligned_vec __attribute__((vector_size(LANES * "
                          "sizeof(real)), aligned(sizeof(real)), may_alias));\n"
                          "typedef __typeof__((vec){ 0 } < (vec){ 0 }) mask;      /* all bits of "
                          "a lane, or none */\n\n");
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (is_called(&helpers[i], body))
            helpers[i].emit(module);
}
