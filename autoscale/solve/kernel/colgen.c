/* Column generation: the master's linear program over all patterns, without writing them down.

   Duals y of the master price every bin's best pattern (price.c); patterns worth more than their bin costs join the
   master until there are none (Gilmore and Gomory 1961). The bound needs no convergence. For the duals y of demand,
   s <= 0 of rules and other rows, and any theta >= 1 such that every bin b without limit has

       best_b <= theta (price_b - rows_b.s)          best_b: proven bound on the value of b's patterns

   (y / theta, s) with a dual m_b = max(0, best_b / theta - (price_b - rows_b.s)) for each bin with a limit is feasible
   for the dual of the master, so   y.d / theta + s.rhs - sum_b limit_b m_b   bounds every answer from below
   (Farley 1990, kept to the demand rows, since rows <= do not scale). Each class may as well have a theta of its own: the
   largest that is asked for by a bin with a pattern worth too much that holds the class (class_scale), or by a bin that
   does not tell which classes those are. A few dear patterns then cost only the duals of their own classes.

   With very many classes the master's rows can be shared by classes that are alike (Blend): a class's dual is then a sum
   of its rows' duals times its coefficients there, a restriction of the dual, so the bound stays a bound.

   When rules weigh pods, that scaling does not hold either. Then: a bin's pattern with reduced cost -e is worth e per
   node too much, and a plan no dearer than the best known has at most best / price_b such nodes, so

       y.d + s.rhs - best * max_b (e_b / price_b)

   bounds every plan that is no dearer than the best known. */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MANY_CLASSES = 200, HASTE = 2, PERIOD = 4, ROUGH_LABELS = 300 };
#define EAGER 0.05     /* what the first patterns for guessed values may lack of their price */
#define STALLED 3e-4   /* of the LP: what a few rounds of cheap pricing must bring for more of them */

int demand_rows(const Solver *s) { return s->blend ? s->blend->rows : s->in->C; }

double root_value(const Solver *s, int c)
{
    const Blend *blend = s->blend;
    double value = 0.0;
    if (s->guess)
        return s->guess[c];
    if (!blend)
        return s->root.y[c];
    for (int e = blend->begin[c]; e < blend->begin[c + 1]; e++)
        value += s->root.y[blend->row[e]] * blend->coef[e];
    return value;
}

/* the pattern's pods in the rows that classes share */
static void blended_column(Solver *s, int pattern)
{
    const Blend *blend = s->blend;
    const Pattern *q = &s->pool.at[pattern];
    int rows[blend->rows + 1], n = 0;
    double coefs[blend->rows + 1], sum[blend->rows + 1];
    memset(sum, 0, sizeof sum);
    for (int e = q->begin; e < q->begin + q->length; e++)
        for (int c = s->pool.class_of[e], f = blend->begin[c]; f < blend->begin[c + 1]; f++)
            sum[blend->row[f]] += s->pool.count_of[e] * blend->coef[f];
    for (int r = 0; r < blend->rows; r++)
        if (sum[r] > 0) {
            rows[n] = r;
            coefs[n++] = sum[r];
        }
    lp_column(&s->root, pattern, part_of(s, pattern), s->in->price[q->bin], rows, coefs, n);
}

void column_of(Solver *s, Lp *lp, int pattern, const int *row_of, int rule_row)
{
    const Instance *in = s->in;
    const Pattern *q = &s->pool.at[pattern];
    int rows[q->length + in->K + 1], n = 0;
    double coefs[q->length + in->K + 1];
    if (lp == &s->root && s->blend) {
        blended_column(s, pattern);
        return;
    }
    for (int e = 0; e < q->length; e++) {
        int c = s->pool.class_of[q->begin + e];
        rows[n] = row_of ? row_of[c] : c;
        coefs[n++] = s->pool.count_of[q->begin + e];
    }
    if (in->rule_pod)
        for (int k = 0; k < in->K; k++) {
            double sum = pattern_rule(s, pattern, k) - in->rule_node[(size_t)k * in->B + q->bin];
            if (sum != 0.0) {
                rows[n] = rule_row + k;
                coefs[n++] = sum;
            }
        }
    lp_column(lp, pattern, lp == &s->root ? part_of(s, pattern) : q->bin, in->price[q->bin], rows, coefs, n);
}

