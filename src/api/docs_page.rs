//! The clothes of the pages for readers: one stylesheet with the console's colours, and a header with links.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The stylesheet.
const STYLE: &str = include_str!("docs.css");
/// The icon of the tab.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" \
    fill=\"#0f6a70\"/><path fill=\"none\" stroke=\"#fff\" stroke-width=\"2.5\" stroke-linecap=\"round\" \
    stroke-linejoin=\"round\" d=\"M21.2 11.6c-.9-1.6-2.8-2.6-5.2-2.6-3 0-5.1 1.5-5.1 3.7 0 5 10.4 2.1 10.4 7 0 2.2-2.2 \
    3.7-5.2 3.7-2.7 0-4.8-1.1-5.7-2.8\"/></svg>";
/// The console's mark.
const MARK: &str = "<svg viewBox=\"0 0 32 32\" aria-hidden=\"true\"><rect width=\"32\" height=\"32\" rx=\"8\"/>\
    <path d=\"M21.2 11.6c-.9-1.6-2.8-2.6-5.2-2.6-3 0-5.1 1.5-5.1 3.7 0 5 10.4 2.1 10.4 7 0 2.2-2.2 3.7-5.2 3.7-2.7 \
    0-4.8-1.1-5.7-2.8\"/></svg>";

/// The parts of the documentation that the header leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The reference.
    Reference,
    /// The guides.
    Guides,
}

/// A page of the documentation.
pub(super) struct DocsPage<'a> {
    /// The title, which is trusted HTML.
    pub(super) title: &'a str,
    /// The part that the page belongs to.
    pub(super) part: Part,
    /// More links to stylesheets, which come before ours.
    pub(super) head: &'a str,
    /// The content below the header.
    pub(super) body: &'a str,
}

impl DocsPage<'_> {
    /// The page as HTML. Its links are relative, so that they work below any path prefix of a reverse proxy.
    pub(super) fn html(&self) -> String {
        let Self { title, part, head, body } = self;
        // The path of the folder of `/docs/`, seen from the page.
        let (class, docs) = match part {
            Part::Reference => (" class=\"reference\"", ""),
            Part::Guides => ("", "../"),
        };
        let current = |of: Part| if of == *part { " aria-current=\"true\"" } else { "" };
        let (reference, guides) = (current(Part::Reference), current(Part::Guides));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"{class}><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title} · Sojourn</title><link rel=\"icon\" href=\"{docs}icon.svg\">{head}<link rel=\"stylesheet\" href=\"{docs}docs.css\"></head><body>\
             <a class=\"skip\" href=\"#main\">Skip to the text</a>\
             <header class=\"bar\"><div><a class=\"brand\" href=\"{docs}../\">{MARK}Sojourn <span>{version}</span></a>\
             <nav aria-label=\"Sojourn\"><a href=\"{docs}./\"{reference}>Reference</a>\
             <a href=\"{docs}guide/README.md\"{guides}>Guides</a><a href=\"{docs}../admin\">Console</a></nav>\
             </div></header>{body}</body></html>\n",
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

/// The stylesheet, at `/docs/docs.css`.
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// The icon, at `/docs/icon.svg`.
pub(super) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, content).into_response()
}
