#[tonic::async_trait]
impl Echo for EchoService {
    #[cfg(feature = "echo")]
    async fn unary_echo(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<EchoReply>, Status> {
        let admitted = ::grpc_auth::__private::guard::<
            EchoServer<Self>,
            Self,
            0,
        >(&request)?;
        admitted.require(0, &request, const { owns_echo })?;
        admitted
            .require(1, &request, const { |claims: &Claims<Tenant>, _| claims.staff })?;
        let _ = request;
        let claims: Claims<Tenant> = admitted.inject()?;
        reply(claims)
    }
    async fn chat(
        &self,
        mut request: Request<tonic::Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let admitted = ::grpc_auth::__private::guard::<
            EchoServer<Self>,
            Self,
            1,
        >(&request)?;
        admitted.require_of_claims_alone(0, const { Self::is_member })?;
        reply(request.get_mut())
    }
}
impl ::grpc_auth::ProtectedService<EchoServer<Self>> for EchoService {
    const POLICY: ::grpc_auth::policy::ServicePolicy = {
        #[allow(unused_imports)]
        use ::grpc_auth::__private::{
            self as __auth, OneMessage as _, OtherConstant as _,
        };
        __auth::policy::<
            EchoServer<Self>,
        >(
            &[
                #[cfg(feature = "echo")]
                __auth::entry(
                        0,
                        "UnaryEcho",
                        __auth::require_scopes(__auth::scope("read:echo")),
                    )
                    .derived()
                    .kind(
                        __auth::kind(
                            __auth::Side::<Request<EchoRequest>>::STREAMS,
                            __auth::Side::<Result<Response<EchoReply>, Status>>::STREAMS,
                        ),
                    )
                    .requiring(
                        &[
                            "owns_echo",
                            "| claims : & Claims < Tenant > , _ | claims . staff",
                        ],
                    ),
                __auth::entry(1, "Chat", __auth::authenticated())
                    .derived()
                    .kind(
                        __auth::kind(
                            __auth::Side::<
                                Request<tonic::Streaming<EchoRequest>>,
                            >::STREAMS,
                            __auth::Side::<Result<Response<EchoReply>, Status>>::STREAMS,
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