void root_add(Solver *s, int pattern)
{
    if (pattern >= s->in_root_room) {
        int room = 2 * pattern + 1024;
        s->in_root = realloc(s->in_root, room);
        memset(s->in_root + s->in_root_room, 0, room - s->in_root_room);
        s->in_root_room = room;
    }
    if (s->in_root[pattern])
        return;
    s->in_root[pattern] = 1;
    column_of(s, &s->root, pattern, NULL, demand_rows(s));
}

void root_cells(Solver *s)
{
    Lp *lp = &s->root;
    int cells = s->cells.n;
    if (cells >= s->cell_room) {
        s->cell_room = 2 * cells + 1;
        s->bin_bound = realloc(s->bin_bound, sizeof(double) * s->cell_room);
        s->idle = realloc(s->idle, s->cell_room);
        s->told = realloc(s->told, s->cell_room);
    }
    memset(s->idle, 0, cells);
    memset(s->told, 0, cells);
    lp_bins(lp, cells);
    for (int j = 0; j < lp->n; j++)
        lp->bin[j] = part_of(s, lp->tag[j]);
}

/* Rows: classes, rules, limits. */
void root_build(Solver *s)
{
    const Instance *in = s->in;
    int rules = demand_rows(s), m = rules + in->K, entries = 0;
    s->root.deadline = s->sub.deadline = s->deadline;
    for (int b = 0; b < in->B; b++)
        s->root_limit_row[b] = in->limit[b] >= 0 ? m++ : -1;
    Lp *lp = &s->root;
    lp_rows(lp, m, in->B);
    cells_split(s, NULL, 0);
    root_cells(s);
    for (int r = 0; s->blend && r < rules; r++)
        lp_row(lp, r, 'G', s->blend->rhs[r], s->blend->fine[r]);
    for (int c = 0; !s->blend && c < in->C; c++)
        lp_row(lp, c, in->whole[c] ? 'E' : 'G', in->demand[c], in->penalty[c]);
    for (int k = 0; k < in->K; k++)
        lp_row(lp, rules + k, 'L', in->rule_limit[k], s->fine);
    lp_bin_rows(lp, in->B * (in->K + 1));
    for (int b = 0; b < in->B; b++) {
        lp->bin_begin[b] = entries;
        for (int k = 0; k < in->K; k++)
            if (in->rule_node[(size_t)k * in->B + b] != 0.0) {
                lp->bin_row[entries] = rules + k;
                lp->bin_coef[entries++] = in->rule_node[(size_t)k * in->B + b];
            }
        if (s->root_limit_row[b] >= 0) {
            lp_row(lp, s->root_limit_row[b], 'L', in->limit[b], s->fine);
            lp->bin_row[entries] = s->root_limit_row[b];
            lp->bin_coef[entries++] = 1.0;
        }
    }
    lp->bin_begin[in->B] = entries;
    s->base_rows = m;
    s->base_begin = malloc(sizeof(int) * (in->B + 1));
    s->base_row = malloc(sizeof(int) * (entries + 1));
    s->base_coef = malloc(sizeof(double) * (entries + 1));
    memcpy(s->base_begin, lp->bin_begin, sizeof(int) * (in->B + 1));
    if (entries) {
        memcpy(s->base_row, lp->bin_row, sizeof(int) * entries);
        memcpy(s->base_coef, lp->bin_coef, sizeof(double) * entries);
    }
    for (int c = 0; c < in->C; c++) { /* one column a class: many of it alone, where that is cheapest */
        int best = -1;
        double least = 1e300;
        for (int b = 0; b < in->B; b++) {
            double n = s->fit[(size_t)b * in->C + c];
            n = n < in->demand[c] ? n : in->demand[c];
            if (n > 0 && in->limit[b] != 0 && in->price[b] / n < least) {
                least = in->price[b] / n;
                best = b;
            }
        }
        if (best >= 0) {
            int n = s->fit[(size_t)best * in->C + c];
            n = n < in->demand[c] ? n : (int)in->demand[c];
            root_add(s, pool_add(&s->pool, best, &c, &n, 1));
        }
    }
    lp_start(lp);
}

