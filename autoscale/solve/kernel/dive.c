/* Residual dives: round an LP solution down, and solve the LP of what is left, with patterns no larger than that.

   Columns bounded by the remaining demand are what makes the rounding good: at the end of the dive, patterns fit the
   last pods exactly, which no pattern of the full problem does (Belov and Scheithauer 2002 call it the residual
   problem of cutting stock). */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEARLY 0.05 /* a pattern made at the root's duals may lack so much of its price */

/* What bin b could hold of what is left, as a mask of classes and a capacity clipped to that; 0: nothing. */
static int clip(Solver *s, int b)
{
    const Instance *in = s->in;
    double *capacity = s->sub_capacity + (size_t)b * in->R;
    uint64_t *mask = s->sub_mask + (size_t)b * MASK_WORDS;
    int any = 0;
    memset(capacity, 0, sizeof(double) * in->R);
    memset(mask, 0, sizeof(uint64_t) * MASK_WORDS);
    for (int i = 0; i < s->sub_classes; i++) {
        int c = s->sub_class[i], fit = s->fit[(size_t)b * in->C + c];
        if (!fit)
            continue;
        double most = fit < s->left[c] ? fit : s->left[c];
        any = 1;
        mask[i / 64 % MASK_WORDS] |= 1ULL << (i & 63);
        for (int r = 0; r < in->R; r++)
            capacity[r] += most * in->request[(size_t)c * in->R + r];
    }
    for (int r = 0; r < in->R; r++)
        if (in->capacity[(size_t)b * in->R + r] < capacity[r])
            capacity[r] = in->capacity[(size_t)b * in->R + r];
    return any;
}

/* can all that b could hold be held by a cheaper bin without limit, one of the first n of sub_bin? */
static int superfluous(const Solver *s, int b, int n)
{
    const Instance *in = s->in;
    const double *mine = s->sub_capacity + (size_t)b * in->R;
    const uint64_t *mask = s->sub_mask + (size_t)b * MASK_WORDS;
    for (int i = 0; i < n; i++) {
        int other = s->sub_bin[i], covers = s->stock[other] < 0;
        const double *theirs = s->sub_capacity + (size_t)other * in->R;
        for (int w = 0; w < MASK_WORDS && covers; w++)
            covers = !(mask[w] & ~s->sub_mask[(size_t)other * MASK_WORDS + w]);
        for (int r = 0; r < in->R && covers; r++)
            covers = mine[r] <= theirs[r];
        if (covers)
            return 1;
    }
    return 0;
}

/* classes with demand left and the bins of use for them, cheapest first */
static void outline(Solver *s)
{
    const Instance *in = s->in;
    s->sub_classes = s->sub_bins = 0;
    for (int c = 0; c < in->C; c++) {
        s->sub_row[c] = -1;
        if (s->left[c] > 0) {
            s->sub_row[c] = s->sub_classes;
            s->sub_class[s->sub_classes++] = c;
        }
    }
    for (int t = 0; t < in->B; t++) {
        int b = s->by_price[t];
        s->sub_use[b] = 0;
        if (s->stock[b] == 0 || (!clip(s, b) && !in->K))
            continue;
        if (!in->K && s->sub_classes <= 64 * MASK_WORDS && superfluous(s, b, s->sub_bins))
            continue;
        s->sub_use[b] = 1;
        s->sub_bin[s->sub_bins++] = b;
    }
}

static int fits_left(const Solver *s, const Pattern *q)
{
    for (int e = q->begin; e < q->begin + q->length; e++)
        if (s->pool.count_of[e] > s->left[s->pool.class_of[e]])
            return 0;
    return s->sub_use[q->bin];
}

static void build(Solver *s)
{
    const Instance *in = s->in;
    Lp *lp = &s->sub;
    outline(s);
    int rules = s->sub_classes, m = rules + in->K, entries = 0;
    for (int i = 0; i < s->sub_bins; i++)
        s->sub_limit_row[s->sub_bin[i]] = s->stock[s->sub_bin[i]] >= 0 ? m++ : -1;
    lp_rows(lp, m, in->B);
    lp_bin_rows(lp, s->sub_bins * (in->K + 1));
    for (int i = 0; i < s->sub_classes; i++) {
        int c = s->sub_class[i];
        lp_row(lp, i, in->whole[c] ? 'E' : 'G', s->left[c], in->penalty[c]);
    }
    for (int k = 0; k < in->K; k++)
        lp_row(lp, rules + k, 'L', s->slack[k], s->fine);
    for (int b = 0; b < in->B; b++) {
        lp->bin_begin[b] = entries;
        if (!s->sub_use[b])
            continue;
        for (int k = 0; k < in->K; k++)
            if (in->rule_node[(size_t)k * in->B + b] != 0.0) {
                lp->bin_row[entries] = rules + k;
                lp->bin_coef[entries++] = in->rule_node[(size_t)k * in->B + b];
            }
        if (s->sub_limit_row[b] >= 0) {
            lp_row(lp, s->sub_limit_row[b], 'L', s->stock[b], s->fine);
            lp->bin_row[entries] = s->sub_limit_row[b];
            lp->bin_coef[entries++] = 1.0;
        }
    }
    lp->bin_begin[in->B] = entries;
    lp->effort += 0.5 * s->root.n + 0.15 * in->B * s->sub_classes + 0.1 * s->sub_bins * s->sub_bins;
    for (int j = 0; j < s->root.n; j++)
        if (fits_left(s, &s->pool.at[s->root.tag[j]]))
            column_of(s, lp, s->root.tag[j], s->sub_row, rules);
    lp_start(lp);
}

