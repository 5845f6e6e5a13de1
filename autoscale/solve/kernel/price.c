/* Pricing: the best pattern of one bin for given duals, exactly.

       maximise v.x   subject to   W x <= capacity,  0 <= x <= most,  x whole           (a bounded knapsack, R rows)

   Only a value above `goal`, the bin's price, is of interest. Five steps, each dearer and sharper than the last:

   1. Lagrange: for any multipliers l >= 0,  f(l) = l.capacity + sum_i most_i max(0, v_i - l.w_i)  is at least the
      optimum. Minimise over one l_r at a time, which is a fractional knapsack, from where the last round ended.
   2. Subgradient steps with Polyak's step length. In both, f <= goal ends the search: most bins end here.
   3. One resource of few units (GPUs) is kept as it is instead of getting a multiplier: for the others' multipliers the
      problem is a knapsack in that resource alone, solved exactly for each suffix of the items and each number of
      units left (a Lagrangian without the integrality property, so sharper than the LP; Geoffrion 1974). Subgradient
      steps on that, too.
   4. Depth first in order of v_i / l.w_i, largest count first, pruned with value + l.left + suffix sums of
      most_j max(0, v_j - l.w_j), or the table of step 3  (Martello and Toth, Knapsack Problems, 1990, chapter 3).
   5. If that takes too many nodes: dynamic programming over the same order on labels (capacity left, value), the same
      bound, and Pareto dominance; capacity left is clipped to what later items can use. If even that overflows, the
      largest bound thrown away stays as the proven upper bound. */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 512, MOST_UNITS = 64, RULERS = 6, CELLS = 512, FEWEST_CELLS = 64, FEW = 5, PLENTY = 200, MOST_CELLS = 1 << 22 };

void knapsack_init(Knapsack *k, int R, int C)
{
    memset(k, 0, sizeof *k);
    k->R = R;
    C += 2;
    double **doubles[] = {&k->value, &k->most, &k->rest, &k->key, &k->use};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        *doubles[i] = calloc(C, sizeof(double));
    double **tables[] = {&k->weight, &k->share, &k->tail};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        *tables[i] = calloc((size_t)C * R + 1, sizeof(double));
    int **ints[] = {&k->concerned, &k->grid_share, &k->item, &k->best, &k->order, &k->take, &k->sorted};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        *ints[i] = calloc(C, sizeof(int));
    k->ruler = calloc((size_t)C * RULERS, sizeof(int));
}

void knapsack_free(Knapsack *k)
{
    void *all[] = {k->concerned, k->cell, k->grid_share, k->item, k->value, k->most, k->weight, k->best, k->share, k->rest, k->key, k->use, k->tail,
                   k->order, k->take, k->sorted, k->table, k->ruler, k->label, k->next, k->label_left, k->next_left, k->trace_parent,
                   k->trace_count};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* f(lambda), with lambda in value per whole capacity; leaves v_i - l.w_i in rest */
double knapsack_lagrange(Knapsack *k, const double *lambda)
{
    int R = k->R;
    double f = 0.0;
    k->effort += 0.1 * k->n;
    for (int r = 0; r < R; r++)
        f += lambda[r];
    for (int i = 0; i < k->n; i++) {
        double v = k->value[i];
        for (int r = 0; r < R; r++)
            v -= lambda[r] * k->share[i * R + r];
        k->rest[i] = v;
        if (v > 0)
            f += k->most[i] * v;
    }
    return f;
}

/* order[0..n) by key, descending: insertion for few, shell sort for many */
static void sort_by_key(int *order, const double *key, int n)
{
    static const int gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (int g = 0; g < 8; g++)
        for (int gap = gaps[g], i = gap; i < n; i++) {
            int o = order[i], j = i;
            for (; j >= gap && (key[order[j - gap]] < key[o] || (key[order[j - gap]] == key[o] && order[j - gap] > o)); j -= gap)
                order[j] = order[j - gap];
            order[j] = o;
        }
}

/* The key at which items taken in descending order of key have used 1, by quickselect; 0 when all of them do not. */
double critical(double *key, double *use, int n)
{
    double before = 0.0, found = 0.0;
    int low = 0, high = n;
    while (low < high) {
        double a = key[low], b = key[(low + high) / 2], c = key[high - 1];
        double pivot = a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b), upper = 0.0, equal = 0.0;
        int i = low, j = low, end = high; /* [low,i) above the pivot, [i,j) equal to it, [end,high) below */
        while (j < end) {
            double k = key[j], u = use[j];
            if (k > pivot) {
                key[j] = key[i];
                use[j++] = use[i];
                key[i] = k;
                use[i++] = u;
                upper += u;
            } else if (k == pivot) {
                equal += u;
                j++;
            } else {
                end--;
                key[j] = key[end];
                use[j] = use[end];
                key[end] = k;
                use[end] = u;
            }
        }
        if (before + upper >= 1.0)
            high = i;
        else if (before + upper + equal >= 1.0) {
            found = pivot;
            break;
        } else {
            before += upper + equal;
            low = end;
        }
    }
    return found;
}

