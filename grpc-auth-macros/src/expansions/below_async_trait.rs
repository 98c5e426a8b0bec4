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
        let admitted = match ::grpc_auth::__private::guard::<
            EchoServer<Self>,
            Self,
            0,
        >(&__arg1) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(status) => {
                return ::grpc_auth::__private::denied(status);
            }
        };
        let caller: Principal = match admitted.inject() {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(status) => {
                return ::grpc_auth::__private::denied(status);
            }
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
                            __auth::Side::<
                                Pin<
                                    Box<
                                        dyn Future<
                                            Output = Result<Response<EchoReply>, Status>,
                                        > + Send + 'static,
                                    >,
                                >,
                            >::STREAMS,
                        ),
                    ),
            ],
        )
    };
    fn into_server(service: ::grpc_auth::__private::Arc<Self>) -> EchoServer<Self> {
        <EchoServer<Self>>::from_arc(service)
    }
}
