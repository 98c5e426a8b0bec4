#[cfg(feature = "echo")]
#[tonic::async_trait]
impl<S: Store> pb::Echo for Service<S>
where
    S: Send + Sync + 'static,
{
    async fn get_url(
        self: Arc<Self>,
        request: Request<()>,
    ) -> Result<Response<()>, Status> {
        if let ::core::result::Result::Err(refusal) = renamed::__private::enter(
            const { renamed::__private::row::<pb::EchoServer<Self>, Self>(0) },
            &request,
        ) {
            return refusal;
        }
        self.store.get(request)
    }
    #[cfg(feature = "admin")]
    #[tracing::instrument(skip_all)]
    async fn r#move(
        self: Arc<Self>,
        request: Request<()>,
    ) -> Result<Response<()>, Status> {
        if let ::core::result::Result::Err(refusal) = renamed::__private::enter(
            const { renamed::__private::row::<pb::EchoServer<Self>, Self>(1) },
            &request,
        ) {
            return refusal;
        }
        self.store.r#move(request)
    }
}
#[cfg(feature = "echo")]
impl<S: Store> renamed::ProtectedService<pb::EchoServer<Self>> for Service<S>
where
    S: Send + Sync + 'static,
{
    const POLICY: renamed::policy::ServicePolicy = {
        #[allow(unused_imports)]
        use renamed::__private::OneMessage as _;
        renamed::policy::ServicePolicy::annotated(
            <pb::EchoServer<Self> as renamed::__private::NamedService>::NAME,
            &[
                renamed::policy::MethodPolicy::annotated(
                        0,
                        "GetUrl",
                        renamed::policy::AccessRule::Authenticated,
                    )
                    .kind(
                        renamed::__private::RpcKind::of(
                            <renamed::__private::Side<Request<()>>>::STREAMS,
                            <renamed::__private::Side<
                                Result<Response<()>, Status>,
                            >>::STREAMS,
                        ),
                    ),
                #[cfg(feature = "admin")]
                renamed::policy::MethodPolicy::annotated(
                        1,
                        "Move",
                        renamed::policy::AccessRule::RequireScopes(
                            renamed::policy::ScopeExpr::Scope(
                                renamed::Scope::from_static("admin:all"),
                            ),
                        ),
                    )
                    .kind(
                        renamed::__private::RpcKind::of(
                            <renamed::__private::Side<Request<()>>>::STREAMS,
                            <renamed::__private::Side<
                                Result<Response<()>, Status>,
                            >>::STREAMS,
                        ),
                    ),
            ],
        )
    };
    fn into_server(service: renamed::__private::Arc<Self>) -> pb::EchoServer<Self> {
        <pb::EchoServer<Self>>::from_arc(service)
    }
}
#[cfg(feature = "echo")]
const _: () = renamed::__private::check_descriptor(
    pb::DESCRIPTOR,
    <pb::EchoServer<()> as renamed::__private::NamedService>::NAME,
    &["GetUrl", #[cfg(feature = "admin")] "Move"],
);
