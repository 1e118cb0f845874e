//! `report.html`: one file that needs no other.

use std::fmt::Write;

use super::charts::{COLORS, corners, lines, memory, programs};
use super::results::{OURS, Results, SORTED_VEC, short, size};
use super::targets::{Verdict, tally, verdicts};

/// What cannot be read off the numbers.
const METHOD: &str = "Every subject runs the same operations; its answers and its final contents are \
hashed, and a hash other than the oracle's ends the run. Rounds of all subjects take turns on one core. \
Shown is the least thread time of all rounds, divided by the operations. Times of one run can be compared \
with each other, not with those of another machine.";

/// How the method favours somebody.
const BIAS: &[&str] = &[
    "The workloads are those of an address space; a map that is never asked for free ranges needs no gap index.",
    "Ordered maps from crates (brie-tree, bbtree, std) run inside one straightforward algorithm, keyed by the \
     end of a range; somebody who knows one of them well may do better.",
    "All subjects keep a value of 32 bytes, except the address space, which keeps its own of 24 bytes.",
    "Streams of operations come from the tree's answers, made beforehand; the tree is not asked while others are timed.",
    "Between rounds states are copied, which packs the memory of subjects whose copy is made in order.",
];

type Page = Result<String, Box<dyn std::error::Error>>;

/// The whole page.
pub(crate) fn page(results: &Results) -> Page {
    let mut page = String::new();
    let verdicts = verdicts(results);
    write!(
        page,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    )?;
    write!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\">"
    )?;
    write!(
        page,
        "<title>gaptree benchmarks</title><style>{}</style></head><body>",
        style()
    )?;
    write!(page, "<h1>gaptree benchmarks</h1>")?;
    head(&mut page, results)?;
    legend(&mut page, results)?;
    summary(&mut page, results)?;
    page += "<h2>Time over the number of regions</h2><p>Nanoseconds an operation; both axes are logarithmic. \
        Lower is better.</p><div class=\"grid\">";
    for workload in results.workloads() {
        let single = results.sizes(workload).len() < 2;
        let other = ["bytes", "peak", "largest", "trace:"];
        if single || other.iter().any(|prefix| workload.starts_with(prefix)) {
            continue;
        }
        write!(
            page,
            "<figure><figcaption>{workload}</figcaption>{}</figure>",
            lines(results, workload, (430, 290))?
        )?;
    }
    page += "</div>";
    if results
        .workloads()
        .iter()
        .any(|name| name.starts_with("trace:"))
    {
        write!(
            page,
            "<h2>Recorded programs</h2><p>Time of the best rival and of the standard library's map, in \
            multiples of the tree's; bars end at 5. Shorter is faster.</p>\
            <div class=\"wide\">{}</div>",
            programs(results)?
        )?;
    }
    // The largest size at which everybody takes part.
    let mut sizes = results.sizes("bytes_built").into_iter();
    let of_all = |n: &usize| results.min("bytes_built", *n, SORTED_VEC).is_some();
    if let Some(n) = sizes.rfind(of_all) {
        write!(
            page,
            "<h2>Bytes a region</h2><p>{} regions; what was asked of the allocator.</p>\
            <div class=\"wide\">{}</div>",
            size(n),
            memory(results, n)?
        )?;
    }
    targets(&mut page, &verdicts)?;
    write!(page, "<h2>Method</h2><p>{METHOD}</p><h2>Bias</h2><ul>")?;
    for bias in BIAS {
        write!(page, "<li>{bias}</li>")?;
    }
    page += "</ul></body></html>\n";
    Ok(page)
}

/// Machine, commit, and what else the file says about the run.
fn head(page: &mut String, results: &Results) -> std::fmt::Result {
    page.push_str("<p class=\"head\">");
    for (key, value) in &results.head {
        write!(page, "<b>{key}</b> {value} ")?;
    }
    page.push_str("</p>");
    Ok(())
}

/// Each subject with its colour and marker.
fn legend(page: &mut String, results: &Results) -> std::fmt::Result {
    page.push_str("<p class=\"legend\">");
    for subject in results.subjects() {
        let color = super::charts::color(subject);
        let hex = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
        let shape = match corners(subject) {
            3 => format!("<polygon points=\"12,2 17,11 7,11\" fill=\"{hex}\"/>"),
            4 => format!("<rect x=\"8\" y=\"3\" width=\"8\" height=\"8\" fill=\"{hex}\"/>"),
            _ => format!("<circle cx=\"12\" cy=\"7\" r=\"4.5\" fill=\"{hex}\"/>"),
        };
        let ours = if OURS.contains(&subject) {
            " class=\"ours\""
        } else {
            ""
        };
        write!(
            page,
            "<span{ours}><svg width=\"24\" height=\"14\"><line x1=\"0\" x2=\"24\" y1=\"7\" y2=\"7\" \
            stroke=\"{hex}\" stroke-width=\"2\"/>{shape}</svg> {subject}</span> "
        )?;
    }
    page.push_str("</p>");
    Ok(())
}

