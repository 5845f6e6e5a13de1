/* Large neighbourhood search by waste.

   The waste of a node is its price less the dual value of its pods, price - y.a; over all nodes it sums to the
   difference between the plan's cost and the LP bound, so it says where the money is lost. A try frees a few
   wasteful nodes and dives again for their pods; equal or better is kept (Shaw 1998; waste as in cutting stock). */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double waste_of(const Solver *s, int pattern)
{
    const Pattern *q = &s->pool.at[pattern];
    double waste = s->in->price[q->bin] - s->root_limit[q->bin];
    for (int e = q->begin; e < q->begin + q->length; e++)
        waste -= s->root_y[s->pool.class_of[e]] * s->pool.count_of[e];
    for (int k = 0; k < s->in->K; k++)
        waste -= s->root_rule[k] * pattern_rule(s, pattern, k);
    return waste > 0 ? waste : 0;
}

/* entries of the plan with equal patterns merged, patterns with count 0 gone */
static void tidy(Solver *s, Plan *plan)
{
    int *at = malloc(sizeof(int) * (s->pool.n + 1)), n = 0;
    s->sub.effort += 0.02 * s->pool.n;
    memset(at, -1, sizeof(int) * (s->pool.n + 1));
    for (int i = 0; i < plan->n; i++) {
        if (plan->count[i] <= 0)
            continue;
        int p = plan->pattern[i];
        if (at[p] >= 0)
            plan->count[at[p]] += plan->count[i];
        else {
            at[p] = n;
            plan->pattern[n] = p;
            plan->count[n++] = plan->count[i];
        }
    }
    plan->n = n;
    free(at);
}

static int related(const Solver *s, int p, int q)
{
    const Pattern *a = &s->pool.at[p], *b = &s->pool.at[q];
    if (a->bin == b->bin)
        return 1;
    for (int e = a->begin; e < a->begin + a->length; e++)
        for (int f = b->begin; f < b->begin + b->length; f++)
            if (s->pool.class_of[e] == s->pool.class_of[f])
                return 1;
    return 0;
}

/* may a pod of one node go to the other, or one of that to this? */
static int exchange(const Solver *s, int p, int q)
{
    const Pattern *a = &s->pool.at[p], *b = &s->pool.at[q];
    if (a->bin == b->bin)
        return 1;
    for (int e = a->begin; e < a->begin + a->length; e++)
        if (s->fit[(size_t)b->bin * s->in->C + s->pool.class_of[e]])
            return 1;
    for (int e = b->begin; e < b->begin + b->length; e++)
        if (s->fit[(size_t)a->bin * s->in->C + s->pool.class_of[e]])
            return 1;
    return 0;
}

/* only nodes that may exchange pods with node i keep their weights; their sum */
static double only_exchanging(const Solver *s, const Plan *plan, double *weight, int i)
{
    double total = 0.0;
    for (int j = 0; j < plan->n; j++) {
        if (j != i && !exchange(s, plan->pattern[i], plan->pattern[j]))
            weight[j] = 0;
        total += plan->count[j] > 0 ? weight[j] : 0;
    }
    return total;
}

static int roulette(Solver *s, const double *weight, int n, double total)
{
    double at = random_unit(s) * total;
    for (int i = 0; i < n; i++) {
        at -= weight[i];
        if (at < 0)
            return i;
    }
    return n - 1;
}

/* takes nodes out of the plan: their pods to s->left, their cost returned */
static double take_out(Solver *s, Plan *plan, double *weight, int nodes)
{
    const Instance *in = s->in;
    double total = 0.0, cost = 0.0;
    for (int i = 0; i < plan->n; i++)
        total += plan->count[i] > 0 ? weight[i] : 0;
    int seed = -1, tries = 0;
    double near = random_unit(s);
    while (nodes > 0 && tries++ < 60) {
        int i = roulette(s, weight, plan->n, total);
        if (plan->count[i] < 1 || weight[i] <= 0)
            continue;
        if (seed >= 0 && near < 0.7 && !s->unlike && !related(s, plan->pattern[seed], plan->pattern[i]))
            continue;
        if (seed < 0) {
            seed = i;
            if (s->unlike && near < 0.7)
                total = only_exchanging(s, plan, weight, i);
        }
        const Pattern *q = &s->pool.at[plan->pattern[i]];
        plan->count[i] -= 1;
        if (plan->count[i] < 1) {
            total -= weight[i];
            weight[i] = 0;
        }
        for (int e = q->begin; e < q->begin + q->length; e++)
            s->left[s->pool.class_of[e]] += s->pool.count_of[e];
        if (s->stock[q->bin] >= 0)
            s->stock[q->bin] += 1;
        for (int k = 0; k < in->K; k++)
            s->slack[k] += pattern_rule(s, plan->pattern[i], k);
        cost += in->price[q->bin];
        nodes--;
    }
    return cost;
}

