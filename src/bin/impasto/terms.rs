//! The options that say what the loss is made of.

use clap::Args;

use crate::failure::{Failure, Result};
use crate::values::{layer_weight, named};
use impasto::layers::conv::edges::Edges;
use impasto::layers::pool::Pooling;
use impasto::loss::{Form, Statistic};
use impasto::picture::Picture;
use impasto::stylize::{LayerWeight, Style, Stylize, defaults};

/// How errors are measured.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loss")]
pub(crate) struct MeasureOptions {
    /// How errors are measured. relative: every term over its target's energy, so that weights mean the same
    /// at any size and with any network. gatys: as the paper
    #[arg(long = "loss", value_parser = named::<Form>(), value_name = "FORM", default_value_t = defaults::FORM)]
    form: Form,

    /// Weight of total variation, the mean squared step between neighbours: smooths [default: 10; reconstruct: 1]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    tv_weight: Option<f64>,

    /// What the network's pools do
    #[arg(long, value_parser = named::<Pooling>(), value_name = "KIND", default_value_t = defaults::POOLING)]
    pooling: Pooling,

    /// What lies beyond the picture's edges. replicate: its edge pixels, again and again; zero: zeros, as VGG was
    /// trained, which colours the margins of plain areas; wrap: the opposite edge, for tiles [default: replicate;
    /// with --loss gatys zero]
    #[arg(long, value_parser = named::<Edges>(), value_name = "KIND")]
    edges: Option<Edges>,
}

impl MeasureOptions {
    pub(crate) fn apply(&self, job: Stylize) -> Stylize {
        let job = job.form(self.form).pooling(self.pooling);
        let job = match self.edges {
            Some(edges) => job.edges(edges),
            None => job,
        };
        match self.tv_weight {
            Some(weight) => job.tv_weight(weight),
            None => job,
        }
    }
}

/// The two terms' weights, where there are both terms.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loss")]
pub(crate) struct BalanceOptions {
    /// Weight of the content term. Only its ratio to the others matters to the picture
    #[arg(long, value_name = "W", default_value_t = defaults::CONTENT_WEIGHT, allow_negative_numbers = true)]
    content_weight: f64,

    /// Weight of the style term. With --loss relative 1: its colours and light strokes; 3: painted, all detail left;
    /// 10: plainly painted; 25: the style before the content; 60: little but style [default: 10; with --loss gatys
    /// 1000]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    style_weight: Option<f64>,

    /// Weight of the Laplacian term, which keeps faces and fine drawing: the distance of the picture's Laplacian
    /// from the content's, within --mask if there is one. With --loss relative 2 is clearly seen, 10 is strong;
    /// 0: none
    #[arg(long, value_name = "W", default_value_t = 0.0, allow_negative_numbers = true)]
    laplacian_weight: f64,
}

impl BalanceOptions {
    pub(crate) fn apply(&self, job: Stylize) -> Stylize {
        let job = job.content_weight(self.content_weight).laplacian_weight(self.laplacian_weight);
        match self.style_weight {
            Some(weight) => job.style_weight(weight),
            None => job,
        }
    }
}

/// Layers of the content term.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loss")]
pub(crate) struct ContentLayers {
    /// Layer whose features should be the content's, and its weight (without one, an even share); repeatable
    #[arg(long = "content-layer", value_name = "L[=W]", value_parser = layer_weight,
          default_values = defaults::CONTENT_LAYERS.iter().copied())]
    content_layers: Vec<LayerWeight>,
}

impl ContentLayers {
    pub(crate) fn apply(&self, job: Stylize) -> Stylize {
        job.content_layers(&self.content_layers)
    }
}

/// Layers of the style term, and how several styles blend.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loss")]
pub(crate) struct StyleOptions {
    /// Layer whose features should be distributed as the style's, and its weight (without one, an even share); repeatable
    /// [default: relu1_1=0.4 relu2_1=0.24 relu3_1=0.16 relu4_1=0.12 relu5_1=0.08; with --loss gatys 0.2 each]
    #[arg(long = "style-layer", value_name = "L[=W]", value_parser = layer_weight)]
    style_layers: Vec<LayerWeight>,

    /// What of the style's features the result's should have: gram, their Gram matrices; wasserstein, their means and
    /// covariances, by the effort of moving the one to the other [default: wasserstein; with --loss gatys always gram]
    #[arg(long, value_parser = named::<Statistic>(), value_name = "NAME")]
    statistic: Option<Statistic>,

    /// Share of each style, in their order [default: even]
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', allow_negative_numbers = true)]
    blend: Vec<f64>,
}

impl StyleOptions {
    /// Refuses shares that don't fit that many styles.
    pub(crate) fn check(&self, styles: usize) -> Result<()> {
        let shares = self.blend.len();
        if shares != 0 && shares != styles {
            let reason = format!("expected a share for each style, found {shares} for {styles}");
            return Err(Failure::option("--blend", reason));
        }
        if let Some(share) = self.blend.iter().find(|share| !(**share >= 0.0 && share.is_finite())) {
            return Err(Failure::option("--blend", format!("a share must be 0 or above, found {share}")));
        }
        if shares != 0 && self.blend.iter().sum::<f64>() == 0.0 {
            return Err(Failure::option("--blend", "one share must be above 0"));
        }
        Ok(())
    }

    /// Whether there are shares.
    pub(crate) fn has_shares(&self) -> bool {
        !self.blend.is_empty()
    }

    /// The blend of the pictures of the styles.
    pub(crate) fn style(&self, pictures: Vec<Picture>) -> Result<Style> {
        let shares = self.blend.iter().copied().chain(std::iter::repeat(1.0));
        Ok(Style::blend(pictures.into_iter().zip(shares))?)
    }

    pub(crate) fn apply(&self, job: Stylize) -> Stylize {
        let job = match &self.style_layers[..] {
            [] => job,
            layers => job.style_layers(layers),
        };
        match self.statistic {
            Some(statistic) => job.statistic(statistic),
            None => job,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What the help texts say in words.
    #[test]
    fn defaults_are_as_the_help_says() {
        assert_eq!(
            (defaults::TV_WEIGHT, defaults::STYLE_WEIGHT, defaults::GATYS_STYLE_WEIGHT),
            (10.0, 10.0, 1000.0)
        );
        let mut command = crate::Cli::command();
        let help = command.find_subcommand_mut("stylize").expect("a command").render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let layers: Vec<_> =
            defaults::STYLE_LAYERS.iter().map(|(layer, weight)| format!("{layer}={weight}")).collect();
        let [(_, of_gatys), ..] = defaults::GATYS_STYLE_LAYERS else { panic!("no layers") };
        for text in [
            "default: 10; with --loss gatys".to_owned(),
            "default: 10;".to_owned(),
            format!("[default: {}; with --loss gatys {of_gatys} each]", layers.join(" ")),
        ] {
            assert!(help.contains(&text), "{text}");
        }
    }
}