/* the best lambda[r] with the others fixed: fill the capacity in order of (v - other duals) / share */
static void descend(Knapsack *k, int r)
{
    int R = k->R, n = 0;
    for (int i = 0; i < k->n; i++) {
        double share = k->share[i * R + r], c = k->rest[i] + k->lambda[r] * share;
        if (share > 0 && c > 0) {
            k->key[n] = c / share;
            k->use[n++] = k->most[i] * share;
        }
    }
    double lambda = critical(k->key, k->use, n), by = lambda - k->lambda[r];
    k->lambda[r] = lambda;
    for (int i = 0; i < k->n; i++)
        k->rest[i] -= by * k->share[i * R + r];
}

static double coordinate_descent(Knapsack *k, double goal)
{
    double f = knapsack_lagrange(k, k->lambda);
    for (int sweep = 0; sweep < 3 && f > goal; sweep++) {
        double before = f;
        for (int r = 0; r < k->R; r++)
            descend(k, r);
        f = knapsack_lagrange(k, k->lambda);
        if (f > before - 1e-4 * before)
            break;
    }
    return f;
}

/* One projected subgradient step of Polyak's length, excess / |slope|^2, on multipliers that stay >= 0. `slope` loses
   its parts that point out of there. Returns 0, with nothing moved, where no direction is left. */
static int polyak_step(int R, double *at, double *slope, double excess)
{
    double norm = 0.0;
    for (int r = 0; r < R; r++) {
        if (at[r] <= 0 && slope[r] > 0)
            slope[r] = 0;
        norm += slope[r] * slope[r];
    }
    if (norm < 1e-18)
        return 0;
    double length = excess / norm;
    for (int r = 0; r < R; r++) {
        at[r] -= length * slope[r];
        if (at[r] < 0)
            at[r] = 0;
    }
    return 1;
}

static double subgradient(Knapsack *k, double goal, double best, int steps)
{
    int R = k->R, idle = 0;
    double at[MOST_RESOURCES], kept[MOST_RESOURCES], slope[MOST_RESOURCES], scale = 1.0;
    memcpy(at, k->lambda, sizeof(double) * R);
    memcpy(kept, at, sizeof(double) * R);
    double f = knapsack_lagrange(k, at);
    for (int step = 0; step < steps && best > goal; step++) {
        for (int r = 0; r < R; r++)
            slope[r] = 1.0;
        for (int i = 0; i < k->n; i++)
            if (k->rest[i] > 0)
                for (int r = 0; r < R; r++)
                    slope[r] -= k->most[i] * k->share[i * R + r];
        if (!polyak_step(R, at, slope, scale * (f - 0.999 * goal)))
            break;
        f = knapsack_lagrange(k, at);
        if (f < best - 1e-12 * best) {
            if (f < best * (1 - 1e-5))
                idle = 0;
            best = f;
            memcpy(kept, at, sizeof(double) * R);
        } else if (++idle >= 8) {
            idle = 0;
            scale *= 0.5;
            memcpy(at, kept, sizeof(double) * R);
            f = knapsack_lagrange(k, at);
            if (scale < 0.02)
                break;
        }
    }
    memcpy(k->lambda, kept, sizeof(double) * R);
    knapsack_lagrange(k, k->lambda);
    return best;
}

/* items that can't be in any pattern above the goal go; the rest by value per dual weight */
static int arrange(Knapsack *k, double f)
{
    int R = k->R, n = 0;
    for (int i = 0; i < k->n; i++) {
        if (k->rest[i] < 0 && f + k->rest[i] <= k->goal)
            continue;
        double weight = 0.0;
        for (int r = 0; r < R; r++)
            weight += k->lambda[r] * k->share[i * R + r];
        k->key[i] = weight > 0 ? k->value[i] / weight : 1e300;
        k->order[n++] = i;
    }
    sort_by_key(k->order, k->key, n);
    return n;
}

/* the resource of fewest units, if few enough and not plentiful */
static int smallest_resource(const Knapsack *k, int n)
{
    int small = -1;
    for (int r = 0; r < k->R; r++) {
        if (k->capacity[r] > MOST_UNITS || k->capacity[r] < 1 || (small >= 0 && k->capacity[r] >= k->capacity[small]))
            continue;
        double used = 0.0;
        for (int t = 0; t < n; t++)
            used += k->most[k->order[t]] * k->weight[k->order[t] * k->R + r];
        if (used > k->capacity[r])
            small = r;
    }
    return small;
}

