/* The words of the solver's kernel: what the problem is, what a pattern is, and who does what.

   Everything is a double that holds a whole number below 2^53, so sums of requests are exact; money is in micro-US$/h.
   Indices: c classes (C), b bins, that is offerings after reduction (B), r resources (R), k rules (K). */
#ifndef AUTOSCALE_CORE_H
#define AUTOSCALE_CORE_H

#include <stdint.h>

enum { KERNEL_ABI = 5 }; /* one more whenever Instance or an exported function changes; native.py must say the same */

typedef struct {
    int R, C, B, K, G;
    const double *demand;          /* [C] pods */
    const double *penalty;         /* [C] cost of one pod left pending */
    const double *most;            /* [C] pods of the class that one node may hold */
    const double *request;         /* [C][R] */
    const double *capacity;        /* [B][R] */
    const double *price;           /* [B] */
    const double *limit;           /* [B] nodes to be had; negative: without end */
    const unsigned char *admits;   /* [B][C] */
    const unsigned char *whole;    /* [C] 1: cover exactly (a rule has a negative weight on its pods) */
    const double *rule_limit;      /* [K] */
    const double *rule_node;       /* [K][B] */
    const double *rule_pod;        /* [K][B][C], or NULL when no rule weighs pods */
    const int *group_start;        /* [G+1] sets of bins whose total count may be branched on */
    const int *group_bin;
    double unit;                   /* every objective is a whole multiple of it */
} Instance;

/* nodes to begin with, each with its pods */
typedef struct {
    int n;
    const int *bin, *begin, *class_of, *count_of; /* [n], [n+1], entries */
} Start;

/* Rows that classes share, for when there are too many of these: row r asks for sum_c coef_rc x_c >= rhs_r. */
typedef struct {
    int rows;
    const int *begin, *row;        /* [C+1], entries by class */
    const double *coef, *rhs, *fine; /* entries, [rows], [rows] the most that a unit of the row may be worth */
    const double *guess;           /* [C] what a pod may be worth: the first patterns are made for these values */
} Blend;

/* ---- patterns: what one node of a bin holds; each is stored once ---- */
typedef struct { int bin, begin, length; } Pattern;
typedef struct {
    int n, room, entries, entry_room, buckets;
    Pattern *at;
    int *class_of, *count_of;      /* entries */
    int *bucket;                   /* open hash of pattern numbers */
} Pool;
void pool_init(Pool *pool);
void pool_free(Pool *pool);
int pool_add(Pool *pool, int bin, const int *classes, const int *counts, int length);

/* ---- a linear program with explicit inverse (lp.c) ---- */
typedef struct {
    int m, m_room, n, n_room, nz, nz_room, bins;
    char *sense;                   /* 'G' >=, 'L' <=, 'E' = */
    double *rhs, *exact_rhs, *fine; /* perturbed, true, cost of violating the row by one */
    int *bin_begin, *bin_row;      /* rows that count nodes, by bin */
    double *bin_coef;
    int bin_room, bins_room;
    double *cost;
    int *tag, *bin, *begin, *length, *place; /* columns: pattern, bin, entries, position in the basis or -1 */
    const unsigned char *active;   /* [n] columns that may enter, or NULL: all */
    int *row;
    double *coef;
    int *basic;                    /* [m] variable in each position */
    double *inverse;               /* [m_room][m_room], by columns */
    double *x, *y, *alpha, *adjust, *pivot_row;
    int *nonzero;                  /* scratch: rows where alpha is not 0 */
    signed char *logical_in;       /* [2*m_room] is that logical variable basic? */
    int pivots;                    /* since the inverse was built */
    double deadline;
    double effort;                 /* work done so far: the same on every machine, unlike time */
} Lp;
void lp_init(Lp *lp);
void lp_free(Lp *lp);
void lp_rows(Lp *lp, int m, int bins);                         /* m empty rows, no columns */
void lp_row(Lp *lp, int i, char sense, double rhs, double fine);
void lp_grow_rows(Lp *lp, int m);                              /* make room, keep what is there */
void lp_bins(Lp *lp, int bins);                                /* room for so many bins; their rows are unset */
void lp_bin_rows(Lp *lp, int entries);                         /* room for the rows that count nodes */
int lp_column(Lp *lp, int tag, int bin, double cost, const int *rows, const double *coefs, int length);
void lp_start(Lp *lp);                                         /* the basis of slacks and fines */
int lp_restart(Lp *lp, const int *basic, int length);          /* a basis given; 0 when it won't do */
int lp_solve(Lp *lp, int most);                                /* 1 optimal, 0 stopped early */
typedef struct { double *inverse, *x, *y; int *basic; int m, pivots, room; } Basis;
void lp_save(const Lp *lp, Basis *kept);
void lp_restore(Lp *lp, const Basis *kept);
void lp_append(Lp *lp);                                        /* the last row is new: its fine column is basic */
double lp_cost(const Lp *lp, int variable);
double lp_reduced_cost(const Lp *lp, int variable);
double lp_value(const Lp *lp);                                 /* dual value at the true right-hand side */

