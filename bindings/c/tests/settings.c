/*
 * Styles, and what jobs are set to.
 */
#include "test.h"

#include <math.h>

void styles_are_blended(void) {
    const ImpastoPicture *pictures[2];
    double shares[2] = {0.25, 0.75}, scales[3] = {0.5, 2, 1};
    size_t sizes[2] = {40, 0};
    ImpastoPicture *first = pattern(0), *second = pattern(1);
    ImpastoStyle *style = NULL;

    pictures[0] = first;
    pictures[1] = second;
    WORKS(impasto_style_new(pictures, shares, 2, &style));
    WORKS(impasto_style_set_scales(style, scales, 2));
    WORKS(impasto_style_set_scales(style, scales, 1));
    WORKS(impasto_style_set_sizes(style, sizes, 2));
    RETURNS(ERROR_SETTING, impasto_style_set_scales(style, scales, 3));
    RETURNS(ERROR_SETTING, impasto_style_set_scales(style, scales, 0));
    scales[0] = NAN;
    RETURNS(ERROR_SETTING, impasto_style_set_scales(style, scales, 2));
    sizes[0] = SIZE_MAX;
    RETURNS(ERROR_SETTING, impasto_style_set_sizes(style, sizes, 2));
    REFUSED(impasto_style_set_scales(NULL, scales, 2));
    REFUSED(impasto_style_set_scales(style, NULL, 2));
    REFUSED(impasto_style_set_sizes(NULL, sizes, 2));
    REFUSED(impasto_style_set_sizes(style, NULL, 2));
    impasto_style_free(style);
    shares[0] = -1;
    RETURNS(ERROR_SETTING, impasto_style_new(pictures, shares, 2, &style));
    CHECK(style == NULL);
    RETURNS(ERROR_SETTING, impasto_style_new(pictures, NULL, 0, &style));
    RETURNS(ERROR_SETTING, impasto_style_new(NULL, NULL, 0, &style));
    RETURNS(ERROR_SHAPE, impasto_style_new(pictures, NULL, SIZE_MAX, &style));
    REFUSED(impasto_style_new(NULL, NULL, 2, &style));
    REFUSED(impasto_style_new(pictures, NULL, 1, NULL));
    pictures[1] = NULL;
    REFUSED(impasto_style_new(pictures, NULL, 2, &style));
    impasto_style_free(NULL);
    impasto_picture_free(first);
    impasto_picture_free(second);
}

