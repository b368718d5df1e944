/* start.c: whether all ranks of a run begin the same one. */
#include "runtime.h"

#include <inttypes.h>

/* Of the program's file: another build of the same network may have other phases. */
static uint64_t digest_program(void)
{
    enum { PIECE = 1 << 16 };
    static char bytes[PIECE];
    uint64_t digest = 0;
    FILE *file = fopen("/proc/self/exe", "rb");
    for (size_t count = PIECE; file && count == PIECE;)
        digest = net_digest(digest, bytes, count = fread(bytes, 1, PIECE, file));
    if (file)
        fclose(file);
    return digest;
}

static uint64_t digest_settings(const NetSettings *settings)
{
    uint64_t digest = 0;
    for (int i = 0; i < settings->count; i++) {
        const NetValue *value = &settings->values[i];
        digest = net_digest_text(digest, value->path);
        digest = net_digest_text(digest, value->word ? value->word : "");
        digest = net_digest(digest, value->numbers, (size_t)value->count * sizeof *value->numbers);
    }
    return digest;
}

static uint64_t digest_data(const NetIdentity *identity)
{
    uint64_t digest = 0;
    for (int trait = 0; trait < NET_DATA_TRAITS; trait++)
        digest = net_digest_text(digest, identity->texts[trait]);
    return digest;
}

static uint64_t digest_progress(const NetStart *start)
{
    const NetProgress *progress = start->progress;
    const int64_t where[] = {progress->epoch, progress->position, progress->step, progress->shuffle,
                             start->max_steps};
    return net_digest_text(net_digest(0, where, sizeof where), progress->asked);
}

static uint64_t digest_weights(const NetSession *session)
{
    const NetModel *model = session->model;
    uint64_t digest =
        net_digest(0, session->weights, (size_t)model->trained * sizeof *session->weights);
    return net_digest(digest, session->buffers, (size_t)model->buffers * sizeof *session->buffers);
}

/* The number of ranks up to `ranks` of which each has grains. */
static int sharing_ranks(int64_t grains, int ranks)
{
    while (net_ranks_busy(grains, ranks) < ranks)
        ranks--;
    return ranks;
}

bool net_ranks_same(const NetSession *session, NetError *error)
{
    if (net_rank_count() == 1)
        return true;
    int unlike = net_ranks_unlike(digest_weights(session));
    return unlike < 0
           || net_fail(error,
                       "rank %d has other weights than rank 0 by now: its processor or its "
                       "libraries compute otherwise; go on from the last checkpoint without it",
                       unlike);
}

static bool check_share(const NetSession *session, NetError *error)
{
    int64_t batch = session->batch, lanes = session->model->lanes;
    int ranks = net_rank_count(), most = sharing_ranks(session->max_grains, ranks);
    if (most == ranks)
        return true;
    return net_fail(error,
                    "a batch of %" PRId64 " %s is %" PRId64 " grain%s of %" PRId64
                    ", which leaves nothing to do for some of %d ranks: start %d, or give "
                    "--batch %" PRId64,
                    batch, net_noun(session->model).many, session->max_grains,
                    session->max_grains == 1 ? "" : "s", lanes, ranks, most,
                    net_rank_block(session->max_grains, ranks) * ranks * lanes);
}

/* The first of the ranks that are not ready; -1: all are. */
static int first_unready(bool ready)
{
    int count = net_rank_count(), from_end = (int)net_ranks_largest(ready ? 0 : count - net_rank());
    return from_end ? count - from_end : -1;
}

bool net_ranks_ready(bool ready, int *speaker)
{
    int unready = first_unready(ready);
    if (unready >= 0 && speaker)
        *speaker = unready;
    return unready < 0;
}

bool net_ranks_start(const NetStart *start, bool ready, int *speaker, NetError *error)
{
    if (net_rank_count() == 1)
        return ready;
    if (!net_ranks_ready(ready, speaker))
        return false;
    const struct {
        const char *what;
        uint64_t digest;
    } all[] = {
        {"another program", digest_program()},
        {"other settings", digest_settings(start->settings)},
        {"other data", digest_data(start->progress->data)},
        {"another place to go on from", digest_progress(start)},
        {"another choice of --norms", start->session->own_norms},
        {"other first weights", digest_weights(start->session)},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int unlike = net_ranks_unlike(all[i].digest);
        if (unlike >= 0)
            return net_fail(error,
                            "rank %d has %s than rank 0: start the same program with the same "
                            "words on the same files everywhere",
                            unlike, all[i].what);
    }
    return check_share(start->session, error);
}