/* table[t][g]: best of items t.. in g units of the small resource, the other resources at their multipliers */
static double tabulate(Knapsack *k, int n, const double *lambda, int a)
{
    int R = k->R, G = k->units, width = G + 1;
    double *table = k->table + (size_t)a * (n + 1) * width;
    double f = 0.0;
    for (int r = 0; r < R; r++)
        f += lambda[r];
    memset(table + (size_t)n * width, 0, sizeof(double) * width);
    k->effort += 0.05 * n * (width + 8);
    for (int t = n - 1; t >= 0; t--) {
        int i = k->order[t], most = (int)k->most[i], w = k->small < 0 ? 0 : (int)k->weight[i * R + k->small];
        double v = k->value[i];
        for (int r = 0; r < R; r++)
            v -= lambda[r] * k->share[i * R + r];
        k->rest[i] = v;
        double *row = table + (size_t)t * width;
        const double *next = row + width;
        if (v <= 0) {
            memcpy(row, next, sizeof(double) * width);
        } else if (!w) {
            for (int g = 0; g <= G; g++)
                row[g] = next[g] + most * v;
        } else {
            for (int c = 0; c <= most && c * w <= G; c++) {
                const double *from = next - c * w;
                double add = c * v;
                if (!c)
                    memcpy(row, next, sizeof(double) * width);
                else
                    for (int g = c * w; g <= G; g++)
                        row[g] = from[g] + add > row[g] ? from[g] + add : row[g];
            }
        }
    }
    return f + table[G];
}

/* 1 - load of the table's optimal filling, by resource */
static void table_slope(const Knapsack *k, int n, double *slope)
{
    int R = k->R, width = k->units + 1, g = k->units;
    for (int r = 0; r < R; r++)
        slope[r] = 1.0;
    for (int t = 0; t < n; t++) {
        int i = k->order[t], w = (int)k->weight[i * R + k->small], count = 0;
        const double *row = k->table + (size_t)t * width, *next = row + width;
        if (k->rest[i] <= 0)
            continue;
        if (!w)
            count = (int)k->most[i];
        else
            while (count < (int)k->most[i] && g - (count + 1) * w >= 0
                   && next[g - count * w] + count * k->rest[i] < row[g] - 1e-12 * row[g])
                count++;
        g -= count * w;
        for (int r = 0; r < R; r++)
            slope[r] -= count * k->share[i * R + r];
    }
    slope[k->small] = 0.0;
}

/* subgradient steps on the Lagrangian that keeps the small resource */
static double partial_dual(Knapsack *k, int n, double goal, int steps)
{
    int R = k->R, idle = 0;
    double at[MOST_RESOURCES], kept[MOST_RESOURCES], slope[MOST_RESOURCES], scale = 1.0;
    k->lambda[k->small] = 0.0;
    memcpy(at, k->lambda, sizeof(double) * R);
    memcpy(kept, at, sizeof(double) * R);
    double f = tabulate(k, n, at, 0), best = f;
    for (int step = 0; step < steps && best > goal; step++) {
        table_slope(k, n, slope);
        if (!polyak_step(R, at, slope, scale * (f - 0.999 * goal)))
            break;
        f = tabulate(k, n, at, 0);
        if (f < best) {
            idle = f < best * (1 - 1e-5) ? 0 : idle + 1;
            best = f;
            memcpy(kept, at, sizeof(double) * R);
        } else if (++idle >= 4) {
            idle = 0;
            scale *= 0.5;
            memcpy(at, kept, sizeof(double) * R);
            f = tabulate(k, n, at, 0);
            if (scale < 0.05)
                break;
        }
    }
    memcpy(k->lambda, kept, sizeof(double) * R);
    return best;
}

/* The tables that bound the search: one for the best multipliers, and for each of the dearest resources one that
   makes it dearer and the others cheaper, for when that resource runs short. */
