/*
 * impasto within another program: pixels that are already in memory, rows with a stride, a time limit, Ctrl-C that ends the
 * work with the best picture so far, and errors that the program goes on after.
 *
 *     cc embed.c -o embed $(pkg-config --cflags --libs impasto)
 *     ./embed painting.jpg out.png
 */
#include <impasto.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* A canvas as a graphics library has it: RGBA, 8 bits, each row at a multiple of 64 bytes. */
struct canvas {
    size_t width, height, stride, length;
    uint8_t *pixels;
};

static ImpastoCancel *cancel = NULL;

static void interrupted(int number) {
    (void)number;
    impasto_cancel_request(cancel); /* It may be called here. */
}

static int draw(struct canvas *canvas, size_t width, size_t height) {
    size_t x, y;
    canvas->width = width;
    canvas->height = height;
    canvas->stride = (4 * width + 63) / 64 * 64;
    canvas->length = canvas->stride * height;
    canvas->pixels = (uint8_t *)calloc(1, canvas->length);
    if (canvas->pixels == NULL) return -1;
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            uint8_t *pixel = canvas->pixels + y * canvas->stride + 4 * x;
            int is_hill = 3 * y > height + (x * x) / width;
            pixel[0] = (uint8_t)(is_hill ? 90 : 120 + 100 * y / height);
            pixel[1] = (uint8_t)(is_hill ? 60 + 80 * x / width : 160);
            pixel[2] = (uint8_t)(is_hill ? 50 : 220 - 60 * y / height);
            pixel[3] = 255;
        }
    }
    return 0;
}

/* Paints the canvas in place. Returns the library's status; the canvas is as it was where that is an error. */
static int32_t paint(const ImpastoWeights *weights, const ImpastoStyle *style, struct canvas *canvas) {
    ImpastoPicture *content = NULL, *made = NULL;
    ImpastoJob *job = NULL;
    int32_t status;

    status = impasto_picture_from_buffer(canvas->pixels, canvas->length, canvas->width, canvas->height, 4,
                                         IMPASTO_SAMPLE_U8, canvas->stride, &content);
    if (!status) status = impasto_job_new(weights, &job);
    if (!status) status = impasto_job_set_content(job, content);
    if (!status) status = impasto_job_set_style(job, style);
    if (!status) status = impasto_job_set_size(job, 0); /* the canvas's own */
    if (!status) status = impasto_job_set_steps(job, 10);
    if (!status) status = impasto_job_set_threads(job, 2);
    if (!status) status = impasto_job_set_max_time(job, 60);
    if (!status) status = impasto_job_set_memory_limit(job, 500000000);
    if (!status) status = impasto_job_set_cancel(job, cancel);
    if (!status) status = impasto_job_run(job, NULL, NULL, &made, NULL, 0);
    if (!status) {
        status = impasto_picture_to_buffer(made, canvas->pixels, canvas->length, 4, IMPASTO_SAMPLE_U8,
                                           canvas->stride);
    }
    /* What was not made is NULL, which is nothing to free. */
    impasto_picture_free(made);
    impasto_job_free(job);
    impasto_picture_free(content);
    return status;
}

static int32_t save(const struct canvas *canvas, const char *path) {
    ImpastoPicture *picture = NULL;
    int32_t status = impasto_picture_from_buffer(canvas->pixels, canvas->length, canvas->width, canvas->height, 4,
                                                 IMPASTO_SAMPLE_U8, canvas->stride, &picture);
    if (!status) status = impasto_picture_write(picture, path, 8);
    impasto_picture_free(picture);
    return status;
}

int main(int count, char **arguments) {
    struct canvas canvas = {0, 0, 0, 0, NULL};
    ImpastoWeights *weights = NULL;
    ImpastoPicture *painting = NULL;
    ImpastoStyle *style = NULL;
    const ImpastoPicture *paintings[1];
    int32_t status;

    if (count != 3) {
        fprintf(stderr, "usage: embed PAINTING OUT\n");
        return 2;
    }
    if (impasto_abi_version() != IMPASTO_ABI_VERSION) {
        fprintf(stderr, "compiled for another version of impasto than %s\n", impasto_version());
        return 1;
    }
    if (draw(&canvas, 150, 100) != 0) return 1;

    /* Read no larger than it is used. */
    status = impasto_picture_open(arguments[1], 150, 0, &painting);
    paintings[0] = painting;
    if (!status) status = impasto_style_new(paintings, NULL, 1, &style);
    if (!status) status = impasto_weights_embedded(&weights);
    if (!status) status = impasto_cancel_new(&cancel);
    if (!status) {
        signal(SIGINT, interrupted);
        status = paint(weights, style, &canvas);
    }
    if (status == IMPASTO_STATUS_ERROR_OUT_OF_MEMORY) {
        fprintf(stderr, "not painted, as there is too little memory: %s\n", impasto_last_error());
        status = IMPASTO_STATUS_OK;
    }
    if (!status) status = save(&canvas, arguments[2]);
    if (status) fprintf(stderr, "%s\n", impasto_last_error());

    signal(SIGINT, SIG_DFL);
    impasto_cancel_free(cancel);
    impasto_weights_free(weights);
    impasto_style_free(style);
    impasto_picture_free(painting);
    free(canvas.pixels);
    return status ? 1 : 0;
}
