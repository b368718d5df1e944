/* nll.c: the negative logarithm of the target class's probability, x holding the logarithms of all;
 * over images and positions as classes.h says.  Lanes without an image give exactly 0.
 */
#include "classes.h"

void net_nll_forward(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        for (int64_t p = 0; call->active[lane] != 0 && p < positions_of(call); p++) {
            int64_t wanted = class_wanted(call, p, lane);
            if (!is_ignored(call, wanted))
                sum -= class_weight(call, wanted)
                       * (double)call->x[0][class_place(call, p, wanted, lane)];
        }
        give_loss(call, call->grain * call->lanes + lane, (real)(sum * position_share(call)));
    }
}

void net_nll_backward_input(const NetCall *call)
{
    double share = call->loss_weight * position_share(call) / (double)call->step->images;
    for (int64_t p = 0; p < positions_of(call); p++)
        for (int64_t k = 0; k < classes_of(call); k++)
            for (int lane = 0; lane < call->lanes; lane++) {
                bool wanted = call->active[lane] != 0 && class_wanted(call, p, lane) == k
                              && !is_ignored(call, k);
                give_gradient(call, class_place(call, p, k, lane),
                              wanted ? (real)(-share * class_weight(call, k)) : 0);
            }
}
