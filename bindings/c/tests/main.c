/*
 * Calls every function of impasto.h: with what it is for, with NULL, and with values that it must refuse.
 *
 * usage: test WEIGHTS.safetensors FOLDER
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

static void versions(void) {
    CHECK(strchr(impasto_version(), '.') != NULL);
    CHECK(impasto_abi_version() == IMPASTO_ABI_VERSION);
}

static void weights_are_opened(const char *path) {
    ImpastoWeights *weights = (ImpastoWeights *)"not yet";
    uint8_t *bytes;
    long length;
    FILE *file;

    WORKS(impasto_weights_embedded(&weights));
    impasto_weights_free(weights);
    WORKS(impasto_weights_open(path, &weights));
    impasto_weights_free(weights);
    WORKS(impasto_weights_read(path, &weights));
    impasto_weights_free(weights);

    file = fopen(path, "rb");
    CHECK(file != NULL);
    if (file == NULL) return;
    fseek(file, 0, SEEK_END);
    length = ftell(file);
    rewind(file);
    bytes = (uint8_t *)malloc((size_t)length);
    CHECK(fread(bytes, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    WORKS(impasto_weights_from_memory(bytes, (size_t)length, &weights));
    impasto_weights_free(weights);
    RETURNS(ERROR_WEIGHTS, impasto_weights_from_memory(bytes, (size_t)length / 2, &weights));
    CHECK(weights == NULL);
    free(bytes);

    RETURNS(ERROR_READ, impasto_weights_open(path_of("none.safetensors"), &weights));
    RETURNS(ERROR_READ, impasto_weights_read(path_of("none.safetensors"), &weights));
    RETURNS(ERROR_READ, impasto_weights_open("\xff\xfe", &weights));
    CHECK(weights == NULL);
    RETURNS(ERROR_WEIGHTS, impasto_weights_from_memory(NULL, 0, &weights));
    REFUSED(impasto_weights_from_memory(NULL, 9, &weights));
    RETURNS(ERROR_SHAPE, impasto_weights_from_memory((const uint8_t *)"", SIZE_MAX, &weights));
    REFUSED(impasto_weights_embedded(NULL));
    REFUSED(impasto_weights_open(NULL, &weights));
    REFUSED(impasto_weights_open(path, NULL));
    REFUSED(impasto_weights_read(NULL, &weights));
    REFUSED(impasto_weights_read(path, NULL));
    REFUSED(impasto_weights_from_memory(NULL, 0, NULL));
    impasto_weights_free(NULL);
}

int main(int count, char **arguments) {
    ImpastoWeights *weights = NULL;
    if (count != 3) {
        fprintf(stderr, "usage: test WEIGHTS.safetensors FOLDER\n");
        return 2;
    }
    folder = arguments[2];
    versions();
    weights_are_opened(arguments[1]);
    buffers_go_both_ways();
    files_go_both_ways();
    styles_are_blended();
    WORKS(impasto_weights_embedded(&weights));
    settings_are_taken_and_refused(weights);
    jobs_tell_their_progress(weights);
    jobs_are_cancelled(weights);
    threads_change_nothing(weights);
    jobs_go_on_from_checkpoints(weights);
    gradients_are_those_of_the_loss(weights, 0);
    gradients_are_those_of_the_loss(weights, 1);
    impasto_weights_free(weights);
    if (failures > 0) {
        fprintf(stderr, "%d checks failed\n", failures);
        return 1;
    }
    puts("all checks hold");
    return 0;
}
