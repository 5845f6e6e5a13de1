/* A primal simplex for masters of column generation: few rows, many sparse columns, always a feasible start.

       minimise c.x + fine.t   subject to   A x + slack + (fine columns) = b,   x, slack, t >= 0

   Every row has a "fine" column that lets it be broken at a cost, so the first basis (slacks and fines) is feasible,
   and so is any basis after a new row has been added: if the row is broken, its fine column enters with the violation.
   No dual simplex is needed. The inverse of the basis is kept explicitly, by columns, and updated by rank-one steps
   that skip zeros (Dantzig's revised simplex; see Chvatal, Linear Programming, 1983, chapters 7 and 13). Degenerate
   stalling is avoided by perturbing the right-hand side; dual values stay exact for the true one.

   Variables: columns 0.., slack of row i: -1 - 2i, fine of row i: -2 - 2i. */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REBUILD_AFTER = 80, CANDIDATES = 24 };
#define PIVOT_TOLERANCE 1e-9

void lp_init(Lp *lp)
{
    memset(lp, 0, sizeof *lp);
}

void lp_free(Lp *lp)
{
    void *all[] = {lp->sense, lp->rhs, lp->exact_rhs, lp->fine, lp->bin_begin, lp->bin_row, lp->bin_coef, lp->cost,
                   lp->tag, lp->bin, lp->begin, lp->length, lp->place, lp->row, lp->coef, lp->basic, lp->inverse,
                   lp->x, lp->y, lp->alpha, lp->adjust, lp->pivot_row, lp->logical_in, lp->nonzero};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

void lp_grow_rows(Lp *lp, int m)
{
    if (m <= lp->m_room)
        return;
    m = m + m / 4 + 8;
    lp->sense = realloc(lp->sense, m);
    double **vectors[] = {&lp->rhs, &lp->exact_rhs, &lp->fine, &lp->x, &lp->y, &lp->alpha, &lp->pivot_row};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = realloc(*vectors[i], sizeof(double) * m);
    lp->basic = realloc(lp->basic, sizeof(int) * m);
    lp->nonzero = realloc(lp->nonzero, sizeof(int) * m);
    lp->logical_in = realloc(lp->logical_in, 2 * m);
    free(lp->inverse); /* rebuilt by lp_start or lp_restart */
    lp->inverse = malloc(sizeof(double) * m * m);
    lp->m_room = m;
}

void lp_rows(Lp *lp, int m, int bins)
{
    lp_grow_rows(lp, m);
    lp->m = m;
    lp_bins(lp, bins);
    memset(lp->bin_begin, 0, sizeof(int) * (bins + 1));
    lp->n = lp->nz = 0;
}

void lp_bins(Lp *lp, int bins)
{
    if (bins > lp->bins_room || !lp->bin_begin) {
        lp->bins_room = bins + bins / 2;
        lp->bin_begin = realloc(lp->bin_begin, sizeof(int) * (lp->bins_room + 1));
        lp->adjust = realloc(lp->adjust, sizeof(double) * (lp->bins_room + 1));
    }
    lp->bins = bins;
}

void lp_bin_rows(Lp *lp, int entries)
{
    if (entries <= lp->bin_room)
        return;
    lp->bin_room = 2 * entries;
    lp->bin_row = realloc(lp->bin_row, sizeof(int) * lp->bin_room);
    lp->bin_coef = realloc(lp->bin_coef, sizeof(double) * lp->bin_room);
}

void lp_row(Lp *lp, int i, char sense, double rhs, double fine)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15ULL;
    lp->sense[i] = sense;
    lp->exact_rhs[i] = rhs;
    lp->rhs[i] = rhs + 1e-6 * (0.5 + (double)(h >> 40) / (1 << 24));
    lp->fine[i] = fine;
}

