/* names.c: what a word means where it stands.
 *
 * A use of a block opens a Frame.  In it, values (let, parameters, dimensions,
 * loop variables) belong to their pair of braces; tensors' names last to the
 * end of the frame.  Two rules limit those: a name from a sibling branch is
 * hidden while the branch is walked, and within an iteration of a loop a bare name is
 * that iteration's.  Every name gets a serial number as it is defined, so the first
 * rule is an interval; the second is a pointer to the iteration and whether it is
 * over.
 */
#include "graph/build.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* --------------------------------------------------------------- values */

Frame *new_frame(const char *prefix, const BlockDef *def)
{
    Frame *frame = NEW(Frame);
    frame->prefix = prefix;
    frame->def = def;
    return frame;
}

int open_scope(Builder *b)
{
    int outer = b->frame->scope;
    b->frame->scope = ++b->scopes;
    return outer;
}

void close_scope(Builder *b, int outer)
{
    Frame *frame = b->frame;
    for (; frame->bindings != NULL && frame->bindings->scope == frame->scope;
         frame->bindings = frame->bindings->previous)
        map_set(&frame->values, frame->bindings->name, frame->bindings->hides);
    frame->scope = outer;
}

void bind_value(Builder *b, const char *name, Span span, Value value)
{
    Frame *frame = b->frame;
    Binding *hidden = map_get(&frame->values, name), *binding = NEW(Binding);
    if (hidden != NULL && hidden->scope == frame->scope) {
        Diagnostic *d =
            build_error(b, "duplicate-name", span, "`%s` has a value here already", name);
        diag_label(d, hidden->span, "the first");
        return;
    }
    *binding = (Binding){name, value, span, frame->scope, hidden, frame->bindings};
    frame->bindings = binding;
    map_set(&frame->values, name, binding);
}

const Value *find_value(const Builder *b, const char *name)
{
    const Binding *binding = map_get(&b->frame->values, name);
    return binding != NULL ? &binding->value : NULL;
}

/* ---------------------------------------------------------------- paths */

typedef struct PathDefinition {
    Span span;
    bool guessed;
} PathDefinition;

static const char *full_path(const Builder *b, const char *local)
{
    return b->frame->prefix[0] != '\0' ? format("%s.%s", b->frame->prefix, local) : local;
}

/* "name" in iteration 2 of a loop in iteration 0 of another: "name.0.2". */
static const char *numbered(const char *name, const Iteration *iteration)
{
    return iteration == NULL
               ? name
               : format("%s.%lld", numbered(name, iteration->outer), iteration->number);
}

static void claim(Builder *b, const char *path, Span span)
{
    PathDefinition *definition = NEW(PathDefinition);
    *definition = (PathDefinition){span, b->guesses > 0};
    map_set(&b->paths, path, definition);
}

static bool same_span(Span a, Span b)
{
    return a.source == b.source && a.line == b.line && a.column == b.column;
}

/* One statement's names, iteration by iteration, may clash with many: that is one fault. */
static bool told_clash(Builder *b, Span first, const char *path, Span second)
{
    enum { MAX_SHOWN = 5 };
    for (int i = 0; i < b->clashes.count; i++) {
        Clash *clash = &b->clashes.items[i];
        if (!same_span(clash->first, first))
            continue;
        if (clash->more < MAX_SHOWN && !is_marked(clash->told, second)) {
            diag_label(clash->told, second, "and %s", path);
            clash->more++;
        }
        return true;
    }
    return false;
}

static void report_duplicate(Builder *b, const char *path, const char *kind, Span span,
                             const PathDefinition *first)
{
    if (told_clash(b, first->span, path, span))
        return;
    Diagnostic *d = strcmp(kind, "input") == 0 || strcmp(kind, "tensor") == 0
                        ? build_error(b, "duplicate-name", span, "%s is named already", path)
                        : build_error(b, "duplicate-name", span,
                                      "two layers are named %s: their weights would collide", path);
    push(&b->clashes, ((Clash){first->span, d, 0}));
    if (same_span(span, first->span)) {
        diag_caption(d, "twice, in different turns or uses");
        if (b->frame->iteration != NULL)
            diag_help(d, "number it by the turn, as in \"name{i}\"; unquoted, `as name` is a list: "
                         "name.0, name.1");
        return;
    }
    diag_caption(d, "the second");
    diag_label(d, first->span, "the first");
}

