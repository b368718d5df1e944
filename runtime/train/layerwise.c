/* layerwise.c: optimizers that look at all of a layer before they move it.
 *
 *   lars   the rate by the norms of the layer's weights and gradient      You et al. 2017
 *   lamb   likewise, along adam's direction                               You et al. 2020
 *   muon   a matrix moves along the nearest orthogonal one                torch.optim.Muon
 *
 * The threads go through the steps together (pass.c): each leaves the direction of its part, sums
 * the squares of its pieces, takes its rows of what is made of a matrix, and moves its part.
 * Pieces are of fixed length, and rows are summed in the order of their terms, so the number of
 * threads is in no result.  A parameter of a group that says `adapt=false`, and for muon one that
 * is no matrix, moves by the plain rule: sgd's with momentum, adam's, adamw's.
 */
#include "train/optimizer.h"

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 }; /* elements */

/* Of muon, for each matrix: it is loaded, each iteration has three products, and it is stored. */
enum { PRODUCTS = 3, ROUNDS_AROUND = 2 };

bool net_is_layerwise(const NetOptimizer *optimizer)
{
    return optimizer->kind->layerwise;
}

/* ---------------------------------------------------------------- lars */

static bool uses_one(const NetRates *rates, int slot)
{
    (void)rates;
    return slot == 0;
}

/* Algorithm 1: the local rate; 1 where there is nothing to go by. */
static double lars_scale(const NetRates *rates, const NetMoved *layer, double weight,
                         double gradient)
{
    if (!layer->adapts || weight == 0 || gradient == 0)
        return 1;
    return rates->trust * weight / (gradient + rates->weight_decay * weight);
}

/* v = momentum v + lr * scale * (g + wd w); w -= v */
static NET_EACH_WIDTH void lars_update(const NetRates *rates, const Part *part)
{
    const real momentum = (real)rates->momentum, decay = (real)rates->weight_decay;
    const real step = (real)(rates->lr * part->scale);
    real *restrict weight = part->weight, *restrict velocity = part->state[0];
    for (int64_t i = 0; i < part->count; i++) {
        velocity[i] = momentum * velocity[i] + step * (part->gradient[i] + decay * weight[i]);
        weight[i] -= velocity[i];
    }
}

/* ---------------------------------------------------------------- lamb */

static bool uses_two(const NetRates *rates, int slot)
{
    (void)rates;
    return slot < 2;
}

/* Algorithm 2, with the corrections of adam; phi is the identity. */
static NET_EACH_WIDTH void lamb_direct(const NetRates *rates, const Part *part)
{
    const real correction1 = (real)(1 - pow(rates->beta1, (double)rates->updates)),
               correction2 = (real)(1 - pow(rates->beta2, (double)rates->updates));
    const real beta1 = (real)rates->beta1, rest1 = (real)(1 - rates->beta1);
    const real beta2 = (real)rates->beta2, rest2 = (real)(1 - rates->beta2);
    const real eps = (real)rates->eps, decay = (real)rates->weight_decay;
    real *restrict mean = part->state[0], *restrict square = part->state[1];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i];
        mean[i] = beta1 * mean[i] + rest1 * g;
        square[i] = beta2 * square[i] + rest2 * g * g;
        real ratio = mean[i] / correction1 / (net_root(square[i] / correction2) + eps);
        part->direction[i] = ratio + decay * part->weight[i];
    }
}

static double lamb_scale(const NetRates *rates, const NetMoved *layer, double weight,
                         double direction)
{
    (void)rates;
    return !layer->adapts || weight == 0 || direction == 0 ? 1 : weight / direction;
}

static NET_EACH_WIDTH void lamb_update(const NetRates *rates, const Part *part)
{
    const real step = (real)(rates->lr * part->scale);
    for (int64_t i = 0; i < part->count; i++)
        part->weight[i] -= step * part->direction[i];
}

/* ---------------------------------------------------------------- muon */

/* The momentum of a matrix; what adamw moves has its own moments in the same place. */
static NET_EACH_WIDTH void muon_direct(const NetRates *rates, const Part *part)
{
    const real momentum = (real)rates->momentum, rest = (real)(1 - rates->momentum);
    real *restrict mean = part->state[0], *restrict direction = part->direction;
    if (!part->layer->adapts)
        return;
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i];
        mean[i] += rest * (g - mean[i]);
        direction[i] = rates->nesterov ? g + momentum * (mean[i] - g) : mean[i];
    }
}