int lp_column(Lp *lp, int tag, int bin, double cost, const int *rows, const double *coefs, int length)
{
    if (lp->n == lp->n_room) {
        lp->n_room = lp->n_room ? 2 * lp->n_room : 1024;
        lp->cost = realloc(lp->cost, sizeof(double) * lp->n_room);
        int **vectors[] = {&lp->tag, &lp->bin, &lp->begin, &lp->length, &lp->place};
        for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
            *vectors[i] = realloc(*vectors[i], sizeof(int) * lp->n_room);
    }
    if (lp->nz + length > lp->nz_room) {
        lp->nz_room = 2 * (lp->nz + length) + 4096;
        lp->row = realloc(lp->row, sizeof(int) * lp->nz_room);
        lp->coef = realloc(lp->coef, sizeof(double) * lp->nz_room);
    }
    int j = lp->n++;
    lp->cost[j] = cost;
    lp->tag[j] = tag;
    lp->bin[j] = bin;
    lp->begin[j] = lp->nz;
    lp->length[j] = length;
    lp->place[j] = -1;
    if (length) {
        memcpy(lp->row + lp->nz, rows, sizeof(int) * length);
        memcpy(lp->coef + lp->nz, coefs, sizeof(double) * length);
    }
    lp->nz += length;
    return j;
}

static double slack_sign(const Lp *lp, int i) { return lp->sense[i] == 'L' ? 1.0 : -1.0; }
static double fine_sign(const Lp *lp, int i) { return lp->sense[i] == 'L' ? -1.0 : 1.0; }

double lp_cost(const Lp *lp, int v)
{
    if (v >= 0)
        return lp->cost[v];
    return (-v) % 2 ? 0.0 : lp->fine[(-v - 2) / 2];
}

static void add_scaled(double *to, const double *from, double by, int m)
{
    for (int i = 0; i < m; i++)
        to[i] += by * from[i];
}

/* alpha = inverse * column of v */
static void forward(Lp *lp, int v)
{
    int m = lp->m, ld = lp->m_room;
    memset(lp->alpha, 0, sizeof(double) * m);
    if (v < 0) {
        int i = (-v - 1) / 2;
        add_scaled(lp->alpha, lp->inverse + (size_t)i * ld, (-v) % 2 ? slack_sign(lp, i) : fine_sign(lp, i), m);
        return;
    }
    for (int e = lp->begin[v]; e < lp->begin[v] + lp->length[v]; e++)
        add_scaled(lp->alpha, lp->inverse + (size_t)lp->row[e] * ld, lp->coef[e], m);
    if (lp->bin[v] >= 0)
        for (int e = lp->bin_begin[lp->bin[v]]; e < lp->bin_begin[lp->bin[v] + 1]; e++)
            add_scaled(lp->alpha, lp->inverse + (size_t)lp->bin_row[e] * ld, lp->bin_coef[e], m);
}

double lp_reduced_cost(const Lp *lp, int v)
{
    if (v < 0) {
        int i = (-v - 1) / 2;
        return (-v) % 2 ? -lp->y[i] * slack_sign(lp, i) : lp->fine[i] - lp->y[i] * fine_sign(lp, i);
    }
    double d = lp->cost[v];
    for (int e = lp->begin[v]; e < lp->begin[v] + lp->length[v]; e++)
        d -= lp->y[lp->row[e]] * lp->coef[e];
    if (lp->bin[v] >= 0)
        for (int e = lp->bin_begin[lp->bin[v]]; e < lp->bin_begin[lp->bin[v] + 1]; e++)
            d -= lp->y[lp->bin_row[e]] * lp->bin_coef[e];
    return d;
}

/* the rank-one step that makes alpha the r-th unit vector */
static void eliminate(Lp *lp, int r)
{
    int m = lp->m, ld = lp->m_room, n = 0, *at = lp->nonzero;
    double pivot = lp->alpha[r];
    for (int i = 0; i < m; i++)
        if (lp->alpha[i] != 0.0)
            at[n++] = i;
    for (int k = 0; k < m; k++) {
        double *column = lp->inverse + (size_t)k * ld;
        double p = lp->pivot_row[k] = column[r] / pivot;
        if (p == 0.0)
            continue;
        if (4 * n < m)
            for (int t = 0; t < n; t++)
                column[at[t]] -= p * lp->alpha[at[t]];
        else
            add_scaled(column, lp->alpha, -p, m);
        column[r] = p;
    }
}

static void set_in(Lp *lp, int v, int place)
{
    if (v >= 0)
        lp->place[v] = place;
    else
        lp->logical_in[-v - 1] = place >= 0;
}

