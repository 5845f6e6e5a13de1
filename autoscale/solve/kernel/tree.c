/* Branch and price on numbers of nodes.

   The LP buys 1.3 nodes of a dear type where 1 or 2 are possible. For a set of bins (one bin, one machine, all that
   admit a class, all) whose total is f in the LP, one child has  sum <= floor(f)  and the other  sum >= ceil(f): rows
   that count nodes, so pricing only sees other prices (Vanderbeck 2000; Barnhart et al. 1998 for the scheme).
   Where all totals are whole, the same is done for nodes that hold at least k pods of a class (cells.c). Best bound first.
   Some nodes' LPs are also the start of a dive; neighbourhood search goes on beside the tree (pair.c). */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double bound;
    int depth, rows, serial;
    Branch *branch;                /* [depth] */
    int *basic;                    /* [rows] */
} Node;
typedef struct {
    Node *heap;
    int n, room, serial;
    double closed;                 /* least bound among nodes that can't be branched on */
    double *gain;                  /* [G] the most that branching on the set's total was probed to bring */
    double in_nodes, in_dives;     /* effort */
} Tree;

static int before(const Node *a, const Node *b)
{
    return a->bound != b->bound ? a->bound < b->bound : a->serial > b->serial;
}

static void push(Tree *t, Node node)
{
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->heap = realloc(t->heap, sizeof(Node) * t->room);
    }
    int i = t->n++;
    for (; i > 0 && before(&node, &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = node;
}

static Node pop(Tree *t)
{
    Node top = t->heap[0], last = t->heap[--t->n];
    int i = 0;
    for (int c; (c = 2 * i + 1) < t->n; i = c) {
        if (c + 1 < t->n && before(&t->heap[c + 1], &t->heap[c]))
            c++;
        if (!before(&t->heap[c], &last))
            break;
        t->heap[i] = t->heap[c];
    }
    t->heap[i] = last;
    return top;
}

static void drop(Node *node)
{
    free(node->branch);
    free(node->basic);
}

/* The root's rows and the branches', and the cells that they split bins into; the basis is left to the caller. */
static void set_rows(Solver *s, const Branch *branch, int depth)
{
    const Instance *in = s->in;
    Lp *lp = &s->root;
    int before = s->cells.split, at = 0;
    cells_split(s, branch, depth);
    if (before || s->cells.split)
        root_cells(s);
    for (int d = 0; d < depth; d++)
        lp_row(lp, s->base_rows + d, branch[d].sense, branch[d].rhs, s->best.objective);
    unsigned char *holds = calloc((size_t)(depth + 1) * in->B, 1);
    for (int d = 0; d < depth; d++)
        for (int g = in->group_start[branch[d].group]; g < in->group_start[branch[d].group + 1]; g++)
            holds[(size_t)d * in->B + in->group_bin[g]] = 1;
    for (int t = 0; t < s->cells.n; t++) {
        int b = s->cells.bin[t];
        lp->bin_begin[t] = at;
        lp_bin_rows(lp, at + s->base_begin[b + 1] - s->base_begin[b] + depth + 1);
        for (int e = s->base_begin[b]; e < s->base_begin[b + 1]; e++) {
            lp->bin_row[at] = s->base_row[e];
            lp->bin_coef[at++] = s->base_coef[e];
        }
        for (int d = 0; d < depth; d++)
            if (holds[(size_t)d * in->B + b] && branch_counts(s, &branch[d], t)) {
                lp->bin_row[at] = s->base_rows + d;
                lp->bin_coef[at++] = 1.0;
            }
    }
    lp->bin_begin[s->cells.n] = at;
    free(holds);
}

/* the root's LP with the node's rows, from the node's basis */
static void enter(Solver *s, const Node *node)
{
    Lp *lp = &s->root;
    lp_grow_rows(lp, s->base_rows + node->depth + 1); /* one more for probes */
    lp->m = s->base_rows + node->depth;
    set_rows(s, node->branch, node->depth);
    if (!node->basic || !lp_restart(lp, node->basic, node->rows))
        lp_start(lp);
}

static Node child_of(Solver *s, Tree *t, const Node *node, Branch branch, double bound)
{
    const Lp *lp = &s->root;
    Node child = {bound, node->depth + 1, lp->m + 1, t->serial++, NULL, NULL};
    child.branch = malloc(sizeof(Branch) * child.depth);
    if (node->depth)
        memcpy(child.branch, node->branch, sizeof(Branch) * node->depth);
    child.branch[node->depth] = branch;
    child.basic = malloc(sizeof(int) * child.rows);
    memcpy(child.basic, lp->basic, sizeof(int) * lp->m);
    child.basic[lp->m] = -2 - 2 * lp->m; /* the new row is broken by the parent's solution: its fine column is basic */
    return child;
}

enum { PROBES = 12, ROOT_PROBES = 40, PROBE_PIVOTS = 40, PATIENCE = 5, KEPT = 1000 };
#define POOR 0.1       /* of what is missing to the best plan: a bound that moves less is worth other candidates */
#define FLATTERED 0.25 /* of what is missing: more than that is not believed of a threshold beside numbers of nodes */
#define TRIFLE 1e-4
typedef struct { int group, class_of, least; double total, score; } Choice;

/* a child's branch: at most floor(total), or at least ceil(total) */
static Branch side(const Choice *choice, char sense)
{
    double rhs = sense == 'L' ? floor(choice->total) : ceil(choice->total);
    return (Branch){choice->group, choice->class_of, choice->least, sense, rhs};
}

static double away_from_whole(double total)
{
    double fraction = total - floor(total);
    return fraction < 0.5 ? fraction : 1 - fraction;
}

/* into the list of the best, unless it is there already: the same total at the same price */
static int enter_choice(Choice *choice, int n, int most, Choice new)
{
    for (int t = 0; t < n; t++)
        if (fabs(choice[t].total - new.total) < 1e-9 && fabs(choice[t].score - new.score) < 1e-9 * new.score)
            return n;
    if (n == most && choice[n - 1].score >= new.score)
        return n;
    int at = n < most ? n++ : most - 1;
    for (; at > 0 && choice[at - 1].score < new.score; at--)
        choice[at] = choice[at - 1];
    choice[at] = new;
    return n;
}

/* the sets whose totals are furthest from whole, weighed by price, or that brought most before; their number */
static int candidates(const Solver *s, const Tree *t, Choice *choice, int most)
{
    const Instance *in = s->in;
    const Lp *lp = &s->root;
    double *by_bin = calloc(in->B + 1, sizeof(double));
    int n = 0;
    for (int i = 0; i < lp->m; i++)
        if (lp->basic[i] >= 0)
            by_bin[s->pool.at[lp->tag[lp->basic[i]]].bin] += lp->x[i];
    for (int g = 0; g < in->G; g++) {
        double sum = 0.0, price = 0.0;
        for (int e = in->group_start[g]; e < in->group_start[g + 1]; e++) {
            int b = in->group_bin[e];
            sum += by_bin[b];
            price += by_bin[b] * in->price[b];
        }
        if (away_from_whole(sum) < 1e-4)
            continue;
        double score = (price / sum) * away_from_whole(sum) / (1.0 + 0.02 * sum);
        n = enter_choice(choice, n, most, (Choice){g, -1, 0, sum, score > t->gain[g] ? score : t->gain[g]});
    }
    free(by_bin);
    return n;
}

/* The same among nodes that hold at least k pods of a class, for when all numbers of nodes are whole: of one bin, or of all. */
static int threshold_candidates(const Solver *s, Choice *choice)
{
    const Instance *in = s->in;
    const Lp *lp = &s->root;
    int n = 0, *alone = calloc(in->B + 1, sizeof(int));
    for (int g = 0; g < in->G; g++)
        if (in->group_start[g + 1] - in->group_start[g] == 1)
            alone[in->group_bin[in->group_start[g]]] = g;
    for (int i = 0; i < lp->m; i++) {
        int j = lp->basic[i];
        if (j < 0 || away_from_whole(lp->x[i]) < 1e-4)
            continue;
        Pattern q = s->pool.at[lp->tag[j]];
        for (int e = q.begin; e < q.begin + q.length; e++)
            for (int whole = 0; whole < 2; whole++) {
                int c = s->pool.class_of[e], least = s->pool.count_of[e];
                double sum = 0.0, price = 0.0;
                for (int l = 0; l < lp->m; l++) {
                    if (lp->basic[l] < 0 || lp->x[l] <= 0)
                        continue;
                    Pattern p = s->pool.at[lp->tag[lp->basic[l]]];
                    if (!whole && p.bin != q.bin)
                        continue;
                    for (int f = p.begin; f < p.begin + p.length; f++)
                        if (s->pool.class_of[f] == c && s->pool.count_of[f] >= least) {
                            sum += lp->x[l];
                            price += lp->x[l] * in->price[p.bin];
                        }
                }
                int group = whole ? 0 : alone[q.bin]; /* the first is the largest: all bins */
                if (away_from_whole(sum) < 1e-4 || !cells_bear(s, group))
                    continue;
                double score = (price / sum) * away_from_whole(sum) / (1.0 + 0.02 * sum);
                n = enter_choice(choice, n, PROBES, (Choice){group, c, least, sum, score});
            }
    }
    free(alone);
    return n;
}

/* What the LP over the columns at hand would cost in the child, after a few pivots. */
static double probe(Solver *s, const Node *node, Branch new, const Basis *kept)
{
    Lp *lp = &s->root;
    Branch branch[node->depth + 1];
    if (node->depth)
        memcpy(branch, node->branch, sizeof(Branch) * node->depth);
    branch[node->depth] = new;
    lp->m++;
    set_rows(s, branch, node->depth + 1);
    lp_append(lp);
    lp_solve(lp, PROBE_PIVOTS);
    double cost = 0.0;
    for (int i = 0; i < lp->m; i++)
        cost += lp_cost(lp, lp->basic[i]) * lp->x[i];
    lp_restore(lp, kept);
    return cost;
}

/* The columns that a child's LP may want within a few pivots: those of least reduced cost. */
static unsigned char *promising(const Lp *lp)
{
    unsigned char *active = malloc(lp->n + 1);
    double *key = malloc(sizeof(double) * (lp->n + 1)), *use = malloc(sizeof(double) * (lp->n + 1));
    for (int j = 0; j < lp->n; j++) {
        key[j] = -lp_reduced_cost(lp, j);
        use[j] = 1.0 / (KEPT + 2 * lp->m);
    }
    double *sorted = malloc(sizeof(double) * (lp->n + 1));
    memcpy(sorted, key, sizeof(double) * lp->n);
    double least = critical(sorted, use, lp->n);
    for (int j = 0; j < lp->n; j++)
        active[j] = key[j] >= least || lp->n <= KEPT + 2 * lp->m;
    free(key);
    free(use);
    free(sorted);
    return active;
}

/* The product of what both children cost more (Achterberg 2005), each at most `most` and at least a trifle. */
static double probed(Solver *s, const Node *node, const Choice *choice, double most, double trifle, const Basis *kept)
{
    double down = probe(s, node, side(choice, 'L'), kept) - node->bound;
    double up = probe(s, node, side(choice, 'G'), kept) - node->bound;
    down = down > most ? most : down < trifle ? trifle : down;
    up = up > most ? most : up < trifle ? trifle : up;
    return down * up;
}

/* Strong branching among choice[from..to): better than `best`, or -1; not many in a row in vain. */
static int strongest(Solver *s, Tree *t, const Node *node, const Choice *choice, int from, int to, double share, double *best,
                     const Basis *kept)
{
    double worth = incumbent(s) - node->bound + 1.0;
    int pick = -1;
    int patience = node->depth ? PATIENCE : ROOT_PROBES;
    for (int i = from, idle = 0; i < to && idle < patience; i++, idle++) {
        double score = probed(s, node, &choice[i], share * worth, TRIFLE * worth, kept);
        if (choice[i].class_of < 0 && sqrt(score) > t->gain[choice[i].group])
            t->gain[choice[i].group] = sqrt(score);
        if (score > *best * (1 + 1e-9)) {
            *best = score;
            idle = 0;
            pick = i;
        }
    }
    return pick;
}

/* What to branch on: numbers of nodes; thresholds where none of these is broken, or none moves the bound much. A probe
   flatters thresholds, as the patterns that a child needs are not made yet. 0: the LP's solution is whole. */
static int choose(Solver *s, Tree *t, const Node *node, Choice *picked)
{
    static const Basis nothing;
    Basis kept = nothing;
    Choice choice[ROOT_PROBES + PROBES + 1] = {{0, 0, 0, 0, 0}};
    int counts = candidates(s, t, choice, node->depth ? PROBES : ROOT_PROBES), n = counts + (s->blend ? 0 : threshold_candidates(s, choice + counts));
    double best = -1.0, worth = incumbent(s) - node->bound + 1.0;
    lp_save(&s->root, &kept);
    unsigned char *active = promising(&s->root);
    s->root.active = active;
    int pick = strongest(s, t, node, choice, 0, counts, 1.0, &best, &kept);
    if (!counts || best <= POOR * POOR * worth * worth) {
        int other = strongest(s, t, node, choice, counts, n, counts ? FLATTERED : 1.0, &best, &kept);
        pick = other < 0 ? pick : other;
    }
    set_rows(s, node->branch, node->depth);
    s->root.active = NULL;
    free(active);
    free(kept.inverse);
    free(kept.x);
    free(kept.y);
    free(kept.basic);
    if (pick >= 0)
        *picked = choice[pick];
    return pick >= 0;
}

static void publish(Solver *s, const Tree *t, double current)
{
    double least = incumbent(s);
    if (t->n && t->heap[0].bound < least)
        least = t->heap[0].bound;
    if (t->closed < least)
        least = t->closed;
    if (current < least)
        least = current;
    if (least > s->bound)
        s->bound = least;
}

static void expand(Solver *s, Tree *t, Node *node)
{
    double cutoff = incumbent(s) - 0.5 * s->in->unit;
    enter(s, node);
    s->tree_nodes++;
    double bound = safe(s, root_solve(s, cutoff + 1e-9 * fabs(cutoff) + 2e-3, 2));
    if (bound > node->bound)
        node->bound = bound;
    publish(s, t, node->bound);
    if (node->bound >= cutoff)
        return;
    if (out_of_time(s)) {
        push(t, (Node){node->bound, 0, 0, t->serial++, NULL, NULL});
        return;
    }
    if (s->rough == 0 && t->in_dives <= 0.15 * t->in_nodes) {
        double start = effort(s);
        dive_from_root(s, s->tree_nodes % 4 ? 0.1 : 0.0, s->tree_nodes % 3 ? 0.0 : 6.0 * (s->tree_nodes % 4));
        t->in_dives += effort(s) - start;
    }
    if (node->bound >= incumbent(s) - 0.5 * s->in->unit)
        return;
    Choice choice = {0};
    if (!choose(s, t, node, &choice)) {
        if (s->rough == 0)
            dive_from_root(s, 0.0, 0.0);
        if (node->bound < t->closed)
            t->closed = node->bound;
        return;
    }
    push(t, child_of(s, t, node, side(&choice, 'L'), node->bound));
    push(t, child_of(s, t, node, side(&choice, 'G'), node->bound));
}

/* nodes for so much effort; when there are none left, and none could be branched on, search helps */
static void grow(Solver *s, double work, void *state)
{
    Tree *t = state;
    double until = effort(s) + work;
    while (effort(s) < until && !proven(s) && !out_of_time(s)) {
        double start = effort(s), dives = t->in_dives;
        if (!t->n) {
            publish(s, t, 1e300);
            if (t->closed >= incumbent(s) || proven(s) || s->rough > 0)
                return;
            search(s, until);
            return;
        }
        Node node = pop(t);
        expand(s, t, &node);
        drop(&node);
        publish(s, t, 1e300);
        t->in_nodes += effort(s) - start + 1 - (t->in_dives - dives);
    }
}

void tree(Solver *s)
{
    Tree t = {.closed = 1e300, .gain = calloc(s->in->G + 1, sizeof(double))};
    Node root = {s->bound, 0, 0, t.serial++, NULL, NULL};
    root.rows = s->root.m;
    root.basic = malloc(sizeof(int) * root.rows);
    memcpy(root.basic, s->root.basic, sizeof(int) * root.rows);
    push(&t, root);
    if (s->rough > 0)
        grow(s, 1e300, &t);
    else
        s->twin = twin_of(s);
    while (s->twin && !proven(s) && !out_of_time(s) && (t.n || t.closed < s->best.objective))
        pair_turn(s, WORK, grow, &t);
    publish(s, &t, 1e300);
    while (t.n) {
        Node node = pop(&t);
        drop(&node);
    }
    free(t.heap);
    free(t.gain);
}