/* conv2d_1, conv2d_2, …: the next that nobody has taken. */
static const char *unnamed_path(Builder *b, const char *kind, Span span)
{
    const char *path;
    kind = intern(kind);
    intptr_t number = (intptr_t)map_get(&b->frame->counters, kind);
    do
        path = full_path(b, format("%s_%d", kind, (int)++number));
    while (map_get(&b->paths, path) != NULL);
    map_set(&b->frame->counters, kind, (void *)number);
    claim(b, path, span);
    return path;
}

/* Quoted text may be any dotted path, of parts with hyphens in them, as PyTorch's may have;
 * unquoted it is one by the grammar. */
static bool is_path(const char *text)
{
    for (const char *at = text;; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_')
            return false;
        while (isalnum((unsigned char)*at) || *at == '_' || *at == '-')
            at++;
        if (*at != '.')
            return *at == '\0';
    }
}

/* What `as` or `from` spells, or NULL: unknown, or no path (reported). */
static const char *spelled(Builder *b, const Expr *name)
{
    if (name->kind == EXPR_PATH)
        return name->word;
    Value text = name->kind == EXPR_TEXT ? evaluate(b, name) : (Value){0};
    if (text.kind != VALUE_TEXT)
        return NULL;
    if (is_path(text.word))
        return text.word;
    Diagnostic *d = build_error(b, "value-type", name->span, "\"%s\" is no name", text.word);
    diag_help(d, "a name is letters, digits, underscores and, in quotes, hyphens, in parts joined "
                 "by single dots");
    return NULL;
}

Name take_name(Builder *b, const Expr *as, const char *kind, Span span)
{
    Name name = {.span = as != NULL ? as->span : span};
    if (as == NULL) {
        name.path = unnamed_path(b, kind, span);
        return name;
    }
    name.local = spelled(b, as);
    name.listed = as->kind == EXPR_PATH;
    if (name.local == NULL) {
        b->frame->uncertain = true;
        name.path = unnamed_path(b, kind, span);
        return name;
    }
    name.path = full_path(b, name.listed ? numbered(name.local, b->frame->iteration) : name.local);
    const PathDefinition *first = map_get(&b->paths, name.path);
    if (first == NULL) {
        claim(b, name.path, name.span);
        return name;
    }
    if (b->guesses == 0 && !first->guessed)
        report_duplicate(b, name.path, kind, name.span, first);
    name.path = unnamed_path(b, kind, span);
    return name;
}

const char *output_path(Builder *b, const Expr *name)
{
    const char *word = spelled(b, name);
    if (word == NULL)
        return NULL;
    return full_path(b, name->kind == EXPR_PATH ? numbered(word, b->frame->iteration) : word);
}

/* -------------------------------------------------------------- tensors */

static void add_alias(Builder *b, const char *alias, Iteration *iteration, const Name *of,
                      Tensor *tensor)
{
    TensorName *name = NEW(TensorName);
    *name = (TensorName){tensor,    of->span,  b->serial,
                         iteration, of->layer, map_get(&b->frame->tensors, alias)};
    map_set(&b->frame->tensors, alias, name);
    if (name->older == NULL)
        push(&b->frame->tensor_names, alias);
}

/* In iteration 1 of iteration 0, `conv` is usable in the inner iteration, `conv.1` in the
 * outer, `conv.0.1` to the end of the block. */
void declare_tensor(Builder *b, const Name *name, Tensor *tensor)
{
    if (name->local == NULL)
        return;
    b->serial++;
    if (!name->listed) {
        add_alias(b, name->local, NULL, name, tensor);
        return;
    }
    const char *suffix = "";
    for (Iteration *iteration = b->frame->iteration; iteration != NULL;
         iteration = iteration->outer) {
        add_alias(b, format("%s%s", name->local, suffix), iteration, name, tensor);
        suffix = format(".%lld%s", iteration->number, suffix);
    }
    add_alias(b, format("%s%s", name->local, suffix), NULL, name, tensor);
}

