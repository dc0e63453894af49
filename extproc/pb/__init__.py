"""Generated from `protos/` by `make protos`. Do not edit; `make check` holds the two in step."""