/* x and y from the inverse */
static void refresh(Lp *lp)
{
    int m = lp->m, ld = lp->m_room;
    memset(lp->x, 0, sizeof(double) * m);
    for (int k = 0; k < m; k++)
        add_scaled(lp->x, lp->inverse + (size_t)k * ld, lp->rhs[k], m);
    for (int i = 0; i < m; i++)
        lp->alpha[i] = lp_cost(lp, lp->basic[i]);
    for (int k = 0; k < m; k++) {
        const double *column = lp->inverse + (size_t)k * ld;
        double sum = 0.0;
        for (int i = 0; i < m; i++)
            sum += lp->alpha[i] * column[i];
        lp->y[k] = sum;
    }
}

static void clear_basis(Lp *lp)
{
    for (int j = 0; j < lp->n; j++)
        lp->place[j] = -1;
    memset(lp->logical_in, 0, 2 * (size_t)lp->m_room);
    for (int k = 0; k < lp->m; k++) {
        memset(lp->inverse + (size_t)k * lp->m_room, 0, sizeof(double) * lp->m);
        lp->inverse[(size_t)k * lp->m_room + k] = 1.0;
    }
    lp->pivots = 0;
}

void lp_start(Lp *lp)
{
    clear_basis(lp);
    for (int i = 0; i < lp->m; i++) {
        int slack = lp->sense[i] == 'L' && lp->rhs[i] >= 0;
        lp->basic[i] = slack ? -1 - 2 * i : -2 - 2 * i;
        if (!slack && lp->sense[i] != 'L' && lp->rhs[i] < 0 && lp->sense[i] == 'G')
            lp->basic[i] = -1 - 2 * i;
        double sign = (-lp->basic[i]) % 2 ? slack_sign(lp, i) : fine_sign(lp, i);
        lp->inverse[(size_t)i * lp->m_room + i] = sign;
        set_in(lp, lp->basic[i], i);
    }
    refresh(lp);
}

/* Rebuilds the inverse for the variables given: singletons first, then each column where its pivot is largest. */
int lp_restart(Lp *lp, const int *basic, int length)
{
    int m = lp->m;
    int *todo = malloc(sizeof(int) * (m + length)), n = 0, sound = 1;
    char *taken = calloc(m, 1);
    memcpy(todo, basic, sizeof(int) * length);
    clear_basis(lp);
    for (int t = 0; t < length; t++) {
        int v = todo[t];
        if (v >= 0) {
            todo[n++] = v;
            continue;
        }
        int i = (-v - 1) / 2;
        if (i >= m || taken[i]) {
            sound = 0;
            continue;
        }
        taken[i] = 1;
        lp->inverse[(size_t)i * lp->m_room + i] = (-v) % 2 ? slack_sign(lp, i) : fine_sign(lp, i);
        lp->basic[i] = v;
        set_in(lp, v, i);
    }
    for (int t = 0; t < n; t++) {
        forward(lp, todo[t]);
        int r = -1;
        for (int i = 0; i < m; i++)
            if (!taken[i] && (r < 0 || fabs(lp->alpha[i]) > fabs(lp->alpha[r])))
                r = i;
        if (r < 0 || fabs(lp->alpha[r]) < 1e-8) {
            sound = 0;
            continue;
        }
        eliminate(lp, r);
        taken[r] = 1;
        lp->basic[r] = todo[t];
        set_in(lp, todo[t], r);
    }
    for (int i = 0; i < m; i++)
        if (!taken[i])
            sound = 0;
    free(todo);
    free(taken);
    if (!sound)
        return 0;
    refresh(lp);
    double worst = 0.0;
    for (int i = 0; i < m; i++) {
        if (lp->x[i] < worst)
            worst = lp->x[i];
        if (lp->x[i] < 0)
            lp->x[i] = 0.0;
    }
    return worst > -1e-5;
}

static int rebuild(Lp *lp)
{
    int *basic = malloc(sizeof(int) * lp->m);
    memcpy(basic, lp->basic, sizeof(int) * lp->m);
    int good = lp_restart(lp, basic, lp->m);
    free(basic);
    if (!good)
        lp_start(lp);
    return good;
}

