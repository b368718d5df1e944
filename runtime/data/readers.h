/* readers.h: what the readers of data share.
 *
 * A reader is asked for data by a NetOpening, and fills a NetData's splits as arrays.h says.  What
 * a user should know and stops nothing it leaves in `notes`.
 */
#ifndef NET_READERS_H
#define NET_READERS_H

#include "data/arrays.h"

typedef struct NetNotes NetNotes;
typedef struct NetPool NetPool;
typedef struct NetSettings NetSettings;
typedef struct NetAugment NetAugment;

/* What is to be opened, and how. */
typedef struct NetOpening {
    const char *source; /* a name or a path */
    const NetModel *model;
    const NetSettings *settings; /* of which data.… are the reader's */
    uint64_t seed;               /* of drawn data */
    /* several ranks share out what takes time to make: each holds some training images, and the
     * test images of the batches of this size that it tests */
    bool share;
    int64_t batch;
    int threads;             /* that decode; 0 is 1 */
    int64_t memory;          /* bytes of decoded pictures that are kept; 0: half of what there is */
    const char *cache;       /* a folder for files of decoded pictures; NULL: there is none */
    bool skip_broken;        /* pictures that cannot be read are left out */
    bool test_only;          /* nothing is trained on: the training split may stay empty */
    const char *class_lines; /* of what is tested: the classes, a line each; or NULL … */
    const char *class_owner; /* … and whose they are, for messages: "weights" */
    const char *recipe;      /* likewise: NetData.recipe of what they were trained on */
    bool answers_only;       /* targets may be missing: what is tested is only to be answered */
    NetNotes *notes;         /* NULL: nobody is told */
    /* How far it is, now and then; NULL: nobody looks. */
    void (*progress)(const char *what, int64_t done, int64_t all);
} NetOpening;

/* data/names.c: names or paths. */
typedef struct NetNames {
    char **items;
    int64_t count, capacity;
} NetNames;
void net_names_close(NetNames *names);
bool net_names_add(NetNames *names, const char *name, NetError *error);
bool net_names_take(NetNames *names, char *name,
                    NetError *error);                            /* its own now; NULL: no memory */
void net_names_sort(NetNames *names);                            /* by their bytes */
int64_t net_names_find(const NetNames *names, const char *name); /* of sorted ones; -1: none */
char *net_names_lines(const NetNames *names);                    /* free() it; NULL: no memory */
bool net_names_split(NetNames *names, const char *lines, NetError *error); /* adds each line */
char *net_join_path(const char *folder, const char *name); /* free() it; NULL: no memory */
bool net_is_folder(bool *is, const char *folder, const char *name, NetError *error);
/* What a folder holds, each kind sorted, hidden ones too. */
bool net_list_folder(NetNames *folders, NetNames *files, const char *folder, NetError *error);

/* data/idx_sets.c: the IDX files of a folder: of the set `name` where it is one of EMNIST's. */
bool net_read_idx_set(NetData *data, bool *found, const char *folder, const char *name,
                      bool test_only, NetError *error);
bool net_idx_transpose(NetImages *images, NetError *error); /* rows become columns */
/* Whose first class has this number; `path` is of the labels. */
bool net_idx_count_from(NetImages *images, int first, const char *path, NetError *error);
bool net_is_there(bool *there, const char *path, NetError *error);

/* data/by_class.c: files by class, train/CLASS/… and test/CLASS/…, or CLASS/… */
/* Which files are meant. */
typedef struct NetFileKind {
    const char *noun, *plural; /* "PNG, JPEG, BMP or WebP", "images" */
    const char *endings[8];    /* of their names; ends with NULL */
} NetFileKind;
enum { NET_STRANGERS = 200 };
/* Files that are left out. */
typedef struct NetStrangers {
    int64_t count;
    char names[NET_STRANGERS]; /* of the first few */
} NetStrangers;
void net_tell_strangers(const NetStrangers *strangers, const char *root, const NetFileKind *kind,
                        NetNotes *notes);
/* Adds the paths of a folder's files, and of folders in it. */
bool net_walk(NetNames *paths, NetStrangers *strangers, const char *folder, const NetFileKind *kind,
              NetError *error);
/* Where the parts are: NULL where there is none. */
typedef struct NetLayout {
    const char *root;
    char *train, *test; /* paths */
    bool at_root;       /* one of them is the root itself */
} NetLayout;
bool net_find_parts(NetLayout *layout, const char *root, const NetOpening *opening,
                    NetError *error);
void net_layout_close(NetLayout *layout);
/* A part's files, and of each its class. */
typedef struct NetFiles {
    NetNames paths;
    int32_t *labels;
} NetFiles;
typedef struct NetByClass {
    NetNames classes;
    NetFiles train, test; /* empty: there is none, or it is not asked for */
} NetByClass;
bool net_is_by_class_folder(const char *root, const NetFileKind *kind, bool *is, NetError *error);
bool net_list_by_class(NetByClass *files, const char *root, const NetFileKind *kind,
                       const NetOpening *opening, NetError *error);
