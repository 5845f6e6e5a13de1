/* Patterns, each stored once, found again by hashing; and plans, which count patterns. */
#include "core.h"
#include <stdlib.h>
#include <string.h>

void pool_init(Pool *pool)
{
    memset(pool, 0, sizeof *pool);
    pool->buckets = 1 << 12;
    pool->bucket = malloc(sizeof(int) * pool->buckets);
    memset(pool->bucket, -1, sizeof(int) * pool->buckets);
}

void pool_free(Pool *pool)
{
    free(pool->at);
    free(pool->class_of);
    free(pool->count_of);
    free(pool->bucket);
}

static uint64_t hash_of(int bin, const int *classes, const int *counts, int length)
{
    uint64_t h = 1469598103934665603ULL ^ (uint64_t)bin;
    for (int i = 0; i < length; i++)
        h = (h ^ ((uint64_t)classes[i] << 32 | (uint32_t)counts[i])) * 1099511628211ULL, h ^= h >> 29;
    return h;
}

static void grow_buckets(Pool *pool)
{
    pool->buckets *= 4;
    pool->bucket = realloc(pool->bucket, sizeof(int) * pool->buckets);
    memset(pool->bucket, -1, sizeof(int) * pool->buckets);
    for (int p = 0; p < pool->n; p++) {
        Pattern *q = &pool->at[p];
        uint64_t h = hash_of(q->bin, pool->class_of + q->begin, pool->count_of + q->begin, q->length);
        while (pool->bucket[h & (pool->buckets - 1)] >= 0)
            h++;
        pool->bucket[h & (pool->buckets - 1)] = p;
    }
}

/* The number of the pattern; `classes` must be ascending. */
int pool_add(Pool *pool, int bin, const int *classes, const int *counts, int length)
{
    uint64_t h = hash_of(bin, classes, counts, length);
    for (;; h++) {
        int p = pool->bucket[h & (pool->buckets - 1)];
        if (p < 0)
            break;
        Pattern *q = &pool->at[p];
        if (q->bin == bin && q->length == length
            && (!length
                || (!memcmp(pool->class_of + q->begin, classes, sizeof(int) * length)
                    && !memcmp(pool->count_of + q->begin, counts, sizeof(int) * length))))
            return p;
    }
    if (pool->n == pool->room) {
        pool->room = pool->room ? 2 * pool->room : 1024;
        pool->at = realloc(pool->at, sizeof(Pattern) * pool->room);
    }
    if (pool->entries + length > pool->entry_room) {
        pool->entry_room = 2 * (pool->entry_room + length) + 4096;
        pool->class_of = realloc(pool->class_of, sizeof(int) * pool->entry_room);
        pool->count_of = realloc(pool->count_of, sizeof(int) * pool->entry_room);
    }
    if (length) { /* an empty pattern has no arrays */
        memcpy(pool->class_of + pool->entries, classes, sizeof(int) * length);
        memcpy(pool->count_of + pool->entries, counts, sizeof(int) * length);
    }
    pool->at[pool->n] = (Pattern){bin, pool->entries, length};
    pool->entries += length;
    pool->bucket[h & (pool->buckets - 1)] = pool->n;
    if (2 * ++pool->n > pool->buckets)
        grow_buckets(pool);
    return pool->n - 1;
}

void plan_init(Plan *plan, int C)
{
    memset(plan, 0, sizeof *plan);
    plan->pending = calloc(C + 1, sizeof(double));
    plan->objective = 1e300;
}

void plan_free(Plan *plan)
{
    free(plan->pattern);
    free(plan->count);
    free(plan->pending);
}

void plan_clear(Plan *plan, int C)
{
    plan->n = 0;
    plan->objective = 1e300;
    memset(plan->pending, 0, sizeof(double) * C);
}

void plan_add(Plan *plan, int pattern, double count)
{
    if (plan->n == plan->room) {
        plan->room = plan->room ? 2 * plan->room : 256;
        plan->pattern = realloc(plan->pattern, sizeof(int) * plan->room);
        plan->count = realloc(plan->count, sizeof(double) * plan->room);
    }
    plan->pattern[plan->n] = pattern;
    plan->count[plan->n++] = count;
}

void plan_copy(Plan *to, const Plan *from, int C)
{
    plan_clear(to, C);
    for (int i = 0; i < from->n; i++)
        plan_add(to, from->pattern[i], from->count[i]);
    memcpy(to->pending, from->pending, sizeof(double) * C);
    to->objective = from->objective;
}
