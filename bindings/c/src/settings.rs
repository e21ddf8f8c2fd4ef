//! What a job is set to: pictures and controls.

use std::ffi::c_char;
use std::ptr::NonNull;
use std::time::Duration;

use impasto_rs::{Init, LayerWeight, Mask, Regions, Scales, Size};

use crate::cancel::ImpastoCancel;
use crate::controls;
use crate::job::{ImpastoJob, change};
use crate::picture::ImpastoPicture;
use crate::raw;
use crate::status::Failure;
use crate::style::{ImpastoStyle, pictures_of};

/// The content picture, of which the job keeps a copy. Without one the result is a texture, from the style alone.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_content(
    job: Option<NonNull<ImpastoJob>>,
    content: Option<&ImpastoPicture>,
) -> i32 {
    change(job, || copied(content, "the content"), |job, content| job.content(content))
}

fn copied(picture: Option<&ImpastoPicture>, what: &str) -> Result<impasto_rs::Picture, Failure> {
    raw::present(picture, what).map(|picture| picture.0.clone())
}

/// The style, as it is now. Without one the result is a reconstruction, from the content alone.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_style(
    job: Option<NonNull<ImpastoJob>>,
    style: Option<&ImpastoStyle>,
) -> i32 {
    change(job, || raw::present(style, "the style"), |job, style| job.style(&style.0))
}

/// Where the style acts: where this picture is white; elsewhere the content stays, to the bit, with soft edges between. It has the
/// content's aspect, in any resolution. The job keeps a copy.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_mask(
    job: Option<NonNull<ImpastoJob>>,
    mask: Option<&ImpastoPicture>,
) -> i32 {
    change(job, || raw::present(mask, "the mask"), |job, mask| job.mask(&mask.0))
}

/// Where each picture of the style goes: where its mask is white. The job keeps copies.
///
/// @param masks `count` pictures, one for each picture of the style, in their order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_set_style_masks(
    job: Option<NonNull<ImpastoJob>>,
    masks: *const Option<&ImpastoPicture>,
    count: usize,
) -> i32 {
    change(
        job,
        // SAFETY: the header asks for `count` pictures.
        || unsafe { pictures_of(masks, count) },
        |job, masks| job.style_masks(masks.into_iter().map(|mask| Mask::from(&mask.0))),
    )
}

/// Which parts of the content take after which parts of the style: where the two maps have the same colour.
///
/// @return IMPASTO_STATUS_ERROR_SETTING if the content's map has a colour that the style's lacks, or a map has more than 32
///     colours.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_regions(
    job: Option<NonNull<ImpastoJob>>,
    of_content: Option<&ImpastoPicture>,
    of_style: Option<&ImpastoPicture>,
) -> i32 {
    let regions = || {
        let of_content = raw::present(of_content, "the content's map")?;
        let of_style = raw::present(of_style, "the style's map")?;
        Ok(Regions::new(&of_content.0, &of_style.0)?)
    };
    change(job, regions, |job, regions| job.regions(regions))
}

/// The result's longest side in pixels, up to 1000000; 512 by default; 0 for the content's size.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_size(job: Option<NonNull<ImpastoJob>>, longest: usize) -> i32 {
    let size = if longest == 0 { Size::Own } else { Size::Longest(longest) };
    change(job, || Ok(size), |job, size| job.size(size))
}

/// The result's width and height in pixels, 1 to 1000000, to which the content is stretched.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_exact_size(
    job: Option<NonNull<ImpastoJob>>,
    width: usize,
    height: usize,
) -> i32 {
    change(job, || Ok(Size::Exactly { width, height }), |job, size| job.size(size))
}

/// The weight of the content term, above 0; 1 by default.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_content_weight(job: Option<NonNull<ImpastoJob>>, weight: f64) -> i32 {
    change(job, || Ok(weight), |job, weight| job.content_weight(weight))
}

