/* foreign.c: weights files that other programs wrote of the same layers.
 *
 * PyTorch's wrappers put words into the names of parameters: DataParallel and AveragedModel
 * `module.` in front, torch.compile `_orig_mod.` anywhere.  Where the network has a name without
 * these words and none with them, the tensor is taken by that name.  Counters of operations that
 * profilers leave in a state are no weights.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static const char MODULE[] = "module.", COMPILED[] = "_orig_mod.";

bool net_is_profilers(const char *name)
{
    static const char *const words[] = {"total_ops", "total_params", "n_averaged"};
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(last, words[i]) == 0)
            return true;
    return false;
}

bool net_has_name(const NetModel *model, const char *name)
{
    for (int i = 0; i < model->alias_count; i++)
        if (strcmp(model->aliases[i].path, name) == 0)
            return true;
    for (int i = 0; i < model->parameter_count; i++)
        if (strcmp(model->parameters[i].path, name) == 0)
            return true;
    return false;
}

/* Without the wrappers' words, in a copy; NULL: no memory. */
static char *unwrapped(const char *name)
{
    while (strncmp(name, MODULE, sizeof MODULE - 1) == 0
           || strncmp(name, COMPILED, sizeof COMPILED - 1) == 0)
        name += *name == 'm' ? sizeof MODULE - 1 : sizeof COMPILED - 1;
    char *copy = strdup(name);
    for (char *at = copy; at && (at = strstr(at, COMPILED));)
        if (at[-1] == '.')
            memmove(at, at + sizeof COMPILED - 1, strlen(at + sizeof COMPILED - 1) + 1);
        else
            at++;
    return copy;
}

bool net_tensors_unwrap(NetTensorFile *file, const NetModel *model, NetError *error)
{
    if (file->count == 0 || file->renamed)
        return true;
    file->renamed = net_allocate((size_t)file->count, sizeof *file->renamed, error);
    for (int i = 0; file->renamed && i < file->count; i++) {
        NetStored *tensor = &file->tensors[i];
        if (net_has_name(model, tensor->name))
            continue;
        char *name = unwrapped(tensor->name);
        if (!name)
            return net_fail(error, "out of memory");
        if (strcmp(name, tensor->name) != 0 && net_has_name(model, name)
            && !net_tensors_find(file, name)) {
            tensor->name = file->renamed[i] = name;
            continue;
        }
        free(name);
    }
    return file->renamed != NULL;
}
