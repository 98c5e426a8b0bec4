//! A person at oidc-provider's pages, without a browser.

use std::collections::HashMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

/// Keeps cookies, follows redirects, and sends each form as it is, with a name and a password where
/// it asks for them.
#[derive(Debug)]
pub(crate) struct Person {
    http: Client,
    cookies: HashMap<String, String>,
}

impl Person {
    /// A person who was never there before.
    pub(crate) fn new() -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, cookies: HashMap::new() }
    }

    /// Goes there, allows whatever is asked for as `alice`, and gives the last page.
    pub(crate) async fn allow(mut self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        if let Ok(path) = url.to_file_path() {
            // What a browser is opened with, and where it leads.
            let file = std::fs::read_to_string(path).unwrap();
            let (_, rest) = file.split_once("content=\"0; url=").unwrap();
            url = rest.split('"').next().unwrap().parse().unwrap();
        }
        let mut form = None;
        loop {
            let answer = self.send(&url, form.take()).await;
            if let Some(location) = answer.headers().get(LOCATION) {
                url = url.join(location.to_str().unwrap()).unwrap();
                continue;
            }
            let page = answer.text().await.unwrap();
            let Some((action, fields)) = read_form(&page) else { return page };
            url = url.join(&action).unwrap();
            form = Some(fields);
        }
    }

    async fn send(&mut self, url: &Url, form: Option<Vec<(String, String)>>) -> Response {
        let request = match form {
            Some(form) => self.http.post(url.clone()).form(&form),
            None => self.http.get(url.clone()),
        };
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            self.cookies.insert(name.into(), value.into());
        }
        answer
    }
}

/// Where the page's form leads, and what it sends.
fn read_form(page: &str) -> Option<(String, Vec<(String, String)>)> {
    let (_, form) = page.split_once("<form")?;
    let form = form.split("</form>").next()?;
    let value = |tag: &str, name: &str| {
        let (_, value) = tag.split_once(&format!("{name}=\""))?;
        value.split('"').next().map(ToOwned::to_owned)
    };
    let fields = form.split("<input").skip(1).filter_map(|input| {
        let name = value(input, "name")?;
        let text = match &*name {
            "login" => "alice".into(),
            "password" => "wonderland".into(),
            _ => value(input, "value").unwrap_or_default(),
        };
        Some((name, text))
    });
    Some((value(form, "action")?, fields.collect()))
}
