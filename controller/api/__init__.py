"""The Kubernetes objects that the controller reads, as typed and frozen structs.

Each struct holds the fields that decide something and skips the rest, which is what makes decoding cheap and a store of
tens of thousands of objects small. Decoding is lenient where the API server is strict already: enumerations are plain
strings, patterns and ranges are not checked again, and `status`, which anybody with the right may write, is kept as the
bytes that came (`msgspec.Raw`), so that no foreign status can make an object unreadable.
"""