/* By torch.optim.Muon's adjust_lr_fn. */
static double muon_scale(const NetRates *rates, const NetMoved *layer, double weight,
                         double direction)
{
    (void)weight, (void)direction;
    double rows = (double)layer->rows, columns = (double)layer->columns;
    return rates->match_rms ? 0.2 * sqrt(fmax(rows, columns)) : sqrt(fmax(1, rows / columns));
}

static NET_EACH_WIDTH void move_matrix(const NetRates *rates, const Part *part)
{
    const real shrink = (real)(1 - rates->lr * rates->weight_decay),
               step = (real)(rates->lr * part->scale);
    for (int64_t i = 0; i < part->count; i++)
        part->weight[i] = part->weight[i] * shrink - step * part->direction[i];
}

static const NetOptimizerKind *adamw(void)
{
    const NetOptimizerKind *kind = NULL;
    for (int i = 0; (kind = net_elementwise(i)) && strcmp(kind->name, "adamw") != 0; i++)
        ;
    return kind;
}

static void muon_update(const NetRates *rates, const Part *part)
{
    if (part->layer->adapts) {
        move_matrix(rates, part);
        return;
    }
    NetRates plain = *rates;
    plain.eps = rates->adam_eps;
    plain.amsgrad = false;
    adamw()->update(&plain, part);
}

/* The matrix under way, the longer side first: at[0] and at[1] are [length][width], one made of
 * the other in turn, `gram` and `change` are [width][width]. */
typedef struct Matrix {
    const NetMoved *layer;
    int64_t length, width;
    real *at[2], *gram, *change;
} Matrix;

static bool lies(const NetMoved *layer)
{
    return layer->rows < layer->columns;
}

static Matrix matrix_of(const NetLayers *layers, const NetMoved *layer)
{
    int64_t length = lies(layer) ? layer->columns : layer->rows,
            width = lies(layer) ? layer->rows : layer->columns;
    real *room = layers->room;
    return (Matrix){.layer = layer,
                    .length = length,
                    .width = width,
                    .at = {room, room + length * width},
                    .gram = room + 2 * length * width,
                    .change = room + 2 * length * width + width * width};
}

static int64_t room_for(const NetMoved *layer)
{
    Matrix matrix = matrix_of(&(NetLayers){0}, layer);
    return 2 * matrix.width * (matrix.length + matrix.width);
}

/* Two matrices' product, some of its rows: out[r] = own_part * own[r] + part * sum over k of
 * left(r, k) * right[k], where left(r, k) lies at left[r * left_row + k * left_step]. */
typedef struct Product {
    real *out;
    const real *own, *left, *right; /* own NULL: none */
    int64_t left_row, left_step, terms, columns;
    real own_part, part;
} Product;

enum { TILE = NET_RANGE_UNIT };

/* `count` is a constant wherever it is large, so that the loops are vectorised at -O2. */
static inline __attribute__((always_inline)) void product_tile(const Product *product, int64_t row,
                                                               int64_t column, int64_t count)
{
    real sums[TILE] = {0};
    const real *left = product->left + row * product->left_row;
    for (int64_t k = 0; k < product->terms; k++) {
        const real factor = left[k * product->left_step];
        const real *right = product->right + k * product->columns + column;
        for (int64_t i = 0; i < count; i++)
            sums[i] += factor * right[i];
    }
    int64_t at = row * product->columns + column;
    for (int64_t i = 0; i < count; i++)
        product->out[at + i] =
            (product->own ? product->own_part * product->own[at + i] : 0) + product->part * sums[i];
}

static NET_EACH_WIDTH void product_rows(const Product *product, NetShare rows)
{
    for (int64_t row = rows.from; row < rows.to; row++) {
        int64_t column = 0;
        for (; column + TILE <= product->columns; column += TILE)
            product_tile(product, row, column, TILE);
        product_tile(product, row, column, product->columns - column);
    }
}

/* One of the three products of an iteration of torch.optim.Muon's Newton-Schulz: with X the matrix,
 * the longer side first, gram = X' X, change = b gram + c gram gram, X = a X + X change. */
