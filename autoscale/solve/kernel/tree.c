/* Branch and price on numbers of nodes.

   The LP buys 1.3 nodes of a dear type where 1 or 2 are possible. For a set of bins (one bin, one machine, all that
   admit a class, all) whose total is f in the LP, one child has  sum <= floor(f)  and the other  sum >= ceil(f): rows
   that count nodes, so pricing only sees other prices (Vanderbeck 2000; Barnhart et al. 1998 for the scheme).
   Best bound first. Every node's LP is also the start of a dive. Neighbourhood search takes turns with the tree, by
   effort, not by the clock, so equal problems are searched in equal order. */
#include "core.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int group; char sense; double rhs; } Branch;
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
    double in_nodes, in_dives, in_search; /* effort */
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

/* the root's rows and the node's; the basis is left to the caller */
static void set_rows(Solver *s, const Node *node)
{
    const Instance *in = s->in;
    Lp *lp = &s->root;
    int more = 0;
    for (int d = 0; d < node->depth; d++) {
        const Branch *branch = &node->branch[d];
        lp_row(lp, s->base_rows + d, branch->sense, branch->rhs, s->best.objective);
        more += in->group_start[branch->group + 1] - in->group_start[branch->group];
    }
    /* rows by bin: those of the root, then the branches' */
    int *count = calloc(in->B + 1, sizeof(int)), *row = malloc(sizeof(int) * (s->base_entries + 1)), *begin = malloc(sizeof(int) * (in->B + 2));
    double *coef = malloc(sizeof(double) * (s->base_entries + 1));
    int n = 0;
    for (int b = 0; b < in->B; b++) {
        begin[b] = n;
        for (int e = lp->bin_begin[b]; e < lp->bin_begin[b + 1]; e++)
            if (lp->bin_row[e] < s->base_rows) {
                row[n] = lp->bin_row[e];
                coef[n++] = lp->bin_coef[e];
            }
    }
    begin[in->B] = n;
    for (int d = 0; d < node->depth; d++)
        for (int g = in->group_start[node->branch[d].group]; g < in->group_start[node->branch[d].group + 1]; g++)
            count[in->group_bin[g]]++;
    lp_bin_rows(lp, n + more + 1);
    int at = 0;
    for (int b = 0; b < in->B; b++) {
        lp->bin_begin[b] = at;
        for (int e = begin[b]; e < begin[b + 1]; e++) {
            lp->bin_row[at] = row[e];
            lp->bin_coef[at++] = coef[e];
        }
        int fill = at;
        at += count[b];
        count[b] = fill;
    }
    lp->bin_begin[in->B] = at;
    for (int d = 0; d < node->depth; d++)
        for (int g = in->group_start[node->branch[d].group]; g < in->group_start[node->branch[d].group + 1]; g++) {
            int to = count[in->group_bin[g]]++;
            lp->bin_row[to] = s->base_rows + d;
            lp->bin_coef[to] = 1.0;
        }
    free(count);
    free(row);
    free(begin);
    free(coef);
}

/* the root's LP with the node's rows, from the node's basis */
static void enter(Solver *s, const Node *node)
{
    Lp *lp = &s->root;
    lp_grow_rows(lp, s->base_rows + node->depth + 1); /* one more for probes */
    lp->m = s->base_rows + node->depth;
    set_rows(s, node);
    if (!node->basic || !lp_restart(lp, node->basic, node->rows))
        lp_start(lp);
}

static Node child_of(Solver *s, Tree *t, const Node *node, int group, char sense, double rhs, double bound)
{
    const Lp *lp = &s->root;
    Node child = {bound, node->depth + 1, lp->m + 1, t->serial++, NULL, NULL};
    child.branch = malloc(sizeof(Branch) * child.depth);
    if (node->depth)
        memcpy(child.branch, node->branch, sizeof(Branch) * node->depth);
    child.branch[node->depth] = (Branch){group, sense, rhs};
    child.basic = malloc(sizeof(int) * child.rows);
    memcpy(child.basic, lp->basic, sizeof(int) * lp->m);
    child.basic[lp->m] = -2 - 2 * lp->m; /* the new row is broken by the parent's solution: its fine column is basic */
    return child;
}

enum { PROBES = 12, PROBE_PIVOTS = 40, PATIENCE = 5 };
typedef struct { int group; double total, score; } Choice;

