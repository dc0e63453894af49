"""gRPC streams to session events, session actions to gRPC. The only room that knows grpc and protobuf.

`server` is the interface that both servers stand behind; `grpcio` is the reference one; `decode` and `encode` turn
messages over; `drive` runs one exchange.
"""
