/*
 * impasto: neural style transfer on the CPU.
 *
 *     cc program.c $(pkg-config --cflags --libs impasto)
 *
 * Results. A function that can fail returns an ImpastoStatus: IMPASTO_STATUS_OK, 0, or what went wrong, as the constants
 * of that enum; any of them can return IMPASTO_STATUS_ERROR_ARGUMENT and IMPASTO_STATUS_ERROR_PANIC beside those that
 * its description names. impasto_last_error() is the text, of the thread that called. Nothing unwinds into the program, and
 * no argument is looked at before it is known not to be NULL. As in every Rust program, an allocation that the system refuses
 * ends the process; a job is refused before that where it would take more than its memory limit.
 *
 * Ownership. Handles (ImpastoWeights, ImpastoPicture, ImpastoStyle, ImpastoJob, ImpastoCancel, ImpastoObjective) are given
 * through the last argument of the functions that make them, which becomes NULL where they fail, and freed by
 * impasto_..._free(), once; NULL is nothing. A function keeps copies of what it needs: whatever it was given may be freed or
 * changed when it returns.
 *
 * Texts end with a zero byte. Buffers are given with their length, and must have it. Numbers of enums are int32_t: one that is
 * not among the constants is an error.
 *
 * Threads. Functions of different handles may run at the same time on any threads, and so may functions that take the same
 * handle as a pointer to const. A function that takes a handle that is not const changes it, and needs it for itself: for a job
 * or an objective that is at work it returns IMPASTO_STATUS_ERROR_BUSY. A handle is not to be freed while it is used.
 *
 * The binary interface. Within one number of IMPASTO_ABI_VERSION, which is that of the shared library's soname, functions
 * are only added: none is removed or changed, numbers of enums keep their meaning, and structs are passed by address
 * and get new fields only at their end, which is why their size is passed along.
 */


#ifndef IMPASTO_H
#define IMPASTO_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this interface that the header describes; impasto_abi_version() is that of the library in use.
 */
#define IMPASTO_ABI_VERSION 1

/**
 * What functions return. The numbers never change; new ones may be added.
 */
typedef enum {
    /**
     * It worked.
     */
    IMPASTO_STATUS_OK = 0,
    /**
     * An argument is NULL where it must not be, is not one of the enum's numbers, or is not text in UTF-8.
     */
    IMPASTO_STATUS_ERROR_ARGUMENT = 1,
    /**
     * A setting of the job or the style has an invalid value, or does not go with the others.
     */
    IMPASTO_STATUS_ERROR_SETTING = 2,
    /**
     * A buffer does not have the size, the stride or the values expected.
     */
    IMPASTO_STATUS_ERROR_SHAPE = 3,
    /**
     * A file could not be read.
     */
    IMPASTO_STATUS_ERROR_READ = 4,
    /**
     * A file could not be written. What was there before is unchanged.
     */
    IMPASTO_STATUS_ERROR_WRITE = 5,
    /**
     * The data is damaged, or not a picture of a supported format.
     */
    IMPASTO_STATUS_ERROR_DECODE = 6,
    /**
     * A picture could not be encoded.
     */
    IMPASTO_STATUS_ERROR_ENCODE = 7,
    /**
     * The name of an output file does not end in a supported format's extension.
     */
    IMPASTO_STATUS_ERROR_UNKNOWN_FORMAT = 8,
    /**
     * A side of a picture is longer than the file format allows.
     */
    IMPASTO_STATUS_ERROR_TOO_LARGE = 9,
    /**
     * The file format has no samples of this depth.
     */
    IMPASTO_STATUS_ERROR_DEPTH = 10,
    /**
     * A picture is too small for a layer of the network.
     */
    IMPASTO_STATUS_ERROR_TOO_SMALL = 11,
    /**
     * The work would need more memory than its limit, or than is available.
     */
    IMPASTO_STATUS_ERROR_OUT_OF_MEMORY = 12,
    /**
     * The weights are damaged, incomplete, or not of a VGG.
     */
    IMPASTO_STATUS_ERROR_WEIGHTS = 13,
    /**
     * The weights file changed after it was opened.
     */
    IMPASTO_STATUS_ERROR_WEIGHTS_CHANGED = 14,
    /**
     * The network has no layer of this name.
     */
    IMPASTO_STATUS_ERROR_UNKNOWN_LAYER = 15,
    /**
     * The work was cancelled before there was a result.
     */
    IMPASTO_STATUS_ERROR_CANCELLED = 16,
    /**
     * The loss or its gradient was not finite.
     */
    IMPASTO_STATUS_ERROR_NOT_FINITE = 17,
    /**
     * The handle is at work in another call.
     */
    IMPASTO_STATUS_ERROR_BUSY = 18,
    /**
     * A fault in impasto: a panic was caught. The handles of the call should be freed.
     */
    IMPASTO_STATUS_ERROR_PANIC = 19,
    /**
     * An error of another kind. The text says which.
     */
    IMPASTO_STATUS_ERROR_OTHER = 20,
    /**
     * A file is not a whole checkpoint, or not one of this job.
     */
    IMPASTO_STATUS_ERROR_CHECKPOINT = 21,
} ImpastoStatus;