/* Pods that every node of the cell holds: classes and counts, and what they are worth at these duals. */
typedef struct { int n; const int *class_of, *least, *most; } Held;

static int least_of(const Held *held, int c)
{
    for (int i = 0; i < held->n; i++)
        if (held->class_of[i] == c)
            return held->least[i];
    return 0;
}

static double most_of(const Held *held, int c)
{
    for (int i = 0; i < held->n; i++)
        if (held->class_of[i] == c)
            return held->most[i] - held->least[i];
    return 1e300;
}

/* the filling found, with the pods that the cell must hold, as a pattern */
static int keep(Solver *s, int b, const Held *held, int *made, int n)
{
    Knapsack *k = &s->sack;
    int classes[k->n + held->n + 1], counts[k->n + held->n + 1], length = 0;
    for (int i = 0; i < k->n; i++)
        if (k->best[i]) {
            classes[length] = k->item[i];
            counts[length++] = k->best[i] + least_of(held, k->item[i]);
        }
    for (int i = 0; i < held->n; i++) { /* those that are not among the items, in order of class */
        int at = length;
        for (int e = 0; e < length && at == length; e++)
            if (classes[e] >= held->class_of[i])
                at = e;
        if (!held->least[i] || (at < length && classes[at] == held->class_of[i]))
            continue;
        memmove(classes + at + 1, classes + at, sizeof(int) * (length - at));
        memmove(counts + at + 1, counts + at, sizeof(int) * (length - at));
        classes[at] = held->class_of[i];
        counts[at] = held->least[i];
        length++;
    }
    int p = pool_add(&s->pool, b, classes, counts, length);
    for (int i = 0; i < n; i++)
        if (made[i] == p)
            return n;
    made[n] = p;
    return n + 1;
}

static double class_value(const Solver *s, const Lp *lp, int b, int c, const int *row_of, int rule_row)
{
    const Instance *in = s->in;
    double v = row_of ? lp->y[row_of[c]] : root_value(s, c);
    if (in->rule_pod)
        for (int r = 0; r < in->K; r++)
            v += lp->y[rule_row + r] * in->rule_pod[((size_t)r * in->B + b) * in->C + c];
    return v;
}

/* Only classes that can be in a pattern worth more than `goal` need smaller duals for the cell's sake: notes how much. */
static void shrink(Solver *s, const Held *held, const double *multipliers, double goal, double ratio)
{
    Knapsack *k = &s->sack;
    double f = k->concerned_n ? 0 : knapsack_lagrange(k, multipliers);
    for (int i = 0; i < k->concerned_n; i++)
        if (s->class_scale[k->concerned[i]] < ratio)
            s->class_scale[k->concerned[i]] = ratio;
    for (int i = 0; i < k->n && !k->concerned_n; i++)
        if ((k->rest[i] >= 0 || f + k->rest[i] > goal) && s->class_scale[k->item[i]] < ratio)
            s->class_scale[k->item[i]] = ratio;
    for (int i = 0; i < held->n; i++)
        if (held->least[i] && s->class_scale[held->class_of[i]] < ratio)
            s->class_scale[held->class_of[i]] = ratio;
}