/* Defined in a branch beside the one that is being walked. */
static bool in_sibling(const Frame *frame, const TensorName *name)
{
    for (const Join *join = frame->join; join != NULL; join = join->outer)
        if (name->serial > join->start && name->serial <= join->branch_start)
            return true;
    return false;
}

/* An iteration that is over never comes back, so its names are dropped on the way:
 * looking for one does not pass by thousands.  The oldest stays, for messages. */
const TensorName *find_tensor(Builder *b, const char *name)
{
    TensorName *found = map_get(&b->frame->tensors, name);
    for (; found != NULL && found->older != NULL && found->iteration != NULL
           && found->iteration->over;
         found = found->older)
        map_set(&b->frame->tensors, name, found->older);
    while (found != NULL
           && ((found->iteration != NULL && found->iteration->over) || in_sibling(b->frame, found)))
        found = found->older;
    return found;
}

typedef LIST(const char *) Words;

static void add_tensor_names(Builder *b, Words *words)
{
    enum { LATEST = 300 }; /* enough to find a slip of the pen among */
    int count = b->frame->tensor_names.count;
    for (int i = count > LATEST ? count - LATEST : 0; i < count; i++)
        if (find_tensor(b, b->frame->tensor_names.items[i]) != NULL)
            push(words, b->frame->tensor_names.items[i]);
}

bool told_unknown(Builder *b, const char *word, const BlockDef *def, Span at)
{
    enum { MAX_SHOWN = 5 };
    for (int i = 0; i < b->unknown.count; i++) {
        UnknownWord *unknown = &b->unknown.items[i];
        if (unknown->word != word || unknown->def != def)
            continue;
        if (unknown->more++ < MAX_SHOWN && !is_marked(unknown->told, at))
            diag_label(unknown->told, at, "and here");
        return true;
    }
    return false;
}

void note_unknown(Builder *b, const char *word, const BlockDef *def, Diagnostic *told)
{
    push(&b->unknown, ((UnknownWord){word, def, told, 0}));
}

/* A definition of this frame that nothing mentions is likelier what was meant
 * than any other: the nearest, when it is near. */
static const Binding *unused_near(const Builder *b, const char *word, bool *near)
{
    const Binding *found = NULL;
    int length = (int)strlen(word), farthest = length < 6 ? 1 : length / 3, best = INT32_MAX;
    for (const Binding *binding = b->frame->bindings; binding != NULL;
         binding = binding->previous) {
        int distance = edit_distance(word, binding->name);
        if (distance < best && is_unused(b, b->frame->def, binding->name)) {
            best = distance;
            found = binding;
        }
    }
    *near = best <= farthest;
    return found;
}

/* A word that other blocks' parameters or operators' arguments are called. */
static bool is_usual(const Builder *b, const char *word)
{
    for (int i = 0; i < b->program->blocks.count; i++)
        for (int k = 0; k < b->program->blocks.items[i]->params.count; k++)
            if (b->program->blocks.items[i]->params.items[k].name == word)
                return true;
    return names_argument(word);
}

/* Where several places agree on a word, it is the definition that is misspelt. */
static void suggest_unused(const Builder *b, Diagnostic *d, const char *word, Span at,
                           const Binding *binding)
{
    if (count_mentions(b, b->frame->def, word) > 1 || is_usual(b, word))
        diag_fix(d, binding->span, word, "name it %s", word);
    else
        diag_fix(d, at, binding->name, "the nearest is %s", binding->name);
}

static void suggest_word(const Builder *b, Diagnostic *d, const char *word, Span at, Words *words)
{
    bool close;
    const Binding *binding = unused_near(b, word, &close);
    if (binding != NULL)
        diag_label(d, binding->span, "nothing uses this `%s`", binding->name);
    if (binding != NULL && close) {
        suggest_unused(b, d, word, at, binding);
        return;
    }
    push(words, NULL);
    const char *near = nearest_for(d, word, words->items);
    const Operator *theirs = near == NULL ? other_spelling(word) : NULL;
    if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    else if (theirs != NULL)
        diag_fix(d, at, theirs->name, "it is `%s` here", theirs->name);
}