void net_by_class_close(NetByClass *files);
/* The split's array "class". */
bool net_add_classes(NetImages *images, const int32_t *labels, int64_t classes, NetError *error);

/* data/folder.c: pictures by class. */
bool net_ends_as(const char *path, const NetFileKind *kind); /* data/by_class.c */
extern const NetFileKind net_picture_files;
bool net_is_image_folder(const char *root, bool *is, NetError *error);
bool net_read_image_folder(NetData *data, const char *root, const NetOpening *opening,
                           NetError *error);
/* Whether the train section's data are of this reader, as "csv". */
bool net_is_read_by(const NetModel *model, const char *reader);
/* For the pictures of each part, so that each keeps as much of itself; 0: no bound. */
typedef struct NetMemory {
    int64_t train, test;
} NetMemory;
NetMemory net_share_memory(const NetOpening *opening, int64_t train, int64_t test);
/* data/masks.c: pictures, and of each a picture of its pixels' classes. */
bool net_read_masks(NetData *data, const NetOpening *opening, NetError *error);
/* data/noise.c: normal numbers for each input, to test with only. */
bool net_read_noise(NetData *data, const NetOpening *opening, NetError *error);
/* data/audio.c: recordings by class. */
bool net_read_audio(NetData *data, const NetOpening *opening, NetError *error);
extern const NetFileKind net_wave_files;
bool net_takes_recordings(const NetModel *model); /* by its train section */
/* Whether a path is one's by its ending. */
bool net_is_recording(const char *path);
/* One as the only example, brought to the rate that the recipe says, if it does; to be closed in
 * any case. */
bool net_open_recording(NetImages *images, const NetModel *model, const char *recipe,
                        const char *path, NetError *error);

/* data/pictures.c: pictures by their paths, which become the split's first array.  All are decoded
 * once, by all threads; those that memory has room for are kept, and the others decoded again for
 * each batch. */
typedef struct NetStream NetStream;
/* `labels`: of each path, and of those only that were read afterwards.  `trained`: they may stay in
 * their own sizes. */
bool net_read_pictures(NetImages *images, NetNames *paths, int32_t *labels, NetShape shape,
                       int64_t memory, bool trained, const NetOpening *opening, NetError *error);
/* Of files that cannot be read, a sentence for each in the order of the `all` pictures: all are
 * told, and why nothing is trained on; or that they are left out. */
bool net_refuse_broken(const NetNames *broken, int64_t all, NetNotes *notes, NetError *error);
void net_tell_left_out(const NetNames *broken, int64_t all, NetNotes *notes);
/* data/fit.c: `test` of the train section, of images that are in memory in another size. */
bool net_fit_data(NetData *data, const NetOpening *opening, NetError *error);

/* data/stream.c: the pictures of batches, of a set that is not all in memory in the network's size.
 * Each is read from its file, or cut anew. */
/* order[first], … (NULL: first, …), `count` of them; those that come after it begin each `step`
 * further on, below `end`, and are read ahead.  `augment`: its crop gives images of their own sizes
 * the network's; NULL: that is done as in a test. */
typedef struct NetReading {
    const int32_t *order;
    int64_t first, count, step, end;
    const NetAugment *augment;
} NetReading;
/* The pixels side by side, until the next call.  NULL: net_stream_failed says why. */
const uint8_t *net_stream_read(const NetImages *images, NetPool *pool, const NetReading *reading);
/* The first array's images, of one size, are cut for each batch. */
bool net_stream_over(NetImages *images, NetShape shape, const NetOpening *opening, NetError *error);
bool net_stream_keeps(const NetStream *stream, int64_t index); /* in memory, of the right size */
bool net_stream_sizes(const NetImages *images);                /* they have sizes of their own */
void net_stream_fail(const NetImages *images, const char *why);
bool net_stream_failed(const NetImages *images, NetError *error);
void net_stream_close(NetStream *stream);
/* data/alphabet.c: a text's characters as whole numbers, in the order of their codes; or its
 * bytes. */
typedef struct NetAlphabet {
    bool bytes;
    int32_t *codes; /* [count] */
    int64_t count;
    int32_t *numbers; /* [0x110000]; -1: it is not met */
} NetAlphabet;
bool net_alphabet_open(NetAlphabet *alphabet, bool bytes, NetError *error);
void net_alphabet_close(NetAlphabet *alphabet);
/* What a text has becomes part of it; `path` is for messages. */
bool net_alphabet_meet(NetAlphabet *alphabet, const char *text, int64_t length, const char *path,
                       NetError *error);
/* When all are met: gives each its number; false: there are more than `most`. */
bool net_alphabet_number(NetAlphabet *alphabet, int64_t most, const char *path, NetError *error);
int64_t net_alphabet_length(const NetAlphabet *alphabet, const char *text, int64_t length);
/* The first `most` characters' numbers, as NET_BYTES or NET_WHOLE. */
bool net_alphabet_translate(const NetAlphabet *alphabet, NetKind kind, void *to, int64_t most,
                            const char *text, int64_t length, const char *path, NetError *error);
