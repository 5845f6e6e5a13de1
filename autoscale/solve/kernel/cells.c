/* Cells: the bins of a tree node, split by the thresholds that its branches name.

   When every number of nodes is whole and the LP still mixes patterns, a branch can say how many nodes of a set of bins
   hold at least k pods of class c (Vance 1998; Vanderbeck 2000). Such a row would change what the last of k pods is
   worth in pricing. Instead, each bin of the set is split in two: its patterns with a_c >= k and those with a_c < k. Each
   half is a bin whose patterns have bounds on their counts, so pricing stays a bounded knapsack, and every row of the tree
   counts nodes of cells. Several thresholds on one bin multiply: its cells are the products of the intervals that
   they cut each class's counts into. Without thresholds there is one cell a bin, with the bin's number. */
#include "core.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_PARTS = 8 }; /* cells of one bin from which it is not split again */

typedef struct { int class_of, least; } Threshold;

static int in_order(const Threshold *a, const Threshold *b)
{
    return a->class_of != b->class_of ? a->class_of < b->class_of : a->least < b->least;
}

/* the thresholds on each bin, sorted and each once: list[begin[b]..begin[b+1]) */
static Threshold *thresholds(const Solver *s, const Branch *branch, int depth, int *begin)
{
    const Instance *in = s->in;
    Threshold *list = malloc(sizeof(Threshold) * ((size_t)in->B * depth + 1));
    int n = 0;
    unsigned char *holds = calloc((size_t)(depth + 1) * in->B, 1);
    for (int d = 0; d < depth; d++)
        if (branch[d].class_of >= 0)
            for (int g = in->group_start[branch[d].group]; g < in->group_start[branch[d].group + 1]; g++)
                holds[(size_t)d * in->B + in->group_bin[g]] = 1;
    for (int b = 0; b < in->B; b++) {
        begin[b] = n;
        for (int d = 0; d < depth; d++) {
            Threshold new = {branch[d].class_of, branch[d].least};
            int known = !holds[(size_t)d * in->B + b], at = n;
            for (int t = begin[b]; t < n && !known; t++)
                known = list[t].class_of == new.class_of && list[t].least == new.least;
            if (known)
                continue;
            for (n++; at > begin[b] && in_order(&new, &list[at - 1]); at--)
                list[at] = list[at - 1];
            list[at] = new;
        }
    }
    begin[in->B] = n;
    free(holds);
    return list;
}

static void room_for(Cells *c, int cells, int bounds)
{
    if (cells > c->room) {
        c->room = 2 * cells;
        c->bin = realloc(c->bin, sizeof(int) * c->room);
        c->begin = realloc(c->begin, sizeof(int) * (c->room + 1));
    }
    if (bounds > c->bound_room) {
        c->bound_room = 2 * bounds;
        int **vectors[] = {&c->class_of, &c->least, &c->most};
        for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
            *vectors[i] = realloc(*vectors[i], sizeof(int) * c->bound_room);
    }
}

/* one more cell of bin b: `pick[i]` says which interval of the i-th class it has */
static void add_cell(Cells *c, int b, const Threshold *t, const int *first, const int *pick, int classes)
{
    int bounds = c->n ? c->begin[c->n] : 0;
    room_for(c, c->n + 1, bounds + classes);
    c->bin[c->n] = b;
    c->begin[c->n] = bounds;
    for (int i = 0; i < classes; i++) {
        c->class_of[bounds] = t[first[i]].class_of;
        c->least[bounds] = pick[i] ? t[first[i] + pick[i] - 1].least : 0;
        c->most[bounds++] = first[i] + pick[i] < first[i + 1] ? t[first[i] + pick[i]].least - 1 : 1 << 30;
    }
    c->n++;
    c->begin[c->n] = bounds;
}

/* Splits the bins by the branches' thresholds. Several thresholds of one class: the last class varies fastest. */
void cells_split(Solver *s, const Branch *branch, int depth)
{
    const Instance *in = s->in;
    Cells *c = &s->cells;
    int *begin = malloc(sizeof(int) * (in->B + 1));
    Threshold *list = thresholds(s, branch, depth, begin);
    c->n = 0;
    c->split = begin[in->B] > 0;
    room_for(c, in->B + 1, 1);
    c->begin[0] = 0;
    for (int b = 0; b < in->B; b++) {
        const Threshold *t = list + begin[b];
        int n = begin[b + 1] - begin[b], classes = 0, first[n + 2], pick[n + 1];
        c->first[b] = c->n;
        for (int i = 0; i < n; i++)
            if (!i || t[i].class_of != t[i - 1].class_of)
                first[classes++] = i;
        first[classes] = n;
        memset(pick, 0, sizeof pick);
        for (int i = classes - 1; i >= 0 || !classes;) {
            add_cell(c, b, t, first, pick, classes);
            for (i = classes - 1; i >= 0 && ++pick[i] > first[i + 1] - first[i]; i--)
                pick[i] = 0;
            if (!classes)
                break;
        }
    }
    c->first[in->B] = c->n;
    free(list);
    free(begin);
}

/* whether one more threshold leaves the bins of the group with few enough cells */
int cells_bear(const Solver *s, int group)
{
    const Instance *in = s->in;
    for (int g = in->group_start[group]; g < in->group_start[group + 1]; g++) {
        int b = in->group_bin[g];
        if (s->cells.first[b + 1] - s->cells.first[b] >= MOST_PARTS)
            return 0;
    }
    return 1;
}

int part_of(const Solver *s, int pattern)
{
    const Pattern *q = &s->pool.at[pattern];
    const Cells *c = &s->cells;
    if (!c->split)
        return q->bin;
    for (int cell = c->first[q->bin]; cell < c->first[q->bin + 1]; cell++) {
        int inside = 1;
        for (int i = c->begin[cell]; i < c->begin[cell + 1] && inside; i++) {
            int count = 0;
            for (int e = q->begin; e < q->begin + q->length; e++)
                if (s->pool.class_of[e] == c->class_of[i])
                    count = s->pool.count_of[e];
            inside = count >= c->least[i] && count <= c->most[i];
        }
        if (inside)
            return cell;
    }
    return c->first[q->bin]; /* never: the cells of a bin are all its patterns */
}

/* does the branch count the nodes of this cell? */
int branch_counts(const Solver *s, const Branch *branch, int cell)
{
    const Cells *c = &s->cells;
    if (branch->class_of < 0)
        return 1;
    for (int i = c->begin[cell]; i < c->begin[cell + 1]; i++)
        if (c->class_of[i] == branch->class_of)
            return c->least[i] >= branch->least;
    return 0;
}

void cells_free(Cells *c)
{
    void *all[] = {c->bin, c->begin, c->class_of, c->least, c->most, c->first};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}
