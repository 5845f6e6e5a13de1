/* What each of many rooms can hold at most, by value: the pricing of a whole fleet's linear program (relinear.py). */
#include "core.h"

#include <string.h>

/* Room b may hold at most most[c] pods of each class it admits. bound[b]: no filling is worth more than that, at least
   goal[b]. better[b]: is the filling count[b][C] worth more than the goal? `exact` 0 to 2: how hard to try. */
void autoscale_rooms(int R, int C, int B, const double *request, const double *capacity, const unsigned char *admits,
                     const double *most, const double *value, const double *goal, double *warm, int exact,
                     double seconds, double *bound, int *better, int *count);
void autoscale_rooms(int R, int C, int B, const double *request, const double *capacity, const unsigned char *admits,
                     const double *most, const double *value, const double *goal, double *warm, int exact,
                     double seconds, double *bound, int *better, int *count)
{
    static const long nodes[] = {400, 2000, 20000};
    static const int labels[] = {0, 1000, 12000};
    Knapsack k;
    knapsack_init(&k, R, C);
    k.deadline = now_s() + seconds;
    for (int b = 0; b < B; b++) {
        double all = 0.0, tiny = 1e-7 * (goal[b] + 1.0);
        k.n = 0;
        memcpy(k.capacity, capacity + (size_t)b * R, sizeof(double) * R);
        for (int c = 0; c < C; c++) {
            double upto = most[c];
            if (!admits[(size_t)b * C + c] || value[c] <= 1e-9)
                continue;
            for (int r = 0; r < R; r++) {
                double asked = request[(size_t)c * R + r];
                double fits = asked > 0 ? (double)(long)(k.capacity[r] / asked) : upto;
                upto = fits < upto ? fits : upto;
            }
            if (upto < 1)
                continue;
            int i = k.n++;
            k.item[i] = c;
            k.value[i] = value[c];
            k.most[i] = upto;
            all += value[c] * upto;
            memcpy(k.weight + (size_t)i * R, request + (size_t)c * R, sizeof(double) * R);
        }
        better[b] = 0;
        bound[b] = all > goal[b] ? all : goal[b];
        if (all <= goal[b] + tiny)
            continue;
        bound[b] = knapsack_solve(&k, goal[b], warm + (size_t)b * R, nodes[exact], labels[exact]);
        better[b] = k.best_value > goal[b] + tiny;
        for (int i = 0; i < k.n && better[b]; i++)
            count[(size_t)b * C + k.item[i]] = k.best[i];
    }
    knapsack_free(&k);
}
