//! The numbers that C has for the library's choices. They never change; new ones may be added.

use impasto_rs::{Colors, Depth, Edges, Form, Init, Optimizer, OutputFormat, Pooling, Statistic};

use crate::status::Failure;

/// How the style term compares a layer's features with the style's.
#[repr(C)]
pub enum ImpastoStatistic {
    /// By the Gram matrices of Gatys, Ecker and Bethge 2015.
    Gram = 0,
    /// By the Wasserstein distance of means and covariances: the default.
    Wasserstein = 1,
}

/// How the content and style errors are normalised.
#[repr(C)]
pub enum ImpastoForm {
    /// Each over its target's energy, so that the same weights give a similar result at any size: the default.
    Relative = 0,
    /// As in Gatys, Ecker and Bethge 2015.
    Gatys = 1,
}

/// Whose colours the result has.
#[repr(C)]
pub enum ImpastoColors {
    /// The style's: the default.
    Style = 0,
    /// The content's: the luma of the result with the chroma of the content.
    Content = 1,
    /// The style's, moved to the content's before the work.
    Match = 2,
}

/// The network's pooling.
#[repr(C)]
pub enum ImpastoPooling {
    /// The maximum: the default.
    Max = 0,
    /// The mean, for softer strokes.
    Average = 1,
}

/// What lies beyond the edges of the picture and its feature maps.
#[repr(C)]
pub enum ImpastoEdges {
    /// Zeros, as VGG was trained.
    Zero = 0,
    /// The picture's edge pixels: the default.
    Replicate = 1,
    /// The opposite edge, so that the result can be tiled.
    Wrap = 2,
}

/// The optimiser.
#[repr(C)]
pub enum ImpastoOptimizer {
    /// L-BFGS: the default.
    Lbfgs = 0,
    /// Adam.
    Adam = 1,
}

/// The picture that the work starts from.
#[repr(C)]
pub enum ImpastoInit {
    /// The content, or noise where there is none: the default.
    Content = 0,
    /// Uniform noise from the seed.
    Noise = 1,
}

/// The samples of a buffer.
#[repr(C)]
pub enum ImpastoSample {
    /// uint8_t, 0 to 255.
    U8 = 0,
    /// uint16_t in the machine's byte order, 0 to 65535.
    U16 = 1,
    /// float, 0 to 1. Values outside are clamped; one that is not finite is an error.
    F32 = 2,
}

/// A file format that pictures are written in.
#[repr(C)]
pub enum ImpastoFormat {
    /// PNG: lossless, with alpha.
    Png = 0,
    /// JPEG: quality 95, over white where there is alpha.
    Jpeg = 1,
    /// WebP: lossless, with alpha.
    Webp = 2,
    /// TIFF: uncompressed, with alpha.
    Tiff = 3,
}

/// How a job ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum ImpastoEnd {
    /// All its steps were made, or it converged.
    Done = 0,
    /// The callback ended it, or it was cancelled. The picture is the best so far.
    Cancelled = 1,
    /// Its time was up. The picture is the best so far.
    TimeUp = 2,
    /// It failed on its way. The picture is the best until then; the outcome's `error` and impasto_last_error() say why.
    Failed = 3,
}

/// The samples of a buffer.
#[derive(Clone, Copy)]
pub enum Sample {
    U8,
    U16,
    F32,
}

impl Sample {
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

/// The choice with this number.
fn choice<T: Copy>(what: &str, number: i32, choices: &[(i32, T)]) -> Result<T, Failure> {
    let found = choices.iter().find(|(known, _)| *known == number);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let known: Vec<_> = choices.iter().map(|(known, _)| known.to_string()).collect();
        Failure::Argument(format!("{what}: expected one of {}, found {number}", known.join(", ")))
    })
}

pub fn statistic(number: i32) -> Result<Statistic, Failure> {
    use ImpastoStatistic::{Gram, Wasserstein};
    let choices = [(Gram as i32, Statistic::Gram), (Wasserstein as i32, Statistic::Wasserstein)];
    choice("statistic", number, &choices)
}

pub fn form(number: i32) -> Result<Form, Failure> {
    use ImpastoForm::{Gatys, Relative};
    choice("form", number, &[(Relative as i32, Form::Relative), (Gatys as i32, Form::Gatys)])
}

pub fn colors(number: i32) -> Result<Colors, Failure> {
    use ImpastoColors::{Content, Match, Style};
    let choices =
        [(Style as i32, Colors::Style), (Content as i32, Colors::Content), (Match as i32, Colors::Match)];
    choice("colours", number, &choices)
}

pub fn pooling(number: i32) -> Result<Pooling, Failure> {
    use ImpastoPooling::{Average, Max};
    choice("pooling", number, &[(Max as i32, Pooling::Max), (Average as i32, Pooling::Average)])
}

pub fn edges(number: i32) -> Result<Edges, Failure> {
    use ImpastoEdges::{Replicate, Wrap, Zero};
    let choices =
        [(Zero as i32, Edges::Zero), (Replicate as i32, Edges::Replicate), (Wrap as i32, Edges::Wrap)];
    choice("edges", number, &choices)
}

pub fn optimizer(number: i32) -> Result<Optimizer, Failure> {
    use ImpastoOptimizer::{Adam, Lbfgs};
    choice("optimiser", number, &[(Lbfgs as i32, Optimizer::Lbfgs), (Adam as i32, Optimizer::Adam)])
}

pub fn init(number: i32) -> Result<Init, Failure> {
    let is_noise =
        choice("start", number, &[(ImpastoInit::Content as i32, false), (ImpastoInit::Noise as i32, true)])?;
    Ok(if is_noise { Init::Noise } else { Init::Content })
}

pub fn sample(number: i32) -> Result<Sample, Failure> {
    use ImpastoSample::{F32, U8, U16};
    let choices = [(U8 as i32, Sample::U8), (U16 as i32, Sample::U16), (F32 as i32, Sample::F32)];
    choice("sample", number, &choices)
}

pub fn format(number: i32) -> Result<OutputFormat, Failure> {
    use ImpastoFormat::{Jpeg, Png, Tiff, Webp};
    let choices = [
        (Png as i32, OutputFormat::Png),
        (Jpeg as i32, OutputFormat::Jpeg),
        (Webp as i32, OutputFormat::WebP),
        (Tiff as i32, OutputFormat::Tiff),
    ];
    choice("format", number, &choices)
}

/// The depth of this many bits.
pub fn depth(bits: i32) -> Result<Depth, Failure> {
    choice("bits a sample", bits, &[(8, Depth::Eight), (16, Depth::Sixteen)])
}

/// The number of channels of a buffer.
pub fn channels(number: i32, allowed: &[i32]) -> Result<i32, Failure> {
    let choices: Vec<_> = allowed.iter().map(|channels| (*channels, *channels)).collect();
    choice("channels", number, &choices)
}
