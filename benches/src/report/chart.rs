//! The answers as pictures: one bar for each contestant, on a ground of their own, so
//! that they can be read on a light page and on a dark one.

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::table::name;
use crate::measure::Estimate;
use crate::question::Answer;

const WIDTH: u32 = 860;
const MARGIN: i32 = 16;
/// Where the bars begin, and how long the longest is, in pixels.
const BARS: i32 = 300;
const LONGEST: f64 = 330.0;
/// The height of what is above the bars, and of a bar with its gap.
const HEAD: i32 = 56;
const STEP: i32 = 26;
const BAR: i32 = 16;
const FONT: &str = "sans-serif";

const GROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(101, 109, 118);
const OURS: RGBColor = RGBColor(9, 105, 218);
const OTHERS: RGBColor = RGBColor(175, 184, 193);

/// A picture.
pub(super) struct Chart {
    file: String,
    title: String,
    unit: &'static str,
    bars: Vec<Bar>,
}

struct Bar {
    label: String,
    ours: bool,
    estimate: Estimate,
    decimals: usize,
}

impl Chart {
    /// The pictures of an answer.
    pub(super) fn of(answer: &Answer) -> Vec<Self> {
        match answer {
            Answer::Handshake(answer) => {
                let tables = [
                    ("handshake", "no cookie", &answer.without_cookie),
                    ("handshake-cookie", "with cookie", &answer.with_cookie),
                ];
                let charts = tables.map(|(file, cookie, rows)| Self {
                    file: format!("{file}.svg"),
                    title: format!("DTLS-PSK handshake, client and server, {cookie}"),
                    unit: "µs",
                    bars: rows
                        .iter()
                        .map(|row| Bar {
                            label: label(&row.who.name, row.who.suite),
                            ours: row.who.ours,
                            estimate: row.microseconds,
                            decimals: 1,
                        })
                        .collect(),
                });
                charts.into()
            }
            Answer::Records(answer) => {
                let charts = answer.sizes.iter().map(|size| Self {
                    file: format!("records-{}.svg", size.payload),
                    title: format!("A record of {} bytes, sealed and opened", size.payload),
                    unit: "ns",
                    bars: size
                        .rows
                        .iter()
                        .map(|row| Bar {
                            label: label(&name(&row.who, row.raw), row.who.suite),
                            ours: row.who.ours && !row.raw,
                            estimate: row.both,
                            decimals: 0,
                        })
                        .collect(),
                });
                charts.collect()
            }
            Answer::Negotiation(answer) => {
                let tables = [
                    ("negotiation", "first contact", &answer.first),
                    ("negotiation-return", "on return", &answer.on_return),
                ];
                let charts = tables.map(|(file, contact, rows)| Self {
                    file: format!("{file}.svg"),
                    title: format!("Key negotiation, device and gateway, {contact}"),
                    unit: "µs",
                    bars: rows
                        .iter()
                        .flat_map(|row| {
                            let alone = format!("{}: operations alone", row.name);
                            let bar =
                                |label, ours, estimate| Bar { label, ours, estimate, decimals: 0 };
                            [
                                bar(row.name.clone(), true, row.both),
                                bar(alone, false, row.operations),
                            ]
                        })
                        .collect(),
                });
                charts.into()
            }
            // Two numbers of different things are no picture, and the primitives are too
            // many of them.
            Answer::Fleet(_) | Answer::Primitives(_) => Vec::new(),
            Answer::Scale(answer) => {
                let bars = answer.rows.iter().map(|row| Bar {
                    label: format!("{} sessions", row.sessions),
                    ours: true,
                    estimate: row.datagram,
                    decimals: 0,
                });
                let title = "A datagram handled by a server of many sessions".to_owned();
                vec![Self { file: "scale.svg".to_owned(), title, unit: "ns", bars: bars.collect() }]
            }
            Answer::Echo(answer) => {
                let charts = answer.crowds.iter().map(|crowd| Self {
                    file: format!("echo-{}-{}.svg", crowd.clients, crowd.window),
                    title: format!(
                        "Echoes a second over loopback: {} clients, {} at a time",
                        crowd.clients, crowd.window
                    ),
                    unit: "/s",
                    bars: crowd
                        .rows
                        .iter()
                        .map(|row| Bar {
                            label: row.name.clone(),
                            ours: row.ours,
                            estimate: row.per_second,
                            decimals: 0,
                        })
                        .collect(),
                });
                charts.collect()
            }
            Answer::Memory(answer) => {
                let charts = answer.sessions.iter().enumerate().map(|(index, sessions)| Self {
                    file: format!("memory-{sessions}.svg"),
                    title: format!("Heap of each of {sessions} idle sessions of a server"),
                    unit: "bytes",
                    bars: answer
                        .rows
                        .iter()
                        .filter_map(|row| {
                            let estimate = exactly((*row.bytes.get(index)?)?);
                            let label = label(&row.who.name, row.who.suite);
                            Some(Bar { label, ours: row.who.ours, estimate, decimals: 0 })
                        })
                        .collect(),
                });
                charts.collect()
            }
            Answer::Encoding(answer) => {
                let bars = answer.totals().map(|(row, bytes)| {
                    let (label, estimate) = (row.encoding.to_owned(), exactly(bytes));
                    Bar { label, ours: row.ours, estimate, decimals: 0 }
                });
                vec![Self {
                    file: "encoding.svg".to_owned(),
                    title: format!("{} typical messages together", answer.messages.len()),
                    unit: "bytes",
                    bars: bars.collect(),
                }]
            }
        }
    }

