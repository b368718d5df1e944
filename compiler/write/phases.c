/* phases.c: the functions of a phase: its calls, and where these are many, functions of them,
 * each of a stretch of the network, which the phase calls in turn.  A stretch ends where a
 * block does, the larger the better.
 */
#include "write/emit.h"

#include <string.h>

enum { MAX_CALL_LINES = 200 }; /* of one function; a step's own calls stay together */

static CallEnd end_before(const Calls *calls, int step)
{
    return step ? calls->ends.items[step - 1] : (CallEnd){0};
}

void end_calls(Calls *calls, const char *path)
{
    CallEnd end = end_before(calls, calls->ends.count);
    for (size_t i = end.end; i < calls->text.length; i++)
        end.lines += calls->text.chars[i] == '\n';
    if (calls->text.length > end.end)
        push(&calls->ends, ((CallEnd){path, calls->text.length, end.lines}));
}

static int lines_of(const Calls *calls, int from, int to)
{
    return end_before(calls, to).lines - end_before(calls, from).lines;
}

/* How many blocks both lie in: of "layer1.0.conv1" and "layer1.0.bn1", two. */
static int shared_blocks(const char *a, const char *b)
{
    int blocks = 0;
    for (; *a && *a == *b; a++, b++)
        blocks += *a == '.';
    return blocks;
}

/* The step before which a stretch from `from` on ends: among those that leave it of some length
 * and not too long, the one that is parted from its neighbour by the largest block. */
static int stretch_end(const Calls *calls, int from)
{
    int best = 0, min_shared = 0, count = calls->ends.count;
    if (lines_of(calls, from, count) <= MAX_CALL_LINES)
        return count;
    for (int end = from + 1; end < count; end++) {
        int lines = lines_of(calls, from, end),
            shared = shared_blocks(calls->ends.items[end - 1].path, calls->ends.items[end].path);
        if (best && lines > MAX_CALL_LINES)
            break;
        if (!best || lines < MAX_CALL_LINES / 3 || shared <= min_shared) {
            best = end;
            min_shared = shared;
        }
    }
    return best ? best : count;
}

static const char *stretch_text(const Calls *calls, int from, int end)
{
    size_t begin = end_before(calls, from).end;
    return format("%.*s", (int)(end_before(calls, end).end - begin),
                  text_chars(&calls->text) + begin);
}

void open_phase(Text *out, const char *name)
{
    text_add(out, "static void %s(const NetStep *s, const NetTeam *team, int64_t g)\n{\n", name);
}

void leave_to_first(Text *out)
{
    text_add(out, "    if (!net_leads(team))\n        return;\n");
}

Text phase_calls(Emitter *emitter, const char *phase, const Calls *calls,
                 void (*open)(const Emitter *emitter, const char *text))
{
    Text names = {0};
    int count = calls->ends.count, part = 0;
    if (lines_of(calls, 0, count) <= MAX_CALL_LINES)
        return calls->text;
    for (int from = 0, end; from < count; from = end) {
        end = stretch_end(calls, from);
        const char *first = calls->ends.items[from].path, *last = calls->ends.items[end - 1].path,
                   *name = format("%s_%s_part_%d", phase, identifier(first), ++part),
                   *text = stretch_text(calls, from, end);
        text_add(emitter->module.out, "/* From %s to %s. */\n", comment_text(first),
                 comment_text(last));
        open_phase(emitter->module.out, name);
        open(emitter, text);
        text_add(emitter->module.out, "%s}\n\n", text);
        text_add(&names, "    %s(s, team, g);\n", name);
    }
    return names;
}

/* --------------------------------------------------------------- teams */

/* The same lines, four columns further to the right. */
static void add_indented(Text *to, const Text *lines)
{
    for (const char *line = text_chars(lines); *line;) {
        size_t length = strcspn(line, "\n") + 1;
        text_add(to, "    ");
        text_add_range(to, line, length);
        line += length;
    }
}

bool add_team_calls(Calls *calls, const StepList *steps)
{
    bool any = false, met = true;
    for (int i = 0; i < steps->count; i++)
        any |= steps->items[i].shared;
    for (int i = 0; i < steps->count; i++) {
        const StepCalls *step = &steps->items[i];
        if (step->shared && !met)
            text_add(&calls->text, "    net_meet(team);\n");
        if (any && !step->shared) {
            text_add(&calls->text, "    if (net_leads(team)) {\n");
            add_indented(&calls->text, &step->text);
            text_add(&calls->text, "    }\n");
        } else {
            text_add_range(&calls->text, text_chars(&step->text), step->text.length);
        }
        met = step->shared;
        if (met && i < steps->count - 1)
            text_add(&calls->text, "    net_meet(team);\n");
        end_calls(calls, step->path);
    }
    return any;
}
