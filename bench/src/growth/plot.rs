//! Line plots as SVG: the axis to the right is logarithmic, the one upwards begins at zero.

use std::fmt::Write as _;

pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 66.0;
const GAP: f64 = 84.0;
/// Told apart also without colours: by them and by the stroke.
const STROKES: [(&str, &str); 4] =
    [("#c2410c", "none"), ("#1d4ed8", "6 3"), ("#15803d", "2 3"), ("#7e22ce", "8 2 2 2")];

/// Panels side by side, under one title.
pub(super) fn svg(title: &str, panels: &[Panel]) -> String {
    let width = LEFT + panels.len() as f64 * (WIDTH + GAP);
    let height = TOP + HEIGHT + 40.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(title)
    );
    for (nth, panel) in panels.iter().enumerate() {
        draw(&mut text, panel, LEFT + nth as f64 * (WIDTH + GAP));
    }
    text.push_str("</svg>\n");
    text
}

fn draw(text: &mut String, panel: &Panel, left: f64) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let (low, high) =
        points().fold((f64::INFINITY, 1.0_f64), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
    let low = if low.is_finite() { low.max(1e-9) } else { 1.0 };
    let top = nice(points().fold(0.0, |top: f64, (_, y)| top.max(*y)));
    let decades = (high / low).log10().max(f64::MIN_POSITIVE);
    let place =
        |(x, y): (f64, f64)| (left + (x / low).log10() / decades * WIDTH, TOP + HEIGHT - y / top * HEIGHT);
    // Writing into a string does not fail.
    let _ = writeln!(text, "<text x=\"{left}\" y=\"{:.0}\">{}</text>", TOP - 26.0, escaped(panel.title));
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let (_, y) = place((low, value));
        let _ = writeln!(
            text,
            "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d4d4d4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#525252\">{}</text>",
            left + WIDTH,
            left - 6.0,
            y + 4.0,
            short(value)
        );
    }
    if let Some(first) = panel.lines.first() {
        for (x, _) in &first.points {
            let (at, _) = place((*x, 0.0));
            let _ = writeln!(
                text,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#525252\">{}</text>",
                TOP + HEIGHT + 18.0,
                short(*x)
            );
        }
    }
    for (nth, (line, (colour, dashes))) in panel.lines.iter().zip(STROKES.iter().cycle()).enumerate() {
        let corners: Vec<String> = line
            .points
            .iter()
            .map(|point| {
                let (x, y) = place(*point);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            corners.join(" "),
            left + nth as f64 * 80.0,
            TOP - 10.0,
            escaped(&line.name)
        );
    }
}

/// The next number upwards that reads well as the end of an axis.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].iter().map(|step| step * unit).find(|end| *end >= value).unwrap_or(value)
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        _ if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_inside_its_panel() {
        let points = vec![(1.0, 10.0), (100.0, 0.0), (10_000.0, 37.5)];
        let line = Line { name: "a<b".to_owned(), points };
        let drawn = svg("growth", &[Panel { title: "cost", lines: vec![line] }]);

        let corners = drawn.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let corners: Vec<(f64, f64)> = corners
            .split(' ')
            .map(|corner| corner.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert_eq!(corners.first().unwrap().0, LEFT);
        assert_eq!(corners.last().unwrap().0, LEFT + WIDTH);
        assert!(corners.iter().all(|(_, y)| (TOP..=TOP + HEIGHT).contains(y)), "{corners:?}");
        assert!(drawn.contains("a&lt;b"));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([37.5, 1.0, 0.3, 10_001.0, 0.0].map(nice), [40.0, 1.0, 0.4, 20_000.0, 1.0]);
    }
}