/* ---- pricing (price.c) ---- */
enum { MOST_RESOURCES = 32, MOST_TABLES = 4, MOST_FOUND = 24 };
typedef struct { double value, bound; int parent, count; } Label;
typedef struct { double value; int stage, at, count; } Found;
typedef struct {
    int R, n, arranged;            /* resources, items, items that can be in a filling above the goal */
    int *item;                     /* [n] class */
    double *value, *most, *weight; /* [n], [n], [n][R] */
    double capacity[MOST_RESOURCES];
    double best_value;             /* of the best filling found; below 0: none above the goal */
    int *best;                     /* [n] that filling */
    /* scratch */
    double *share, *rest, *key, *use, *tail;
    int *order, *take, *sorted;
    double lambda[MOST_RESOURCES], left[MOST_RESOURCES];
    double goal;
    int small, units, table_room;  /* the resource counted exactly, its capacity; -1: none */
    int tables;                    /* how many sets of multipliers bound the search */
    double *table;                 /* [tables][n+1][units+1] */
    double rate[MOST_TABLES][MOST_RESOURCES]; /* multipliers per unit of resource, by table */
    int grid, cell_room;           /* the resource counted in parts, -1: none */
    int parts;                     /* into how many the grid's resource is divided */
    int *grid_share;               /* [n] by position */
    double *cell, grid_rate[MOST_RESOURCES];
    int *ruler;                    /* [n][RULERS] earlier positions that dominate, -1: no more */
    long nodes, node_limit;
    double effort;
    Label *label, *next;
    double *label_left, *next_left;
    int label_room, trace_room;
    int *trace_parent, *trace_count;
    Found found[MOST_FOUND];
    int found_n, found_limit;
    int *concerned, concerned_n;   /* classes that can be in a filling above the goal, where there were very many items; else 0 */
    double near;                   /* an upper bound within that share of the goal is good enough */
    int hasty;                     /* multipliers only: the first rounds need good patterns, not the best */
    double deadline;               /* labels end by then; 0: no clock */
} Knapsack;
double critical(double *key, double *use, int n);               /* the key at which items, in descending order, have used 1 */
void knapsack_init(Knapsack *k, int R, int C);
void knapsack_free(Knapsack *k);
/* Is max value.x over W x <= capacity, 0 <= x <= most above goal? Returns a proven upper bound, at least goal. */
double knapsack_solve(Knapsack *k, double goal, double *warm, long node_limit, int label_limit);
/* f(multipliers), a bound; leaves what each item brings to it, or would, in rest. */
double knapsack_lagrange(Knapsack *k, const double *multipliers);
/* The i-th of the found_n fillings above the goal that dynamic programming met, best first; its value. */
double knapsack_found(Knapsack *k, int i);
/* Orders all items by value per dual weight; then fills with `first` as often as it goes, the rest in that order. */
/* After knapsack_solve: a good filling above `goal` with the t-th arranged item in it; 0 when none was found. */
int knapsack_around(Knapsack *k, int t, double goal, long node_limit);
void knapsack_order(Knapsack *k, const double *lambda);
double knapsack_fill(Knapsack *k, int first);

/* ---- a solution ---- */
typedef struct {
    int n, room;
    int *pattern;
    double *count;
    double *pending;               /* [C] */
    double objective;
} Plan;
void plan_init(Plan *plan, int C);
void plan_free(Plan *plan);
void plan_clear(Plan *plan, int C);
void plan_add(Plan *plan, int pattern, double count);
void plan_copy(Plan *to, const Plan *from, int C);

/* ---- the tree's branches, and bins split by them (cells.c) ---- */
typedef struct {
    int group;                     /* the set of bins whose nodes are counted */
    int class_of, least;           /* only those that hold at least so many pods of the class; class -1: all */
    char sense;
    double rhs;
} Branch;
typedef struct {
    int n, room, bound_room, split; /* cells; are there any thresholds? */
    int *bin, *begin;              /* [n] its bin, [n+1] its bounds */
    int *class_of, *least, *most;  /* bounds: pods of the class on a node of the cell */
    int *first;                    /* [B+1] first cell of each bin */
} Cells;

