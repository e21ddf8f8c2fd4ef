//! The loss and its gradient with your own optimiser: here gradient descent with an adaptive step.
//!
//!     cargo run --release --example own_optimizer -- demo/content.png demo/style.jpg out.png

use std::{env, error};

use impasto::ndarray::{Array3, Zip};
use impasto::{OutputFormat, Picture, Size, Stylize, Weights};

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [content, style, output] = &arguments[..] else {
        return Err("usage: own_optimizer CONTENT STYLE OUTPUT.png".into());
    };
    let content = Picture::open(content)?;
    let job = Stylize::new(&Weights::embedded())
        .content(content.clone())
        .style(Picture::open(style)?)
        .size(Size::Longest(96));
    let mut objective = job.objective()?;
    let (height, width) = objective.size();

    let mut picture = content.clone().into_flattened().into_resized(width, height)?.into_planes();
    let mut gradient = Array3::zeros(picture.dim());
    let mut loss = objective.evaluate(picture.view(), gradient.view_mut())?.total;
    let mut step = 0.02;
    for _ in 0..30 {
        let largest = gradient.iter().fold(0.0_f32, |largest, g| largest.max(g.abs()));
        let mut next = picture.clone();
        Zip::from(&mut next).and(&gradient).for_each(|x, g| *x = (*x - step * g / largest).clamp(0.0, 1.0));
        let mut next_gradient = Array3::zeros(picture.dim());
        let next_loss = objective.evaluate(next.view(), next_gradient.view_mut())?.total;
        if next_loss < loss {
            (picture, gradient, loss) = (next, next_gradient, next_loss);
            step *= 1.2;
            println!("loss {loss:.4}");
        } else {
            step *= 0.5;
        }
    }
    std::fs::write(output, Picture::from_planes(picture)?.encode(OutputFormat::Png)?)?;
    Ok(())
}