void settings_are_taken_and_refused(const ImpastoWeights *weights) {
    static const char *const layers[2] = {"relu2_1", "relu3_1"};
    static const char *const damaged[1] = {"\xff"}, *const missing[1] = {NULL}, *const unknown[1] = {"relu9_9"};
    static const double layer_weights[2] = {1, 0.5};
    const ImpastoPicture *masks[1];
    ImpastoJob *job = small_job(weights), *none = NULL;
    ImpastoPicture *mask = plain(128), *content = pattern(0), *start = pattern(1);
    ImpastoPicture *picture = NULL;
    ImpastoCancel *cancel = NULL;
    masks[0] = mask;

    WORKS(impasto_job_set_mask(job, mask));
    WORKS(impasto_job_set_content_weight(job, 2));
    WORKS(impasto_job_set_style_weight(job, 3));
    WORKS(impasto_job_set_tv_weight(job, 0));
    WORKS(impasto_job_set_laplacian_weight(job, 1));
    WORKS(impasto_job_set_content_layers(job, layers, NULL, 2));
    WORKS(impasto_job_set_style_layers(job, layers, layer_weights, 2));
    WORKS(impasto_job_set_form(job, IMPASTO_FORM_RELATIVE));
    WORKS(impasto_job_set_statistic(job, IMPASTO_STATISTIC_WASSERSTEIN));
    WORKS(impasto_job_set_colors(job, IMPASTO_COLORS_CONTENT));
    WORKS(impasto_job_set_pooling(job, IMPASTO_POOLING_AVERAGE));
    WORKS(impasto_job_set_edges(job, IMPASTO_EDGES_ZERO));
    WORKS(impasto_job_set_scales(job, 1));
    WORKS(impasto_job_set_optimizer(job, IMPASTO_OPTIMIZER_ADAM));
    WORKS(impasto_job_set_init(job, IMPASTO_INIT_NOISE));
    WORKS(impasto_job_set_init_picture(job, start));
    WORKS(impasto_job_set_seed(job, UINT64_MAX));
    WORKS(impasto_job_set_threads(job, 2));
    WORKS(impasto_job_set_memory_limit(job, UINT64_MAX));
    WORKS(impasto_job_set_max_time(job, 1e6));
    WORKS(impasto_cancel_new(&cancel));
    WORKS(impasto_job_set_cancel(job, cancel));
    impasto_cancel_free(cancel);
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    CHECK(impasto_picture_width(picture) == SIDE);
    impasto_picture_free(picture);

    /* Masks of styles and regions, in place of the mask. */
    impasto_job_free(job);
    job = small_job(weights);
    WORKS(impasto_job_set_style_masks(job, masks, 1));
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    impasto_picture_free(picture);
    impasto_job_free(job);
    job = small_job(weights);
    WORKS(impasto_job_set_regions(job, mask, mask));
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    impasto_picture_free(picture);

    /* What is found at once. A job that refuses a value stays as it was. */
    RETURNS(ERROR_SETTING, impasto_job_set_regions(job, mask, start));
    RETURNS(ERROR_SETTING, impasto_job_set_regions(job, content, content));
    RETURNS(ERROR_SETTING, impasto_job_set_threads(job, 0));
    RETURNS(ERROR_SETTING, impasto_job_set_max_time(job, -1));
    RETURNS(ERROR_SETTING, impasto_job_set_max_time(job, NAN));
    RETURNS(ERROR_SETTING, impasto_job_set_max_time(job, INFINITY));
    REFUSED(impasto_job_set_form(job, 2));
    REFUSED(impasto_job_set_statistic(job, -1));
    REFUSED(impasto_job_set_colors(job, 3));
    REFUSED(impasto_job_set_pooling(job, 2));
    REFUSED(impasto_job_set_edges(job, INT32_MAX));
    REFUSED(impasto_job_set_optimizer(job, 99));
    REFUSED(impasto_job_set_init(job, 2));
    REFUSED(impasto_job_set_content_layers(job, damaged, NULL, 1));
    REFUSED(impasto_job_set_style_layers(job, missing, NULL, 1));
    RETURNS(ERROR_SHAPE, impasto_job_set_style_layers(job, layers, NULL, SIZE_MAX));
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    impasto_picture_free(picture);

    /* What the job finds. */
    WORKS(impasto_job_set_style_weight(job, NAN));
    RETURNS(ERROR_SETTING, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    CHECK(picture == NULL);
    WORKS(impasto_job_set_style_weight(job, 10));
    WORKS(impasto_job_set_form(job, IMPASTO_FORM_GATYS));
    WORKS(impasto_job_set_statistic(job, IMPASTO_STATISTIC_WASSERSTEIN));
    RETURNS(ERROR_SETTING, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_form(job, IMPASTO_FORM_RELATIVE));
    WORKS(impasto_job_set_statistic(job, IMPASTO_STATISTIC_GRAM));
    WORKS(impasto_job_set_style_layers(job, layers, layer_weights, 0));
    RETURNS(ERROR_SETTING, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_style_layers(job, unknown, NULL, 1));
    RETURNS(ERROR_UNKNOWN_LAYER, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_style_layers(job, layers, NULL, 2));
    WORKS(impasto_job_set_size(job, 2));
    RETURNS(ERROR_TOO_SMALL, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_size(job, 32));
    WORKS(impasto_job_set_memory_limit(job, 1000));
    RETURNS(ERROR_OUT_OF_MEMORY, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_memory_limit(job, UINT64_MAX));
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    CHECK(impasto_picture_width(picture) == 32);
    impasto_picture_free(picture);
    impasto_job_free(job);

    /* NULL. */
    REFUSED(impasto_job_new(NULL, &none));
    REFUSED(impasto_job_new(weights, NULL));
    WORKS(impasto_job_new(weights, &job));
    RETURNS(ERROR_SETTING, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    REFUSED(impasto_job_set_content(job, NULL));
    REFUSED(impasto_job_set_style(job, NULL));
    REFUSED(impasto_job_set_mask(job, NULL));
    REFUSED(impasto_job_set_style_masks(job, NULL, 1));
    REFUSED(impasto_job_set_regions(job, NULL, mask));
    REFUSED(impasto_job_set_regions(job, mask, NULL));
    REFUSED(impasto_job_set_content_layers(job, NULL, NULL, 1));
    REFUSED(impasto_job_set_style_layers(job, NULL, NULL, 1));
    REFUSED(impasto_job_set_init_picture(job, NULL));
    REFUSED(impasto_job_set_cancel(job, NULL));
    impasto_job_free(job);
    impasto_job_free(NULL);
    REFUSED(impasto_job_set_content(NULL, content));
    REFUSED(impasto_job_set_style(NULL, NULL));
    REFUSED(impasto_job_set_mask(NULL, mask));
    REFUSED(impasto_job_set_style_masks(NULL, masks, 1));
    REFUSED(impasto_job_set_regions(NULL, mask, mask));
    REFUSED(impasto_job_set_size(NULL, 64));
    REFUSED(impasto_job_set_exact_size(NULL, 64, 64));
    REFUSED(impasto_job_set_content_weight(NULL, 1));
    REFUSED(impasto_job_set_style_weight(NULL, 1));
    REFUSED(impasto_job_set_tv_weight(NULL, 1));
    REFUSED(impasto_job_set_laplacian_weight(NULL, 1));
    REFUSED(impasto_job_set_content_layers(NULL, layers, NULL, 2));
    REFUSED(impasto_job_set_style_layers(NULL, layers, NULL, 2));
    REFUSED(impasto_job_set_form(NULL, 0));
    REFUSED(impasto_job_set_statistic(NULL, 0));
    REFUSED(impasto_job_set_colors(NULL, 0));
    REFUSED(impasto_job_set_pooling(NULL, 0));
    REFUSED(impasto_job_set_edges(NULL, 0));
    REFUSED(impasto_job_set_steps(NULL, 1));
    REFUSED(impasto_job_set_scales(NULL, 1));
    REFUSED(impasto_job_set_optimizer(NULL, 0));
    REFUSED(impasto_job_set_init(NULL, 0));
    REFUSED(impasto_job_set_init_picture(NULL, start));
    REFUSED(impasto_job_set_seed(NULL, 1));
    REFUSED(impasto_job_set_threads(NULL, 1));
    REFUSED(impasto_job_set_memory_limit(NULL, 1));
    REFUSED(impasto_job_set_max_time(NULL, 1));
    REFUSED(impasto_job_set_cancel(NULL, NULL));
    impasto_picture_free(mask);
    impasto_picture_free(content);
    impasto_picture_free(start);
}
