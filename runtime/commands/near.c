/* near.c: the name that a mistyped one is near to. */
#include "commands.h"

#include <string.h>

static int min_of(int a, int b, int c)
{
    int min = a < b ? a : b;
    return min < c ? min : c;
}

/* Levenshtein's: letters to insert, remove or replace. */
static int distance(const char *a, const char *b)
{
    int row[LONGEST + 1], length = (int)strlen(b);
    if (strlen(a) > LONGEST || length > LONGEST)
        return LONGEST;
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < length; j++) {
            int above = row[j + 1];
            row[j + 1] = min_of(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[length];
}

/* The nearer of the two, when it is within a third of the word's length. */
const char *net_nearer(const char *word, const char *best, const char *candidate)
{
    int limit = (int)(strlen(word) + 2) / 3, found = distance(word, candidate);
    return found <= limit && (!best || found < distance(word, best)) ? candidate : best;
}
