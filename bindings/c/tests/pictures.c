/*
 * Pictures from and to buffers, bytes and files.
 */
#include "test.h"

#include <math.h>
#include <string.h>

void buffers_go_both_ways(void) {
    /* Two rows of two pixels, eight bytes apart. */
    static const uint8_t pixels[14] = {10, 20, 30, 40, 50, 60, 99, 99, 70, 80, 90, 100, 110, 120};
    uint8_t back[20];
    uint16_t levels[2 * 2 * 4];
    float values[2 * 2 * 4], planes[12];
    ImpastoPicture *picture = NULL, *other = NULL;
    int at;

    WORKS(impasto_picture_from_buffer(pixels, sizeof pixels, 2, 2, 3, IMPASTO_SAMPLE_U8, 8, &picture));
    CHECK(impasto_picture_width(picture) == 2 && impasto_picture_height(picture) == 2);
    CHECK(impasto_picture_has_alpha(picture) == 0);
    memset(back, 7, sizeof back);
    WORKS(impasto_picture_to_buffer(picture, back, 14, 3, IMPASTO_SAMPLE_U8, 8));
    CHECK(memcmp(back, pixels, 6) == 0 && memcmp(back + 8, pixels + 8, 6) == 0);
    CHECK(back[6] == 7 && back[7] == 7 && back[14] == 7);
    WORKS(impasto_picture_to_buffer(picture, back, 16, 4, IMPASTO_SAMPLE_U8, 0));
    CHECK(back[3] == 255 && back[4] == 40 && back[15] == 255);
    /* At any alignment. */
    WORKS(impasto_picture_to_buffer(picture, (uint8_t *)values + 1, 48, 3, IMPASTO_SAMPLE_F32, 0));
    WORKS(impasto_picture_from_buffer((uint8_t *)values + 1, 48, 2, 2, 3, IMPASTO_SAMPLE_F32, 0, &other));
    impasto_picture_free(other);

    WORKS(impasto_picture_to_buffer(picture, levels, sizeof levels, 4, IMPASTO_SAMPLE_U16, 0));
    CHECK(levels[0] == 10 * 257 && levels[3] == 65535);
    levels[3] = 0;
    WORKS(impasto_picture_from_buffer(levels, sizeof levels, 2, 2, 4, IMPASTO_SAMPLE_U16, 16, &other));
    CHECK(impasto_picture_has_alpha(other) == 1);
    WORKS(impasto_picture_to_buffer(other, values, sizeof values, 4, IMPASTO_SAMPLE_F32, 0));
    CHECK(fabs(values[0] - 10 / 255.0) < 1e-6 && values[3] == 0 && values[7] == 1);
    impasto_picture_free(other);

    WORKS(impasto_picture_to_planes(picture, planes, 12));
    CHECK(fabs(planes[1] - 40 / 255.0) < 1e-6 && fabs(planes[4] - 20 / 255.0) < 1e-6);
    WORKS(impasto_picture_from_planes(planes, 12, 2, 2, &other));
    WORKS(impasto_picture_to_buffer(other, back, 12, 3, IMPASTO_SAMPLE_U8, 6));
    CHECK(memcmp(back, pixels, 6) == 0);
    impasto_picture_free(other);
    WORKS(impasto_picture_resize(picture, 5, 3, &other));
    CHECK(impasto_picture_width(other) == 5 && impasto_picture_height(other) == 3);
    impasto_picture_free(other);

    /* Strides, lengths and sizes. */
    other = picture;
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, 2, 2, 3, IMPASTO_SAMPLE_U8, 5, &other));
    CHECK(other == NULL);
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 13, 2, 2, 3, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, 0, 2, 3, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, 2, 0, 3, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, SIZE_MAX, 1, 3, IMPASTO_SAMPLE_U8, 0, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, 1, SIZE_MAX, 3, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, 14, SIZE_MAX / 4 + 2, 1, 4, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(pixels, SIZE_MAX, 2, 2, 3, IMPASTO_SAMPLE_U8, 8, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_to_buffer(picture, back, 20, 3, IMPASTO_SAMPLE_U8, 5));
    RETURNS(ERROR_SHAPE, impasto_picture_to_buffer(picture, back, 11, 3, IMPASTO_SAMPLE_U8, 0));
    RETURNS(ERROR_SHAPE, impasto_picture_to_buffer(picture, back, 20, 3, IMPASTO_SAMPLE_U8, SIZE_MAX));
    RETURNS(ERROR_SHAPE, impasto_picture_from_planes(planes, 11, 2, 2, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_planes(planes, 0, 0, 2, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_planes(planes, 12, SIZE_MAX / 2, 4, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_to_planes(picture, planes, 13));
    RETURNS(ERROR_SHAPE, impasto_picture_resize(picture, 0, 3, &other));
    RETURNS(ERROR_OUT_OF_MEMORY, impasto_picture_resize(picture, SIZE_MAX, SIZE_MAX, &other));
    for (at = 0; at < 12; at++) values[at] = 0.5f;
    values[5] = (float)NAN;
    RETURNS(ERROR_SHAPE, impasto_picture_from_buffer(values, 48, 2, 2, 3, IMPASTO_SAMPLE_F32, 0, &other));
    RETURNS(ERROR_SHAPE, impasto_picture_from_planes(values, 12, 2, 2, &other));

    /* Numbers that are none of the enum's, and NULL. */
    REFUSED(impasto_picture_from_buffer(pixels, 14, 2, 2, 5, IMPASTO_SAMPLE_U8, 0, &other));
    REFUSED(impasto_picture_from_buffer(pixels, 14, 2, 2, -1, IMPASTO_SAMPLE_U8, 0, &other));
    REFUSED(impasto_picture_from_buffer(pixels, 14, 2, 2, 3, 3, 0, &other));
    REFUSED(impasto_picture_from_buffer(pixels, 14, 2, 2, 3, INT32_MIN, 0, &other));
    REFUSED(impasto_picture_from_buffer(NULL, 14, 2, 2, 3, IMPASTO_SAMPLE_U8, 0, &other));
    REFUSED(impasto_picture_from_buffer(pixels, 14, 2, 2, 3, IMPASTO_SAMPLE_U8, 0, NULL));
    REFUSED(impasto_picture_to_buffer(picture, back, 20, 1, IMPASTO_SAMPLE_U8, 0));
    REFUSED(impasto_picture_to_buffer(picture, back, 20, 3, 77, 0));
    REFUSED(impasto_picture_to_buffer(picture, NULL, 20, 3, IMPASTO_SAMPLE_U8, 0));
    REFUSED(impasto_picture_to_buffer(NULL, back, 20, 3, IMPASTO_SAMPLE_U8, 0));
    REFUSED(impasto_picture_from_planes(NULL, 12, 2, 2, &other));
    REFUSED(impasto_picture_from_planes((const float *)(const void *)((const char *)planes + 1), 12, 2, 2, &other));
    REFUSED(impasto_picture_from_planes(planes, 12, 2, 2, NULL));
    REFUSED(impasto_picture_to_planes(NULL, planes, 12));
    REFUSED(impasto_picture_to_planes(picture, NULL, 12));
    REFUSED(impasto_picture_resize(NULL, 2, 2, &other));
    REFUSED(impasto_picture_resize(picture, 2, 2, NULL));
    CHECK(impasto_picture_width(NULL) == 0 && impasto_picture_height(NULL) == 0);
    CHECK(impasto_picture_has_alpha(NULL) == 0);
    impasto_picture_free(picture);
    impasto_picture_free(NULL);
}

void files_go_both_ways(void) {
    static const int32_t formats[4] = {IMPASTO_FORMAT_PNG, IMPASTO_FORMAT_JPEG, IMPASTO_FORMAT_WEBP,
                                       IMPASTO_FORMAT_TIFF};
    static uint8_t before[PIXELS * 3], after[PIXELS * 3];
    ImpastoPicture *picture = pattern(1), *other = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    FILE *file;
    int at;

    WORKS(impasto_picture_to_buffer(picture, before, sizeof before, 3, IMPASTO_SAMPLE_U8, 0));
    for (at = 0; at < 4; at++) {
        WORKS(impasto_picture_encode(picture, formats[at], 8, &bytes, &length));
        CHECK(bytes != NULL && length > 100);
        WORKS(impasto_picture_decode(bytes, length, 0, 0, &other));
        WORKS(impasto_picture_to_buffer(other, after, sizeof after, 3, IMPASTO_SAMPLE_U8, 0));
        CHECK(formats[at] == IMPASTO_FORMAT_JPEG || memcmp(before, after, sizeof before) == 0);
        impasto_picture_free(other);
        RETURNS(ERROR_DECODE, impasto_picture_decode(bytes, length / 3, 0, 0, &other));
        CHECK(other == NULL);
        impasto_bytes_free(bytes, length);
    }
    WORKS(impasto_picture_encode(picture, IMPASTO_FORMAT_PNG, 16, &bytes, &length));
    RETURNS(ERROR_OUT_OF_MEMORY, impasto_picture_decode(bytes, length, 0, 1000, &other));
    WORKS(impasto_picture_decode(bytes, length, 4, 0, &other));
    CHECK(impasto_picture_width(other) == 8);
    impasto_picture_free(other);
    impasto_bytes_free(bytes, length);
    RETURNS(ERROR_DEPTH, impasto_picture_encode(picture, IMPASTO_FORMAT_JPEG, 16, &bytes, &length));
    CHECK(bytes == NULL && length == 0);
    RETURNS(ERROR_DECODE, impasto_picture_decode(NULL, 0, 0, 0, &other));
    REFUSED(impasto_picture_encode(picture, 4, 8, &bytes, &length));
    REFUSED(impasto_picture_encode(picture, IMPASTO_FORMAT_PNG, 12, &bytes, &length));
    REFUSED(impasto_picture_encode(NULL, IMPASTO_FORMAT_PNG, 8, &bytes, &length));
    REFUSED(impasto_picture_encode(picture, IMPASTO_FORMAT_PNG, 8, NULL, &length));
    REFUSED(impasto_picture_encode(picture, IMPASTO_FORMAT_PNG, 8, &bytes, NULL));
    REFUSED(impasto_picture_decode(NULL, 5, 0, 0, &other));
    REFUSED(impasto_picture_decode((const uint8_t *)"", 0, 0, 0, NULL));
    impasto_bytes_free(NULL, 0);
    impasto_bytes_free(NULL, 7);

    WORKS(impasto_picture_write(picture, path_of("a.png"), 16));
    WORKS(impasto_picture_open(path_of("a.png"), 0, 0, &other));
    WORKS(impasto_picture_to_buffer(other, after, sizeof after, 3, IMPASTO_SAMPLE_U8, 0));
    CHECK(memcmp(before, after, sizeof before) == 0);
    impasto_picture_free(other);
    RETURNS(ERROR_OUT_OF_MEMORY, impasto_picture_open(path_of("a.png"), 0, 1000, &other));
    RETURNS(ERROR_READ, impasto_picture_open(path_of("none.png"), 0, 0, &other));
    RETURNS(ERROR_READ, impasto_picture_open("\xff\xfe\x80", 0, 0, &other));
    RETURNS(ERROR_DEPTH, impasto_picture_write(picture, path_of("a.jpg"), 16));
    RETURNS(ERROR_UNKNOWN_FORMAT, impasto_picture_write(picture, path_of("a.xyz"), 8));
    RETURNS(ERROR_UNKNOWN_FORMAT, impasto_picture_write(picture, "-", 8));
    RETURNS(ERROR_WRITE, impasto_picture_write(picture, path_of("no folder/a.png"), 8));
    /* A name that is not UTF-8 is a name on Unix. */
    WORKS(impasto_picture_write(picture, path_of("\xff\xfe.png"), 8));
    file = fopen(path_of("\xff\xfe.png"), "rb");
    CHECK(file != NULL);
    if (file != NULL) fclose(file);
    file = fopen(path_of("text.png"), "wb");
    CHECK(file != NULL);
    if (file != NULL) {
        fputs("no picture", file);
        fclose(file);
    }
    RETURNS(ERROR_DECODE, impasto_picture_open(path_of("text.png"), 0, 0, &other));
    CHECK(strstr(impasto_last_error(), "text.png") != NULL);
    REFUSED(impasto_picture_write(picture, path_of("a.png"), 9));
    REFUSED(impasto_picture_write(picture, NULL, 8));
    REFUSED(impasto_picture_write(NULL, path_of("a.png"), 8));
    REFUSED(impasto_picture_open(NULL, 0, 0, &other));
    REFUSED(impasto_picture_open(path_of("a.png"), 0, 0, NULL));
    impasto_picture_free(picture);
}
