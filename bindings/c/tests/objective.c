/*
 * The loss and its gradient.
 */
#include "test.h"

#include <math.h>
#include <string.h>

void gradients_are_those_of_the_loss(const ImpastoWeights *weights, int own_threads) {
    static float planes[PIXELS * 3], moved[PIXELS * 3], gradient[PIXELS * 3];
    ImpastoJob *job = small_job(weights);
    ImpastoObjective *objective = NULL;
    ImpastoPicture *picture = pattern(1);
    ImpastoLosses losses, after;
    double square = 0, step, expected;
    size_t at, count = PIXELS * 3;

    if (own_threads) WORKS(impasto_job_set_threads(job, 1));
    WORKS(impasto_job_objective(job, &objective));
    CHECK(impasto_objective_width(objective) == SIDE && impasto_objective_height(objective) == SIDE);
    WORKS(impasto_picture_to_planes(picture, planes, count));
    for (at = 0; at < count; at++) planes[at] = 0.2f + 0.6f * planes[at];
    memset(&losses, 77, sizeof losses);
    WORKS(impasto_objective_evaluate(objective, planes, gradient, count, &losses, sizeof losses));
    CHECK(losses.total > 0 && losses.content > 0 && losses.style > 0 && losses.tv > 0 && losses.laplacian == 0);
    for (at = 0; at < count; at++) square += (double)gradient[at] * gradient[at];
    CHECK(square > 0);
    /* A small step against the gradient lowers the loss by what the gradient says. */
    step = 0.001 * losses.total / square;
    for (at = 0; at < count; at++) moved[at] = (float)(planes[at] - step * gradient[at]);
    WORKS(impasto_objective_evaluate(objective, moved, NULL, count, &after, sizeof after));
    expected = step * square;
    CHECK(fabs((losses.total - after.total) / expected - 1) < 0.1);
    WORKS(impasto_objective_evaluate(objective, planes, NULL, count, NULL, 0));

    RETURNS(ERROR_SHAPE, impasto_objective_evaluate(objective, planes, gradient, count - 1, &losses, sizeof losses));
    RETURNS(ERROR_SHAPE, impasto_objective_evaluate(objective, planes, gradient, SIZE_MAX, &losses, sizeof losses));
    REFUSED(impasto_objective_evaluate(objective, planes, planes, count, &losses, sizeof losses));
    REFUSED(impasto_objective_evaluate(objective, planes, planes + count - 1, count, &losses, sizeof losses));
    REFUSED(impasto_objective_evaluate(objective, planes, (float *)(void *)((char *)gradient + 2), count, &losses,
                                       sizeof losses));
    REFUSED(impasto_objective_evaluate(objective, NULL, gradient, count, &losses, sizeof losses));
    REFUSED(impasto_objective_evaluate(NULL, planes, gradient, count, &losses, sizeof losses));
    impasto_objective_free(objective);
    REFUSED(impasto_job_objective(NULL, &objective));
    REFUSED(impasto_job_objective(job, NULL));
    CHECK(impasto_objective_width(NULL) == 0 && impasto_objective_height(NULL) == 0);
    impasto_job_free(job);
    WORKS(impasto_job_new(weights, &job));
    RETURNS(ERROR_SETTING, impasto_job_objective(job, &objective));
    CHECK(objective == NULL);
    impasto_objective_free(objective);
    impasto_picture_free(picture);
    impasto_job_free(job);
}
