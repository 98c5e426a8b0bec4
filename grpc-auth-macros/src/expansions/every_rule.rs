#[tonic::async_trait]
impl Echo for EchoService {
    async fn unary_echo(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<EchoReply>, Status> {
        let admitted = match ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(0) },
            &request,
        ) {
            ::core::result::Result::Ok(admitted) => admitted,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        let claims: Claims<Tenant> = match admitted.inject::<Claims<Tenant>, _>() {
            ::core::result::Result::Ok(injected) => injected,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        self.echo(request, claims)
    }
    type ExpandStream = Replies;
    async fn expand_it(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Self::ExpandStream>, Status> {
        if let ::core::result::Result::Err(refusal) = ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(1) },
            &request,
        ) {
            return refusal;
        }
        let Request { message, .. } = request;
        expand(message)
    }
    async fn chat(
        &self,
        mut request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Self::ExpandStream>, Status> {
        if let ::core::result::Result::Err(refusal) = ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(2) },
            &request,
        ) {
            return refusal;
        }
        request.get_mut()
    }
    async fn ping(&self, request: Request<()>) -> Result<Response<()>, Status> {
        let admitted = match ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(3) },
            &request,
        ) {
            ::core::result::Result::Ok(admitted) => admitted,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        let _ = request;
        let caller: Option<Principal> = match admitted
            .inject_optional::<Option<Principal>, _>()
        {
            ::core::result::Result::Ok(injected) => injected,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        Ok(Response::new(()))
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
                                Result<Response<EchoReply>, Status>,
                            >>::STREAMS,
                        ),
                    ),
                ::grpc_auth::policy::MethodPolicy::annotated(
                        1,
                        "Expand",
                        ::grpc_auth::policy::AccessRule::RequireScopes(
                            ::grpc_auth::policy::ScopeExpr::All(
                                &[
                                    ::grpc_auth::policy::ScopeExpr::Scope(scopes::WRITE),
                                    ::grpc_auth::policy::ScopeExpr::Any(
                                        &[
                                            ::grpc_auth::policy::ScopeExpr::Scope(
                                                ::grpc_auth::Scope::from_static("team:blue"),
                                            ),
                                            ::grpc_auth::policy::ScopeExpr::All(
                                                &[
                                                    ::grpc_auth::policy::ScopeExpr::Scope(
                                                        ::grpc_auth::Scope::from_static("a"),
                                                    ),
                                                    ::grpc_auth::policy::ScopeExpr::Scope(
                                                        ::grpc_auth::Scope::from_static("b"),
                                                    ),
                                                ],
                                            ),
                                        ],
                                    ),
                                ],
                            ),
                        ),
                    )
                    .kind(
                        ::grpc_auth::__private::RpcKind::of(
                            <::grpc_auth::__private::Side<
                                Request<EchoRequest>,
                            >>::STREAMS,
                            <::grpc_auth::__private::Side<
                                Result<Response<<Self as Echo>::ExpandStream>, Status>,
                            >>::STREAMS,
                        ),
                    ),
                ::grpc_auth::policy::MethodPolicy::annotated(
                        2,
                        "Chat",
                        ::grpc_auth::policy::AccessRule::Authenticated,
                    )
                    .derived()
                    .kind(
                        ::grpc_auth::__private::RpcKind::of(
                            <::grpc_auth::__private::Side<
                                Request<Streaming<EchoRequest>>,
                            >>::STREAMS,
                            <::grpc_auth::__private::Side<
                                Result<Response<<Self as Echo>::ExpandStream>, Status>,
                            >>::STREAMS,
                        ),
                    ),
                ::grpc_auth::policy::MethodPolicy::annotated(
                        3,
                        "Ping",
                        ::grpc_auth::policy::AccessRule::AllowUnauthenticated,
                    )
                    .derived()
                    .kind(
                        ::grpc_auth::__private::RpcKind::of(
                            <::grpc_auth::__private::Side<Request<()>>>::STREAMS,
                            <::grpc_auth::__private::Side<
                                Result<Response<()>, Status>,
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