/// The weight of the style term, above 0; 10 by default, which is plainly painted. 1: colours and light strokes; 25: the style
/// before the content. With IMPASTO_FORM_GATYS 1000 by default.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_style_weight(job: Option<NonNull<ImpastoJob>>, weight: f64) -> i32 {
    change(job, || Ok(weight), |job, weight| job.style_weight(weight))
}

/// The weight of the total variation, 0 or above; 10 by default, or 1 without a style. Larger values are smoother.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_tv_weight(job: Option<NonNull<ImpastoJob>>, weight: f64) -> i32 {
    change(job, || Ok(weight), |job, weight| job.tv_weight(weight))
}

/// The weight of the Laplacian term, 0 or above, which keeps faces and fine drawing; 0 by default. 2 is clearly seen, 10 is strong.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_laplacian_weight(job: Option<NonNull<ImpastoJob>>, weight: f64) -> i32 {
    change(job, || Ok(weight), |job, weight| job.laplacian_weight(weight))
}

/// The layers of the content term and their weights; relu4_2 by default.
///
/// @param layers `count` names, such as "relu4_2".
/// @param weights `count` weights, above 0; or NULL for equal ones that sum to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_set_content_layers(
    job: Option<NonNull<ImpastoJob>>,
    layers: *const *const c_char,
    weights: *const f64,
    count: usize,
) -> i32 {
    // SAFETY: the header asks for `count` names and weights.
    let layers = || unsafe { layers_of(layers, weights, count) };
    change(job, layers, |job, layers| job.content_layers(layers))
}

/// The layers of the style term and their weights; relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 by default, with more weight for
/// the first.
///
/// @param layers `count` names, such as "relu2_1".
/// @param weights `count` weights, above 0; or NULL for equal ones that sum to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_set_style_layers(
    job: Option<NonNull<ImpastoJob>>,
    layers: *const *const c_char,
    weights: *const f64,
    count: usize,
) -> i32 {
    // SAFETY: the header asks for `count` names and weights.
    let layers = || unsafe { layers_of(layers, weights, count) };
    change(job, layers, |job, layers| job.style_layers(layers))
}

/// # Safety
/// If they are not NULL, there are `count` texts that end with a zero byte, and as many weights.
unsafe fn layers_of(
    layers: *const *const c_char,
    weights: *const f64,
    count: usize,
) -> Result<Vec<LayerWeight>, Failure> {
    // SAFETY: asked of the caller.
    let layers = unsafe { raw::elements(layers, count, "the array of layers") }?;
    let weights = match weights.is_null() {
        true => None,
        // SAFETY: asked of the caller.
        false => Some(unsafe { raw::elements(weights, count, "the weights of the layers") }?),
    };
    let layer = |(at, name): (usize, &*const c_char)| {
        // SAFETY: asked of the caller.
        let name = unsafe { raw::text(*name, "the name of a layer") }?;
        Ok(weights.map_or_else(|| name.into(), |weights| (name, weights[at]).into()))
    };
    layers.iter().enumerate().map(layer).collect()
}

/// How the content and style errors are normalised; IMPASTO_FORM_RELATIVE by default.
///
/// @param form An ImpastoForm.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_form(job: Option<NonNull<ImpastoJob>>, form: i32) -> i32 {
    change(job, || controls::form(form), |job, form| job.form(form))
}

/// How the style term compares features; IMPASTO_STATISTIC_WASSERSTEIN by default.
///
/// @param statistic An ImpastoStatistic. IMPASTO_FORM_GATYS goes with IMPASTO_STATISTIC_GRAM alone.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_statistic(job: Option<NonNull<ImpastoJob>>, statistic: i32) -> i32 {
    change(job, || controls::statistic(statistic), |job, statistic| job.statistic(statistic))
}

/// Whose colours the result has; IMPASTO_COLORS_STYLE by default.
///
/// @param colors An ImpastoColors. All but IMPASTO_COLORS_STYLE need a content and a style.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_colors(job: Option<NonNull<ImpastoJob>>, colors: i32) -> i32 {
    change(job, || controls::colors(colors), |job, colors| job.colors(colors))
}

