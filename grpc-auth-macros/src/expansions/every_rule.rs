#[tonic::async_trait]
impl Echo for EchoService {
    async fn unary_echo(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<EchoReply>, Status> {
        let admitted = ::grpc_auth::__private::guard::<
            EchoServer<Self>,
            Self,
            0,
        >(&request)?;
        let claims: Claims<Tenant> = admitted.inject()?;
        self.echo(request, claims)
    }
    type ExpandStream = Replies;
    async fn expand_it(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Self::ExpandStream>, Status> {
        ::grpc_auth::__private::guard::<EchoServer<Self>, Self, 1>(&request)?;
        let Request { message, .. } = request;
        expand(message)
    }
    async fn chat(
        &self,
        mut request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Self::ExpandStream>, Status> {
        ::grpc_auth::__private::guard::<EchoServer<Self>, Self, 2>(&request)?;
        request.get_mut()
    }
    async fn ping(&self, request: Request<()>) -> Result<Response<()>, Status> {
        let admitted = ::grpc_auth::__private::guard::<
            EchoServer<Self>,
            Self,
            3,
        >(&request)?;
        let _ = request;
        let caller: Option<Principal> = admitted.inject_optional()?;
        Ok(Response::new(()))
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
                    ),
                __auth::entry(
                        1,
                        "Expand",
                        __auth::require_scopes(
                            __auth::all(
                                &[
                                    __auth::Constant(scopes::WRITE).scope(),
                                    __auth::any(
                                        &[
                                            __auth::scope("team:blue"),
                                            __auth::all(&[__auth::scope("a"), __auth::scope("b")]),
                                        ],
                                    ),
                                ],
                            ),
                        ),
                    )
                    .kind(
                        __auth::kind(
                            __auth::Side::<Request<EchoRequest>>::STREAMS,
                            __auth::Side::<
                                Result<Response<<Self as Echo>::ExpandStream>, Status>,
                            >::STREAMS,
                        ),
                    ),
                __auth::entry(2, "Chat", __auth::authenticated())
                    .derived()
                    .kind(
                        __auth::kind(
                            __auth::Side::<Request<Streaming<EchoRequest>>>::STREAMS,
                            __auth::Side::<
                                Result<Response<<Self as Echo>::ExpandStream>, Status>,
                            >::STREAMS,
                        ),
                    ),
                __auth::entry(3, "Ping", __auth::allow_unauthenticated())
                    .derived()
                    .kind(
                        __auth::kind(
                            __auth::Side::<Request<()>>::STREAMS,
                            __auth::Side::<Result<Response<()>, Status>>::STREAMS,
                        ),
                    ),
            ],
        )
    };
    fn into_server(service: ::grpc_auth::__private::Arc<Self>) -> EchoServer<Self> {
        <EchoServer<Self>>::from_arc(service)
    }
}
