//! The page: HTML with its style inside, light or dark as the reader's system is.

use std::fmt::Write;

use super::picture::Shown;
use crate::svg::{self, Svg, escaped};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#24292f;--muted:#57606a;--paper:#fff;--shade:#f6f8fa;--rule:#d8dee4}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--paper:#0d1117;--shade:#161b22;--rule:#30363d}}\
*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:24px 20px 48px;background:var(--paper);color:var(--ink);\
font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
h1{font-size:1.6rem;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:36px 0 12px;padding-top:16px;\
border-top:1px solid var(--rule)}p{margin:6px 0;max-width:75ch}.muted{color:var(--muted)}\
.note{border-left:4px solid #bc4c00;background:var(--shade);padding:8px 12px;margin:12px 0}\
.pictures{display:flex;flex-wrap:wrap;gap:20px;align-items:flex-end;margin:14px 0}figure{margin:0;max-width:100%;min-width:0}\
figure img{display:block;max-width:100%;height:auto;background:var(--shade)}figcaption{margin-top:6px;font-weight:600;\
overflow-wrap:anywhere}figcaption span{display:block;font-weight:400;color:var(--muted);font-size:.87rem}\
.groups{display:flex;flex-wrap:wrap;gap:0 28px}.groups .pictures{flex-wrap:nowrap;align-items:flex-start;gap:6px}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}\
svg.chart{width:100%;height:auto;display:block}.wide{overflow-x:auto}.wide svg.chart{min-width:820px}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{text-align:right;padding:4px 12px 4px 0;\
white-space:nowrap;border-bottom:1px solid var(--rule)}th{color:var(--muted);font-weight:600}\
th:first-child,td:first-child,td.word,th.word{text-align:left}td.word:last-child{white-space:normal;min-width:24ch}\
td.path{white-space:normal;overflow-wrap:anywhere;min-width:18ch}tr.all td{font-weight:600}\
table.properties td{text-align:left;white-space:normal;overflow-wrap:anywhere}table.properties td:first-child{\
color:var(--muted);white-space:nowrap;vertical-align:top}\
pre{background:var(--shade);padding:12px;border-radius:6px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;\
font:13px/1.5 ui-monospace,monospace;margin:8px 0}summary{cursor:pointer;color:var(--muted)}";

/// A page that is being written. All text is escaped.
pub(super) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        let body = format!("<h1>{title}</h1>\n");
        Self { title, body }
    }

    pub(super) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escaped(text));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p class=\"muted\">{}</p>", escaped(text));
    }

    /// What must not be missed.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p class=\"note\">{}</p>", escaped(text));
    }

    /// Text as it is typed.
    pub(super) fn code(&mut self, text: &str) {
        let _ = writeln!(self.body, "<pre>{}</pre>", escaped(text));
    }

    /// The same, which is seen only when asked for.
    pub(super) fn hidden_code(&mut self, summary: &str, text: &str) {
        let (summary, text) = (escaped(summary), escaped(text));
        let _ = writeln!(self.body, "<details><summary>{summary}</summary><pre>{text}</pre></details>");
    }

    pub(super) fn pictures<'s>(&mut self, pictures: impl IntoIterator<Item = &'s Shown>) {
        self.body.push_str("<div class=\"pictures\">\n");
        for Shown { caption, detail, size: (width, height), uri } in pictures {
            let (caption, detail) = (escaped(caption), escaped(detail));
            let _ = writeln!(
                self.body,
                "<figure><img src=\"{uri}\" width=\"{width}\" height=\"{height}\" alt=\"{caption}\">\
                 <figcaption>{caption}<span>{detail}</span></figcaption></figure>"
            );
        }
        self.body.push_str("</div>\n");
    }

    /// Pictures side by side, of which those of a group stay together.
    pub(super) fn groups(&mut self, groups: &[Vec<Shown>]) {
        self.body.push_str("<div class=\"groups\">\n");
        groups.iter().for_each(|group| self.pictures(group));
        self.body.push_str("</div>\n");
    }

    /// Charts side by side, where the page is wide enough.
    pub(super) fn charts<'s>(&mut self, charts: impl IntoIterator<Item = &'s Svg>) {
        self.body.push_str("<div class=\"charts\">\n");
        charts.into_iter().for_each(|chart| self.body.push_str(&chart.part()));
        self.body.push_str("</div>\n");
    }

    /// A chart of the page's width, which is moved where the page is narrow.
    pub(super) fn wide_chart(&mut self, chart: &Svg) {
        let _ = writeln!(self.body, "<div class=\"wide\">\n{}</div>", chart.part());
    }

    /// A table. Columns below a head that ends in a colon hold words, in two colons paths, which may be broken anywhere; the last
    /// row is all together where `has_sum`.
    pub(super) fn table(&mut self, heads: &[&str], rows: &[Vec<String>], has_sum: bool) {
        let class = |column: usize| match heads[column] {
            head if head.ends_with("::") => " class=\"word path\"",
            head if head.ends_with(':') => " class=\"word\"",
            _ => "",
        };
        self.body.push_str("<div class=\"wide\"><table>\n<thead><tr>");
        for (column, head) in heads.iter().enumerate() {
            let _ = write!(self.body, "<th{}>{}</th>", class(column), escaped(head.trim_end_matches(':')));
        }
        self.body.push_str("</tr></thead>\n<tbody>\n");
        for (index, row) in rows.iter().enumerate() {
            self.body.push_str(if has_sum && index + 1 == rows.len() {
                "<tr class=\"all\">"
            } else {
                "<tr>"
            });
            for (column, cell) in row.iter().enumerate() {
                let _ = write!(self.body, "<td{}>{}</td>", class(column), escaped(cell));
            }
            self.body.push_str("</tr>\n");
        }
        self.body.push_str("</tbody></table></div>\n");
    }

    /// Names and what they are.
    pub(super) fn properties(&mut self, rows: &[(&str, String)]) {
        self.body.push_str("<table class=\"properties\"><tbody>\n");
        for (name, value) in rows {
            let _ = writeln!(self.body, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(value));
        }
        self.body.push_str("</tbody></table>\n");
    }

    /// The whole page. Its policy forbids to load anything.
    pub(super) fn html(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
             style-src 'unsafe-inline'\">\n\
             <title>{}</title>\n<style>{STYLE}\n{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
            self.title,
            svg::STYLE,
            self.body
        )
    }
}