/// The network's pooling; IMPASTO_POOLING_MAX by default.
///
/// @param pooling An ImpastoPooling.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_pooling(job: Option<NonNull<ImpastoJob>>, pooling: i32) -> i32 {
    change(job, || controls::pooling(pooling), |job, pooling| job.pooling(pooling))
}

/// What lies beyond the edges; IMPASTO_EDGES_REPLICATE by default.
///
/// @param edges An ImpastoEdges. With IMPASTO_FORM_GATYS IMPASTO_EDGES_ZERO is the default.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_edges(job: Option<NonNull<ImpastoJob>>, edges: i32) -> i32 {
    change(job, || controls::edges(edges), |job, edges| job.edges(edges))
}

/// The most steps of the optimiser, all scales together; 200 by default.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_steps(job: Option<NonNull<ImpastoJob>>, steps: usize) -> i32 {
    change(job, || Ok(steps), |job, steps| job.steps(steps))
}

/// The number of scales, each sqrt(2) times as large as the one before; 0, the default, for as many as fit from 128 pixels on.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_scales(job: Option<NonNull<ImpastoJob>>, scales: usize) -> i32 {
    let scales = if scales == 0 { Scales::Auto } else { Scales::Count(scales) };
    change(job, || Ok(scales), |job, scales| job.scales(scales))
}

/// The optimiser; IMPASTO_OPTIMIZER_LBFGS by default.
///
/// @param optimizer An ImpastoOptimizer.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_optimizer(job: Option<NonNull<ImpastoJob>>, optimizer: i32) -> i32 {
    change(job, || controls::optimizer(optimizer), |job, optimizer| job.optimizer(optimizer))
}

/// What the work starts from; IMPASTO_INIT_CONTENT by default.
///
/// @param init An ImpastoInit.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_init(job: Option<NonNull<ImpastoJob>>, init: i32) -> i32 {
    change(job, || controls::init(init), |job, init| job.init(init))
}

/// Starts from this picture, of which the job keeps a copy.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_init_picture(
    job: Option<NonNull<ImpastoJob>>,
    picture: Option<&ImpastoPicture>,
) -> i32 {
    change(job, || copied(picture, "the start"), |job, picture| job.init(Init::Picture(picture)))
}

/// The seed of the noise that a job without a content, or with IMPASTO_INIT_NOISE, starts from; 0 by default.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_seed(job: Option<NonNull<ImpastoJob>>, seed: u64) -> i32 {
    change(job, || Ok(seed), |job, seed| job.seed(seed))
}

/// The memory in bytes that the process may take; by default what the machine has available. Where the work does not fit, it is
/// done in strips, in more time; where that does not help, impasto_job_run() returns IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
///
/// @param bytes UINT64_MAX for no limit.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_memory_limit(job: Option<NonNull<ImpastoJob>>, bytes: u64) -> i32 {
    change(job, || Ok(bytes), |job, bytes| job.memory_limit(Some(bytes)))
}

/// The seconds after which the job ends with the best picture until then; without a limit by default.
///
/// @return IMPASTO_STATUS_ERROR_SETTING for a number that is negative, too large or not finite.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_max_time(job: Option<NonNull<ImpastoJob>>, seconds: f64) -> i32 {
    change(job, || time(seconds), |job, time| job.max_time(time))
}

/// A time in seconds.
pub fn time(seconds: f64) -> Result<Duration, Failure> {
    let refused = |_| Failure::Setting(format!("time: must be 0 seconds or more, found {seconds:?}"));
    Duration::try_from_secs_f64(seconds).map_err(refused)
}

/// Lets a request end the job from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_cancel(
    job: Option<NonNull<ImpastoJob>>,
    cancel: Option<&ImpastoCancel>,
) -> i32 {
    change(job, || raw::present(cancel, "the request"), |job, cancel| job.cancelled_by(&cancel.0))
}