/* A line for each of `numbers`, what no terminal prints by its code; free() it.  And back. */
char *net_alphabet_lines(const NetAlphabet *alphabet, int64_t numbers);
bool net_alphabet_read(NetAlphabet *alphabet, const char *lines, NetError *error);
/* Such a line as bytes of UTF-8: itself, or of "\x0a" and "\u00e4" the character.  How many. */
int net_spell_character(const char *name, char bytes[8]);
/* data/text.c: a file of text, of which the last tenth is for testing, in stretches as long as the
 * network's input; the characters are the classes' names. */
bool net_read_text(NetData *data, const NetOpening *opening, NetError *error);
/* The same of drawn numbers, each of which follows from the one before more often than not. */
bool net_draw_numbers(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                      NetError *error);
/* data/texts.c: a folder of texts by class. */
extern const NetFileKind net_text_files;
/* What a text's characters become. */
typedef struct NetTextReading {
    NetAlphabet alphabet;
    int64_t length, filler; /* of the input; behind a text that is shorter */
    NetKind kind;
} NetTextReading;
/* As the weights know it: `recipe` is NetData.recipe of what they were trained on. */
bool net_text_reading_open(NetTextReading *reading, const NetModel *model, const char *recipe,
                           NetError *error);
void net_text_reading_close(NetTextReading *reading);
/* A text's numbers, [length] of the kind; `path` is for messages. */
bool net_text_read(void *to, const NetTextReading *reading, const char *text, int64_t length,
                   const char *path, NetError *error);
bool net_is_text_folder(const char *root, bool *is, NetError *error);
bool net_read_texts(NetData *data, const NetOpening *opening, NetError *error);

/* data/table.c: a file of comma-separated values.  The first row is its header. */
typedef struct NetTable {
    const char *path;
    char *text, **cells;                                      /* [rows][columns], in the text */
    int64_t rows, columns, cell_count, *lines, line_capacity; /* lines: of each row, from 1 */
    bool commas;     /* fields lie between semicolons, so a number may have a decimal comma */
    uint64_t digest; /* of the file */
} NetTable;
bool net_table_open(NetTable *table, const char *path, NetError *error);
void net_table_close(NetTable *table);
const char *net_table_cell(const NetTable *table, int64_t row, int64_t column);
char *net_read_whole(const char *path, int64_t *length, NetError *error);

/* data/csv.c: rows of a table: columns are inputs, standardised, and targets. */
bool net_read_csv(NetData *data, const NetOpening *opening, NetError *error);

/* An array as a file has it. */
enum { NET_MAX_STORED = 8 }; /* axes */
typedef struct NetFileArray {
    char name[NET_ARRAY_NAME];
    const char *path; /* of the file, for messages */
    char type;        /* 'u' whole from 0, 'i' whole, 'f' real, 'b' a truth, 'h' a bfloat16 */
    int bytes;        /* of a value: 1, 2, 4 or 8 */
    bool swapped;     /* its bytes are in the other order than the machine's */
    bool fortran;     /* the first axis is the fastest */
    int rank;
    int64_t dim[NET_MAX_STORED], elements;
    const uint8_t *values; /* unaligned; the file's */
    uint8_t *unpacked;     /* of those that were packed: its own */
} NetFileArray;
/* Files that are open, and what arrays they have. */
typedef struct NetFileArrays {
    NetFileArray *items;
    int count;
    struct NetMapped *files;
    int file_count;
} NetFileArrays;
/* data/file_arrays.c: adds what a .npy, .npz or .safetensors file has. */
bool net_file_arrays_add(NetFileArrays *arrays, const char *path, NetError *error);
void net_file_arrays_close(NetFileArrays *arrays);
/* data/npy.c: the array that `count` bytes are in the format of numpy's .npy. */
bool net_read_npy(NetFileArray *array, const uint8_t *bytes, int64_t count, NetError *error);
/* Checks that an array's values are `count` bytes; fills in `elements`. */
bool net_check_file_array(NetFileArray *array, int64_t count, NetError *error);
/* data/zip.c: the members of a zip archive, which are stored or packed by zlib's deflate. */
enum { NET_MEMBER_NAME = 300 };
typedef struct NetMember {
    char name[NET_MEMBER_NAME];
    const uint8_t *bytes;
    int64_t count;
    uint8_t *unpacked; /* NULL: they lie in the archive */
} NetMember;
typedef bool NetTakeMember(void *to, NetMember *member, NetError *error);
bool net_read_zip(const uint8_t *bytes, int64_t count, const char *path, NetTakeMember *take,
                  void *to, NetError *error);
/* data/array_files.c: named arrays as a data set: train_x, train_y, test_x, … */
bool net_read_arrays(NetData *data, const NetOpening *opening, NetError *error);

/* core/memory.c: bytes that the process may use: the machine's, or its group's limit. */
int64_t net_memory(void);

#endif