static void bound_tables(Knapsack *k, int n, int most)
{
    int R = k->R, dear[MOST_TABLES], ranked = 0;
    double lambda[MOST_RESOURCES];
    for (int r = 0; r < R; r++) {
        if (r == k->small || k->lambda[r] <= 0)
            continue;
        int at = ranked < MOST_TABLES - 1 ? ranked++ : MOST_TABLES - 1;
        if (at == MOST_TABLES - 1 && k->lambda[dear[at - 1]] >= k->lambda[r])
            continue;
        at = at == MOST_TABLES - 1 ? at - 1 : at;
        for (; at > 0 && k->lambda[dear[at - 1]] < k->lambda[r]; at--)
            dear[at] = dear[at - 1];
        dear[at] = r;
    }
    k->tables = most > 1 && ranked > 1 ? ranked + 1 : 1;
    for (int a = k->tables - 1; a >= 0; a--) {
        for (int r = 0; r < R; r++) {
            lambda[r] = k->lambda[r] * (!a ? 1.0 : r == dear[a - 1] ? 1.7 : 0.4);
            k->rate[a][r] = k->capacity[r] > 0 ? lambda[r] / k->capacity[r] : 0.0;
        }
        tabulate(k, n, lambda, a);
    }
    for (int r = 0; r < R; r++)
        k->tail[n * R + r] = 0.0;
    for (int t = n - 1; t >= 0; t--)
        for (int r = 0, i = k->order[t]; r < R; r++)
            k->tail[t * R + r] = k->tail[(t + 1) * R + r] + k->most[i] * k->weight[i * R + r];
}

static inline int cell_of(const Knapsack *k, const double *left)
{
    int g = k->small < 0 ? 0 : (int)left[k->small];
    return g * (k->parts + 1) + (int)(left[k->grid] / k->capacity[k->grid] * k->parts + 1e-9);
}

/* the most that items t.. can bring in the capacity left */
static inline double promise(const Knapsack *k, int t, const double *left)
{
    size_t width = k->units + 1, stride = (k->arranged + 1) * width;
    const double *table = k->table + t * width + (k->small < 0 ? 0 : (int)left[k->small]);
    double least = 1e300;
    for (int a = 0; a < k->tables; a++) {
        double sum = table[a * stride];
        for (int r = 0; r < k->R; r++)
            sum += k->rate[a][r] * left[r];
        least = sum < least ? sum : least;
    }
    if (k->grid >= 0) {
        double sum = k->cell[(size_t)t * (k->units + 1) * (k->parts + 1) + cell_of(k, left)];
        for (int r = 0; r < k->R; r++)
            sum += k->grid_rate[r] * left[r];
        least = sum < least ? sum : least;
    }
    return least;
}

static int how_often(const Knapsack *k, int i, const double *left)
{
    double most = k->most[i];
    const double *w = k->weight + i * k->R;
    for (int r = 0; r < k->R; r++)
        if (w[r] > 0 && left[r] < most * w[r])
            most = floor(left[r] / w[r]);
    return (int)most;
}

static void remember(Knapsack *k, double value, int t)
{
    k->best_value = k->goal = value;
    memset(k->best, 0, sizeof(int) * k->n);
    for (int s = 0; s < t; s++)
        k->best[k->order[s]] = k->take[s];
}

/* An item that needs no more of anything than another and is worth no less comes first in some best filling: the other
   is taken only when it is used up. Finds a few such rulers for every item. */
static void find_rulers(Knapsack *k, int n)
{
    int R = k->R;
    for (int t = 0; t < n; t++) {
        int j = k->order[t], found = 0, *ruler = k->ruler + t * RULERS;
        for (int s = t - 1; s >= 0 && found < RULERS; s--) {
            int i = k->order[s], rules = k->value[i] >= k->value[j];
            for (int r = 0; r < R && rules; r++)
                rules = k->weight[i * R + r] <= k->weight[j * R + r];
            if (rules)
                ruler[found++] = s;
        }
        if (found < RULERS)
            ruler[found] = -1;
    }
}

static int ruled_out(const Knapsack *k, int t)
{
    const int *ruler = k->ruler + t * RULERS;
    for (int a = 0; a < RULERS && ruler[a] >= 0; a++)
        if (k->take[ruler[a]] < (int)k->most[k->order[ruler[a]]])
            return 1;
    return 0;
}

static void depth_first(Knapsack *k, int t, int n, double value)
{
    if (++k->nodes > k->node_limit)
        return;
    if (value > k->goal * (1 + 1e-12))
        remember(k, value, t);
    while (t < n && value + promise(k, t, k->left) > k->goal) {
        int i = k->order[t], R = k->R, count = ruled_out(k, t) ? 0 : how_often(k, i, k->left);
        if (!count) { /* no branch here */
            k->take[t++] = 0;
            continue;
        }
        const double *w = k->weight + i * R;
        for (int r = 0; r < R; r++)
            k->left[r] -= count * w[r];
        for (int c = count; c >= 0; c--) {
            double v = value + c * k->value[i];
            if (v + promise(k, t + 1, k->left) > k->goal) {
                k->take[t] = c;
                depth_first(k, t + 1, n, v);
                if (k->nodes > k->node_limit)
                    return;
            }
            if (c)
                for (int r = 0; r < R; r++)
                    k->left[r] += w[r];
        }
        return;
    }
}

