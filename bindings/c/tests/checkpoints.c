/*
 * Checkpoints: a job that is ended and goes on makes the picture of one that was not.
 */
#include "test.h"

#include <string.h>

/* What the callback saw, and after how many steps it ends the job. */
struct steps {
    size_t first, last, end;
    int errors, strips;
};

static int32_t count(const ImpastoProgress *progress, void *user) {
    struct steps *steps = (struct steps *)user;
    if (steps->first == 0) steps->first = progress->step;
    steps->last = progress->step;
    if (progress->checkpoint_error != NULL) steps->errors += strstr(progress->checkpoint_error, "none/there") != NULL;
    steps->strips += progress->in_other_strips;
    return progress->step == steps->end;
}

/* Runs the job, frees it, and returns how it ended. The picture goes to `pixels`. */
static ImpastoOutcome run(ImpastoJob *job, struct steps *steps, uint8_t *pixels) {
    ImpastoPicture *picture = NULL;
    ImpastoOutcome outcome;
    WORKS(impasto_job_run(job, count, steps, &picture, &outcome, sizeof outcome));
    WORKS(impasto_picture_to_buffer(picture, pixels, PIXELS * 3, 3, IMPASTO_SAMPLE_U8, 0));
    impasto_picture_free(picture);
    impasto_job_free(job);
    return outcome;
}

static ImpastoJob *job_of_steps(const ImpastoWeights *weights, size_t steps) {
    ImpastoJob *job = small_job(weights);
    WORKS(impasto_job_set_steps(job, steps));
    return job;
}

void jobs_go_on_from_checkpoints(const ImpastoWeights *weights) {
    static uint8_t whole[PIXELS * 3], ended[PIXELS * 3], resumed[PIXELS * 3];
    char path[1024];
    struct steps steps = {0, 0, 0, 0, 0};
    ImpastoCancel *cancel = NULL;
    ImpastoPicture *picture = NULL;
    ImpastoOutcome outcome;
    ImpastoJob *job;

    snprintf(path, sizeof path, "%s", path_of("job.checkpoint"));
    CHECK(run(job_of_steps(weights, 4), &steps, whole).end == IMPASTO_END_DONE);
    CHECK(steps.first == 1 && steps.last == 4);

    /* Ended by the callback, long before the minute is over. */
    remove(path);
    memset(&steps, 0, sizeof steps);
    steps.end = 2;
    job = job_of_steps(weights, 4);
    WORKS(impasto_job_set_checkpoints(job, path, 60));
    outcome = run(job, &steps, ended);
    CHECK(outcome.end == IMPASTO_END_CANCELLED && outcome.checkpoint_error == IMPASTO_STATUS_OK);
    CHECK(memcmp(ended, whole, sizeof whole) != 0);

    /* Another job, which changes nothing; and a request that ends the right one before its first step. */
    job = job_of_steps(weights, 5);
    WORKS(impasto_job_resume(job, path));
    RETURNS(ERROR_CHECKPOINT, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    CHECK(picture == NULL && strstr(impasto_last_error(), "steps") != NULL);
    impasto_job_free(job);
    WORKS(impasto_cancel_new(&cancel));
    impasto_cancel_request(cancel);
    job = job_of_steps(weights, 4);
    WORKS(impasto_job_set_cancel(job, cancel));
    WORKS(impasto_job_set_checkpoints(job, path, 0));
    WORKS(impasto_job_resume(job, path));
    memset(&steps, 0, sizeof steps);
    outcome = run(job, &steps, resumed);
    CHECK(outcome.end == IMPASTO_END_CANCELLED && steps.first == 0);
    impasto_cancel_free(cancel);

    /* The same one goes on where it was, on another number of threads, and keeps writing. */
    job = job_of_steps(weights, 4);
    WORKS(impasto_job_set_threads(job, 1));
    WORKS(impasto_job_set_checkpoints(job, path, 0));
    WORKS(impasto_job_resume(job, path));
    memset(&steps, 0, sizeof steps);
    outcome = run(job, &steps, resumed);
    CHECK(outcome.end == IMPASTO_END_DONE && outcome.steps == 4 && steps.first == 3 && steps.strips == 0);
    CHECK(memcmp(resumed, whole, sizeof whole) == 0);

    /* Files that are none, and values. */
    job = job_of_steps(weights, 2);
    WORKS(impasto_picture_write(picture = pattern(0), path_of("picture.png"), 8));
    impasto_picture_free(picture);
    RETURNS(ERROR_CHECKPOINT, impasto_job_resume(job, path_of("picture.png")));
    RETURNS(ERROR_READ, impasto_job_resume(job, path_of("none.checkpoint")));
    RETURNS(ERROR_SETTING, impasto_job_set_checkpoints(job, path, -1));
    RETURNS(ERROR_SETTING, impasto_job_set_checkpoints(job, path, 1e300));
    REFUSED(impasto_job_set_checkpoints(job, NULL, 1));
    REFUSED(impasto_job_set_checkpoints(NULL, path, 1));
    REFUSED(impasto_job_resume(job, NULL));
    REFUSED(impasto_job_resume(NULL, path));

    /* One that cannot be written is told, and does not end the job. */
    WORKS(impasto_job_set_checkpoints(job, path_of("none/there"), 0));
    memset(&steps, 0, sizeof steps);
    CHECK(impasto_job_run(job, count, &steps, &picture, &outcome, sizeof outcome) == IMPASTO_STATUS_OK);
    CHECK(strstr(impasto_last_error(), "none/there") != NULL);
    CHECK(outcome.end == IMPASTO_END_DONE && outcome.error == IMPASTO_STATUS_OK && outcome.steps == 2);
    CHECK(outcome.checkpoint_error == IMPASTO_STATUS_ERROR_WRITE && steps.errors >= 1);
    impasto_picture_free(picture);
    impasto_job_free(job);
}
