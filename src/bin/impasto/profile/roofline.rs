//! `--roofline`: each layer's rate beside what the machine's peaks allow (Williams, Waterman and Patterson 2009).

use std::f64::consts::TAU;

use super::measure::{Measured, median};
use crate::svg::{Anchor, Axis, Svg, number};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 656.0;
/// Where the axes are.
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = HEIGHT - 108.0;

/// A layer's pass in the chart.
struct Point {
    name: String,
    is_forward: bool,
    flop_per_byte: f64,
    gflops: f64,
    gbytes: f64,
}

impl Point {
    /// The class of its colour, which says which pass it is.
    fn colour(&self) -> &'static str {
        if self.is_forward { "f1" } else { "f2" }
    }
}

/// The passes of all layers that count operations.
fn points(measured: &Measured) -> Vec<Point> {
    let mut points = Vec::new();
    for layer in measured.layers.iter().filter(|layer| layer.flop > 0.0) {
        let passes =
            [(true, layer.forward_bytes, &layer.forward), (false, layer.backward_bytes, &layer.backward)];
        for (is_forward, bytes, rounds) in passes {
            let seconds = median(rounds);
            points.push(Point {
                name: layer.name.clone(),
                is_forward,
                flop_per_byte: layer.flop / bytes,
                gflops: layer.flop / seconds / 1e9,
                gbytes: bytes / seconds / 1e9,
            });
        }
    }
    points
}

