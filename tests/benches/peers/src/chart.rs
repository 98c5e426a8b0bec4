//! The results as a chart: bars with numbers, on a background of its own, light or dark as the
//! reader's system is.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use crate::columns::Column;
use crate::mode::Mode;
use crate::report::{Measured, Results};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 230.0;
const LONGEST: f64 = 450.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 44.0;
const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .note { font-size: 12px; fill: #59636e }
  .back { fill: #ffffff; stroke: #d1d9e0 }
  .bar { fill: #afb8c1 }
  .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .note { fill: #9198a1 }
    .back { fill: #0d1117; stroke: #3d444d }
    .bar { fill: #59636e }
    .ours { fill: #4493f8 }
  }
";

/// Draws the last results of all modes.
pub(crate) fn draw(results: &Path) -> Result<String, Box<dyn Error>> {
    let mut body = String::new();
    let mut y = 30.0;
    text(&mut body, 20.0, y, "title", "Calls a second on one core; longer is better")?;
    y += 20.0;
    let note = "interleaved rounds of one run, the best of each; each group has its own scale";
    text(&mut body, 20.0, y, "note", note)?;
    for mode in Mode::ALL {
        let results = Results::read(results, mode)?;
        y += HEAD;
        text(&mut body, 20.0, y - 12.0, "title", mode.title())?;
        let longest =
            results.columns.iter().map(Measured::most_calls_per_second).fold(1.0, f64::max);
        // What a ratio is worth is said in the tables.
        let again = Column::NoAuthAgain.to_string();
        for column in results.columns.iter().filter(|column| column.name != again) {
            bar(&mut body, y, column, longest)?;
            y += ROW;
        }
    }
    let height = y + 16.0;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Calls a second\">\n\
         <style>{STYLE}</style>\n\
         <rect class=\"back\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         {body}</svg>\n",
        WIDTH - 1.0,
        height - 1.0,
    ))
}

fn bar(body: &mut String, y: f64, column: &Measured, longest: f64) -> Result<(), Box<dyn Error>> {
    let calls = column.most_calls_per_second();
    let width = LONGEST * calls / longest;
    let class = if column.name == Column::GrpcAuth.to_string() { "ours" } else { "bar" };
    text(body, 20.0, y + 13.0, "name", &column.name)?;
    writeln!(
        body,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\"/>",
        ROW - 5.0,
    )?;
    text(body, LEFT + width + 6.0, y + 13.0, "number", &thousands(calls))
}

fn text(body: &mut String, x: f64, y: f64, class: &str, text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>")?)
}

/// 119,400: what was measured is not known more exactly.
fn thousands(calls: f64) -> String {
    let hundreds = (calls / 100.0).round() as u64;
    format!("{},{}00", hundreds / 10, hundreds % 10)
}