void lp_save(const Lp *lp, Basis *kept)
{
    if (kept->room < lp->m) {
        kept->room = lp->m + 16;
        kept->inverse = realloc(kept->inverse, sizeof(double) * kept->room * kept->room);
        kept->x = realloc(kept->x, sizeof(double) * kept->room);
        kept->y = realloc(kept->y, sizeof(double) * kept->room);
        kept->basic = realloc(kept->basic, sizeof(int) * kept->room);
    }
    for (int k = 0; k < lp->m; k++)
        memcpy(kept->inverse + (size_t)k * kept->room, lp->inverse + (size_t)k * lp->m_room, sizeof(double) * lp->m);
    memcpy(kept->x, lp->x, sizeof(double) * lp->m);
    memcpy(kept->y, lp->y, sizeof(double) * lp->m);
    memcpy(kept->basic, lp->basic, sizeof(int) * lp->m);
    kept->m = lp->m;
    kept->pivots = lp->pivots;
}

void lp_restore(Lp *lp, const Basis *kept)
{
    for (int i = 0; i < lp->m; i++)
        set_in(lp, lp->basic[i], -1);
    lp->m = kept->m;
    lp->pivots = kept->pivots;
    for (int k = 0; k < lp->m; k++)
        memcpy(lp->inverse + (size_t)k * lp->m_room, kept->inverse + (size_t)k * kept->room, sizeof(double) * lp->m);
    memcpy(lp->x, kept->x, sizeof(double) * lp->m);
    memcpy(lp->y, kept->y, sizeof(double) * lp->m);
    memcpy(lp->basic, kept->basic, sizeof(int) * lp->m);
    for (int i = 0; i < lp->m; i++)
        set_in(lp, lp->basic[i], i);
}

/* Row m-1 counts nodes and was just added. With r its coefficients in the basis and s the sign of its fine column,
   the new basis [B 0; r s] has the inverse [B' 0; -s r B', s]. */
void lp_append(Lp *lp)
{
    int new = lp->m - 1, ld = lp->m_room;
    double sign = fine_sign(lp, new);
    for (int i = 0; i < new; i++) {
        lp->alpha[i] = 0.0;
        if (lp->basic[i] >= 0)
            for (int e = lp->bin_begin[lp->bin[lp->basic[i]]]; e < lp->bin_begin[lp->bin[lp->basic[i]] + 1]; e++)
                if (lp->bin_row[e] == new)
                    lp->alpha[i] = lp->bin_coef[e];
    }
    for (int k = 0; k < new; k++) {
        double *column = lp->inverse + (size_t)k * ld, sum = 0.0;
        for (int i = 0; i < new; i++)
            sum += lp->alpha[i] * column[i];
        column[new] = -sign * sum;
    }
    memset(lp->inverse + (size_t)new * ld, 0, sizeof(double) * new);
    lp->inverse[(size_t)new * ld + new] = sign;
    lp->basic[new] = -2 - 2 * new;
    lp->logical_in[2 * new] = 0;
    set_in(lp, lp->basic[new], new);
    refresh(lp);
}

/* the most promising variables by reduced cost */
static int scan(Lp *lp, int *candidate, double *score)
{
    int n = 0, seen = 0;
    int adjusted = lp->bin_begin[lp->bins] > 0;
    for (int b = 0; b < lp->bins && adjusted; b++) {
        double sum = 0.0;
        for (int e = lp->bin_begin[b]; e < lp->bin_begin[b + 1]; e++)
            sum += lp->y[lp->bin_row[e]] * lp->bin_coef[e];
        lp->adjust[b] = sum;
    }
    for (int v = -2 * lp->m; v < lp->n; v++) {
        double d, scale;
        if (v < 0) {
            int i = (-v - 1) / 2;
            if (lp->logical_in[-v - 1] || ((-v) % 2 && lp->sense[i] == 'E'))
                continue;
            d = lp_reduced_cost(lp, v);
            scale = fabs(lp->y[i]);
        } else {
            if (lp->place[v] >= 0 || (lp->active && !lp->active[v]))
                continue;
            d = lp->cost[v] - (adjusted ? lp->adjust[lp->bin[v]] : 0.0);
            for (int e = lp->begin[v]; e < lp->begin[v] + lp->length[v]; e++)
                d -= lp->y[lp->row[e]] * lp->coef[e];
            scale = lp->cost[v];
        }
        seen++;
        if (d >= -1e-9 * (scale + 1.0))
            continue;
        int at = n < CANDIDATES ? n++ : CANDIDATES;
        if (at == CANDIDATES) {
            if (d >= score[CANDIDATES - 1])
                continue;
            at = CANDIDATES - 1;
        }
        while (at > 0 && score[at - 1] > d) {
            score[at] = score[at - 1];
            candidate[at] = candidate[at - 1];
            at--;
        }
        score[at] = d;
        candidate[at] = v;
    }
    lp->effort += 0.03 * lp->n + 0.2 * seen;
    return n;
}