void search(Solver *s, double until)
{
    if (s->best.objective >= 1e299)
        return;
    const Instance *in = s->in;
    Plan now = {0};
    plan_init(&now, in->C);
    plan_copy(&now, &s->best, in->C);
    double *weight = NULL, *kept_stock = malloc(sizeof(double) * in->B), *kept_slack = malloc(sizeof(double) * (in->K + 1));
    memcpy(kept_stock, in->limit, sizeof(double) * in->B);
    memcpy(kept_slack, in->rule_limit, sizeof(double) * in->K);
    for (int i = 0; i < now.n; i++) {
        int b = s->pool.at[now.pattern[i]].bin;
        if (kept_stock[b] >= 0)
            kept_stock[b] -= now.count[i];
        for (int k = 0; k < in->K; k++)
            kept_slack[k] -= now.count[i] * pattern_rule(s, now.pattern[i], k);
    }
    int weight_room = 0;
    while (effort(s) < until && !out_of_time(s) && !proven(s) && now.n) {
        s->tries++;
        s->sub.effort += in->C + in->B + now.n;
        if (weight_room < now.n) {
            weight_room = 2 * now.n + 64;
            weight = realloc(weight, sizeof(double) * weight_room);
        }
        double floor_of = (now.objective - s->root_bound) / (now.n + 1.0) * 0.05 + 1e-9;
        for (int i = 0; i < now.n; i++)
            weight[i] = (waste_of(s, now.pattern[i]) + floor_of) * (now.count[i] > 3 ? 3 : now.count[i]);
        memset(s->left, 0, sizeof(double) * in->C);
        memcpy(s->stock, kept_stock, sizeof(double) * in->B);
        memcpy(s->slack, kept_slack, sizeof(double) * in->K);
        double u = random_unit(s);
        int nodes = 2 + (int)(s->unlike ? u * sqrt(u) * 10 : u * u * u * 38);
        plan_copy(&s->trial, &now, in->C);
        double old = take_out(s, &s->trial, weight, nodes), pending = 0.0;
        for (int c = 0; c < in->C; c++)
            if (s->trial.pending[c] > 0) {
                s->left[c] += s->trial.pending[c];
                pending += s->trial.pending[c] * in->penalty[c];
            }
        uint64_t key = 1469598103934665603ULL;
        for (int c = 0; c < in->C; c++)
            if (s->left[c] > 0)
                key = (key ^ ((uint64_t)c * 1000003 + (uint64_t)s->left[c])) * 1099511628211ULL, key ^= key >> 31;
        key ^= (uint64_t)old * 0x9E3779B97F4A7C15ULL;
        if (s->tried[key >> 48] == key && random_unit(s) < 0.9)
            continue; /* the same pods at the same cost were tried before */
        s->tried[key >> 48] = key;
        double cost = dive(s, &s->trial, old + pending, s->tries % 3 ? 0.3 : 1.5);
        if (cost > old + pending)
            continue;
        memcpy(kept_stock, s->stock, sizeof(double) * in->B);
        memcpy(kept_slack, s->slack, sizeof(double) * in->K);
        tidy(s, &s->trial);
        settle(s, &s->trial);
        plan_copy(&now, &s->trial, in->C);
        if (offer(s, &s->trial))
            s->improved++;
    }
    free(weight);
    free(kept_stock);
    free(kept_slack);
    plan_free(&now);
}
