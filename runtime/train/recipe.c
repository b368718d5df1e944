/* recipe.c: what was made of the data's values before the network saw them.
 *
 * Weights mean nothing without it: a table's columns in their order, less their means, over their
 * deviations; a recording's rate.  So it goes into the weights' __metadata__ as the reader of the
 * data wrote it, and who tests the weights reads other data by it.  In what units targets are
 * (units.c) is taken and forgotten with it.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

bool net_recipe_set(NetSession *session, const char *text, NetError *error)
{
    char *own = text ? strdup(text) : NULL;
    if (text && !own)
        return net_fail(error, "out of memory");
    free(session->recipe);
    session->recipe = own;
    net_units_forget(session);
    return true;
}

bool net_take_recipe(NetSession *session, const NetData *data, NetError *error)
{
    if (data->recipe && session->recipe && strcmp(session->recipe, data->recipe) != 0)
        return net_fail(error,
                        "%s is made to numbers in another way than the run's data were: columns, "
                        "their means and deviations, or the rate of recordings differ",
                        data->what);
    if (data->recipe && !session->recipe && !(session->recipe = strdup(data->recipe)))
        return net_fail(error, "out of memory");
    return net_units_take(session, data, error);
}
