//! The head of a request that may be sent again.

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};
use tonic::GrpcMethod;

/// All of it. Each call keeps one, so that it is made of what is cheap to copy.
pub(super) struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    extensions: Kept,
}

/// Clients of tonic's leave the name of the method there, and hardly anything else is; a map would
/// cost more than all the rest.
enum Kept {
    Method(GrpcMethod<'static>),
    All(Extensions),
}

impl Head {
    pub(super) fn of(parts: &Parts) -> Self {
        let extensions = match parts.extensions.get::<GrpcMethod<'static>>() {
            Some(method) if parts.extensions.len() == 1 => Kept::Method(method.clone()),
            _ => Kept::All(parts.extensions.clone()),
        };
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            headers: parts.headers.clone(),
            extensions,
        }
    }

    /// The head of another request.
    pub(super) fn parts(&self) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.method.clone();
        parts.uri = self.uri.clone();
        parts.version = self.version;
        parts.headers = self.headers.clone();
        match &self.extensions {
            Kept::Method(method) => {
                parts.extensions.insert(method.clone());
            }
            Kept::All(extensions) => parts.extensions = extensions.clone(),
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_is_as_the_first_one() {
        let method = || GrpcMethod::new("echo.Echo", "Unary");
        for has_more in [false, true] {
            let (mut parts, ()) = Request::post("https://a.example/echo.Echo/Unary")
                .version(Version::HTTP_2)
                .header("te", "trailers")
                .extension(method())
                .body(())
                .unwrap()
                .into_parts();
            if has_more {
                parts.extensions.insert("more");
            }
            let again = Head::of(&parts).parts();
            assert_eq!((&again.method, &again.uri), (&parts.method, &parts.uri));
            assert_eq!((&again.headers, again.version), (&parts.headers, parts.version));
            assert_eq!(again.extensions.get::<GrpcMethod<'static>>().unwrap().method(), "Unary");
            assert_eq!(again.extensions.get::<&str>().is_some(), has_more);
        }
    }
}
