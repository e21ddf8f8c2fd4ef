//! Style transfer from the bytes of two pictures to the bytes of a PNG, on a separate thread, with progress and cancelling.
//!
//!     cargo run --release --no-default-features --features embedded --example bytes_to_bytes -- \
//!         demo/content.png demo/style.jpg out.png

use std::ops::ControlFlow;
use std::{env, error, fs, thread};

use impasto::{Cancel, OutputFormat, Picture, Size, Stylize, Weights};

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [content, style, output] = &arguments[..] else {
        return Err("usage: bytes_to_bytes CONTENT STYLE OUTPUT.png".into());
    };
    let (content, style) = (fs::read(content)?, fs::read(style)?);

    // Any clone of it can end the job, which then returns the best picture so far.
    let cancel = Cancel::new();
    let job = Stylize::new(&Weights::embedded())
        .content(Picture::from_bytes(&content)?)
        .style(Picture::from_bytes(&style)?)
        .size(Size::Longest(128))
        .steps(20)
        .cancelled_by(&cancel);
    let worker = thread::spawn(move || -> impasto::Result<Vec<u8>> {
        let made = job.run(|progress| {
            eprintln!("{:.0} %, loss {:.4}", 100.0 * progress.done, progress.losses.total);
            ControlFlow::Continue(())
        })?;
        made.picture.encode(OutputFormat::Png)
    });
    fs::write(output, worker.join().expect("the job does not panic")?)?;
    Ok(())
}