/* the best fillings that labels ran into, best first, one for each last item */
static void keep_found(Knapsack *k, Found f)
{
    int at = k->found_n;
    for (int i = 0; i < k->found_n; i++)
        if (k->found[i].stage == f.stage) {
            if (k->found[i].value >= f.value)
                return;
            at = i;
        }
    if (at == MOST_FOUND) {
        at--;
        if (k->found[at].value >= f.value)
            return;
    } else if (at == k->found_n)
        k->found_n++;
    for (; at > 0 && k->found[at - 1].value < f.value; at--)
        k->found[at] = k->found[at - 1];
    k->found[at] = f;
}

double knapsack_found(Knapsack *k, int i)
{
    Found f = k->found[i];
    memset(k->best, 0, sizeof(int) * k->n);
    for (int t = f.stage, a = f.at, c = f.count; t >= 0; t--) {
        k->best[k->order[t]] = c;
        if (t > 0) {
            c = k->trace_count[(t - 1) * k->found_limit + a];
            a = k->trace_parent[(t - 1) * k->found_limit + a];
        }
    }
    return f.value;
}

static double labels(Knapsack *k, int n, int limit)
{
    int R = k->R, now = 1, room = 8 * limit + 64; /* one more is written before it is counted */
    if (k->label_room < room) {
        k->label_room = room;
        k->label = realloc(k->label, sizeof(Label) * (room + 1));
        k->next = realloc(k->next, sizeof(Label) * (room + 1));
        k->label_left = realloc(k->label_left, sizeof(double) * (room + 1) * R);
        k->next_left = realloc(k->next_left, sizeof(double) * (room + 1) * R);
    }
    if (k->trace_room < (n + 1) * limit) {
        k->trace_room = (n + 1) * limit;
        k->trace_parent = realloc(k->trace_parent, sizeof(int) * k->trace_room);
        k->trace_count = realloc(k->trace_count, sizeof(int) * k->trace_room);
    }
    double lost = 0.0, floor_of = k->goal, most = k->best_value > k->goal ? k->best_value : k->goal;
    k->found_n = 0;
    k->found_limit = limit;
    k->label[0].value = 0.0;
    memcpy(k->label_left, k->capacity, sizeof(double) * R);
    for (int t = 0; t < n; t++) {
        if (k->deadline > 0 && now_s() > k->deadline) { /* nothing proven */
            lost = 1e300;
            break;
        }
        int i = k->order[t], made = 0;
        const double *w = k->weight + i * R, *tail = k->tail + (t + 1) * R;
        for (int a = 0; a < now; a++) {
            const double *left = k->label_left + (size_t)a * R;
            for (int c = how_often(k, i, left); c >= 0; c--) {
                double value = k->label[a].value + c * k->value[i], bound = value;
                if (c && value > k->goal * (1 + 1e-12)) {
                    most = value > most ? value : most;
                    keep_found(k, (Found){value, t, a, c});
                    if (floor_of + 0.5 * (most - floor_of) > k->goal) /* not only the best is of use */
                        k->goal = floor_of + 0.5 * (most - floor_of);
                }
                double *to = k->next_left + (size_t)made * R;
                for (int r = 0; r < R; r++) {
                    double l = left[r] - c * w[r];
                    to[r] = l < tail[r] ? l : tail[r];
                }
                bound += promise(k, t + 1, to);
                if (bound <= k->goal)
                    continue;
                if (made == room) {
                    lost = lost > bound ? lost : bound;
                    continue;
                }
                k->next[made++] = (Label){value, bound, a, c};
            }
        }
        /* best values first */
        Label *sorted = k->label;
        int *index = malloc(sizeof(int) * (made + 1)), kept = 0;
        double *key = malloc(sizeof(double) * (made + 1));
        for (int a = 0; a < made; a++) {
            index[a] = a;
            key[a] = k->next[a].value;
        }
        sort_by_key(index, key, made);
        for (int s = 0; s < made; s++) {
            int a = index[s], beaten = 0;
            if (k->next[a].bound <= k->goal)
                continue;
            const double *left = k->next_left + (size_t)a * R;
            for (int b = kept - 1, look = 0; b >= 0 && look < 100 && !beaten; b--, look++) {
                const double *other = k->label_left + (size_t)b * R;
                beaten = 1;
                for (int r = 0; r < R && beaten; r++)
                    beaten = other[r] >= left[r];
            }
            if (beaten)
                continue;
            if (kept == limit) {
                lost = lost > k->next[a].bound ? lost : k->next[a].bound;
                continue;
            }
            memcpy(k->label_left + (size_t)kept * R, left, sizeof(double) * R);
            k->trace_parent[t * limit + kept] = k->next[a].parent;
            k->trace_count[t * limit + kept] = k->next[a].count;
            sorted[kept++] = k->next[a];
        }
        free(index);
        free(key);
        now = kept;
        k->effort += 5.0 * made;
    }
    if (k->found_n) {
        k->best_value = k->found[0].value;
        knapsack_found(k, 0);
    }
    k->goal = most;
    return lost > most ? lost : most;
}