static void add_bindings(const Builder *b, Words *words)
{
    for (const Binding *binding = b->frame->bindings; binding != NULL; binding = binding->previous)
        push(words, binding->name);
}

/* Values first, then tensors, then what can be applied. */
Diagnostic *report_unknown_word(Builder *b, const char *word, Span at)
{
    Words words = {0};
    if (b->frame->broken || told_unknown(b, word, b->frame->def, at))
        return NULL;
    Diagnostic *d = build_error(b, "unknown-name", at, "nothing is named `%s` here", word);
    note_unknown(b, word, b->frame->def, d);
    if (b->suggestions++ > MAX_SUGGESTIONS)
        return d;
    push(&words, "true");
    push(&words, "false");
    add_bindings(b, &words);
    add_tensor_names(b, &words);
    for (int i = 0; i < b->program->blocks.count; i++)
        push(&words, b->program->blocks.items[i]->name);
    for (int i = 0; i < b->program->functions.count; i++)
        push(&words, b->program->functions.items[i]->name);
    for (int i = 0; operators[i] != NULL; i++)
        push(&words, operators[i]->name);
    suggest_word(b, d, word, at, &words);
    return d;
}

void report_unknown_tensor(Builder *b, const char *name, Span at)
{
    if (b->frame->uncertain || b->frame->broken || told_unknown(b, name, b->frame->def, at))
        return;
    Diagnostic *d = build_error(b, "unknown-name", at, "no tensor is named %s here", name);
    const TensorName *hidden = map_get(&b->frame->tensors, name);
    note_unknown(b, name, b->frame->def, d);
    if (hidden != NULL && hidden->iteration != NULL && hidden->iteration->over) {
        diag_label(d, hidden->span, "in a loop, this is a list");
        diag_help(d, "after the loop, write %s.0 for the first turn's", name);
    } else if (hidden != NULL) {
        diag_label(d, hidden->span,
                   "this one is in a sibling branch: branches do not see each other");
    } else if (strcmp(name, "input") == 0) {
        diag_help(d,
                  b->frame->def != NULL
                      ? "`block NAME [c, h, w] as x -> …` names what the block takes, for `from x`"
                      : "`input […] as x` names it, for `from x`");
    } else if (b->suggestions++ < MAX_SUGGESTIONS) {
        Words words = {0};
        add_tensor_names(b, &words);
        add_bindings(b, &words);
        suggest_word(b, d, name, at, &words);
    }
}

const TensorName *visible_name(const Builder *b, const char *word)
{
    const TensorName *found = map_get(&b->frame->tensors, word);
    while (found != NULL && found->iteration != NULL && found->iteration->over)
        found = found->older;
    return found;
}

/* Parameters are there from the start, so that branches see each other's. */
const TensorName *named_layer(Builder *b, const Expr *name)
{
    const char *word = spelled(b, name);
    if (word == NULL)
        return NULL;
    const TensorName *found = visible_name(b, word);
    if (found == NULL)
        report_unknown_tensor(b, word, name->span);
    return found;
}

Tensor *named_tensor(Builder *b, const Expr *name)
{
    const char *word = spelled(b, name);
    if (word == NULL)
        return NULL;
    const Value *value = name->kind == EXPR_PATH ? find_value(b, word) : NULL;
    if (value != NULL && (value->kind == VALUE_TENSOR || value->tensor != NULL))
        return value->tensor;
    if (value != NULL && value->kind == VALUE_UNKNOWN)
        return NULL;
    const TensorName *found = find_tensor(b, word);
    if (found != NULL)
        return found->tensor;
    if (value != NULL)
        build_error(b, "argument-type", name->span, "`%s` is %s, not a tensor", word,
                    value_text(value));
    else
        report_unknown_tensor(b, word, name->span);
    return NULL;
}
