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
        renamed::__private::guard::<pb::EchoServer<Self>, Self, 0>(&request)?;
        self.store.get(request)
    }
    #[cfg(feature = "admin")]
    #[tracing::instrument(skip_all)]
    async fn r#move(
        self: Arc<Self>,
        request: Request<()>,
    ) -> Result<Response<()>, Status> {
        renamed::__private::guard::<pb::EchoServer<Self>, Self, 1>(&request)?;
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
        use renamed::__private::{self as __auth, OneMessage as _, OtherConstant as _};
        __auth::policy::<
            pb::EchoServer<Self>,
        >(
            &__auth::named_by(
                pb::DESCRIPTOR,
                <pb::EchoServer<Self> as __auth::NamedService>::NAME,
                [
                    __auth::entry(0, "GetUrl", __auth::authenticated())
                        .derived()
                        .kind(
                            __auth::kind(
                                __auth::Side::<Request<()>>::STREAMS,
                                __auth::Side::<Result<Response<()>, Status>>::STREAMS,
                            ),
                        ),
                    #[cfg(feature = "admin")]
                    __auth::entry(
                            1,
                            "Move",
                            __auth::require_scopes(__auth::scope("admin:all")),
                        )
                        .derived()
                        .kind(
                            __auth::kind(
                                __auth::Side::<Request<()>>::STREAMS,
                                __auth::Side::<Result<Response<()>, Status>>::STREAMS,
                            ),
                        ),
                ],
            ),
        )
    };
    fn into_server(service: renamed::__private::Arc<Self>) -> pb::EchoServer<Self> {
        <pb::EchoServer<Self>>::from_arc(service)
    }
}
#[cfg(feature = "echo")]
const _: () = {
    use renamed::__private as __auth;
    const __METHODS: &[__auth::MethodName] = &[
        __auth::MethodName::derived(0, "get_url"),
        #[cfg(feature = "admin")]
        __auth::MethodName::derived(1, "move"),
    ];
    const __CHECK: __auth::DescriptorCheck<2> = __auth::DescriptorCheck::new(
        pb::DESCRIPTOR,
        <pb::EchoServer<()> as __auth::NamedService>::NAME,
        __METHODS,
    );
    const _: () = __CHECK.method(0);
    #[cfg(feature = "admin")]
    const _: () = __CHECK.method(1);
    const _: () = __CHECK.rpcs();
};
