//! What the browser is shown: in the end, and in the file that it begins with.

use std::fmt::{Display, Write as _};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::callback::filter::NotTheAnswer;
use super::error::LoginError;

const STYLE: &str = include_str!("pages.css");

/// The words of the two pages.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) language: String,
    /// Heading and text.
    pub(crate) success: (String, String),
    /// Heading and text.
    pub(crate) failure: (String, String),
}

/// A response.
pub(crate) struct Page {
    status: u16,
    /// Lines of its head, besides those that every page has.
    more: String,
    html: String,
}

impl Pages {
    pub(crate) fn new() -> Self {
        Self {
            language: "en".into(),
            success: (
                "You are logged in".into(),
                "You can close this window and go back to the program.".into(),
            ),
            failure: (
                "You are not logged in".into(),
                "Go back to the program: it says what to do next.".into(),
            ),
        }
    }

    pub(crate) fn success(&self) -> Page {
        let (heading, text) = &self.success;
        Page::new(200, self.html("good", heading, text, None))
    }

    /// The text of an error holds nothing secret.
    pub(crate) fn failure(&self, error: &LoginError) -> Page {
        let (heading, text) = &self.failure;
        Page::new(400, self.html("bad", heading, text, Some(error)))
    }

    pub(crate) fn not_the_answer(&self, problem: NotTheAnswer) -> Page {
        let heading = "This is not the answer that the login waits for";
        let text = "Nothing has changed by it. Start again from the program if you came here while \
                    you were logging in.";
        Page::new(problem.status(), self.html("bad", heading, text, Some(&problem)))
    }

    fn html(&self, kind: &str, heading: &str, text: &str, problem: Option<&dyn Display>) -> String {
        let mark = match kind {
            "good" => "M14 25l7 7 14-16",
            _ => "M24 13v15M24 34v1",
        };
        let (role, detail) = match problem {
            Some(problem) => {
                ("alert", format!("<p class=\"detail\">{}</p>\n", escaped(&problem.to_string())))
            }
            None => ("status", String::new()),
        };
        let (language, heading, text) = (escaped(&self.language), escaped(heading), escaped(text));
        format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main class=\"{kind}\" role=\"main\">\n\
             <svg width=\"48\" height=\"48\" viewBox=\"0 0 48 48\" aria-hidden=\"true\">\
             <circle cx=\"24\" cy=\"24\" r=\"24\"/><path d=\"{mark}\"/></svg>\n\
             <div role=\"{role}\">\n<h1>{heading}</h1>\n<p>{text}</p>\n{detail}</div>\n\
             </main>\n</body>\n</html>\n"
        )
    }
}

/// The file that the browser opens: it leads to this address at once, or by a link
/// where that is forbidden.
pub(crate) fn start_file(address: &str) -> String {
    let address = escaped(address);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\">\n\
         <title>Log in</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>Log in</h1>\n<p><a href=\"{address}\">Go on to the login</a></p>\n</main>\n\
         </body>\n</html>\n"
    )
}

impl Page {
    fn new(status: u16, html: String) -> Self {
        Self { status, more: String::new(), html }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Leads to another address, with a cookie for the way back. After 303 nothing of this request
    /// is sent on (RFC 9110 §15.4.4).
    pub(crate) fn send_on(address: &Url, cookie: &str) -> Self {
        let more = format!("location: {address}\r\nset-cookie: {cookie}\r\n");
        Self { status: 303, more, html: String::new() }
    }

    /// As HTTP/1.1. Nothing in it runs, is loaded, kept or told to anyone.
    pub(crate) fn response(&self) -> Vec<u8> {
        let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        let mut response = format!(
            "HTTP/1.1 {} {reason}\r\n\
             content-type: text/html; charset=utf-8\r\n\
             content-length: {}\r\n\
             content-security-policy: default-src 'none'; style-src 'sha256-{style}'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             cache-control: no-store\r\n\
             referrer-policy: no-referrer\r\n\
             x-content-type-options: nosniff\r\n\
             cross-origin-opener-policy: same-origin\r\n\
             cross-origin-resource-policy: same-origin\r\n\
             connection: close\r\n",
            self.status,
            self.html.len(),
        );
        if self.status == 405 {
            response.push_str("allow: GET\r\n");
        }
        response.push_str(&self.more);
        response.push_str("\r\n");
        response.push_str(&self.html);
        response.into_bytes()
    }
}

/// As text of a document, or in a quoted attribute. Its text may be hostile.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => {
                // A String takes everything.
                let _ = escaped.write_char(character);
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_stays_text() {
        let error = LoginError::Refused {
            error: "<script>".into(),
            description: Some("\" onload='x' & \u{202e}\u{7}".into()),
        };
        let html = Pages::new().failure(&error).html;
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
        assert!(html.contains("&#39;x&#39; &amp; ") && !html.contains('\u{7}'), "{html}");
    }

    #[test]
    fn the_style_is_the_one_that_the_policy_allows() {
        let response = String::from_utf8(Pages::new().success().response()).unwrap();
        let (head, html) = response.split_once("\r\n\r\n").unwrap();
        let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
        assert!(head.contains(&format!("style-src 'sha256-{hash}'")), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", html.len())), "{head}");
    }
}
