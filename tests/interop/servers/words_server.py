"""kit.v1.Kinds by grpcio, on a free port of 127.0.0.1: it asks an authorization server about the
token of every call (RFC 7662), by the id and secret of a resource server.

Says `READY <port>`; ends when its standard input does. Arguments: the folder of kit.proto, the
introspection endpoint, id and secret. A call whose token is not active is answered UNAUTHENTICATED,
one without the scope `read:word` PERMISSION_DENIED; each answer is the word, and which of the
server's calls this is. The word `late` is refused after the first answer.
"""

import itertools
import sys
from concurrent import futures

import grpc
import requests

protos, endpoint, client, secret = sys.argv[1:]
sys.path.insert(0, protos)
kit, services = grpc.protos_and_services("kit.proto")
calls = itertools.count(1)


def judge(values):
    """What a call with these values of `authorization` is refused with, or nothing."""
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme != "Bearer":
        return grpc.StatusCode.UNAUTHENTICATED
    form = {"token": token, "token_type_hint": "access_token"}
    said = requests.post(endpoint, data=form, auth=(client, secret), timeout=10).json()
    if said["active"] is not True:
        return grpc.StatusCode.UNAUTHENTICATED
    if "read:word" not in said["scope"].split():
        return grpc.StatusCode.PERMISSION_DENIED
    return None


class Bearer(grpc.ServerInterceptor):
    def intercept_service(self, continuation, details):
        number = next(calls)
        handler = continuation(details)
        method = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )
        refusal = judge([v for name, v in details.invocation_metadata if name == "authorization"])

        def answer(request, context):
            return method(request, context, number)

        def refuse(_, context):
            context.abort(refusal, "because of its token")

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        behaviour = refuse if refusal else answer
        return make(behaviour, handler.request_deserializer, handler.response_serializer)


def numbered(word, number):
    return kit.Word(text=f"{word.text} {number}")


class Kinds(services.KindsServicer):
    def Unary(self, request, context, number):
        return numbered(request, number)

    def ServerStream(self, request, context, number):
        yield numbered(request, number)
        if request.text == "late":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "because of its token, which ended")
        yield numbered(request, number)

    def ClientStream(self, words, context, number):
        return numbered(list(words)[-1], number)

    def Bidi(self, words, context, number):
        for request in words:
            yield numbered(request, number)


server = grpc.server(futures.ThreadPoolExecutor(16), interceptors=[Bearer()])
services.add_KindsServicer_to_server(Kinds(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"READY {port}", flush=True)
sys.stdin.read()
server.stop(None)
