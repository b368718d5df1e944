/* mentions.c: which words a block's or network's text mentions, whether or not
 * its walk comes by them: a side of an if that no use takes still uses what it
 * names.  A definition that nothing mentions is unused, or is what a word that
 * nothing defines was meant to be.
 */
#include "build.h"

#include <string.h>

typedef struct Count { const char *word; int found; } Count;

static void count_expr(Count *count, const Expr *expr)
{
    if (expr == NULL)
        return;
    bool names = expr->kind == EXPR_PATH || expr->kind == EXPR_CALL || expr->kind == EXPR_INDEX;
    count->found += names && expr->word == count->word;
    for (int i = 0; i < expr->arguments.count; i++)
        count_expr(count, expr->arguments.items[i].value);
    for (int i = 0; i < expr->items.count; i++)
        count_expr(count, expr->items.items[i]);
    count_expr(count, expr->left);
    count_expr(count, expr->right);
    count_expr(count, expr->condition);
}

static void count_shape(Count *count, const ShapeExpr *shape)
{
    for (int i = 0; shape != NULL && i < shape->dims.count; i++)
        count_expr(count, shape->dims.items[i]);
}

static void count_body(Count *count, const Body *body)
{
    for (int i = 0; body != NULL && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        count_expr(count, stmt->call);
        count_expr(count, stmt->value);
        count_expr(count, stmt->from);
        if (stmt->as != NULL && stmt->as->kind == EXPR_TEXT)
            count_expr(count, stmt->as);
        count_shape(count, stmt->shape);
        count_body(count, stmt->body);
        count_body(count, stmt->other);
    }
}

/* A dimension's first mention, in the signature, is what binds it. */
int count_mentions(const Program *program, const BlockDef *def, const char *word)
{
    Count count = {word, 0};
    if (def == NULL) {
        if (program->network != NULL)
            count_body(&count, program->network->body);
        return count.found;
    }
    for (int i = 0; i < def->params.count; i++)
        count_expr(&count, def->params.items[i].value);
    count_shape(&count, def->in);
    count_shape(&count, def->out);
    count_body(&count, def->body);
    return count.found;
}

static bool binds_in_signature(const BlockDef *def, const char *word)
{
    for (int i = 0; i < def->params.count; i++)
        if (def->params.items[i].name == word)
            return false;
    for (int i = 0; def->in != NULL && i < def->in->dims.count; i++)
        if (def->in->dims.items[i]->kind == EXPR_PATH && def->in->dims.items[i]->word == word)
            return true;
    return false;
}

bool is_unused(const Program *program, const BlockDef *def, const char *word)
{
    return count_mentions(program, def, word) == (def != NULL && binds_in_signature(def, word) ? 1 : 0);
}

int count_uses(const Program *program, const char *word)
{
    int uses = count_mentions(program, NULL, word);
    for (int i = 0; i < program->blocks.count; i++)
        uses += count_mentions(program, program->blocks.items[i], word);
    return uses;
}