/**
 * How the style term compares a layer's features with the style's.
 */
typedef enum {
    /**
     * By the Gram matrices of Gatys, Ecker and Bethge 2015.
     */
    IMPASTO_STATISTIC_GRAM = 0,
    /**
     * By the Wasserstein distance of means and covariances: the default.
     */
    IMPASTO_STATISTIC_WASSERSTEIN = 1,
} ImpastoStatistic;

/**
 * How the content and style errors are normalised.
 */
typedef enum {
    /**
     * Each over its target's energy, so that the same weights give a similar result at any size: the default.
     */
    IMPASTO_FORM_RELATIVE = 0,
    /**
     * As in Gatys, Ecker and Bethge 2015.
     */
    IMPASTO_FORM_GATYS = 1,
} ImpastoForm;

/**
 * Whose colours the result has.
 */
typedef enum {
    /**
     * The style's: the default.
     */
    IMPASTO_COLORS_STYLE = 0,
    /**
     * The content's: the luma of the result with the chroma of the content.
     */
    IMPASTO_COLORS_CONTENT = 1,
    /**
     * The style's, moved to the content's before the work.
     */
    IMPASTO_COLORS_MATCH = 2,
} ImpastoColors;

/**
 * The network's pooling.
 */
typedef enum {
    /**
     * The maximum: the default.
     */
    IMPASTO_POOLING_MAX = 0,
    /**
     * The mean, for softer strokes.
     */
    IMPASTO_POOLING_AVERAGE = 1,
} ImpastoPooling;

/**
 * What lies beyond the edges of the picture and its feature maps.
 */
typedef enum {
    /**
     * Zeros, as VGG was trained.
     */
    IMPASTO_EDGES_ZERO = 0,
    /**
     * The picture's edge pixels: the default.
     */
    IMPASTO_EDGES_REPLICATE = 1,
    /**
     * The opposite edge, so that the result can be tiled.
     */
    IMPASTO_EDGES_WRAP = 2,
} ImpastoEdges;

/**
 * The optimiser.
 */
typedef enum {
    /**
     * L-BFGS: the default.
     */
    IMPASTO_OPTIMIZER_LBFGS = 0,
    /**
     * Adam.
     */
    IMPASTO_OPTIMIZER_ADAM = 1,
} ImpastoOptimizer;

/**
 * The picture that the work starts from.
 */
typedef enum {
    /**
     * The content, or noise where there is none: the default.
     */
    IMPASTO_INIT_CONTENT = 0,
    /**
     * Uniform noise from the seed.
     */
    IMPASTO_INIT_NOISE = 1,
} ImpastoInit;

/**
 * The samples of a buffer.
 */
typedef enum {
    /**
     * uint8_t, 0 to 255.
     */
    IMPASTO_SAMPLE_U8 = 0,
    /**
     * uint16_t in the machine's byte order, 0 to 65535.
     */
    IMPASTO_SAMPLE_U16 = 1,
    /**
     * float, 0 to 1. Values outside are clamped; one that is not finite is an error.
     */
    IMPASTO_SAMPLE_F32 = 2,
} ImpastoSample;

/**
 * A file format that pictures are written in.
 */
typedef enum {
    /**
     * PNG: lossless, with alpha.
     */
    IMPASTO_FORMAT_PNG = 0,
    /**
     * JPEG: quality 95, over white where there is alpha.
     */
    IMPASTO_FORMAT_JPEG = 1,
    /**
     * WebP: lossless, with alpha.
     */
    IMPASTO_FORMAT_WEBP = 2,
    /**
     * TIFF: uncompressed, with alpha.
     */
    IMPASTO_FORMAT_TIFF = 3,
} ImpastoFormat;

/**
 * How a job ended.
 */
typedef enum {
    /**
     * All its steps were made, or it converged.
     */
    IMPASTO_END_DONE = 0,
    /**
     * The callback ended it, or it was cancelled. The picture is the best so far.
     */
    IMPASTO_END_CANCELLED = 1,
    /**
     * Its time was up. The picture is the best so far.
     */
    IMPASTO_END_TIME_UP = 2,
    /**
     * It failed on its way. The picture is the best until then; the outcome's `error` and impasto_last_error() say why.
     */
    IMPASTO_END_FAILED = 3,
} ImpastoEnd;

/**
 * A request to end jobs, from any thread.
 */
typedef struct ImpastoCancel ImpastoCancel;