/* New patterns of the cell worth more than its bin costs, at most `most`, into made; their number. bin_bound is set. */
int price_bin(Solver *s, const Lp *lp, int cell, const double *left, const int *row_of, int rule_row,
              int added, double *warm, int exact, int *made, int most)
{
    const Instance *in = s->in;
    Knapsack *k = &s->sack;
    const Cells *cells = &s->cells;
    Held held = {0, NULL, NULL, NULL};
    int R = in->R, n = 0, b = cell;
    if (lp == &s->root && cells->split) {
        int at = cells->begin[cell];
        b = cells->bin[cell];
        held = (Held){cells->begin[cell + 1] - at, cells->class_of + at, cells->least + at, cells->most + at};
    }
    double goal = in->price[b], certain = 0.0;
    for (int e = lp->bin_begin[cell]; e < lp->bin_begin[cell + 1]; e++)
        goal -= lp->y[lp->bin_row[e]] * lp->bin_coef[e];
    goal -= s->eager * fabs(goal);
    memcpy(k->capacity, in->capacity + (size_t)b * R, sizeof(double) * R);
    for (int i = 0; i < held.n; i++) {
        int c = held.class_of[i];
        if (!held.least[i])
            continue;
        certain += held.least[i] * class_value(s, lp, b, c, row_of, rule_row);
        int possible = s->fit[(size_t)b * in->C + c] >= held.least[i];
        for (int r = 0; r < R; r++) {
            k->capacity[r] -= held.least[i] * in->request[(size_t)c * R + r];
            possible &= k->capacity[r] >= 0;
        }
        if (!possible) { /* there is no such pattern */
            s->bin_bound[cell] = -1e300;
            return 0;
        }
    }
    goal -= certain;
    s->told[cell] = 0;
    double bound_before = goal; /* a bound on the value beyond `certain`, raised as pricing goes on */
    double tiny = 1e-7 * (fabs(goal) + 1e-3 * in->price[b] + 1.0);
    if (s->slackness * goal > tiny)
        tiny = s->slackness * goal; /* far from the best plan, the last digits of the LP don't matter */
    k->n = 0;
    if (goal < -tiny) { /* the emptiest node already pays: a branch or a rule asks for it */
        n = keep(s, b, &held, made, n);
        goal = 0.0;
    }
    if (goal < 0)
        goal = 0.0;
    double all = 0.0;
    for (int e = s->item_begin[b]; e < s->item_begin[b + 1]; e++) {
        int c = s->item[e];
        if (left[c] <= 0)
            continue;
        double v = class_value(s, lp, b, c, row_of, rule_row);
        if (v <= 1e-9)
            continue;
        double upto = s->fit[(size_t)b * in->C + c];
        if (left[c] < upto)
            upto = left[c];
        if (held.n) {
            upto -= least_of(&held, c);
            double bound = most_of(&held, c);
            upto = bound < upto ? bound : upto;
            if (upto < 1)
                continue;
        }
        int i = k->n++;
        k->item[i] = c;
        k->value[i] = v;
        k->most[i] = upto;
        all += v * k->most[i];
        memcpy(k->weight + i * R, in->request + (size_t)c * R, sizeof(double) * R);
    }
    if (all <= goal + tiny) {
        double least = bound_before > goal ? bound_before : goal;
        s->bin_bound[cell] = certain + (all > least ? all : least);
        return n;
    }
    int exhaust = !added; /* not before cheaper ways find nothing in any bin */
    static const long nodes[] = {400, 2000, 20000};
    static const int labels[] = {0, 1000, 12000}, fewer[] = {0, 300, 12000};
    double wanted = s->slackness > 0 && goal > 0 ? goal + 0.9 * tiny : goal;
    long node_limit = nodes[exact];
    int label_limit = left == s->left ? 0 : exhaust ? labels[exact] : fewer[exact];
    if (s->rough > 0 && exact == 1)
        label_limit = ROUGH_LABELS;
    double bound = knapsack_solve(k, wanted, warm + (size_t)b * R, node_limit, label_limit);
    s->bin_bound[cell] = certain + (bound > bound_before ? bound : bound_before);
    s->told[cell] = lp == &s->root && bound > goal + tiny && goal > 0 && goal + certain > 0;
    if (s->told[cell] && in->limit[b] < 0)
        shrink(s, &held, warm + (size_t)b * R, goal, (certain + bound) / (certain + goal));
    if (k->best_value > goal + tiny)
        n = keep(s, b, &held, made, n);
    for (int i = 1; i < k->found_n && n < most; i++)
        if (knapsack_found(k, i) > goal + tiny)
            n = keep(s, b, &held, made, n);
    if (bound <= goal + tiny)
        return n;
    if (exact && !k->found_n)
        for (int t = 0; t < k->arranged && n < most; t++)
            if (knapsack_around(k, t, goal + tiny, exact > 1 ? 300 : 60))
                n = keep(s, b, &held, made, n);
    knapsack_order(k, warm + (size_t)b * R);
    int at_most = 24 + 1500 / (in->B + 1), order[k->n + 1];
    at_most = at_most < k->n ? at_most : k->n;
    memcpy(order, k->order, sizeof(int) * at_most);
    for (int t = 0; t < at_most && n < most; t++)
        if (knapsack_fill(k, order[t]) > goal + tiny)
            n = keep(s, b, &held, made, n);
    return n;
}