static void iterate(const Matrix *matrix, int iteration, int product, int thread, int threads)
{
    const real a = (real)3.4445, b = (real)-4.7750, c = (real)2.0315;
    const real *x = matrix->at[iteration % 2];
    const Product products[PRODUCTS] = {
        {.out = matrix->gram,
         .left = x,
         .right = x,
         .left_row = 1,
         .left_step = matrix->width,
         .terms = matrix->length,
         .columns = matrix->width,
         .part = 1},
        {.out = matrix->change,
         .own = matrix->gram,
         .left = matrix->gram,
         .right = matrix->gram,
         .left_row = matrix->width,
         .left_step = 1,
         .terms = matrix->width,
         .columns = matrix->width,
         .own_part = b,
         .part = c},
        {.out = matrix->at[(iteration + 1) % 2],
         .own = x,
         .left = x,
         .right = matrix->change,
         .left_row = matrix->width,
         .left_step = 1,
         .terms = matrix->width,
         .columns = matrix->width,
         .own_part = a,
         .part = 1},
    };
    product_rows(&products[product],
                 net_share(product == 2 ? matrix->length : matrix->width, thread, threads));
}

/* Between the direction and the matrix: whose rows are the direction's, or its columns. */
static void copy_rows(const Matrix *matrix, real *direction, real *x, NetShare rows, double scale,
                      bool loads)
{
    bool turned = lies(matrix->layer);
    for (int64_t row = rows.from; row < rows.to; row++)
        for (int64_t i = 0; i < matrix->width; i++) {
            real *here = &x[row * matrix->width + i],
                 *there = &direction[turned ? i * matrix->length + row : row * matrix->width + i];
            if (loads)
                *here = (real)((double)*there * scale);
            else
                *there = *here;
        }
}

static double norm_of(const double *squares, const NetMoved *layer)
{
    double sum = 0;
    for (int64_t i = 0; i < layer->pieces; i++)
        sum += squares[layer->first_piece + i];
    return sqrt(sum);
}

static const NetMoved *matrix_number(const NetLayers *layers, int number)
{
    int i = 0;
    for (; number > 0 || !layers->items[i].adapts; i++)
        number -= layers->items[i].adapts;
    return &layers->items[i];
}

void net_layers_round(const NetOptimizer *optimizer, int round, int thread, int threads)
{
    const NetLayers *layers = &optimizer->layers;
    const int each = PRODUCTS * optimizer->rates.ns_steps + ROUNDS_AROUND;
    const NetMoved *layer = matrix_number(layers, round / each);
    Matrix matrix = matrix_of(layers, layer);
    NetShare rows = net_share(matrix.length, thread, threads);
    real *direction = layers->direction + layer->from;
    int step = round % each, steps = optimizer->rates.ns_steps;
    if (step == 0)
        copy_rows(&matrix, direction, matrix.at[0], rows,
                  1 / fmax(norm_of(layers->squares, layer), optimizer->rates.eps), true);
    else if (step < each - 1)
        iterate(&matrix, (step - 1) / PRODUCTS, (step - 1) % PRODUCTS, thread, threads);
    else
        copy_rows(&matrix, direction, matrix.at[steps % 2], rows, 1, false);
}

/* ------------------------------------------------------------- measuring */