/* cell[t][g][m]: best of items t.. in g units of the small resource and m of CELLS parts of the grid's resource, the
   others at their multipliers. Shares of the grid's resource are rounded down and items that fit often may be taken
   without end, so it is an upper bound. */
static double fill_grid(Knapsack *k, int n, const double *lambda)
{
    int R = k->R, G = k->units, W = k->parts + 1;
    size_t size = (size_t)(G + 1) * W;
    double f = 0.0;
    for (int r = 0; r < R; r++)
        f += lambda[r];
    memset(k->cell + n * size, 0, sizeof(double) * size);
    for (int t = n - 1; t >= 0; t--) {
        int i = k->order[t], most = (int)k->most[i], u = k->small < 0 ? 0 : (int)k->weight[i * R + k->small];
        int w = k->grid_share[t] = (int)(k->share[i * R + k->grid] * k->parts + 1e-9);
        double v = k->value[i];
        for (int r = 0; r < R; r++)
            v -= lambda[r] * k->share[i * R + r];
        k->rest[i] = v;
        double *row = k->cell + t * size;
        const double *next = row + size;
        memcpy(row, next, sizeof(double) * size);
        if (v <= 0)
            continue;
        if (!w && !u) {
            for (size_t c = 0; c < size; c++)
                row[c] += most * v;
            continue;
        }
        for (int c = 1; c <= (most > FEW ? 1 : most); c++)
            for (int g = c * u; g <= G; g++) {
                double *to = row + (size_t)g * W;
                const double *from = (most > FEW ? row : next) + (size_t)(g - c * u) * W;
                for (int m = c * w; m <= k->parts; m++)
                    to[m] = from[m - c * w] + c * v > to[m] ? from[m - c * w] + c * v : to[m];
            }
    }
    k->effort += 0.02 * n * size;
    return f + k->cell[size - 1];
}

/* 1 - load of the grid's optimal filling, by resource */
static void grid_slope(const Knapsack *k, int n, double *slope)
{
    int R = k->R, g = k->units, m = k->parts, W = k->parts + 1;
    size_t size = (size_t)(g + 1) * W;
    for (int r = 0; r < R; r++)
        slope[r] = 1.0;
    for (int t = 0; t < n; t++) {
        int i = k->order[t], u = k->small < 0 ? 0 : (int)k->weight[i * R + k->small], w = k->grid_share[t], count = 0;
        const double *next = k->cell + (t + 1) * size;
        double here = k->cell[t * size + (size_t)g * W + m], v = k->rest[i];
        if (v <= 0)
            continue;
        if (!w && !u)
            count = (int)k->most[i];
        else
            while (g >= (count + 1) * u && m >= (count + 1) * w
                   && next[(size_t)(g - count * u) * W + m - count * w] + count * v < here - 1e-12 * here)
                count++;
        g -= count * u;
        m -= count * w;
        for (int r = 0; r < R; r++)
            slope[r] -= count * k->share[i * R + r];
    }
    slope[k->grid] = 0.0;
    if (k->small >= 0)
        slope[k->small] = 0.0;
}

/* The dearest resource besides the small one gets the grid; a bound, with multipliers for the rest improved a little. */
static double grid_dual(Knapsack *k, int n, double goal)
{
    int R = k->R, grid = -1;
    for (int r = 0; r < R; r++)
        if (r != k->small && k->lambda[r] > 0 && (grid < 0 || k->lambda[r] > k->lambda[grid]))
            grid = r;
    for (k->parts = CELLS; k->parts >= FEWEST_CELLS && (size_t)(n + 1) * (k->units + 1) * (k->parts + 1) > MOST_CELLS;)
        k->parts /= 2;
    if (grid < 0 || k->parts < FEWEST_CELLS)
        return 1e300;
    k->grid = grid;
    int size = (n + 1) * (k->units + 1) * (k->parts + 1);
    if (k->cell_room < size) {
        k->cell_room = size;
        free(k->cell);
        k->cell = malloc(sizeof(double) * size);
    }
    double at[MOST_RESOURCES], kept[MOST_RESOURCES], slope[MOST_RESOURCES], scale = 1.0;
    memcpy(at, k->lambda, sizeof(double) * R);
    at[grid] = 0.0;
    if (k->small >= 0)
        at[k->small] = 0.0;
    memcpy(kept, at, sizeof(double) * R);
    double f = fill_grid(k, n, at), best = f;
    int last = 1;
    for (int step = 0; step < 6 && best > goal; step++) {
        grid_slope(k, n, slope);
        if (!polyak_step(R, at, slope, scale * (f - 0.999 * goal)))
            break;
        f = fill_grid(k, n, at);
        last = f < best;
        if (last) {
            best = f;
            memcpy(kept, at, sizeof(double) * R);
        } else
            scale *= 0.5;
    }
    if (!last)
        fill_grid(k, n, kept);
    for (int r = 0; r < R; r++)
        k->grid_rate[r] = k->capacity[r] > 0 ? kept[r] / k->capacity[r] : 0.0;
    return best;
}

