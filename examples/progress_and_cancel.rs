//! A job on a separate thread, monitored and cancelled from another. The result is the best picture so far.
//!
//!     cargo run --release --example progress_and_cancel -- demo/content.png demo/style.jpg out.png

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::{env, error, thread};

use impasto::{Cancel, End, OutputFormat, Picture, Size, Stylize, Weights};

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [content, style, output] = &arguments[..] else {
        return Err("usage: progress_and_cancel CONTENT STYLE OUTPUT.png".into());
    };
    let cancel = Cancel::new();
    let job = Stylize::new(&Weights::embedded())
        .content(Picture::open(content)?)
        .style(Picture::open(style)?)
        .size(Size::Longest(128))
        .steps(100_000)
        .cancelled_by(&cancel);

    let (steps, watched) = mpsc::channel();
    let worker = thread::spawn(move || {
        job.run(|progress| {
            // End the job if the receiver is gone.
            match steps.send((progress.step, progress.losses.total)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
    });
    // Cancel after ten steps; a service would do so when its client disconnects or a deadline passes.
    for (step, loss) in watched.iter().take(10) {
        println!("step {step}: loss {loss:.4}");
    }
    cancel.cancel();
    let made = worker.join().expect("the job does not panic")?;
    assert!(matches!(made.end, End::Cancelled));
    println!("cancelled after {} steps", made.steps);
    std::fs::write(output, made.picture.encode(OutputFormat::Png)?)?;
    Ok(())
}
