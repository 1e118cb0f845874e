//! Charts as SVG: lines over the number of regions, bars for the rest.
//!
//! Colours are those of Okabe and Ito, which the colour-blind can tell apart;
//! lines also differ in markers. The page's style sheet replaces them by lighter
//! ones where the page is dark.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::results::{OURS, Results, TREE, is_rival, short, size};

type Drawing<T> = Result<T, Box<dyn std::error::Error>>;

/// What text and axes are drawn in; the page's style sheet knows these colours.
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

/// Subjects with their colour on a light page and on a dark one.
pub(crate) const COLORS: [(&str, RGBColor, &str); 13] = [
    ("gaptree", RGBColor(0x00, 0x72, 0xb2), "#4db5ff"),
    ("gaptree-vec", RGBColor(0x56, 0xb4, 0xe9), "#a8dcff"),
    ("addr-space", RGBColor(0x00, 0x9e, 0x73), "#3ddbaa"),
    ("brie-tree", RGBColor(0xd5, 0x5e, 0x00), "#ff8a3d"),
    ("bbtree", RGBColor(0xe6, 0x9f, 0x00), "#ffc233"),
    ("std-btreemap", RGBColor(0x44, 0x44, 0x44), "#e4e4e4"),
    ("rangemap", RGBColor(0xcc, 0x79, 0xa7), "#f0a8cf"),
    ("nodit", RGBColor(0x8a, 0x5a, 0x2b), "#c9975f"),
    ("flat-vec", RGBColor(0x9a, 0x94, 0x00), "#e8e04a"),
    ("boost-icl", RGBColor(0x7b, 0x3f, 0xa0), "#c79be8"),
    ("llvm", RGBColor(0xb0, 0x00, 0x20), "#ff7b8e"),
    ("maple-tree", RGBColor(0xc9, 0x1f, 0x8f), "#ff7fd0"),
    ("reference", RGBColor(0x99, 0x99, 0x99), "#8a8a8a"),
];

pub(crate) fn color(subject: &str) -> RGBColor {
    let found = COLORS.iter().find(|(name, _, _)| *name == subject);
    found.map_or(INK, |&(_, color, _)| color)
}

/// The shape of a subject's points: the number of corners, 0 for a circle.
pub(crate) fn corners(subject: &str) -> usize {
    let index = COLORS.iter().position(|(name, _, _)| *name == subject);
    [0, 4, 3][index.unwrap_or(0) % 3]
}

fn svg(extent: (u32, u32), draw: impl FnOnce(&Canvas<'_>) -> Drawing<()>) -> Drawing<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, extent).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    Ok(text)
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn font(height: u32) -> TextStyle<'static> {
    ("sans-serif", height).into_font().color(&INK)
}

/// A marker with the subject's shape.
fn marker(subject: &str, at: (i32, i32)) -> Polygon<(i32, i32)> {
    let radius = if OURS.contains(&subject) { 4.5 } else { 3.5 };
    let count = match corners(subject) {
        0 => 12,
        corners => corners,
    };
    let corner = |index: usize| {
        let turn = index as f64 / count as f64 + if count == 4 { 0.125 } else { 0.75 };
        let angle = turn * std::f64::consts::TAU;
        let along = |part: f64, start: i32| start + (part * radius).round() as i32;
        (along(angle.cos(), at.0), along(angle.sin(), at.1))
    };
    let corners: Vec<_> = (0..count).map(corner).collect();
    Polygon::new(corners, color(subject).filled())
}

/// Nanoseconds over the number of regions, both logarithmic, a line a subject.
/// The page says beside the chart what lines and axes are.
pub(crate) fn lines(results: &Results, workload: &str, extent: (u32, u32)) -> Drawing<String> {
    plot(results, workload, extent, None)
}

/// The chart of [`lines`]; `unit` names the vertical axis and asks for a chart
/// that stands alone, with names for all that is in it.
fn plot(
    results: &Results,
    workload: &str,
    extent: (u32, u32),
    unit: Option<&str>,
) -> Drawing<String> {
    let rows = results.rows.iter().filter(|row| row.workload == workload);
    let rows: Vec<_> = rows.filter(|row| row.subject != "floor").collect();
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (left, right) = bounds(&mut rows.iter().map(|row| row.n as f64));
    let (low, high) = bounds(&mut rows.iter().map(|row| row.min));
    let low = low.max(0.05);
    let room = if unit.is_some() { 16 } else { 0 };
    svg(extent, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .margin_right(18)
            .x_label_area_size(30 + room)
            .y_label_area_size(48 + room)
            .build_cartesian_2d(
                (left * 0.8..right.max(left * 2.0) * 1.25).log_scale(),
                (low * 0.7..high * 1.4).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|n| size(n.round() as usize))
            .y_label_formatter(&|value| short(*value).replace(".0", ""))
            .label_style(font(12))
            .axis_desc_style(font(13))
            .x_desc(unit.map_or("", |_| "regions"))
            .y_desc(unit.unwrap_or(""))
            .draw()?;
        // Ours are drawn last, on top.
        let mut subjects = results.subjects();
        subjects.sort_by_key(|subject| OURS.contains(subject));
        if unit.is_some() {
            legend(root, &subjects)?;
        }
        for subject in subjects {
            let points = rows.iter().filter(|row| row.subject == subject);
            let points: Vec<_> = points.map(|row| (row.n as f64, row.min.max(low))).collect();
            let width = if subject == TREE { 3 } else { 1 };
            let style = color(subject).stroke_width(width);
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            for point in &points {
                root.draw(&marker(subject, chart.backend_coord(point)))?;
            }
        }
        Ok(())
    })
}

