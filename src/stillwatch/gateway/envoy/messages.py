r"""The messages of `envoy.service.ext_proc.v3` that are needed here, by name and field number.

The published package of all generated Envoy messages puts 1,800 files into top-level folders that other packages own
(``google``, ``opentelemetry``). So the dozen messages of this one service are described here and made by the protobuf
library, in a pool of their own. What is not described stays an unknown field and does no harm.

>>> made = ProcessingResponse()
>>> made.immediate_response.status.code = 429
>>> made.SerializeToString()
b':\x05\n\x03\x08\xad\x03'
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
METHOD = "Process"
NONE, STREAMED, BUFFERED, BUFFERED_PARTIAL, FULL_DUPLEX = range(5)
"""How Envoy sends a body."""
OVERWRITE = 2
"""What becomes of a header that is there already."""

_PACKAGE = "stillwatch.ext_proc"
_KINDS = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "text": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
_MESSAGES = {
    "HeaderValue": "key=1 text; value=2 text; raw_value=3 bytes",
    "HeaderMap": "headers=1 HeaderValue*",
    "HeaderValueOption": "header=1 HeaderValue; append_action=3 int",
    "HeaderMutation": "set_headers=1 HeaderValueOption*; remove_headers=2 text*",
    "HttpHeaders": "headers=1 HeaderMap; end_of_stream=3 bool",
    "HttpBody": "body=1 bytes; end_of_stream=2 bool",
    "HttpTrailers": "trailers=1 HeaderMap",
    "ProtocolConfiguration": "request_body_mode=1 int; response_body_mode=2 int",
    "ProcessingRequest": "request: request_headers=2 HttpHeaders; request: response_headers=3 HttpHeaders; "
    "request: request_body=4 HttpBody; request: response_body=5 HttpBody; request: request_trailers=6 HttpTrailers; "
    "request: response_trailers=7 HttpTrailers; protocol_config=11 ProtocolConfiguration",
    "StreamedBodyResponse": "body=1 bytes; end_of_stream=2 bool",
    "BodyMutation": "mutation: body=1 bytes; mutation: clear_body=2 bool; "
    "mutation: streamed_response=3 StreamedBodyResponse",
    "CommonResponse": "header_mutation=2 HeaderMutation; body_mutation=3 BodyMutation",
    "HeadersResponse": "response=1 CommonResponse",
    "BodyResponse": "response=1 CommonResponse",
    "TrailersResponse": "header_mutation=1 HeaderMutation",
    "HttpStatus": "code=1 int",
    "ImmediateResponse": "status=1 HttpStatus; headers=2 HeaderMutation; body=3 bytes; details=5 text",
    "ProcessingResponse": "response: request_headers=1 HeadersResponse; response: response_headers=2 HeadersResponse; "
    "response: request_body=3 BodyResponse; response: response_body=4 BodyResponse; "
    "response: request_trailers=5 TrailersResponse; response: response_trailers=6 TrailersResponse; "
    "response: immediate_response=7 ImmediateResponse",
}
"""``[oneof:] name=number kind``, with ``*`` for a repeated field. Enumerations are read as the numbers they are."""


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="stillwatch/ext_proc.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for each in fields.split("; "):
            oneof, _, plain = each.rpartition(": ")
            field, kind = plain.split()
            made = message.field.add(name=field.partition("=")[0], number=int(field.partition("=")[2]))
            made.label = made.LABEL_REPEATED if kind.endswith("*") else made.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            if kind in _KINDS:
                made.type = _KINDS[kind]
            else:
                made.type, made.type_name = made.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if oneof:
                if not message.oneof_decl:
                    message.oneof_decl.add(name=oneof)
                made.oneof_index = 0
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(_described().SerializeToString())


def _made(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


ProcessingRequest: Any = _made("ProcessingRequest")
"""What Envoy sends: one step of one HTTP call."""
ProcessingResponse: Any = _made("ProcessingResponse")
"""What it is answered."""
