impl Echo for EchoService {
    #[allow(clippy::async_yields_async)]
    fn unary_echo<'life0, 'async_trait>(
        &'life0 self,
        __arg1: Request<EchoRequest>,
    ) -> Pin<
        Box<
            dyn Future<
                Output = Result<Response<EchoReply>, Status>,
            > + Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let admitted = match ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(0) },
            &__arg1,
        ) {
            ::core::result::Result::Ok(admitted) => admitted,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        let caller: Principal = match admitted.inject::<Principal, _>() {
            ::core::result::Result::Ok(injected) => injected,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        Box::pin(async move {
            let _ = __arg1;
            let caller = caller;
            reply(caller)
        })
    }
}
impl ::grpc_auth::ProtectedService<EchoServer<Self>> for EchoService {
    const POLICY: ::grpc_auth::policy::ServicePolicy = {
        #[allow(unused_imports)]
        use ::grpc_auth::__private::OneMessage as _;
        ::grpc_auth::policy::ServicePolicy::annotated(
            <EchoServer<Self> as ::grpc_auth::__private::NamedService>::NAME,
            &[
                ::grpc_auth::policy::MethodPolicy::annotated(
                        0,
                        "UnaryEcho",
                        ::grpc_auth::policy::AccessRule::RequireScopes(
                            ::grpc_auth::policy::ScopeExpr::Scope(
                                ::grpc_auth::Scope::from_static("read:echo"),
                            ),
                        ),
                    )
                    .derived()
                    .kind(
                        ::grpc_auth::__private::RpcKind::of(
                            <::grpc_auth::__private::Side<
                                Request<EchoRequest>,
                            >>::STREAMS,
                            <::grpc_auth::__private::Side<
                                Pin<
                                    Box<
                                        dyn Future<
                                            Output = Result<Response<EchoReply>, Status>,
                                        > + Send + 'static,
                                    >,
                                >,
                            >>::STREAMS,
                        ),
                    ),
            ],
        )
    };
    fn into_server(service: ::grpc_auth::__private::Arc<Self>) -> EchoServer<Self> {
        <EchoServer<Self>>::from_arc(service)
    }
}
