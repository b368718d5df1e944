/* handed.c: a file that rank 0 reads and hands out, so that other machines need no copy of it.
 *
 * All ranks then check and read the same bytes, each by itself.
 */
#include "runtime.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 1 << 24 }; /* bytes that are handed out at once */

/* A file without a name, in memory. */
static FILE *open_copy(const char *path, NetError *error)
{
    int descriptor = memfd_create("handed", MFD_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w+b");
    if (!file) {
        net_fail(error, "cannot keep rank 0's %s in memory: %m", path);
        if (descriptor >= 0)
            close(descriptor);
    }
    return file;
}

/* One piece, read from the file or written to the copy.  Who fails goes on, so that the ranks stay
 * together. */
static bool move_piece(FILE *file, uint8_t *piece, size_t count, const char *path, NetError *error)
{
    bool reads = net_rank() == 0, good = !reads || fread(piece, 1, count, file) == count;
    if (!good)
        net_fail(error, "cannot read %s: %s", path,
                 ferror(file) ? "reading fails" : "the file has become shorter");
    net_ranks_hand_out(piece, (int64_t)count);
    if (!reads && fwrite(piece, 1, count, file) != count)
        good = net_fail(error, "cannot keep rank 0's %s in memory: %m", path);
    return good;
}

static bool hand_out(FILE *file, int64_t bytes, const char *path, int *speaker, NetError *error)
{
    uint8_t *piece = net_allocate(PIECE, 1, error);
    bool good = net_ranks_ready(piece != NULL, speaker);
    for (int64_t at = 0; good && at < bytes; at += PIECE) {
        int64_t left = bytes - at;
        good = move_piece(file, piece, (size_t)(left < PIECE ? left : PIECE), path, error);
        good = net_ranks_ready(good, speaker);
    }
    free(piece);
    if (good && fseeko(file, 0, SEEK_SET) != 0)
        good = net_fail(error, "cannot read %s: %m", path);
    return good;
}

bool net_tensors_open_handed(NetTensorFile *file, const char *path, int *speaker, NetError *error)
{
    int64_t bytes = 0;
    FILE *opened = net_rank() == 0 ? net_open_whole(path, &bytes, error) : open_copy(path, error);
    bool good = net_ranks_ready(opened != NULL, speaker);
    if (good && net_rank_count() > 1) {
        net_ranks_hand_out(&bytes, sizeof bytes);
        good = hand_out(opened, bytes, path, speaker, error);
    }
    if (!good && opened) {
        fclose(opened);
        opened = NULL;
    }
    return net_ranks_ready(net_tensors_open_file(file, opened, bytes, path, error), speaker);
}