/// The names of lines, in the upper left corner: what grows leaves it free.
fn legend(root: &Canvas<'_>, subjects: &[&str]) -> Drawing<()> {
    const LEFT: i32 = 88;
    let mut y = 20;
    for subject in subjects.iter().rev() {
        let line = vec![(LEFT, y), (LEFT + 28, y)];
        let width = if *subject == TREE { 3 } else { 1 };
        root.draw(&PathElement::new(line, color(subject).stroke_width(width)))?;
        root.draw(&marker(subject, (LEFT + 14, y)))?;
        let text = Text::new((*subject).to_owned(), (LEFT + 36, y - 6), font(12));
        root.draw(&text)?;
        y += 18;
    }
    Ok(())
}

/// A bar: its label, whose colour, its value.
pub(crate) struct Bar<'a> {
    pub(crate) subject: &'a str,
    pub(crate) value: f64,
}

/// Horizontal bars in groups, from zero, the value at each bar's end. Bars that
/// are longer than `most` end there.
pub(crate) fn bars(groups: &[(String, Vec<Bar<'_>>)], most: f64) -> Drawing<String> {
    const THICK: i32 = 13;
    const LEFT: i32 = 170;
    const WIDE: i32 = 560;
    let count: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let tall = count as i32 * THICK + groups.len() as i32 * 9 + 12;
    let scale = |value: f64| (value.min(most) / most * f64::from(WIDE)).round() as i32;
    let extent = ((LEFT + WIDE + 170).unsigned_abs(), tall.unsigned_abs());
    svg(extent, |root| {
        let mut y = 6;
        for (label, bars) in groups {
            root.draw(&Text::new(label.clone(), (4, y), font(13)))?;
            for bar in bars {
                let end = LEFT + scale(bar.value).max(1);
                let corners = [(LEFT, y + 1), (end, y + THICK - 1)];
                root.draw(&Rectangle::new(corners, color(bar.subject).filled()))?;
                let text = format!("{} {}", short(bar.value), bar.subject);
                root.draw(&Text::new(text, (end + 5, y), font(11)))?;
                y += THICK;
            }
            y += 9;
        }
        Ok(())
    })
}

/// Of each recorded program, how many times longer others take than the tree:
/// the best rival and the standard library's map.
pub(crate) fn programs(results: &Results) -> Drawing<String> {
    let mut groups = Vec::new();
    for workload in results.workloads() {
        let Some(program) = workload.strip_prefix("trace:") else {
            continue;
        };
        for n in results.sizes(workload) {
            let bar = |subject| {
                let value = results.min(workload, n, subject)?;
                Some(Bar { subject, value })
            };
            let best = results.best_rival(workload, n).map(|(name, _)| name);
            let mut subjects = vec![TREE];
            subjects.extend(best);
            subjects.extend(
                ["std-btreemap"]
                    .into_iter()
                    .filter(|name| Some(*name) != best),
            );
            let bars: Vec<_> = subjects.into_iter().filter_map(bar).collect();
            // One program has ten thousand times as many regions as another:
            // bars of nanoseconds would hide all but that one.
            let own = bars.first().map_or(1.0, |bar| bar.value);
            let relative = bars.into_iter().map(|bar| Bar {
                value: bar.value / own,
                ..bar
            });
            groups.push((program.to_owned(), relative.collect()));
        }
    }
    bars(&groups, 5.0)
}

/// Bytes a region after insertions and after churn, at one size.
pub(crate) fn memory(results: &Results, n: usize) -> Drawing<String> {
    let of = |workload: &str| -> Vec<Bar<'_>> {
        let rows = results.rows.iter();
        let here = rows.filter(|row| row.workload == workload && row.n == n);
        here.map(|row| Bar {
            subject: &row.subject,
            value: row.min,
        })
        .collect()
    };
    let groups = [
        ("inserted".to_owned(), of("bytes_built")),
        ("after churn".to_owned(), of("bytes_churned")),
        ("peak".to_owned(), of("peak_churned")),
    ];
    let all = groups.iter().flat_map(|(_, bars)| bars);
    let most = all.map(|bar| bar.value).fold(0.0, f64::max);
    bars(&groups, most)
}

/// The headline chart: churn, of the tree and its rivals.
pub(crate) fn headline(results: &Results) -> Drawing<String> {
    let shown = results
        .only(|row| row.workload == "churn" && (row.subject == TREE || is_rival(&row.subject)));
    plot(&shown, "churn", (640, 400), Some("ns a pair"))
}
