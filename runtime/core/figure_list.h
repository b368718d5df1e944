/* figure_list.h: every figure that is told of a result: what it is called on a terminal and in a
 * log, whether it is a share, and whether a larger one is better.  The trainers make figures by
 * this list, and netc checks by it what a train section goes by: `monitor=`.
 */
#ifndef NET_FIGURE_LIST_H
#define NET_FIGURE_LIST_H

/* F(constant, name, key, percent, larger is better) */
#define NET_FIGURE_LIST(F)                                      \
    F(LOSS, "loss", "loss", false, false)                       \
    F(ACCURACY, "accuracy", "accuracy", true, true)             \
    F(TOP5, "top-5", "top5_accuracy", true, true)               \
    F(PERPLEXITY, "perplexity", "perplexity", false, false)     \
    F(MEAN_IOU, "mean IoU", "mean_iou", true, true)             \
    F(LABEL_ACCURACY, "accuracy", "label_accuracy", true, true) \
    F(F1, "F1", "f1", false, true)                              \
    F(AUC, "AUC", "auc", false, true)                           \
    F(MAE, "MAE", "mae", false, false)                          \
    F(RMSE, "RMSE", "rmse", false, false)                       \
    F(R2, "R²", "r2", false, true)

/* In front of a figure's key: of the training images, not of those that a run is judged by. */
#define NET_OF_TRAINING "train_"

#endif
