//! How the losses went, step by step.

use crate::svg::{Anchor, Axis, Svg, number};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = HEIGHT - 44.0;

/// A value of each step, over the scales from coarse to fine.
pub(super) struct Curve<'c> {
    pub(super) name: &'c str,
    /// The class of its line's colour.
    pub(super) colour: &'c str,
    /// Steps and values of each scale.
    pub(super) scales: Vec<Vec<(f64, f64)>>,
    /// How each scale is called.
    pub(super) labels: &'c [String],
}

impl Curve<'_> {
    /// The curve over a logarithmic axis. `None` where no value is above 0.
    pub(super) fn chart(&self) -> Option<Svg> {
        let is_shown = |point: &&(f64, f64)| point.1 > 0.0 && point.1.is_finite();
        let all = || self.scales.iter().flatten().filter(is_shown);
        let (low, high) = all()
            .fold((f64::INFINITY, 0.0f64), |(low, high), (_, value)| (low.min(*value), high.max(*value)));
        let (first, last) = all()
            .fold((f64::INFINITY, 0.0f64), |(first, last), (step, _)| (first.min(*step), last.max(*step)));
        if high <= 0.0 {
            return None;
        }
        let x = Axis::linear((LEFT, RIGHT), (first, last));
        let y = Axis::logarithmic((BOTTOM, TOP), (low, high));
        let mut svg = Svg::new(WIDTH, HEIGHT, &format!("{} over the steps", self.name));
        svg.text("title", (LEFT, 22.0), Anchor::Start, self.name);
        self.axes(&mut svg, x, y);
        self.boundaries(&mut svg, x);
        for scale in &self.scales {
            let points: Vec<_> = scale
                .iter()
                .filter(is_shown)
                .map(|(step, value)| (x.place(*step), y.place(*value)))
                .collect();
            match points[..] {
                [] => {}
                // A line needs a second point.
                [(at, value)] => {
                    svg.line(&format!("line {}", self.colour), &[(at - 1.0, value), (at + 1.0, value)])
                }
                _ => svg.line(&format!("line {}", self.colour), &points),
            }
        }
        let end = all().next_back().map_or(String::new(), |(_, value)| format!("at the end {value:.4}"));
        svg.text("small muted", (RIGHT, 22.0), Anchor::End, &end);
        Some(svg)
    }

    fn axes(&self, svg: &mut Svg, x: Axis, y: Axis) {
        for (value, is_labelled) in y.ticks() {
            let at = y.place(value);
            svg.line(if is_labelled { "grid" } else { "faint" }, &[(LEFT, at), (RIGHT, at)]);
            if is_labelled {
                svg.text("small", (LEFT - 8.0, at + 4.0), Anchor::End, &number(value));
            }
        }
        for (value, _) in x.ticks() {
            let at = x.place(value);
            svg.line("axis", &[(at, BOTTOM), (at, BOTTOM + 4.0)]);
            svg.text("small", (at, BOTTOM + 18.0), Anchor::Middle, &number(value));
        }
        svg.line("axis", &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)]);
        svg.text("small muted", (0.5 * (LEFT + RIGHT), BOTTOM + 36.0), Anchor::Middle, "step");
    }

    /// Marks where a scale begins, and names it where there is room.
    fn boundaries(&self, svg: &mut Svg, x: Axis) {
        let mut free_from = 0.0;
        for (index, (scale, label)) in self.scales.iter().zip(self.labels).enumerate() {
            let Some((first, _)) = scale.first() else { continue };
            // Between the last step of one scale and the first of the next.
            let at = if index == 0 { LEFT } else { x.place(first - 0.5).max(LEFT) };
            if index > 0 {
                svg.line("mark", &[(at, TOP - 4.0), (at, BOTTOM)]);
            }
            let width = 6.8 * label.chars().count() as f64 + 8.0;
            if at >= free_from && at + width <= RIGHT + 12.0 {
                svg.text("small muted", (at + 3.0, TOP - 8.0), Anchor::Start, label);
                free_from = at + width;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(scales: Vec<Vec<(f64, f64)>>) -> Option<String> {
        let labels = ["64×48".to_owned(), "128×96".to_owned()];
        Curve { name: "loss", colour: "s1", scales, labels: &labels }.chart().map(|chart| chart.part())
    }

    #[test]
    fn each_scale_has_its_line_and_name() {
        let scale =
            |steps: std::ops::Range<u32>| steps.map(|step| (step.into(), 100.0 / f64::from(step))).collect();
        let chart = curve(vec![scale(1..50), scale(50..120)]).unwrap();
        assert_eq!(chart.matches("class=\"line s1\"").count(), 2);
        assert_eq!(chart.matches("class=\"mark\"").count(), 1);
        assert!(chart.contains("64×48") && chart.contains("128×96"));
    }

    #[test]
    fn what_is_0_has_no_curve() {
        assert!(curve(vec![vec![(1.0, 0.0), (2.0, 0.0)]]).is_none());
        assert!(curve(Vec::new()).is_none());
        // One step is enough, and what is not finite is left out.
        let chart = curve(vec![vec![(1.0, f64::NAN), (2.0, 3.0)]]).unwrap();
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }
}
