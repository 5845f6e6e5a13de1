/* A greedy plan for what is left: again and again the node whose pods are worth most for its price.

   Values only fall as demand shrinks, so a bin's pattern is made anew only when it no longer fits (lazy evaluation).
   It is the first plan, the last resort when time runs out, and costs a few milliseconds. */
#include "core.h"
#include <stdlib.h>
#include <string.h>

double fix(Solver *s, Plan *out, int pattern, double want, double *cost);

/* the best of a few greedy fillings of the bin with what is left; its value per price, or -1 */
static double fill_bin(Solver *s, int b, const double *value, int *pattern)
{
    const Instance *in = s->in;
    Knapsack *k = &s->sack;
    int R = in->R;
    static const double even[MOST_RESOURCES];
    double best = -1.0;
    k->n = 0;
    for (int e = s->item_begin[b]; e < s->item_begin[b + 1]; e++) {
        int c = s->item[e], i;
        if (s->left[c] <= 0)
            continue;
        i = k->n++;
        k->item[i] = c;
        k->value[i] = value[c];
        k->most[i] = s->fit[(size_t)b * in->C + c] < s->left[c] ? s->fit[(size_t)b * in->C + c] : s->left[c];
        memcpy(k->weight + i * R, in->request + (size_t)c * R, sizeof(double) * R);
    }
    if (!k->n)
        return -1.0;
    memcpy(k->capacity, in->capacity + (size_t)b * R, sizeof(double) * R);
    knapsack_order(k, even);
    int starts = k->n < 3 ? k->n : 3, order[3];
    memcpy(order, k->order, sizeof(int) * starts);
    for (int t = 0; t < starts; t++) {
        double worth = knapsack_fill(k, order[t]);
        if (worth <= best)
            continue;
        int classes[k->n], counts[k->n], length = 0;
        best = worth;
        for (int i = 0; i < k->n; i++)
            if (k->best[i]) {
                classes[length] = k->item[i];
                counts[length++] = k->best[i];
            }
        *pattern = pool_add(&s->pool, b, classes, counts, length);
    }
    return in->price[b] > 0 ? best / in->price[b] : 1e300;
}

static int still_fits(const Solver *s, int pattern)
{
    const Pattern *q = &s->pool.at[pattern];
    for (int e = q->begin; e < q->begin + q->length; e++)
        if (s->pool.count_of[e] > s->left[s->pool.class_of[e]])
            return 0;
    return 1;
}

void greedy(Solver *s, Plan *out, const double *value)
{
    const Instance *in = s->in;
    int *pattern = malloc(sizeof(int) * (in->B + 1));
    double *ratio = malloc(sizeof(double) * (in->B + 1)), cost = 0.0;
    for (int b = 0; b < in->B; b++)
        ratio[b] = s->stock[b] != 0 ? fill_bin(s, b, value, &pattern[b]) : -1.0;
    for (;;) {
        int pick = -1;
        for (int t = 0; t < in->B; t++) {
            int b = s->by_price[t];
            if (ratio[b] > 0 && (pick < 0 || ratio[b] > ratio[pick]))
                pick = b;
        }
        if (pick < 0)
            break;
        if (still_fits(s, pattern[pick])) {
            if (fix(s, out, pattern[pick], 1e15, &cost) <= 0 || s->stock[pick] == 0)
                ratio[pick] = -1.0; /* supply or a rule is used up */
        } else
            ratio[pick] = fill_bin(s, pick, value, &pattern[pick]);
    }
    free(pattern);
    free(ratio);
}
