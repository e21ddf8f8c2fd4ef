/*
 * Jobs: progress, outcome, estimate, cancelling from another thread.
 */
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include <pthread.h>
#include <string.h>

/* What the callback is given, and what it saw. */
struct seen {
    ImpastoJob *job;
    ImpastoCancel *cancel;
    int calls, last, busy;
    size_t width;
};

static int32_t watch(const ImpastoProgress *progress, void *user) {
    struct seen *seen = (struct seen *)user;
    ImpastoPicture *picture = NULL;
    seen->calls++;
    CHECK(progress->size >= sizeof *progress && progress->steps >= progress->step && progress->scale == 1);
    CHECK(progress->scales == 1 && progress->evaluations > 0 && progress->memory > 1000000);
    CHECK(progress->done > 0 && progress->done <= 1 && progress->seconds > 0 && progress->seconds_left >= 0);
    CHECK(progress->losses->total > 0 && progress->losses->style > 0 && progress->losses->content >= 0);
    WORKS(impasto_current_picture(progress->current, &picture));
    CHECK(impasto_picture_width(picture) == progress->width && impasto_picture_height(picture) == progress->height);
    seen->width = progress->width;
    impasto_picture_free(picture);
    REFUSED(impasto_current_picture(progress->current, NULL));
    /* The job is at work. */
    RETURNS(ERROR_BUSY, impasto_job_set_steps(seen->job, 7));
    RETURNS(ERROR_BUSY, impasto_job_set_threads(seen->job, 1));
    if (seen->cancel != NULL) impasto_cancel_request(seen->cancel);
    return seen->calls == seen->last ? -1 : 0;
}

void jobs_tell_their_progress(const ImpastoWeights *weights) {
    ImpastoJob *job = small_job(weights);
    ImpastoOutcome outcome;
    ImpastoEstimate estimate;
    ImpastoPicture *picture = NULL;
    struct seen seen;
    struct {
        ImpastoOutcome outcome;
        char more[16];
    } larger;
    size_t width = 0, height = 0;
    uint64_t memory = 0;

    memset(&seen, 0, sizeof seen);
    seen.job = job;
    WORKS(impasto_job_run(job, watch, &seen, &picture, &outcome, sizeof outcome));
    CHECK(outcome.end == IMPASTO_END_DONE && outcome.error == IMPASTO_STATUS_OK);
    CHECK(outcome.steps == 2 && outcome.evaluations >= 2 && seen.calls == 2 && seen.width == SIDE);
    impasto_picture_free(picture);

    /* Ended by the callback. */
    WORKS(impasto_job_set_steps(job, 50));
    seen.calls = 0;
    seen.last = 1;
    WORKS(impasto_job_run(job, watch, &seen, &picture, &outcome, sizeof outcome));
    CHECK(outcome.end == IMPASTO_END_CANCELLED && outcome.steps == 1 && seen.calls == 1);
    impasto_picture_free(picture);

    /* By its time. */
    WORKS(impasto_job_set_max_time(job, 0));
    WORKS(impasto_job_run(job, NULL, NULL, &picture, &outcome, sizeof outcome));
    CHECK(outcome.end == IMPASTO_END_TIME_UP && impasto_picture_width(picture) == SIDE);
    impasto_picture_free(picture);
    impasto_job_free(job);

    /* Structs of other versions. */
    job = small_job(weights);
    WORKS(impasto_job_set_steps(job, 1));
    memset(&outcome, 77, sizeof outcome);
    WORKS(impasto_job_run(job, NULL, NULL, &picture, &outcome, sizeof outcome.end));
    CHECK(outcome.end == IMPASTO_END_DONE && outcome.steps != 1 && outcome.error != 0);
    impasto_picture_free(picture);
    memset(&larger, 77, sizeof larger);
    WORKS(impasto_job_run(job, NULL, NULL, &picture, &larger.outcome, sizeof larger));
    CHECK(larger.outcome.steps == 1 && larger.more[0] == 0 && larger.more[15] == 0);
    impasto_picture_free(picture);
    WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 99));
    impasto_picture_free(picture);
    REFUSED(impasto_job_run(NULL, NULL, NULL, &picture, NULL, 0));
    REFUSED(impasto_job_run(job, NULL, NULL, NULL, NULL, 0));
    REFUSED(impasto_current_picture(NULL, &picture));

    /* What it will take. */
    WORKS(impasto_job_set_exact_size(job, 40, 32));
    WORKS(impasto_job_result_size(job, &width, &height));
    CHECK(width == 40 && height == 32);
    WORKS(impasto_job_memory(job, &memory));
    CHECK(memory > 1000000 && memory < 1000000000);
    WORKS(impasto_job_estimate(job, &estimate, sizeof estimate));
    CHECK(estimate.seconds > 0 && estimate.memory == memory && estimate.scales == 1);
    CHECK(estimate.width == 40 && estimate.height == 32);
    WORKS(impasto_job_set_size(job, SIZE_MAX));
    RETURNS(ERROR_SETTING, impasto_job_memory(job, &memory));
    RETURNS(ERROR_SETTING, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_exact_size(job, SIZE_MAX, 2));
    RETURNS(ERROR_SETTING, impasto_job_estimate(job, &estimate, sizeof estimate));
    WORKS(impasto_job_set_exact_size(job, 1000000, 1000000));
    RETURNS(ERROR_OUT_OF_MEMORY, impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
    WORKS(impasto_job_set_exact_size(job, 0, 2));
    RETURNS(ERROR_SETTING, impasto_job_result_size(job, &width, &height));
    REFUSED(impasto_job_result_size(job, NULL, &height));
    REFUSED(impasto_job_result_size(job, &width, NULL));
    REFUSED(impasto_job_result_size(NULL, &width, &height));
    REFUSED(impasto_job_memory(job, NULL));
    REFUSED(impasto_job_memory(NULL, &memory));
    REFUSED(impasto_job_estimate(job, NULL, sizeof estimate));
    REFUSED(impasto_job_estimate(NULL, &estimate, sizeof estimate));
    impasto_job_free(job);
}

