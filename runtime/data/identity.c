/* identity.c: what tells one data set from another.
 *
 * A run that is taken up again must go on with the images it began with.  Their
 * number and size are not enough (MNIST and Fashion-MNIST have the same), so all
 * labels are digested, and of the pixels those of a few hundred images spread
 * evenly, which takes no time.  What a network takes besides its first input is
 * digested with the labels, all of it.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void set_number(char *text, int64_t number)
{
    snprintf(text, NET_IDENTITY_TEXT, "%" PRId64, number);
}

static void set_digest(char *text, uint64_t digest)
{
    snprintf(text, NET_IDENTITY_TEXT, "%016llx", (unsigned long long)digest);
}

/* Of a part of the training images, which ones they are; of others, what they are. */
static uint64_t digest_judged(const NetData *data)
{
    const NetImages *images = &data->validation;
    if (data->order)
        return net_digest(0, data->order, (size_t)data->train.count * sizeof *data->order);
    return images->count > 0 ? net_targets_digest(images) ^ net_sample_digest(images) : 0;
}

void net_data_identify(NetIdentity *identity, const NetData *data)
{
    NetShape shape = net_image_shape(data->train.arrays[0].shape);
    *identity = (NetIdentity){0};
    snprintf(identity->what, sizeof identity->what, "%s", data->what);
    identity->noun = data->noun;
    identity->further = data->train.inputs[1] > 0;
    set_number(identity->texts[NET_TRAIN_IMAGES], data->train.count);
    set_number(identity->texts[NET_TEST_IMAGES], data->test.count);
    snprintf(identity->texts[NET_IMAGE_SIZE], NET_IDENTITY_TEXT, "%" PRId64 "x%" PRId64 "x%" PRId64,
             shape.c, shape.h, shape.w);
    set_number(identity->texts[NET_DATA_CLASSES], data->train.arrays[1].classes);
    set_digest(identity->texts[NET_TRAIN_LABELS], net_targets_digest(&data->train));
    set_digest(identity->texts[NET_TRAIN_PIXELS], net_sample_digest(&data->train));
    set_digest(identity->texts[NET_TEST_LABELS], net_targets_digest(&data->test));
    set_digest(identity->texts[NET_TEST_PIXELS], net_sample_digest(&data->test));
    set_number(identity->texts[NET_VALIDATION_IMAGES],
               data->order ? data->train.count - data->judged : data->validation.count);
    set_digest(identity->texts[NET_VALIDATION_DIGEST], digest_judged(data));
}

/* In __metadata__, and in a sentence; `digest`: the values say nothing to a reader. */
static const struct Trait {
    const char *key, *noun;
    bool digest;
    const char *otherwise;
} traits[NET_DATA_TRAITS] = {
    [NET_TRAIN_IMAGES] = {"data.train_images", "training {many}", false, NULL},
    [NET_TEST_IMAGES] = {"data.test_images", "test {many}", false, NULL},
    [NET_IMAGE_SIZE] = {"data.image_size", "{values} {a}", false, NULL},
    [NET_DATA_CLASSES] = {"data.classes", "classes", false, NULL},
    [NET_TRAIN_LABELS] = {"data.train_labels", "labels of training {many}", true, NULL},
    [NET_TRAIN_PIXELS] = {"data.train_pixels", "{values} of training {many}", true, NULL},
    [NET_TEST_LABELS] = {"data.test_labels", "labels of test {many}", true, NULL},
    [NET_TEST_PIXELS] = {"data.test_pixels", "{values} of test {many}", true, NULL},
    [NET_VALIDATION_IMAGES] = {"data.validation_images", "validation {many}", false, "0"},
    [NET_VALIDATION_DIGEST] = {"data.validation", "validation {many}", true, "0000000000000000"},
};

const char *net_identity_key(int trait)
{
    return traits[trait].key;
}

const char *net_identity_default(int trait)
{
    return traits[trait].otherwise;
}

static bool is_of_labels(const struct Trait *trait)
{
    return trait == &traits[NET_TRAIN_LABELS] || trait == &traits[NET_TEST_LABELS];
}

static void add(char *text, size_t size, const struct Trait *trait, const NetIdentity *of,
                const char *theirs, const char *ours)
{
    char noun[NET_IDENTITY_TEXT];
    size_t used = strlen(text);
    const char *before = used ? ", " : "";
    net_put_noun(noun, sizeof noun, trait->noun, of->noun);
    if (trait->digest)
        snprintf(text + used, size - used, "%sother %s%s", before,
                 of->further && is_of_labels(trait) ? "further inputs or " : "", noun);
    else
        snprintf(text + used, size - used, "%s%.40s %s, not %.40s", before, ours, noun, theirs);
}

/* Where counts differ, digests do too, and say nothing more. */
bool net_identity_same(const NetIdentity *theirs, const NetIdentity *ours, const char *checkpoint,
                       NetError *error)
{
    char different[NET_SHAPE_TEXT] = "";
    bool counts = false;
    for (int i = 0; i < NET_DATA_TRAITS; i++) {
        bool same = strcmp(theirs->texts[i], ours->texts[i]) == 0;
        if (!same && !(counts && traits[i].digest))
            add(different, sizeof different, &traits[i], ours, theirs->texts[i], ours->texts[i]);
        counts |= !same && !traits[i].digest;
    }
    if (!*different)
        return true;
    return net_fail(error,
                    "%.100s is of a run on %.80s, and %.80s has %s; give --data as it was, or "
                    "--init %.100s, which takes "
                    "its weights alone",
                    checkpoint, theirs->what, ours->what, different, checkpoint);
}
