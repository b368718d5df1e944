/* mentions.c: which words a block's or network's text mentions, whether or not
 * its walk comes by them: a side of an if that no use takes still uses what it
 * names.  A definition that nothing mentions is unused, or is what a word that
 * nothing defines was meant to be.
 */
#include "graph/build.h"

#include <string.h>

/* Of one text.  Counted once, when somebody first asks. */
typedef struct Words {
    Map counts, params;
} Words;

struct Mentions {
    Map blocks; /* Words, by the block */
    Words *network;
    Map *uses; /* in all texts */
};

Mentions *new_mentions(void)
{
    return NEW(Mentions);
}

static int count_in(const Map *counts, const char *word)
{
    return (int)(intptr_t)map_get(counts, word);
}

static void add_count(Map *counts, const char *word, int more)
{
    map_set(counts, word, (void *)(intptr_t)(count_in(counts, word) + more));
}

static void count_expr(Map *counts, const Expr *expr)
{
    if (expr == NULL)
        return;
    if (expr->kind == EXPR_PATH || expr->kind == EXPR_CALL || expr->kind == EXPR_INDEX)
        add_count(counts, expr->word, 1);
    for (int i = 0; i < expr->arguments.count; i++)
        count_expr(counts, expr->arguments.items[i].value);
    for (int i = 0; i < expr->items.count; i++)
        count_expr(counts, expr->items.items[i]);
    count_expr(counts, expr->left);
    count_expr(counts, expr->right);
    count_expr(counts, expr->condition);
}

static void count_shape(Map *counts, const ShapeExpr *shape)
{
    for (; shape != NULL; shape = shape->next)
        for (int i = 0; i < shape->dims.count; i++)
            count_expr(counts, shape->dims.items[i]);
}

static void count_body(Map *counts, const Body *body)
{
    for (int i = 0; body != NULL && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        count_expr(counts, stmt->call);
        count_expr(counts, stmt->value);
        count_expr(counts, stmt->from);
        if (stmt->as != NULL && stmt->as->kind == EXPR_TEXT)
            count_expr(counts, stmt->as);
        for (int k = 0; k < stmt->names.count; k++)
            if (stmt->names.items[k]->kind == EXPR_TEXT)
                count_expr(counts, stmt->names.items[k]);
        count_shape(counts, stmt->shape);
        count_body(counts, stmt->body);
        count_body(counts, stmt->other);
    }
}

static Words *count_block(const BlockDef *def)
{
    Words *words = NEW(Words);
    for (int i = 0; i < def->params.count; i++) {
        map_set(&words->params, def->params.items[i].name, (void *)def);
        count_expr(&words->counts, def->params.items[i].value);
    }
    count_shape(&words->counts, def->in);
    count_shape(&words->counts, def->out);
    count_body(&words->counts, def->body);
    return words;
}

static const Words *words_of(const Builder *b, const BlockDef *def)
{
    Mentions *mentions = b->mentions;
    if (def == NULL && mentions->network == NULL) {
        mentions->network = NEW(Words);
        if (b->program->network != NULL)
            count_body(&mentions->network->counts, b->program->network->body);
    }
    if (def == NULL)
        return mentions->network;
    Words *words = map_get(&mentions->blocks, (const char *)def);
    if (words == NULL)
        map_set(&mentions->blocks, (const char *)def, words = count_block(def));
    return words;
}

/* A dimension's first mention, in the signature, is what binds it. */
int count_mentions(const Builder *b, const BlockDef *def, const char *word)
{
    return count_in(&words_of(b, def)->counts, word);
}

static bool binds_in_signature(const Builder *b, const BlockDef *def, const char *word)
{
    if (map_get(&words_of(b, def)->params, word) != NULL)
        return false;
    for (const ShapeExpr *shape = def->in; shape != NULL; shape = shape->next)
        for (int i = 0; i < shape->dims.count; i++)
            if (shape->dims.items[i]->kind == EXPR_PATH && shape->dims.items[i]->word == word)
                return true;
    return false;
}

bool is_unused(const Builder *b, const BlockDef *def, const char *word)
{
    return count_mentions(b, def, word)
           == (def != NULL && binds_in_signature(b, def, word) ? 1 : 0);
}

static void add_words(Map *uses, const Map *counts)
{
    for (int i = 0; i < counts->capacity; i++)
        if (counts->slots[i].key != NULL)
            add_count(uses, counts->slots[i].key, (int)(intptr_t)counts->slots[i].value);
}

int count_function_mentions(const FunctionDef *def, const char *word)
{
    Map counts = {0};
    count_expr(&counts, def->value);
    return count_in(&counts, word);
}

int count_uses(const Builder *b, const char *word)
{
    if (b->mentions->uses == NULL) {
        b->mentions->uses = NEW(Map);
        add_words(b->mentions->uses, &words_of(b, NULL)->counts);
        for (int i = 0; i < b->program->blocks.count; i++)
            add_words(b->mentions->uses, &words_of(b, b->program->blocks.items[i])->counts);
        for (int i = 0; i < b->program->functions.count; i++)
            count_expr(b->mentions->uses, b->program->functions.items[i]->value);
    }
    return count_in(b->mentions->uses, word);
}