/**
 * The picture at work, for as long as the callback runs.
 */
typedef struct ImpastoCurrent ImpastoCurrent;

/**
 * A style transfer job: pictures and settings. Functions that change it return IMPASTO_STATUS_ERROR_BUSY while it is at work.
 */
typedef struct ImpastoJob ImpastoJob;

/**
 * The loss of a job as a function of a picture. It is evaluated by one thread at a time:
 * impasto_objective_evaluate() returns IMPASTO_STATUS_ERROR_BUSY meanwhile.
 */
typedef struct ImpastoObjective ImpastoObjective;

/**
 * A picture: red, green and blue in sRGB, and alpha (not premultiplied) where its source had one. It does not change: any
 * number of threads may use it.
 */
typedef struct ImpastoPicture ImpastoPicture;

/**
 * A style, with what was computed of it for the jobs that had it, which later jobs need not compute again.
 */
typedef struct ImpastoStyle ImpastoStyle;

/**
 * The weights of a network. They do not change: any number of threads may use them, and jobs keep what they need of them.
 */
typedef struct ImpastoWeights ImpastoWeights;

/**
 * What a job is estimated to take.
 */
typedef struct {
    /**
     * Seconds, if every scale takes all its steps.
     */
    double seconds;
    /**
     * Peak memory of the process in bytes.
     */
    uint64_t memory;
    /**
     * The result's width in pixels.
     */
    size_t width;
    /**
     * The result's height in pixels.
     */
    size_t height;
    /**
     * The number of scales.
     */
    size_t scales;
} ImpastoEstimate;

/**
 * The values of the loss and its terms for one picture.
 */
typedef struct {
    /**
     * The weighted total.
     */
    double total;
    /**
     * The content term, without its weight.
     */
    double content;
    /**
     * The style term, without its weight.
     */
    double style;
    /**
     * The total variation, without its weight.
     */
    double tv;
    /**
     * The Laplacian term, without its weight; 0 where it has none.
     */
    double laplacian;
} ImpastoLosses;

/**
 * The state of a job after a step of the optimiser. It and what it points to are valid while the callback runs.
 */
typedef struct {
    /**
     * Bytes of this struct in the library in use. Later versions have more fields, at the end.
     */
    size_t size;
    /**
     * The current scale, counted from 1.
     */
    size_t scale;
    /**
     * The number of scales.
     */
    size_t scales;
    /**
     * The current scale's width in pixels.
     */
    size_t width;
    /**
     * The current scale's height in pixels.
     */
    size_t height;
    /**
     * Steps done, all scales together.
     */
    size_t step;
    /**
     * The most steps, all scales together.
     */
    size_t steps;
    /**
     * Evaluations of the loss, all scales together.
     */
    size_t evaluations;
    /**
     * Seconds since the job began.
     */
    double seconds;
    /**
     * Seconds that it still takes, estimated.
     */
    double seconds_left;
    /**
     * The fraction of the arithmetic that is done, 0 to 1.
     */
    double done;
    /**
     * The estimated peak memory of the process in bytes.
     */
    uint64_t memory;
    /**
     * The losses of the current picture.
     */
    const ImpastoLosses *losses;
    /**
     * The current picture, for impasto_current_picture().
     */
    const ImpastoCurrent *current;
    /**
     * Why a checkpoint could not be written, the first one of those that could not, or NULL. The job goes on without it.
     */
    const char *checkpoint_error;
    /**
     * 1 where the job goes on from a checkpoint and is computed in other strips of rows than before, because its memory limit or
     * the number of threads is another one: then the result may differ in some last bits. 0 elsewhere.
     */
    int32_t in_other_strips;
} ImpastoProgress;

/**
 * A function of the program that impasto_job_run() calls after every step. It may be called on another thread than that of
 * impasto_job_run(), never twice at a time. It must not leave by an exception or longjmp(), nor free or change the job.
 *
 * @param user What the program gave to impasto_job_run().
 * @return 0 to go on; any other number ends the job with the best picture so far.
 */
typedef int32_t (*ImpastoProgressCallback)(const ImpastoProgress *progress, void *user);

/**
 * How a job ended.
 */
typedef struct {
    /**
     * An ImpastoEnd.
     */
    int32_t end;
    /**
     * An ImpastoStatus: why the job failed on its way, where `end` is IMPASTO_END_FAILED, or else IMPASTO_STATUS_OK.
     */
    int32_t error;
    /**
     * Steps of the optimiser.
     */
    size_t steps;
    /**
     * Evaluations of the loss.
     */
    size_t evaluations;
    /**
     * An ImpastoStatus: why a checkpoint could not be written, the first one of those that could not, or else
     * IMPASTO_STATUS_OK. Where the job did not fail, impasto_last_error() has the text.
     */
    int32_t checkpoint_error;
} ImpastoOutcome;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's version, such as "0.1.0". The text is static.
 */