/// The chart.
pub(crate) fn chart(measured: &Measured) -> Svg {
    let points = points(measured);
    let ridge = measured.peak_gflops / (measured.bandwidth.bytes_per_second / 1e9);
    let extremes = |of: &dyn Fn(&Point) -> f64, more: f64| {
        let values = points.iter().map(of).chain([more]);
        values.fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (low, high) = extremes(&|point| point.flop_per_byte, ridge);
    let x = Axis::logarithmic((LEFT, RIGHT), (low.min(ridge / 4.0), high.max(4.0 * ridge)));
    let (low, high) = extremes(&|point| point.gflops, measured.peak_gflops);
    let y = Axis::logarithmic((BOTTOM, TOP), (low.min(measured.roof(x.values().0)), 1.3 * high));

    let mut svg =
        Svg::new(WIDTH, HEIGHT, "Roofline: GFLOP/s of each layer over its operations for each byte");
    titles(&mut svg, measured);
    axes(&mut svg, x, y);
    let places: Vec<_> =
        points.iter().map(|point| (x.place(point.flop_per_byte), y.place(point.gflops))).collect();
    let area = |(x, y): &(f64, f64)| Area { left: x - 5.0, right: x + 5.0, top: y - 5.0, bottom: y + 5.0 };
    let mut taken: Vec<_> = places.iter().map(area).collect();
    roof(&mut svg, measured, (x, y), ridge, &mut taken);
    let labels: Vec<_> =
        points.iter().zip(&places).filter_map(|(point, place)| label(point, *place, &mut taken)).collect();
    for label in &labels {
        if let Some(leader) = label.leader {
            svg.line("leader", &leader);
        }
    }
    for (point, place) in points.iter().zip(&places) {
        let pass = if point.is_forward { "forward" } else { "backward" };
        let title = format!(
            "{} {pass}: {:.1} GFLOP/s, {:.1} FLOP/byte, {:.1} GB/s",
            point.name, point.gflops, point.flop_per_byte, point.gbytes
        );
        svg.point(point.colour(), *place, point.is_forward, &title);
    }
    for label in &labels {
        svg.text(&format!("small halo {}", label.colour), label.at, Anchor::Start, &label.text);
    }
    svg
}

fn titles(svg: &mut Svg, measured: &Measured) {
    let Measured { network, side, isa, threads, .. } = measured;
    svg.text("title", (LEFT, 28.0), Anchor::Start, "Roofline of an evaluation's layers");
    let line = format!("{network}, {side}×{side} pixels, {isa}, {threads} threads");
    svg.text("muted", (LEFT, 50.0), Anchor::Start, &line);
    let at = RIGHT - 212.0;
    svg.point("f1", (at, 24.0), true, "forward");
    svg.text("small", (at + 12.0, 28.0), Anchor::Start, "forward pass");
    svg.point("f2", (at + 104.0, 24.0), false, "backward");
    svg.text("small", (at + 116.0, 28.0), Anchor::Start, "backward pass");
    svg.line("line s5", &[(at - 6.0, 46.0), (at + 6.0, 46.0)]);
    svg.text("small", (at + 12.0, 50.0), Anchor::Start, "peaks, measured with it");
    let of_caches = match measured.bandwidth.is_of_caches() {
        true => " Its buffers fit in the caches: it is not that of memory.",
        false => "",
    };
    let notes = [
        "1_1 is relu1_1 with its convolution, and so on. Pools count no operations, and are not here.".to_owned(),
        "Operations are those of a convolution's definition. Winograd's filtering does up to 4 times fewer: its layers may be \
         above the roof."
            .to_owned(),
        format!(
            "Bytes are what a pass has to read and write, each value once. Bandwidth: a triad over {:.0} MB.{of_caches}",
            measured.bandwidth.buffers as f64 / 1e6
        ),
    ];
    for (line, note) in notes.iter().enumerate() {
        svg.text("small muted", (LEFT, HEIGHT - 45.0 + 17.0 * line as f64), Anchor::Start, note);
    }
}

fn axes(svg: &mut Svg, x: Axis, y: Axis) {
    for (value, is_labelled) in x.ticks() {
        let at = x.place(value);
        svg.line(if is_labelled { "grid" } else { "faint" }, &[(at, TOP), (at, BOTTOM)]);
        if is_labelled {
            svg.text("small", (at, BOTTOM + 18.0), Anchor::Middle, &number(value));
        }
    }
    for (value, is_labelled) in y.ticks() {
        let at = y.place(value);
        svg.line(if is_labelled { "grid" } else { "faint" }, &[(LEFT, at), (RIGHT, at)]);
        if is_labelled {
            svg.text("small", (LEFT - 8.0, at + 4.0), Anchor::End, &number(value));
        }
    }
    svg.line("axis", &[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)]);
    let middle = 0.5 * (LEFT + RIGHT);
    svg.text("", (middle, BOTTOM + 40.0), Anchor::Middle, "arithmetic intensity, FLOP/byte");
    svg.upright_text("", (20.0, 0.5 * (TOP + BOTTOM)), "GFLOP/s");
}

/// Draws the roof, with its words where no point is.
fn roof(svg: &mut Svg, measured: &Measured, (x, y): (Axis, Axis), ridge: f64, taken: &mut Vec<Area>) {
    let (left, right) = x.values();
    let peak = y.place(measured.peak_gflops);
    let corner = (x.place(ridge), peak);
    svg.line("line s5", &[(LEFT, y.place(measured.roof(left))), corner, (x.place(right), peak)]);
    let arithmetic = format!("{:.0} GFLOP/s: multiply-adds", measured.peak_gflops);
    // Above it, as far right as there is room, or below it.
    let beside = [peak - 7.0, peak + 17.0].map(|baseline| {
        let last = RIGHT - 4.0 - text_width(&arithmetic);
        (0..40).map(move |step| (last - 10.0 * f64::from(step), baseline)).filter(|at| at.0 > corner.0)
    });
    words(svg, &arithmetic, beside.into_iter().flatten(), taken);
    let memory = format!("{:.1} GB/s: memory", measured.bandwidth.bytes_per_second / 1e9);
    // Below the slope, near its middle.
    let below = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1].map(|part| {
        let intensity = left.powf(1.0 - part) * ridge.powf(part);
        (x.place(intensity) + 12.0, y.place(measured.roof(intensity)) + 16.0)
    });
    words(svg, &memory, below.into_iter(), taken);
}