/* Harris' ratio test in two passes: the longest step within tolerance, then the largest pivot that allows it. */
static int leaving(const Lp *lp)
{
    double step = 1e300;
    for (int i = 0; i < lp->m; i++)
        if (lp->alpha[i] > PIVOT_TOLERANCE && (lp->x[i] + 1e-9) < step * lp->alpha[i])
            step = (lp->x[i] + 1e-9) / lp->alpha[i];
    int r = -1;
    for (int i = 0; i < lp->m; i++)
        if (lp->alpha[i] > PIVOT_TOLERANCE && lp->x[i] <= step * lp->alpha[i] && (r < 0 || lp->alpha[i] > lp->alpha[r]))
            r = i;
    return r;
}

static void pivot(Lp *lp, int v, int r, double d)
{
    int m = lp->m;
    double step = lp->x[r] / lp->alpha[r];
    if (step < 0)
        step = 0;
    eliminate(lp, r);
    for (int i = 0; i < m; i++) {
        lp->x[i] -= step * lp->alpha[i];
        if (lp->x[i] < 0)
            lp->x[i] = 0;
    }
    lp->x[r] = step;
    for (int k = 0; k < m; k++)
        lp->y[k] += d * lp->pivot_row[k];
    set_in(lp, lp->basic[r], -1);
    lp->basic[r] = v;
    set_in(lp, v, r);
    lp->pivots++;
    lp->effort += 0.5 * m;
}

/* Are the duals still those of the basis? Its columns' reduced costs are 0 but for errors of arithmetic. */
static int sharp(Lp *lp)
{
    refresh(lp);
    for (int i = 0; i < lp->m; i++)
        if (fabs(lp_reduced_cost(lp, lp->basic[i])) > 1e-10 * (fabs(lp_cost(lp, lp->basic[i])) + 1.0))
            return 0;
    return 1;
}

int lp_solve(Lp *lp, int most)
{
    int candidate[CANDIDATES];
    double score[CANDIDATES];
    for (int done = 0; done < most;) {
        if (lp->pivots >= REBUILD_AFTER + lp->m / 4)
            rebuild(lp);
        int n = scan(lp, candidate, score), used = 0;
        if (!n) {
            if (lp->pivots > 8) { /* be sure */
                if (!sharp(lp))
                    rebuild(lp);
                n = scan(lp, candidate, score);
            }
            if (!n)
                return 1;
        }
        while (done < most && used < 8) {
            int pick = -1;
            double least = 0.0;
            for (int t = 0; t < n; t++) {
                int v = candidate[t];
                if (v >= 0 ? lp->place[v] >= 0 : lp->logical_in[-v - 1])
                    continue;
                double d = used ? lp_reduced_cost(lp, v) : score[t];
                if (d < -1e-9 * ((v >= 0 ? lp->cost[v] : 0.0) + 1.0) && d < least) {
                    least = d;
                    pick = v;
                }
            }
            if (pick == -1 && least == 0.0)
                break;
            forward(lp, pick);
            int r = leaving(lp);
            if (r < 0)
                return 0;
            pivot(lp, pick, r, least);
            used++;
            done++;
        }
        if (now_s() > lp->deadline)
            return 0;
        if (!used)
            return 1;
    }
    return 0;
}

double lp_value(const Lp *lp)
{
    double z = 0.0;
    for (int i = 0; i < lp->m; i++)
        z += lp->y[i] * lp->exact_rhs[i];
    return z;
}