/// The tree's time and its ratio to the best rival, workloads by sizes.
fn summary(page: &mut String, results: &Results) -> std::fmt::Result {
    let workloads = results.workloads();
    let compared: Vec<&str> = workloads
        .into_iter()
        .filter(|name| {
            !name.starts_with("trace:")
                && results.sizes(name).iter().any(|&n| {
                    results.best_rival(name, n).is_some()
                        && results.min(name, n, "gaptree").is_some()
                })
        })
        .collect();
    let mut sizes: Vec<usize> = compared
        .iter()
        .flat_map(|name| results.sizes(name))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    page.push_str("<h2>The tree against the best rival</h2><p>Ratio (below 1 we win), our value, the best rival. \
        Nanoseconds or bytes.</p><div class=\"wide\"><table><tr><th>workload</th>");
    for &n in &sizes {
        write!(page, "<th>{}</th>", size(n))?;
    }
    page.push_str("</tr>");
    for workload in compared {
        write!(page, "<tr><td>{workload}</td>")?;
        for &n in &sizes {
            match (
                results.min(workload, n, "gaptree"),
                results.best_rival(workload, n),
            ) {
                (Some(own), Some((rival, best))) => {
                    let ratio = own / best;
                    let class = match ratio {
                        ..0.95 => "win",
                        ..1.05 => "even",
                        _ => "loss",
                    };
                    let mark = match class {
                        "win" => "▲",
                        "even" => "=",
                        _ => "▽",
                    };
                    write!(
                        page,
                        "<td class=\"{class}\"><b>{mark} {}</b><br><small>{} : {} {rival}</small></td>",
                        share(ratio),
                        short(own),
                        short(best)
                    )?;
                }
                _ => page.push_str("<td>-</td>"),
            }
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></div>");
    Ok(())
}

/// A ratio with at least two digits that say something.
fn share(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

/// Every target, the missed ones first.
fn targets(page: &mut String, verdicts: &[Verdict]) -> std::fmt::Result {
    let (met, all) = tally(verdicts);
    write!(
        page,
        "<h2>Targets</h2><p>{met} of {all} are met; missed ones come first.</p><div class=\"wide\"><table>\
        <tr><th>target</th><th>at</th><th>against</th><th>at most</th><th>got</th><th>met</th></tr>"
    )?;
    let mut sorted: Vec<&Verdict> = verdicts.iter().collect();
    sorted.sort_by_key(|verdict| verdict.is_met());
    for verdict in sorted {
        let Verdict {
            what,
            at,
            against,
            limit,
            got,
        } = verdict;
        let (class, word) = if verdict.is_met() {
            ("win", "yes")
        } else {
            ("loss", "NO")
        };
        write!(
            page,
            "<tr><td>{what}</td><td>{at}</td><td>{against}</td><td>{limit}</td>\
            <td>{got:.3}</td><td class=\"{class}\">{word}</td></tr>"
        )?;
    }
    page.push_str("</table></div>");
    Ok(())
}

/// The style sheet. In the dark it replaces the colours of the charts.
fn style() -> String {
    let mut style = STYLE.to_owned();
    style += "@media (prefers-color-scheme: dark) {";
    for (_, light, dark) in COLORS {
        let hex = format!("#{:02X}{:02X}{:02X}", light.0, light.1, light.2);
        style += &format!("[fill=\"{hex}\"]{{fill:{dark}}}[stroke=\"{hex}\"]{{stroke:{dark}}}");
    }
    style += DARK;
    style
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#222;--back:#fff;--line:#ddd;--win:#d7ecfa;--loss:#fbe0cf}\
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--back:#16181c;--line:#3a3d44;--win:#123a55;--loss:#5a2c10}}\
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:1400px;margin:1.5em auto;padding:0 1em}\
h1{margin:.2em 0}h2{margin:1.6em 0 .3em}p{margin:.3em 0}\
.head{font-size:13px}.head b{margin-left:1em}.head b:first-child{margin:0}\
.legend{position:sticky;top:0;background:var(--back);padding:.5em 0;border-bottom:1px solid var(--line)}\
.legend span{white-space:nowrap;margin-right:1em}.legend svg{vertical-align:-2px}.ours{font-weight:bold}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(430px,100%),1fr));gap:8px}\
figure{margin:0}figure svg{max-width:100%;height:auto}figcaption{font-weight:bold;padding-left:48px}.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:13px}td,th{white-space:nowrap;border:1px solid var(--line);padding:2px 8px;text-align:right}\
td:first-child,th:first-child{text-align:left}.win{background:var(--win)}.loss{background:var(--loss)}";

/// Text, axes and grid of the charts.
const DARK: &str = "[fill=\"#222222\"]{fill:#e8e8e8}[stroke=\"#222222\"]{stroke:#e8e8e8}[stroke=\"#DDDDDD\"]{stroke:#3a3d44}}";

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::page;
    use crate::bench::charts::headline;

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let page = page(&sample()).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
        assert!(page.contains("▲ 0.50") && page.contains("3 of 4 are met"));
        for outside in ["http://", "https://", "src=", "@import"] {
            let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!without_namespace.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_headline_is_a_chart() {
        assert!(headline(&sample()).unwrap().contains("<svg"));
    }
}