/* The bounds of the head of this file, from bin_bound and the duals. */
static double dual_bound(const Solver *s, const Lp *lp)
{
    const Instance *in = s->in;
    double theta = 1.0, common = 1.0 + s->slackness, shortfall = 0.0, demand = 0.0, shrunk = 0.0;
    double rest = 0.0, limits = 0.0, limits_scaled = 0.0, limits_common = 0.0;
    int scales = !in->rule_pod;
    const Cells *cells = &s->cells;
    double goals[cells->n + 1];
    for (int t = 0; t < cells->n; t++) {
        int b = cells->bin[t];
        double goal = in->price[b], deficit;
        for (int e = lp->bin_begin[t]; e < lp->bin_begin[t + 1]; e++)
            goal -= lp->y[lp->bin_row[e]] * lp->bin_coef[e];
        goals[t] = goal;
        deficit = s->bin_bound[t] - goal;
        if (in->limit[b] >= 0 || deficit <= 0)
            continue;
        if (in->price[b] <= 0)
            return -1e300;
        if (deficit > shortfall * in->price[b])
            shortfall = deficit / in->price[b];
        if (goal <= 0)
            scales = 0;
        else if (s->bin_bound[t] > theta * goal)
            theta = s->bin_bound[t] / goal;
        if (!s->told[t] && s->bin_bound[t] > common * goal)
            common = s->bin_bound[t] / goal;
    }
    for (int i = 0; i < in->C; i++) {
        double y = root_value(s, i);
        y = y > in->penalty[i] ? in->penalty[i] : y;
        double worth = (y < 0 && !in->whole[i] ? 0 : y) * in->demand[i];
        demand += worth;
        shrunk += worth / (s->class_scale[i] > common ? s->class_scale[i] : common);
    }
    for (int i = demand_rows(s); i < lp->m; i++)
        rest += lp->y[i] * lp->exact_rhs[i];
    for (int b = 0; b < in->B; b++)
        if (in->limit[b] > 0) { /* the dual of a limit may as well be the best one */
            double mu = -lp->y[s->root_limit_row[b]], need = 0, scaled = 0, least = 0;
            for (int t = cells->first[b]; t < cells->first[b + 1]; t++) {
                double open = goals[t] - mu;
                need = s->bin_bound[t] - open > need ? s->bin_bound[t] - open : need;
                scaled = s->bin_bound[t] / theta - open > scaled ? s->bin_bound[t] / theta - open : scaled;
                least = s->bin_bound[t] / common - open > least ? s->bin_bound[t] / common - open : least;
            }
            limits += in->limit[b] * ((need > 0 ? need : 0) - mu);
            limits_scaled += in->limit[b] * ((scaled > 0 ? scaled : 0) - mu);
            limits_common += in->limit[b] * ((least > 0 ? least : 0) - mu);
        }
    double bound = demand + rest - limits - shortfall * s->best.objective;
    if (scales && demand / theta + rest - limits_scaled > bound)
        bound = demand / theta + rest - limits_scaled;
    if (scales && shrunk + rest - limits_common > bound)
        bound = shrunk + rest - limits_common;
    return bound;
}

static void scales_anew(Solver *s)
{
    for (int c = 0; c < s->in->C; c++)
        s->class_scale[c] = 1.0;
}

double bound_now(Solver *s)
{
    const Instance *in = s->in;
    int made[4];
    scales_anew(s);
    for (int b = 0; b < s->cells.n; b++) {
        s->bin_bound[b] = 0;
        if (in->limit[s->cells.bin[b]] == 0)
            continue;
        int n = price_bin(s, &s->root, b, in->demand, NULL, demand_rows(s), 0, s->warm, 2, made, 4);
        for (int i = 0; i < n; i++)
            root_add(s, made[i]);
        if ((b & 15) == 15 && now_s() > s->deadline)
            return -1e300;
    }
    return dual_bound(s, &s->root);
}

