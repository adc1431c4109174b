"""Python side of effc: helpers for tests and tools. The compiler and the runtime need no Python."""
