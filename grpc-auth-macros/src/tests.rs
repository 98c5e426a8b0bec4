//! What four services expand to. `UPDATE_EXPECT=1 cargo test -p grpc-auth-macros` blesses new
//! expansions.

mod incomplete;
mod names;

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;
use quote::quote;

fn check(options: TokenStream, item: TokenStream, expected: &ExpectFile) {
    let file = syn::parse2(crate::expand::protect(options, item)).unwrap();
    expected.assert_eq(&prettyplease::unparse(&file));
}

#[test]
fn a_service_with_every_kind_of_rule() {
    let item = quote! {
        #[tonic::async_trait]
        impl Echo for EchoService {
            #[require_scopes("read:echo")]
            async fn unary_echo(
                &self,
                request: Request<EchoRequest>,
                claims: Claims<Tenant>,
            ) -> Result<Response<EchoReply>, Status> {
                self.echo(request, claims)
            }

            type ExpandStream = Replies;

            #[require_scopes(scopes::WRITE, any("team:blue", all("a", "b")), rpc = "Expand")]
            async fn expand_it(
                &self,
                Request { message, .. }: Request<EchoRequest>,
            ) -> Result<Response<Self::ExpandStream>, Status> {
                expand(message)
            }

            #[authenticated]
            async fn chat(
                &self,
                mut request: Request<Streaming<EchoRequest>>,
            ) -> Result<Response<Self::ExpandStream>, Status> {
                request.get_mut()
            }

            #[allow_unauthenticated]
            async fn ping(
                &self,
                _: Request<()>,
                caller: Option<Principal>,
            ) -> Result<Response<()>, Status> {
                Ok(Response::new(()))
            }
        }
    };
    check(TokenStream::new(), item, &expect_file!["expansions/every_rule.rs"]);
}

#[test]
fn a_generic_service_with_options_a_default_and_cfg() {
    let options = quote!(server = pb::EchoServer, crate = renamed, descriptor = pb::DESCRIPTOR);
    let item = quote! {
        #[authenticated]
        #[cfg(feature = "echo")]
        #[tonic::async_trait]
        impl<S: Store> pb::Echo for Service<S>
        where
            S: Send + Sync + 'static,
        {
            async fn get_url(self: Arc<Self>, request: Request<()>) -> Result<Response<()>, Status> {
                self.store.get(request)
            }

            #[cfg(feature = "admin")]
            #[renamed::require_scopes("admin:all")]
            #[tracing::instrument(skip_all)]
            async fn r#move(self: Arc<Self>, request: Request<()>) -> Result<Response<()>, Status> {
                self.store.r#move(request)
            }
        }
    };
    check(options, item, &expect_file!["expansions/generic.rs"]);
}

#[test]
fn a_service_that_async_trait_has_seen() {
    let item = quote! {
        impl Echo for EchoService {
            #[require_scopes("read:echo")]
            #[allow(clippy::async_yields_async)]
            fn unary_echo<'life0, 'async_trait>(
                &'life0 self,
                __arg1: Request<EchoRequest>,
                caller: Principal,
            ) -> Pin<Box<dyn Future<Output = Result<Response<EchoReply>, Status>> + Send + 'async_trait>>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async move { let _ = __arg1; let caller = caller; reply(caller) })
            }
        }
    };
    check(TokenStream::new(), item, &expect_file!["expansions/below_async_trait.rs"]);
}

#[test]
fn a_service_with_requirements_beyond_its_rules() {
    let item = quote! {
        #[require_scopes("read:echo")]
        #[tonic::async_trait]
        impl Echo for EchoService {
            #[require(owns_echo)]
            #[cfg(feature = "echo")]
            #[grpc_auth::require(|claims: &Claims<Tenant>, _| claims.staff)]
            async fn unary_echo(
                &self,
                _: Request<EchoRequest>,
                claims: Claims<Tenant>,
            ) -> Result<Response<EchoReply>, Status> {
                reply(claims)
            }

            #[authenticated]
            #[require(Self::is_member)]
            async fn chat(
                &self,
                mut request: Request<tonic::Streaming<EchoRequest>>,
            ) -> Result<Response<EchoReply>, Status> {
                reply(request.get_mut())
            }
        }
    };
    check(TokenStream::new(), item, &expect_file!["expansions/requirements.rs"]);
}

/// Whatever is wrong, the user's impl is emitted, and a type that asks for `protect` finds it.
#[test]
fn a_mistake_keeps_the_impl() {
    let item = quote! {
        impl Echo for EchoService {
            async fn ping(&self, request: Request<()>) -> Result<Response<()>, Status> { reply() }
        }
    };
    let expanded = crate::expand::protect(TokenStream::new(), item).to_string();
    for text in ["compile_error !", "impl Echo for EchoService", "reply ()", "ProtectedService"] {
        assert!(expanded.contains(text), "{text} in {expanded}");
    }
}

#[test]
fn an_item_that_may_be_a_method_is_refused() {
    let item = quote! {
        impl Echo for EchoService {
            #[authenticated]
            default async fn ping(&self, request: Request<()>) -> Result<Response<()>, Status> {
                reply()
            }
        }
    };
    let expanded = crate::expand::protect(TokenStream::new(), item).to_string();
    assert!(expanded.contains("cannot read this item, which may be a method"), "{expanded}");
}

#[test]
fn each_option_of_a_rule_is_in_its_help_and_in_the_documents() {
    let documents = include_str!("../../grpc-auth/src/lib.rs");
    let help = crate::diagnostics::unknown_key(&syn::parse_quote!(role)).to_string();
    for option in crate::attr::OPTIONS {
        assert!(help.contains(&format!("`{option} = ")), "{help}");
        assert!(documents.contains(&format!(", {option} = ")), "the documents lack `{option}`");
    }
}