const char *impasto_version(void);

/**
 * The version of the binary interface of the library in use: a program works with it if this equals the
 * IMPASTO_ABI_VERSION that it was compiled with. It is the number in the shared library's soname.
 */
uint32_t impasto_abi_version(void);

/**
 * The text of the last error on this thread: one line in UTF-8. It is empty after a function that returned IMPASTO_STATUS_OK,
 * but for impasto_job_run() with a job that failed on its way or could not write a checkpoint. Never NULL. It is valid until the
 * next function of this library that returns a status is called on this thread.
 */
const char *impasto_last_error(void);

/**
 * The network that is a part of the library, a small VGG-19.
 */
int32_t impasto_weights_embedded(ImpastoWeights **weights);

/**
 * Opens a safetensors file with the weights of a VGG, such as vgg19.safetensors, by mapping it into memory. The file must
 * not be written to or cut short while it is in use; replacing it by a rename is safe.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8.
 * @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_WEIGHTS.
 */
int32_t impasto_weights_open(const char *path,
                             ImpastoWeights **weights);

/**
 * Reads such a file into memory. What happens to the file afterwards doesn't matter.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8.
 * @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_WEIGHTS.
 */
int32_t impasto_weights_read(const char *path, ImpastoWeights **weights);

/**
 * Copies the weights from the bytes of such a file.
 *
 * @param bytes The file's bytes, of which there are `length`. They are not needed afterwards.
 * @return IMPASTO_STATUS_ERROR_WEIGHTS.
 */
int32_t impasto_weights_from_memory(const uint8_t *bytes, size_t length, ImpastoWeights **weights);

/**
 * Frees weights. Jobs that were made with them stay as they are.
 */
void impasto_weights_free(ImpastoWeights *weights);

/**
 * A picture from rows of pixels, from top to bottom, the channels side by side.
 *
 * @param pixels The first row's first sample, at any alignment. The buffer is not needed afterwards.
 * @param length The buffer's size in bytes. The last row may end with its pixels.
 * @param width, height In pixels, at least 1.
 * @param channels 1: grey; 2: grey and alpha; 3: red, green, blue; 4: red, green, blue, alpha, which is not premultiplied.
 * @param sample An ImpastoSample: 8-bit, 16-bit or float.
 * @param stride Bytes from the beginning of a row to that of the next; 0 for rows without gaps.
 * @return IMPASTO_STATUS_ERROR_SHAPE for a stride shorter than a row, a buffer shorter than its rows, a side of 0, or a
 *     float that is not finite.
 */
int32_t impasto_picture_from_buffer(const void *pixels,
                                    size_t length,
                                    size_t width,
                                    size_t height,
                                    int32_t channels,
                                    int32_t sample,
                                    size_t stride,
                                    ImpastoPicture **picture);

/**
 * Writes a picture to rows of pixels, from top to bottom, the channels side by side. Bytes between the rows are not written.
 *
 * @param pixels The first row's first sample, at any alignment.
 * @param length The buffer's size in bytes. The last row may end with its pixels.
 * @param channels 3: red, green, blue, where alpha is left out; 4: red, green, blue, alpha, where an opaque picture's alpha
 *     is full.
 * @param sample An ImpastoSample: 8-bit, 16-bit or float.
 * @param stride Bytes from the beginning of a row to that of the next; 0 for rows without gaps.
 * @return IMPASTO_STATUS_ERROR_SHAPE for a stride shorter than a row, or a buffer shorter than the picture's rows.
 */
int32_t impasto_picture_to_buffer(const ImpastoPicture *picture,
                                  void *pixels,
                                  size_t length,
                                  int32_t channels,
                                  int32_t sample,
                                  size_t stride);

/**
 * A picture from planes of floats, as impasto_objective_evaluate() takes them: all red values, then green, then blue, each
 * row by row from top to bottom. Values outside 0 to 1 are clamped.
 *
 * @param planes 3 * width * height floats.
 * @param count How many floats there are.
 * @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats, or one that is not finite.
 */
int32_t impasto_picture_from_planes(const float *planes,
                                    size_t count,
                                    size_t width,
                                    size_t height,
                                    ImpastoPicture **picture);

/**
 * Writes a picture's planes of floats: all red values, then green, then blue, each row by row from top to bottom, 0 to 1.
 *
 * @param planes 3 * width * height floats.
 * @param count How many floats there are.
 * @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats.
 */
int32_t impasto_picture_to_planes(const ImpastoPicture *picture,
                                  float *planes,
                                  size_t count);

/**
 * Reads a PNG, JPEG, WebP, TIFF or BMP file, whose content tells its format. EXIF orientation is applied, and colours are
 * converted to sRGB.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8.
 * @param longest The longest side in pixels at which it will be used, so that much larger files are read at a reduced size; 0
 *     to read all of it.
 * @param memory_limit The most bytes of memory that decoding may take; 0 for what the machine has available.
 * @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_DECODE, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
 */