/* the sets whose totals are furthest from whole, weighed by price; their number */
static int candidates(const Solver *s, Choice *choice)
{
    const Instance *in = s->in;
    const Lp *lp = &s->root;
    double *by_bin = calloc(in->B + 1, sizeof(double));
    int n = 0;
    for (int i = 0; i < lp->m; i++)
        if (lp->basic[i] >= 0)
            by_bin[lp->bin[lp->basic[i]]] += lp->x[i];
    for (int g = 0; g < in->G; g++) {
        double sum = 0.0, price = 0.0;
        for (int e = in->group_start[g]; e < in->group_start[g + 1]; e++) {
            int b = in->group_bin[e];
            sum += by_bin[b];
            price += by_bin[b] * in->price[b];
        }
        double fraction = sum - floor(sum), away = fraction < 0.5 ? fraction : 1 - fraction;
        if (away < 1e-4)
            continue;
        double score = (price / sum) * away / (1.0 + 0.02 * sum);
        int twin = 0; /* the same total at the same price: the same set, but for bins that are not used */
        for (int t = 0; t < n && !twin; t++)
            twin = fabs(choice[t].total - sum) < 1e-9 && fabs(choice[t].score - score) < 1e-9 * score;
        if (twin || (n == PROBES && choice[n - 1].score >= score))
            continue;
        int at = n < PROBES ? n++ : PROBES - 1;
        for (; at > 0 && choice[at - 1].score < score; at--)
            choice[at] = choice[at - 1];
        choice[at] = (Choice){g, sum, score};
    }
    free(by_bin);
    return n;
}

/* What the LP over the columns at hand would cost in the child, after a few pivots. */
static double probe(Solver *s, const Node *node, int group, char sense, double rhs, const Basis *kept)
{
    Lp *lp = &s->root;
    Branch branch[node->depth + 1];
    if (node->depth)
        memcpy(branch, node->branch, sizeof(Branch) * node->depth);
    branch[node->depth] = (Branch){group, sense, rhs};
    Node child = {.depth = node->depth + 1, .branch = branch};
    lp->m++;
    set_rows(s, &child);
    lp_append(lp);
    lp_solve(lp, PROBE_PIVOTS);
    double cost = 0.0;
    for (int i = 0; i < lp->m; i++)
        cost += lp_cost(lp, lp->basic[i]) * lp->x[i];
    lp_restore(lp, kept);
    return cost;
}

/* Strong branching: the set for which both children cost most more (Achterberg 2005's product). -1: all are whole. */
static int choose(Solver *s, const Node *node, double *total)
{
    static const Basis nothing;
    Basis kept = nothing;
    Choice choice[PROBES + 1] = {{0, 0, 0}};
    int n = candidates(s, choice), pick = -1;
    double best = -1.0, worth = s->best.objective - node->bound + 1.0;
    lp_save(&s->root, &kept);
    for (int i = 0, idle = 0; i < n && idle < PATIENCE; i++, idle++) {
        double down = 0, up = 0;
        if (n > 1) {
            down = probe(s, node, choice[i].group, 'L', floor(choice[i].total), &kept) - node->bound;
            up = probe(s, node, choice[i].group, 'G', ceil(choice[i].total), &kept) - node->bound;
        }
        down = down > worth ? worth : down < worth * 1e-4 ? worth * 1e-4 : down;
        up = up > worth ? worth : up < worth * 1e-4 ? worth * 1e-4 : up;
        if (down * up > best * (1 + 1e-9)) {
            best = down * up;
            idle = 0;
            pick = choice[i].group;
            *total = choice[i].total;
        }
    }
    set_rows(s, node);
    free(kept.inverse);
    free(kept.x);
    free(kept.y);
    free(kept.basic);
    return pick;
}

static void publish(Solver *s, const Tree *t, double current)
{
    double least = s->best.objective;
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
    double cutoff = s->best.objective - 0.5 * s->in->unit;
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
    if (t->in_dives <= 0.4 * t->in_nodes) {
        double start = effort(s);
        dive_from_root(s, s->tree_nodes % 4 ? 0.1 : 0.0);
        t->in_dives += effort(s) - start;
    }
    if (node->bound >= s->best.objective - 0.5 * s->in->unit)
        return;
    double total = 0.0;
    int group = choose(s, node, &total);
    if (group < 0) {
        dive_from_root(s, 0.0);
        if (node->bound < t->closed)
            t->closed = node->bound;
        return;
    }
    push(t, child_of(s, t, node, group, 'L', floor(total), node->bound));
    push(t, child_of(s, t, node, group, 'G', ceil(total), node->bound));
}

void tree(Solver *s)
{
    Tree t = {.closed = 1e300};
    Node root = {s->bound, 0, 0, t.serial++, NULL, NULL};
    root.rows = s->root.m;
    root.basic = malloc(sizeof(int) * root.rows);
    memcpy(root.basic, s->root.basic, sizeof(int) * root.rows);
    push(&t, root);
    while (!proven(s) && !out_of_time(s)) {
        double start = effort(s);
        if (t.n && t.in_nodes <= 1.5 * t.in_search) {
            double dives = t.in_dives;
            Node node = pop(&t);
            expand(s, &t, &node);
            drop(&node);
            publish(s, &t, 1e300);
            t.in_nodes += effort(s) - start + 1 - (t.in_dives - dives);
        } else {
            if (!t.n && t.closed >= s->best.objective) {
                publish(s, &t, 1e300);
                break;
            }
            search(s, start + 20000);
            t.in_search += effort(s) - start + 1;
        }
    }
    while (t.n) {
        Node node = pop(&t);
        drop(&node);
    }
    free(t.heap);
}
