//! A person at their browser, as far as a program that logs them in needs one.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use url::Url;

use super::server::TestAuthorizationServer;

/// More pages than any login has.
const MAX_PAGES: usize = 20;

impl TestAuthorizationServer {
    /// Does what a person does whose browser was opened at this address, by a program that logs them
    /// in: goes where the page leads, signs in at this server as this user, who need not be
    /// registered, consents, and goes back. Returns the page that is shown at the end.
    ///
    /// ```
    /// # #[cfg(feature = "login")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::OAuthClient;
    /// use grpc_auth::testing::{TestAuthorizationServer, ClientRegistration};
    ///
    /// let issuer = std::sync::Arc::new(TestAuthorizationServer::start().await?);
    /// let login = OAuthClient::oidc(issuer.url(), ClientAuthentication::none("cli")).login();
    /// let cli = ClientRegistration::public("cli").redirect_uri(login.redirect_uri()?);
    /// issuer.register(cli.scopes(["read:echo"]));
    ///
    /// let person = issuer.clone();
    /// let login = login.clone().browser(move |url| {
    ///     let (person, url) = (person.clone(), url.clone());
    ///     tokio::spawn(async move { person.approve_login(&url, "alice").await });
    ///     Ok(())
    /// });
    /// assert_eq!(login.run().await?.subject(), Some("alice"));
    /// # Ok(()) }
    /// # #[cfg(not(feature = "login"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// When a page is not there, or the browser would be sent from page to page for ever.
    ///
    /// # Panics
    /// As [`approve_authorization`](Self::approve_authorization).
    pub async fn approve_login(&self, opened: &Url, user: &str) -> io::Result<String> {
        self.browse(opened, |address| self.approve_authorization(address, user)).await
    }

    /// Does what a person does who does not consent; see [`approve_login`](Self::approve_login).
    ///
    /// # Errors
    /// As [`approve_login`](Self::approve_login).
    ///
    /// # Panics
    /// As [`approve_authorization`](Self::approve_authorization).
    pub async fn deny_login(&self, opened: &Url) -> io::Result<String> {
        self.browse(opened, |address| self.deny_authorization(address)).await
    }

    async fn browse(&self, opened: &Url, decide: impl Fn(&str) -> String) -> io::Result<String> {
        let own = format!("{}authorize?", self.url());
        let mut browser = Browser::new()?;
        let mut url = opened.clone();
        for _ in 0..MAX_PAGES {
            if url.as_str().starts_with(&own) {
                url = decide(url.as_str()).parse().map_err(io::Error::other)?;
                continue;
            }
            match browser.open(&url).await? {
                ControlFlow::Continue(next) => url = next,
                ControlFlow::Break(page) => return Ok(page),
            }
        }
        Err(io::Error::other("the browser is sent from page to page"))
    }
}

/// Keeps its cookies, from every server.
struct Browser {
    http: reqwest::Client,
    cookies: HashMap<String, String>,
}

impl Browser {
    fn new() -> io::Result<Self> {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
        Ok(Self { http: http.map_err(io::Error::other)?, cookies: HashMap::new() })
    }

    /// What a page says, or where it leads.
    async fn open(&mut self, url: &Url) -> io::Result<ControlFlow<String, Url>> {
        let (location, page) = if let Ok(path) = url.to_file_path() {
            (None, std::fs::read_to_string(path)?)
        } else {
            let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let cookies = pairs.collect::<Vec<_>>().join("; ");
            let request = self.http.get(url.clone()).header(COOKIE, cookies);
            let response = request.send().await.map_err(io::Error::other)?;
            self.keep_cookies(response.headers());
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
            (location, response.text().await.map_err(io::Error::other)?)
        };
        Ok(match location.or_else(|| refresh(&page)) {
            Some(next) => ControlFlow::Continue(url.join(&next).map_err(io::Error::other)?),
            None => ControlFlow::Break(page),
        })
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies.insert(name.into(), value.into());
            }
        }
    }
}

/// Where a page sends its reader by itself.
fn refresh(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("http-equiv=\"refresh\" content=\"0; url=")?;
    let (address, _) = rest.split_once('"')?;
    Some(address.replace("&amp;", "&"))
}
