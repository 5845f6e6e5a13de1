/* The kernel's front door: set up, root, dives, neighbourhood search and tree in turn, until proven or out of time. */
#define _POSIX_C_SOURCE 199309L
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MANY_NODES = 100 }; /* nodes a class from which only loose dives pay */
#define ROUGH 1e-3 /* of an LP: what its bound may lack where only a bound is wanted */
#define NEAR 1e-2  /* of a price: what the bound of a bin's patterns may be above it there; only few duals are lowered for it */
enum { LOOSE = 30 }; /* many nodes of a pattern: so many are left to the dive, which mixes what floors would not */

#ifdef CPU_CLOCK /* for measurements on a busy machine */
static _Thread_local double clock_base;
#define CLOCK CLOCK_THREAD_CPUTIME_ID
#else
static const double clock_base = 0.0;
#define CLOCK CLOCK_MONOTONIC
#endif

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK, &t);
    return clock_base + (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void clock_from(double seconds)
{
#ifdef CPU_CLOCK
    clock_base += seconds - now_s();
#else
    (void)seconds;
#endif
}

int out_of_time(const Solver *s) { return (s->cancel && *s->cancel) || now_s() > s->deadline; }

/* xorshift64*: equal seeds, equal numbers, on every machine */
double random_unit(Solver *s)
{
    s->seed ^= s->seed >> 12;
    s->seed ^= s->seed << 25;
    s->seed ^= s->seed >> 27;
    return (double)((s->seed * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

double pattern_rule(const Solver *s, int pattern, int k)
{
    const Instance *in = s->in;
    const Pattern *q = &s->pool.at[pattern];
    double sum = in->rule_node[(size_t)k * in->B + q->bin];
    if (in->rule_pod)
        for (int e = q->begin; e < q->begin + q->length; e++)
            sum += s->pool.count_of[e] * in->rule_pod[((size_t)k * in->B + q->bin) * in->C + s->pool.class_of[e]];
    return sum;
}

double settle(const Solver *s, Plan *plan)
{
    const Instance *in = s->in;
    double cost = 0.0, used[in->B + 1], rule[in->K + 1];
    memset(used, 0, sizeof used);
    memset(rule, 0, sizeof rule);
    memcpy(plan->pending, in->demand, sizeof(double) * in->C);
    for (int i = 0; i < plan->n; i++) {
        const Pattern *q = &s->pool.at[plan->pattern[i]];
        cost += plan->count[i] * in->price[q->bin];
        used[q->bin] += plan->count[i];
        for (int e = q->begin; e < q->begin + q->length; e++)
            plan->pending[s->pool.class_of[e]] -= plan->count[i] * s->pool.count_of[e];
        for (int k = 0; k < in->K; k++)
            rule[k] += plan->count[i] * pattern_rule(s, plan->pattern[i], k);
    }
    int good = 1;
    for (int c = 0; c < in->C; c++) {
        good &= plan->pending[c] >= 0;
        cost += plan->pending[c] * in->penalty[c];
    }
    for (int b = 0; b < in->B; b++)
        good &= in->limit[b] < 0 || used[b] <= in->limit[b];
    for (int k = 0; k < in->K; k++)
        good &= rule[k] <= in->rule_limit[k];
    return plan->objective = good ? cost : 1e300;
}

int offer(Solver *s, Plan *plan)
{
    if (settle(s, plan) >= s->best.objective)
        return 0;
    plan_copy(&s->best, plan, s->in->C);
    if (s->tells)
        *s->known = s->best.objective;
    if (s->first_seconds == 0)
        s->first_seconds = now_s() - s->started;
    return 1;
}

/* a bound, rounded down by more than any error of arithmetic, then up to the next possible objective */
double safe(const Solver *s, double bound)
{
    double low = bound - 1e-9 * fabs(bound) - 1e-3;
    return low > -1e250 ? ceil(low / s->in->unit - 1e-9) * s->in->unit : low;
}

void prepare(Solver *s)
{
    const Instance *in = s->in;
    size_t cells = (size_t)in->B * in->C;
    int n = 0;
    pool_init(&s->pool);
    knapsack_init(&s->sack, in->R, in->C);
    lp_init(&s->root);
    lp_init(&s->sub);
    plan_init(&s->best, in->C);
    plan_init(&s->trial, in->C);
    plan_init(&s->part, in->C);
    s->fit = calloc(cells + 1, sizeof(int));
    s->item = calloc(cells + 1, sizeof(int));
    int **by_bin[] = {&s->item_begin, &s->by_price, &s->root_limit_row, &s->sub_limit_row, &s->sub_bin};
    for (size_t i = 0; i < sizeof by_bin / sizeof *by_bin; i++)
        *by_bin[i] = calloc(in->B + 2, sizeof(int));
    int **by_class[] = {&s->sub_row, &s->sub_class};
    for (size_t i = 0; i < sizeof by_class / sizeof *by_class; i++)
        *by_class[i] = calloc(in->C + 2, sizeof(int));
    double **doubles[] = {&s->stock, &s->root_limit};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        *doubles[i] = calloc(in->B + 2, sizeof(double));
    s->tried = calloc(65536, sizeof(uint64_t));
    s->sub_use = calloc(in->B + 1, 1);
    s->cells.first = calloc(in->B + 2, sizeof(int));
    s->sub_capacity = calloc((size_t)in->B * in->R + 1, sizeof(double));
    s->sub_mask = calloc((size_t)in->B * MASK_WORDS + 1, sizeof(uint64_t));
    s->warm = calloc((size_t)in->B * in->R + 1, sizeof(double));
    s->warm_sub = calloc((size_t)in->B * in->R + 1, sizeof(double));
    s->class_scale = calloc(in->C + 1, sizeof(double));
    s->left = calloc(in->C + 1, sizeof(double));
    s->profit = calloc(in->C + 1, sizeof(double));
    s->root_y = calloc(in->C + 1, sizeof(double));
    s->slack = calloc(in->K + 1, sizeof(double));
    s->root_rule = calloc(in->K + 1, sizeof(double));
    for (int b = 0; b < in->B; b++) {
        s->item_begin[b] = n;
        for (int c = 0; c < in->C; c++) {
            if (!in->admits[(size_t)b * in->C + c])
                continue;
            double most = in->most[c] < in->demand[c] ? in->most[c] : in->demand[c];
            for (int r = 0; r < in->R; r++) {
                double w = in->request[(size_t)c * in->R + r], cap = in->capacity[(size_t)b * in->R + r];
                if (w > 0 && cap < most * w)
                    most = floor(cap / w);
            }
            if (most >= 1) {
                s->fit[(size_t)b * in->C + c] = most > 1e9 ? 1000000000 : (int)most;
                s->item[n++] = c;
            }
        }
    }
    s->item_begin[in->B] = n;
    for (int b = 0; b < in->B; b++) { /* insertion by price */
        int at = b;
        while (at > 0 && in->price[s->by_price[at - 1]] > in->price[b]) {
            s->by_price[at] = s->by_price[at - 1];
            at--;
        }
        s->by_price[at] = b;
    }
    double dearest = 1.0;
    for (int c = 0; c < in->C; c++)
        dearest = in->penalty[c] > dearest ? in->penalty[c] : dearest;
    for (int b = 0; b < in->B; b++)
        dearest = in->price[b] > dearest ? in->price[b] : dearest;
    s->fine = 100 * dearest;
}

/* what a pod of each class costs where many of it alone are cheapest: values for the first greedy plan */
static void cheapest_values(Solver *s)
{
    const Instance *in = s->in;
    for (int c = 0; c < in->C; c++) {
        s->profit[c] = in->penalty[c];
        for (int b = 0; b < in->B; b++) {
            double n = s->fit[(size_t)b * in->C + c];
            if (n > 0 && in->price[b] / n < s->profit[c])
                s->profit[c] = in->price[b] / n;
        }
        s->profit[c] += 1.0;
    }
}

static void nothing_bought(Solver *s)
{
    plan_clear(&s->trial, s->in->C);
    offer(s, &s->trial);
}

double effort(const Solver *s) { return s->root.effort + s->sub.effort + s->sack.effort; }

double incumbent(const Solver *s)
{
    double known = s->known && !s->tells ? *s->known : 1e300;
    return known < s->best.objective ? known : s->best.objective;
}

/* equal up to the smallest difference that objectives can have, or to the safety margin of bounds */
int proven(const Solver *s)
{
    double best = incumbent(s), gap = best - s->bound;
    return gap < 0.5 * s->in->unit || gap < 3e-9 * best + 2e-3;
}

Solver *autoscale_new(const Instance *in, uint64_t seed, volatile int *cancel)
{
    Solver *s = calloc(1, sizeof *s);
    s->in = in;
    s->seed = seed * 0x9E3779B97F4A7C15ULL + 0x1234567ULL;
    s->cancel = cancel;
    s->bound = s->root_bound = 0;
    return s;
}

/* Two solvers look for a plan and for a bound of the same pods: one tells the other what its best plan costs. */
void autoscale_share(Solver *s, volatile double *cost, int tells)
{
    s->known = cost;
    s->tells = tells;
}

static double at_least(const Solver *s, double bound)
{
    double low = safe(s, bound);
    return low > s->bound ? low : s->bound;
}

static void keep_duals(Solver *s)
{
    const Instance *in = s->in;
    for (int c = 0; c < in->C; c++)
        s->root_y[c] = root_value(s, c);
    memcpy(s->root_rule, s->root.y + demand_rows(s), sizeof(double) * in->K);
    for (int b = 0; b < in->B; b++)
        s->root_limit[b] = s->root_limit_row[b] >= 0 ? s->root.y[s->root_limit_row[b]] : 0.0;
}

void begin_plan(Solver *s, Plan *plan)
{
    const Instance *in = s->in;
    memcpy(s->left, in->demand, sizeof(double) * in->C);
    memcpy(s->stock, in->limit, sizeof(double) * in->B);
    memcpy(s->slack, in->rule_limit, sizeof(double) * in->K);
    plan_clear(plan, in->C);
}

/* a plan for everything by these values of pods */
static void greedy_plan(Solver *s, const double *value)
{
    begin_plan(s, &s->trial);
    greedy(s, &s->trial, value);
    offer(s, &s->trial);
}

static double nodes_of(const Plan *plan)
{
    double nodes = 0.0;
    for (int i = 0; i < plan->n; i++)
        nodes += plan->count[i];
    return nodes;
}

void autoscale_run(Solver *s, double seconds, int threads)
{
    const Instance *in = s->in;
    s->started = now_s();
    s->deadline = s->sack.deadline = s->started + seconds;
    s->threads = threads;
    prepare(s);
    nothing_bought(s);
    root_build(s);
    cheapest_values(s);
    greedy_plan(s, s->profit);
    s->half_time = s->started + 0.45 * seconds;
    s->bound = at_least(s, root_solve(s, 1e300, 1));
    keep_duals(s);
    if (now_s() > s->half_time) /* the root is not finished: at least a good bound for the duals that there are */
        s->bound = at_least(s, bound_now(s));
    if (!proven(s))
        dive_from_root(s, 0.0, LOOSE);
    s->complete = 1;
    if (!proven(s) && !out_of_time(s)) {
        s->root_bound = root_solve(s, 1e300, 2);
        keep_duals(s);
        s->bound = at_least(s, s->root_bound);
        s->root_seconds = now_s() - s->started;
    }
    s->half_time = s->deadline;
    for (int i = 0; i < 2 && !proven(s) && !out_of_time(s); i++)
        dive_from_root(s, 0.2, nodes_of(&s->best) > MANY_NODES * in->C ? LOOSE : i ? 0.1 * LOOSE : 0.0);
    if (!proven(s) && !out_of_time(s))
        tree(s);
}

/* A bound, for very many classes: the tree alone. Where these are thrown together, one plan says what is worth a branch. */
void autoscale_bound(Solver *s, double seconds, const Blend *blend)
{
    s->started = now_s();
    s->deadline = s->half_time = s->sack.deadline = s->started + seconds;
    s->rough = ROUGH;
    s->blend = blend;
    prepare(s);
    s->sack.near = NEAR;
    nothing_bought(s);
    root_build(s);
    cheapest_values(s);
    greedy_plan(s, s->profit);
    s->bound = s->root_bound = at_least(s, root_solve(s, 1e300, 1));
    keep_duals(s);
    s->root_seconds = now_s() - s->started;
    s->complete = 1;
    if (!blend && !proven(s) && !out_of_time(s))
        dive_from_root(s, 0.0, LOOSE);
    if (!proven(s) && !out_of_time(s))
        tree(s);
}

/* the nodes given, and a dive for the pods that they leave */
static void complete_plan(Solver *s, const Start *start)
{
    double cost = 0.0;
    begin_plan(s, &s->trial);
    for (int i = 0; i < start->n; i++) {
        int begin = start->begin[i], length = start->begin[i + 1] - begin;
        fix(s, &s->trial, pool_add(&s->pool, start->bin[i], start->class_of + begin, start->count_of + begin, length), 1, &cost);
    }
    if (dive(s, &s->trial, 1e299, 0.0) < 1e299)
        offer(s, &s->trial);
}

/* For very many classes: no linear program; a plan begun elsewhere and greedy plans led by the duals y given, then
   neighbourhood search among nodes that may exchange pods. */
void autoscale_search(Solver *s, double seconds, const double *y, const Start *start)
{
    s->started = now_s();
    s->deadline = s->sack.deadline = s->half_time = s->started + seconds;
    prepare(s);
    nothing_bought(s);
    root_build(s);
    s->unlike = 1;
    memcpy(s->root_y, y, sizeof(double) * s->in->C);
    greedy_plan(s, y);
    cheapest_values(s);
    greedy_plan(s, s->profit);
    complete_plan(s, start);
    s->complete = 1;
    search(s, 1e300);
}

double autoscale_number(const Solver *s, int what)
{
    static const Solver nobody;
    const Solver *twin = s->twin ? s->twin : &nobody;
    double numbers[] = {s->best.objective, s->bound, (double)s->best.n, s->root_bound, s->root_seconds,
                        (double)s->rounds, (double)(s->dives + twin->dives), (double)(s->tries + twin->tries),
                        (double)s->tree_nodes, (double)s->root.n, (double)s->pool.n, (double)(s->improved + twin->improved), s->first_seconds};
    return numbers[what];
}

int autoscale_entries(const Solver *s)
{
    int n = 0;
    for (int i = 0; i < s->best.n; i++)
        n += s->pool.at[s->best.pattern[i]].length;
    return n;
}

void autoscale_answer(const Solver *s, int *bin, double *count, int *begin, int *class_of, int *count_of,
                      double *pending, double *y, double *limit, double *rule)
{
    const Instance *in = s->in;
    int n = 0;
    for (int i = 0; i < s->best.n; i++) {
        const Pattern *q = &s->pool.at[s->best.pattern[i]];
        bin[i] = q->bin;
        count[i] = s->best.count[i];
        begin[i] = n;
        memcpy(class_of + n, s->pool.class_of + q->begin, sizeof(int) * q->length);
        memcpy(count_of + n, s->pool.count_of + q->begin, sizeof(int) * q->length);
        n += q->length;
    }
    begin[s->best.n] = n;
    memcpy(pending, s->best.pending, sizeof(double) * in->C);
    memcpy(y, s->root_y, sizeof(double) * in->C);
    memcpy(limit, s->root_limit, sizeof(double) * in->B);
    memcpy(rule, s->root_rule, sizeof(double) * in->K);
}

void autoscale_free(Solver *s)
{
    void *all[] = {s->fit, s->item_begin, s->item, s->by_price, s->warm, s->warm_sub, s->bin_bound, s->root_limit_row,
                   s->sub_limit_row, s->sub_row, s->sub_class, s->sub_bin, s->in_root, s->root_y, s->root_limit,
                   s->root_rule, s->left, s->stock, s->slack, s->profit,
                   s->tried, s->idle, s->told, s->class_scale, s->base_begin, s->base_row, s->base_coef, s->sub_use, s->sub_capacity, s->sub_mask};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    if (s->twin)
        autoscale_free(s->twin);
    cells_free(&s->cells);
    pool_free(&s->pool);
    knapsack_free(&s->sack);
    lp_free(&s->root);
    lp_free(&s->sub);
    plan_free(&s->best);
    plan_free(&s->trial);
    plan_free(&s->part);
    free(s);
}
