"""Sends with python's h2 what gRPC clients refuse to send: any headers, in any number.

Argument: the port. Standard input: a JSON list of requests, each a list of header pairs, with the
pseudo-headers among them. Standard output: a JSON list of what came of each.
"""

import base64
import json
import socket
import sys

import h2.config
import h2.connection
import h2.events
from google.rpc import error_details_pb2, status_pb2

CONFIG = h2.config.H2Configuration(
    client_side=True,
    header_encoding="utf-8",
    normalize_outbound_headers=False,
    validate_outbound_headers=False,
)
# A kit.v1.Word with the text "word", in gRPC's frame.
MESSAGE = b"\0\0\0\0\x06\x0a\x04word"


def exchange(headers):
    """The response's headers, its trailers, and how it ended."""
    connection = h2.connection.H2Connection(CONFIG)
    connection.initiate_connection()
    connection.send_headers(1, headers)
    connection.send_data(1, MESSAGE, end_stream=True)
    fields = {}
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as stream:
        stream.sendall(connection.data_to_send())
        while data := stream.recv(65535):
            for event in connection.receive_data(data):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    fields.update(event.headers)
                elif isinstance(event, h2.events.StreamEnded):
                    return fields, "answered"
                elif isinstance(event, h2.events.StreamReset):
                    return fields, "reset"
                elif isinstance(event, h2.events.ConnectionTerminated):
                    return fields, "terminated"
            stream.sendall(connection.data_to_send())
    return fields, "closed"


def reason(details):
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return info.reason


seen = []
for headers in json.load(sys.stdin):
    fields, end = exchange([tuple(pair) for pair in headers])
    seen.append(
        {
            "end": end,
            "http": fields.get(":status"),
            # What Envoy adds to an answer of the server behind it.
            "forwarded": "x-envoy-upstream-service-time" in fields,
            "status": fields.get("grpc-status"),
            "reason": reason(fields.get("grpc-status-details-bin", "")),
        }
    )
print(json.dumps(seen))
