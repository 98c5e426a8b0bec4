"""Calls kit.v1.Kinds/Unary with grpcio and prints what its users get to see.

Arguments: the address, the folder of kit.proto. Standard input: a JSON list of calls, each a list
of metadata pairs. Standard output: a JSON list of what came of each.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2

address, protos = sys.argv[1:]
sys.path.insert(0, protos)
kit, services = grpc.protos_and_services("kit.proto")


def call(stub, metadata):
    try:
        answer = stub.Unary(kit.Word(text="word"), metadata=metadata, timeout=10)
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


calls = [[tuple(pair) for pair in metadata] for metadata in json.load(sys.stdin)]
with grpc.insecure_channel(address) as channel:
    stub = services.KindsStub(channel)
    print(json.dumps([call(stub, metadata) for metadata in calls]))
