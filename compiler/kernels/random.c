/* random.c: the generator of runtime/core/random.c for a row of lanes at once,
 * written into the C: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers:
 * as easy as 1, 2, 3"), of whose four words two are used.  The words are 32 bits in
 * lanes of 64, where their products fit: a register of them is half a row of floats,
 * or a row of doubles.
 */
#include "kernels/kernel.h"

/* The products of words' lower halves and a number: an instruction of its own on x86-64. */
static void emit_product(Module *module, int lanes)
{
    static const struct {
        int lanes;
        const char *has, *multiply, *spread, *type;
    } machines[] = {
        {8, "__AVX512F__", "_mm512_mul_epu32", "_mm512_set1_epi32", "__m512i"},
        {4, "__AVX2__", "_mm256_mul_epu32", "_mm256_set1_epi32", "__m256i"},
        {2, "__SSE2__", "_mm_mul_epu32", "_mm_set1_epi32", "__m128i"},
    };
    size_t i = 0;
    while (machines[i].lanes != lanes)
        require(++i < sizeof machines / sizeof *machines);
    text_add(module->out,
             "#ifdef %s\n#include <immintrin.h>\n"
             "static inline words product(words a, uint32_t b)\n{\n"
             "    return (words)%s((%s)a, %s((int)b));\n}\n#else\n"
             "static inline words product(words a, uint32_t b)\n{\n"
             "    return (a & 0xFFFFFFFFu) * b;\n}\n#endif\n\n",
             machines[i].has, machines[i].multiply, machines[i].type, machines[i].spread);
}

/* Whether net_random() of each index is below a probability: the 53 bits that make
 * it, below that many 2^-53ths.  Upper halves are rubbish meanwhile. */
static void emit_drawn(Module *module, int lanes)
{
    text_add(module->out,
             "typedef uint64_t words __attribute__((vector_size(%d * sizeof(uint64_t))));\n\n",
             lanes);
    emit_product(module, lanes);
    text_add(
        module->out,
        "static inline words drawn(uint64_t key, uint64_t step, words index, uint64_t below)\n{\n"
        "    words w0 = index, w1 = index >> 32, w2 = (words){ 0 } + step, w3 = (words){ 0 } + "
        "(step >> 32);\n"
        "    uint64_t key0 = key, key1 = key >> 32;\n"
        "    for (int round = 0; round < 10; round++) {\n"
        "        const words p0 = product(w0, 0xD2511F53u), p1 = product(w2, 0xCD9E8D57u);\n"
        "        w0 = (p1 >> 32) ^ w1 ^ key0;\n"
        "        w2 = (p0 >> 32) ^ w3 ^ key1;\n"
        "        w1 = p1;\n"
        "        w3 = p0;\n"
        "        key0 += 0x9E3779B9u;\n"
        "        key1 += 0xBB67AE85u;\n"
        "    }\n"
        "    return (words)((w0 << 32 | (w1 & 0xFFFFFFFFu)) >> 11 < below);\n}\n\n");
}

/* The same of a row of lanes, each `apart` from the one before. */
void emit_dropped(Module *module)
{
    bool halves = !module->f64;
    int lanes = module->lanes / (halves ? 2 : 1);
    Text all = {0};
    add_lanes(&all, 0, module->lanes);
    emit_drawn(module, lanes);
    text_add(
        module->out,
        "static inline mask dropout_mask(uint64_t key, uint64_t step, uint64_t first, uint64_t "
        "apart, uint64_t below)\n{\n"
        "    words index;\n"
        "    for (int lane = 0; lane < %d; lane++)\n"
        "        index[lane] = first + (uint64_t)lane * apart;\n",
        lanes);
    if (halves)
        text_add(
            module->out,
            "    typedef int32_t half_row __attribute__((vector_size(%d * sizeof(int32_t))));\n"
            "    const half_row one = __builtin_convertvector(drawn(key, step, index, below), "
            "half_row);\n"
            "    const half_row other = __builtin_convertvector(drawn(key, step, index + %d * "
            "apart, below), half_row);\n"
            "    return (mask)__builtin_shufflevector(one, other%s);\n}\n\n",
            lanes, lanes, text_chars(&all));
    else
        text_add(module->out, "    return (mask)drawn(key, step, index, below);\n}\n\n");
}