int32_t impasto_picture_open(const char *path,
                             size_t longest,
                             uint64_t memory_limit,
                             ImpastoPicture **picture);

/**
 * The picture that the bytes of such a file encode.
 *
 * @param bytes The file's bytes, of which there are `length`. They are not needed afterwards.
 * @param longest, memory_limit As for impasto_picture_open().
 * @return IMPASTO_STATUS_ERROR_DECODE, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
 */
int32_t impasto_picture_decode(const uint8_t *bytes,
                               size_t length,
                               size_t longest,
                               uint64_t memory_limit,
                               ImpastoPicture **picture);

/**
 * The picture at another size.
 *
 * @param width, height In pixels, at least 1.
 * @return IMPASTO_STATUS_ERROR_SHAPE for a side of 0, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
 */
int32_t impasto_picture_resize(const ImpastoPicture *picture,
                               size_t width,
                               size_t height,
                               ImpastoPicture **resized);

/**
 * The width in pixels; 0 where `picture` is NULL.
 */
size_t impasto_picture_width(const ImpastoPicture *picture);

/**
 * The height in pixels; 0 where `picture` is NULL.
 */
size_t impasto_picture_height(const ImpastoPicture *picture);

/**
 * 1 where the picture has alpha, 0 where it is opaque or NULL.
 */
int32_t impasto_picture_has_alpha(const ImpastoPicture *picture);

/**
 * Encodes a picture as the bytes of a file.
 *
 * @param format An ImpastoFormat.
 * @param depth Bits of each sample: 8, or 16 with PNG and TIFF.
 * @param bytes, length The file's bytes, to be freed by impasto_bytes_free(). After an error NULL and 0.
 * @return IMPASTO_STATUS_ERROR_DEPTH, IMPASTO_STATUS_ERROR_TOO_LARGE, IMPASTO_STATUS_ERROR_ENCODE.
 */
int32_t impasto_picture_encode(const ImpastoPicture *picture,
                               int32_t format,
                               int32_t depth,
                               uint8_t **bytes,
                               size_t *length);

/**
 * Writes a picture to a file, whole or not at all: a file that was there is replaced only once the new one is complete.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8. Its extension tells the format: .png, .jpg, .webp or .tiff.
 * @param depth Bits of each sample: 8, or 16 with PNG and TIFF.
 * @return IMPASTO_STATUS_ERROR_WRITE, IMPASTO_STATUS_ERROR_UNKNOWN_FORMAT, IMPASTO_STATUS_ERROR_DEPTH,
 *     IMPASTO_STATUS_ERROR_TOO_LARGE, IMPASTO_STATUS_ERROR_ENCODE.
 */
int32_t impasto_picture_write(const ImpastoPicture *picture,
                              const char *path,
                              int32_t depth);

/**
 * Frees bytes that impasto_picture_encode() gave.
 *
 * @param bytes, length What it gave. NULL is nothing.
 */
void impasto_bytes_free(uint8_t *bytes, size_t length);

/**
 * Frees a picture. Styles and jobs keep copies of their own.
 */
void impasto_picture_free(ImpastoPicture *picture);

/**
 * The style of pictures: of one, or a blend of several.
 *
 * @param pictures `count` pictures, of which the style keeps copies.
 * @param shares `count` shares of the pictures, 0 or above and one above 0, of which only the ratios matter; or NULL for
 *     equal shares.
 * @param count At least 1.
 * @return IMPASTO_STATUS_ERROR_SETTING for invalid shares, or no picture.
 */
int32_t impasto_style_new(const ImpastoPicture *const *pictures,
                          const double *shares,
                          size_t count,
                          ImpastoStyle **style);

/**
 * The size of the strokes: each picture is used this many times as long and wide as the result, by number of pixels. 0.5
 * gives finer strokes, 2 coarser ones; 1 by default. It applies to the jobs that are given the style afterwards.
 *
 * @param scales One scale for all pictures or one for each, 0.01 to 100.
 * @return IMPASTO_STATUS_ERROR_SETTING for another number of scales, or one out of its range.
 */
int32_t impasto_style_set_scales(ImpastoStyle *style,
                                 const double *scales,
                                 size_t count);

/**
 * The size of the strokes: each picture is used with this longest side, in pixels. It applies to the jobs that are given the
 * style afterwards.
 *
 * @param longest One longest side for all pictures or one for each, 1 to 1000000, or 0 for the picture's own size.
 * @return IMPASTO_STATUS_ERROR_SETTING for another number of sides, or one out of its range.
 */
int32_t impasto_style_set_sizes(ImpastoStyle *style,
                                const size_t *longest,
                                size_t count);