    /// What its file is called.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The picture, shortest bar first.
    pub(super) fn to_svg(&self) -> anyhow::Result<String> {
        let mut bars = Vec::from_iter(&self.bars);
        bars.sort_by(|one, other| one.estimate.median.total_cmp(&other.estimate.median));
        let longest = bars.iter().map(|bar| bar.estimate.upper).fold(f64::MIN_POSITIVE, f64::max);
        let scale = LONGEST / longest;
        let height = HEAD + STEP * i32::try_from(bars.len())? + MARGIN;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs()));
            let area = area.into_drawing_area();
            let drawn = (|| {
                area.fill(&GROUND)?;
                let title = (FONT, 20).into_font().color(&INK);
                area.draw(&Text::new(self.title.clone(), (MARGIN, MARGIN), title))?;
                for (index, bar) in (0..).zip(bars) {
                    bar.draw(&area, HEAD + STEP * index, scale, self.unit)?;
                }
                area.present()
            })();
            drawn.map_err(|error| anyhow!("{} can't be drawn: {error}", self.file))?;
        }
        Ok(svg)
    }
}

/// A number that was counted.
fn exactly(bytes: usize) -> Estimate {
    let bytes = bytes as f64;
    Estimate { median: bytes, lower: bytes, upper: bytes }
}

fn label(name: &str, suite: &str) -> String {
    match suite.strip_prefix("AES") {
        Some(_) => format!("{name} ({suite})"),
        None => name.trim().to_owned(),
    }
}

type Area<'s> = DrawingArea<SVGBackend<'s>, plotters::coord::Shift>;
type Drawn<'s> = Result<(), DrawingAreaErrorKind<<SVGBackend<'s> as DrawingBackend>::ErrorType>>;

impl Bar {
    fn draw<'s>(&self, area: &Area<'s>, top: i32, scale: f64, unit: &str) -> Drawn<'s> {
        let Estimate { median, lower, upper } = self.estimate;
        let at = |value: f64| BARS + (value * scale).round() as i32;
        let (middle, bottom) = (top + BAR / 2, top + BAR);
        let text = |size, color| TextStyle::from((FONT, size).into_font()).color(color);
        let color = if self.ours { &OURS } else { &OTHERS };
        let beside = text(16, &INK).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(self.label.clone(), (BARS - 8, middle), beside))?;
        area.draw(&Rectangle::new([(BARS, top), (at(median), bottom)], color.filled()))?;
        // Where the middle half of the measurements lies.
        area.draw(&PathElement::new([(at(lower), middle), (at(upper), middle)], INK))?;
        let value = match lower == upper {
            true => format!("{median:.0$} {unit}", self.decimals),
            false => {
                let spread = self.estimate.spread() * 100.0;
                let mark = if self.estimate.is_disturbed() { " (!)" } else { "" };
                format!("{median:.0$} {unit} ± {spread:.0} %{mark}", self.decimals)
            }
        };
        let behind = text(15, &FAINT).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(value, (at(upper.max(median)) + 8, middle), behind))
    }
}