/* The root's duals in the rows of what is left: with patterns of every size they would be optimal there, too. */
static void root_duals(Solver *s)
{
    const Instance *in = s->in;
    Lp *lp = &s->sub;
    for (int i = 0; i < s->sub_classes; i++)
        lp->y[i] = s->root_y[s->sub_class[i]];
    for (int k = 0; k < in->K; k++)
        lp->y[s->sub_classes + k] = s->root_rule[k];
    for (int i = 0; i < s->sub_bins; i++)
        if (s->sub_limit_row[s->sub_bin[i]] >= 0)
            lp->y[s->sub_limit_row[s->sub_bin[i]]] = s->root_limit[s->sub_bin[i]];
}

/* Column generation for what is left: good, not exact. Bins that gave nothing rest until the others give nothing. */
static void improve(Solver *s, int rounds, int fresh)
{
    s->slackness = 0;
    Lp *lp = &s->sub;
    int made[8], all = 1;
    double kept[lp->m + 1];
    memset(s->idle, 0, s->in->B);
    for (int round = 0; round < rounds && !out_of_time(s); round++) {
        if (round || !fresh)
            lp_solve(lp, 200 + 10 * lp->m);
        else {
            memcpy(kept, lp->y, sizeof(double) * lp->m);
            root_duals(s);
            s->eager = NEARLY;
        }
        int before = lp->n;
        for (int i = 0; i < s->sub_bins; i++) {
            int b = s->sub_bin[i];
            if (s->idle[b] && !all)
                continue;
            int n = price_bin(s, lp, b, s->left, s->sub_row, s->sub_classes, 1, s->warm_sub, 0, made, 3);
            s->idle[b] = !n;
            for (int t = 0; t < n; t++)
                column_of(s, lp, made[t], s->sub_row, s->sub_classes);
        }
        if (!round && fresh) {
            s->eager = 0;
            memcpy(lp->y, kept, sizeof(double) * lp->m);
            continue;
        }
        if (lp->n == before && all)
            return;
        all = lp->n == before;
    }
    lp_solve(lp, 200 + 10 * lp->m);
}

/* the same pods on the cheapest bin that holds them */
static int cheapest_home(Solver *s, int pattern)
{
    const Instance *in = s->in;
    Pattern q = s->pool.at[pattern];
    if (in->K || !q.length)
        return pattern;
    double load[MOST_RESOURCES] = {0};
    const int *classes = s->pool.class_of + q.begin, *counts = s->pool.count_of + q.begin;
    for (int e = 0; e < q.length; e++)
        for (int r = 0; r < in->R; r++)
            load[r] += counts[e] * in->request[(size_t)classes[e] * in->R + r];
    for (int t = 0; t < in->B; t++) {
        int b = s->by_price[t];
        if (in->price[b] >= in->price[q.bin])
            return pattern;
        if (s->stock[b] == 0)
            continue;
        int good = 1;
        for (int e = 0; e < q.length && good; e++)
            good = s->fit[(size_t)b * in->C + classes[e]] >= counts[e];
        for (int r = 0; r < in->R && good; r++)
            good = load[r] <= in->capacity[(size_t)b * in->R + r];
        if (good) {
            int c[q.length], n[q.length];
            memcpy(c, classes, sizeof c);
            memcpy(n, counts, sizeof n);
            return pool_add(&s->pool, b, c, n, q.length);
        }
    }
    return pattern;
}

/* as many of the pattern as are wanted and still fit; how many */
double fix(Solver *s, Plan *out, int pattern, double want, double *cost)
{
    const Instance *in = s->in;
    Pattern q = s->pool.at[pattern];
    double n = want;
    for (int e = q.begin; e < q.begin + q.length; e++) {
        double times = floor(s->left[s->pool.class_of[e]] / s->pool.count_of[e]);
        n = times < n ? times : n;
    }
    if (n < 1)
        return 0;
    if (n == 1) {
        pattern = cheapest_home(s, pattern);
        q = s->pool.at[pattern];
    }
    if (s->stock[q.bin] >= 0 && s->stock[q.bin] < n)
        n = s->stock[q.bin];
    for (int k = 0; k < in->K && n >= 1; k++) {
        double load = pattern_rule(s, pattern, k);
        if (load > 0 && s->slack[k] >= 0 && load * n > s->slack[k])
            n = floor(s->slack[k] / load + 1e-12);
        else if (load > 0 && s->slack[k] < 0)
            n = 0;
    }
    if (n < 1)
        return 0;
    for (int e = q.begin; e < q.begin + q.length; e++)
        s->left[s->pool.class_of[e]] -= n * s->pool.count_of[e];
    for (int k = 0; k < in->K; k++)
        s->slack[k] -= n * pattern_rule(s, pattern, k);
    if (s->stock[q.bin] > 0)
        s->stock[q.bin] -= n;
    plan_add(out, pattern, n);
    *cost += n * in->price[q.bin];
    return n;
}