/* Prices the bins, or only those that gave something last time; how many columns are new, -1: out of time. */
static int price_all(Solver *s, int exact, int all, double deadline)
{
    const Instance *in = s->in;
    int most = 8 + 400 / (in->B + 1), made[most + 4], added = 0;
    s->rounds++;
    scales_anew(s);
    for (int b = 0; b < s->cells.n; b++) {
        if (in->limit[s->cells.bin[b]] == 0) {
            s->told[b] = 0;
            s->bin_bound[b] = 0;
            continue;
        }
        if (s->idle[b] && !all)
            continue;
        int n = price_bin(s, &s->root, b, in->demand, NULL, demand_rows(s), added, s->warm, exact, made, most);
        s->idle[b] = !n;
        for (int i = 0; i < n; i++) {
            int before = s->root.n;
            root_add(s, made[i]);
            added += s->root.n - before;
        }
        if ((b & 15) == 15 && now_s() > deadline)
            return -1;
    }
    return added;
}

/* For a bound alone: rounds of cheap pricing, and when they hardly lower the LP any more, a round of sharp pricing of
   all bins, whose bound it is; then the bins that gave something again, and so on. */
static double rough_solve(Solver *s, double cutoff)
{
    Lp *lp = &s->root;
    if (s->blend && s->blend->guess && !s->rounds) {
        s->guess = s->blend->guess;
        s->eager = EAGER;
        price_all(s, 0, 1, s->deadline);
        s->guess = NULL;
        s->eager = 0;
    }
    double bound = -1e300, mark = 1e300;
    int exact = 0, all = 1, since = 0, many = 0;
    for (int round = 0; round < 400; round++) {
        lp_solve(lp, 400 + 20 * lp->m);
        s->slackness = 5e-5;
        double value = lp_value(lp);
        if (round && now_s() > s->deadline)
            break;
        if (since >= PERIOD || !round) {
            if (exact || mark - value < STALLED * value) {
                exact = exact ? exact : 1;
                all = 1;
            }
            mark = value;
            since = 0;
        }
        s->sack.hasty = !exact && many;
        int added = price_all(s, exact, all, s->deadline);
        s->sack.hasty = 0;
        since++;
        if (added < 0)
            break;
        many = added > s->cells.n / HASTE;
        if (exact && all) {
            double found = dual_bound(s, lp);
            bound = found > bound ? found : bound;
            if (bound >= cutoff || bound >= value - s->rough * fabs(value))
                break;
            if (exact == 2 || (!added && s->tree_nodes))
                break;
            if (!added)
                exact = 2;
        } else if (!added && all)
            exact = 1;
        all = !added;
    }
    return bound;
}

double root_solve(Solver *s, double cutoff, int most_exact)
{
    const Instance *in = s->in;
    Lp *lp = &s->root;
    double bound = -1e300, deadline = most_exact > 1 ? s->deadline : s->half_time;
    int exact = most_exact > 1 ? 2 : 0, all = 1, many = 0;
    if (s->rough > 0)
        return rough_solve(s, cutoff);
    for (int round = 0; round < 400; round++) {
        lp_solve(lp, 400 + 20 * lp->m);
        s->slackness = in->C > MANY_CLASSES ? 5e-5 : 0;
        if (round && now_s() > deadline)
            break;
        s->sack.hasty = !exact && many;
        int added = price_all(s, exact, all, deadline);
        s->sack.hasty = 0;
        if (added < 0)
            break;
        many = round < 40 && added > in->B / HASTE;
        if (!all && added) { /* some bins rested: no bound */
            all = added < 6;
            continue;
        }
        if (!all) {
            all = 1;
            continue;
        }
        double found = dual_bound(s, lp);
        if (found > bound)
            bound = found;
        all = exact || added < 6;
        double value = lp_value(lp);
        if (bound >= cutoff || bound >= value - 1e-9 * fabs(value))
            break;
        if (!added) {
            if (exact == most_exact)
                break;
            exact = most_exact;
            all = 1;
        } else if (added < 12) {
            if (!exact)
                exact = 1;
        } else
            exact = 0;
    }
    return bound;
}