static void reserve_tables(Knapsack *k, int n)
{
    int size = MOST_TABLES * (n + 1) * (k->units + 1);
    if (k->table_room >= size)
        return;
    k->table_room = 2 * size;
    k->table = realloc(k->table, sizeof(double) * k->table_room);
}

/* steps 3 and 4 with k->small counted exactly: a bound, which is k->goal when the search was complete */
static double search_with_table(Knapsack *k, int n, double f, long node_limit)
{
    k->units = k->small < 0 ? 0 : (int)k->capacity[k->small];
    reserve_tables(k, n);
    if (k->small >= 0) {
        double sharper = partial_dual(k, n, k->goal, k->units > MOST_UNITS ? 8 : 40);
        k->effort += k->units > MOST_UNITS ? 2.0 * n * k->units : 0;
        f = sharper < f ? sharper : f;
        if (f <= k->goal)
            return k->goal;
    }
    bound_tables(k, n, MOST_TABLES);
    find_rulers(k, n);
    memcpy(k->left, k->capacity, sizeof(double) * k->R);
    k->nodes = 0;
    k->node_limit = node_limit;
    depth_first(k, 0, n, 0.0);
    k->effort += 2 * k->nodes;
    return k->nodes <= node_limit ? k->goal : f;
}

/* Few nodes are often enough, before any effort goes into multipliers; 1: complete. */
static int quick_search(Knapsack *k, double f)
{
    int n = k->arranged = arrange(k, f);
    k->small = -1;
    k->units = 0;
    reserve_tables(k, n);
    bound_tables(k, n, 1);
    find_rulers(k, n);
    memcpy(k->left, k->capacity, sizeof(double) * k->R);
    k->nodes = 0;
    k->node_limit = 60;
    depth_first(k, 0, n, 0.0);
    k->effort += 2 * k->nodes;
    return k->nodes <= k->node_limit;
}

static void keep_item(Knapsack *k, int to, int from)
{
    k->item[to] = k->item[from];
    k->value[to] = k->value[from];
    k->most[to] = k->most[from];
    k->rest[to] = k->rest[from];
    memcpy(k->weight + to * k->R, k->weight + from * k->R, sizeof(double) * k->R);
    memcpy(k->share + to * k->R, k->share + from * k->R, sizeof(double) * k->R);
}

/* An item that needs no less of anything and is worth no more than others is taken only when these are used up. Where
   they fill the capacity together, it goes. */
static void drop_ruled(Knapsack *k, double f)
{
    int R = k->R, m = arrange(k, f), n = 0, kept = 0;
    unsigned char stays[k->n + 1];
    memset(stays, 0, sizeof stays);
    for (int t = 0; t < m; t++) {
        int j = k->order[t], full = 0;
        double load[MOST_RESOURCES];
        memcpy(load, k->weight + j * R, sizeof(double) * R);
        for (int u = 0; u < n && !full; u++) {
            int i = k->sorted[u], rules = k->value[i] >= k->value[j];
            for (int r = 0; r < R && rules; r++)
                rules = k->weight[i * R + r] <= k->weight[j * R + r];
            for (int r = 0; r < R && rules; r++) {
                load[r] += k->most[i] * k->weight[i * R + r];
                full |= load[r] > k->capacity[r];
            }
        }
        if (!full) {
            stays[j] = 1;
            k->sorted[n++] = j;
        }
    }
    for (int i = 0; i < k->n; i++)
        if (stays[i])
            keep_item(k, kept++, i);
    k->n = kept;
}

/* Of very many items, those that can be in a filling above the goal. */
static void narrow(Knapsack *k, double f)
{
    int n = 0;
    for (int i = 0; i < k->n; i++)
        if (k->rest[i] >= 0 || f + k->rest[i] > k->goal)
            keep_item(k, n++, i);
    k->n = n;
    k->concerned_n = n;
    memcpy(k->concerned, k->item, sizeof(int) * n);
    if (n > MANY)
        drop_ruled(k, f);
}

