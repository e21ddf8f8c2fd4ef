//! What charts are drawn with: SVG of axes, lines and text, light or dark as the reader's system is.

use std::fmt::Write;

/// Text as XML and HTML take it, in elements and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no other controls, and none of them is to be seen.
            character if character.is_control() && !matches!(character, '\n' | '\t') => escaped.push('?'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// The classes that charts use, which may be said once in a page with many.
pub(crate) const STYLE: &str = "\
.chart text{font:13px system-ui,sans-serif;fill:#24292f}.chart .small{font-size:12px}\
.chart .title{font-size:16px;font-weight:600}.chart .muted{fill:#57606a}\
.chart .paper{fill:#fff}.chart .halo{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}\
.chart .grid{stroke:#d8dee4;stroke-width:1;fill:none}.chart .faint{stroke:#eef1f4;stroke-width:1;fill:none}\
.chart .axis{stroke:#57606a;stroke-width:1;fill:none}.chart .leader{stroke:#8c959f;stroke-width:.7;fill:none}\
.chart .mark{stroke:#57606a;stroke-width:1;stroke-dasharray:4 3;fill:none}\
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round}\
.chart .s1{stroke:#0969da}.chart .s2{stroke:#bc4c00}.chart .s3{stroke:#1a7f37}.chart .s4{stroke:#8250df}\
.chart .s5{stroke:#57606a}\
.chart .f1{fill:#0969da}.chart .f2{fill:#bc4c00}\
@media(prefers-color-scheme:dark){.chart text{fill:#e6edf3}.chart .muted{fill:#9198a1}.chart .paper{fill:#0d1117}\
.chart .halo{stroke:#0d1117}.chart .grid{stroke:#30363d}.chart .faint{stroke:#1c2128}.chart .axis{stroke:#9198a1}\
.chart .leader{stroke:#656c76}.chart .mark{stroke:#9198a1}\
.chart .s1{stroke:#58a6ff}.chart .s2{stroke:#f0883e}.chart .s3{stroke:#56d364}.chart .s4{stroke:#bc8cff}\
.chart .s5{stroke:#9198a1}\
.chart .f1{fill:#58a6ff}.chart .f2{fill:#f0883e}}";

/// Where text stands of its point.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A chart that is being drawn.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    label: String,
    body: String,
}

impl Svg {
    /// An empty one of this size, with what it shows in words for those who can't see it.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let body = format!("<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n");
        Self { width, height, label: escaped(label), body }
    }

    /// A line through points.
    pub(crate) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.body, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// Text that is read from below.
    pub(crate) fn upright_text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{text}</text>"
        );
    }

    /// A disc, or a square on its corner, that says `title` where the pointer is.
    pub(crate) fn point(&mut self, class: &str, (x, y): (f64, f64), is_disc: bool, title: &str) {
        let title = escaped(title);
        let _ = match is_disc {
            true => writeln!(
                self.body,
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"><title>{title}</title></circle>"
            ),
            false => writeln!(
                self.body,
                "<path class=\"{class}\" d=\"M{x:.1} {:.1}l5.5 5.5-5.5 5.5-5.5-5.5z\"><title>{title}</title></path>",
                y - 5.5
            ),
        };
    }

    /// The chart as a part of a page that has [`STYLE`].
    pub(crate) fn part(&self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-label=\"{}\">\n{}</svg>\n",
            self.width, self.height, self.label, self.body
        )
    }

    /// The chart as a file.
    pub(crate) fn file(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" \
             width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{}\">\n\
             <style>{STYLE}</style>\n{}</svg>\n",
            self.label,
            self.body,
            w = self.width,
            h = self.height
        )
    }
}

/// An axis, from where to where it lies in the chart, and the values that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    places: (f64, f64),
    values: (f64, f64),
    is_logarithmic: bool,
}

impl Axis {
    /// From 0 or another value on.
    pub(crate) fn linear(places: (f64, f64), (low, high): (f64, f64)) -> Self {
        Self { places, values: (low, if high > low { high } else { low + 1.0 }), is_logarithmic: false }
    }

