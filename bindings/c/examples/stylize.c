/*
 * A photograph in the style of a painting, from files to a file, with a line of progress.
 *
 *     cc stylize.c -o stylize $(pkg-config --cflags --libs impasto)
 *     ./stylize photo.jpg painting.jpg out.png [LONGEST SIDE [STEPS]]
 */
#include <impasto.h>

#include <stdio.h>
#include <stdlib.h>

static int32_t show(const ImpastoProgress *progress, void *user) {
    (void)user;
    fprintf(stderr, "\rscale %d of %d, %d x %d: step %d of %d, loss %.4f, %.0f s left   ", (int)progress->scale,
            (int)progress->scales, (int)progress->width, (int)progress->height, (int)progress->step,
            (int)progress->steps, progress->losses->total, progress->seconds_left);
    return 0;
}

/* Ends the program with the library's text where a call failed. */
static void check(int32_t status) {
    if (status != IMPASTO_STATUS_OK) {
        fprintf(stderr, "%s\n", impasto_last_error());
        exit(1);
    }
}

int main(int count, char **arguments) {
    ImpastoWeights *weights = NULL;
    ImpastoPicture *content = NULL, *painting = NULL, *made = NULL;
    ImpastoStyle *style = NULL;
    ImpastoJob *job = NULL;
    ImpastoOutcome outcome;
    const ImpastoPicture *paintings[1];

    if (count < 4) {
        fprintf(stderr, "usage: stylize PHOTOGRAPH PAINTING OUT [LONGEST SIDE [STEPS]]\n");
        return 2;
    }
    check(impasto_weights_embedded(&weights));
    check(impasto_picture_open(arguments[1], 0, 0, &content));
    check(impasto_picture_open(arguments[2], 0, 0, &painting));
    paintings[0] = painting;
    check(impasto_style_new(paintings, NULL, 1, &style));

    check(impasto_job_new(weights, &job));
    check(impasto_job_set_content(job, content));
    check(impasto_job_set_style(job, style));
    if (count > 4) check(impasto_job_set_size(job, (size_t)strtoul(arguments[4], NULL, 10)));
    if (count > 5) check(impasto_job_set_steps(job, (size_t)strtoul(arguments[5], NULL, 10)));
    check(impasto_job_run(job, show, NULL, &made, &outcome, sizeof outcome));
    fprintf(stderr, "\n");
    if (outcome.end == IMPASTO_END_FAILED) fprintf(stderr, "ended early: %s\n", impasto_last_error());
    check(impasto_picture_write(made, arguments[3], 8));

    impasto_picture_free(made);
    impasto_job_free(job);
    impasto_style_free(style);
    impasto_picture_free(painting);
    impasto_picture_free(content);
    impasto_weights_free(weights);
    return 0;
}
