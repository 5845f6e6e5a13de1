/* Two workers: one that proves, one that improves.

   From the first plan on, the tree and the neighbourhood search need nothing of each other but the best plan and the bound.
   The twin is a solver of its own with the same columns and duals. Both work for the same effort, then each takes over
   the other's plan if that is better: turns are counted in work, not in time, so the answer is the same with two
   threads as when one thread takes turns, and on every machine, as long as the clock does not end it. */
#define _POSIX_C_SOURCE 199309L
#include "core.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct { Solver *s; double work, from_s; } Shift;

static void *search_shift(void *arg)
{
    Shift *shift = arg;
    clock_from(shift->from_s);
    search(shift->s, effort(shift->s) + shift->work);
    shift->from_s = now_s();
    return NULL;
}

static void take_plan(Solver *to, const Solver *from)
{
    if (from->best.objective >= to->best.objective)
        return;
    plan_clear(&to->trial, to->in->C);
    for (int i = 0; i < from->best.n; i++) {
        const Pattern *q = &from->pool.at[from->best.pattern[i]];
        plan_add(&to->trial, pool_add(&to->pool, q->bin, from->pool.class_of + q->begin, from->pool.count_of + q->begin, q->length),
                 from->best.count[i]);
    }
    offer(to, &to->trial);
}

Solver *twin_of(const Solver *s)
{
    const Instance *in = s->in;
    Solver *twin = autoscale_new(in, 0, s->cancel);
    twin->seed = s->seed ^ 0x5DEECE66DULL;
    twin->started = s->started;
    twin->deadline = twin->half_time = twin->sack.deadline = s->deadline;
    prepare(twin);
    twin->sack.deadline = s->deadline;
    plan_clear(&twin->trial, in->C);
    offer(twin, &twin->trial);
    root_build(twin);
    for (int j = 0; j < s->root.n; j++) {
        const Pattern *q = &s->pool.at[s->root.tag[j]];
        root_add(twin, pool_add(&twin->pool, q->bin, s->pool.class_of + q->begin, s->pool.count_of + q->begin, q->length));
    }
    memcpy(twin->root_y, s->root_y, sizeof(double) * in->C);
    memcpy(twin->root_limit, s->root_limit, sizeof(double) * in->B);
    memcpy(twin->root_rule, s->root_rule, sizeof(double) * in->K);
    memcpy(twin->warm_sub, s->warm_sub, sizeof(double) * in->B * in->R);
    twin->root_bound = s->root_bound;
    twin->complete = 1;
    return twin;
}

/* One turn of both: `own` works on s for so much effort, the twin searches; then each knows the better plan. */
void pair_turn(Solver *s, double work, void (*own)(Solver *, double, void *), void *state)
{
    Shift shift = {s->twin, work, now_s()};
    pthread_t thread;
    s->twin->bound = s->bound;
    int split = s->threads > 1 && !pthread_create(&thread, NULL, search_shift, &shift);
    own(s, work, state);
    if (split) {
        pthread_join(thread, NULL);
        if (shift.from_s > now_s())
            clock_from(shift.from_s);
    } else
        search(s->twin, effort(s->twin) + work);
    take_plan(s, s->twin);
    take_plan(s->twin, s);
}