/// Writes the words at the first of these places that is free, or at the first one.
fn words(
    svg: &mut Svg,
    text: &str,
    mut places: impl Iterator<Item = (f64, f64)> + Clone,
    taken: &mut Vec<Area>,
) {
    let area =
        |(x, y): (f64, f64)| Area { left: x, right: x + text_width(text), top: y - 12.0, bottom: y + 4.0 };
    let is_free = |at: &(f64, f64)| !taken.iter().any(|other| area(*at).overlaps(other));
    if let Some(at) = places.clone().find(is_free).or_else(|| places.next()) {
        svg.text("small muted halo", at, Anchor::Start, text);
        taken.push(area(at));
    }
}

/// What is drawn on already.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_in_chart(&self) -> bool {
        self.left > LEFT + 2.0 && self.right < RIGHT && self.top > TOP && self.bottom < BOTTOM - 2.0
    }
}

/// A point's name in the chart.
struct Label {
    text: String,
    colour: &'static str,
    /// Where its text begins.
    at: (f64, f64),
    /// From the point, where the text is away from it.
    leader: Option<[(f64, f64); 2]>,
}

/// About as wide as the text is.
fn text_width(text: &str) -> f64 {
    6.6 * text.chars().count() as f64
}

/// A label where there is room: beside its point, or as near as possible.
fn label(point: &Point, (x, y): (f64, f64), taken: &mut Vec<Area>) -> Option<Label> {
    let text = point.name.trim_start_matches("relu").to_owned();
    let (width, height) = (text_width(&text), 13.0);
    for distance in [13.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0] {
        for direction in 0..16 {
            let angle = f64::from(direction) / 16.0 * TAU;
            // The text's nearest side is as far away as the distance says.
            let centre = (
                x + angle.cos() * (distance + 0.5 * width - 4.0),
                y + angle.sin() * (distance + 0.5 * height - 6.0),
            );
            let area = Area {
                left: centre.0 - 0.5 * width,
                right: centre.0 + 0.5 * width,
                top: centre.1 - 0.5 * height,
                bottom: centre.1 + 0.5 * height,
            };
            if area.is_in_chart() && !taken.iter().any(|other| area.overlaps(other)) {
                taken.push(area);
                let to = (x + angle.cos() * (distance - 4.0), y + angle.sin() * (distance - 4.0));
                let leader = (distance > 20.0).then_some([(x, y), to]);
                let at = (area.left, area.bottom - 3.0);
                return Some(Label { text, colour: point.colour(), at, leader });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_away_from_points() {
        let mut svg = Svg::new(WIDTH, HEIGHT, "");
        let places = [(100.0, 200.0), (150.0, 200.0), (400.0, 200.0)];
        let point = Area { left: 170.0, right: 180.0, top: 190.0, bottom: 200.0 };
        let mut taken = vec![point];
        words(&mut svg, "100 GFLOP/s", places.into_iter(), &mut taken);
        assert_eq!(taken[1].left, 400.0);
        // Where there is no room, they are there all the same.
        words(&mut svg, "100 GFLOP/s", places[1..].iter().copied(), &mut taken);
        assert_eq!(taken[2].left, 150.0);
    }

    #[test]
    fn labels_do_not_overlap() {
        let point = |name: &str| Point {
            name: name.to_owned(),
            is_forward: true,
            flop_per_byte: 1.0,
            gflops: 1.0,
            gbytes: 1.0,
        };
        let (mut taken, mut placed) = (Vec::new(), 0);
        // All at the same place: there is room around it for some.
        for name in 0..12 {
            placed +=
                usize::from(label(&point(&format!("relu{name}_1")), (400.0, 300.0), &mut taken).is_some());
        }
        assert_eq!(placed, 12);
        for (index, area) in taken.iter().enumerate() {
            assert!(
                area.is_in_chart() && !taken[..index].iter().any(|other| area.overlaps(other)),
                "{area:?}"
            );
        }
    }
}
