"""The status protocol on the wire: generated protobuf code, and `convert` between it and zlfeed.model.

Nothing outside this package touches protobuf.
"""
