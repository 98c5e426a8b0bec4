#[tonic::async_trait]
impl Echo for EchoService {
    #[cfg(feature = "echo")]
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
        if let ::core::result::Result::Err(refusal) = admitted
            .require(0, &request, const { owns_echo })
        {
            return refusal;
        }
        if let ::core::result::Result::Err(refusal) = admitted
            .require(1, &request, const { |claims: &Claims<Tenant>, _| claims.staff })
        {
            return refusal;
        }
        let _ = request;
        let claims: Claims<Tenant> = match admitted.inject::<Claims<Tenant>, _>() {
            ::core::result::Result::Ok(injected) => injected,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        reply(claims)
    }
    async fn chat(
        &self,
        mut request: Request<tonic::Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let admitted = match ::grpc_auth::__private::enter(
            const { ::grpc_auth::__private::row::<EchoServer<Self>, Self>(1) },
            &request,
        ) {
            ::core::result::Result::Ok(admitted) => admitted,
            ::core::result::Result::Err(refusal) => return refusal,
        };
        if let ::core::result::Result::Err(refusal) = admitted
            .require_of_claims_alone(0, const { Self::is_member })
        {
            return refusal;
        }
        reply(request.get_mut())
    }
}
impl ::grpc_auth::ProtectedService<EchoServer<Self>> for EchoService {
    const POLICY: ::grpc_auth::policy::ServicePolicy = {
        #[allow(unused_imports)]
        use ::grpc_auth::__private::OneMessage as _;
        ::grpc_auth::policy::ServicePolicy::annotated(
            <EchoServer<Self> as ::grpc_auth::__private::NamedService>::NAME,
            &[
                #[cfg(feature = "echo")]
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
                    )
                    .requiring(
                        &[
                            "owns_echo",
                            "| claims : & Claims < Tenant > , _ | claims . staff",
                        ],
                    ),
                ::grpc_auth::policy::MethodPolicy::annotated(
                        1,
                        "Chat",
                        ::grpc_auth::policy::AccessRule::Authenticated,
                    )
                    .derived()
                    .kind(
                        ::grpc_auth::__private::RpcKind::of(
                            <::grpc_auth::__private::Side<
                                Request<tonic::Streaming<EchoRequest>>,
                            >>::STREAMS,
                            <::grpc_auth::__private::Side<
                                Result<Response<EchoReply>, Status>,
                            >>::STREAMS,
                        ),
                    )
                    .requiring(&["Self :: is_member"]),
            ],
        )
    };
    fn into_server(service: ::grpc_auth::__private::Arc<Self>) -> EchoServer<Self> {
        <EchoServer<Self>>::from_arc(service)
    }
}