/* ---- the solver's state ---- */
enum { MASK_WORDS = 4, WORK = 20000 /* effort between two looks at each other's plans */ };
typedef struct Solver {
    const Instance *in;
    struct Solver *twin;           /* who searches beside us (pair.c), or NULL */
    int threads;
    double rough;                  /* above 0: only a bound is wanted, and an LP solved but for that share is solved */
    const double *guess;           /* values that count in place of the root's duals, or NULL */
    const Blend *blend;            /* rows of the root in place of one a class, or NULL */
    Pool pool;
    Knapsack sack;
    Lp root, sub;
    int *fit;                      /* [B][C] how many of c alone one node of b holds; 0: none */
    int *item_begin, *item;        /* classes that fit each bin */
    int *by_price;                 /* bins, cheapest first */
    double *warm, *warm_sub;       /* [B][R] multipliers of the last pricing */
    Cells cells;                   /* of the root's columns: the bins, or their parts while the tree is at work */
    int cell_room;                 /* of the arrays by cell */
    double *bin_bound;             /* [cells] proven bound on the value of a pattern, of the last pricing */
    int *root_limit_row;           /* [B] row of the root that counts the bin's nodes, or -1 */
    int *sub_limit_row;
    int *sub_row;                  /* [C] row of the class in the sub-problem, or -1 */
    int *sub_class, *sub_bin;      /* classes left, bins of use */
    int sub_classes, sub_bins;
    double *class_scale;           /* [C] by how much bins whose patterns are worth too much ask the class's dual to shrink */
    unsigned char *told;           /* [cells] has the bin told that to the classes concerned? */
    unsigned char *idle;           /* [cells] did the bin give nothing when it was last priced? */
    unsigned char *sub_use;        /* [B] is the bin in sub_bin? */
    double *sub_capacity;          /* [B][R] capacity clipped to what is left */
    uint64_t *sub_mask;            /* [B][MASK_WORDS] which of the classes left fit */
    unsigned char *in_root;        /* is the pattern a column of the root? */
    int in_root_room;
    Plan best, trial, part;
    double *root_y, *root_limit, *root_rule; /* duals of the root: [C], [B], [K] */
    double bound, root_bound;
    int complete;                  /* a plan has been found that was not cut short */
    double half_time;              /* plans come before a finished root from here on */
    double deadline, started, root_seconds, first_seconds;
    double eager;                  /* patterns that lack that share of their price are made, too */
    double slackness;              /* patterns worth less than that share more than their price may stay out */
    double fine;                   /* cost of breaking a rule by one */
    int base_rows;                 /* of the root, before branching adds rows */
    int *base_begin, *base_row;    /* [B+1] those of them that count nodes, by bin */
    double *base_coef;
    double *left, *stock, *slack;  /* [C] demand, [B] supply (negative: without end), [K] rules: what remains */
    double *profit;                /* [C] */
    int unlike;                    /* hardly two pods are equal: nodes are related when they may exchange pods */
    uint64_t *tried;               /* [65536] neighbourhoods searched in vain, by hash */
    uint64_t seed;
    volatile int *cancel;
    volatile double *known;        /* the cost of a plan that another solver of the same pods has found, or NULL */
    int tells;                     /* is that cost ours to tell? */
    long dives, tries, tree_nodes, rounds, improved;
} Solver;

Solver *autoscale_new(const Instance *in, uint64_t seed, volatile int *cancel);
void autoscale_free(Solver *s);
void prepare(Solver *s);
double now_s(void);
void clock_from(double seconds);                                /* this thread's now_s goes on from there, if it counts CPU time */
int out_of_time(const Solver *s);
double random_unit(Solver *s);
double pattern_rule(const Solver *s, int pattern, int rule);    /* what one such node adds to the rule's left side */
double settle(const Solver *s, Plan *plan);                     /* pending and objective of a plan; 1e300: breaks a rule */
void begin_plan(Solver *s, Plan *plan);                         /* an empty plan: all is left to place, all supply is there */
int offer(Solver *s, Plan *plan);                               /* keep it if it is better */

void cells_split(Solver *s, const Branch *branch, int depth);
int cells_bear(const Solver *s, int group);
int part_of(const Solver *s, int pattern);
int branch_counts(const Solver *s, const Branch *branch, int cell);
void cells_free(Cells *c);

/* ---- column generation (colgen.c) ---- */
void root_build(Solver *s);
void root_add(Solver *s, int pattern);
void root_cells(Solver *s);                                     /* after cells_split: columns and arrays by cell */
int demand_rows(const Solver *s);                               /* of the root: the others come after these */
double root_value(const Solver *s, int c);                      /* of a pod of class c, by the duals of the root */
void column_of(Solver *s, Lp *lp, int pattern, const int *row_of, int rule_row);
int price_bin(Solver *s, const Lp *lp, int cell, const double *left, const int *row_of, int rule_row,
              int added, double *warm, int exact, int *made, int most);
/* Until the LP is solved, or its bound reaches cutoff; a proven bound. most_exact 1: heuristic pricing only, 2: to the end */
double bound_now(Solver *s);                                    /* every bin priced once, exactly: the bound of these duals */
double root_solve(Solver *s, double cutoff, int most_exact);

/* ---- heuristics (dive.c, search.c), tree (tree.c) ---- */
double dive(Solver *s, Plan *out, double cutoff, double noise); /* places s->left, using s->stock and s->slack */
void dive_from_root(Solver *s, double noise, double loose);      /* floors of the root's LP solution less `loose`, then dive */
double fix(Solver *s, Plan *out, int pattern, double want, double *cost); /* as many as wanted that fit; how many */
void greedy(Solver *s, Plan *out, const double *value);           /* places s->left by value per price */
void search(Solver *s, double effort);                            /* until that much effort is spent */
double effort(const Solver *s);
int proven(const Solver *s);
double incumbent(const Solver *s);                                /* what the best plan known costs, ours or another's */
double safe(const Solver *s, double bound);
void tree(Solver *s);
Solver *twin_of(const Solver *s);                               /* another solver of the same problem, to search beside s */
void pair_turn(Solver *s, double work, void (*own)(Solver *, double, void *), void *state);

#endif