    /// Of powers of ten, with a little room around values above 0.
    pub(crate) fn logarithmic(places: (f64, f64), (low, high): (f64, f64)) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = high.max(low);
        // A tick or two at the least.
        let room = (0.04 * (high / low).log10()).max((0.5 - 0.5 * (high / low).log10()).max(0.0));
        let factor = 10f64.powf(room);
        Self { places, values: (low / factor, high * factor), is_logarithmic: true }
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.is_logarithmic { value.log10() } else { value }
    }

    /// Where a value is in the chart.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (low, high) = (self.scaled(self.values.0), self.scaled(self.values.1));
        let (from, to) = self.places;
        from + (self.scaled(value) - low) / (high - low) * (to - from)
    }

    pub(crate) fn values(&self) -> (f64, f64) {
        self.values
    }

    /// Round values along the axis, each with whether it is to be labelled.
    pub(crate) fn ticks(&self) -> Vec<(f64, bool)> {
        let (low, high) = self.values;
        match self.is_logarithmic {
            true => logarithmic_ticks(low, high),
            false => linear_ticks(low, high),
        }
    }
}

/// All of one digit, of which the powers of ten are labelled, and others where there are few of those.
fn logarithmic_ticks(low: f64, high: f64) -> Vec<(f64, bool)> {
    let decades = (high / low).log10();
    let labelled: &[u32] = match decades {
        ..1.3 => &[1, 2, 3, 5, 7],
        1.3..2.6 => &[1, 2, 5],
        _ => &[1],
    };
    // Where there are many powers of ten, only every other one or so.
    let every = (decades / 8.0).ceil().max(1.0) as i32;
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let mut ticks = Vec::new();
    for power in first..=last {
        for digit in 1..10 {
            let value = f64::from(digit) * 10f64.powi(power);
            if (low..=high).contains(&value) {
                let is_labelled = labelled.contains(&digit) && power.rem_euclid(every) == 0;
                ticks.push((value, is_labelled));
            }
        }
    }
    ticks
}

/// Between four and ten multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<(f64, bool)> {
    let rough = (high - low) / 6.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|count| (count as f64 * step, true)).collect()
}

/// A number as an axis has it, short.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => {
            let text = format!("{value:.0e}");
            text.split_once('e').map_or(text.clone(), |(digits, power)| match digits {
                "1" => format!("10{}", raised(power)),
                _ => format!("{digits}·10{}", raised(power)),
            })
        }
        _ => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

fn raised(digits: &str) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |digit: char| digit.to_digit(10).map_or('⁻', |digit| RAISED[digit as usize]);
    digits.chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("<b>&\".png'\u{1b}"), "&lt;b&gt;&amp;&quot;.png&#39;?");
    }

    #[test]
    fn axes_place_their_values() {
        let axis = Axis::linear((100.0, 0.0), (0.0, 50.0));
        assert_eq!([0.0, 25.0, 50.0].map(|value| axis.place(value)), [100.0, 50.0, 0.0]);
        let axis = Axis::logarithmic((0.0, 200.0), (1.0, 100.0));
        assert!((axis.place(10.0) - 100.0).abs() < 1e-9);
        assert!(axis.place(1.0) > 0.0 && axis.place(100.0) < 200.0);
        // One value, and none above 0, are in the chart as well.
        for value in [3.0, 0.0] {
            let axis = Axis::logarithmic((0.0, 200.0), (value, value));
            assert!((axis.place(value.max(f64::MIN_POSITIVE)) - 100.0).abs() < 1e-6);
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |axis: Axis| -> Vec<String> {
            axis.ticks().into_iter().filter(|tick| tick.1).map(|tick| number(tick.0)).collect()
        };
        assert_eq!(labels(Axis::linear((0.0, 1.0), (0.0, 200.0))), ["0", "50", "100", "150", "200"]);
        assert_eq!(labels(Axis::logarithmic((0.0, 1.0), (1.0, 1000.0))), ["1", "10", "100", "1000"]);
        assert_eq!(labels(Axis::logarithmic((0.0, 1.0), (1.2, 9.0))), ["2", "3", "5", "7", "10"]);
        for (low, high) in [(1e-9, 1e9), (0.5, 0.5), (1e-3, 7.0), (30.0, 41.0)] {
            let count = labels(Axis::logarithmic((0.0, 1.0), (low, high))).len();
            assert!((1..=10).contains(&count), "{count} of {low} to {high}");
        }
        assert_eq!([1e-5, 2e6, 0.002, 1500.0, 0.0].map(number), ["10⁻⁵", "2·10⁶", "0.002", "1500", "0"]);
    }
}
