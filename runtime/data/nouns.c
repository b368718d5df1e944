/* nouns.c: what the examples of a network's data are called: whoever trains on a table reads of
 * rows.  The one place that knows; all that is printed asks it. */
#include "runtime.h"

#include <stdio.h>
#include <string.h>

static const NetNoun images = {"image", "images", "an image", "pixels"},
                     examples = {"example", "examples", "an example", "values"},
                     texts = {"text", "texts", "a text", "values"},
                     windows = {"window", "windows", "a window", "values"},
                     rows = {"row", "rows", "a row", "values"},
                     recordings = {"recording", "recordings", "a recording", "values"};

/* A picture has channels and two sides; flat, it is what known sets and drawn digits become. */
static bool is_of_pictures(const NetModel *model)
{
    int rank = model->input.rank;
    return rank == 3 || (rank == 1 && !net_is_read_by(model, "arrays"));
}

NetNoun net_noun(const NetModel *model)
{
    if (model->input_count > 1)
        return examples;
    if (net_is_read_by(model, "csv"))
        return rows;
    if (net_is_read_by(model, "audio"))
        return recordings;
    if (model->numbers && net_is_read_by(model, "arrays"))
        return examples;
    if (model->numbers)
        return net_can_generate(model) ? windows : texts;
    return is_of_pictures(model) ? images : examples;
}

NetNoun net_noun_of(const NetModel *model, const NetImages *made)
{
    const NetNoun noun = net_noun(model);
    bool pixels = made->array_count > 0 && made->arrays[made->inputs[0]].kind == NET_PIXELS;
    return noun.one == images.one && model->input.rank == 1 && made->count > 0 && !pixels ? examples
                                                                                          : noun;
}

char *net_put_noun(char *text, size_t size, const char *template, NetNoun noun)
{
    const struct {
        const char *place, *word;
    } words[] = {
        {"{one}", noun.one}, {"{many}", noun.many}, {"{a}", noun.a}, {"{values}", noun.values}};
    size_t used = 0;
    text[0] = 0;
    while (*template && used + 1 < size) {
        size_t length = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words && !length; i++)
            if (strncmp(template, words[i].place, strlen(words[i].place)) == 0) {
                length = strlen(words[i].place);
                used += (size_t)snprintf(text + used, size - used, "%s", words[i].word);
            }
        if (!length) {
            text[used++] = *template;
            text[used] = 0;
            length = 1;
        }
        template += length;
    }
    return text;
}