static void *request(void *cancel) {
    /* This thread has had no error. */
    CHECK(*impasto_last_error() == '\0');
    impasto_cancel_request((ImpastoCancel *)cancel);
    return NULL;
}

/* The first step starts a thread that ends the job, and waits for it. */
static int32_t cancel_elsewhere(const ImpastoProgress *progress, void *cancel) {
    pthread_t thread;
    (void)progress;
    REFUSED(impasto_job_set_steps(NULL, 1));
    CHECK(pthread_create(&thread, NULL, request, cancel) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

void jobs_are_cancelled(const ImpastoWeights *weights) {
    ImpastoJob *job = small_job(weights);
    ImpastoCancel *cancel = NULL;
    ImpastoOutcome outcome;
    ImpastoEstimate estimate;
    ImpastoPicture *picture = NULL;

    WORKS(impasto_cancel_new(&cancel));
    CHECK(impasto_cancel_is_requested(cancel) == 0);
    WORKS(impasto_job_set_steps(job, 100000));
    WORKS(impasto_job_set_cancel(job, cancel));
    WORKS(impasto_job_run(job, cancel_elsewhere, cancel, &picture, &outcome, sizeof outcome));
    CHECK(outcome.end == IMPASTO_END_CANCELLED && outcome.steps < 100000);
    CHECK(impasto_cancel_is_requested(cancel) == 1);
    impasto_picture_free(picture);
    RETURNS(ERROR_CANCELLED, impasto_job_estimate(job, &estimate, sizeof estimate));
    impasto_job_free(job);
    impasto_cancel_free(cancel);
    REFUSED(impasto_cancel_new(NULL));
    impasto_cancel_request(NULL);
    CHECK(impasto_cancel_is_requested(NULL) == 0);
    impasto_cancel_free(NULL);
}

void threads_change_nothing(const ImpastoWeights *weights) {
    static uint8_t made[2][PIXELS * 3];
    ImpastoJob *job = small_job(weights);
    ImpastoPicture *picture = NULL;
    int threads;
    for (threads = 1; threads <= 2; threads++) {
        WORKS(impasto_job_set_threads(job, (size_t)threads));
        WORKS(impasto_job_run(job, NULL, NULL, &picture, NULL, 0));
        WORKS(impasto_picture_to_buffer(picture, made[threads - 1], PIXELS * 3, 3, IMPASTO_SAMPLE_U8, 0));
        impasto_picture_free(picture);
    }
    CHECK(memcmp(made[0], made[1], sizeof made[0]) == 0);
    impasto_job_free(job);
}