static int something_left(const Solver *s)
{
    for (int c = 0; c < s->in->C; c++)
        if (s->left[c] > 0)
            return 1;
    for (int k = 0; k < s->in->K; k++)
        if (s->slack[k] < 0)
            return 1;
    return 0;
}

/* Fixes what the LP says surely, and at least one node; 0 when there is nothing to fix. */
static int round_down(Solver *s, Plan *out, double *cost, double noise, double share)
{
    Lp *lp = &s->sub;
    int fixed = 0, n = 0, column[lp->m + 1];
    double key[lp->m + 1];
    for (int i = 0; i < lp->m; i++) {
        int j = lp->basic[i];
        if (j < 0 || lp->x[i] < 1e-5)
            continue;
        double whole = floor(lp->x[i] + 1e-4), fraction = lp->x[i] - whole;
        if (whole >= 1)
            fixed += fix(s, out, lp->tag[j], whole, cost) > 0;
        if (fraction > 1e-4) {
            key[n] = fraction + noise * random_unit(s);
            column[n++] = lp->tag[j];
        }
    }
    int most = (int)(share * n);
    for (int done = fixed > 0; n > 0 && (done < 1 || most > 0); most--) {
        int pick = 0;
        for (int t = 1; t < n; t++)
            if (key[t] > key[pick] || (key[t] == key[pick] && column[t] < column[pick]))
                pick = t;
        if (done && key[pick] < 0.6)
            break;
        if (fix(s, out, column[pick], 1, cost) > 0) {
            done = 1;
            fixed++;
        }
        key[pick] = key[--n];
        column[pick] = column[n];
    }
    return fixed;
}

/* Places s->left; the cost with penalties, or 1e300 when it would reach cutoff or breaks a rule. */
double dive(Solver *s, Plan *out, double cutoff, double noise)
{
    const Instance *in = s->in;
    double cost = 0.0;
    int fresh = 1;
    s->dives++;
    while (something_left(s)) {
        build(s);
        improve(s, s->sub_classes > 60 ? 6 : s->sub_classes > 24 ? 8 : 12, fresh);
        fresh = 0;
        if (cost + lp_value(&s->sub) > cutoff + 1e-6 * fabs(cutoff) * 1e-3 + 1e-3)
            return 1e300;
        if (!round_down(s, out, &cost, noise, s->sub_classes > 60 ? 0.25 : 0.12))
            break;
        if (out_of_time(s)) {
            if (s->complete)
                return 1e300;
            greedy(s, out, s->root_y);
            break;
        }
    }
    for (int c = 0; c < in->C; c++)
        cost += s->left[c] * in->penalty[c];
    for (int k = 0; k < in->K; k++)
        if (s->slack[k] < 0)
            return 1e300;
    return cost <= cutoff ? cost : 1e300;
}

/* As fix, and where other patterns already hold pods of classes that are covered more than once: the rest without
   them, unless they are worth something. */
static void fix_all(Solver *s, Plan *out, int pattern, double want, double *cost)
{
    want -= fix(s, out, pattern, want, cost);
    if (want < 1)
        return;
    Pattern q = s->pool.at[pattern];
    int classes[q.length + 1], counts[q.length + 1], length = 0;
    double lost = 0.0;
    for (int e = q.begin; e < q.begin + q.length; e++) {
        int c = s->pool.class_of[e], most = s->pool.count_of[e];
        double each = floor(s->left[c] / want);
        int count = each < most ? (int)each : most;
        lost += s->root_y[c] * (most - count);
        if (count > 0) {
            classes[length] = c;
            counts[length++] = count;
        }
    }
    if (length && lost <= 1e-6 * s->in->price[q.bin])
        fix(s, out, pool_add(&s->pool, q.bin, classes, counts, length), want, cost);
}

void dive_from_root(Solver *s, double noise, double loose)
{
    Lp *lp = &s->root;
    Plan *plan = &s->trial;
    double cost = 0.0;
    begin_plan(s, plan);
    for (int i = 0; i < lp->m; i++)
        if (lp->basic[i] >= 0 && lp->x[i] >= loose + 1 - 1e-4)
            fix_all(s, plan, lp->tag[lp->basic[i]], floor(lp->x[i] - loose + 1e-4), &cost);
    double rest = dive(s, plan, s->best.objective - cost, noise);
    if (rest < 1e299)
        offer(s, plan);
}
