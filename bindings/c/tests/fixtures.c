/*
 * What the tests share.
 */
#include "test.h"

#include <string.h>

int failures = 0;
const char *folder = NULL;

/* A path in the folder, until the next call. */
const char *path_of(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A picture of SIDE by SIDE pixels with some structure. */
ImpastoPicture *pattern(int kind) {
    static uint8_t pixels[PIXELS * 3];
    ImpastoPicture *picture = NULL;
    int x, y;
    for (y = 0; y < SIDE; y++) {
        for (x = 0; x < SIDE; x++) {
            uint8_t *pixel = pixels + 3 * (y * SIDE + x);
            pixel[0] = (uint8_t)(kind ? 255 * ((x / 4 + y / 6) % 2) : 5 * x);
            pixel[1] = (uint8_t)(kind ? 40 * (x % 5) : 5 * y);
            pixel[2] = (uint8_t)(kind ? 60 * (y % 4) : 2 * (x + y));
        }
    }
    WORKS(impasto_picture_from_buffer(pixels, sizeof pixels, SIDE, SIDE, 3, IMPASTO_SAMPLE_U8, 0, &picture));
    return picture;
}

/* A picture of one grey. */
ImpastoPicture *plain(uint8_t grey) {
    static uint8_t pixels[PIXELS];
    ImpastoPicture *picture = NULL;
    memset(pixels, grey, sizeof pixels);
    WORKS(impasto_picture_from_buffer(pixels, sizeof pixels, SIDE, SIDE, 1, IMPASTO_SAMPLE_U8, 0, &picture));
    return picture;
}

/* A job of two small pictures that takes two steps. */
ImpastoJob *small_job(const ImpastoWeights *weights) {
    static const char *const layers[2] = {"relu1_1", "relu2_1"};
    ImpastoPicture *content = pattern(0), *painting = pattern(1);
    ImpastoStyle *style = NULL;
    ImpastoJob *job = NULL;
    const ImpastoPicture *pictures[1];
    pictures[0] = painting;
    WORKS(impasto_style_new(pictures, NULL, 1, &style));
    WORKS(impasto_job_new(weights, &job));
    WORKS(impasto_job_set_content(job, content));
    WORKS(impasto_job_set_style(job, style));
    WORKS(impasto_job_set_size(job, 0));
    WORKS(impasto_job_set_steps(job, 2));
    /* The first layers alone and the faster statistic, as all of this runs under valgrind too. */
    WORKS(impasto_job_set_content_layers(job, layers + 1, NULL, 1));
    WORKS(impasto_job_set_style_layers(job, layers, NULL, 2));
    WORKS(impasto_job_set_statistic(job, IMPASTO_STATISTIC_GRAM));
    impasto_picture_free(content);
    impasto_picture_free(painting);
    impasto_style_free(style);
    return job;
}