static NET_EACH_WIDTH double sum_squares(const real *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

void net_layers_measure(const NetOptimizer *optimizer, const real *weights, const real *gradient,
                        int64_t first, int64_t end)
{
    const NetLayers *layers = &optimizer->layers;
    const real *along = layers->direction ? layers->direction : gradient;
    for (int i = 0; i < layers->count; i++) {
        const NetMoved *layer = &layers->items[i];
        for (int64_t k = 0; k < layer->pieces; k++) {
            int64_t piece = layer->first_piece + k, at = layer->from + k * PIECE,
                    count = layer->to - at < PIECE ? layer->to - at : PIECE;
            if (piece < first || piece >= end)
                continue;
            layers->weight_squares[piece] = sum_squares(weights + at, count);
            layers->squares[piece] = sum_squares(along + at, count);
        }
    }
}

double net_layer_scale(const NetOptimizer *optimizer, const NetRates *rates, const NetMoved *layer)
{
    const NetLayers *layers = &optimizer->layers;
    return optimizer->kind->scale(rates, layer, norm_of(layers->weight_squares, layer),
                                  norm_of(layers->squares, layer));
}

/* --------------------------------------------------------------- opening */

static void add_layer(NetOptimizer *optimizer, const NetParameter *parameter)
{
    NetLayers *layers = &optimizer->layers;
    int64_t rows = parameter->rank > 0 ? parameter->dim[0] : 1;
    bool matrix = parameter->rank >= 2 && rows > 0;
    layers->items[layers->count++] = (NetMoved){
        .from = parameter->offset,
        .to = parameter->offset + parameter->elements,
        .rows = rows,
        .columns = rows > 0 ? parameter->elements / rows : 0,
        .first_piece = layers->pieces,
        .pieces = (parameter->elements + PIECE - 1) / PIECE,
        .group = parameter->group,
        .layer = parameter->layer,
        .adapts = optimizer->groups[parameter->group].adapts
                  && (matrix || !optimizer->kind->orthogonalises),
    };
    layers->pieces += (parameter->elements + PIECE - 1) / PIECE;
}

/* Matrices are made orthogonal one after the other, in the same room. */
static void count_room(NetOptimizer *optimizer)
{
    NetLayers *layers = &optimizer->layers;
    for (int i = 0; optimizer->kind->orthogonalises && i < layers->count; i++) {
        const NetMoved *layer = &layers->items[i];
        if (!layer->adapts)
            continue;
        layers->rounds += PRODUCTS * optimizer->rates.ns_steps + ROUNDS_AROUND;
        int64_t room = room_for(layer);
        layers->room_elements = room > layers->room_elements ? room : layers->room_elements;
    }
}

bool net_layers_open(NetOptimizer *optimizer, const NetModel *model, NetError *error)
{
    NetLayers *layers = &optimizer->layers;
    if (!optimizer->kind->layerwise)
        return true;
    layers->items = net_allocate((size_t)model->parameter_count, sizeof *layers->items, error);
    for (int i = 0; layers->items && i < model->parameter_count; i++)
        if (model->parameters[i].kind == NET_TRAINED && !model->parameters[i].frozen)
            add_layer(optimizer, &model->parameters[i]);
    count_room(optimizer);
    size_t pieces = (size_t)layers->pieces;
    bool good = layers->items
                && (layers->weight_squares = net_allocate(pieces, sizeof(double), error))
                && (layers->squares = net_allocate(pieces, sizeof(double), error));
    if (good && optimizer->kind->direct) {
        layers->direction_elements = model->trained + NET_RANGE_UNIT;
        layers->direction = net_allocate((size_t)layers->direction_elements, sizeof(real), error);
        good = layers->direction != NULL;
    }
    if (good && layers->room_elements)
        good = (layers->room = net_allocate((size_t)layers->room_elements, sizeof(real), error));
    return good;
}

void net_layers_close(NetOptimizer *optimizer)
{
    NetLayers *layers = &optimizer->layers;
    void *all[] = {layers->items, layers->weight_squares, layers->squares, layers->direction,
                   layers->room};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    *layers = (NetLayers){0};
}

/* --------------------------------------------------------------- table */

static const NetOptimizerKind kinds[] = {
    {.name = "lars",
     .slots = {"momentum_buffer"},
     .uses = uses_one,
     .update = lars_update,
     .momentum = net_momentum_of,
     .scale = lars_scale,
     .layerwise = true},
    {.name = "lamb",
     .slots = {"exp_avg", "exp_avg_sq"},
     .uses = uses_two,
     .update = lamb_update,
     .momentum = net_beta1_of,
     .direct = lamb_direct,
     .scale = lamb_scale,
     .layerwise = true},
    {.name = "muon",
     .slots = {"momentum_buffer", "exp_avg_sq"},
     .uses = uses_two,
     .update = muon_update,
     .momentum = net_momentum_of,
     .direct = muon_direct,
     .scale = muon_scale,
     .layerwise = true,
     .orthogonalises = true},
};

const NetOptimizerKind *net_layerwise(int i)
{
    return i < (int)(sizeof kinds / sizeof *kinds) ? &kinds[i] : NULL;
}
