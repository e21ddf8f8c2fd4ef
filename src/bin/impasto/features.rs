//! `impasto features`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::compute::ComputeOptions;
use crate::failure::Result;
use crate::network::NetworkOptions;
use crate::overwrite::Files;
use crate::picture_file;
use crate::tensor_file::TensorFile;
use crate::terminal::DetailOptions;
use crate::values::{named, pixels};
use impasto::layers::pool::Pooling;
use impasto::memory;
use impasto::network::{Network, check_size};
use impasto::stylize::defaults;
use impasto::vgg::Layer;

/// Write what layers of the network see in IMAGE
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto features photo.jpg --layer relu1_1 --layer relu4_2 -o features.safetensors

The file has one tensor a layer, C×H×W, F32, with the layer's name.")]
pub(crate) struct Options {
    /// Picture to look at
    image: PathBuf,

    /// Layer such as conv4_2, relu4_2 or pool4; repeatable
    #[arg(long = "layer", value_name = "L", required = true)]
    layers: Vec<String>,

    /// Safetensors file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Resize the picture's longest side to this many pixels [default: its own]
    #[arg(long, value_name = "N", value_parser = pixels(1), allow_negative_numbers = true)]
    size: Option<u64>,

    /// What the network's pools do
    #[arg(long, value_parser = named::<Pooling>(), value_name = "KIND", default_value_t = defaults::POOLING)]
    pooling: Pooling,

    #[command(flatten)]
    network: NetworkOptions,

    #[command(flatten)]
    compute: ComputeOptions,

    #[command(flatten)]
    detail: DetailOptions,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let detail = self.detail.detail();
        let inputs = [self.image.clone()].into_iter().chain(self.network.file());
        Files::read(inputs).write("--output", &self.output)?;
        let output = TensorFile::new("--output", &self.output)?;
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let mut taps =
            self.layers.iter().map(|name| weights.layer(name)).collect::<impasto::Result<Vec<Layer>>>()?;
        taps.sort();
        taps.dedup();
        let picture = picture_file::open(&self.image, picture_file::needed(self.size), detail)?;

        let (width, height) = picture_file::size_of(&picture, self.size);
        let deepest = *taps.last().expect("clap requires a layer");
        let network = Network::load(&weights, compute, deepest)?;
        check_size(&self.image.display().to_string(), &taps, height, width)?;
        let maps = network.features_bytes(&taps, self.pooling, height, width);
        memory::require(&self.image.display().to_string(), network.bytes() + 2 * maps, width, height)?;

        let picture = picture.into_flattened().into_resized(width, height)?;
        let features = network.features(picture.planes(), &taps, self.pooling)?;
        let metadata = BTreeMap::from([
            ("network", weights.architecture().to_string()),
            ("preprocessing", weights.preprocessing().to_string()),
            ("pooling", self.pooling.to_string()),
            ("width", width.to_string()),
            ("height", height.to_string()),
        ]);
        let tensors = features.into_iter().map(|(layer, map)| (layer.to_string(), map.to_planes()));
        output.write(tensors.collect(), &metadata)?;
        detail.normal(format_args!(
            "wrote {}: {} of {width}×{height}",
            output.path().display(),
            taps.iter().map(Layer::to_string).collect::<Vec<_>>().join(", ")
        ));
        Ok(())
    }
}