/* The sharper steps on the items that are left, with multipliers and their bound f. */
static double sharpen(Knapsack *k, double f, double *warm, long node_limit, int label_limit);

double knapsack_solve(Knapsack *k, double goal, double *warm, long node_limit, int label_limit)
{
    int R = k->R;
    k->best_value = -1.0;
    k->goal = goal;
    k->arranged = k->found_n = k->concerned_n = 0;
    k->grid = -1;
    k->effort += k->n;
    if (!k->n)
        return goal;
    for (int i = 0; i < k->n; i++)
        for (int r = 0; r < R; r++)
            k->share[i * R + r] = k->capacity[r] > 0 ? k->weight[i * R + r] / k->capacity[r] : 0.0;
    memcpy(k->lambda, warm, sizeof(double) * R);
    double f = coordinate_descent(k, goal);
    if (f > goal && k->n > MANY && !k->hasty) {
        f = subgradient(k, goal, f, 150);
        narrow(k, f);
    }
    if (f > goal && k->hasty) {
        memcpy(warm, k->lambda, sizeof(double) * R);
        return f;
    }
    return sharpen(k, f, warm, node_limit, label_limit);
}

static double sharpen(Knapsack *k, double f, double *warm, long node_limit, int label_limit)
{
    int R = k->R;
    if (f > k->goal && quick_search(k, f)) {
        memcpy(warm, k->lambda, sizeof(double) * R);
        return k->goal;
    }
    if (f > k->goal)
        f = subgradient(k, k->goal, f, 100);
    memcpy(warm, k->lambda, sizeof(double) * R);
    if (f <= k->goal)
        return k->goal;
    k->effort += 5.0 * k->n;
    int n = k->arranged = arrange(k, f), plenty = n > PLENTY && label_limit > 0;
    k->small = n <= 40 || node_limit >= 1000 ? smallest_resource(k, n) : -1;
    k->units = k->small < 0 ? 0 : (int)k->capacity[k->small];
    if (plenty) { /* a search would be long, and the grid is sharp */
        double sharper = grid_dual(k, n, k->goal);
        f = sharper < f ? sharper : f;
        if (f <= k->goal)
            return k->goal;
    }
    f = search_with_table(k, n, f, node_limit);
    if (f <= k->goal)
        return k->goal;
    if (label_limit > 0) {
        double sharper = plenty ? f : grid_dual(k, n, k->goal);
        f = sharper < f ? sharper : f;
        if (f > k->goal) {
            memcpy(k->left, k->capacity, sizeof(double) * R);
            k->nodes = 0;
            depth_first(k, 0, n, 0.0);
            k->effort += 2 * k->nodes;
        }
        if (f <= k->goal || k->nodes <= node_limit)
            return k->goal;
        if (f <= k->goal * (1 + k->near))
            return f;
        double bound = labels(k, n, k->near > 0 && n > 100 ? label_limit * 100 / n : label_limit);
        return bound < f ? bound : f;
    }
    return f;
}

int knapsack_around(Knapsack *k, int t, double goal, long node_limit)
{
    int R = k->R, i = k->order[t];
    k->best_value = -1.0;
    for (int r = 0; r < R; r++) {
        k->left[r] = k->capacity[r] - k->weight[i * R + r];
        if (k->left[r] < 0)
            return 0;
    }
    k->goal = goal;
    k->nodes = 0;
    k->node_limit = node_limit;
    k->most[i] -= 1;
    depth_first(k, 0, k->arranged, k->value[i]);
    k->most[i] += 1;
    if (k->best_value < 0)
        return 0;
    k->best[i] += 1;
    return 1;
}

void knapsack_order(Knapsack *k, const double *lambda)
{
    int R = k->R;
    for (int i = 0; i < k->n; i++) {
        double weight = 1e-9;
        for (int r = 0; r < R; r++)
            if (k->capacity[r] > 0)
                weight += (lambda[r] + 1e-6 * k->value[i]) * k->weight[i * R + r] / k->capacity[r];
        k->key[i] = k->value[i] / weight;
        k->order[i] = i;
    }
    sort_by_key(k->order, k->key, k->n);
}

double knapsack_fill(Knapsack *k, int first)
{
    int R = k->R;
    double value = 0.0;
    memcpy(k->left, k->capacity, sizeof(double) * R);
    for (int t = -1; t < k->n; t++) {
        int i = t < 0 ? first : k->order[t];
        if (t >= 0 && i == first)
            continue;
        int count = how_often(k, i, k->left);
        k->best[i] = count;
        value += count * k->value[i];
        if (count)
            for (int r = 0; r < R; r++)
                k->left[r] -= count * k->weight[i * R + r];
    }
    return value;
}