/**
 * Frees a style. Jobs that have it stay as they are.
 */
void impasto_style_free(ImpastoStyle *style);

/**
 * A job with the network of these weights, the default settings and no pictures.
 *
 * @param weights Not needed afterwards: the job keeps what it needs of them.
 */
int32_t impasto_job_new(const ImpastoWeights *weights, ImpastoJob **job);

/**
 * Frees a job, which must not be at work. What it made stays.
 */
void impasto_job_free(ImpastoJob *job);

/**
 * Runs the job on this many threads of its own, above 0. By default all jobs share as many threads as the machine has cores. The
 * result does not depend on the number.
 *
 * @return IMPASTO_STATUS_ERROR_SETTING for 0.
 */
int32_t impasto_job_set_threads(ImpastoJob *job,
                                size_t threads);

/**
 * The size of the result.
 *
 * @param width, height In pixels.
 * @return IMPASTO_STATUS_ERROR_SETTING without a picture.
 */
int32_t impasto_job_result_size(const ImpastoJob *job, size_t *width, size_t *height);

/**
 * The memory that the process is estimated to take at its peak, within about 10 %. It takes no time to speak of.
 *
 * @param bytes The bytes.
 * @return What impasto_job_run() returns, but for IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
 */
int32_t impasto_job_memory(const ImpastoJob *job,
                           uint64_t *bytes);

/**
 * Estimates what impasto_job_run() will take, by evaluating the loss of some small pictures: a fraction of a second with the
 * embedded network, more with larger ones.
 *
 * @param estimate The estimate.
 * @param estimate_size sizeof(ImpastoEstimate).
 * @return What impasto_job_run() returns; IMPASTO_STATUS_ERROR_CANCELLED.
 */
int32_t impasto_job_estimate(const ImpastoJob *job,
                             ImpastoEstimate *estimate,
                             size_t estimate_size);

/**
 * Makes the picture. It takes seconds to hours.
 *
 * @param progress A function that is called after every step; or NULL.
 * @param user Passed on to it.
 * @param picture The result: the best picture found.
 * @param outcome How it ended; or NULL.
 * @param outcome_size sizeof(ImpastoOutcome).
 * @return IMPASTO_STATUS_OK where there is a picture, also where the job ended early: `outcome` tells.
 *     IMPASTO_STATUS_ERROR_SETTING for an invalid setting, or without a picture; IMPASTO_STATUS_ERROR_UNKNOWN_LAYER,
 *     IMPASTO_STATUS_ERROR_WEIGHTS, IMPASTO_STATUS_ERROR_WEIGHTS_CHANGED, IMPASTO_STATUS_ERROR_TOO_SMALL,
 *     IMPASTO_STATUS_ERROR_OUT_OF_MEMORY, IMPASTO_STATUS_ERROR_NOT_FINITE; IMPASTO_STATUS_ERROR_READ,
 *     IMPASTO_STATUS_ERROR_CHECKPOINT where it goes on from a checkpoint.
 */
int32_t impasto_job_run(const ImpastoJob *job,
                        ImpastoProgressCallback progress,
                        void *user,
                        ImpastoPicture **picture,
                        ImpastoOutcome *outcome,
                        size_t outcome_size);

/**
 * The loss of the job as a function of a picture of the result's size, for an optimiser of the program's own. Later changes
 * to the job do not change it.
 *
 * @return What impasto_job_run() returns.
 */
int32_t impasto_job_objective(const ImpastoJob *job,
                              ImpastoObjective **objective);

/**
 * The content picture, of which the job keeps a copy. Without one the result is a texture, from the style alone.
 */
int32_t impasto_job_set_content(ImpastoJob *job,
                                const ImpastoPicture *content);

/**
 * The style, as it is now. Without one the result is a reconstruction, from the content alone.
 */
int32_t impasto_job_set_style(ImpastoJob *job, const ImpastoStyle *style);

/**
 * Where the style acts: where this picture is white; elsewhere the content stays, to the bit, with soft edges between. It has the
 * content's aspect, in any resolution. The job keeps a copy.
 */
int32_t impasto_job_set_mask(ImpastoJob *job,
                             const ImpastoPicture *mask);

/**
 * Where each picture of the style goes: where its mask is white. The job keeps copies.
 *
 * @param masks `count` pictures, one for each picture of the style, in their order.
 */
int32_t impasto_job_set_style_masks(ImpastoJob *job,
                                    const ImpastoPicture *const *masks,
                                    size_t count);

/**
 * Which parts of the content take after which parts of the style: where the two maps have the same colour.
 *
 * @return IMPASTO_STATUS_ERROR_SETTING if the content's map has a colour that the style's lacks, or a map has more than 32
 *     colours.
 */
int32_t impasto_job_set_regions(ImpastoJob *job,
                                const ImpastoPicture *of_content,
                                const ImpastoPicture *of_style);

