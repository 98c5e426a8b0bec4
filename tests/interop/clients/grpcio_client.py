"""Calls kit.v1.Kinds/Unary with grpcio and prints what its users get to see.

Arguments: the address, the folder of kit.proto; for TLS, a file with the authority's certificate:
then tokens are the credentials of calls. Standard input: a JSON list of calls, each a list of
metadata pairs. Standard output: a JSON list of what came of each.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2

address, protos, *authority = sys.argv[1:]
sys.path.insert(0, protos)
kit, services = grpc.protos_and_services("kit.proto")


def carrying(metadata):
    if not authority:
        return {"metadata": metadata}
    [[_, value]] = metadata
    return {"credentials": grpc.access_token_call_credentials(value.removeprefix("Bearer "))}


def call(stub, metadata):
    try:
        answer = stub.Unary(kit.Word(text="word"), timeout=10, **carrying(metadata))
        return {"code": 0, "text": answer.text}
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        info = error_details_pb2.ErrorInfo()
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        for detail in status.details:
            detail.Unpack(info)
        return {
            "code": error.code().value[0],
            "reason": info.reason,
            "domain": info.domain,
            "challenge": trailers.get("www-authenticate"),
        }


def connect():
    if not authority:
        return grpc.insecure_channel(address)
    roots = open(authority[0], "rb").read()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots))


calls = [[tuple(pair) for pair in metadata] for metadata in json.load(sys.stdin)]
with connect() as channel:
    stub = services.KindsStub(channel)
    print(json.dumps([call(stub, metadata) for metadata in calls]))
