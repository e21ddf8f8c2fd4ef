//! Many photographs in one style: the style's targets are computed once per size and cached.
//!
//!     cargo run --release --example one_style_many_photographs -- painting.jpg folder photo1.jpg photo2.jpg

use std::ops::ControlFlow;
use std::path::Path;
use std::{env, error};

use impasto::{OutputFormat, Picture, Size, Style, Stylize, Weights};

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [painting, folder, photographs @ ..] = &arguments[..] else {
        return Err("usage: one_style_many_photographs PAINTING FOLDER PHOTOGRAPH...".into());
    };
    let style = Style::new(Picture::open(painting)?);
    let job = Stylize::new(&Weights::embedded()).style(&style).size(Size::Longest(128)).steps(20);
    for photograph in photographs {
        let photograph = Path::new(photograph);
        // A clone of the job is cheap: it shares the weights and the style.
        let made = job.clone().content(Picture::open(photograph)?).run(|_| ControlFlow::Continue(()))?;
        let name = Path::new(photograph.file_stem().unwrap_or_default()).with_extension("png");
        let output = Path::new(folder).join(name);
        std::fs::write(&output, made.picture.encode(OutputFormat::Png)?)?;
        println!("{}", output.display());
    }
    Ok(())
}
