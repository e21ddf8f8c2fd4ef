/*
 * The checks of the interface's tests, and what they share.
 */
#ifndef TEST_H
#define TEST_H

#include <impasto.h>

#include <stdio.h>

#define SIDE 48
#define PIXELS (SIDE * SIDE)

/* How many checks failed. */
extern int failures;

/* Where files are written. */
extern const char *folder;

#define CHECK(condition)                                                                                  \
    do {                                                                                                  \
        if (!(condition)) {                                                                               \
            fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #condition,       \
                    impasto_last_error());                                                                \
            failures++;                                                                                   \
        }                                                                                                 \
    } while (0)

/* The call returns this status, and the last error is a text just where it is an error. */
#define RETURNS(status, call)                                                                             \
    do {                                                                                                  \
        int32_t found = (call);                                                                           \
        if (found != IMPASTO_STATUS_##status || (found == 0) != (*impasto_last_error() == '\0')) {        \
            fprintf(stderr, "%s:%d: %s returned %d: %s\n", __FILE__, __LINE__, #call, (int)found,         \
                    impasto_last_error());                                                                \
            failures++;                                                                                   \
        }                                                                                                 \
    } while (0)

#define WORKS(call) RETURNS(OK, call)
#define REFUSED(call) RETURNS(ERROR_ARGUMENT, call)

/* A path in the folder, until the next call. */
const char *path_of(const char *name);

/* A picture of SIDE by SIDE pixels with some structure: 0 or 1. */
ImpastoPicture *pattern(int kind);

/* A picture of one grey. */
ImpastoPicture *plain(uint8_t grey);

/* A job of two small pictures that takes two steps. */
ImpastoJob *small_job(const ImpastoWeights *weights);

/* pictures.c */
void buffers_go_both_ways(void);
void files_go_both_ways(void);

/* settings.c */
void styles_are_blended(void);
void settings_are_taken_and_refused(const ImpastoWeights *weights);

/* jobs.c */
void jobs_tell_their_progress(const ImpastoWeights *weights);
void jobs_are_cancelled(const ImpastoWeights *weights);
void threads_change_nothing(const ImpastoWeights *weights);

/* checkpoints.c */
void jobs_go_on_from_checkpoints(const ImpastoWeights *weights);

/* objective.c */
void gradients_are_those_of_the_loss(const ImpastoWeights *weights, int own_threads);

#endif