/**
 * The result's longest side in pixels, up to 1000000; 512 by default; 0 for the content's size.
 */
int32_t impasto_job_set_size(ImpastoJob *job, size_t longest);

/**
 * The result's width and height in pixels, 1 to 1000000, to which the content is stretched.
 */
int32_t impasto_job_set_exact_size(ImpastoJob *job, size_t width, size_t height);

/**
 * The weight of the content term, above 0; 1 by default.
 */
int32_t impasto_job_set_content_weight(ImpastoJob *job, double weight);

/**
 * The weight of the style term, above 0; 10 by default, which is plainly painted. 1: colours and light strokes; 25: the style
 * before the content. With IMPASTO_FORM_GATYS 1000 by default.
 */
int32_t impasto_job_set_style_weight(ImpastoJob *job,
                                     double weight);

/**
 * The weight of the total variation, 0 or above; 10 by default, or 1 without a style. Larger values are smoother.
 */
int32_t impasto_job_set_tv_weight(ImpastoJob *job,
                                  double weight);

/**
 * The weight of the Laplacian term, 0 or above, which keeps faces and fine drawing; 0 by default. 2 is clearly seen, 10 is strong.
 */
int32_t impasto_job_set_laplacian_weight(ImpastoJob *job,
                                         double weight);

/**
 * The layers of the content term and their weights; relu4_2 by default.
 *
 * @param layers `count` names, such as "relu4_2".
 * @param weights `count` weights, above 0; or NULL for equal ones that sum to 1.
 */
int32_t impasto_job_set_content_layers(ImpastoJob *job,
                                       const char *const *layers,
                                       const double *weights,
                                       size_t count);

/**
 * The layers of the style term and their weights; relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 by default, with more weight for
 * the first.
 *
 * @param layers `count` names, such as "relu2_1".
 * @param weights `count` weights, above 0; or NULL for equal ones that sum to 1.
 */
int32_t impasto_job_set_style_layers(ImpastoJob *job,
                                     const char *const *layers,
                                     const double *weights,
                                     size_t count);

/**
 * How the content and style errors are normalised; IMPASTO_FORM_RELATIVE by default.
 *
 * @param form An ImpastoForm.
 */
int32_t impasto_job_set_form(ImpastoJob *job, int32_t form);

/**
 * How the style term compares features; IMPASTO_STATISTIC_WASSERSTEIN by default.
 *
 * @param statistic An ImpastoStatistic. IMPASTO_FORM_GATYS goes with IMPASTO_STATISTIC_GRAM alone.
 */
int32_t impasto_job_set_statistic(ImpastoJob *job, int32_t statistic);

/**
 * Whose colours the result has; IMPASTO_COLORS_STYLE by default.
 *
 * @param colors An ImpastoColors. All but IMPASTO_COLORS_STYLE need a content and a style.
 */
int32_t impasto_job_set_colors(ImpastoJob *job, int32_t colors);

/**
 * The network's pooling; IMPASTO_POOLING_MAX by default.
 *
 * @param pooling An ImpastoPooling.
 */
int32_t impasto_job_set_pooling(ImpastoJob *job, int32_t pooling);

/**
 * What lies beyond the edges; IMPASTO_EDGES_REPLICATE by default.
 *
 * @param edges An ImpastoEdges. With IMPASTO_FORM_GATYS IMPASTO_EDGES_ZERO is the default.
 */
int32_t impasto_job_set_edges(ImpastoJob *job, int32_t edges);

/**
 * The most steps of the optimiser, all scales together; 200 by default.
 */
int32_t impasto_job_set_steps(ImpastoJob *job, size_t steps);

/**
 * The number of scales, each sqrt(2) times as large as the one before; 0, the default, for as many as fit from 128 pixels on.
 */
int32_t impasto_job_set_scales(ImpastoJob *job,
                               size_t scales);

/**
 * The optimiser; IMPASTO_OPTIMIZER_LBFGS by default.
 *
 * @param optimizer An ImpastoOptimizer.
 */
int32_t impasto_job_set_optimizer(ImpastoJob *job, int32_t optimizer);

/**
 * What the work starts from; IMPASTO_INIT_CONTENT by default.
 *
 * @param init An ImpastoInit.
 */
int32_t impasto_job_set_init(ImpastoJob *job, int32_t init);

/**
 * Starts from this picture, of which the job keeps a copy.
 */
int32_t impasto_job_set_init_picture(ImpastoJob *job, const ImpastoPicture *picture);

/**
 * The seed of the noise that a job without a content, or with IMPASTO_INIT_NOISE, starts from; 0 by default.
 */
int32_t impasto_job_set_seed(ImpastoJob *job,
                             uint64_t seed);

