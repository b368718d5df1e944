/* words.c: what the language's own words mean, for `netc explain` and for editors.
 *
 * An example is a whole program, which the tests check.
 */
#include "front/ast.h"

#include <string.h>

#define LINEAR "    linear(10)\n}\n"

static const LanguageWord words[] = {
    {"input", "input SHAPE [of N] [as NAME]", true,
     "Begins a chain with what the network is given: a shape without the batch. `of N`: whole "
     "numbers from 0, below N. A network may have several inputs, each with a name; each begins a "
     "chain of its own, and `from NAME` goes back to another.",
     "network n {\n    input [1, 28, 28] as picture\n    flatten as seen\n"
     "    input [4] of 10 as word\n"
     "    embedding(8);  flatten\n    concat(seen)\n" LINEAR},
    {"from", "from NAME, from (NAME, NAME, …)", true,
     "Goes on from a tensor that was named before. In brackets it brings several together, for a "
     "block that takes as many or a join. A name in quotes may hold values: \"a{i}\".",
     "network n {\n    input [8] as x\n    linear(4) as a\n    from x;  linear(4) as b\n"
     "    from (a, b);  concat\n" LINEAR},
    {"reuse", "reuse NAME [as OTHER]", true,
     "Applies a layer, or a use of a block, once more with the parameters that it has. Gradients "
     "of all uses add up, and the state has the parameters once. The input must be of a shape that "
     "gives the same parameters.",
     "network n {\n    input [8] as left\n    linear(4) as tower\n    input [8] as right\n"
     "    reuse tower\n    concat(tower)\n" LINEAR},
    {"weight", "linear(65, weight=NAME.weight)", false,
     "Ties a parameter of a layer to another's: `weight`, `bias` or any that it has, by the path "
     "that the other has in the state. Both are one tensor; where the layer has a name, the state "
     "lists it under both, as PyTorch does.",
     "network n {\n    input [12] of 65 as tokens\n    embedding(16) as wte\n    gelu\n"
     "    linear(65, bias=false, weight=wte.weight)\n}\n"},
    {"output", "output NAME", true,
     "Names the current tensor as an output and goes on with it. A `loss` line may read it "
     "(output=NAME), and a C program gets it by net_predict_outputs. The network's last tensor is "
     "an output in any case.",
     "network n {\n    input [8]\n    linear(4)\n    output features\n    relu\n" LINEAR},
    {"aside", "aside { … }", true,
     "Runs its body on the current tensor and goes on with that tensor: an auxiliary head. It ends "
     "with `output NAME`, which a loss reads; it is in the training program only.",
     "network n {\n    input [1, 28, 28]\n    flatten\n    aside { linear(10);  output aux }\n"
     "    linear(32);  relu\n" LINEAR
     "train {\n    data      synthetic\n    loss      cross_entropy\n"
     "    loss      cross_entropy, output=aux, weight=0.3\n    optimizer adam\n    batch     64\n"
     "    epochs    1\n}\n"},
    {"branch", "concat { branch { … } branch { … } }", true,
     "Stands in the braces of an operator that joins, or of a block that takes several tensors: "
     "its body runs on the current tensor, or on what `from` at its beginning says. An empty one "
     "is the current tensor itself.",
     "network n {\n    input [8]\n    concat { branch { linear(4) }  branch { } }\n" LINEAR},
    {"skip", "skip [if CONDITION] { … } [shortcut { … }]", true,
     "Adds the current tensor to what its body makes of it; with a shortcut, what that makes of "
     "it. Where the condition is false, nothing is added.",
     "network n {\n    input [8]\n    skip { linear(8);  relu }\n" LINEAR},
    {"shortcut", "skip { … } shortcut { … }", true,
     "The other way around a skip's body: what it makes of the current tensor is added to what the "
     "body makes of it. An empty one is the current tensor.",
     "network n {\n    input [8]\n    skip { linear(4);  relu } shortcut { linear(4) }\n" LINEAR},
    {"dense", "dense N [as i] { … }", true,
     "N times: joins the current tensor to what the body makes of it, along the channels.",
     "network n {\n    input [4, 8, 8]\n    dense 3 { conv2d(2, 3, padding=1);  relu }\n"
     "    flatten\n" LINEAR},
    {"repeat", "repeat N [as i] { … }", true,
     "Runs the body N times, one after the other; `as i` counts from 0. In the body an unquoted "
     "name is a list, as PyTorch's ModuleList: NAME.0, NAME.1.",
     "network n {\n    input [8]\n    repeat 3 as i { linear(8 + i) as layers;  relu }\n" LINEAR},
    {"if", "if CONDITION { … } else { … }", true,
     "Chooses when the network is compiled. Without an else the other side changes nothing.",
     "block Half(narrow) [n] { if narrow { linear(n/2) } else { relu } }\n"
     "network n {\n    input [8]\n    Half(true)\n" LINEAR},
    {"else", "if CONDITION { … } else { … }", true, "The other side of an if; `else if` asks on.",
     "block Half(narrow) [n] { if narrow { linear(n/2) } else { relu } }\n"
     "network n {\n    input [8]\n    Half(true)\n" LINEAR},
    {"let", "let NAME = VALUE", true,
     "Names a value that is known when the network is compiled, to the end of its braces.",
     "network n {\n    input [8]\n    let k = 4\n    linear(2*k);  relu\n" LINEAR},
    {"as", "… as NAME, … as NAME (LEFT, RIGHT)", false,
     "Names what a statement gives and, of a layer or block, its parameters in the state. Brackets "
     "name each of the tensors that a block gives. A quoted name may hold values, \"layer{i+1}\", "
     "and hyphens.",
     "block Split [n] -> [4], [4] {\n    linear(4) as a\n    linear(4) as b\n    from (a, b)\n}\n"
     "network n {\n    input [8]\n    Split as split (left, right)\n    from left\n"
     "    mul(right)\n" LINEAR},
    {"block", "block NAME(PARAMETERS) [c, h, w] -> [2*c, h, w] { … }", false,
     "Defines statements that are used like an operator. An unknown name in an input shape is "
     "bound where the block is used; output shapes are checked. Several shapes, with commas "
     "between them, are several tensors; `as` after one names it in the body.",
     "block Mix(k) [n] as left, [n] as right -> [k] {\n    from left\n    concat(right)\n"
     "    linear(k)\n}\nnetwork n {\n    input [8]\n    linear(8) as a\n    Mix(4, a)\n" LINEAR},
    {"function", "function NAME(x, k=2) = VALUE", false,
     "Defines what is done to each element. Parameters without a default are tensors, the others "
     "numbers, or true or false. One of a single tensor is an activation, one of several joins "
     "them. The right side has + - * /, comparisons, `a if c else b`, and exp log sqrt abs tanh "
     "sigmoid erf sin cos pow clamp min max.",
     "function gentle(x, k=2) = x if abs(x) < k else k*tanh(x/k)\n"
     "network n {\n    input [8]\n    gentle(k=3)\n" LINEAR},
    {"network", "network NAME { … }", false,
     "The network: a chain of statements that begins with its input. A file has one, or none: then "
     "it is a library.",
     "network n {\n    input [8]\n" LINEAR},
    {"train", "train { … }", false,
     "How the network is trained, a setting on each line: data, loss, optimizer, batch and epochs "
     "must be there.",
     "network n {\n    input [1, 28, 28]\n    flatten\n" LINEAR
     "train {\n    data      synthetic\n    loss      cross_entropy\n    optimizer adam\n"
     "    batch     64\n    epochs    1\n}\n"},
    {"use", "use \"file.net\"", false,
     "Takes the blocks and functions of another file: one beside this one, or of netc's library.",
     "use \"activations.net\"\nnetwork n {\n    input [8]\n    mish\n" LINEAR},
};
enum { WORDS = sizeof words / sizeof *words };

const LanguageWord *language_word(int i)
{
    return i < WORDS ? &words[i] : NULL;
}

const LanguageWord *find_language_word(const char *name)
{
    for (int i = 0; i < WORDS; i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

void explain_word(const LanguageWord *word, FILE *out)
{
    fprintf(out, "%s\n\n", word->form);
    diag_print_wrapped(word->text, out);
    diag_print_indented("Example:", word->example, out);
}

void list_words(FILE *out)
{
    for (int i = 0; i < WORDS; i++)
        fprintf(out, "  %-9s  %s\n", words[i].name, words[i].form);
}