/**
 * The memory in bytes that the process may take; by default what the machine has available. Where the work does not fit, it is
 * done in strips, in more time; where that does not help, impasto_job_run() returns IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
 *
 * @param bytes UINT64_MAX for no limit.
 */
int32_t impasto_job_set_memory_limit(ImpastoJob *job,
                                     uint64_t bytes);

/**
 * The seconds after which the job ends with the best picture until then; without a limit by default.
 *
 * @return IMPASTO_STATUS_ERROR_SETTING for a number that is negative, too large or not finite.
 */
int32_t impasto_job_set_max_time(ImpastoJob *job,
                                 double seconds);

/**
 * Lets a request end the job from any thread.
 */
int32_t impasto_job_set_cancel(ImpastoJob *job, const ImpastoCancel *cancel);

/**
 * Lets impasto_job_run() keep the state of the work in a file, from which impasto_job_resume() goes on: after a step once this time
 * is over, at the start of every scale but the first, and where the job is cancelled, by the callback too, or its time is up.
 * Writing takes 2 % of the time at most, but where `seconds` is 0. A file that is there is written over, but only by a whole new
 * one. One that cannot be written does not end the job: `checkpoint_error` of the progress and the outcome tells. The file is as
 * large as 22 pictures of 12 bytes a pixel, 5 with Adam. It stays when the job is done.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8.
 * @param seconds The time between two, such as 60; 0 for one after every step, however long that takes.
 * @return IMPASTO_STATUS_ERROR_SETTING for a number that is negative, too large or not finite.
 */
int32_t impasto_job_set_checkpoints(ImpastoJob *job,
                                    const char *path,
                                    double seconds);

/**
 * Lets impasto_job_run() go on from such a file, which may be the one that impasto_job_set_checkpoints() names. The job must be the
 * same: pictures, weights and settings, but for threads, memory limit, time, checkpoints and the request to end it. On the same
 * instruction set the picture is then that of a job that was not ended, unless the progress's `in_other_strips` is 1. The file must
 * stay as it is until the job runs; to go on from it once more, call this again.
 *
 * @param path The file: any bytes on Unix, elsewhere UTF-8.
 * @return IMPASTO_STATUS_ERROR_READ; IMPASTO_STATUS_ERROR_CHECKPOINT if it is not a whole checkpoint, or of another version of
 *     impasto. That it is another job's, impasto_job_run() finds, which then returns the same.
 */
int32_t impasto_job_resume(ImpastoJob *job,
                           const char *path);

/**
 * A copy of the picture at work, of the current scale's size.
 *
 * @param current The progress's `current`, in the callback.
 */
int32_t impasto_current_picture(const ImpastoCurrent *current, ImpastoPicture **picture);

/**
 * A request that is not made yet. It is given to jobs by impasto_job_set_cancel().
 */
int32_t impasto_cancel_new(ImpastoCancel **cancel);

/**
 * Makes the request: the jobs that have it end soon, also in the middle of an evaluation, with the best picture so far. It
 * cannot be taken back. It may be called on any thread, also while the job runs, and in a signal handler. With NULL it does
 * nothing.
 */
void impasto_cancel_request(const ImpastoCancel *cancel);

/**
 * 1 where the request was made, 0 where it was not or `cancel` is NULL.
 */
int32_t impasto_cancel_is_requested(const ImpastoCancel *cancel);

/**
 * Frees this handle. Jobs that have the request keep it, and can then no longer be ended by it.
 */
void impasto_cancel_free(ImpastoCancel *cancel);

/**
 * The width in pixels of the pictures that it takes; 0 where `objective` is NULL.
 */
size_t impasto_objective_width(const ImpastoObjective *objective);

/**
 * The height in pixels of the pictures that it takes; 0 where `objective` is NULL.
 */
size_t impasto_objective_height(const ImpastoObjective *objective);

/**
 * The losses of a picture, and the gradient of the total by the picture's values.
 *
 * @param planes The picture's values, 0 to 1: 3 * width * height floats, all red ones, then green, then blue, each row by row from
 *     top to bottom, as impasto_picture_to_planes() writes them.
 * @param gradient As many floats, for the gradient, which must not overlap the picture's; or NULL.
 * @param count How many floats there are in each.
 * @param losses The losses; or NULL.
 * @param losses_size sizeof(ImpastoLosses).
 * @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats, IMPASTO_STATUS_ERROR_ARGUMENT for floats that are not aligned
 *     or overlap, IMPASTO_STATUS_ERROR_CANCELLED.
 */
int32_t impasto_objective_evaluate(ImpastoObjective *objective,
                                   const float *planes,
                                   float *gradient,
                                   size_t count,
                                   ImpastoLosses *losses,
                                   size_t losses_size);

/**
 * Frees an objective, which must not be at work.
 */
void impasto_objective_free(ImpastoObjective *objective);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IMPASTO_H */
